/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for one element or one vector of them, and the coefficients it takes: a template like pair.cl, with LOAD(p)
 * reading a T and STORE(value, p) writing one. APPLY says what the step is; WEIGHTED, that of groups of channels, backward: gradients have a
 * factor of their channel's before the group's sums are taken from them.
 */
#ifndef CLNORM_COEFS_CL
#define CLNORM_COEFS_CL
#define APPLY_FORWARD 0 /* dst from src */
#define APPLY_BATCH 1   /* diff_src from src and diff_dst, batch statistics */
#define APPLY_FROZEN 2  /* diff_src from diff_dst, frozen statistics */

/* Coefficient number `which` of channel c. */
#define COEF(which, channels, c) ((ulong)(which) * (channels) + (c))
#endif

typedef struct {
#if APPLY == APPLY_FORWARD
    T hi, lo, factor, shift;
#elif APPLY == APPLY_BATCH
    T hi, lo, factor, magnify, slope, grad_hi, grad_lo;
#if WEIGHTED
    T weight;
#endif
#else
    T factor;
#endif
} FN(coefs);

FUNC FN(coefs) FN(coefs_load)(const COEF_PLACE float *coef, ulong channels, ulong c)
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
    k.magnify = LOAD(coef + COEF(COEF_MAGNIFY, channels, c));
    k.slope = LOAD(coef + COEF(COEF_SLOPE, channels, c));
    k.grad_hi = LOAD(coef + COEF(COEF_GRAD_HI, channels, c));
    k.grad_lo = LOAD(coef + COEF(COEF_GRAD_LO, channels, c));
#if WEIGHTED
    k.weight = LOAD(coef + COEF(COEF_WEIGHT, channels, c));
#endif
#endif
    return k;
}

#if APPLY != APPLY_FROZEN
FUNC void FN(coefs_store)(COEF_PLACE float *coef, ulong channels, ulong c, const FN(coefs) k)
{
    STORE(k.factor, coef + COEF(COEF_FACTOR, channels, c));
    STORE(k.hi, coef + COEF(COEF_MEAN_HI, channels, c));
    STORE(k.lo, coef + COEF(COEF_MEAN_LO, channels, c));
#if APPLY == APPLY_FORWARD
    STORE(k.shift, coef + COEF(COEF_SHIFT, channels, c));
#else
    STORE(k.magnify, coef + COEF(COEF_MAGNIFY, channels, c));
    STORE(k.slope, coef + COEF(COEF_SLOPE, channels, c));
    STORE(k.grad_hi, coef + COEF(COEF_GRAD_HI, channels, c));
    STORE(k.grad_lo, coef + COEF(COEF_GRAD_LO, channels, c));
#if WEIGHTED
    STORE(k.weight, coef + COEF(COEF_WEIGHT, channels, c));
#endif
#endif
}
#endif

/* x of src and dy of diff_dst; the one that the step does not take is ignored. */
FUNC T FN(apply)(T x, T dy, const FN(coefs) k)
{
#if APPLY == APPLY_FORWARD
    return fma((x - k.hi) - k.lo, k.factor, k.shift);
#elif APPLY == APPLY_BATCH
    T d = FN(mul)((x - k.hi) - k.lo, k.magnify);
#if WEIGHTED
    dy = FN(mul)(dy, k.weight);
#endif
    return FN(mul)(fma(d, k.slope, (dy - k.grad_hi) - k.grad_lo), k.factor);
#else
    return FN(mul)(dy, k.factor);
#endif
}
