/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-first leaves, for CPU-like devices: one work-item a block of a channel, whole leaves with
 * vectors of VEC lanes. Of rows shorter than a vector it takes the blocks of a few channels, leaf by leaf: their rows share lines.
 */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/lanes.cl"

#include "statistics/leaf_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void stats_cf_item(const global elem *src, ulong src_offset,
                                                                         global float *partial, ulong partial_offset,
                                                                         struct clnorm_shape shape,
                                                                         struct clnorm_tree weights VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    const ulong groups = (shape.c + shape.side - 1u) / shape.side, c = get_global_id(0) % groups * shape.side;
    const uint block = (uint)(get_global_id(0) / groups), channels = (uint)min((ulong)shape.side, shape.c - c);
    item_f stack[CLNORM_SIDE][CLNORM_TREE_LEVELS + 1u], item;
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    for (uint i = start; i < start + count; i++) {
        for (uint j = 0u; j < channels; j++) {
            SRC_IN next = SRC_AT(x, leaf_start(&shape, min(i + 1u, shape.leaves - 1u), c + j));
            item = reduce_leaf(x, &shape, i, c + j, shape.c, next);
            tree_push_f(stack[j], &tree, start, i - start, item);
        }
    }
    for (uint j = 0u; j < channels; j++) {
        item = tree_close_f(stack[j], &tree, start, count);
        partial_store(partial, &shape, block, c + j, item);
    }
}
