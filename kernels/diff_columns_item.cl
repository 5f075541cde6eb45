/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over channels-last leaves of NV * VEC neighbouring channels: a template like columns_item.cl. */

/* The roots of `count` leaves from `start` on. */
FUNC void COLS(diff_block)(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape,
                           uint start, uint count, ulong c, const struct centre_v *centre, item_v *roots)
{
    item_v stack[NV][CLNORM_TREE_LEVELS + 1u];
    struct centre_v k[NV];
    for (int v = 0; v < NV; v++)
        k[v] = centre[v];
    for (uint b = 0u; b < count; b++) {
        vec g[NV], gd[NV];
        uint n = leaf_size(shape, start + b);
        const global float *x = src + leaf_start(shape, start + b, c), *dy = diff_dst + leaf_start(shape, start + b, c);
#pragma unroll
        for (int v = 0; v < NV; v++)
            g[v] = gd[v] = (vec)(0.0f);
        for (uint i = 0u; i < n; i++, x += shape->c, dy += shape->c) {
#pragma unroll
            for (int v = 0; v < NV; v++) {
                vec y = VEC_LOAD(global, dy + v * VEC);
                vec d = mul_v((VEC_LOAD(global, x + v * VEC) - k[v].hi) - k[v].lo, k[v].down);
                PREFETCH(x + FETCH_ROWS * shape->c + v * VEC);
                PREFETCH(dy + FETCH_ROWS * shape->c + v * VEC);
                g[v] += y;
                gd[v] = fma(y, d, gd[v]);
            }
        }
        for (int v = 0; v < NV; v++) {
            item_v item;
            item.g.hi = g[v];
            item.gd.hi = gd[v];
            item.g.lo = item.gd.lo = (vec)(0.0f);
            tree_push_v(stack[v], NO_TREE, start, b, item);
        }
    }
    for (int v = 0; v < NV; v++)
        roots[v] = tree_close_v(stack[v], NO_TREE, start, count);
}
