/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a leaf of VECS vectors side by side: a template as columns_leaf.cl. */
FUNC void REDUCE(const global float *x, const global float *dy, ulong c, uint n, const struct centre_v *k,
                 struct fetch *fetch, item_v *items)
{
    vec runs[RUNS * VECS], d_runs[RUNS * VECS], t[VECS], u[VECS];
#pragma nounroll
    for (uint r = 0u; r < RUNS; r++, x += 4u * c, dy += 4u * c) {
#pragma unroll
        for (uint v = 0u; v < VECS; v++)
            t[v] = u[v] = (vec)(0.0f);
        fetch_on(&fetch[0]);
        fetch_on(&fetch[1]);
        if (4u * r + 4u <= n) {
#pragma unroll
            for (uint i = 0u; i < 4u; i++) {
#pragma unroll
                for (uint v = 0u; v < VECS; v++) {
                    vec y = VEC_LOAD(global, dy + i * c + v * VEC);
                    t[v] += y;
                    u[v] = fma(y, centred(VEC_LOAD(global, x + i * c + v * VEC), &k[v]), u[v]);
                }
            }
        } else {
            for (uint i = 0u; 4u * r + i < n; i++) {
                for (uint v = 0u; v < VECS; v++) {
                    vec y = VEC_LOAD(global, dy + i * c + v * VEC);
                    t[v] += y;
                    u[v] = fma(y, centred(VEC_LOAD(global, x + i * c + v * VEC), &k[v]), u[v]);
                }
            }
        }
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            runs[r * VECS + v] = t[v];
            d_runs[r * VECS + v] = u[v];
        }
    }
    for (uint v = 0u; v < VECS; v++) {
        items[v].g.hi = by_pairs(runs + v, VECS);
        items[v].gd.hi = by_pairs(d_runs + v, VECS);
        items[v].g.lo = items[v].gd.lo = (vec)(0.0f);
    }
}
#undef REDUCE
#undef VECS
