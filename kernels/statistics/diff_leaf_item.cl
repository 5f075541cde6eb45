/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a channels-first leaf, by one work-item. After leaf.cl, lanes.cl, store.cl and diff_leaf.cl. */
#ifndef SMALL_CODE
#define IN(name) name##_global
#define IN_ORDER 0
#define LEAVES const global elem *src, GRAD_IN diff_dst
#define X(i) GET_V(src + (i))
/* As much of what comes next as a run of a vector takes, in the order of memory, which is not that of the looks. */
#define FETCH_AHEAD(i)                                                                                                 \
    for (uint f_ = 0u; f_ < 4u * VEC; f_ += LINE) {                                                                    \
        PREFETCH(src + (i) + f_);                                                                                      \
        GRAD_FETCH(diff_dst, (i) + f_);                                                                                \
    }
#define X_REST(i, rest) row_rest(src + (i), rest)
#define DIFF_DST(i) GRAD_V(GRAD_ALONG(diff_dst, i))
#define DIFF_DST_REST(i, rest) ON_GRAD(lanes_rest)(GRAD_ALONG(diff_dst, i), rest)
#include "statistics/diff_lanes.cl"

#define IN(name) name##_walked
#define IN_ORDER 1
#define LEAVES struct walk_src *src, struct ON_GRAD(walk) * diff_dst
#define X(i) walk_on_src(src)
#define X_REST(i, rest) lanes_rest_src(SRC_ALONG(src->row, src->at), rest)
#define DIFF_DST(i) ON_GRAD(walk_on)(diff_dst)
#define DIFF_DST_REST(i, rest) ON_GRAD(lanes_rest)(GRAD_ALONG(diff_dst->row, diff_dst->at), rest)
#include "statistics/diff_lanes.cl"
#endif

#define IN(name) name##_private
#define IN_ORDER 0
#define LEAVES const vec *src, const vec *diff_dst
#define FETCH_AHEAD(i)
#define X(i) src[(i) / VEC]
#define X_REST(i, rest) (LANE_NUMBERS < (ivec)((int)(rest)) ? X(i) : (vec)(0.0f))
#define DIFF_DST(i) diff_dst[(i) / VEC]
#define DIFF_DST_REST(i, rest) (LANE_NUMBERS < (ivec)((int)(rest)) ? DIFF_DST(i) : (vec)(0.0f))
#include "statistics/diff_lanes.cl"

/* diff_leaf of a leaf that one vector holds. */
FUNC sums_f diff_few(vec x, vec dy, uint n, const struct centre k)
{
    const ivec there = LANE_NUMBERS < (ivec)((int)n);
    const vec none = (vec)(0.0f), d = mul_v((x - k.hi) - k.lo, (vec)(k.magnify));
    const float sum = lanes_few(there ? dy : none);
    return diff_node(sum, lanes_few(there ? fma(dy, d, none) : none));
}

/* Leaf i of channel c. Nobody writes to channels c to end - 1 meanwhile; quiet: nor to the channels beside c, whichever they are. */
FUNC sums_f diff_leaf(SRC_IN src, GRAD_IN diff_dst, const struct clnorm_shape *shape, uint i, ulong c, ulong end,
                      const struct centre k, int quiet)
{
    vec x[LEAF_VECS], g[LEAF_VECS];
    uint n = leaf_size(shape, i);
    const ulong at = leaf_start(shape, i, c);
    SRC_IN from = SRC_AT(src, at);
#ifndef SMALL_CODE
    struct walk_src x_walk;
    struct ON_GRAD(walk) g_walk;
    if (shape->rows == 1u)
        return diff_leaf_global(SRC_ON(from, 0), GRAD_AT(diff_dst, at), n, k);
    if (shape->s >= VEC && quiet) {
        walk_begin_src(&x_walk, from, shape);
        ON_GRAD(walk_begin)(&g_walk, GRAD_AT(diff_dst, at), shape);
        return diff_leaf_walked(&x_walk, &g_walk, n, k);
    }
#else
    (void)quiet;
#endif
    x[(n - 1u) / VEC] = g[(n - 1u) / VEC] = (vec)(0.0f);
    gather_rows_src(x, from, from, shape, n, (end - c) * shape->s);
    ON_GRAD(gather_rows)(g, GRAD_AT(diff_dst, at), GRAD_AT(diff_dst, at), shape, n, (end - c) * shape->s);
    return n <= FEW ? diff_few(x[0], g[0], n, k) : diff_leaf_private(x, g, n, k);
}
