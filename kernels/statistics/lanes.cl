/* SPDX-License-Identifier: Apache-2.0 */
/* The 64 lanes of a channels-first leaf as LANE_VECS vectors: lane j is element j % VEC of vector j / VEC. */
#define LANE_VECS (64 / VEC)
#define LEAF_VECS (CLNORM_LEAF / VEC + 1) /* a leaf, gathered: its last row may come with what is behind it */
#ifdef SMALL_CODE
#define FEW 0u
#else
#define FEW VEC /* values that one vector holds, so that nothing needs a loop */
#endif
#define RUN 256 /* a run of every lane: four rows of 64 values */

/* Loops over the vectors of the lanes: unrolled where they are few, which keeps their sums in registers. */
#if VEC >= 8
#define LANE_LOOP _Pragma("unroll") for (int l = 0; l < LANE_VECS; l++)
#else
#define LANE_LOOP for (int l = 0; l < LANE_VECS; l++)
#endif

/* The end of lanes_sum, where one vector of lanes is left. */
FUNC float lanes_halves(vec v)
{
#if VEC == 16
    float8 w = v.lo + v.hi;
    float4 x = w.lo + w.hi;
#elif VEC == 8
    float4 x = v.lo + v.hi;
#else
    float4 x = v;
#endif
    float2 y = x.lo + x.hi;
    return y.x + y.y;
}

/* lanes_sum of a vector of lanes and of nothing else, which is zeros. */
FUNC float lanes_few(vec v)
{
    return lanes_halves(v + (vec)(0.0f));
}

/* Sums lanes by halves: lane j takes lane j + 32, then j + 16, 8, 4, 2, 1. */
FUNC float lanes_sum(vec *a)
{
#if VEC <= 4
    for (int l = 0; l < 8; l++)
        a[l] += a[l + 8];
#endif
#if VEC <= 8
    for (int l = 0; l < 4; l++)
        a[l] += a[l + 4];
#endif
    return lanes_halves((a[0] + a[2]) + (a[1] + a[3]));
}

/* rest < VEC values, 0 behind them. */
FUNC vec lanes_rest(const global float *p, uint rest)
{
    vec r = (vec)(0.0f);
    for (uint j = 0u; j < rest; j++)
        ((float *)&r)[j] = p[j];
    return r;
}

/*
 * Where a walk along a channels-first leaf of several rows stands: at element `at` of a row. Rows lie `distance` apart and have at
 * least VEC elements.
 */
struct walk {
    const global float *row;
    ulong distance;
    uint s, at;
};

FUNC void walk_begin(struct walk *k, const global float *leaf, const struct clnorm_shape *shape)
{
    k->row = leaf;
    k->distance = shape->c * shape->s;
    k->s = (uint)shape->s;
    k->at = 0u;
}

/*
 * The leaf's next VEC values. Where they lie in two rows, it reads on from the first, which is the next channel's row, and the
 * second from before its start, which is the row of the channel before: neither leaves the tensor, but no other work-item may be
 * writing there.
 */
FUNC vec walk_on(struct walk *k)
{
    const global float *p = k->row + k->at;
    k->at += VEC;
    if (k->at <= k->s)
        return VEC_LOAD(global, p);
    k->at -= k->s;
    k->row += k->distance;
    return SELECT(VEC_LOAD(global, k->row + k->at - VEC), VEC_LOAD(global, p), LANE_NUMBERS < (ivec)(VEC - (int)k->at));
}

/*
 * Brings the rows of a leaf together. Most of a row goes in aligned vectors; its ends, where it has VEC elements, in vectors that
 * overlap those. Rows of fewer go in a vector each, the next one over what was too much, where no other work-item writes to any of it:
 * `room` says how many elements from the start of a row on are left alone. Meanwhile the rows of a leaf at next are fetched.
 */
FUNC void gather_rows(vec *leaf, const global float *src, const global float *next, const struct clnorm_shape *shape,
                      uint n, ulong room)
{
    float *to = (float *)leaf;
    uint s = shape->rows == 1u ? n : (uint)shape->s; /* a leaf of one row may be a part of it */
    ulong distance = shape->c * shape->s;
    if (s < VEC && room >= VEC) {
        for (uint at = 0u; at < n; at += s, src += distance, next += distance) {
            PREFETCH(next);
            VEC_STORE(private, VEC_LOAD(global, src), to + at);
        }
        return;
    }
    for (uint at = 0u; at < n; at += s, src += distance, next += distance) {
        if (s < VEC) {
            for (uint i = 0u; i < s; i++)
                to[at + i] = src[i];
            continue;
        }
        uint first = (at + VEC - 1u) / VEC, end = (at + s) / VEC;
        VEC_STORE(private, VEC_LOAD(global, src), to + at);
        PREFETCH(next);
        for (uint i = first; i < end; i++) {
            leaf[i] = VEC_LOAD(global, src + (i * VEC - at));
            PREFETCH(next + (i * VEC - at));
        }
        VEC_STORE(private, VEC_LOAD(global, src + s - VEC), to + at + s - VEC);
    }
}
