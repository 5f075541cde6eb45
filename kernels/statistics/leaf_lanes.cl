/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The looks at a leaf of n floats, in lanes, by one work-item. A template: IN(x) is the name of x for it, PLACE is what points to values
 * of the leaf, AT(p, i) the place i values further on, LOOK(p) reads the VEC values there, LOOK_REST(p, rest) the last few, 0 behind
 * them. FETCH(p, i) may fetch PAIR values of what will be wanted next, from value i on, in the order of memory: the second look
 * finds the leaf in a cache and leaves memory free. After lanes.cl, leaf.cl and store.cl.
 *
 * Loops over the vectors of the lanes stay loops: a body has two chains of a run each, and compilers that see several at once do worse.
 */

#ifndef SMALL_CODE
/* A run of one vector of lanes: four rows of 64 values. */
FUNC vec IN(run_sum)(PLACE p)
{
    return ((LOOK(p) + LOOK(AT(p, 64))) + LOOK(AT(p, 128))) + LOOK(AT(p, 192));
}

FUNC void IN(run_squares)(PLACE p, vec m, vec *s, vec *q)
{
    vec d0 = LOOK(p) - m, d1 = LOOK(AT(p, 64)) - m, d2 = LOOK(AT(p, 128)) - m, d3 = LOOK(AT(p, 192)) - m;
    *s = ((d0 + d1) + d2) + d3;
    *q = fma(d3, d3, fma(d2, d2, fma(d1, d1, mul_v(d0, d0))));
}

#endif

/* A run of `rows` rows; tail is the row behind them, or 0, which adds nothing. */
FUNC vec IN(part_sum)(PLACE p, uint rows, vec tail)
{
    vec a = (vec)(0.0f);
#ifndef SMALL_CODE
    if (rows == 4u)
        return IN(run_sum)(p);
#endif
    for (uint r = 0u; r < rows; r++)
        a += LOOK(AT(p, r * CLNORM_LANES));
    return a + tail;
}

FUNC void IN(part_squares)(PLACE p, uint rows, vec m, vec tail, vec *s, vec *q)
{
#ifndef SMALL_CODE
    if (rows == 4u) {
        IN(run_squares)(p, m, s, q);
        return;
    }
#endif
    *s = *q = (vec)(0.0f);
    for (uint r = 0u; r < rows; r++) {
        vec d = LOOK(AT(p, r * CLNORM_LANES)) - m;
        *s += d;
        *q = fma(d, d, *q);
    }
    *s += tail;
    *q = fma(tail, tail, *q);
}

#ifndef PAIR
#define PAIR (8u * VEC) /* values of two runs of a vector of lanes */
#endif

/* A leaf's pairs of whole runs; and its tail, the row of fewer than 64 values at its end. */
struct IN(parts) {
    uint pairs, rest;
    vec tail[LANE_VECS];
};

FUNC void IN(parts_of)(PLACE leaf, uint n, struct IN(parts) * k)
{
#ifdef SMALL_CODE
    k->pairs = 0u; /* all of it goes the way of what is left */
#else
    k->pairs = n / (2u * RUN) * (2u * RUN);
#endif
    k->rest = n % CLNORM_LANES;
    if (k->pairs == n)
        return;
    for (uint l = 0u; l < LANE_VECS; l++)
        k->tail[l] = (vec)(0.0f); /* absent values are 0, which adds nothing */
    for (uint l = 0u; l < k->rest / VEC; l++)
        k->tail[l] = LOOK(AT(leaf, n - k->rest + l * VEC));
    if (k->rest % VEC)
        k->tail[k->rest / VEC] = LOOK_REST(AT(leaf, n - k->rest + k->rest / VEC * VEC), k->rest % VEC);
}

/* Of what is left from value i on: rows in the first run and in the second; and in which of them the tail goes, if it is here. */
#define LEFT(i)                                                                                                        \
    const uint rows = min((n - (i)) / CLNORM_LANES, 8u), first = min(rows, 4u), second = rows - first;                 \
    const int in_first = first < 4u, in_second = !in_first && second < 4u

/* The sum of the values. */
FUNC float IN(leaf_sum)(PLACE leaf, uint n, const struct IN(parts) * k)
{
    vec a[LANE_VECS], none = (vec)(0.0f);
#ifndef SMALL_CODE
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            PLACE p = AT(leaf, i + l * VEC);
            vec t = IN(run_sum)(p) + IN(run_sum)(AT(p, RUN));
            a[l] = i ? a[l] + t : t;
        }
    }
#endif
    for (uint i = k->pairs; i < n; i += 2u * RUN) {
        LEFT(i);
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            PLACE p = AT(leaf, i + l * VEC);
            vec t = IN(part_sum)(p, first, in_first ? k->tail[l] : none);
            if (second > 0u || (in_second && l * VEC < k->rest))
                t += IN(part_sum)(AT(p, RUN), second, in_second ? k->tail[l] : none);
            a[l] = i ? a[l] + t : t;
        }
    }
    return lanes_sum(a);
}

/* Of deviations from m: their sum and that of their squares. */
FUNC void IN(leaf_squares)(PLACE leaf, NEXT ahead, uint n, const struct IN(parts) * k, float mean, float *sum,
                           float *squares)
{
    vec s[LANE_VECS], q[LANE_VECS], s0, q0, s1, q1, none = (vec)(0.0f), m = (vec)(mean);
#ifndef SMALL_CODE
    for (uint i = 0u; i < k->pairs; i += 2u * RUN) {
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            PLACE p = AT(leaf, i + l * VEC);
            FETCH(ahead, i + l * PAIR);
            IN(run_squares)(p, m, &s0, &q0);
            IN(run_squares)(AT(p, RUN), m, &s1, &q1);
            s[l] = i ? s[l] + (s0 + s1) : s0 + s1;
            q[l] = i ? q[l] + (q0 + q1) : q0 + q1;
        }
    }
#endif
    for (uint i = k->pairs; i < n; i += 2u * RUN) {
        LEFT(i);
#pragma nounroll
        for (uint l = 0u; l < LANE_VECS; l++) {
            PLACE p = AT(leaf, i + l * VEC);
            vec d = LANE_NUMBERS + (ivec)((int)(l * VEC)) < (ivec)((int)k->rest) ? k->tail[l] - m : none;
            FETCH(ahead, i + l * PAIR);
            IN(part_squares)(p, first, m, in_first ? d : none, &s0, &q0);
            if (second > 0u || (in_second && l * VEC < k->rest)) {
                IN(part_squares)(AT(p, RUN), second, m, in_second ? d : none, &s1, &q1);
                s0 += s1;
                q0 += q1;
            }
            s[l] = i ? s[l] + s0 : s0;
            q[l] = i ? q[l] + q0 : q0;
        }
    }
    *sum = lanes_sum(s);
    *squares = lanes_sum(q);
}
#undef LEFT
#undef IN
#undef PLACE
#undef NEXT
#undef AT
#undef LOOK
#undef LOOK_REST
#undef FETCH
