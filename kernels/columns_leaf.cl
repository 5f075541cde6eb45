/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leaf of VECS vectors side by side. A template: REDUCE is its name, KEPT(i, v) what the second look reads of row i, KEEP(i, v) may
 * put it there at the first. After leaf.cl and tile.cl.
 *
 * A tile, 64 rows of `parts` such leaves side by side, is in a cache while they are reduced one after the other; meanwhile part number
 * `part` fetches its share of the tile at ahead, in rows, as memory likes to be read. Returns whether the ordinary rules hold.
 */
FUNC int REDUCE(const global float *leaf, const global float *ahead, ulong c, uint n, float rn, uint parts, uint part,
                item_v *nodes)
{
    vec a[VECS], m[VECS], s[VECS], q[VECS];
#if KEEP_COLUMNS
    vec kept[VECS * CLNORM_LANES];
#endif
    ivec plain = (ivec)(-1);
#pragma unroll
    for (uint v = 0u; v < VECS; v++)
        a[v] = s[v] = q[v] = (vec)(0.0f);
    for (uint i = 0u; i < n; i++) {
#pragma unroll
        for (uint v = 0u; v < VECS; v++)
            a[v] += KEEP(i, v) VEC_LOAD(global, leaf + i * c + v * VEC);
    }
#pragma unroll
    for (uint v = 0u; v < VECS; v++)
        m[v] = mul_v(a[v], (vec)(rn));
    for (uint i = 0u; i < n; i++) {
        FETCH_SHARE(ahead, c, i, parts, part, VECS);
#pragma unroll
        for (uint v = 0u; v < VECS; v++) {
            vec d = KEPT(i, v) - m[v];
            s[v] += d;
            q[v] = fma(d, d, q[v]);
        }
    }
    for (uint v = 0u; v < VECS; v++) {
        plain &= LEAF_PLAIN(m[v], q[v]);
        nodes[v] = leaf_node_v(m[v], s[v], q[v], (vec)(rn), (vec)(1.0f));
    }
    return all(plain);
}
#undef REDUCE
#undef VECS
