/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a leaf of VECS vectors side by side: a template as columns_leaf.cl. */
FUNC void REDUCE(const global elem *x, ulong pitch, GRAD_IN first, ulong c, uint n, const struct centre_v *k,
                 struct fetch *fetch, item_v *items)
{
    GRAD dy = first;
    vec runs[RUNS * VECS], d_runs[RUNS * VECS], y;
    const uint whole = n / 4u;
#pragma nounroll
    for (uint r = 0u; r < whole; r++, x += 4u * pitch, dy = GRAD_AT(dy, BLOCKS(4u, c))) {
        fetch_on(&fetch[0], FETCH_PIECES(VECS));
        fetch_on(&fetch[1], FETCH_PIECES(VECS));
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            y = GRAD_V(GRAD_ALONG(dy, v * VEC));
            vec t = y, u = fma(y, centred(GET_V(x + v * VEC), &k[v]), (vec)(0.0f));
#pragma unroll
            for (uint i = 1u; i < 4u; i++) {
                y = GRAD_V(GRAD_AT(dy, BLOCKS(i, c) + v * VEC));
                t += y;
                u = fma(y, centred(GET_V(x + i * pitch + v * VEC), &k[v]), u);
            }
            runs[r * VECS + v] = t;
            d_runs[r * VECS + v] = u;
        }
    }
    for (uint r = whole; r < RUNS; r++) {
        for (uint v = 0u; v < VECS; v++) {
            vec t = (vec)(0.0f), u = (vec)(0.0f);
            for (uint i = 0u; 4u * r + i < n; i++) {
                y = GRAD_V(GRAD_AT(dy, BLOCKS(i, c) + v * VEC));
                t += y;
                u = fma(y, centred(GET_V(x + i * pitch + v * VEC), &k[v]), u);
            }
            runs[r * VECS + v] = t;
            d_runs[r * VECS + v] = u;
        }
    }
    /* Runs of dy began with their first term instead of with +0, which only shows where all of them are -0. */
    for (uint v = 0u; v < VECS; v++) {
        items[v].g.hi = by_pairs(runs + v, VECS) + (vec)(0.0f);
        items[v].gd.hi = by_pairs(d_runs + v, VECS);
        items[v].g.lo = items[v].gd.lo = (vec)(0.0f);
    }
}
#undef REDUCE
#undef VECS
