/* SPDX-License-Identifier: Apache-2.0 */
/* How a work-item of a CPU-like device takes channels-last columns: see columns_item.cl. After store.cl. */
#define NV 4u         /* vectors of a group */
#define WIDE 4u       /* most groups side by side */
#define WIDE_VECS 16u /* NV * WIDE */

/*
 * Whether to reduce two groups at a time, which takes fewer steps through rows that lie far apart: their sums want the 32 registers
 * of AVX-512.
 */
#define PAIRS (VEC == 16)

/*
 * The share of part `part` of `parts`, a power of two, at row i of its leaf, in fetching a tile of 64 rows: as many vectors as the part
 * has side by side.
 */
#define FETCH_SHARE(tile, c, i, parts, part, vecs)                                                                     \
    {                                                                                                                  \
        uint fetched_ = (part)*CLNORM_LANES + (i);                                                                     \
        const global float *fetch_ =                                                                                   \
            (tile) + (fetched_ >> (31u - clz(parts))) * (c) + (fetched_ & ((parts)-1u)) * ((vecs)*VEC);                \
        for (uint v_ = 0u; v_ < (vecs); v_++)                                                                          \
            PREFETCH(fetch_ + v_ * VEC);                                                                               \
        (void)fetch_;                                                                                                  \
    }

/* How many groups to take of `left` channels: a power of two up to most, or 0. */
FUNC uint groups_of(ulong left, uint most)
{
    uint wide = min(most, WIDE);
    while (wide > 0u && (ulong)wide * (NV * VEC) > left)
        wide /= 2u;
    return wide;
}

/* n rows of at most VEC channels; absent channels are 0. */
FUNC void gather_tile(vec *tile, const global float *p, ulong c, uint n, uint channels)
{
    for (uint i = 0u; i < n; i++, p += c) {
        if (channels == VEC) {
            tile[i] = VEC_LOAD(global, p);
            continue;
        }
        tile[i] = (vec)(0.0f);
        for (uint j = 0u; j < channels; j++)
            ((float *)&tile[i])[j] = p[j];
    }
}
