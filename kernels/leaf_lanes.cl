/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leaf of n consecutive floats, reduced in lanes by one work-item, by the ordinary rules. A template: SPACE is the address space
 * the leaf lies in, IN(x) the name of x for it. FETCH_AHEAD(i) may fetch what will be wanted next, which AHEAD declares: the second
 * look finds the leaf in a cache and leaves memory free. After lanes.cl, leaf.cl and store.cl.
 */
FUNC node_f IN(reduce)(const SPACE float *leaf, AHEAD uint n, float rn, float down, int *plain)
{
    vec a[LANE_VECS], s[LANE_VECS], q[LANE_VECS], tail[LANE_VECS];
    uint whole = n / CLNORM_LANES, rest = n % CLNORM_LANES;
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        a[l] = s[l] = q[l] = tail[l] = (vec)(0.0f);
    /* Absent values are 0, which adds nothing. */
    for (uint l = 0u; (l + 1u) * VEC <= rest; l++)
        tail[l] = VEC_LOAD(SPACE, leaf + whole * CLNORM_LANES + l * VEC);
    for (uint j = rest / VEC * VEC; j < rest; j++)
        ((float *)tail)[j] = leaf[whole * CLNORM_LANES + j];

    for (uint i = 0u; i < whole; i++) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++)
            a[l] += VEC_LOAD(SPACE, leaf + (i * LANE_VECS + l) * VEC);
    }
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        a[l] += tail[l];
    float m = mul_f(lanes_sum(a), rn);

    for (uint i = 0u; i < whole; i++) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            vec d = VEC_LOAD(SPACE, leaf + (i * LANE_VECS + l) * VEC) - m;
            FETCH_AHEAD((i * LANE_VECS + l) * VEC);
            s[l] += d;
            q[l] = fma(d, d, q[l]);
        }
    }
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++) {
        ivec here = LANE_NUMBERS + l * VEC < (ivec)((int)rest);
        vec d = here ? tail[l] - m : (vec)(0.0f);
        s[l] += d;
        q[l] = fma(d, d, q[l]);
    }
    float sum = lanes_sum(s), squares = lanes_sum(q);
    *plain = LEAF_PLAIN(m, squares);
    return leaf_node_f(m, sum, squares, rn, down);
}
