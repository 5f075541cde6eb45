/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalar model against float64 on random tensors: data whose values repeat, data of all magnitudes side by side, 2 to 4096 values
 * a channel and some of more, both layouts, random scale and shift. The bound is strict: |y - ref| is at most
 * 4e-7 max(1, |y|, |scale| max(1, |xhat|)).
 */
#include "fixture/suite.h"
#include "cases.h"
#include "model.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BOUND 4e-7

enum { CHANNELS = 8, MOST = 1 << 17 };

typedef unsigned long long ull;

/* ---- random numbers ---- */

static uint64_t draws;

static uint64_t draw(void)
{
    uint64_t x = draws += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static int draw_from(int least, int most)
{
    return least + (int)(draw() % (uint64_t)(most - least + 1));
}

/* 2^least to 2^most in magnitude, of either sign. */
static float draw_number(int least, int most)
{
    float x = ldexpf(1.0f + (float)(draw() >> 41) * 0x1p-23f, draw_from(least, most - 1));
    return draw() % 2 ? x : -x;
}

/* ---- data of this test's own ---- */

/* Borders of the classes of leaves, and exponents well within each. */
static const int exponents[] = {0, 43, 44, 45, 48, 60, 100, 125, -20, -33, -36, -37, -38, -50, -60, -90};
enum { EXPONENTS = sizeof exponents / sizeof exponents[0] };

/* A floor of one value with a few that lie some units in the last place above it. */
static void fill_units(const clnorm_desc *desc, float *src)
{
    for (uint64_t c = 0; c < desc->c; c++) {
        float floor = draw_number(0, 1) * ldexpf(1.0f, exponents[draw() % EXPONENTS]);
        uint64_t m = desc->n * desc->s, some = draw() % 4 ? 1 + draw() % 3 : m / 2;
        for (uint64_t i = 0; i < m; i++)
            src[case_index(desc, i / desc->s, c, i % desc->s)] = floor;
        for (uint64_t i = 0; i < some; i++) {
            uint64_t at = draw() % m;
            float value = floor;
            for (int up = draw_from(1, 4); up > 0; up--)
                value = nextafterf(value, INFINITY);
            src[case_index(desc, at / desc->s, c, at % desc->s)] = value;
        }
    }
}

/* Neighbouring patches of about a leaf, each of a class and a kind of its own: zeros, one value, or normal. */
static void fill_patches(const clnorm_desc *desc, float *src)
{
    uint64_t patch = (uint64_t)64 << draw() % 5, m = desc->n * desc->s;
    int from[CHANNELS], with[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        from[c] = draw_from(0, EXPONENTS - 1);
        with[c] = draw_from(1, 4);
    }
    for (uint64_t c = 0; c < desc->c; c++)
        for (uint64_t first = 0; first < m; first += patch) {
            float size = ldexpf(1.0f, exponents[(from[c] + draw_from(0, with[c])) % EXPONENTS]);
            unsigned kind = draw() % 4;
            float floor = kind == 0 ? 0.0f : size * draw_number(-1, 1), spread = kind < 2 ? 0.0f : size;
            for (uint64_t i = first; i < m && i < first + patch; i++)
                src[case_index(desc, i / desc->s, c, i % desc->s)] = floor + spread * case_normal(first, draw() % 997);
        }
}

/* ---- the sweep ---- */

enum { UNITS = CASE_DATA_COUNT, PATCHES, KINDS };
static const int kinds[] = {CASE_FLOOR,   CASE_ONE_HOT, CASE_STEPS,      CASE_INTEGERS,   CASE_SORTED,    CASE_RELU,
                            CASE_BIMODAL, CASE_NORMAL,  CASE_OFFSET_1E4, CASE_OFFSET_1E6, CASE_EXPONENTS, CASE_TINY,
                            CASE_CLASSES, CASE_HUGE,    UNITS,           PATCHES};
enum { SWEPT = sizeof kinds / sizeof kinds[0] };

static const char *kind_name(int kind)
{
    return kind == UNITS ? "units" : kind == PATCHES ? "patches" : case_data_name(kind);
}

static void fill(int kind, const clnorm_desc *desc, float *src)
{
    if (kind == UNITS)
        fill_units(desc, src);
    else if (kind == PATCHES)
        fill_patches(desc, src);
    else
        case_fill(kind, desc, draw(), src);
}

struct found {
    double most;
    int kind;
    clnorm_desc desc;
    float scale, shift;
    uint64_t seed;
};

/* Scales that keep scale * invstd among the normal numbers, and shifts, some of which cancel. */
static void draw_params(const double *variance, float epsilon, float *scale, float *shift)
{
    for (int c = 0; c < CHANNELS; c++) {
        double spread = sqrt(variance[c] + epsilon);
        int can_be_small = spread < 0x1p+118 && draw() % 4;
        scale[c] = draw_number(can_be_small ? -8 : 0, spread < 0x1p-118 ? 1 : 6);
        shift[c] = draw() % 3 ? draw_number(-8, 6) : -scale[c] * (float)draw_from(-8, 8) * 0.25f;
    }
}

static void sweep(int kind, const clnorm_desc *desc, struct found *found)
{
    static float src[MOST], dst[MOST];
    static double want[MOST];
    float scale[CHANNELS], shift[CHANNELS];
    double variance[CHANNELS];
    uint64_t seed = draws, count = desc->n * desc->c * desc->s;
    ck_assert_uint_le(count, MOST);
    fill(kind, desc, src);
    struct reference_forward ref = {src, NULL, NULL, NULL, NULL, variance, NULL};
    ck_assert_int_eq(reference_forward_training(desc, &ref), 0);
    draw_params(variance, desc->epsilon, scale, shift);
    struct model_forward args = {.src = src, .dst = dst, .scale = scale, .shift = shift};
    ref = (struct reference_forward){src, scale, shift, want, NULL, NULL, NULL};
    ck_assert_int_eq(model_forward_training(desc, &args), 0);
    ck_assert_int_eq(reference_forward_training(desc, &ref), 0);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t c = desc->layout == CLNORM_CHANNELS_LAST ? i % desc->c : i / desc->s % desc->c;
        double spread = variance[c] + (double)desc->epsilon;
        if (spread > 0 && spread < 0x1p-252) /* promised from 2^-126 on */
            continue;
        double of_scale = fmax(fabs((double)scale[c]), fabs(want[i] - shift[c]));
        double error = fabs(dst[i] - want[i]) / (BOUND * fmax(1, fmax(fabs(want[i]), of_scale)));
        if (error <= found->most)
            continue;
        *found = (struct found){isnan(error) ? INFINITY : error, kind, *desc, scale[c], shift[c], seed};
    }
}

/* 2 to most values a channel; all sizes of 2^k to 2^(k+1) together are as likely as those of the next k. */
static clnorm_desc draw_shape(int kind, uint64_t most)
{
    clnorm_desc desc = {1, CHANNELS, 1, draw() % 2, CLNORM_FLOAT32, kind < UNITS ? case_epsilon(kind) : 0, {0, 0}};
    uint64_t m = most >> draw() % 11;
    m = m < 4 ? 2 + draw() % 2 : m / 2 + draw() % (m / 2) + 1;
    if (kind >= UNITS && draw() % 4 == 0)
        desc.epsilon = 1e-5f;
    if (desc.layout == CLNORM_CHANNELS_FIRST && draw() % 8)
        desc.s = draw() % 2 ? m : 1 + draw() % m;
    desc.n = m / desc.s;
    return desc;
}

static void report(const struct found *found)
{
    const clnorm_desc *d = &found->desc;
    printf("largest error of y on %-10s %.3f of the bound (n %llu c %llu s %llu %s, epsilon %g, scale %a, shift %a, "
           "seed 0x%llx)\n",
           kind_name(found->kind), found->most, (ull)d->n, (ull)d->c, (ull)d->s, case_layout_name(d->layout),
           (double)d->epsilon, (double)found->scale, (double)found->shift, (ull)found->seed);
}

START_TEST(test_sweep)
{
    double most = 0;
    for (int k = 0; k < SWEPT; k++) {
        struct found found = {.most = 0};
        draws = (uint64_t)kinds[k] << 32;
        for (int i = 0; i < 1200; i++) {
            clnorm_desc desc = draw_shape(kinds[k], 4096);
            sweep(kinds[k], &desc, &found);
        }
        report(&found);
        most = fmax(most, found.most);
    }
    printf("largest error of y: %.3f of the bound\n", most);
    ck_assert_msg(most < 1, "an error is beyond the bound");
}
END_TEST

/* Large channels of few different values: what sums and squares lose grows with the size. */
START_TEST(test_large_channels)
{
    static const int large[] = {CASE_FLOOR, CASE_ONE_HOT, CASE_STEPS, CASE_SORTED, CASE_CLASSES, UNITS, PATCHES};
    double most = 0;
    for (unsigned k = 0; k < sizeof large / sizeof large[0]; k++) {
        struct found found = {.most = 0};
        draws = (uint64_t)large[k] << 40;
        for (int i = 0; i < 24; i++) {
            clnorm_desc desc = draw_shape(large[k], 4096);
            uint64_t n = MOST / CHANNELS / desc.s;
            desc.n = n - draw() % (n / 8 + 1);
            sweep(large[k], &desc, &found);
        }
        report(&found);
        most = fmax(most, found.most);
    }
    ck_assert_msg(most < 1, "an error is beyond the bound");
}
END_TEST

/* ---- gradients ---- */

/* Off by at most 1e-6 of the sum of their terms' magnitudes. */
#define DIFF_BOUND 1e-6

static void note_diff(const char *what, double got, double want, double terms, int kind, const clnorm_desc *d,
                      double *most)
{
    double error = fabs(got - want) / (DIFF_BOUND * terms);
    if (terms == 0 ? got == 0 : error <= *most)
        return;
    *most = isnan(error) ? INFINITY : error;
    if (*most >= 1)
        printf("%s of %s, n %llu c %llu s %llu %s, epsilon %g: %.9g, not %.9g\n", what, kind_name(kind), (ull)d->n,
               (ull)d->c, (ull)d->s, case_layout_name(d->layout), (double)d->epsilon, got, want);
}

static void sweep_diff(int kind, const clnorm_desc *d, double *most)
{
    static float src[MOST], dst[MOST], dy[MOST], dx[MOST];
    static double want[MOST];
    float mean[CHANNELS], low[CHANNELS], invstd[CHANNELS], scale[CHANNELS], shift[CHANNELS];
    float diff_scale[CHANNELS], diff_shift[CHANNELS];
    double want_mean[CHANNELS], variance[CHANNELS], want_scale[CHANNELS], want_shift[CHANNELS];
    double m = (double)(d->n * d->s);
    fill(kind, d, src);
    case_fill_diff(d, draw(), dy);
    struct reference_forward ref = {src, NULL, NULL, NULL, want_mean, variance, NULL};
    ck_assert_int_eq(reference_forward_training(d, &ref), 0);
    draw_params(variance, d->epsilon, scale, shift);
    struct model_forward forward = {.src = src, .dst = dst, .save_mean = mean, .save_mean_low = low};
    forward.save_invstd = invstd;
    ck_assert_int_eq(model_forward_training(d, &forward), 0);
    struct model_backward args = {.src = src, .diff_dst = dy, .scale = scale, .mean = mean, .mean_low = low};
    args.invstd = invstd, args.diff_src = dx, args.diff_scale = diff_scale, args.diff_shift = diff_shift;
    struct reference_backward back = {src, dy, scale, want_mean, variance, 0, want, want_scale, want_shift, NULL, NULL};
    ck_assert_int_eq(model_backward_training(d, &args), 0);
    ck_assert_int_eq(reference_backward(d, &back), 0);
    for (uint64_t c = 0; c < d->c; c++) {
        double spread = variance[c] + (double)d->epsilon, root = spread > 0 ? 1 / sqrt(spread) : 0, g = 0, gx = 0;
        if (spread < 0x1p-252 || fabs(want_mean[c]) * root > 0x1p+29) /* reference_backward's mean is one double */
            continue;
        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);
            g += fabs((double)dy[at]);
            gx += fabs(dy[at] * (src[at] - want_mean[c])) * root;
        }
        note_diff("diff_shift", diff_shift[c], want_shift[c], g, kind, d, most);
        note_diff("diff_scale", diff_scale[c], want_scale[c], gx, kind, d, most);
        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);
            double terms = fabs((double)dy[at]) + g / m + fabs(src[at] - want_mean[c]) * root * gx / m;
            note_diff("diff_src", dx[at], want[at], fabs((double)scale[c]) * root * terms, kind, d, most);
        }
    }
}

START_TEST(test_gradients)
{
    double most = 0;
    for (int k = 0; k < SWEPT; k++) {
        draws = (uint64_t)kinds[k] << 48;
        for (int i = 0; i < 150; i++) {
            clnorm_desc desc = draw_shape(kinds[k], 4096);
            sweep_diff(kinds[k], &desc, &most);
        }
    }
    printf("largest error of gradients: %.3f of the bound\n", most);
    ck_assert_msg(most < 1, "an error is beyond the bound");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *tests = tcase_create("sweep");
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, test_sweep);
    tcase_add_test(tests, test_large_channels);
    tcase_add_test(tests, test_gradients);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
