/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for one element or one vector of them: a template like pair.cl, with LOAD(p) reading a T. APPLY says what
 * the step is.
 */
#ifndef CLNORM_APPLY_CL
#define CLNORM_APPLY_CL

#define APPLY_FORWARD 0 /* dst from src */
#define APPLY_BATCH 1   /* diff_src from src and diff_dst, batch statistics */
#define APPLY_FROZEN 2  /* diff_src from diff_dst, frozen statistics */

#define COEF(which, channels, c) ((ulong)(which) * (channels) + (c))

/* src, diff_dst: the one that the step does not read may be any buffer. */
#define APPLY_BUFFERS                                                                                                  \
    const global float *src, ulong src_offset, const global float *diff_dst, ulong diff_dst_offset, global float *dst, \
        ulong dst_offset, const global float *coef, ulong coef_offset, struct clnorm_cut cut
#define APPLY_OFFSETS                                                                                                  \
    src += src_offset;                                                                                                 \
    diff_dst += diff_dst_offset;                                                                                       \
    dst += dst_offset;                                                                                                 \
    coef += coef_offset

#endif

typedef struct {
#if APPLY == APPLY_FORWARD
    T hi, lo, factor, shift;
#elif APPLY == APPLY_BATCH
    T hi, lo, factor, down, slope, grad_hi, grad_lo;
#else
    T factor;
#endif
} FN(coefs);

FUNC FN(coefs) FN(coefs_load)(const global float *coef, ulong channels, ulong c)
{
    FN(coefs) k;
    k.factor = LOAD(coef + COEF(COEF_FACTOR, channels, c));
#if APPLY != APPLY_FROZEN
    k.hi = LOAD(coef + COEF(COEF_MEAN_HI, channels, c));
    k.lo = LOAD(coef + COEF(COEF_MEAN_LO, channels, c));
#endif
#if APPLY == APPLY_FORWARD
    k.shift = LOAD(coef + COEF(COEF_SHIFT, channels, c));
#elif APPLY == APPLY_BATCH
    k.down = LOAD(coef + COEF(COEF_DOWN, channels, c));
    k.slope = LOAD(coef + COEF(COEF_SLOPE, channels, c));
    k.grad_hi = LOAD(coef + COEF(COEF_GRAD_HI, channels, c));
    k.grad_lo = LOAD(coef + COEF(COEF_GRAD_LO, channels, c));
#endif
    return k;
}

FUNC T FN(apply)(const global float *src, const global float *diff_dst, ulong at, FN(coefs) k)
{
#if APPLY == APPLY_FORWARD
    return fma((LOAD(src + at) - k.hi) - k.lo, k.factor, k.shift);
#elif APPLY == APPLY_BATCH
    T d = FN(mul)((LOAD(src + at) - k.hi) - k.lo, k.down);
    return FN(mul)(fma(d, k.slope, (LOAD(diff_dst + at) - k.grad_hi) - k.grad_lo), k.factor);
#else
    return FN(mul)(LOAD(diff_dst + at), k.factor);
#endif
}
