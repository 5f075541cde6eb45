/* SPDX-License-Identifier: Apache-2.0 */
/* From a channel's tree to what the last step needs. Scalar; for kernels and for the C model alike, after pair.cl. */
#ifndef CLNORM_FINISH_CL
#define CLNORM_FINISH_CL

#ifdef CLNORM_KERNEL
#define clnorm_bits_of(x) as_uint(x)
#define clnorm_float_of(x) as_float(x)
#endif

#define CLNORM_LOW_INVSTD 0x1p-40f /* below it a channel is of large magnitude to the backward pass */

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

/* What the statistics of one channel come to. */
struct clnorm_stats {
    float mean_hi, mean_lo, variance, invstd;
};

FUNC struct clnorm_stats clnorm_finish_stats(node_f node, struct clnorm_finish p)
{
    struct clnorm_stats r;
    pair_f rm;
    rm.hi = p.rm_hi;
    rm.lo = p.rm_lo;
    float variance = pair_multiply_f(node.m2, rm).hi;
    variance = variance < 0.0f ? 0.0f : variance; /* keeps NaN */
    if (node.down == 1.0f) {
        r.mean_hi = node.mean.hi;
        r.mean_lo = node.mean.lo;
        r.variance = variance;
        r.invstd = clnorm_rsqrt(variance + p.epsilon);
        return r;
    }
    /* variance is 2^-180 of the true one, which may be beyond binary32 */
    r.mean_hi = mul_f(node.mean.hi, CLNORM_UP);
    r.mean_lo = mul_f(node.mean.lo, CLNORM_UP);
    r.variance = mul_f(mul_f(variance, CLNORM_UP), CLNORM_UP);
    if (variance < 0x1p-60f)
        r.invstd = clnorm_rsqrt(r.variance + p.epsilon);
    else
        r.invstd = mul_f(clnorm_rsqrt(variance + mul_f(mul_f(p.epsilon, CLNORM_DOWN), CLNORM_DOWN)), CLNORM_DOWN);
    return r;
}

FUNC float clnorm_running(float old, float batch, float momentum)
{
    return fma(momentum, batch - old, old);
}

/* In a channel of large magnitude the backward pass works on (src - mean) * 2^-90 and invstd * 2^90. */
FUNC float clnorm_diff_down(float invstd)
{
    return invstd < CLNORM_LOW_INVSTD ? CLNORM_DOWN : 1.0f;
}

/* What the gradients of one channel come to. */
struct clnorm_diff {
    float diff_scale, diff_shift;
    float slope, grad_hi, grad_lo;
};

FUNC struct clnorm_diff clnorm_finish_diff(sums_f sums, float invstd, float rm_hi, float rm_lo)
{
    struct clnorm_diff r;
    float up = invstd < CLNORM_LOW_INVSTD ? mul_f(invstd, CLNORM_UP) : invstd;
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
