/* SPDX-License-Identifier: Apache-2.0 */
/* The last step for CPU-like devices: a work-item a run of rows, in vectors of VEC elements. */
#include "common/begin.cl"
#include "common/coef.cl"
#include "apply/apply_args.cl"
#include "common/store.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void apply_item(APPLY_BUFFERS)
{
    APPLY_OFFSETS;
    ulong chunks = (cut.length + cut.chunk - 1u) / cut.chunk;
    ulong begin = get_global_id(0) % chunks * cut.chunk, end = min(begin + cut.chunk, cut.length);
    /* No processor foresees that the next row's piece comes after this one's. */
    const int fetch = CHANNELS_LAST && chunks > 1u;
    ulong row = get_global_id(0) / chunks * cut.rows_per_item, last = min(row + cut.rows_per_item, cut.rows);
    for (; row < last; row++) {
        ulong at = row * cut.length, i = begin;
        ulong head = cut.stream ? i + until_aligned(dst + at + i, end - i) : i;
#if CHANNELS_LAST
#define COEFS_F coefs_load_f(coef, cut.channels, i)
#define COEFS_V coefs_load_v(coef, cut.channels, i)
#else
        coefs_f k = coefs_load_f(coef, cut.channels, row % cut.channels);
        coefs_v kv = coefs_splat(k);
#define COEFS_F k
#define COEFS_V kv
#endif
        for (; i < head; i++)
            dst[at + i] = APPLY_F(at + i, COEFS_F);
        for (; i + VEC <= end; i += VEC) {
            vec y = APPLY_V(at + i, COEFS_V);
            if (fetch)
                APPLY_FETCH(at + cut.length + i);
            if (cut.stream)
                STREAM_STORE(y, dst + at + i);
            else
                VEC_STORE(global, y, dst + at + i);
        }
        for (; i < end; i++)
            dst[at + i] = APPLY_F(at + i, COEFS_F);
    }
}
