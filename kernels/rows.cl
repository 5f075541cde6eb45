/* SPDX-License-Identifier: Apache-2.0 */
/* The last step on channels-first rows, by one work-item. After coef.cl and store.cl. */
#if APPLY == APPLY_FORWARD
#define ROW_F(i) apply_f(src[i], 0.0f, k)
#define ROW_V(i) apply_v(VEC_LOAD(global, src + (i)), (vec)(0.0f), kv)
#define DIFF_PREFETCH(p)
#else
#define ROW_F(i) apply_f(src[i], diff_dst[i], k)
#define ROW_V(i) apply_v(VEC_LOAD(global, src + (i)), VEC_LOAD(global, diff_dst + (i)), kv)
#define DIFF_PREFETCH(p) PREFETCH(p)
#endif

/* A long row, straight to dst, while what comes next is fetched. Forward, diff_dst is not read. */
FUNC void apply_row(const global float *src, const global float *diff_dst, global float *dst, ulong n, coefs_f k,
                    ulong stream, const global float *ahead, const global float *diff_ahead)
{
    coefs_v kv = coefs_splat(k);
    ulong i = 0u, head = stream ? until_aligned(dst, n) : 0u;
    for (; i < head; i++)
        dst[i] = ROW_F(i);
    if (stream)
        for (; i + VEC <= n; i += VEC) {
            PREFETCH(ahead + i);
            DIFF_PREFETCH(diff_ahead + i);
            STREAM_STORE(ROW_V(i), dst + i);
        }
    else
        for (; i + VEC <= n; i += VEC) {
            PREFETCH(ahead + i);
            DIFF_PREFETCH(diff_ahead + i);
            VEC_STORE(global, ROW_V(i), dst + i);
        }
    for (; i < n; i++)
        dst[i] = ROW_F(i);
}

/* Asks for n floats. */
FUNC void fetch_run(const global float *p, uint n)
{
    for (uint i = 0u; i < n; i += VEC)
        PREFETCH(p + i);
}

/* Asks for n floats that will be stored. */
FUNC void fetch_stores(global float *p, uint n)
{
    for (uint i = 0u; i < n; i += VEC)
        PREFETCH_STORE(p + i);
}

/* A short row, straight to dst, which may be what is read: the vector that overlaps the one before is read first. */
FUNC void apply_short(const global float *src, const global float *diff_dst, global float *dst, uint n, coefs_f k)
{
    coefs_v kv = coefs_splat(k);
    if (n < VEC) {
        for (uint i = 0u; i < n; i++)
            dst[i] = ROW_F(i);
        return;
    }
    vec last = ROW_V(n - VEC);
    for (uint i = 0u; i + VEC <= n; i += VEC)
        VEC_STORE(global, ROW_V(i), dst + i);
    if (n % VEC)
        VEC_STORE(global, last, dst + n - VEC);
}

/* A short row, into a run of rows that lie one after another in dst. */
FUNC void apply_run(const global float *src, const global float *diff_dst, float *run, uint n, coefs_f k)
{
    coefs_v kv = coefs_splat(k);
    if (n < VEC) {
        for (uint i = 0u; i < n; i++)
            run[i] = ROW_F(i);
        return;
    }
    for (uint i = 0u; i + VEC <= n; i += VEC)
        VEC_STORE(private, ROW_V(i), run + i);
    if (n % VEC)
        VEC_STORE(private, ROW_V(n - VEC), run + n - VEC);
}

FUNC void store_run(global float *dst, const float *run, uint n, ulong stream)
{
    uint i = 0u, head = stream ? until_aligned(dst, n) : 0u;
    for (; i < head; i++)
        dst[i] = run[i];
    if (stream)
        for (; i + VEC <= n; i += VEC)
            STREAM_STORE(VEC_LOAD(private, run + i), dst + i);
    else
        for (; i + VEC <= n; i += VEC)
            VEC_STORE(global, VEC_LOAD(private, run + i), dst + i);
    for (; i < n; i++)
        dst[i] = run[i];
}
