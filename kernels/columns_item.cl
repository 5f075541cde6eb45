/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of NV * VEC neighbouring channels, by one work-item: wide rows, so that memory is read in longer runs. A
 * template: NV vectors, COLS(x) the name of x for them. After leaf_columns.cl, trees.cl and store.cl.
 */

/* Fetches, meanwhile, the same columns of the rows from ahead on. */
FUNC void COLS(leaf)(const global float *leaf, const global float *ahead, ulong c, uint n, float rn, item_v *nodes)
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
#pragma unroll
        for (int v = 0; v < NV; v++) {
            vec d = VEC_LOAD(global, leaf + i * c + v * VEC) - m[v];
            PREFETCH(ahead + i * c + v * VEC);
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

/* The roots of `count` leaves from `start` on; stacks holds NV stacks. */
FUNC void COLS(reduce_block)(const global float *src, const struct clnorm_shape *shape, TREE tree, uint start, uint count,
                             ulong c, item_v *roots)
{
    item_v stack[NV][CLNORM_TREE_LEVELS + 1u], nodes[NV];
    for (uint k = 0u; k < count; k++) {
        uint n = leaf_size(shape, start + k);
        const global float *leaf = src + leaf_start(shape, start + k, c);
        const global float *next = start + k + 1u < shape->leaves ? leaf + CLNORM_LANES * shape->c : leaf;
        COLS(leaf)(leaf, next, shape->c, n, leaf_reciprocal(shape, n), nodes);
        for (int v = 0; v < NV; v++)
            tree_push_v(stack[v], tree, start, k, nodes[v]);
    }
    for (int v = 0; v < NV; v++)
        roots[v] = tree_close_v(stack[v], tree, start, count);
}
