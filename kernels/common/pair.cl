/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of binary32: hi + lo, unevaluated, |lo| at most half an ulp of hi: about 48 bits. Error-free transforms after
 * Dekker (1971), Knuth (TAOCP 2, 4.2.2) and Ogita, Rump and Oishi ("Accurate sum and dot product", 2005).
 *
 * A template, for kernels and for the scalar C model alike: included once for each element type, with
 *   T       the element type: float or a vector of floats
 *   FN(x)   the name of x for that type
 *   ANY(x)  whether a comparison x of two T holds in any element
 *   FUNC    what a function starts with: nothing in OpenCL C, static in C
 * and fma meaning binary32's correctly rounded one.
 *
 * No product feeds an addition but inside fma, so that a compiler that contracts on its own finds nothing to contract:
 * mul is written as an fma with -0, which is the identity of addition for every number, +0 and -0 included.
 */

typedef struct {
    T hi, lo;
} FN(pair);

FUNC T FN(mul)(T a, T b)
{
#ifdef SMALL_CODE /* for a driver that makes hundreds of instructions of every fma, and contracts nothing */
    return a * b;
#else
    return fma(a, b, (T)(-0.0f));
#endif
}

FUNC FN(pair) FN(two_sum)(T a, T b)
{
    FN(pair) r;
    r.hi = a + b;
    T t = r.hi - a;
    r.lo = (a - (r.hi - t)) + (b - t);
    return r;
}

/* |a| >= |b|, or a = 0 */
FUNC FN(pair) FN(fast_two_sum)(T a, T b)
{
    FN(pair) r;
    r.hi = a + b;
    r.lo = b - (r.hi - a);
    return r;
}

FUNC FN(pair) FN(two_product)(T a, T b)
{
    FN(pair) r;
    r.hi = FN(mul)(a, b);
    r.lo = fma(a, b, -r.hi);
    return r;
}

FUNC FN(pair) FN(pair_add)(const FN(pair) a, const FN(pair) b)
{
    FN(pair) r = FN(two_sum)(a.hi, b.hi);
    return FN(fast_two_sum)(r.hi, r.lo + (a.lo + b.lo));
}

FUNC FN(pair) FN(pair_sub)(const FN(pair) a, const FN(pair) b)
{
    FN(pair) r = FN(two_sum)(a.hi, -b.hi);
    return FN(fast_two_sum)(r.hi, r.lo + (a.lo - b.lo));
}

/* pair times element */
FUNC FN(pair) FN(pair_scale)(const FN(pair) a, T b)
{
    FN(pair) r = FN(two_product)(a.hi, b);
    return FN(fast_two_sum)(r.hi, fma(a.lo, b, r.lo));
}

FUNC FN(pair) FN(pair_multiply)(const FN(pair) a, const FN(pair) b)
{
    FN(pair) r = FN(two_product)(a.hi, b.hi);
    return FN(fast_two_sum)(r.hi, fma(a.lo, b.hi, fma(a.hi, b.lo, r.lo)));
}

/*
 * A node of the statistics' tree. magnify is 1; in a node that holds big values 2^-81, in one of tiny values alone 2^81: then mean is
 * the mean times magnify and m2 the sum of squares times magnify^2, so that no square overflows or is subnormal.
 */
typedef struct {
    FN(pair) mean, m2;
    T magnify;
} FN(node);

#ifndef CLNORM_DOWN
#define CLNORM_DOWN 0x1p-81f
#define CLNORM_UP 0x1p+81f
#define CLNORM_BIG 0x1p+44f  /* from it on a value is big */
#define CLNORM_TINY 0x1p-37f /* below it one is tiny */
/* What a leaf is multiplied by whose largest magnitude is `most`: zeros scale exactly, and go with the smallest. */
#define MAGNIFY_OF(T, most)                                                                                            \
    ((most) >= (T)(CLNORM_BIG) ? (T)(CLNORM_DOWN) : (most) < (T)(CLNORM_TINY) ? (T)(CLNORM_UP) : (T)(1.0f))
#endif

/*
 * A leaf of n values, from its three sums: a of the values, then s of d = v - m and q of d^2 with m = a * rn. The corrected
 * two-pass algorithm (Chan, Golub and LeVeque, 1983), with the mean kept as a pair.
 */
FUNC FN(node) FN(leaf_node)(T m, T s, T q, T rn, T magnify)
{
    FN(node) r;
    T e = FN(mul)(s, rn);
    r.mean.hi = m + e;
    r.mean.lo = e - (r.mean.hi - m);
    r.m2.hi = fma(-s, e, q);
    r.m2.lo = (T)(0.0f);
    r.magnify = magnify;
    return r;
}

/*
 * Whether m is so far off the mean, for what the values deviate, that they are looked at once more, from m + s rn: s (s rn) would take
 * away most of q, and what rounding left of it would count. Values that differ by a few units in their last place are such.
 */
#ifndef LEAF_IS_OFF
#define LEAF_IS_OFF(s, q, rn) (fma(-(s), (s) * (rn), q) < 0.9375f * (q))
#endif

/* A node of another magnification, the same or a smaller one. */
FUNC FN(node) FN(node_magnify)(const FN(node) given, T magnify)
{
    FN(node) a = given;
    T k = a.magnify > magnify ? (T)(CLNORM_DOWN) : (T)(1.0f);
    T l = FN(mul)(a.magnify, k) > magnify ? (T)(CLNORM_DOWN) : (T)(1.0f);
    a.mean.hi = FN(mul)(FN(mul)(a.mean.hi, k), l);
    a.mean.lo = FN(mul)(FN(mul)(a.mean.lo, k), l);
    a.m2.hi = FN(mul)(FN(mul)(FN(mul)(FN(mul)(a.m2.hi, k), k), l), l);
    a.m2.lo = FN(mul)(FN(mul)(FN(mul)(FN(mul)(a.m2.lo, k), k), l), l);
    a.magnify = magnify;
    return a;
}

/* Merges two neighbouring nodes, a and b (Chan et al.): f = n_b / (n_a + n_b), w = n_a * f. */
FUNC FN(node) FN(node_merge)(const FN(node) left, const FN(node) right, float f, float w)
{
    FN(node) a = left, b = right, r;
    r.magnify = b.magnify < a.magnify ? b.magnify : a.magnify;
    if (ANY(a.magnify != b.magnify)) {
        a = FN(node_magnify)(a, r.magnify);
        b = FN(node_magnify)(b, r.magnify);
    }
    FN(pair) d = FN(pair_sub)(b.mean, a.mean);
    r.mean = FN(pair_add)(a.mean, FN(pair_scale)(d, (T)(f)));
    /* (d w) d, as d^2 may be subnormal where that is not */
    r.m2 = FN(pair_add)(FN(pair_add)(a.m2, b.m2), FN(pair_multiply)(FN(pair_scale)(d, (T)(w)), d));
    return r;
}

/* The two sums of the backward pass: of diff_dst, and of diff_dst * (src - mean). */
typedef struct {
    FN(pair) g, gd;
} FN(sums);

FUNC FN(sums) FN(sums_merge)(const FN(sums) a, const FN(sums) b)
{
    FN(sums) r;
    r.g = FN(pair_add)(a.g, b.g);
    r.gd = FN(pair_add)(a.gd, b.gd);
    return r;
}

/* src less the mean, a pair. */
FUNC T FN(centre)(T x, T hi, T lo)
{
    return (x - hi) - lo;
}
