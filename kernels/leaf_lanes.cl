/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The looks at a leaf of n floats, in lanes, by one work-item. A template: IN(x) is the name of x for it, LEAF
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

/* Pairs of whole runs; then whole rows in two runs at most; then a tail, the next row of the run that is not full. */
struct IN(parts) {
    uint pairs, rows, first, rest;
    vec tail[LANE_VECS];
};

FUNC void IN(parts_of)(LEAF, uint n, struct IN(parts) * k)
{
    k->pairs = n / (2u * RUN) * (2u * RUN);
    k->rest = n % CLNORM_LANES;
    k->rows = (n - k->pairs) / CLNORM_LANES;
    k->first = min(k->rows, 4u);
    LANE_LOOP
    k->tail[l] = (vec)(0.0f); /* absent values are 0, which adds nothing */
    for (uint l = 0u; l < k->rest / VEC; l++)
        k->tail[l] = LOOK(n - k->rest + l * VEC);
    if (k->rest % VEC)
        k->tail[k->rest / VEC] = LOOK_REST(n - k->rest + k->rest / VEC * VEC, k->rest % VEC);
}

/* The sum of the values. */
FUNC float IN(leaf_sum)(LEAF, uint n, const struct IN(parts) * k)
{
    vec a[LANE_VECS], none = (vec)(0.0f);
    LANE_LOOP
    a[l] = none;
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
        LANE_LOOP
        a[l] += IN(run_sum)(LEAF_ARGS, i + l * VEC) + IN(run_sum)(LEAF_ARGS, i + RUN + l * VEC);
    }
    if (k->pairs < n) {
        const int is_first = k->first < 4u;
        LANE_LOOP
        {
            uint i = k->pairs + l * VEC;
            vec t = IN(part_sum)(LEAF_ARGS, i, k->first, is_first ? k->tail[l] : none);
            a[l] += t + IN(part_sum)(LEAF_ARGS, i + RUN, k->rows - k->first, is_first ? none : k->tail[l]);
        }
    }
    return lanes_sum(a);
}

/* Of deviations from m: their sum and that of their squares. */
FUNC void IN(leaf_squares)(LEAF, uint n, const struct IN(parts) * k, float m, float *sum, float *squares)
{
    vec s[LANE_VECS], q[LANE_VECS], s0, q0, s1, q1, none = (vec)(0.0f);
    LANE_LOOP
    s[l] = q[l] = none;
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
        LANE_LOOP
        {
            IN(run_squares)(LEAF_ARGS, i + l * VEC, m, &s0, &q0);
            IN(run_squares)(LEAF_ARGS, i + RUN + l * VEC, m, &s1, &q1);
            s[l] += s0 + s1;
            q[l] += q0 + q1;
        }
    }
    if (k->pairs < n) {
        const int is_first = k->first < 4u;
        LANE_LOOP
        {
            uint i = k->pairs + l * VEC;
            vec d = LANE_NUMBERS + l * VEC < (ivec)((int)k->rest) ? k->tail[l] - m : none;
            IN(part_squares)(LEAF_ARGS, i, k->first, m, is_first ? d : none, &s0, &q0);
            IN(part_squares)(LEAF_ARGS, i + RUN, k->rows - k->first, m, is_first ? none : d, &s1, &q1);
            s[l] += s0 + s1;
            q[l] += q0 + q1;
        }
    }
    *sum = lanes_sum(s);
    *squares = lanes_sum(q);
}
#undef IN
#undef LEAF
#undef LEAF_ARGS
#undef LOOK
#undef LOOK_REST
#undef FETCH_AHEAD
