/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The looks at a leaf of n floats, in lanes, by one work-item. A template: IN(x) is the name of x for it, PLACE is what points to values
 * of the leaf, AT(p, i) the place i values further on, LOOK(p) reads the VEC values there, LOOK_REST(p, rest) the last few, 0 behind
 * them. FETCH(p, i) may fetch what will be wanted next, i values from p: the second look finds the leaf in a cache and leaves memory
 * free. After lanes.cl, leaf.cl and store.cl.
 *
 * Loops over the vectors of the lanes stay loops: a body has two chains of a run each, and compilers that see several at once do worse.
 */

/* A run of one vector of lanes: four rows of 64 values. */
FUNC vec IN(run_sum)(PLACE p)
{
    return ((LOOK(p) + LOOK(AT(p, 64))) + LOOK(AT(p, 128))) + LOOK(AT(p, 192));
}

FUNC void IN(run_squares)(PLACE p, NEXT ahead, vec m, vec *s, vec *q)
{
    vec d0 = LOOK(p) - m, d1 = LOOK(AT(p, 64)) - m, d2 = LOOK(AT(p, 128)) - m, d3 = LOOK(AT(p, 192)) - m;
    FETCH(ahead, 0);
    FETCH(ahead, 64);
    FETCH(ahead, 128);
    FETCH(ahead, 192);
    *s = ((d0 + d1) + d2) + d3;
    *q = fma(d3, d3, fma(d2, d2, fma(d1, d1, mul_v(d0, d0))));
}

/* A run of fewer rows; tail is the row behind them, or 0, which adds nothing. */
FUNC vec IN(part_sum)(PLACE p, uint rows, vec tail)
{
    vec a = (vec)(0.0f);
    for (uint r = 0u; r < rows; r++)
        a += LOOK(AT(p, r * CLNORM_LANES));
    return a + tail;
}

FUNC void IN(part_squares)(PLACE p, NEXT ahead, uint rows, vec m, vec tail, vec *s, vec *q)
{
    *s = *q = (vec)(0.0f);
    for (uint r = 0u; r < rows; r++) {
        vec d = LOOK(AT(p, r * CLNORM_LANES)) - m;
        FETCH(ahead, r * CLNORM_LANES);
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

FUNC void IN(parts_of)(PLACE leaf, uint n, struct IN(parts) * k)
{
    k->pairs = n / (2u * RUN) * (2u * RUN);
    k->rest = n % CLNORM_LANES;
    k->rows = (n - k->pairs) / CLNORM_LANES;
    k->first = min(k->rows, 4u);
    if (k->pairs == n)
        return;
    for (uint l = 0u; l < LANE_VECS; l++)
        k->tail[l] = (vec)(0.0f); /* absent values are 0, which adds nothing */
    for (uint l = 0u; l < k->rest / VEC; l++)
        k->tail[l] = LOOK(AT(leaf, n - k->rest + l * VEC));
    if (k->rest % VEC)
        k->tail[k->rest / VEC] = LOOK_REST(AT(leaf, n - k->rest + k->rest / VEC * VEC), k->rest % VEC);
}

/* The sum of the values. */
FUNC float IN(leaf_sum)(PLACE leaf, uint n, const struct IN(parts) * k)
{
    vec a[LANE_VECS], none = (vec)(0.0f);
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            vec t = IN(run_sum)(AT(leaf, i + l * VEC)) + IN(run_sum)(AT(leaf, i + l * VEC + RUN));
            a[l] = i ? a[l] + t : t;
        }
    }
    const int is_first = k->first < 4u;
#pragma nounroll
    for (uint l = 0u; l < LANE_VECS && k->pairs < n; l++) {
        PLACE p = AT(leaf, k->pairs + l * VEC);
        vec t = IN(part_sum)(p, k->first, is_first ? k->tail[l] : none);
        t += IN(part_sum)(AT(p, RUN), k->rows - k->first, is_first ? none : k->tail[l]);
        a[l] = k->pairs ? a[l] + t : t;
    }
    return lanes_sum(a);
}

/* Of deviations from m: their sum and that of their squares. */
FUNC void IN(leaf_squares)(PLACE leaf, NEXT ahead, uint n, const struct IN(parts) * k, float mean, float *sum,
                           float *squares)
{
    vec s[LANE_VECS], q[LANE_VECS], s0, q0, s1, q1, none = (vec)(0.0f), m = (vec)(mean);
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            PLACE p = AT(leaf, i + l * VEC);
            IN(run_squares)(p, AHEAD(ahead, i + l * VEC), m, &s0, &q0);
            IN(run_squares)(AT(p, RUN), AHEAD(ahead, i + l * VEC + RUN), m, &s1, &q1);
            s[l] = i ? s[l] + (s0 + s1) : s0 + s1;
            q[l] = i ? q[l] + (q0 + q1) : q0 + q1;
        }
    }
    const int is_first = k->first < 4u;
#pragma nounroll
    for (uint l = 0u; l < LANE_VECS && k->pairs < n; l++) {
        const uint i = k->pairs + l * VEC;
        PLACE p = AT(leaf, i);
        vec d = LANE_NUMBERS + (ivec)((int)(l * VEC)) < (ivec)((int)k->rest) ? k->tail[l] - m : none;
        IN(part_squares)(p, AHEAD(ahead, i), k->first, m, is_first ? d : none, &s0, &q0);
        IN(part_squares)(AT(p, RUN), AHEAD(ahead, i + RUN), k->rows - k->first, m, is_first ? none : d, &s1, &q1);
        s[l] = k->pairs ? s[l] + (s0 + s1) : s0 + s1;
        q[l] = k->pairs ? q[l] + (q0 + q1) : q0 + q1;
    }
    *sum = lanes_sum(s);
    *squares = lanes_sum(q);
}
#undef IN
#undef PLACE
#undef NEXT
#undef AT
#undef AHEAD
#undef LOOK
#undef LOOK_REST
#undef FETCH
