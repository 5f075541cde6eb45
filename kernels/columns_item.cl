/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of NV * VEC neighbouring channels, by one work-item. A template: NV vectors, COLS(x) the name of x for them.
 * After leaf_columns.cl, trees.cl and store.cl.
 */

/*
 * One leaf. A tile, 64 rows of `wide` such groups of columns side by side, is in a cache while its groups are reduced one after
 * the other; meanwhile group number `group` fetches its share of the tile at ahead, in rows, as memory likes to be read.
 */
FUNC void COLS(leaf)(const global float *leaf, const global float *ahead, ulong c, uint n, float rn, uint wide,
                     uint group, item_v *nodes)
{
    vec a[NV], m[NV], s[NV], q[NV];
    int plain = 1;
#pragma unroll
    for (int v = 0; v < NV; v++)
        a[v] = s[v] = q[v] = (vec)(0.0f);
    for (uint i = 0u; i < n; i++) {
#pragma unroll
        for (int v = 0; v < NV; v++)
            a[v] += VEC_LOAD(global, leaf + i * c + v * VEC);
    }
#pragma unroll
    for (int v = 0; v < NV; v++)
        m[v] = mul_v(a[v], (vec)(rn));
    for (uint i = 0u; i < n; i++) {
        FETCH_SHARE(ahead, c, i, wide, group);
#pragma unroll
        for (int v = 0; v < NV; v++) {
            vec d = VEC_LOAD(global, leaf + i * c + v * VEC) - m[v];
            s[v] += d;
            q[v] = fma(d, d, q[v]);
        }
    }
#pragma unroll
    for (int v = 0; v < NV; v++) {
        plain &= all(LEAF_PLAIN(m[v], q[v]));
        nodes[v] = leaf_node_v(m[v], s[v], q[v], (vec)(rn), (vec)(1.0f));
    }
    if (!plain)
        for (int v = 0; v < NV; v++)
            nodes[v] = leaf_v(leaf + v * VEC, c, n, rn);
}

/* The roots of `count` leaves from `start` on, of `wide` groups of columns: wide * NV roots, wide a power of two up to WIDE. */
FUNC void COLS(reduce_block)(const global float *src, const struct clnorm_shape *shape, TREE tree, uint start,
                             uint count, ulong c, uint wide, item_v *roots)
{
    item_v stack[WIDE * NV][CLNORM_TREE_LEVELS + 1u], nodes[NV];
    for (uint k = 0u; k < count; k++) {
        uint n = leaf_size(shape, start + k);
        float rn = leaf_reciprocal(shape, n);
        const global float *tile = src + leaf_start(shape, start + k, c);
        const global float *ahead = start + k + 1u < shape->leaves ? tile + CLNORM_LANES * shape->c : tile;
        for (uint group = 0u; group < wide; group++) {
            COLS(leaf)(tile + group * NV * VEC, ahead, shape->c, n, rn, wide, group, nodes);
            for (uint v = 0u; v < NV; v++)
                tree_push_v(stack[group * NV + v], tree, start, k, nodes[v]);
        }
    }
    for (uint v = 0u; v < wide * NV; v++)
        roots[v] = tree_close_v(stack[v], tree, start, count);
}
