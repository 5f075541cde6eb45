/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for GPU-like devices, of any number of channels and positions: the tensor as one row of vectors of four elements. The
 * vectors of a work-item lie cut.rows_per_item vectors apart, which is a whole number of rows (channels-last) or of samples, so that all of
 * them are of the same channels: their coefficients stay in registers, and no loop divides. Four are loaded before one is stored, in place too.
 */
#define VEC 4
#include "common/begin.cl"
#include "common/coef.cl"
#include "apply/apply_args.cl"

/* At a multiple of 16 bytes: one access, which a vector at any float's address is not everywhere. */
#define WHOLE(p) (*(const global float4 *)(p))
#if APPLY == APPLY_FORWARD
#define X(i) WHOLE(src + (i))
#define DY(i) (vec)(0.0f)
#elif APPLY == APPLY_BATCH
#define X(i) WHOLE(src + (i))
#define DY(i) WHOLE(diff_dst + (i))
#else
#define X(i) (vec)(0.0f)
#define DY(i) WHOLE(diff_dst + (i))
#endif

/* Coefficients of elements i to i + 3; those beyond the tensor's end are of whatever channel comes next. */
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
    for (uint j = 0u; j < 4u; j++) {
        coefs_put(&k, j, coefs_load_f(coef, cut->channels, c));
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
    const ulong total = cut.rows * cut.length, stride = cut.rows_per_item * 4u;
    ulong i = get_global_id(0) * 4u;
    if (get_global_id(0) >= cut.rows_per_item)
        return;
    APPLY_OFFSETS;
    const coefs_v k = flat_coefs(i, coef, &cut);
    /* The addresses themselves: a buffer on memory of the caller's may begin at any float. */
    if ((((size_t)src | (size_t)diff_dst | (size_t)dst) & 15u) == 0u) {
        for (; i + 3u * stride + 4u <= total; i += 4u * stride) {
            const vec x0 = X(i), x1 = X(i + stride), x2 = X(i + 2u * stride), x3 = X(i + 3u * stride);
            const vec g0 = DY(i), g1 = DY(i + stride), g2 = DY(i + 2u * stride), g3 = DY(i + 3u * stride);
            *(global float4 *)(dst + i) = apply_v(x0, g0, k);
            *(global float4 *)(dst + i + stride) = apply_v(x1, g1, k);
            *(global float4 *)(dst + i + 2u * stride) = apply_v(x2, g2, k);
            *(global float4 *)(dst + i + 3u * stride) = apply_v(x3, g3, k);
        }
        for (; i + 4u <= total; i += stride) {
            const vec x = X(i), dy = DY(i);
            *(global float4 *)(dst + i) = apply_v(x, dy, k);
        }
    }
    for (; i < total; i += stride) {
#pragma unroll
        for (uint j = 0u; j < 4u; j++)
            if (i + j < total)
                dst[i + j] = APPLY_F(i + j, coefs_of(&k, j));
    }
}
