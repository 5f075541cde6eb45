/* SPDX-License-Identifier: Apache-2.0 */
/* The 64 lanes of a channels-first leaf as LANE_VECS vectors: lane j is element j % VEC of vector j / VEC. */
#define LANE_VECS (64 / VEC)

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
    vec v = (a[0] + a[2]) + (a[1] + a[3]);
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

#if VEC == 16
#define LANE_NUMBERS ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#elif VEC == 8
#define LANE_NUMBERS ((int8)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_NUMBERS ((int4)(0, 1, 2, 3))
#endif

/*
 * Brings the rows of a channels-first leaf with s <= 1024 together. Rows of at least VEC values end in a vector that overlaps
 * the one before: the same values twice, and no scalar rest.
 */
FUNC void gather_rows(float *leaf, const global float *src, const struct clnorm_shape *shape, uint n)
{
    uint s = shape->rows == 1u ? n : (uint)shape->s; /* a leaf of one row may be a part of it */
    ulong distance = shape->c * shape->s;
    for (uint at = 0u; at < n; at += s, src += distance) {
        if (s < VEC) {
            for (uint i = 0u; i < s; i++)
                leaf[at + i] = src[i];
            continue;
        }
        for (uint i = 0u; i + VEC <= s; i += VEC)
            VEC_STORE(private, VEC_LOAD(global, src + i), leaf + at + i);
        if (s % VEC)
            VEC_STORE(private, VEC_LOAD(global, src + s - VEC), leaf + at + s - VEC);
    }
}
