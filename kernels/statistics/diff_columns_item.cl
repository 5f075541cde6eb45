/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over channels-last leaves, by one work-item: as in columns_item.cl. After diff_leaf.cl too. */

struct centre_v {
    vec hi, lo, magnify;
};

FUNC void centre_put(struct centre_v *k, uint j, const struct centre a)
{
    ((float *)&k->hi)[j] = a.hi;
    ((float *)&k->lo)[j] = a.lo;
    ((float *)&k->magnify)[j] = a.magnify;
}

FUNC vec centred(vec x, const struct centre_v *k)
{
    return mul_v((x - k->hi) - k->lo, k->magnify);
}

#ifndef SMALL_CODE
#define REDUCE diff_wide
#define VECS WIDE_VECS
#include "statistics/diff_columns_leaf.cl"
#define REDUCE diff_vec
#define VECS 1u
#include "statistics/diff_columns_leaf.cl"
#endif

/* The leaf of gathered channels. */
FUNC void diff_tile(const global elem *src, ulong pitch, GRAD_IN diff_dst, ulong c, uint n, uint channels,
                    const struct centre_v *k, item_v *item)
{
    vec runs[RUNS], d_runs[RUNS];
    vec x, y;
    for (uint r = 0u; r < RUNS_OF(n); r++) {
        vec run = (vec)(0.0f), d_run = (vec)(0.0f);
        for (uint i = 4u * r; i < min(4u * r + 4u, n); i++) {
            gather_tile_src(&x, src + i * pitch, 0u, 1u, channels);
            ON_GRAD(gather_tile)(&y, GRAD_AT(diff_dst, BLOCKS(i, c)), 0u, 1u, channels);
            run += y;
            d_run = fma(y, centred(x, k), d_run);
        }
        runs[r] = run;
        d_runs[r] = d_run;
    }
    item->g.hi = by_pairs(runs, 1u);
    item->gd.hi = by_pairs(d_runs, 1u);
    item->g.lo = item->gd.lo = (vec)(0.0f);
}

#if !defined(SMALL_CODE) && !VIEW
#include "statistics/narrow.cl"
#endif

/* The roots of `count` leaves from `start` on, as reduce_block's. */
FUNC void diff_block(SRC_IN src, GRAD_IN diff_dst, const struct clnorm_shape *shape, uint start, uint count, ulong c,
                     uint channels, const struct centre_v *centre, item_v *roots)
{
    item_v stack[BLOCK_VECS][CLNORM_TREE_LEVELS + 1u], items[WIDE_VECS];
    struct fetch fetch[2];
    const uint vecs = VECS_OF(channels), grouped = channels / (WIDE_VECS * VEC) * WIDE_VECS;
    const ulong pitch = ROW_PITCH(src, shape->c);
#if !defined(SMALL_CODE) && !VIEW
    if (shape->c < VEC) {
        diff_narrow(src, diff_dst, shape, start, count, centre, roots);
        return;
    }
#endif
    for (uint b = 0u; b < count; b++) {
        const uint n = leaf_size(shape, start + b);
        const ulong leaf = leaf_start(shape, start + b, c);
        const ulong ahead = start + b + 1u < shape->leaves ? leaf + BLOCKS(CLNORM_LANES, shape->c) : leaf;
        SRC_IN next = SRC_AT(GRAD_PLACE(diff_dst), ahead);
        fetch_begin(&fetch[0], SRC_ON(SRC_AT(src, ahead), 0), pitch, channels);
        fetch_begin(&fetch[1], SRC_ON(next, 0), ROW_PITCH(next, shape->c), channels);
        for (uint v = 0u; v < vecs;) {
            const uint step = v < grouped ? WIDE_VECS : 1u;
            const ulong at = leaf + VEC_AT(v, channels);
            const global elem *x = SRC_ON(SRC_AT(src, at), 0);
#ifndef SMALL_CODE
            if (v < grouped)
                diff_wide(x, pitch, GRAD_AT(diff_dst, at), shape->c, n, centre + v, fetch, items);
            else if (channels >= VEC)
                diff_vec(x, pitch, GRAD_AT(diff_dst, at), shape->c, n, centre + v, fetch, items);
            else
#endif
                diff_tile(x, pitch, GRAD_AT(diff_dst, at), shape->c, n, channels, centre + v, items);
            for (uint u = 0u; u < step; u++, v++)
                tree_push_v(stack[v], NO_TREE, start, b, items[u]);
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
