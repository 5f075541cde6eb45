/* SPDX-License-Identifier: Apache-2.0 */
/* The last step on channels-first rows, by one work-item. After lanes.cl, coef.cl and store.cl. */
#if APPLY == APPLY_FORWARD
#define ROW_F(i) apply_f(src[i], 0.0f, k)
#define ROW_V(i) apply_v(VEC_LOAD(global, src + (i)), (vec)(0.0f), kv)
#define DIFF_PREFETCH(p)
#define DIFF_LOAD(p) (vec)(0.0f)
#else
#define ROW_F(i) apply_f(src[i], diff_dst[i], k)
#define ROW_V(i) apply_v(VEC_LOAD(global, src + (i)), VEC_LOAD(global, diff_dst + (i)), kv)
#define DIFF_PREFETCH(p) PREFETCH(p)
#define DIFF_LOAD(p) VEC_LOAD(global, p)
#endif

/*
 * A long row; meanwhile what lies `ahead` elements further on is fetched. Forward, diff_dst is not read. Stores that pass the caches take
 * whole lines and nothing but them: memory is slow where a line gets stores of both kinds.
 */
FUNC void apply_row(const global float *src, const global float *diff_dst, global float *dst, ulong n, coefs_f k,
                    ulong stream, ulong ahead)
{
    coefs_v kv = coefs_splat(k);
    const ulong first = stream ? until_line(dst, n) : n, last = first + (n - first) / LINE * LINE;
    for (ulong i = 0u; i < n;) {
        const int past = i >= first && i < last; /* the caches */
        const ulong stop = i < first ? first : past ? last : n;
        for (; i + VEC <= stop; i += VEC) {
            PREFETCH(src + ahead + i);
            DIFF_PREFETCH(diff_dst + ahead + i);
            vec y = ROW_V(i);
            STORE_PAST(past, y, dst + i);
        }
        for (; i < stop; i++)
            dst[i] = ROW_F(i);
    }
}

/*
 * Short rows that lie one after another in dst, of neighbouring channels of a sample, are taken as one long run: every element
 * has its own coefficients, written out once for all samples, RUN_STRIDE floats of each.
 */
#define RUN_STRIDE (CLNORM_RUN + 2u * VEC) /* a run begins in the first vector; its last one reaches beyond it */
#define RUN_FLOATS (COEFS_WORDS * RUN_STRIDE)

/* Row j of s elements of a run. */
FUNC void run_fill(float *run, uint j, uint s, coefs_f k)
{
    for (uint i = j * s; i < (j + 1u) * s; i += VEC)
        coefs_write(run + i, RUN_STRIDE, k);
}

/* The last step on elements i to i + VEC - 1 of a run. */
FUNC vec run_apply(vec x, vec dy, const float *run, uint i)
{
    coefs_v k;
    coefs_read(&k, run + i, RUN_STRIDE);
    return apply_v(x, dy, k);
}

/* The first or the last n < VEC elements of a vector. */
FUNC void store_some(global float *dst, const float *from, uint n)
{
    for (uint i = 0u; i < n; i++)
        dst[i] = from[i];
}

/*
 * A run of n elements; dst may be what is read. Those at either end that no aligned vector holds come from vectors which overlap
 * others, read before anything is stored. What lies `ahead` elements further on is fetched meanwhile, where results pass the caches:
 * else it is in one, and near enough.
 */
FUNC void apply_run(const global float *src, const global float *diff_dst, global float *dst, uint n, const float *run,
                    ulong stream, ulong ahead)
{
#define RUN_V(i) run_apply(VEC_LOAD(global, src + (i)), DIFF_LOAD(diff_dst + (i)), run, i)
    vec ends[2];
    if (n < VEC) {
        ends[0] = run_apply(lanes_rest(src, n), lanes_rest(diff_dst, n), run, 0u);
        store_some(dst, (const float *)ends, n);
        return;
    }
    uint head = until_aligned(dst, n), i = head;
    const uint first = until_line(dst, n), last = first + (n - first) / LINE * LINE;
    for (uint e = 0u; e < 2u; e++)
        ends[e] = RUN_V(e * (n - VEC));
    for (; i + VEC <= n; i += VEC) {
        vec y = RUN_V(i);
        if (stream && i >= first && i < last) {
            PREFETCH(src + ahead + i);
            DIFF_PREFETCH(diff_dst + ahead + i);
            STREAM_STORE(y, dst + i);
        } else {
            VEC_STORE(global, y, dst + i);
        }
    }
    store_some(dst, (const float *)ends, head);
    store_some(dst + i, (const float *)ends + (2 * VEC - (n - i)), n - i);
}
