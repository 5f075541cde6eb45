/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A leaf of n floats, reduced in lanes by one work-item, by the ordinary rules. A template: IN(x) is the name of x for it, LEAF
 * declares the leaf, LOOK(i) reads values i to i + VEC - 1, LOOK_REST(i, rest) the last few, 0 behind them. FETCH_AHEAD(i) may fetch
 * what will be wanted next: the second look finds the leaf in a cache and leaves memory free. After lanes.cl, leaf.cl and store.cl.
 */

/* A run of one vector of lanes: the four rows from value i on. */
FUNC vec IN(run_sum)(LEAF, uint i)
{
    return ((LOOK(i) + LOOK(i + 64u)) + LOOK(i + 128u)) + LOOK(i + 192u);
}

FUNC void IN(run_squares)(LEAF, uint i, float m, vec *s, vec *q)
{
    vec d0 = LOOK(i) - m, d1 = LOOK(i + 64u) - m, d2 = LOOK(i + 128u) - m, d3 = LOOK(i + 192u) - m;
    FETCH_AHEAD(i);
    FETCH_AHEAD(i + 64u);
    FETCH_AHEAD(i + 128u);
    FETCH_AHEAD(i + 192u);
    *s = ((d0 + d1) + d2) + d3;
    *q = fma(d3, d3, fma(d2, d2, fma(d1, d1, mul_v(d0, d0))));
}

/* A run of fewer rows; tail is the row behind them, or 0, which adds nothing. */
FUNC vec IN(part_sum)(LEAF, uint i, uint rows, vec tail)
{
    vec a = (vec)(0.0f);
    for (uint r = 0u; r < rows; r++)
        a += LOOK(i + r * CLNORM_LANES);
    return a + tail;
}

FUNC void IN(part_squares)(LEAF, uint i, uint rows, float m, vec tail, vec *s, vec *q)
{
    *s = *q = (vec)(0.0f);
    for (uint r = 0u; r < rows; r++) {
        vec d = LOOK(i + r * CLNORM_LANES) - m;
        FETCH_AHEAD(i + r * CLNORM_LANES);
        *s += d;
        *q = fma(d, d, *q);
    }
    *s += tail;
    *q = fma(tail, tail, *q);
}

FUNC node_f IN(reduce)(LEAF, uint n, float rn, float magnify, int *plain)
{
    vec a[LANE_VECS], s[LANE_VECS], q[LANE_VECS], tail[LANE_VECS];
    /* Pairs of whole runs; then whole rows in two runs at most; then a tail, the next row of the run that is not full. */
    const uint pairs = n / (2u * RUN) * (2u * RUN), rest = n % CLNORM_LANES, whole = n - rest;
    const uint rows = (n - pairs) / CLNORM_LANES, first = min(rows, 4u);
    LANE_LOOP
    a[l] = s[l] = q[l] = tail[l] = (vec)(0.0f);
    for (uint l = 0u; l < rest / VEC; l++)
        tail[l] = LOOK(whole + l * VEC);
    if (rest % VEC)
        tail[rest / VEC] = LOOK_REST(whole + rest / VEC * VEC, rest % VEC);

    for (uint i = 0u; i < pairs; i += 2u * RUN) {
        LANE_LOOP
        a[l] += IN(run_sum)(LEAF_ARGS, i + l * VEC) + IN(run_sum)(LEAF_ARGS, i + RUN + l * VEC);
    }
    if (pairs < n) {
        LANE_LOOP
        {
            vec u = IN(part_sum)(LEAF_ARGS, pairs + l * VEC, first, first < 4u ? tail[l] : (vec)(0.0f));
            vec w = IN(part_sum)(LEAF_ARGS, pairs + RUN + l * VEC, rows - first, first < 4u ? (vec)(0.0f) : tail[l]);
            a[l] += u + w;
        }
    }
    float m = mul_f(lanes_sum(a), rn);

    for (uint i = 0u; i < pairs; i += 2u * RUN) {
        LANE_LOOP
        {
            vec s0, q0, s1, q1;
            IN(run_squares)(LEAF_ARGS, i + l * VEC, m, &s0, &q0);
            IN(run_squares)(LEAF_ARGS, i + RUN + l * VEC, m, &s1, &q1);
            s[l] += s0 + s1;
            q[l] += q0 + q1;
        }
    }
    if (pairs < n) {
        LANE_LOOP
        {
            vec s0, q0, s1, q1;
            vec d = LANE_NUMBERS + l * VEC < (ivec)((int)rest) ? tail[l] - m : (vec)(0.0f);
            IN(part_squares)(LEAF_ARGS, pairs + l * VEC, first, m, first < 4u ? d : (vec)(0.0f), &s0, &q0);
            IN(part_squares)(LEAF_ARGS, pairs + RUN + l * VEC, rows - first, m, first < 4u ? (vec)(0.0f) : d, &s1, &q1);
            s[l] += s0 + s1;
            q[l] += q0 + q1;
        }
    }
    float sum = lanes_sum(s), squares = lanes_sum(q);
    *plain = LEAF_PLAIN(m, squares);
    return leaf_node_f(m, sum, squares, rn, magnify);
}
#undef IN
#undef LEAF
#undef LEAF_ARGS
#undef LOOK
#undef LOOK_REST
#undef FETCH_AHEAD
