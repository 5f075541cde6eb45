/* SPDX-License-Identifier: Apache-2.0 */
/* coefs.cl for floats and, where VEC is set, for vectors; and one channel's coefficients in every element of a vector. */
#define T float
#define FN(name) name##_f
#define LOAD(p) (*(p))
#define STORE(value, p) (*(p) = (value))
#include "coefs.cl"
#undef T
#undef FN
#undef LOAD
#undef STORE
#ifdef VEC
#define T vec
#define FN(name) name##_v
#define LOAD(p) VEC_LOAD(global, p)
#define STORE(value, p) VEC_STORE(global, value, p)
#include "coefs.cl"
#undef T
#undef FN
#undef LOAD
#undef STORE

/* Element j of every coefficient. */
FUNC void coefs_put(coefs_v *k, uint j, coefs_f a)
{
    ((float *)&k->factor)[j] = a.factor;
#if APPLY != APPLY_FROZEN
    ((float *)&k->hi)[j] = a.hi;
    ((float *)&k->lo)[j] = a.lo;
#endif
#if APPLY == APPLY_FORWARD
    ((float *)&k->shift)[j] = a.shift;
#elif APPLY == APPLY_BATCH
    ((float *)&k->down)[j] = a.down;
    ((float *)&k->slope)[j] = a.slope;
    ((float *)&k->grad_hi)[j] = a.grad_hi;
    ((float *)&k->grad_lo)[j] = a.grad_lo;
#endif
}

FUNC coefs_v coefs_splat(coefs_f a)
{
    coefs_v k;
    k.factor = (vec)(a.factor);
#if APPLY != APPLY_FROZEN
    k.hi = (vec)(a.hi);
    k.lo = (vec)(a.lo);
#endif
#if APPLY == APPLY_FORWARD
    k.shift = (vec)(a.shift);
#elif APPLY == APPLY_BATCH
    k.down = (vec)(a.down);
    k.slope = (vec)(a.slope);
    k.grad_hi = (vec)(a.grad_hi);
    k.grad_lo = (vec)(a.grad_lo);
#endif
    return k;
}
#endif
