/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaf of n rows of VECS vectors of channels side by side. A template: REDUCE is its name. The first look keeps a copy for the second:
 * rows that lie a multiple of 1 KiB apart share so few sets of the first-level cache that it keeps none of them. The loop over runs
 * stays one: compilers that see several runs at once need more registers than there are.
 */
FUNC void REDUCE(const global float *p, ulong c, uint n, float rn, struct fetch *fetch, item_v *nodes)
{
    vec copy[CLNORM_LANES * VECS], runs[RUNS * VECS], q_runs[RUNS * VECS], m[VECS], t[VECS], u[VECS];
    vec *kept = copy;
#pragma nounroll
    for (uint r = 0u; r < RUNS; r++, p += 4u * c, kept += 4u * VECS) {
#pragma unroll
        for (uint v = 0u; v < VECS; v++)
            t[v] = (vec)(0.0f);
        if (4u * r + 4u <= n) {
#pragma unroll
            for (uint i = 0u; i < 4u; i++) {
#pragma unroll
                for (uint v = 0u; v < VECS; v++)
                    t[v] += kept[i * VECS + v] = VEC_LOAD(global, p + i * c + v * VEC);
            }
        } else {
            for (uint i = 0u; 4u * r + i < n; i++)
                for (uint v = 0u; v < VECS; v++)
                    t[v] += kept[i * VECS + v] = VEC_LOAD(global, p + i * c + v * VEC);
        }
#pragma unroll
        for (uint v = 0u; v < VECS; v++)
            runs[r * VECS + v] = t[v];
    }
#pragma unroll
    for (uint v = 0u; v < VECS; v++)
        m[v] = mul_v(by_pairs(runs + v, VECS), (vec)(rn));
    kept = copy;
#pragma nounroll
    for (uint r = 0u; r < RUNS; r++, kept += 4u * VECS) {
#pragma unroll
        for (uint v = 0u; v < VECS; v++)
            t[v] = u[v] = (vec)(0.0f);
        fetch_on(fetch);
        if (4u * r + 4u <= n) {
#pragma unroll
            for (uint i = 0u; i < 4u; i++) {
#pragma unroll
                for (uint v = 0u; v < VECS; v++) {
                    vec d = kept[i * VECS + v] - m[v];
                    t[v] += d;
                    u[v] = fma(d, d, u[v]);
                }
            }
        } else {
            for (uint i = 0u; 4u * r + i < n; i++) {
                for (uint v = 0u; v < VECS; v++) {
                    vec d = kept[i * VECS + v] - m[v];
                    t[v] += d;
                    u[v] = fma(d, d, u[v]);
                }
            }
        }
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            runs[r * VECS + v] = t[v];
            q_runs[r * VECS + v] = u[v];
        }
    }
    for (uint v = 0u; v < VECS; v++) {
        vec s = by_pairs(runs + v, VECS), q = by_pairs(q_runs + v, VECS);
        if (all(LEAF_PLAIN(m[v], q))) {
            nodes[v] = leaf_node_v(m[v], s, q, (vec)(rn), (vec)(1.0f));
        } else {
            for (uint i = 0u; i < n; i++)
                copy[i * VECS] = copy[i * VECS + v];
            nodes[v] = reduce_tile(copy, VECS, n, rn);
        }
    }
}
#undef REDUCE
#undef VECS
