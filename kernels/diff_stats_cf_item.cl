/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-first leaves, for CPU-like devices: see stats_cf_item.cl. */
#define BACKWARD 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "lanes.cl"
#include "diff_leaf.cl"

#define SPACE global
#define IN(name) name##_global
#include "diff_lanes.cl"
#undef SPACE
#undef IN
#define SPACE private
#define IN(name) name##_private
#include "diff_lanes.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void diff_stats_cf_item(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    struct centre k = DIFF_CENTRE(c);
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    float x_rows[CLNORM_LEAF], g_rows[CLNORM_LEAF];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint b = 0u; b < count; b++) {
        ulong leaf = leaf_start(&shape, start + b, c);
        uint n = leaf_size(&shape, start + b);
        item_f item;
        if (shape.s > CLNORM_LEAF) {
            item = diff_leaf_global(src + leaf, diff_dst + leaf, n, k);
        } else {
            gather_rows(x_rows, src + leaf, &shape, n);
            gather_rows(g_rows, diff_dst + leaf, &shape, n);
            item = diff_leaf_private(x_rows, g_rows, n, k);
        }
        tree_push_f(stack, NO_TREE, start, b, item);
    }
    partial_store(partial, &shape, block, c, tree_close_f(stack, NO_TREE, start, count));
}
