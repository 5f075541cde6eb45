/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over channels-last leaves, by one work-item: as in columns_item.cl. After diff_leaf.cl too. */
#define BLOCK_VECS (CLNORM_SPAN(VEC) / VEC + 1u)

struct centre_v {
    vec hi, lo, magnify;
};

FUNC void centre_put(struct centre_v *k, uint j, struct centre a)
{
    ((float *)&k->hi)[j] = a.hi;
    ((float *)&k->lo)[j] = a.lo;
    ((float *)&k->magnify)[j] = a.magnify;
}

FUNC vec centred(vec x, const struct centre_v *k)
{
    return mul_v((x - k->hi) - k->lo, k->magnify);
}

#define COLUMNS_PANEL const global float *x, const global float *dy, ulong c, ulong ahead
#define COLUMNS_FETCH(i)                                                                                               \
    {                                                                                                                  \
        PREFETCH(x + ahead + (i)*c);                                                                                   \
        PREFETCH(dy + ahead + (i)*c);                                                                                  \
    }

#define IN(name) line_##name
#define PANEL COLUMNS_PANEL
#define ROWS PANEL_ROWS
#define VECS LINE_VECS
#define X(i, v) VEC_LOAD(global, x + (i)*c + (v)*VEC)
#define DY(i, v) VEC_LOAD(global, dy + (i)*c + (v)*VEC)
#define FETCH_AHEAD(i) COLUMNS_FETCH(i)
#define UNROLL _Pragma("unroll")
#include "diff_columns_leaf.cl"

#define IN(name) part_##name
#define PANEL COLUMNS_PANEL
#define ROWS rows
#define VECS 1u
#define X(i, v) VEC_LOAD(global, x + (i)*c)
#define DY(i, v) VEC_LOAD(global, dy + (i)*c)
#define FETCH_AHEAD(i) COLUMNS_FETCH(i)
#define UNROLL
#include "diff_columns_leaf.cl"

#define IN(name) tile_##name
#define PANEL const vec *x, const vec *dy
#define ROWS rows
#define VECS 1u
#define X(i, v) x[i]
#define DY(i, v) dy[i]
#define FETCH_AHEAD(i)
#define UNROLL
#include "diff_columns_leaf.cl"

/* The sums over a leaf of n rows for `channels` channels; meanwhile the leaf that lies `ahead` elements further on is fetched. */
FUNC void diff_columns(const global float *src, const global float *diff_dst, ulong c, ulong ahead, uint n,
                       uint channels, const struct centre_v *centre, vec *g, vec *gd)
{
    vec g_half[BLOCK_VECS], gd_half[BLOCK_VECS], t_g[LINE_VECS], t_gd[LINE_VECS];
    vec x_tile[PANEL_ROWS], dy_tile[PANEL_ROWS];
    const uint vecs = VECS_OF(channels), panels = (n + PANEL_ROWS - 1u) / PANEL_ROWS;
    for (uint k = 0u; k < panels; k++, src += PANEL_ROWS * c, diff_dst += PANEL_ROWS * c) {
        const uint rows = min(n - k * PANEL_ROWS, PANEL_ROWS);
        const uint lines = rows == PANEL_ROWS ? channels / 16u * LINE_VECS : 0u;
        for (uint v = 0u; v < lines; v += LINE_VECS) {
            line_sums(src + v * VEC, diff_dst + v * VEC, c, ahead, PANEL_ROWS, centre + v, t_g, t_gd);
#pragma unroll
            for (uint u = 0u; u < LINE_VECS; u++) {
                FOLD(g[v + u], g_half[v + u], t_g[u], k, panels)
                FOLD(gd[v + u], gd_half[v + u], t_gd[u], k, panels)
            }
        }
        for (uint v = lines; v < vecs; v++) {
            const uint at = VEC_AT(v, channels);
            if (channels >= VEC) {
                part_sums(src + at, diff_dst + at, c, ahead, rows, centre + v, t_g, t_gd);
            } else {
                gather_tile(x_tile, src, c, rows, channels);
                gather_tile(dy_tile, diff_dst, c, rows, channels);
                tile_sums(x_tile, dy_tile, rows, centre, t_g, t_gd);
            }
            FOLD(g[v], g_half[v], t_g[0], k, panels)
            FOLD(gd[v], gd_half[v], t_gd[0], k, panels)
        }
    }
}

/* The roots of `count` leaves from `start` on, as reduce_block's. */
FUNC void diff_block(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape,
                     uint start, uint count, ulong c, uint channels, const struct centre_v *centre, item_v *roots)
{
    item_v stack[BLOCK_VECS][CLNORM_TREE_LEVELS + 1u], item;
    vec g[BLOCK_VECS], gd[BLOCK_VECS];
    const uint vecs = VECS_OF(channels);
    item.g.lo = item.gd.lo = (vec)(0.0f);
    for (uint b = 0u; b < count; b++) {
        const ulong at = leaf_start(shape, start + b, c);
        const ulong ahead = start + b + 1u < shape->leaves ? CLNORM_LANES * shape->c : 0u;
        diff_columns(src + at, diff_dst + at, shape->c, ahead, leaf_size(shape, start + b), channels, centre, g, gd);
        for (uint v = 0u; v < vecs; v++) {
            item.g.hi = g[v];
            item.gd.hi = gd[v];
            tree_push_v(stack[v], NO_TREE, start, b, item);
        }
    }
    for (uint v = 0u; v < vecs; v++)
        roots[v] = tree_close_v(stack[v], NO_TREE, start, count);
}

/* Centres of vector v of `channels` channels from c on; elements past the last channel repeat it. CENTRE(c) is one's. */
#define CENTRES(centre, c, channels, CENTRE)                                                                           \
    for (uint v_ = 0u; v_ < VECS_OF(channels); v_++)                                                                   \
        for (uint j_ = 0u; j_ < VEC; j_++)                                                                             \
    centre_put(&(centre)[v_], j_, CENTRE((c) + min(VEC_AT(v_, channels) + j_, (channels)-1u)))
