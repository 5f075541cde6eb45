/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a leaf of VECS vectors side by side: a template as columns_leaf.cl. */
FUNC void REDUCE(const global float *x, const global float *dy, ulong ahead, ulong c, uint n, uint parts, uint part,
                 const struct centre_v *k, item_v *items)
{
    vec g[VECS], gd[VECS];
    const global float *x_ahead = x + ahead - part * VECS * VEC, *dy_ahead = dy + ahead - part * VECS * VEC;
#pragma unroll
    for (uint v = 0u; v < VECS; v++)
        g[v] = gd[v] = (vec)(0.0f);
    for (uint i = 0u; i < n; i++) {
        FETCH_SHARE(x_ahead, c, i, parts, part, VECS);
        FETCH_SHARE(dy_ahead, c, i, parts, part, VECS);
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            vec y = VEC_LOAD(global, dy + i * c + v * VEC);
            g[v] += y;
            gd[v] = fma(y, centred(VEC_LOAD(global, x + i * c + v * VEC), &k[v]), gd[v]);
        }
    }
    for (uint v = 0u; v < VECS; v++) {
        items[v].g.hi = g[v];
        items[v].gd.hi = gd[v];
        items[v].g.lo = items[v].gd.lo = (vec)(0.0f);
    }
}
#undef REDUCE
#undef VECS
