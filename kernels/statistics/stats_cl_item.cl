/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-last leaves, for CPU-like devices: one work-item a block of a span of neighbouring channels, the last
 * span with those that fill no vector behind it.
 */
#define BACKWARD 0
#define CHANNELS_LAST 1
#define KEEP_COLUMNS 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/tile.cl"
#include "statistics/columns_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void stats_cl_item(const global elem *src, ulong src_offset,
                                                                         global float *partial, ulong partial_offset,
                                                                         struct clnorm_shape shape,
                                                                         struct clnorm_tree weights VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    const ulong spans = SPANS(shape.c), c = get_global_id(0) % spans * CLNORM_SPAN(VEC);
    const uint channels = SPAN_CHANNELS(shape.c, c);
    uint block = (uint)(get_global_id(0) / spans);
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    item_v roots[BLOCK_VECS];
    item_f root; /* outside loops, see README.md */
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    reduce_block(x, &shape, &tree, start, count, c, channels, roots);
    for (uint v = 0u; channels >= VEC && v < VECS_OF(channels); v++)
        partial_store_vec(partial, &shape, block, c + VEC_AT(v, channels), roots[v]);
    for (uint j = 0u; channels < VEC && j < channels; j++) {
        root = item_of(&roots[0], j);
        partial_store(partial, &shape, block, c + j, root);
    }
}
