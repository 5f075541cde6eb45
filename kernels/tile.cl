/* SPDX-License-Identifier: Apache-2.0 */
/* How a work-item of a CPU-like device takes channels-last columns: see columns_item.cl. After store.cl. */
#define PANEL_ROWS 16u
#define LINE_VECS (16u / VEC) /* vectors of a line of most caches, which is read once where it is taken whole */

/*
 * A leaf's sums are those of its panels, which pair up: waiting waits for its neighbour. panel is the number of the one whose sum is t,
 * of `panels`.
 */
#define FOLD(sum, waiting, t, panel, panels)                                                                           \
    {                                                                                                                  \
        waiting = (panel) % 2u ? waiting + (t) : (t);                                                                  \
        if ((panel) % 2u || (panel) + 1u == (panels))                                                                  \
            sum = (panel) < 2u ? waiting : sum + waiting;                                                              \
    }

/*
 * Where vector v of `channels` channels starts: the last one may overlap the one before, unless they are fewer than VEC, in one vector,
 * gathered.
 */
#define VEC_AT(v, channels) ((channels) < VEC ? 0u : min((v)*VEC, (channels)-VEC))
#define VECS_OF(channels) (((channels) + VEC - 1u) / VEC)

/* Spans of channels, and those of the span from c on: the last one may have up to VEC - 1 more than CLNORM_SPAN. */
#define SPANS(all) ((all) > VEC ? ((all)-VEC) / CLNORM_SPAN(VEC) + 1u : 1u)
#define SPAN_CHANNELS(all, c) (uint)((all) - (c) < CLNORM_SPAN(VEC) + VEC ? (all) - (c) : (ulong)CLNORM_SPAN(VEC))

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
