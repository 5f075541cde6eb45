/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-last leaf of one channel, by one work-item. After leaf.cl and columns.cl. */

FUNC float column_sum(const global elem *leaf, ulong pitch, uint n, float magnify)
{
    struct runs a;
    for (uint r = 0u; r < CLNORM_LANES / 4u; r++) {
        float run = 0.0f;
        for (uint i = 4u * r; i < 4u * r + 4u && i < n; i++)
            run += mul_f(GET(leaf + i * pitch), magnify);
        a.run[r] = run;
    }
    return runs_sum(&a);
}

/* Of deviations from m: their sum and that of their squares. */
FUNC void column_squares(const global elem *leaf, ulong pitch, uint n, float magnify, float m, float *sum,
                         float *squares)
{
    struct runs s, q;
    for (uint r = 0u; r < CLNORM_LANES / 4u; r++) {
        float run = 0.0f, square_run = 0.0f;
        for (uint i = 4u * r; i < 4u * r + 4u && i < n; i++) {
            float d = mul_f(GET(leaf + i * pitch), magnify) - m;
            run += d;
            square_run = fma(d, d, square_run);
        }
        s.run[r] = run;
        q.run[r] = square_run;
    }
    *sum = runs_sum(&s);
    *squares = runs_sum(&q);
}

FUNC node_f reduce_leaf(const global elem *leaf, ulong pitch, uint n, float rn)
{
    float s, q, first = GET(leaf), most = 0.0f;
    float m = mul_f(column_sum(leaf, pitch, n, 1.0f), rn);
    column_squares(leaf, pitch, n, 1.0f, m, &s, &q);
    if (LEAF_PLAIN(m, q))
        return leaf_node_f(m, s, q, rn, 1.0f);
    int same = fabs(first) <= FLT_MAX;
    for (uint i = 0u; i < n; i++) {
        float v = GET(leaf + i * pitch);
        most = fabs(v) > most ? fabs(v) : most;
        same &= v == first;
    }
    float magnify = MAGNIFY_OF(float, most);
    if (same)
        return leaf_constant(first, magnify);
    m = mul_f(column_sum(leaf, pitch, n, magnify), rn);
    for (uint look = 0u; look < 2u; look++) {
        column_squares(leaf, pitch, n, magnify, m, &s, &q);
        if (look || !LEAF_IS_OFF(s, q, rn))
            break;
        m += mul_f(s, rn);
    }
    return leaf_node_f(m, s, q, rn, magnify);
}
