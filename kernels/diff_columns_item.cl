/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over channels-last leaves, by one work-item: as in columns_item.cl. After diff_leaf.cl too. */

struct centre_v {
    vec hi, lo, down;
};

FUNC void centre_put(struct centre_v *k, uint j, struct centre a)
{
    ((float *)&k->hi)[j] = a.hi;
    ((float *)&k->lo)[j] = a.lo;
    ((float *)&k->down)[j] = a.down;
}

FUNC vec centred(vec x, const struct centre_v *k)
{
    return mul_v((x - k->hi) - k->lo, k->down);
}

#define VECS NV
#define REDUCE diff_group
#include "diff_columns_leaf.cl"
#if PAIRS
#define VECS (2u * NV)
#define REDUCE diff_pair
#include "diff_columns_leaf.cl"
#endif

/* The leaf of gathered channels. */
FUNC void diff_tile(const global float *x, const global float *dy, ulong c, uint n, uint channels,
                    const struct centre_v *k, item_v *item)
{
    vec g = (vec)(0.0f), gd = (vec)(0.0f);
    for (uint i = 0u; i < n; i++, x += c, dy += c) {
        vec a, b;
        gather_tile(&a, x, 0u, 1u, channels);
        gather_tile(&b, dy, 0u, 1u, channels);
        g += b;
        gd = fma(b, centred(a, k), gd);
    }
    item->g.hi = g;
    item->gd.hi = gd;
    item->g.lo = item->gd.lo = (vec)(0.0f);
}

/* The roots of `count` leaves from `start` on, as reduce_block's. */
FUNC void diff_block(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape,
                     uint start, uint count, ulong c, uint wide, uint channels, const struct centre_v *centre,
                     item_v *roots)
{
    item_v stack[WIDE_VECS][CLNORM_TREE_LEVELS + 1u], items[2u * NV];
    const uint vecs = PAIRS && wide >= 2u ? 2u * NV : wide ? NV : 1u;
    const uint all_vecs = wide ? wide * NV : 1u, parts = all_vecs / vecs;
    for (uint b = 0u; b < count; b++) {
        uint n = leaf_size(shape, start + b);
        ulong at = leaf_start(shape, start + b, c);
        ulong ahead = start + b + 1u < shape->leaves ? CLNORM_LANES * shape->c : 0u;
        for (uint part = 0u; part < parts; part++, at += vecs * VEC) {
            if (!wide)
                diff_tile(src + at, diff_dst + at, shape->c, n, channels, centre, items);
#if PAIRS
            else if (vecs > NV)
                diff_pair(src + at, diff_dst + at, ahead, shape->c, n, parts, part, centre + part * vecs, items);
#endif
            else
                diff_group(src + at, diff_dst + at, ahead, shape->c, n, parts, part, centre + part * vecs, items);
            for (uint v = 0u; v < vecs; v++)
                tree_push_v(stack[part * vecs + v], NO_TREE, start, b, items[v]);
        }
    }
    for (uint v = 0u; v < all_vecs; v++)
        roots[v] = tree_close_v(stack[v], NO_TREE, start, count);
}
