/* SPDX-License-Identifier: Apache-2.0 */
/* Coefficients of forward inference for a vector of channels. After channel.cl and channels.cl. */
#define FROZEN_BUFFERS                                                                                                 \
    const global float *scale, const global float *shift, const global float *mean, const global float *variance
#define FROZEN_ARGS scale, shift, mean, variance

/* Those of channels c to end - 1, at most VEC. */
FUNC void frozen_channels(COEF_PLACE float *coef, ulong channels, ulong c, ulong end,
                          const struct clnorm_finish *finish, const struct clnorm_offsets *at, FROZEN_BUFFERS)
{
    coefs_f one; /* outside loops, see README.md */
    if (end - c == FINISH_VEC) {
        vec t = LOAD_V(variance, c) + (vec)(finish->epsilon);
        if (is_normal_v(t)) {
            vec invstd = rsqrt_v(t), zero = (vec)(0.0f);
            coefs_v k;
            k.hi = finish->flags & CLNORM_HAS_MEAN ? LOAD_V(mean, c) : zero;
            k.lo = zero;
            k.factor = finish->flags & CLNORM_HAS_SCALE ? mul_v(LOAD_V(scale, c), invstd) : invstd;
            k.shift = finish->flags & CLNORM_HAS_SHIFT ? LOAD_V(shift, c) : zero;
            coefs_store_v(coef, channels, c, k);
            return;
        }
    }
    for (; c < end; c++) {
        one = frozen_coefs(c, finish, at, FROZEN_ARGS);
        coefs_store_f(coef, channels, c, one);
    }
}
