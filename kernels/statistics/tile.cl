/* SPDX-License-Identifier: Apache-2.0 */
/* How a work-item of a CPU-like device takes channels-last columns: see columns_item.cl. After store.cl. */
#ifdef SMALL_CODE
#define WIDE_VECS 1u
#else
#define WIDE_VECS (VEC == 4 ? 4u : 32u / VEC) /* vectors side by side whose sums stay in registers */
#endif
#define RUNS (CLNORM_LANES / 4u)
#define BLOCK_VECS (CLNORM_SPAN(VEC) / VEC + 1u) /* most vectors side by side */

/* Spans of channels, and those of the span from c on: the last one may have up to VEC - 1 more than CLNORM_SPAN. */
#define SPANS(all) ((all) > VEC ? ((all)-VEC) / CLNORM_SPAN(VEC) + 1u : 1u)
#define SPAN_CHANNELS(all, c) (uint)((all) - (c) < CLNORM_SPAN(VEC) + VEC ? (all) - (c) : (ulong)CLNORM_SPAN(VEC))

/*
 * Where vector v of `channels` channels starts: the last one may overlap the one before, unless they are fewer than VEC, in one vector,
 * gathered.
 */
#define VEC_AT(v, channels) ((channels) < VEC ? 0u : min((v)*VEC, (channels)-VEC))
#define VECS_OF(channels) (((channels) + VEC - 1u) / VEC)

/*
 * What is to be fetched of the next leaf: 64 rows of some lines, row by row, as memory likes to be read. Each run of a leaf that is reduced
 * fetches as much as it takes, in pieces of two lines.
 */
#define PIECE (2u * LINE)
#define FETCH_PIECES(vecs) ((vecs)*VEC < PIECE / 4u ? 1u : (vecs)*VEC * 4u / PIECE) /* with a run of so many vectors */

struct fetch {
    const global elem *at;
    ulong skip;       /* elements from the end of a row's part to the next row's */
    uint turns, left; /* pieces a row, and left in this one */
};

FUNC void fetch_begin(struct fetch *k, const global elem *leaf, ulong pitch, uint channels)
{
    k->at = leaf;
    k->turns = k->left = (channels + PIECE - 1u) / PIECE;
    k->skip = pitch - k->turns * PIECE;
}

FUNC void fetch_on(struct fetch *k, uint pieces)
{
    for (uint i = 0u; i < pieces; i++) {
        PREFETCH(k->at);
        PREFETCH(k->at + LINE);
        k->at += PIECE;
        if (--k->left == 0u) {
            k->at += k->skip;
            k->left = k->turns;
        }
    }
}

#ifndef SMALL_CODE
#define VEC_LOG2 (VEC == 16 ? 4u : VEC == 8 ? 3u : 2u)

/* VEC vectors of VEC elements: interleaving the halves of the list brings every element to its place. */
FUNC void transpose(vec *rows)
{
    vec t[VEC];
#pragma unroll
    for (uint step = 1u; step < VEC; step *= 2u) {
#pragma unroll
        for (uint i = 0u; i < VEC / 2u; i++) {
            t[2u * i].even = rows[i].lo;
            t[2u * i].odd = rows[i + VEC / 2u].lo;
            t[2u * i + 1u].even = rows[i].hi;
            t[2u * i + 1u].odd = rows[i + VEC / 2u].hi;
        }
#pragma unroll
        for (uint i = 0u; i < VEC; i++)
            rows[i] = t[i];
    }
}
#endif

#define ON(name) name##_src
#define SOURCE const global elem *
#define SOURCE_IN const global elem *const
#define SOURCE_AT(p, i) ((p) + (i))
#define SOURCE_ALONG(p, i) ((p) + (i))
#define SOURCE_F(p) GET(p)
#define SOURCE_V(p) GET_V(p)
#define SOURCE_FETCH(p, i) PREFETCH((p) + (i))
#include "statistics/read_columns.cl"
#if IS_BACKWARD && (ACTIVATION || VIEW)
#define ON(name) name##_grad
#define SOURCE GRAD
#define SOURCE_IN GRAD_IN
#define SOURCE_AT(p, place) GRAD_AT(p, place)
#define SOURCE_ALONG(p, i) GRAD_ALONG(p, i)
#define SOURCE_F(p) GRAD_F(p)
#define SOURCE_V(p) GRAD_V(p)
#define SOURCE_FETCH(p, i) GRAD_FETCH(p, i)
#include "statistics/read_columns.cl"
#define ON_GRAD(name) name##_grad
#else
#define ON_GRAD(name) name##_src
#endif

/* The sum of a leaf's runs, number r at runs[r * stride], absent ones 0. */
FUNC vec by_pairs(const vec *runs, uint stride)
{
    vec four[RUNS / 4u];
#pragma unroll
    for (uint r = 0u; r < RUNS / 4u; r++, runs += 4u * stride)
        four[r] = (runs[0] + runs[stride]) + (runs[2u * stride] + runs[3u * stride]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

/* RUNS, as a number that compilers do not see through, for loops that are to stay loops. */
#define RUNS_OF(n) min(RUNS, (n) + RUNS)
