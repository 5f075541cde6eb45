/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-first leaves, for CPU-like devices: one work-item a block of a channel, whole leaves with
 * vectors of VEC lanes.
 */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/lanes.cl"

#include "statistics/leaf_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void stats_cf_item(const global float *src, ulong src_offset,
                                                                         global float *partial, ulong partial_offset,
                                                                         struct clnorm_shape shape,
                                                                         struct clnorm_tree weights)
{
    TREE_BEGIN(tree, weights);
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    src += src_offset;
    for (uint i = start; i < start + count; i++) {
        const global float *next = src + leaf_start(&shape, min(i + 1u, shape.leaves - 1u), c);
        tree_push_f(stack, &tree, start, i - start, reduce_leaf(src, &shape, i, c, shape.c, next));
    }
    partial_store(partial + partial_offset, &shape, block, c, tree_close_f(stack, &tree, start, count));
}
