/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for GPU-like devices, of any number of channels and positions: the tensor as one row of vectors of 16 bytes. The
 * vectors of a work-item lie cut.rows_per_item vectors apart, which is a whole number of rows (channels-last) or of samples, so that all of
 * them are of the same channels: their coefficients stay in registers, and no loop divides. Four are loaded before one is stored, in place too.
 */
#if MASK || TYPE /* whole bytes of the mask; 16 bytes of elements */
#define VEC 8
#else
#define VEC 4
#endif
#include "common/begin.cl"
#include "common/coef.cl"
/* At a multiple of a vector's size: one access, which a vector at any element's address is not everywhere. */
#undef GET_V
#define GET_V(p) WIDENED(*(const global elems *)(p))
#define STORE_PAST(past, value, p) (*(global elems *)(p) = NARROWED(value))
#define PREFETCH(p)
#include "common/extras.cl"
#include "apply/apply_args.cl"

/* Coefficients of elements i to i + VEC - 1; those beyond the tensor's end are of whatever channel comes next. */
FUNC coefs_v flat_coefs(ulong i, const global float *coef, const struct clnorm_cut *cut)
{
    coefs_v k;
#if CHANNELS_LAST
    ulong c = i % cut->length;
#else
    const ulong row = i / cut->length;
    ulong c = row % cut->channels, at = i - row * cut->length;
#endif
#pragma unroll
    for (uint j = 0u; j < VEC; j++) {
        coefs_put(&k, j, coefs_load_f(coef, cut->channels * APPLY_GROUPS, c));
#if !CHANNELS_LAST
        if (++at < cut->length)
            continue;
        at = 0u;
#endif
        c = c + 1u == cut->channels ? 0u : c + 1u;
    }
    return k;
}

kernel void apply_flat(APPLY_BUFFERS)
{
    const ulong total = cut.rows * cut.length, stride = cut.rows_per_item * VEC;
    ulong i = get_global_id(0) * VEC;
    if (get_global_id(0) >= cut.rows_per_item)
        return;
    APPLY_BEGIN(all);
    TENSORS_OWN(t, all, total);
    const coefs_v k = flat_coefs(i, coef, &cut);
    outcome_v y[4];
    /* The addresses themselves: a buffer on memory of the caller's may begin at any element. */
    if (TENSORS_ADDRESSES(t) % sizeof(elems) == 0u) {
        for (; i + 3u * stride + VEC <= total; i += 4u * stride) {
#pragma unroll
            for (uint j = 0u; j < 4u; j++)
                y[j] = step_v(t, i + j * stride, k);
#pragma unroll
            for (uint j = 0u; j < 4u; j++)
                LEAVE_V(t, i + j * stride, y[j], 0);
        }
        for (; i + VEC <= total; i += stride) {
            y[0] = step_v(t, i, k);
            LEAVE_V(t, i, y[0], 0);
        }
    }
    for (; i < total; i += stride) {
        const uint count = (uint)min(total - i, (ulong)VEC);
        uint bits = 0u;
#pragma unroll
        for (uint j = 0u; j < VEC; j++) {
            if (j < count) {
                const outcome_f one = step_f(t, i + j, coefs_of(&k, j));
                bits |= put_f(t, i + j, one) << j;
            }
        }
        MASK_PUT(t, i, bits, count);
        (void)bits;
    }
}
