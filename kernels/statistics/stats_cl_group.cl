/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of blocks of channels-last leaves, for GPU-like devices: a work-item a leaf of a channel, see columns.cl. */
#define BACKWARD 0
#define CHANNELS_LAST 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "statistics/columns.cl"
#include "statistics/leaf_columns.cl"

kernel __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1))) void
stats_cl_group(const global elem *src, ulong src_offset, global float *partial, ulong partial_offset,
               struct clnorm_shape shape, struct clnorm_tree weights VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    local item_f nodes[WORK_GROUP];
    struct columns k = columns_of(&shape);
    if (k.run > 0u) {
        item_f stack[CLNORM_TREE_LEVELS + 1u];
        for (uint b = 0u; b < k.run; b++) {
            uint n = leaf_size(&shape, k.first + b);
            SRC_IN leaf = SRC_AT(x, leaf_start(&shape, k.first + b, k.c));
            item_f item = reduce_leaf(SRC_ON(leaf, 0), ROW_PITCH(leaf, shape.c), n, leaf_reciprocal(&shape, n));
            tree_push_f(stack, &tree, k.first, b, item);
        }
        nodes[get_local_id(0)] = tree_close_f(stack, &tree, k.first, k.run);
    }
    columns_tree(nodes, &tree, &k);
    if (k.c < shape.c && k.row == 0u)
        partial_store(partial, &shape, k.block, k.c, nodes[get_local_id(0)]);
}
