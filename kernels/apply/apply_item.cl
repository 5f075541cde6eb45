/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for CPU-like devices, in vectors of VEC elements: a work-item takes whole rows, or of rows that are cut a piece of each.
 */
#include "common/begin.cl"
#include "common/coef.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "apply/apply_args.cl"
#include "apply/spans.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void apply_item(APPLY_BUFFERS)
{
    APPLY_BEGIN(t);
    const ulong chunks = (cut.length + cut.chunk - 1u) / cut.chunk;
    const ulong begin = get_global_id(0) % chunks * cut.chunk, end = min(begin + cut.chunk, cut.length);
    ulong row = get_global_id(0) / chunks * cut.rows_per_item, last = min(row + cut.rows_per_item, cut.rows);
    if (chunks == 1u) {
        apply_rows(t, row, last, coef, &cut);
        return;
    }
    struct place at = {begin, CHANNELS_LAST ? 0u : row % cut.channels};
#if CHANNELS_LAST
    float edge[COEFS_WORDS * EDGE_STRIDE];
    edge_fill(edge, coef, &cut);
#else
    const float *edge = 0;
#endif
    /* No processor foresees that the next row's piece comes after this one's. */
    for (; row < last; row++) {
        const ulong place = ROW_PLACE(row, &cut) + begin;
        apply_span(tensors_at(t, place), end - begin, at, coef, &cut, edge, CHANNELS_LAST ? ROW_PLACE(1u, &cut) : 0u);
#if !CHANNELS_LAST
        at.c = at.c + 1u == cut.channels ? 0u : at.c + 1u;
#endif
    }
}
