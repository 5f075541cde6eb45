/* SPDX-License-Identifier: Apache-2.0 */
/* Channels-last leaves of neighbouring channels, by one work-item, a group of vectors at a time. After leaf.cl, trees.cl and tile.cl. */

/* The leaf of a vector of channels by all the rules: n rows of it, gathered. */
FUNC item_v reduce_tile(vec *tile, uint n, float rn)
{
    vec most = (vec)(0.0f), same = (vec)(1.0f), first = tile[0];
    vec runs[RUNS], q_runs[RUNS], s, q;
    for (uint i = 0u; i < n; i++) {
        vec v = tile[i];
        most = fabs(v) > most ? fabs(v) : most;
        same = v == first ? same : (vec)(0.0f);
    }
    vec magnify = MAGNIFY_OF(vec, most);
    for (uint r = 0u; r < RUNS_OF(n); r++) {
        vec run = (vec)(0.0f);
        for (uint i = 4u * r; i < min(4u * r + 4u, n); i++) {
            tile[i] = mul_v(tile[i], magnify);
            run += tile[i];
        }
        runs[r] = run;
    }
    vec m = mul_v(by_pairs(runs, 1u), (vec)(rn));
    for (uint look = 0u;; look++) {
        for (uint r = 0u; r < RUNS_OF(n); r++) {
            vec run = (vec)(0.0f), q_run = (vec)(0.0f);
            for (uint i = 4u * r; i < min(4u * r + 4u, n); i++) {
                vec d = tile[i] - m;
                run += d;
                q_run = fma(d, d, q_run);
            }
            runs[r] = run;
            q_runs[r] = q_run;
        }
        s = by_pairs(runs, 1u);
        q = by_pairs(q_runs, 1u);
        const ivec is_off = LEAF_IS_OFF(s, q, (vec)(rn));
        if (look || !any(is_off))
            break;
        m = is_off ? m + mul_v(s, (vec)(rn)) : m; /* a mean that stays gives the same sums again */
    }
    item_v node = leaf_node_v(m, s, q, (vec)(rn), magnify);
    same = fabs(first) <= (vec)(FLT_MAX) ? same : (vec)(0.0f);
    node.mean.hi = SELECT(node.mean.hi, tile[0] + (vec)(0.0f), same == (vec)(1.0f));
    node.mean.lo = SELECT(node.mean.lo, (vec)(0.0f), same == (vec)(1.0f));
    node.m2.hi = SELECT(node.m2.hi, (vec)(0.0f), same == (vec)(1.0f));
    return node;
}

/*
 * What the second look reads: with KEEP_COLUMNS a copy. It pays where columns come from a cache: rows that lie a multiple of 1 KiB
 * apart share so few sets of the first-level cache that it keeps none of them. Where they come from memory it costs more.
 */
#if KEEP_COLUMNS
#define KEEP(i) kept[i] =
#define KEPT(i, v) kept[(i)*VECS + (v)]
#else
#define KEEP(i)
#define KEPT(i, v) GET_V(p + (i)*pitch + (v)*VEC)
#endif

#ifndef SMALL_CODE
#define REDUCE reduce_wide
#define VECS WIDE_VECS
#include "statistics/columns_leaf.cl"
#define REDUCE reduce_vec
#define VECS 1u
#include "statistics/columns_leaf.cl"
#if !VIEW
#include "statistics/narrow.cl"
#endif
#endif

/*
 * The roots of `count` leaves from `start` on, for `channels` channels from c on: BLOCK_VECS vectors at most. Those of vector v are of
 * the channels from VEC_AT(v, channels) on.
 */
FUNC void reduce_block(SRC_IN src, const struct clnorm_shape *shape, TREE tree, uint start, uint count, ulong c,
                       uint channels, item_v *roots)
{
    item_v stack[BLOCK_VECS][CLNORM_TREE_LEVELS + 1u], nodes[WIDE_VECS];
    vec tile[CLNORM_LANES];
    struct fetch fetch;
    const uint vecs = VECS_OF(channels), grouped = channels / (WIDE_VECS * VEC) * WIDE_VECS;
    const ulong pitch = ROW_PITCH(src, shape->c);
#if !defined(SMALL_CODE) && !VIEW
    if (shape->c < VEC) {
        reduce_narrow(src, shape, tree, start, count, roots);
        return;
    }
#endif
    for (uint k = 0u; k < count; k++) {
        const uint n = leaf_size(shape, start + k);
        const float rn = leaf_reciprocal(shape, n);
        const global elem *leaf = SRC_ON(SRC_AT(src, leaf_start(shape, start + k, c)), 0);
        fetch_begin(&fetch, start + k + 1u < shape->leaves ? leaf + CLNORM_LANES * pitch : leaf, pitch, channels);
        for (uint v = 0u; v < vecs;) {
            const uint step = v < grouped ? WIDE_VECS : 1u;
#ifndef SMALL_CODE
            if (v < grouped) {
                reduce_wide(leaf + v * VEC, pitch, n, rn, &fetch, nodes);
            } else if (channels >= VEC) {
                reduce_vec(leaf + VEC_AT(v, channels), pitch, n, rn, &fetch, nodes);
            } else
#endif
            {
                gather_tile_src(tile, leaf + VEC_AT(v, channels), pitch, n, channels);
                nodes[0] = reduce_tile(tile, n, rn);
            }
            for (uint u = 0u; u < step; u++, v++)
                tree_push_v(stack[v], tree, start, k, nodes[u]);
        }
    }
    for (uint v = 0u; v < vecs; v++)
        roots[v] = tree_close_v(stack[v], tree, start, count);
}
