/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic that kernels and model share: pairs of binary32, and the correctly rounded reciprocal square root. */
#include "fixture/suite.h"
#include "cases.h"
#include "scalar.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int same_bits(float a, float b)
{
    return case_bits(a) == case_bits(b);
}

/* ---- pairs ---- */

static long double value(pair_f p)
{
    return (long double)p.hi + p.lo;
}

/* A pair with a low part of its own, of a size around 2^scale. */
static pair_f draw(uint64_t i, int scale)
{
    float hi = ldexpf(case_normal(1, i), scale);
    return fast_two_sum_f(hi, hi * 0x1p-25f * case_normal(2, i));
}

static void check_pair(pair_f got, long double want, long double terms, const char *what, uint64_t i)
{
    if (!(fabsl(value(got) - want) <= 0x1p-44L * terms))
        ck_abort_msg("%s number %d: off by 2^%.1f of its terms", what, (int)i,
                     log2((double)(fabsl(value(got) - want) / terms)));
    if (got.hi + got.lo != got.hi) /* the low part is below half an ulp */
        ck_abort_msg("%s number %d is not normalized: %a %a", what, (int)i, (double)got.hi, (double)got.lo);
}

/* long double holds 64 bits, so that what is measured is the pairs' own error: 2^-44 of the terms at most. */
START_TEST(pairs_hold_44_bits)
{
    ck_assert_int_ge(LDBL_MANT_DIG, 64);
    for (uint64_t i = 0; i < 200000; i++) {
        pair_f a = draw(i, (int)(i % 41) - 20), b = draw(i + 1000000, (int)(i / 41 % 41) - 20);
        long double x = value(a), y = value(b);
        check_pair(pair_add_f(a, b), x + y, fabsl(x) + fabsl(y), "sum", i);
        check_pair(pair_sub_f(a, b), x - y, fabsl(x) + fabsl(y), "difference", i);
        check_pair(pair_multiply_f(a, b), x * y, fabsl(x * y), "product", i);
        check_pair(pair_scale_f(a, b.hi), x * b.hi, fabsl(x * b.hi), "multiple", i);
    }
}
END_TEST

/* Error-free transforms leave no error at all. */
START_TEST(transforms_are_exact)
{
    for (uint64_t i = 0; i < 200000; i++) {
        float a = ldexpf(case_normal(3, i), (int)(i % 21)), b = ldexpf(case_normal(4, i), (int)(i / 21 % 21));
        pair_f sum = two_sum_f(a, b), product = two_product_f(a, b);
        if (value(sum) != (long double)a + b || sum.hi != a + b)
            ck_abort_msg("%a + %a", (double)a, (double)b);
        if (value(product) != (long double)a * b || product.hi != a * b)
            ck_abort_msg("%a * %a", (double)a, (double)b);
        pair_f fast = fabsf(a) >= fabsf(b) ? fast_two_sum_f(a, b) : fast_two_sum_f(b, a);
        if (fast.hi != sum.hi || fast.lo != sum.lo)
            ck_abort_msg("fast %a + %a", (double)a, (double)b);
    }
    ck_assert(same_bits(mul_f(-0.0f, 1.0f), -0.0f) && same_bits(mul_f(0.0f, 1.0f), 0.0f)); /* signs of zeros stay */
}
END_TEST

/* A merge of two nodes against the statistics of all their values: nodes of every class on either side. */
START_TEST(merges)
{
    static const float magnify[] = {1.0f, CLNORM_DOWN, CLNORM_UP};
    static const int scale[] = {0, 81, -81};
    for (uint64_t i = 0; i < 9000; i++) {
        double n_a = 1 + (double)(i % 1024), n_b = 1 + (double)(i * 7 % 1000), f = n_b / (n_a + n_b);
        unsigned class_a = i % 3, class_b = i / 3 % 3;
        int up_a = scale[class_a], up_b = scale[class_b], up = up_a > up_b ? up_a : up_b;
        node_f a = {draw(i, 3), draw(i + 9000, 8), magnify[class_a]};
        node_f b = {draw(i + 18000, 2), draw(i + 27000, 9), magnify[class_b]};
        a.m2 = a.m2.hi < 0 ? pair_scale_f(a.m2, -1) : a.m2;
        b.m2 = b.m2.hi < 0 ? pair_scale_f(b.m2, -1) : b.m2;
        node_f r = node_merge_f(a, b, (float)f, (float)(n_a * f));
        long double x = ldexpl(value(a.mean), up_a), y = ldexpl(value(b.mean), up_b), d = y - x;
        long double m_a = ldexpl(value(a.m2), 2 * up_a), m_b = ldexpl(value(b.m2), 2 * up_b);
        long double mean = x + d * (float)f, m2 = m_a + m_b + d * d * (float)(n_a * f);
        ck_assert(r.magnify == (up > 0 ? CLNORM_DOWN : up < 0 ? CLNORM_UP : 1.0f));
        if (!(fabsl(ldexpl(value(r.mean), up) - mean) <= 0x1p-43L * (fabsl(x) + fabsl(d))) ||
            !(fabsl(ldexpl(value(r.m2), 2 * up) - m2) <= 0x1p-42L * m2))
            ck_abort_msg("merge %d: mean %Lg m2 %Lg, not %Lg %Lg", (int)i, ldexpl(value(r.mean), up),
                         ldexpl(value(r.m2), 2 * up), mean, m2);
    }
}
END_TEST

/* ---- invstd ---- */

/* y = 1/sqrt(t) correctly rounded: t lies between the squares of the reciprocals of y's borders, in whole numbers. */
static int rounded_right(float t, float y)
{
    int et, ey;
    uint64_t mt = (uint64_t)ldexpf(frexpf(t, &et), 24), my = (uint64_t)ldexpf(frexpf(y, &ey), 24);
    et -= 24;
    ey -= 24;
    /* (2 my - 1)^2 mt < 2^k <= ... with 4 * y^2 * t = 1: k = 2 - 2 ey - et; the tie cannot be */
    int k = 2 - 2 * ey - et;
    uint64_t below = 2 * my - (my == UINT64_C(1) << 23 ? 0 : 1), above = 2 * my + 1;
    if (k < 0 || k > 90)
        return 0;
    unsigned __int128 one = (unsigned __int128)1 << k;
    unsigned __int128 low = (unsigned __int128)below * below * mt, high = (unsigned __int128)above * above * mt;
    if (my == UINT64_C(1) << 23) { /* below a power of two the numbers stand half as far apart */
        below = 4 * my - 1;
        low = (unsigned __int128)below * below * mt;
        return low < one << 2 && high > one;
    }
    return low < one && high > one;
}

START_TEST(invstd_is_correctly_rounded)
{
    static const uint32_t edges[] = {1,          2,          3,          0x7fffff,   0x800000,   0x800001,
                                     0xffffff,   0x3f800000, 0x3f7fffff, 0x3f800001, 0x40000000, 0x40800000,
                                     0x3fffffff, 0x407fffff, 0x7f7fffff, 0x7f000000, 0x7e800000, 0x3727c5ac};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        float t = clnorm_float_of(edges[i]);
        ck_assert_msg(rounded_right(t, clnorm_rsqrt(t)), "1/sqrt(%a) is not %a", (double)t, (double)clnorm_rsqrt(t));
    }
    for (uint32_t bits = 1; bits < 0x7f800000u; bits += 1021) { /* a prime: every exponent, every residue */
        float t = clnorm_float_of(bits);
        if (!rounded_right(t, clnorm_rsqrt(t)))
            ck_abort_msg("1/sqrt(%a) is not %a", (double)t, (double)clnorm_rsqrt(t));
    }
    /* The check itself sees one ulp either way. */
    float t = 3.0f, y = clnorm_rsqrt(t);
    ck_assert(!rounded_right(t, nextafterf(y, 0)) && !rounded_right(t, nextafterf(y, 1)));
    ck_assert(!rounded_right(1.0f, nextafterf(1.0f, 0)) && !rounded_right(1.0f, nextafterf(1.0f, 2)));
}
END_TEST

START_TEST(invstd_of_special_values)
{
    ck_assert(same_bits(clnorm_rsqrt(0.0f), 0.0f));
    ck_assert(same_bits(clnorm_rsqrt(-0.0f), 0.0f));
    ck_assert(same_bits(clnorm_rsqrt(INFINITY), 0.0f));
    ck_assert(isnan(clnorm_rsqrt(NAN)));
    ck_assert(isnan(clnorm_rsqrt(-1.0f)));
    ck_assert(isnan(clnorm_rsqrt(-1e-45f)));
    ck_assert(isnan(clnorm_rsqrt(-INFINITY)));
    ck_assert(clnorm_rsqrt(1.0f) == 1.0f && clnorm_rsqrt(4.0f) == 0.5f && clnorm_rsqrt(0.25f) == 2.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arithmetic");
    TCase *tests = tcase_create("arithmetic");
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, pairs_hold_44_bits);
    tcase_add_test(tests, transforms_are_exact);
    tcase_add_test(tests, merges);
    tcase_add_test(tests, invstd_is_correctly_rounded);
    tcase_add_test(tests, invstd_of_special_values);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
