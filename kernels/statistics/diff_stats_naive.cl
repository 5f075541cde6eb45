/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of leaves, by the letter: one work-item a block of a channel. Fits anything. */
#define BACKWARD 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/extras.cl"
#include "statistics/diff_leaf.cl"
#if CHANNELS_LAST
#define LANES 1u
#else
#define LANES CLNORM_LANES
#endif
#include "statistics/halves.cl"

kernel void diff_stats_naive(DIFF_BUFFERS)
{
    DIFF_OFFSETS;
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    if (block >= shape.blocks)
        return;
    struct centre k = DIFF_CENTRE(c);
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint b = 0u; b < count; b++) {
        float g[LANES], gd[LANES], runs[16], product_runs[16];
        ulong leaf = leaf_start(&shape, start + b, c);
        uint n = leaf_size(&shape, start + b);
        for (uint j = 0u; j < LANES; j++) {
            uint v = 0u; /* values of the lane */
            for (uint i = j; i < n; i += LANES, v++) {
                ulong at = leaf + leaf_distance(&shape, i);
                float dy = GRAD_F(GRAD_AT(grad, at)), d = diff_centred(GET(SRC_ON(SRC_AT(x, at), 0)), k);
                runs[v / 4u] = (v % 4u ? runs[v / 4u] : 0.0f) + dy;
                product_runs[v / 4u] = fma(dy, d, v % 4u ? product_runs[v / 4u] : 0.0f);
            }
            g[j] = v ? by_pairs(runs, (v + 3u) / 4u) : 0.0f;
            gd[j] = v ? by_pairs(product_runs, (v + 3u) / 4u) : 0.0f;
        }
        float sum = by_halves(g);
        tree_push_f(stack, NO_TREE, start, b, diff_node(sum, by_halves(gd)));
    }
    partial_store(partial, &shape, block, c, tree_close_f(stack, NO_TREE, start, count));
}
