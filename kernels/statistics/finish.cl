/* SPDX-License-Identifier: Apache-2.0 */
/* From a channel's tree to what the last step needs. Scalar; for kernels and for the C model alike, after pair.cl. */
#ifndef CLNORM_FINISH_CL
#define CLNORM_FINISH_CL

#ifdef CLNORM_KERNEL
#define clnorm_bits_of(x) as_uint(x)
#define clnorm_float_of(x) as_float(x)
#endif

#define CLNORM_LOW_INVSTD 0x1p-40f  /* below it a channel is of large magnitude to the backward pass */
#define CLNORM_HIGH_INVSTD 0x1p+40f /* and above it of small */
#define CLNORM_LOW_SQUARE 0x1p-100f /* variance of a channel of big values that may be as good as subnormal */
#define CLNORM_LOW_SPREAD 0x1p-60f  /* variance + epsilon, below which variance may be subnormal and still count */

/* c * c * m < 2^73, exactly, for c < 2^26 and m < 2^26: the product has up to 78 bits. */
FUNC int clnorm_below(clnorm_u64 c, clnorm_u64 m)
{
    clnorm_u64 square = c * c;
    clnorm_u64 low = (square & 0xffffffffu) * m;
    clnorm_u64 high = (square >> 32) * m + (low >> 32);
    return high < ((clnorm_u64)1 << 41);
}

/*
 * 1/sqrt(t), correctly rounded, for t >= 0; 0 for t = 0, NaN for t < 0. A seed from Newton's iteration only has to be near:
 * integers decide the last bit, whatever a device's arithmetic does with the seed.
 */
FUNC float clnorm_rsqrt(float t)
{
    clnorm_u32 bits = clnorm_bits_of(t);
    clnorm_u32 magnitude = bits & 0x7fffffffu;
    if (magnitude == 0u)
        return 0.0f;
    if (bits > 0x7f800000u)
        return clnorm_float_of(0x7fc00000u);
    if (magnitude == 0x7f800000u)
        return 0.0f;
    int exponent = (int)(bits >> 23) - 127;
    clnorm_u32 m = (bits & 0x7fffffu) | 0x800000u;
    if (exponent == -127) { /* a subnormal number */
        m = bits;
        exponent = -126;
        while (m < 0x800000u) {
            m <<= 1;
            exponent--;
        }
    }
    if (exponent & 1) {
        m <<= 1;
        exponent--;
    }
    /* t = m / 2^23 * 2^exponent, exponent even, 1 <= m / 2^23 < 4; the result is r / 2^24 * 2^(-exponent/2) */
    float x = (float)m * 0x1p-23f;
    float y = x < 2.0f ? 0.85f : 0.6f;
    for (int i = 0; i < 5; i++)
        y = y * fma(-0.5f * x * y, y, 1.5f);
    clnorm_u32 r = (clnorm_u32)(y * 0x1p+24f);
    if (r > 0x1000000u)
        r = 0x1000000u;
    while (!clnorm_below(2u * (clnorm_u64)r - 1u, m))
        r--;
    while (clnorm_below(2u * (clnorm_u64)r + 1u, m))
        r++;
    return (float)r * clnorm_float_of((clnorm_u32)(127 - 24 - exponent / 2) << 23);
}

/* 1 / magnify */
FUNC float clnorm_unmagnify(float magnify)
{
    return magnify < 1.0f ? CLNORM_UP : magnify > 1.0f ? CLNORM_DOWN : 1.0f;
}

/* The variance of a sum of squares, and at least 0; NaN stays. */
FUNC float clnorm_variance(const pair_f m2, const struct clnorm_finish p)
{
    pair_f rm;
    rm.hi = p.rm_hi;
    rm.lo = p.rm_lo;
    float variance = pair_multiply_f(m2, rm).hi;
    return variance < 0.0f ? 0.0f : variance;
}

/* What the statistics of one channel come to. */
struct clnorm_stats {
    float mean_hi, mean_lo, variance, invstd;
};

FUNC struct clnorm_stats clnorm_finish_stats(const node_f root, const struct clnorm_finish p)
{
    node_f node = root;
    struct clnorm_stats r;
    float magnify = node.magnify, variance = clnorm_variance(node.m2, p), back = clnorm_unmagnify(magnify);
    r.mean_hi = mul_f(node.mean.hi, back);
    r.mean_lo = mul_f(node.mean.lo, back);
    r.variance = variance;
    if (magnify == 1.0f) {
        if (!(variance + p.epsilon < CLNORM_LOW_SPREAD)) {
            r.invstd = clnorm_rsqrt(variance + p.epsilon);
            return r;
        }
        /* Deviations as small as those of tiny values: their squares are divided where none is subnormal. */
        magnify = CLNORM_UP;
        back = CLNORM_DOWN;
        node.m2.hi = mul_f(mul_f(node.m2.hi, magnify), magnify);
        node.m2.lo = mul_f(mul_f(node.m2.lo, magnify), magnify);
        variance = clnorm_variance(node.m2, p);
    }
    if (magnify < 1.0f && variance < CLNORM_LOW_SQUARE) {
        magnify = back = 1.0f; /* deviations far below big values: their squares are divided as they are */
        node.m2.hi = mul_f(mul_f(node.m2.hi, CLNORM_UP), CLNORM_UP);
        node.m2.lo = mul_f(mul_f(node.m2.lo, CLNORM_UP), CLNORM_UP);
        variance = clnorm_variance(node.m2, p);
    }
    /* The variance itself may be beyond binary32 or subnormal where invstd is neither: the root is taken of a normal number. */
    r.variance = mul_f(mul_f(variance, back), back);
    float spread = r.variance + p.epsilon, magnified = variance + mul_f(mul_f(p.epsilon, magnify), magnify);
    if (magnify > 1.0f ? magnified <= FLT_MAX : !(spread <= FLT_MAX))
        r.invstd = mul_f(clnorm_rsqrt(magnified), magnify);
    else
        r.invstd = clnorm_rsqrt(spread);
    r.invstd = r.invstd > FLT_MAX ? FLT_MAX : r.invstd; /* deviations below 2^-128 */
    return r;
}

/* Exact at both ends: 0 keeps the old value, 1 takes the batch's, whatever the other one is. */
FUNC float clnorm_running(float old, float batch, float momentum)
{
    if (momentum == 0.0f)
        return old;
    float kept = fabs(old) <= FLT_MAX ? fma(-momentum, old, old) : old; /* an infinite variance stays so */
    return momentum == 1.0f ? batch : fma(momentum, batch, kept);
}

/* In a channel of large or small magnitude the backward pass works on (src - mean) * 2^-81 or 2^81, and invstd * 2^81 or 2^-81. */
FUNC float clnorm_diff_magnify(float invstd)
{
    return invstd < CLNORM_LOW_INVSTD ? CLNORM_DOWN : invstd > CLNORM_HIGH_INVSTD ? CLNORM_UP : 1.0f;
}

/* What the gradients of one channel come to. */
struct clnorm_diff {
    float diff_scale, diff_shift;
    float slope, grad_hi, grad_lo;
};

FUNC struct clnorm_diff clnorm_finish_diff(const sums_f sums, float invstd, float rm_hi, float rm_lo)
{
    struct clnorm_diff r;
    float up = mul_f(invstd, clnorm_unmagnify(clnorm_diff_magnify(invstd)));
    r.diff_scale = pair_scale_f(sums.gd, up).hi;
    r.diff_shift = sums.g.hi;
    pair_f rm;
    rm.hi = rm_hi;
    rm.lo = rm_lo;
    pair_f grad = pair_multiply_f(sums.g, rm);
    r.grad_hi = grad.hi;
    r.grad_lo = grad.lo;
    r.slope = -mul_f(mul_f(pair_multiply_f(sums.gd, rm).hi, up), up);
    return r;
}

#endif
