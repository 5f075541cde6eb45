/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of neighbouring channels, by one work-item: groups of NV vectors side by side, or a narrow rest of at most
 * VEC channels, gathered. After leaf.cl, trees.cl and store.cl.
 */

/*
 * What the second look reads: with KEEP_COLUMNS a copy. It pays where columns come from a cache: rows that lie a multiple of 1 KiB
 * apart share so few sets of the first-level cache that it keeps none of them. Where they come from memory it costs more.
 */
#if KEEP_COLUMNS
#define KEPT(i, v) kept[(i)*VECS + (v)]
#define KEEP(i, v) KEPT(i, v) =
#else
#define KEPT(i, v) VEC_LOAD(global, leaf + (i)*c + (v)*VEC)
#define KEEP(i, v)
#endif

#define VECS NV
#define REDUCE reduce_group
#include "columns_leaf.cl"

/* Copies of two groups want the first-level cache for themselves, as rows that use few of its sets leave it. */
#define PAIRED(wide, c) (PAIRS && (wide) >= 2u && (!KEEP_COLUMNS || (c) % 256u == 0u))
#if PAIRS
#define VECS (2u * NV)
#define REDUCE reduce_pair
#include "columns_leaf.cl"
#endif

/* The leaf of a gathered vector of channels, by all the rules. */
FUNC item_v reduce_tile(vec *tile, uint n, float rn)
{
    vec most = (vec)(0.0f), same = (vec)(1.0f), first = tile[0], a = (vec)(0.0f), s = (vec)(0.0f), q = (vec)(0.0f);
    for (uint i = 0u; i < n; i++) {
        most = fabs(tile[i]) > most ? fabs(tile[i]) : most;
        same = tile[i] == first ? same : (vec)(0.0f);
    }
    vec down = most > (vec)(CLNORM_BIG) ? (vec)(CLNORM_DOWN) : (vec)(1.0f);
    for (uint i = 0u; i < n; i++) {
        tile[i] = mul_v(tile[i], down);
        a += tile[i];
    }
    vec m = mul_v(a, (vec)(rn));
    for (uint i = 0u; i < n; i++) {
        vec d = tile[i] - m;
        s += d;
        q = fma(d, d, q);
    }
    item_v node = leaf_node_v(m, s, q, (vec)(rn), down);
    same = fabs(first) <= (vec)(FLT_MAX) ? same : (vec)(0.0f);
    node.mean.hi = SELECT(node.mean.hi, tile[0] + (vec)(0.0f), same == (vec)(1.0f));
    node.mean.lo = SELECT(node.mean.lo, (vec)(0.0f), same == (vec)(1.0f));
    node.m2.hi = SELECT(node.m2.hi, (vec)(0.0f), same == (vec)(1.0f));
    return node;
}

/*
 * The roots of `count` leaves from `start` on: of the `channels` channels from c on, which are `wide` groups, wide a power of two
 * up to WIDE, or with wide = 0 at most VEC channels, whose root is roots[0].
 */
FUNC void reduce_block(const global float *src, const struct clnorm_shape *shape, TREE tree, uint start, uint count,
                       ulong c, uint wide, uint channels, item_v *roots)
{
    item_v stack[WIDE_VECS][CLNORM_TREE_LEVELS + 1u], nodes[2u * NV];
    vec tile[CLNORM_LANES];
    const uint vecs = PAIRED(wide, shape->c) ? 2u * NV : wide ? NV : 1u;
    const uint all_vecs = wide ? wide * NV : 1u, parts = all_vecs / vecs;
    for (uint k = 0u; k < count; k++) {
        uint n = leaf_size(shape, start + k);
        float rn = leaf_reciprocal(shape, n);
        const global float *leaf = src + leaf_start(shape, start + k, c);
        const global float *ahead = start + k + 1u < shape->leaves ? leaf + CLNORM_LANES * shape->c : leaf;
        for (uint part = 0u; part < parts; part++, leaf += vecs * VEC) {
            int plain = 0;
            if (vecs == NV)
                plain = reduce_group(leaf, ahead, shape->c, n, rn, parts, part, nodes);
#if PAIRS
            if (vecs > NV)
                plain = reduce_pair(leaf, ahead, shape->c, n, rn, parts, part, nodes);
#endif
            for (uint v = 0u; v < vecs; v++) {
                if (!plain) {
                    gather_tile(tile, leaf + v * VEC, shape->c, n, wide ? VEC : channels);
                    nodes[v] = reduce_tile(tile, n, rn);
                }
                tree_push_v(stack[part * vecs + v], tree, start, k, nodes[v]);
            }
        }
    }
    for (uint v = 0u; v < all_vecs; v++)
        roots[v] = tree_close_v(stack[v], tree, start, count);
}
