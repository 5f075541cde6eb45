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

/* Coefficients of VEC elements from a place on that are of several rows; moves on by `count`. */
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
    if (cut->length >= VEC) {
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
        return k;
    }
    struct place p = *at;
    for (uint j = 0u; j < VEC; j++) {
        if (p.i == cut->length) {
            p.i = 0u;
            p.c = p.c + 1u == cut->channels ? 0u : p.c + 1u;
            one = coefs_load_f(coef, cut->channels, p.c);
        }
        coefs_put(&k, j, one);
        p.i++;
        if (j + 1u == count)
            *at = p;
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
