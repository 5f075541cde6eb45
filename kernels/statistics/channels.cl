/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of stage two for the channels of a vector: finish.cl and channel.cl in vectors where all VEC are there and none is special,
 * and one channel after another otherwise. After channel.cl.
 */
#ifdef SMALL_CODE
#define FINISH_VEC 0u
#else
#define FINISH_VEC VEC
#endif
typedef PASTE(uint, VEC) uvec;
#define CONVERT(type, x) PASTE(PASTE(convert_, type), VEC)(x)
#define AS(type, x) PASTE(PASTE(as_, type), VEC)(x)

/* clnorm_below in words of 32 bits: calls that take or return vectors wider than vec have compilers warn of the ABI. */
FUNC ivec rsqrt_below_v(uvec c, uvec m)
{
    uvec high = mul_hi(c, c);
    uvec low = mul_hi(c * c, m);
    uvec sum = high * m + low;
    return mul_hi(high, m) - AS(uint, sum < low) < (uvec)(512u); /* a comparison that holds is -1: the carry */
}

/* clnorm_rsqrt of normal numbers above 0. */
FUNC vec rsqrt_v(vec t)
{
    uvec bits = AS(uint, t);
    ivec exponent = AS(int, bits >> (uvec)(23u)) - (ivec)(127);
    uvec m = (bits & (uvec)(0x7fffffu)) | (uvec)(0x800000u);
    m <<= AS(uint, exponent & (ivec)(1));
    exponent -= exponent & (ivec)(1);
    vec x = CONVERT(float, m) * (vec)(0x1p-23f);
    vec y = SELECT((vec)(0.6f), (vec)(0.85f), x < (vec)(2.0f));
    for (int i = 0; i < 5; i++)
        y = y * fma((vec)(-0.5f) * x * y, y, (vec)(1.5f));
    uvec r = min(CONVERT(uint, y * (vec)(0x1p+24f)), (uvec)(0x1000000u));
    for (;;) {
        uvec above = AS(uint, !rsqrt_below_v(2u * r - 1u, m)) & (uvec)(1u);
        if (!any(AS(int, above << (uvec)(31u))))
            break;
        r -= above;
    }
    for (;;) {
        uvec below = AS(uint, rsqrt_below_v(2u * r + 1u, m)) & (uvec)(1u);
        if (!any(AS(int, below << (uvec)(31u))))
            break;
        r += below;
    }
    return CONVERT(float, r) * AS(float, ((ivec)(127 - 24) - (exponent >> (ivec)(1))) << (ivec)(23));
}

/* Whether rsqrt_v takes every element. */
FUNC int is_normal_v(vec t)
{
    return all(t >= (vec)(FLT_MIN) && t <= (vec)(FLT_MAX));
}

#define LOAD_V(p, c) VEC_LOAD(global, (p) + at->p + (c))
#define STORE_V(value, p, c) VEC_STORE(global, value, (p) + at->p + (c))

#if BACKWARD
/* clnorm_finish_diff and finish_channel where no channel is of large or small magnitude. */
FUNC coefs_v finish_plain(const item_v root, vec invstd, ulong c, const struct clnorm_finish *p,
                          const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    coefs_v k;
    pair_v rm = {(vec)(p->rm_hi), (vec)(p->rm_lo)};
    if (p->flags & CLNORM_HAS_DIFF_SCALE) {
        vec sum = pair_scale_v(root.gd, invstd).hi;
        if (p->flags & CLNORM_ADD_DIFF_SCALE)
            sum += LOAD_V(diff_scale, c);
        STORE_V(sum, diff_scale, c);
    }
    if (p->flags & CLNORM_HAS_DIFF_SHIFT) {
        vec sum = root.g.hi;
        if (p->flags & CLNORM_ADD_DIFF_SHIFT)
            sum += LOAD_V(diff_shift, c);
        STORE_V(sum, diff_shift, c);
    }
    k.factor = p->flags & CLNORM_HAS_SCALE ? mul_v(LOAD_V(scale, c), invstd) : invstd;
    k.hi = p->flags & CLNORM_HAS_MEAN ? LOAD_V(mean, c) : (vec)(0.0f);
    k.lo = p->flags & CLNORM_HAS_SAVE_MEAN_LOW ? LOAD_V(mean_low, c) : (vec)(0.0f);
    k.magnify = (vec)(1.0f);
    k.slope = -mul_v(mul_v(pair_multiply_v(root.gd, rm).hi, invstd), invstd);
    pair_v grad = pair_multiply_v(root.g, rm);
    k.grad_hi = grad.hi;
    k.grad_lo = grad.lo;
    return k;
}

/* Channels c to c + count - 1, count at most VEC. */
FUNC coefs_v finish_channels(const item_v *root, ulong c, uint count, const struct clnorm_finish *p,
                             const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    coefs_v k;
    item_f one; /* outside loops, see README.md */
    coefs_f of_one;
    if (count == FINISH_VEC) {
        vec invstd = LOAD_V(spread, c);
        int plain = 1;
        if (p->flags & CLNORM_IS_FROZEN) {
            invstd += (vec)(p->epsilon);
            plain = is_normal_v(invstd);
            invstd = plain ? rsqrt_v(invstd) : invstd;
        }
        if (plain && all(invstd >= (vec)(CLNORM_LOW_INVSTD) && invstd <= (vec)(CLNORM_HIGH_INVSTD)))
            return finish_plain(*root, invstd, c, p, at, CHANNEL_ARGS);
    }
    for (uint j = 0u; j < count; j++) {
        one = item_of(root, j);
        of_one = finish_channel(one, c + j, p, at, CHANNEL_ARGS);
        coefs_put(&k, j, of_one);
    }
    return k;
}
#else
/* clnorm_running; with momentum 0 there are no running statistics. */
FUNC vec running_v(vec old, vec batch, float momentum)
{
    vec kept = fabs(old) <= (vec)(FLT_MAX) ? fma((vec)(-momentum), old, old) : old;
    return momentum == 1.0f ? batch : fma((vec)(momentum), batch, kept);
}

/* finish_channel of normal statistics. */
FUNC coefs_v finish_plain(const item_v root, vec variance, vec invstd, ulong c, const struct clnorm_finish *p,
                          const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    coefs_v k;
    if (p->flags & CLNORM_HAS_SAVE_MEAN)
        VEC_STORE(global, root.mean.hi, save_mean + at->mean + c);
    if (p->flags & CLNORM_HAS_SAVE_MEAN_LOW)
        VEC_STORE(global, root.mean.lo, save_mean_low + at->mean_low + c);
    if (p->flags & CLNORM_HAS_SAVE_INVSTD)
        VEC_STORE(global, invstd, save_invstd + at->spread + c);
    if (p->flags & CLNORM_HAS_SAVE_VARIANCE)
        VEC_STORE(global, variance, save_variance + at->variance + c);
    if (p->flags & CLNORM_HAS_RUNNING_MEAN) {
        vec old = LOAD_V(running_mean, c);
        STORE_V(running_v(old, root.mean.hi, p->momentum), running_mean, c);
    }
    if (p->flags & CLNORM_HAS_RUNNING_VARIANCE) {
        vec old = LOAD_V(running_variance, c);
        STORE_V(running_v(old, mul_v(variance, (vec)(p->running_factor)), p->momentum), running_variance, c);
    }
    k.hi = root.mean.hi;
    k.lo = root.mean.lo;
    k.factor = p->flags & CLNORM_HAS_SCALE ? mul_v(LOAD_V(scale, c), invstd) : invstd;
    k.shift = p->flags & CLNORM_HAS_SHIFT ? LOAD_V(shift, c) : (vec)(0.0f);
    return k;
}

/* Channels c to c + count - 1, count at most VEC. */
FUNC coefs_v finish_channels(const item_v *root, ulong c, uint count, const struct clnorm_finish *p,
                             const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    coefs_v k;
    item_f one; /* outside loops, see README.md */
    coefs_f of_one;
    pair_v rm = {(vec)(p->rm_hi), (vec)(p->rm_lo)};
    vec variance = pair_multiply_v(root->m2, rm).hi;
    variance = SELECT(variance, (vec)(0.0f), variance < (vec)(0.0f));
    vec t = variance + (vec)(p->epsilon);
    if (count == FINISH_VEC &&
        all(t >= (vec)(CLNORM_LOW_SPREAD) && t <= (vec)(FLT_MAX) && root->magnify == (vec)(1.0f)))
        return finish_plain(*root, variance, rsqrt_v(t), c, p, at, CHANNEL_ARGS);
    for (uint j = 0u; j < count; j++) {
        one = item_of(root, j);
        of_one = finish_channel(one, c + j, p, at, CHANNEL_ARGS);
        coefs_put(&k, j, of_one);
    }
    return k;
}
#endif
