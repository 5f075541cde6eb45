/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over channels-last leaves of NV * VEC neighbouring channels: a template like columns_item.cl. */

/* The sums of one leaf; what is fetched meanwhile is as in columns_item.cl. */
FUNC void COLS(diff_leaf)(const global float *x, const global float *dy, ulong ahead, ulong c, uint n, uint wide,
                          uint group, const struct centre_v *centre, item_v *items)
{
    struct centre_v k[NV];
    vec g[NV], gd[NV];
    const global float *x_ahead = x + ahead, *dy_ahead = dy + ahead;
#pragma unroll
    for (int v = 0; v < NV; v++) {
        k[v] = centre[v];
        g[v] = gd[v] = (vec)(0.0f);
    }
    for (uint i = 0u; i < n; i++) {
        FETCH_SHARE(x_ahead - group * NV * VEC, c, i, wide, group);
        FETCH_SHARE(dy_ahead - group * NV * VEC, c, i, wide, group);
#pragma unroll
        for (int v = 0; v < NV; v++) {
            vec y = VEC_LOAD(global, dy + i * c + v * VEC);
            vec d = mul_v((VEC_LOAD(global, x + i * c + v * VEC) - k[v].hi) - k[v].lo, k[v].down);
            g[v] += y;
            gd[v] = fma(y, d, gd[v]);
        }
    }
#pragma unroll
    for (int v = 0; v < NV; v++) {
        items[v].g.hi = g[v];
        items[v].gd.hi = gd[v];
        items[v].g.lo = items[v].gd.lo = (vec)(0.0f);
    }
}

/* The roots of `count` leaves from `start` on, of `wide` groups of columns: wide * NV roots, wide a power of two up to WIDE. */
FUNC void COLS(diff_block)(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape,
                           uint start, uint count, ulong c, uint wide, const struct centre_v *centre, item_v *roots)
{
    item_v stack[WIDE * NV][CLNORM_TREE_LEVELS + 1u], items[NV];
    for (uint b = 0u; b < count; b++) {
        uint n = leaf_size(shape, start + b);
        ulong tile = leaf_start(shape, start + b, c);
        ulong ahead = start + b + 1u < shape->leaves ? CLNORM_LANES * shape->c : 0u;
        for (uint group = 0u; group < wide; group++) {
            ulong at = tile + group * NV * VEC;
            COLS(diff_leaf)(src + at, diff_dst + at, ahead, shape->c, n, wide, group, centre + group * NV, items);
            for (uint v = 0u; v < NV; v++)
                tree_push_v(stack[group * NV + v], NO_TREE, start, b, items[v]);
        }
    }
    for (uint v = 0u; v < wide * NV; v++)
        roots[v] = tree_close_v(stack[v], NO_TREE, start, count);
}
