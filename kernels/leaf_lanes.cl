/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leaf of n consecutive floats, reduced in lanes by one work-item. A template: SPACE is the address space the leaf lies in,
 * IN(x) the name of x for it. ahead is what will be wanted next: the second look finds the leaf in a cache, which leaves memory
 * free for it. After lanes.cl, leaf.cl and store.cl.
 */

/* The last, incomplete row of lanes: absent values are 0, which adds nothing. */
FUNC void IN(lanes_tail)(vec *tail, const SPACE float *values, uint rest)
{
    for (int l = 0; l < LANE_VECS; l++)
        tail[l] = (vec)(0.0f);
    for (uint j = 0u; j < rest; j++)
        ((float *)tail)[j] = values[j];
}

FUNC node_f IN(reduce)(const SPACE float *leaf, const global float *ahead, uint n, float rn, float down, float *m_out,
                       float *q_out)
{
    vec a[LANE_VECS], s[LANE_VECS], q[LANE_VECS], tail[LANE_VECS];
    uint whole = n / CLNORM_LANES, rest = n % CLNORM_LANES;
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        a[l] = s[l] = q[l] = (vec)(0.0f);

    for (uint i = 0u; i < whole; i++) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++)
            a[l] += VEC_LOAD(SPACE, leaf + (i * LANE_VECS + l) * VEC) * down;
    }
    if (rest) {
        IN(lanes_tail)(tail, leaf + whole * CLNORM_LANES, rest);
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++)
            a[l] += tail[l] * down;
    }
    float m = mul_f(lanes_sum(a), rn);

    for (uint i = 0u; i < whole; i++) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            vec d = VEC_LOAD(SPACE, leaf + (i * LANE_VECS + l) * VEC) * down - m;
            PREFETCH(ahead + (i * LANE_VECS + l) * VEC);
            s[l] += d;
            q[l] = fma(d, d, q[l]);
        }
    }
    if (rest) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            ivec here = LANE_NUMBERS + l * VEC < (ivec)((int)rest);
            vec d = here ? tail[l] * down - m : (vec)(0.0f);
            s[l] += d;
            q[l] = fma(d, d, q[l]);
        }
    }
    float sum = lanes_sum(s);
    *m_out = m;
    *q_out = lanes_sum(q);
    return leaf_node_f(m, sum, *q_out, rn, down);
}

FUNC node_f IN(leaf)(const SPACE float *leaf, const global float *ahead, uint n, float rn)
{
    float m, q;
    node_f node = IN(reduce)(leaf, ahead, n, rn, 1.0f, &m, &q);
    if (LEAF_PLAIN(m, q))
        return node;
    float most = 0.0f;
    int same = fabs(leaf[0]) <= FLT_MAX;
    for (uint i = 0u; i < n; i++) {
        most = fabs(leaf[i]) > most ? fabs(leaf[i]) : most;
        same &= leaf[i] == leaf[0];
    }
    float down = most > CLNORM_BIG ? CLNORM_DOWN : 1.0f;
    if (same)
        return leaf_constant(leaf[0], down);
    return most > CLNORM_BIG ? IN(reduce)(leaf, ahead, n, rn, down, &m, &q) : node;
}
