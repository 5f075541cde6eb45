/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-last leaves, for CPU-like devices: one work-item a block of VEC neighbouring channels; the
 * channels that are left over one by one.
 */
#define BACKWARD 0
#define CHANNELS_LAST 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"

#define T float
#define FN(name) name##_f
#define LOAD(p) (*(p))
#define ALL(x) (x)
#include "leaf_columns.cl"
#undef T
#undef FN
#undef LOAD
#undef ALL
#define T vec
#define FN(name) name##_v
#define LOAD(p) VEC_LOAD(global, p)
#define ALL(x) all(x)
#include "leaf_columns.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
stats_cl_item(const global float *src, ulong src_offset, global float *partial, ulong partial_offset,
              struct clnorm_shape shape, struct clnorm_tree weights)
{
    TREE_BEGIN(tree, weights);
    ulong groups = (shape.c + VEC - 1u) / VEC;
    ulong c = get_global_id(0) % groups * VEC;
    uint block = (uint)(get_global_id(0) / groups);
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    src += src_offset;
    partial += partial_offset;
    if (c + VEC <= shape.c) {
        item_v stack[CLNORM_TREE_LEVELS + 1u];
        for (uint k = 0u; k < count; k++) {
            uint n = leaf_size(&shape, start + k);
            item_v item = leaf_v(src + leaf_start(&shape, start + k, c), shape.c, n, leaf_reciprocal(&shape, n));
            tree_push_v(stack, &tree, start, k, item);
        }
        partial_store_vec(partial, &shape, block, c, tree_close_v(stack, &tree, start, count));
        return;
    }
    for (; c < shape.c; c++) {
        item_f stack[CLNORM_TREE_LEVELS + 1u];
        for (uint k = 0u; k < count; k++) {
            uint n = leaf_size(&shape, start + k);
            item_f item = leaf_f(src + leaf_start(&shape, start + k, c), shape.c, n, leaf_reciprocal(&shape, n));
            tree_push_f(stack, &tree, start, k, item);
        }
        partial_store(partial, &shape, block, c, tree_close_f(stack, &tree, start, count));
    }
}
