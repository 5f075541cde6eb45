/* SPDX-License-Identifier: Apache-2.0 */
/* The last step for CPU-like devices: a work-item a run of rows, in vectors of VEC elements. */
#include "begin.cl"
#define T float
#define FN(name) name##_f
#define LOAD(p) (*(p))
#include "apply.cl"
#undef T
#undef FN
#undef LOAD
#define T vec
#define FN(name) name##_v
#define LOAD(p) vec_load(0, p)
#include "apply.cl"

#if !CHANNELS_LAST
/* One channel's coefficients in every element. */
coefs_v coefs_splat(coefs_f a)
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

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void apply_item(APPLY_BUFFERS)
{
    APPLY_OFFSETS;
    ulong chunks = (cut.length + cut.chunk - 1u) / cut.chunk;
    ulong begin = get_global_id(0) % chunks * cut.chunk, end = min(begin + cut.chunk, cut.length);
    ulong row = get_global_id(0) / chunks * cut.rows_per_item, last = min(row + cut.rows_per_item, cut.rows);
    for (; row < last; row++) {
        ulong at = row * cut.length, i = begin;
#if CHANNELS_LAST
        for (; i + VEC <= end; i += VEC)
            vec_store(apply_v(src, diff_dst, at + i, coefs_load_v(coef, cut.channels, i)), 0, dst + at + i);
        for (; i < end; i++)
            dst[at + i] = apply_f(src, diff_dst, at + i, coefs_load_f(coef, cut.channels, i));
#else
        coefs_f k = coefs_load_f(coef, cut.channels, row % cut.channels);
        coefs_v kv = coefs_splat(k);
        for (; i + VEC <= end; i += VEC)
            vec_store(apply_v(src, diff_dst, at + i, kv), 0, dst + at + i);
        for (; i < end; i++)
            dst[at + i] = apply_f(src, diff_dst, at + i, k);
#endif
    }
}
