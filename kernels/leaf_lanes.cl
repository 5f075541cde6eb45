/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leaf of n floats, reduced in lanes by one work-item, by the ordinary rules. A template: IN(x) is the name of x for it, LEAF
 * declares the leaf, LOOK(i) reads values i to i + VEC - 1, LOOK_REST(i, rest) the last few, 0 behind them. FETCH_AHEAD(i) may fetch
 * what will be wanted next: the second look finds the leaf in a cache and leaves memory free. After lanes.cl, leaf.cl and store.cl.
 */
FUNC node_f IN(reduce)(LEAF, uint n, float rn, float down, int *plain)
{
    vec a[LANE_VECS], s[LANE_VECS], q[LANE_VECS], tail[LANE_VECS];
    uint whole = n / CLNORM_LANES * CLNORM_LANES, rest = n % CLNORM_LANES;
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        a[l] = s[l] = q[l] = tail[l] = (vec)(0.0f);
    for (uint i = 0u; i < whole; i += CLNORM_LANES) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++)
            a[l] += LOOK(i + l * VEC);
    }
    /* Absent values are 0, which adds nothing. */
    for (uint l = 0u; l < rest / VEC; l++)
        tail[l] = LOOK(whole + l * VEC);
    if (rest % VEC)
        tail[rest / VEC] = LOOK_REST(whole + rest / VEC * VEC, rest % VEC);
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        a[l] += tail[l];
    float m = mul_f(lanes_sum(a), rn);

    for (uint i = 0u; i < whole; i += CLNORM_LANES) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            vec d = LOOK(i + l * VEC) - m;
            FETCH_AHEAD(i + l * VEC);
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
#undef IN
#undef LEAF
#undef LOOK
#undef LOOK_REST
#undef FETCH_AHEAD
