/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-last leaves, for CPU-like devices: one work-item a block of up to WIDE_VECS vectors of
 * neighbouring channels; the channels that fill no vector one by one.
 */
#define BACKWARD 0
#define CHANNELS_LAST 1
#define KEEP_COLUMNS 0
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "store.cl"
#include "tile.cl"
#include "columns_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void stats_cl_item(const global float *src, ulong src_offset,
                                                                         global float *partial, ulong partial_offset,
                                                                         struct clnorm_shape shape,
                                                                         struct clnorm_tree weights)
{
    TREE_BEGIN(tree, weights);
    ulong spans = (shape.c + WIDE_VECS * VEC - 1u) / (WIDE_VECS * VEC);
    ulong c = get_global_id(0) % spans * (WIDE_VECS * VEC), end = min(c + WIDE_VECS * VEC, shape.c);
    uint block = (uint)(get_global_id(0) / spans);
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    item_v roots[WIDE_VECS];
    item_f root; /* outside loops, see README.md */
    src += src_offset;
    partial += partial_offset;
    while (c < end) {
        uint wide = groups_of(end - c, WIDE);
        uint channels = wide ? wide * NV * VEC : (uint)min(end - c, (ulong)VEC);
        reduce_block(src, &shape, &tree, start, count, c, wide, channels, roots);
        for (uint v = 0u; channels >= VEC && v * VEC < channels; v++)
            partial_store_vec(partial, &shape, block, c + v * VEC, roots[v]);
        for (uint j = 0u; channels < VEC && j < channels; j++) {
            root = item_of(&roots[0], j);
            partial_store(partial, &shape, block, c + j, root);
        }
        c += channels;
    }
}
