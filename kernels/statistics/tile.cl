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
    const global float *at;
    ulong skip;       /* floats from the end of a row's part to the next row's */
    uint turns, left; /* pieces a row, and left in this one */
};

FUNC void fetch_begin(struct fetch *k, const global float *leaf, ulong c, uint channels)
{
    k->at = leaf;
    k->turns = k->left = (channels + PIECE - 1u) / PIECE;
    k->skip = c - k->turns * PIECE;
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

/* n rows of at most VEC channels; absent channels are 0. */
FUNC void gather_tile(vec *tile, const global float *p, ulong c, uint n, uint channels)
{
    for (uint i = 0u; i < n; i++, p += c) {
        if (channels >= VEC) {
            tile[i] = VEC_LOAD(global, p);
            continue;
        }
        tile[i] = (vec)(0.0f);
        for (uint j = 0u; j < channels; j++)
            ((float *)&tile[i])[j] = p[j];
    }
}

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
