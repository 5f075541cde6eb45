/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of blocks of leaves, by the letter: one work-item a block of a channel, one value at a time. Fits anything. */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"

#if CHANNELS_LAST
#define LANES 1u
#else
#define LANES CLNORM_LANES
#endif

#include "statistics/halves.cl"

/* The sum of deviations from m and of their squares. */
void look(SRC_IN leaf, const struct clnorm_shape *shape, uint n, float magnify, float m, float *sum, float *squares)
{
    float s[LANES], q[LANES], runs[16], square_runs[16];
    for (uint j = 0u; j < LANES; j++) {
        uint k = 0u; /* values of the lane */
        for (uint i = j; i < n; i += LANES, k++) {
            float d = mul_f(GET(SRC_ON(SRC_AT(leaf, leaf_distance(shape, i)), 0)), magnify) - m;
            runs[k / 4u] = (k % 4u ? runs[k / 4u] : 0.0f) + d;
            square_runs[k / 4u] = fma(d, d, k % 4u ? square_runs[k / 4u] : 0.0f);
        }
        s[j] = k ? by_pairs(runs, (k + 3u) / 4u) : 0.0f;
        q[j] = k ? by_pairs(square_runs, (k + 3u) / 4u) : 0.0f;
    }
    *sum = by_halves(s);
    *squares = by_halves(q);
}

node_f reduce_leaf(SRC_IN leaf, const struct clnorm_shape *shape, uint n, float magnify)
{
    float a[LANES], runs[16], s, q, rn = leaf_reciprocal(shape, n);
    for (uint j = 0u; j < LANES; j++) {
        uint k = 0u;
        for (uint i = j; i < n; i += LANES, k++)
            runs[k / 4u] =
                (k % 4u ? runs[k / 4u] : 0.0f) + mul_f(GET(SRC_ON(SRC_AT(leaf, leaf_distance(shape, i)), 0)), magnify);
        a[j] = k ? by_pairs(runs, (k + 3u) / 4u) : 0.0f;
    }
    float m = mul_f(by_halves(a), rn);
    look(leaf, shape, n, magnify, m, &s, &q);
    if (LEAF_IS_OFF(s, q, rn)) {
        m += mul_f(s, rn);
        look(leaf, shape, n, magnify, m, &s, &q);
    }
    return leaf_node_f(m, s, q, rn, magnify);
}

kernel void stats_naive(const global elem *src, ulong src_offset, global float *partial, ulong partial_offset,
                        struct clnorm_shape shape, struct clnorm_tree weights VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    if (block >= shape.blocks)
        return;
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint k = 0u; k < count; k++) {
        SRC_IN leaf = SRC_AT(x, leaf_start(&shape, start + k, c));
        uint n = leaf_size(&shape, start + k);
        float first = GET(SRC_ON(leaf, 0)), most = 0.0f;
        int same = fabs(first) <= FLT_MAX;
        for (uint i = 0u; i < n; i++) {
            float v = GET(SRC_ON(SRC_AT(leaf, leaf_distance(&shape, i)), 0));
            most = fabs(v) > most ? fabs(v) : most;
            same &= v == first;
        }
        float magnify = MAGNIFY_OF(float, most);
        item_f item = same ? leaf_constant(first, magnify) : reduce_leaf(leaf, &shape, n, magnify);
        tree_push_f(stack, &tree, start, k, item);
    }
    partial_store(partial, &shape, block, c, tree_close_f(stack, &tree, start, count));
}
