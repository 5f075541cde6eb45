/* SPDX-License-Identifier: Apache-2.0 */
/* The last step on the element, or on the vector, number i of some tensors: a template like pair.cl. READ(p) reads one, GRAD_T(g) a gradient. */

/* What is to be written. */
typedef struct {
    T result;
#if RESIDUAL && IS_BACKWARD
    T diff;
#endif
#if MASK && !IS_BACKWARD
    COND is_open;
#endif
} FN(outcome);

FUNC FN(outcome) FN(step)(const struct tensors t, ulong i, const FN(coefs) k)
{
    FN(outcome) r;
#if IS_BACKWARD
    const T diff = GRAD_T(GRAD_ALONG(t.diff_dst, i));
#if APPLY == APPLY_BATCH
    r.result = FN(apply)(READ(SRC_ON(t.src, i)), diff, k);
#else
    r.result = FN(apply)((T)(0.0f), diff, k);
#endif
#if ACCUMULATE
    r.result += READ(DST_ON(t.dst, i));
#endif
#if RESIDUAL
    r.diff = diff;
#endif
#else
    r.result = FN(apply)(READ(SRC_ON(t.src, i)), (T)(0.0f), k);
#if RESIDUAL
    r.result += READ(DST_ON(t.residual, i));
#endif
#if MASK
    r.is_open = !(r.result <= (T)(0.0f)) && !(r.result >= (T)(t.cap)); /* for a NaN too */
#endif
#if ACTIVATION
    r.result = FN(activate)(r.result, t.slope, t.cap);
#endif
#endif
    return r;
}
