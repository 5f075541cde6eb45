/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-last leaf of one channel, by one work-item. After leaf.cl and columns.cl. */

FUNC node_f reduce_column(const global float *leaf, ulong c, uint n, float rn, float magnify, float *m_out,
                          float *q_out)
{
    struct runs a, s, q;
    for (uint r = 0u; r < CLNORM_LANES / 4u; r++) {
        float run = 0.0f;
        for (uint i = 4u * r; i < 4u * r + 4u && i < n; i++)
            run += mul_f(leaf[i * c], magnify);
        runs_add(&a, r, run);
    }
    float m = mul_f(a.sum, rn);
    for (uint r = 0u; r < CLNORM_LANES / 4u; r++) {
        float run = 0.0f, squares = 0.0f;
        for (uint i = 4u * r; i < 4u * r + 4u && i < n; i++) {
            float d = mul_f(leaf[i * c], magnify) - m;
            run += d;
            squares = fma(d, d, squares);
        }
        runs_add(&s, r, run);
        runs_add(&q, r, squares);
    }
    *m_out = m;
    *q_out = q.sum;
    return leaf_node_f(m, s.sum, q.sum, rn, magnify);
}

FUNC node_f reduce_leaf(const global float *leaf, ulong c, uint n, float rn)
{
    float m, q, first = leaf[0], most = 0.0f;
    node_f node = reduce_column(leaf, c, n, rn, 1.0f, &m, &q);
    if (LEAF_PLAIN(m, q))
        return node;
    int same = fabs(first) <= FLT_MAX;
    for (uint i = 0u; i < n; i++) {
        float v = leaf[i * c];
        most = fabs(v) > most ? fabs(v) : most;
        same &= v == first;
    }
    float magnify = MAGNIFY_OF(float, most);
    if (same)
        return leaf_constant(first, magnify);
    return reduce_column(leaf, c, n, rn, magnify, &m, &q);
}
