/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-first leaves, for CPU-like devices: see stats_cf_item.cl. */
#define BACKWARD 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/lanes.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/diff_leaf_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void diff_stats_cf_item(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    struct centre k = DIFF_CENTRE(c);
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint b = 0u; b < count; b++)
        tree_push_f(stack, NO_TREE, start, b, diff_leaf(src, diff_dst, &shape, start + b, c, shape.c, k, 1));
    partial_store(partial, &shape, block, c, tree_close_f(stack, NO_TREE, start, count));
}
