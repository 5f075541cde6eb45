/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of blocks of leaves, by the letter: one work-item a block of a channel, one value at a time. Fits anything. */
#define BACKWARD 0
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"

#if CHANNELS_LAST
#define LANES 1u
#else
#define LANES CLNORM_LANES
#endif

#include "halves.cl"

node_f reduce_leaf(const global float *src, const struct clnorm_shape *shape, uint n, float down)
{
    float a[LANES], s[LANES], q[LANES];
    float rn = leaf_reciprocal(shape, n);
    for (uint j = 0u; j < LANES; j++) {
        a[j] = 0.0f;
        for (uint i = j; i < n; i += LANES)
            a[j] += mul_f(src[leaf_distance(shape, i)], down);
    }
    float m = mul_f(by_halves(a), rn);
    for (uint j = 0u; j < LANES; j++) {
        s[j] = 0.0f;
        q[j] = 0.0f;
        for (uint i = j; i < n; i += LANES) {
            float d = mul_f(src[leaf_distance(shape, i)], down) - m;
            s[j] += d;
            q[j] = fma(d, d, q[j]);
        }
    }
    float sum = by_halves(s);
    return leaf_node_f(m, sum, by_halves(q), rn, down);
}

kernel void stats_naive(const global float *src, ulong src_offset, global float *partial, ulong partial_offset,
                        struct clnorm_shape shape, struct clnorm_tree weights)
{
    TREE_BEGIN(tree, weights);
    ulong c = get_global_id(0) % shape.c;
    uint block = (uint)(get_global_id(0) / shape.c);
    if (block >= shape.blocks)
        return;
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    for (uint k = 0u; k < count; k++) {
        const global float *leaf = src + src_offset + leaf_start(&shape, start + k, c);
        uint n = leaf_size(&shape, start + k);
        float first = leaf[0], most = 0.0f;
        int same = fabs(first) <= FLT_MAX;
        for (uint i = 0u; i < n; i++) {
            float v = leaf[leaf_distance(&shape, i)];
            most = fabs(v) > most ? fabs(v) : most;
            same &= v == first;
        }
        float down = most > CLNORM_BIG ? CLNORM_DOWN : 1.0f;
        item_f item = same ? leaf_constant(first, down) : reduce_leaf(leaf, &shape, n, down);
        tree_push_f(stack, &tree, start, k, item);
    }
    partial_store(partial + partial_offset, &shape, block, c, tree_close_f(stack, &tree, start, count));
}
