/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for CPU-like devices, in vectors of VEC elements. A work-item takes whole rows, which lie one after another, as one span,
 * in which a vector may reach from one row into the next; of rows that are cut it takes a piece of each.
 */
#include "common/begin.cl"
#include "common/coef.cl"
#include "apply/apply_args.cl"
#include "common/store.cl"

/* An element: number i of its row; channels-first c is the row's channel. */
struct place {
    ulong i, c;
};

#if CHANNELS_LAST
/* Coefficients of a row's last VEC channels and of the first VEC of the next one; of fewer than VEC channels, again and again. */
#define EDGE (2u * VEC)

FUNC void edge_fill(float *edge, const global float *coef, const struct clnorm_cut *cut)
{
    coefs_f k;
    for (uint j = 0u; j < EDGE; j++) {
        float *p = edge + j;
        k = coefs_load_f(coef, cut->channels, (VEC * (cut->length - 1u) + j) % cut->length);
#define FILL(member)                                                                                                   \
    *p = k.member;                                                                                                     \
    p += EDGE;
        EACH_COEF(FILL)
#undef FILL
    }
}
#endif

/* Coefficients of VEC elements from a place on that are of two rows or, channels-last, of more; moves on by `count`. */
FUNC coefs_v coefs_across(struct place *at, uint count, const global float *coef, const struct clnorm_cut *cut,
                          const float *edge)
{
    coefs_v k;
#if CHANNELS_LAST
    const float *p = edge + VEC - (cut->length - at->i);
#define FETCH(member)                                                                                                  \
    k.member = VEC_LOAD(private, p);                                                                                   \
    p += EDGE;
    EACH_COEF(FETCH)
#undef FETCH
    at->i += count;
    if (at->i >= cut->length)
        at->i = cut->length < VEC ? (uint)at->i % (uint)cut->length : at->i - cut->length;
#else
    coefs_f one = coefs_load_f(coef, cut->channels, at->c), next;
    const uint rest = (uint)(cut->length - at->i);
    const ulong c = at->c + 1u == cut->channels ? 0u : at->c + 1u;
    next = coefs_load_f(coef, cut->channels, c);
#define JOIN(member) k.member = SELECT((vec)(next.member), (vec)(one.member), LANE_NUMBERS < (ivec)((int)rest));
    EACH_COEF(JOIN)
#undef JOIN
    at->i += count;
    if (count >= rest) {
        at->i -= cut->length;
        at->c = c;
    }
#endif
    return k;
}

#if CHANNELS_LAST
#define COEFS_OF_ROW(at)
#define COEFS(at) coefs_load_v(coef, cut->channels, (at).i)
#else
#define COEFS_OF_ROW(at) coefs_v row = coefs_splat(coefs_load_f(coef, cut->channels, (at).c))
#define COEFS(at) row
#endif

/*
 * n elements that lie one after another. Stores that pass the caches take whole lines and nothing but them: memory is slow where a line
 * gets some stores of either kind. With `skip`, what lies so far on is fetched.
 */
FUNC void apply_span(const global float *src, const global float *diff_dst, global float *dst, ulong n, struct place at,
                     const global float *coef, const struct clnorm_cut *cut, const float *edge, ulong skip)
{
    const ulong first = cut->stream ? until_line(dst, n) : n, last = first + (n - first) / LINE * LINE;
    for (ulong k = 0u; k < n;) {
        const int stream = HINTS && k >= first && k < last;
        const ulong stop = k < first ? first : stream ? last : n;
        COEFS_OF_ROW(at);
        for (ulong left = min(stop - k, cut->length - at.i); left >= VEC; left -= VEC, k += VEC, at.i += VEC) {
            vec y = APPLY_V(k, COEFS(at));
            if (skip)
                APPLY_FETCH(k + skip);
            if (stream)
                STREAM_STORE(y, dst + k);
            else
                VEC_STORE(global, y, dst + k);
        }
        const uint count = (uint)min(stop - k, (ulong)VEC);
        if (count == 0u)
            continue;
        coefs_v mixed;
        if (at.i + VEC <= cut->length) {
            mixed = COEFS(at);
            at.i += count;
        } else {
            mixed = coefs_across(&at, count, coef, cut, edge);
        }
        if (count < VEC) {
            for (uint j = 0u; j < count; j++, k++)
                dst[k] = APPLY_F(k, coefs_of(&mixed, j));
            continue;
        }
        vec y = APPLY_V(k, mixed);
        if (stream)
            STREAM_STORE(y, dst + k);
        else
            VEC_STORE(global, y, dst + k);
        k += VEC;
    }
    (void)src;
    (void)diff_dst;
    (void)edge;
}

#if !CHANNELS_LAST
/* Rows of fewer than VEC elements: their coefficients are written out, TABLE floats of each, and for all samples where one has no more. */
#define TABLE 512u
#define TABLE_STRIDE (TABLE + 2u * VEC)

/* From channel c on; returns how many elements there are. */
FUNC uint table_fill(float *table, const global float *coef, const struct clnorm_cut *cut, ulong c)
{
    const uint s = (uint)cut->length;
    uint i = 0u;
    for (; i < TABLE + VEC; i += s) {
        coefs_f k = coefs_load_f(coef, cut->channels, c);
        float *p = table + i;
#define FILL(member)                                                                                                   \
    VEC_STORE(private, (vec)(k.member), p);                                                                            \
    p += TABLE_STRIDE;
        EACH_COEF(FILL)
#undef FILL
        c = c + 1u == cut->channels ? 0u : c + 1u;
    }
    return i;
}

/* apply_span of such rows, from the start of one of channel c on. */
FUNC void apply_short(const global float *src, const global float *diff_dst, global float *dst, ulong n, ulong c,
                      const global float *coef, const struct clnorm_cut *cut)
{
    float table[COEFS_WORDS * TABLE_STRIDE];
    coefs_v k;
    const uint s = (uint)cut->length, sample = cut->channels <= TABLE ? (uint)cut->channels * s : TABLE + 1u;
    const ulong first = cut->stream ? until_line(dst, n) : n, last = first + (n - first) / LINE * LINE;
    const int is_whole = sample <= TABLE;
    const uint filled = table_fill(table, coef, cut, is_whole ? 0u : c);
    uint i = is_whole ? (uint)c * s : 0u;
    for (ulong at = 0u; at < n;) {
        const int stream = HINTS && at >= first && at < last;
        const ulong stop = at < first ? first : at < last ? last : n;
        const uint count = (uint)min(stop - at, (ulong)VEC);
        if (is_whole) {
            while (i >= sample)
                i -= sample;
        } else if (i + VEC > filled) {
            c = (c + i / s) % cut->channels;
            i %= s;
            table_fill(table, coef, cut, c);
        }
        const float *p = table + i;
#define FETCH(member)                                                                                                  \
    k.member = VEC_LOAD(private, p);                                                                                   \
    p += TABLE_STRIDE;
        EACH_COEF(FETCH)
#undef FETCH
        if (count < VEC) {
            for (uint j = 0u; j < count; j++)
                dst[at + j] = APPLY_F(at + j, coefs_of(&k, j));
        } else {
            vec y = APPLY_V(at, k);
            if (stream)
                STREAM_STORE(y, dst + at);
            else
                VEC_STORE(global, y, dst + at);
        }
        at += count;
        i += count;
    }
    (void)src;
    (void)diff_dst;
}
#endif

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void apply_item(APPLY_BUFFERS)
{
    APPLY_OFFSETS;
    const ulong chunks = (cut.length + cut.chunk - 1u) / cut.chunk;
    const ulong begin = get_global_id(0) % chunks * cut.chunk, end = min(begin + cut.chunk, cut.length);
    ulong row = get_global_id(0) / chunks * cut.rows_per_item, last = min(row + cut.rows_per_item, cut.rows);
    struct place at = {begin, CHANNELS_LAST ? 0u : row % cut.channels};
#if CHANNELS_LAST
    float edge[COEFS_WORDS * EDGE];
    edge_fill(edge, coef, &cut);
#else
    const float *edge = 0;
#endif
    if (chunks == 1u) {
        ulong i = row * cut.length;
#if !CHANNELS_LAST
        if (cut.length < VEC) {
            apply_short(src + i, diff_dst + i, dst + i, (last - row) * cut.length, at.c, coef, &cut);
            return;
        }
#endif
        apply_span(src + i, diff_dst + i, dst + i, (last - row) * cut.length, at, coef, &cut, edge, 0u);
        return;
    }
    /* No processor foresees that the next row's piece comes after this one's. */
    for (; row < last; row++) {
        ulong i = row * cut.length + begin;
        apply_span(src + i, diff_dst + i, dst + i, end - begin, at, coef, &cut, edge, CHANNELS_LAST ? cut.length : 0u);
#if !CHANNELS_LAST
        at.c = at.c + 1u == cut.channels ? 0u : at.c + 1u;
#endif
    }
}
