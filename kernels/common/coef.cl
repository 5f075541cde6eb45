/* SPDX-License-Identifier: Apache-2.0 */
/* coefs.cl for floats and, where VEC is set, for vectors; and one channel's coefficients in every element of a vector. */
#ifndef COEF_PLACE
#define COEF_PLACE global /* where coefficients lie: in the workspace */
#endif
#define T float
#define FN(name) name##_f
#define LOAD(p) (*(p))
#define STORE(value, p) (*(p) = (value))
#include "common/coefs.cl"
#undef T
#undef FN
#undef LOAD
#undef STORE
#ifdef VEC
#define T vec
#define FN(name) name##_v
#define LOAD(p) VEC_LOAD(COEF_PLACE, p)
#define STORE(value, p) VEC_STORE(COEF_PLACE, value, p)
#include "common/coefs.cl"
#undef T
#undef FN
#undef LOAD
#undef STORE

#if APPLY == APPLY_FORWARD
#define EACH_COEF(X) X(hi) X(lo) X(factor) X(shift)
#elif APPLY == APPLY_BATCH
#if WEIGHTED
#define EACH_COEF(X) X(hi) X(lo) X(factor) X(magnify) X(slope) X(grad_hi) X(grad_lo) X(weight)
#else
#define EACH_COEF(X) X(hi) X(lo) X(factor) X(magnify) X(slope) X(grad_hi) X(grad_lo)
#endif
#else
#define EACH_COEF(X) X(factor)
#endif
#define ONE_COEF(member) +1u
#define COEFS_WORDS (0u EACH_COEF(ONE_COEF))

/* Element j of every coefficient. */
FUNC void coefs_put(coefs_v *k, uint j, const coefs_f a)
{
#define PUT_MEMBER(member) ((float *)&k->member)[j] = a.member;
    EACH_COEF(PUT_MEMBER)
#undef PUT_MEMBER
}

FUNC coefs_f coefs_of(const coefs_v *k, uint j)
{
    coefs_f r;
#define OF(member) r.member = ((const float *)&k->member)[j];
    EACH_COEF(OF)
#undef OF
    return r;
}

/* Coefficients written out: `stride` floats of each, of which p[i] are those of element i. Writes them for elements p[0] to p[VEC - 1]. */
FUNC void coefs_write(float *p, uint stride, const coefs_f a)
{
#define WRITE(member)                                                                                                  \
    VEC_STORE(private, (vec)(a.member), p);                                                                            \
    p += stride;
    EACH_COEF(WRITE)
#undef WRITE
}

/* Not as a result, for loops: see README.md. */
FUNC void coefs_read(coefs_v *k, const float *p, uint stride)
{
#define READ(member)                                                                                                   \
    k->member = VEC_LOAD(private, p);                                                                                  \
    p += stride;
    EACH_COEF(READ)
#undef READ
}

FUNC coefs_v coefs_splat(const coefs_f a)
{
    coefs_v k;
#define SPLAT(member) k.member = (vec)(a.member);
    EACH_COEF(SPLAT)
#undef SPLAT
    return k;
}
#endif
