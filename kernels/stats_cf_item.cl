/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-first leaves, for CPU-like devices: one work-item a block of a channel, whole leaves with
 * vectors of VEC lanes.
 */
#define BACKWARD 0
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "lanes.cl"

#define SPACE global
#define IN(name) name##_global
#include "leaf_lanes.cl"
#undef SPACE
#undef IN
#define SPACE private
#define IN(name) name##_private
#include "leaf_lanes.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
stats_cf_item(const global float *src, ulong src_offset, global float *partial, ulong partial_offset,
              struct clnorm_shape shape, struct clnorm_tree weights)
{
    TREE_BEGIN(tree, weights);
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    float rows[CLNORM_LEAF];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint k = 0u; k < count; k++) {
        const global float *leaf = src + src_offset + leaf_start(&shape, start + k, c);
        uint n = leaf_size(&shape, start + k);
        float rn = leaf_reciprocal(&shape, n);
        item_f item;
        if (shape.s > CLNORM_LEAF) {
            item = leaf_global(leaf, n, rn);
        } else {
            gather_rows(rows, leaf, &shape, n);
            item = leaf_private(rows, n, rn);
        }
        tree_push_f(stack, &tree, start, k, item);
    }
    partial_store(partial + partial_offset, &shape, block, c, tree_close_f(stack, &tree, start, count));
}
