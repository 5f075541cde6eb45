/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-last leaves, for CPU-like devices: see stats_cl_item.cl. */
#define BACKWARD 1
#define CHANNELS_LAST 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "diff_leaf.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void diff_stats_cl_item(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    ulong groups = (shape.c + VEC - 1u) / VEC;
    ulong c = get_global_id(0) % groups * VEC;
    uint block = (uint)(get_global_id(0) / groups);
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    if (c + VEC <= shape.c) {
        vec hi, lo, down;
        for (uint j = 0u; j < VEC; j++) {
            struct centre k = DIFF_CENTRE(c + j);
            ((float *)&hi)[j] = k.hi;
            ((float *)&lo)[j] = k.lo;
            ((float *)&down)[j] = k.down;
        }
        item_v stack[CLNORM_TREE_LEVELS + 1u];
        for (uint b = 0u; b < count; b++) {
            uint n = leaf_size(&shape, start + b);
            ulong at = leaf_start(&shape, start + b, c);
            item_v item;
            item.g.hi = item.g.lo = item.gd.hi = item.gd.lo = (vec)(0.0f);
            for (uint i = 0u; i < n; i++, at += shape.c) {
                vec dy = VEC_LOAD(global, diff_dst + at);
                item.g.hi += dy;
                item.gd.hi = fma(dy, mul_v((VEC_LOAD(global, src + at) - hi) - lo, down), item.gd.hi);
            }
            tree_push_v(stack, NO_TREE, start, b, item);
        }
        partial_store_vec(partial, &shape, block, c, tree_close_v(stack, NO_TREE, start, count));
        return;
    }
    for (; c < shape.c; c++) {
        struct centre k = DIFF_CENTRE(c);
        item_f stack[CLNORM_TREE_LEVELS + 1u];
        for (uint b = 0u; b < count; b++) {
            item_f item = diff_column(src + leaf_start(&shape, start + b, c), diff_dst + leaf_start(&shape, start + b, c),
                                      shape.c, leaf_size(&shape, start + b), k);
            tree_push_f(stack, NO_TREE, start, b, item);
        }
        partial_store(partial, &shape, block, c, tree_close_f(stack, NO_TREE, start, count));
    }
}
