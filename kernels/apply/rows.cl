/* SPDX-License-Identifier: Apache-2.0 */
/* The last step on channels-first rows, by one work-item. After lanes.cl, coef.cl, store.cl and apply_args.cl. */

/*
 * A long row; meanwhile what lies `ahead` elements further on is fetched. Forward, diff_dst is not read. Stores that pass the caches take
 * whole lines and nothing but them: memory is slow where a line gets stores of both kinds.
 */
FUNC void apply_row(const struct tensors all, ulong n, const coefs_f k, ulong stream, ulong ahead)
{
    coefs_v kv = coefs_splat(k);
    outcome_v y;
    TENSORS_OWN(t, all, n);
    const ulong first = SPAN_FIRST(t, n, stream), last = first + (n - first) / LINE * LINE;
    for (ulong i = 0u; i < n;) {
        const int in_lines = i >= first && i < last, past = in_lines && SPAN_STREAMS(t, first, stream);
        const ulong stop = i < first ? first : in_lines ? last : n;
        for (; i + VEC <= stop; i += VEC) {
            TENSORS_FETCH(t, ahead + i);
            y = step_v(t, i, kv);
            LEAVE_V(t, i, y, past);
        }
        for (; i < stop; i++)
            leave_f(t, i, step_f(t, i, k));
    }
}

/*
 * Short rows that lie one after another in dst, of neighbouring channels of a sample, are taken as one long run: every element
 * has its own coefficients, written out once for all samples, RUN_STRIDE floats of each.
 */
#define RUN_STRIDE (CLNORM_RUN + 2u * VEC) /* a run begins in the first vector; its last one reaches beyond it */
#define RUN_FLOATS (COEFS_WORDS * RUN_STRIDE)

/* Row j of s elements of a run. */
FUNC void run_fill(float *run, uint j, uint s, const coefs_f k)
{
    for (uint i = j * s; i < (j + 1u) * s; i += VEC)
        coefs_write(run + i, RUN_STRIDE, k);
}

/*
 * A run of n elements; dst may be what is read. Those at either end that no aligned vector holds come from vectors which overlap
 * others, read before anything is stored. What lies `ahead` elements further on is fetched meanwhile, where results pass the caches:
 * else it is in one, and near enough.
 */
FUNC void apply_run(const struct tensors all, uint n, const float *run, ulong stream, ulong ahead)
{
    outcome_v ends[2], y;
    coefs_v k;
    coefs_f one; /* outside loops, see README.md */
    TENSORS_OWN(t, all, n);
    if (n < VEC) {
        coefs_read(&k, run, RUN_STRIDE);
        for (uint i = 0u; i < n; i++) {
            one = coefs_of(&k, i);
            leave_f(t, i, step_f(t, i, one));
        }
        return;
    }
    uint head = (uint)SPAN_HEAD(t, n), i = head;
    const uint first = until_line(DST_ON(t.dst, 0), n), last = first + (n - first) / LINE * LINE;
    for (uint e = 0u; e < 2u; e++) {
        coefs_read(&k, run + e * (n - VEC), RUN_STRIDE);
        ends[e] = step_v(t, e * (n - VEC), k);
    }
    for (; i + VEC <= n; i += VEC) {
        coefs_read(&k, run + i, RUN_STRIDE);
        y = step_v(t, i, k);
        if (stream && i >= first && i < last) {
            TENSORS_FETCH(t, ahead + i);
            LEAVE_V(t, i, y, until_aligned(DST_ON(t.dst, i), VEC) == 0u);
        } else {
            LEAVE_V(t, i, y, 0);
        }
    }
    leave_some(t, 0u, &ends[0], 0u, head);
    leave_some(t, i, &ends[1], VEC - (n - i), n - i);
}
