/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leaf of n rows, `pitch` elements apart, of VECS vectors of channels side by side. A template: REDUCE is its name; KEEP(i) may keep
 * what the first look reads, KEPT(i, v) is what the second reads of row i of a run. The loop over runs stays one: compilers that see
 * several runs at once need more registers than there are.
 */
FUNC void REDUCE(const global elem *p, ulong pitch, uint n, float rn, struct fetch *fetch, item_v *nodes)
{
    vec copy[CLNORM_LANES * VECS], runs[RUNS * VECS], q_runs[RUNS * VECS], m[VECS];
    vec *kept = copy;
    const global elem *const from = p;
    const uint whole = n / 4u;
    for (uint r = whole; r < RUNS; r++) {
        for (uint v = 0u; v < VECS; v++) {
            vec t = (vec)(0.0f);
            for (uint i = 0u; 4u * r + i < n; i++)
                t += KEEP((4u * r + i) * VECS + v) GET_V(p + (4u * r + i) * pitch + v * VEC);
            runs[r * VECS + v] = t;
        }
    }
#pragma nounroll
    for (uint r = 0u; r < whole; r++, p += 4u * pitch, kept += 4u * VECS) {
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            vec t = KEEP(v) GET_V(p + v * VEC);
#pragma unroll
            for (uint i = 1u; i < 4u; i++)
                t += KEEP(i * VECS + v) GET_V(p + i * pitch + v * VEC);
            runs[r * VECS + v] = t;
        }
    }
#pragma unroll
    for (uint v = 0u; v < VECS; v++)
        m[v] = mul_v(by_pairs(runs + v, VECS), (vec)(rn));
    kept = copy;
    p = from;
#pragma nounroll
    for (uint r = 0u; r < whole; r++, p += 4u * pitch, kept += 4u * VECS) {
        fetch_on(fetch, FETCH_PIECES(VECS));
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            vec d = KEPT(0u, v) - m[v], t = d, u = mul_v(d, d);
#pragma unroll
            for (uint i = 1u; i < 4u; i++) {
                d = KEPT(i, v) - m[v];
                t += d;
                u = fma(d, d, u);
            }
            runs[r * VECS + v] = t;
            q_runs[r * VECS + v] = u;
        }
    }
    for (uint r = whole; r < RUNS; r++) {
        for (uint v = 0u; v < VECS; v++) {
            vec t = (vec)(0.0f), u = (vec)(0.0f);
            for (uint i = 0u; 4u * r + i < n; i++) {
                vec d = KEPT(4u * (r - whole) + i, v) - m[v];
                t += d;
                u = fma(d, d, u);
            }
            runs[r * VECS + v] = t;
            q_runs[r * VECS + v] = u;
        }
    }
    for (uint v = 0u; v < VECS; v++) {
        vec s = by_pairs(runs + v, VECS), q = by_pairs(q_runs + v, VECS);
        if (all(LEAF_PLAIN(m[v], q))) {
            nodes[v] = leaf_node_v(m[v], s, q, (vec)(rn), (vec)(1.0f));
        } else {
            gather_tile_src(copy, from + v * VEC, pitch, n, VEC);
            nodes[v] = reduce_tile(copy, n, rn);
        }
    }
}
#undef REDUCE
#undef VECS
