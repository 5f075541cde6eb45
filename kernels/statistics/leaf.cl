/* SPDX-License-Identifier: Apache-2.0 */
/* Where the values of a leaf lie, and the rules of leaves out of the ordinary. After begin.cl. */

/* Elements of a group of samples, and the place behind them. */
#define SHAPE_ELEMENTS(shape) ((shape).n * (shape).c * (shape).s)
#if CHANNELS_LAST
#define SHAPE_PLACE(shape) BLOCKS((shape).n *(shape).s, (shape).c)
#else
#define SHAPE_PLACE(shape) BLOCKS((shape).n, (shape).c *(shape).s)
#endif

/* Values of leaf i. */
FUNC uint leaf_size(const struct clnorm_shape *shape, uint i)
{
    return i % shape->period == shape->period - 1u ? shape->last : shape->full;
}

FUNC float leaf_reciprocal(const struct clnorm_shape *shape, uint n)
{
    return n == shape->full ? shape->rn_full : shape->rn_last;
}

/*
 * The place of a leaf's first value. Channels-last: the others are in blocks of c elements that follow. Channels-first with s > 1024:
 * they follow without a gap. Channels-first with s <= 1024: rows of s values in blocks of c * s that follow.
 */
FUNC ulong leaf_start(const struct clnorm_shape *shape, uint i, ulong c)
{
#if CHANNELS_LAST
    return BLOCKS((ulong)i * CLNORM_LANES, shape->c) + c;
#else
    if (shape->s > CLNORM_LEAF)
        return BLOCKS((ulong)(i / shape->period), shape->c * shape->s) + c * shape->s +
               (ulong)(i % shape->period) * CLNORM_LEAF;
    return BLOCKS((ulong)i * shape->rows, shape->c * shape->s) + c * shape->s;
#endif
}

/* Distance of value number i of a leaf from its first value. */
FUNC ulong leaf_distance(const struct clnorm_shape *shape, uint i)
{
#if CHANNELS_LAST
    return BLOCKS(i, shape->c);
#else
    if (shape->s > CLNORM_LEAF)
        return i;
    uint row = i / (uint)shape->s;
    return BLOCKS(row, shape->c * shape->s) + (i - row * (uint)shape->s);
#endif
}

/*
 * A leaf with a value of 2^44 or more, or of values below 2^-37 alone, is reduced after a multiplication by 2^-81 or 2^81; a leaf whose
 * values are all the same has that value as its mean and no deviation, exactly; and one whose m is far off the mean is looked at again.
 * All are rare, and all show in the sums of an ordinary reduction: with |m| < 2^42 and q < 2^84 no value is near 2^44; with q > 2^-61 or
 * |m| > 2^-36 one of them is above 2^-37; and m is at most 13 * 2^-24 of the values' size off, so that in 1024 of them it leaves
 * 2^-30 m^2 in q. So a leaf that LEAF_PLAIN accepts needs no second thought.
 */
#define LEAF_PLAIN(m, q)                                                                                               \
    ((q) < 0x1p+84f && fabs(m) < 0x1p+42f && (q) > 0x1p-24f * ((m) * (m)) && ((q) > 0x1p-61f || fabs(m) > 0x1p-36f))

FUNC node_f leaf_constant(float value, float magnify)
{
    node_f r;
    r.mean.hi = mul_f(value, magnify) + 0.0f;
    r.mean.lo = 0.0f;
    r.m2.hi = 0.0f;
    r.m2.lo = 0.0f;
    r.magnify = magnify;
    return r;
}
