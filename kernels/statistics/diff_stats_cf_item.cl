/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-first leaves, for CPU-like devices: see stats_cf_item.cl. */
#define BACKWARD 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "statistics/lanes.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/diff_leaf_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void diff_stats_cf_item(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    const ulong groups = (shape.c + shape.side - 1u) / shape.side, c = get_global_id(0) % groups * shape.side;
    const uint block = (uint)(get_global_id(0) / groups), channels = (uint)min((ulong)shape.side, shape.c - c);
    item_f stack[CLNORM_SIDE][CLNORM_TREE_LEVELS + 1u], item;
    struct centre centres[CLNORM_SIDE];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint j = 0u; j < channels; j++)
        centres[j] = DIFF_CENTRE(c + j);
    for (uint b = 0u; b < count; b++) {
        for (uint j = 0u; j < channels; j++) {
            item = diff_leaf(x, grad, &shape, start + b, c + j, shape.c, centres[j],
                             !VIEW || (c + j > 0u && c + j + 1u < shape.c));
            tree_push_f(stack[j], NO_TREE, start, b, item);
        }
    }
    for (uint j = 0u; j < channels; j++) {
        item = tree_close_f(stack[j], NO_TREE, start, count);
        partial_store(partial, &shape, block, c + j, item);
    }
}
