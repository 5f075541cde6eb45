/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-last leaves, for CPU-like devices: see stats_cl_item.cl. */
#define BACKWARD 1
#define CHANNELS_LAST 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/tile.cl"
#include "statistics/diff_columns_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void diff_stats_cl_item(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    const ulong spans = SPANS(shape.c), c = get_global_id(0) % spans * CLNORM_SPAN(VEC);
    const uint channels = SPAN_CHANNELS(shape.c, c);
    uint block = (uint)(get_global_id(0) / spans);
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    item_v roots[BLOCK_VECS];
    item_f root; /* outside loops, see README.md */
    struct centre_v centre[BLOCK_VECS];
    CENTRES(centre, c, channels, DIFF_CENTRE);
    diff_block(x, grad, &shape, start, count, c, channels, centre, roots);
    for (uint v = 0u; channels >= VEC && v < VECS_OF(channels); v++)
        partial_store_vec(partial, &shape, block, c + VEC_AT(v, channels), roots[v]);
    for (uint j = 0u; channels < VEC && j < channels; j++) {
        root = item_of(&roots[0], j);
        partial_store(partial, &shape, block, c + j, root);
    }
}
