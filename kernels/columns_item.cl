/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of neighbouring channels, by one work-item: panels of whole rows, a line of channels at a time. After leaf.cl,
 * trees.cl, store.cl and tile.cl.
 */

/*
 * What the second look reads: with KEEP_COLUMNS a copy. It pays where columns come from a cache: rows that lie a multiple of 1 KiB
 * apart share so few sets of the first-level cache that it keeps none of them. Where they come from memory it costs more.
 */
#if KEEP_COLUMNS
#define BLOCK_VECS CLNORM_COLUMNS
#define KEPT(i, v) kept[(i)*vecs + (v)]
#define KEEP(i, v) KEPT(i, v) =
#else
#define BLOCK_VECS (CLNORM_SPAN(VEC) / VEC + 1u)
#define KEPT(i, v) VEC_LOAD(global, p + (i)*c + (v)*VEC)
#define KEEP(i, v)
#endif
#define COLUMNS_PANEL const global float *p, ulong c, ulong ahead, vec *kept, uint vecs

/* Whole panels of whole lines. */
#define IN(name) line_##name
#define PANEL COLUMNS_PANEL
#define ROWS PANEL_ROWS
#define VECS LINE_VECS
#define FIRST(i, v) (KEEP(i, v) VEC_LOAD(global, p + (i)*c + (v)*VEC))
#define SECOND(i, v) KEPT(i, v)
#define FETCH_AHEAD(i) PREFETCH(p + ahead + (i)*c)
#define UNROLL _Pragma("unroll")
#include "columns_leaf.cl"

/* The rest. */
#define IN(name) part_##name
#define PANEL COLUMNS_PANEL
#define ROWS rows
#define VECS 1u
#define FIRST(i, v) (KEEP(i, v) VEC_LOAD(global, p + (i)*c))
#define SECOND(i, v) KEPT(i, v)
#define FETCH_AHEAD(i) PREFETCH(p + ahead + (i)*c)
#define UNROLL
#include "columns_leaf.cl"

/* Gathered. */
#define IN(name) tile_##name
#define PANEL const vec *tile
#define ROWS rows
#define VECS 1u
#define FIRST(i, v) tile[i]
#define SECOND(i, v) tile[i]
#define FETCH_AHEAD(i)
#define UNROLL
#include "columns_leaf.cl"

/* The leaf of a gathered vector of channels, by all the rules. */
FUNC item_v reduce_tile(vec *tile, uint n, float rn)
{
    vec most = (vec)(0.0f), same = (vec)(1.0f), first = tile[0], a, s, q, waiting, waiting_q, t, t_q;
    const uint panels = (n + PANEL_ROWS - 1u) / PANEL_ROWS;
    for (uint i = 0u; i < n; i++) {
        most = fabs(tile[i]) > most ? fabs(tile[i]) : most;
        same = tile[i] == first ? same : (vec)(0.0f);
    }
    vec magnify = MAGNIFY_OF(vec, most);
    for (uint i = 0u; i < n; i++)
        tile[i] = mul_v(tile[i], magnify);
    for (uint k = 0u; k < panels; k++) {
        tile_sums(tile + k * PANEL_ROWS, min(n - k * PANEL_ROWS, PANEL_ROWS), &t);
        FOLD(a, waiting, t, k, panels)
    }
    vec m = mul_v(a, (vec)(rn));
    for (uint look = 0u; look < 2u; look++) {
        for (uint k = 0u; k < panels; k++) {
            tile_squares(tile + k * PANEL_ROWS, min(n - k * PANEL_ROWS, PANEL_ROWS), &m, &t, &t_q);
            FOLD(s, waiting, t, k, panels)
            FOLD(q, waiting_q, t_q, k, panels)
        }
        /* A mean that stays gives the same sums again. */
        if (look || !any(LEAF_IS_OFF(s, q, (vec)(rn))))
            break;
        m = LEAF_IS_OFF(s, q, (vec)(rn)) ? m + mul_v(s, (vec)(rn)) : m;
    }
    item_v node = leaf_node_v(m, s, q, (vec)(rn), magnify);
    same = fabs(first) <= (vec)(FLT_MAX) ? same : (vec)(0.0f);
    node.mean.hi = SELECT(node.mean.hi, tile[0] + (vec)(0.0f), same == (vec)(1.0f));
    node.mean.lo = SELECT(node.mean.lo, (vec)(0.0f), same == (vec)(1.0f));
    node.m2.hi = SELECT(node.m2.hi, (vec)(0.0f), same == (vec)(1.0f));
    return node;
}

/*
 * m, s and q of a leaf of n rows for `channels` channels, by the ordinary rules. Meanwhile the leaf that lies `ahead` elements further on
 * is fetched.
 */
FUNC void reduce_columns(const global float *leaf, ulong c, ulong ahead, uint n, float rn, uint channels, vec *m,
                         vec *s, vec *q)
{
    vec waiting[BLOCK_VECS], waiting_q[BLOCK_VECS], t[LINE_VECS], t_q[LINE_VECS];
#if KEEP_COLUMNS
    vec copies[BLOCK_VECS * CLNORM_LANES];
#else
    vec copies[1];
#endif
    const uint vecs = VECS_OF(channels), panels = (n + PANEL_ROWS - 1u) / PANEL_ROWS;
    for (uint look = 0u; look < 2u; look++) {
        const global float *panel = leaf;
        vec *kept = copies;
        for (uint k = 0u; k < panels; k++, panel += PANEL_ROWS * c) {
            const uint rows = min(n - k * PANEL_ROWS, PANEL_ROWS);
            const uint lines = rows == PANEL_ROWS ? channels / 16u * LINE_VECS : 0u;
            for (uint v = 0u; v < lines; v += LINE_VECS) {
                const global float *p = panel + v * VEC;
                if (look == 0u)
                    line_sums(p, c, ahead, kept + v, vecs, PANEL_ROWS, t);
                else
                    line_squares(p, c, ahead, kept + v, vecs, PANEL_ROWS, m + v, t, t_q);
#pragma unroll
                for (uint u = 0u; u < LINE_VECS; u++) {
                    FOLD(s[v + u], waiting[v + u], t[u], k, panels)
                    if (look)
                        FOLD(q[v + u], waiting_q[v + u], t_q[u], k, panels)
                }
            }
            for (uint v = lines; v < vecs; v++) {
                const global float *p = panel + VEC_AT(v, channels);
                if (look == 0u)
                    part_sums(p, c, ahead, kept + v, vecs, rows, t);
                else
                    part_squares(p, c, ahead, kept + v, vecs, rows, m + v, t, t_q);
                FOLD(s[v], waiting[v], t[0], k, panels)
                if (look)
                    FOLD(q[v], waiting_q[v], t_q[0], k, panels)
            }
#if KEEP_COLUMNS
            kept += PANEL_ROWS * vecs;
#endif
        }
        for (uint v = 0u; v < vecs && look == 0u; v++)
            m[v] = mul_v(s[v], (vec)(rn));
    }
}

/*
 * The roots of `count` leaves from `start` on, for `channels` channels from c on: BLOCK_VECS vectors at most. Those of vector v are of
 * the channels from VEC_AT(v, channels) on.
 */
FUNC void reduce_block(const global float *src, const struct clnorm_shape *shape, TREE tree, uint start, uint count,
                       ulong c, uint channels, item_v *roots)
{
    item_v stack[BLOCK_VECS][CLNORM_TREE_LEVELS + 1u], node;
    vec tile[CLNORM_LANES], m[BLOCK_VECS], s[BLOCK_VECS], q[BLOCK_VECS];
    const uint vecs = VECS_OF(channels);
    for (uint k = 0u; k < count; k++) {
        const uint n = leaf_size(shape, start + k);
        const float rn = leaf_reciprocal(shape, n);
        const global float *leaf = src + leaf_start(shape, start + k, c);
        const ulong ahead = start + k + 1u < shape->leaves ? CLNORM_LANES * shape->c : 0u;
        if (channels >= VEC)
            reduce_columns(leaf, shape->c, ahead, n, rn, channels, m, s, q);
        for (uint v = 0u; v < vecs; v++) {
            if (channels >= VEC && all(LEAF_PLAIN(m[v], q[v]))) {
                node = leaf_node_v(m[v], s[v], q[v], (vec)(rn), (vec)(1.0f));
            } else {
                gather_tile(tile, leaf + VEC_AT(v, channels), shape->c, n, channels);
                node = reduce_tile(tile, n, rn);
            }
            tree_push_v(stack[v], tree, start, k, node);
        }
    }
    for (uint v = 0u; v < vecs; v++)
        roots[v] = tree_close_v(stack[v], tree, start, count);
}
