/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalar C model against float64: what every kernel then equals bit for bit.
 *
 * The bound for y is 4e-7 * max(1, |y|, |scale| * max(1, |xhat|)) where scale * xhat = y - shift, for every batch, size, kind of data
 * and magnitude: no allowance.
 */
#include "fixture/suite.h"
#include "cases.h"
#include "model.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 4e-7
#define HALF_ULP 0x1p-24

typedef unsigned long long ull;

/* A tensor with all that belongs to it. */
struct tensor {
    clnorm_desc desc;
    size_t count;
    float *src, *dst, *scale, *shift, *mean, *mean_low, *invstd, *variance;
    double *want, *want_mean, *want_variance;
};

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

static struct tensor make(const clnorm_desc *desc)
{
    size_t c = desc->c, count = desc->n * desc->c * desc->s;
    struct tensor t = {.desc = *desc, .count = count};
    float **const floats[] = {&t.scale, &t.shift, &t.mean, &t.mean_low, &t.invstd, &t.variance};
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++)
        *floats[i] = room(c, sizeof(float));
    t.src = room(count, sizeof(float));
    t.dst = room(count, sizeof(float));
    t.want = room(count, sizeof(double));
    t.want_mean = room(c, sizeof(double));
    t.want_variance = room(c, sizeof(double));
    case_fill_params(desc, 11, t.scale, t.shift);
    return t;
}

static void unmake(struct tensor *t)
{
    void *const all[] = {t->scale, t->shift, t->mean, t->mean_low,  t->invstd,       t->variance,
                         t->src,   t->dst,   t->want, t->want_mean, t->want_variance};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static void forward(struct tensor *t, const float *scale, const float *shift)
{
    struct model_forward args = {.src = t->src, .dst = t->dst, .scale = scale, .shift = shift};
    args.save_mean = t->mean;
    args.save_mean_low = t->mean_low;
    args.save_invstd = t->invstd;
    args.save_variance = t->variance;
    ck_assert_int_eq(model_forward_training(&t->desc, &args), 0);
    struct reference_forward ref = {t->src, scale, shift, t->want, t->want_mean, t->want_variance, NULL};
    ck_assert_int_eq(reference_forward_training(&t->desc, &ref), 0);
}

static uint64_t channel(const clnorm_desc *d, size_t i)
{
    return d->layout == CLNORM_CHANNELS_LAST ? i % d->c : i / d->s % d->c;
}

/* The largest error of y in units of the bound. */
static double worst(const struct tensor *t, const float *y, const float *scale, const float *shift)
{
    double most = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint64_t c = channel(&t->desc, i);
        double sh = shift ? shift[c] : 0, sc = scale ? fabs((double)scale[c]) : 1, want = t->want[i];
        double unit = fmax(fmax(1, fabs(want)), fmax(sc, fabs(want - sh)));
        double error = fabs(y[i] - want) / (BOUND * unit);
        if (!(error <= most)) /* NaN counts */
            most = isnan(error) ? INFINITY : error;
    }
    return most;
}

/* ---- accuracy ---- */

static double accuracy_most; /* over all of a test's tensors */

/* Adds to text, once for a kind and layout, where the bound is missed. */
static unsigned check_accuracy(struct tensor *t, enum case_data kind, char *text, size_t size)
{
    unsigned missed = 0;
    t->desc.epsilon = case_epsilon(kind);
    case_fill(kind, &t->desc, 5, t->src);
    for (int with = 0; with < 4; with++) {
        const float *scale = with & 1 ? t->scale : NULL, *shift = with & 2 ? t->shift : NULL;
        forward(t, scale, shift);
        double error = worst(t, t->dst, scale, shift);
        if (error > accuracy_most)
            accuracy_most = error;
        if (error <= 1)
            continue;
        missed++;
        snprintf(text, size, "%s, n %llu c %llu s %llu %s, scale and shift %d: %.3f times the bound",
                 case_data_name(kind), (ull)t->desc.n, (ull)t->desc.c, (ull)t->desc.s, case_layout_name(t->desc.layout),
                 with, error);
    }
    return missed;
}

START_TEST(accuracy)
{
    size_t count;
    unsigned missed = 0;
    char text[200] = "";
    const struct case_shape *shapes = case_shapes(0, &count);
    for (size_t i = 0; i < count; i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        struct tensor t = make(&desc);
        for (int kind = 0; kind < CASE_DATA_COUNT; kind++)
            if (case_data_is_finite(kind))
                missed += check_accuracy(&t, kind, text, sizeof text);
        unmake(&t);
    }
    printf("largest error of y: %.3f times the bound\n", accuracy_most);
    ck_assert_msg(missed == 0, "%u times, the last one %s", missed, text);
}
END_TEST

/*
 * Bounds of the statistics, relative. A leaf's sum of squares has chains of ten additions at most, whose roundings come to some
 * ulps when all go one way; the tree adds nothing to speak of. The mean, centred twice, is off by 2e-7 deviations.
 */
#define VARIANCE_BOUND 8e-7
#define INVSTD_BOUND (VARIANCE_BOUND / 2 + HALF_ULP)

START_TEST(accuracy_of_statistics)
{
    size_t count;
    const struct case_shape *shapes = case_shapes(0, &count);
    for (size_t i = 0; i < count; i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        struct tensor t = make(&desc);
        for (int kind = 0; kind < CASE_DATA_COUNT; kind++) {
            if (!case_data_is_finite(kind) || kind == CASE_SUBNORMAL)
                continue;
            t.desc.epsilon = case_epsilon(kind);
            case_fill(kind, &desc, 6, t.src);
            forward(&t, NULL, NULL);
            for (uint64_t c = 0; c < desc.c; c++) {
                double mean = (double)t.mean[c] + t.mean_low[c], variance = t.want_variance[c];
                double spread = sqrt(variance), want = t.want_mean[c];
                ck_assert_msg(fabs(mean - want) <= 2e-7 * spread + 0x1p-44 * fabs(want) + 0x1p-149,
                              "%s: mean %.17g, not %.17g", case_data_name(kind), mean, want);
                if (variance <= FLT_MAX)
                    ck_assert_msg(fabs(t.variance[c] - variance) <= VARIANCE_BOUND * variance + 0x1p-149,
                                  "%s: variance %.9g, not %.9g", case_data_name(kind), (double)t.variance[c], variance);
                else
                    ck_assert(isinf(t.variance[c]));
                double sum = variance + (double)t.desc.epsilon, invstd = sum > 0 ? 1 / sqrt(sum) : 0;
                ck_assert_msg(fabs(t.invstd[c] - invstd) <= INVSTD_BOUND * invstd, "%s: invstd %.9g, not %.9g",
                              case_data_name(kind), (double)t.invstd[c], invstd);
            }
        }
        unmake(&t);
    }
}
END_TEST

/* What the bound is for: what others compute must not pass it. */
static void naive(const struct tensor *t, float *y, int one_pass)
{
    const clnorm_desc *d = &t->desc;
    float m = (float)(d->n * d->s);
    for (uint64_t c = 0; c < d->c; c++) {
        float sum = 0, squares = 0;
        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t s = 0; s < d->s; s++) {
                float x = t->src[case_index(d, n, c, s)];
                sum += x;
                squares += x * x;
            }
        float mean = one_pass ? sum / m : (float)t->want_mean[c];
        float variance = one_pass ? squares / m - mean * mean : (float)t->want_variance[c];
        float a = 1.0f / sqrtf(variance + d->epsilon), b = -mean * a;
        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t s = 0; s < d->s; s++) {
                uint64_t i = case_index(d, n, c, s);
                y[i] = one_pass ? (t->src[i] - mean) * a : t->src[i] * a + b;
            }
    }
}

START_TEST(bound_refuses_naive_arithmetic)
{
    static const enum case_data ill[] = {CASE_OFFSET_1E3, CASE_OFFSET_1E4, CASE_OFFSET_1E6, CASE_HUGE, CASE_CONSTANT};
    clnorm_desc desc = {17, 3, 3136, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    struct tensor t = make(&desc);
    float *y = room(t.count, sizeof *y);
    for (size_t i = 0; i < sizeof ill / sizeof ill[0]; i++) {
        case_fill(ill[i], &desc, 5, t.src);
        forward(&t, NULL, NULL);
        ck_assert(worst(&t, t.dst, NULL, NULL) <= 1);
        naive(&t, y, 1);
        ck_assert_msg(worst(&t, y, NULL, NULL) > 1, "E[x^2] - m^2 passes on %s", case_data_name(ill[i]));
        naive(&t, y, 0); /* float64 statistics, then y = a * x + b */
        if (ill[i] != CASE_HUGE && ill[i] != CASE_CONSTANT)
            ck_assert_msg(worst(&t, y, NULL, NULL) > 1, "y = a * x + b passes on %s", case_data_name(ill[i]));
    }
    case_fill(CASE_NORMAL, &desc, 5, t.src); /* even here */
    forward(&t, NULL, NULL);
    naive(&t, y, 1);
    ck_assert_msg(worst(&t, y, NULL, NULL) > 1, "E[x^2] - m^2 passes on %s", case_data_name(CASE_NORMAL));
    free(y);
    unmake(&t);
}
END_TEST

/* ---- promises to the last bit ---- */

static int same_bits(float a, float b)
{
    return case_bits(a) == case_bits(b);
}

/* Every value of channel c is constants[c]: mean exactly it, variance exactly 0, y exactly the shift. */
static void check_constant(const clnorm_desc *desc, const float *constants, size_t most)
{
    struct tensor t = make(desc);
    for (size_t i = 0; i < t.count; i++)
        t.src[i] = constants[channel(desc, i) % most];
    forward(&t, t.scale, t.shift);
    for (uint64_t c = 0; c < desc->c; c++) {
        float v = constants[c % most], invstd = desc->epsilon > 0 ? (float)(1 / sqrt((double)desc->epsilon)) : 0;
        ck_assert_msg(t.mean[c] == v && t.mean_low[c] == 0 && same_bits(t.variance[c], 0) && t.invstd[c] == invstd,
                      "%a, n %llu s %llu %s: mean %a %a, variance %a, invstd %a", (double)v, (ull)desc->n, (ull)desc->s,
                      case_layout_name(desc->layout), (double)t.mean[c], (double)t.mean_low[c], (double)t.variance[c],
                      (double)t.invstd[c]);
    }
    for (size_t i = 0; i < t.count; i++)
        if (t.dst[i] != t.shift[channel(desc, i)])
            ck_abort_msg("%a: y is not the shift", (double)t.src[i]);
    unmake(&t);
}

START_TEST(constant_channels)
{
    static const float constants[] = {0.0f,   -0.0f,           1.0f,    3.3f,  -3.3f,      0.1f,    1e-30f,
                                      1e30f,  -1e30f,          1.7e38f, 1e12f, 1.0995e12f, 1.1e12f, 16777215.0f,
                                      1e-45f, -1.1754942e-38f, 7e22f,   1e-5f};
    static const uint64_t sizes[][2] = {{1, 1},    {1, 2},    {2, 1},    {17, 1},   {63, 1},
                                        {65, 1},   {1000, 1}, {3, 49},   {33, 49},  {5, 1000},
                                        {1, 1023}, {2, 1025}, {3, 3136}, {7, 2500}, {1, 100000}};
    enum { CONSTANTS = sizeof constants / sizeof constants[0] };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int layout = 0; layout < 2; layout++) {
            clnorm_desc desc = {sizes[i][0], CONSTANTS, sizes[i][1], layout, CLNORM_FLOAT32, 1e-5f, {0, 0}};
            check_constant(&desc, constants, CONSTANTS);
            desc.epsilon = 0;
            check_constant(&desc, constants, CONSTANTS);
        }
    float drawn[64];
    for (int i = 0; i < 64; i++)
        drawn[i] = ldexpf(case_normal(99, (uint64_t)i), i * 3 - 80);
    for (uint64_t n = 1; n < 40; n += 3) {
        clnorm_desc desc = {n, 64, 1 + n * n * 2, n % 2, CLNORM_FLOAT32, 1e-5f, {0, 0}};
        check_constant(&desc, drawn, 64);
    }
}
END_TEST

/* One value a channel, whatever it is. */
START_TEST(one_value)
{
    clnorm_desc desc = {1, 1000, 1, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    float values[1000];
    for (int i = 0; i < 1000; i++)
        values[i] = ldexpf(case_normal(3, (uint64_t)i), i % 250 - 125);
    check_constant(&desc, values, 1000);
}
END_TEST

START_TEST(special_values_stay_in_their_channel)
{
    const float specials[] = {NAN, INFINITY, -INFINITY};
    static const uint64_t sizes[][2] = {{5, 1}, {100, 1}, {17, 49}, {3, 1024}, {2, 3000}};
    for (size_t i = 0; i < 5 * 3 * 2; i++) {
        clnorm_desc desc = {sizes[i % 5][0], 4, sizes[i % 5][1], i / 15, CLNORM_FLOAT32, 1e-5f, {0, 0}};
        struct tensor t = make(&desc), clean = make(&desc);
        case_fill(CASE_NORMAL, &desc, 4, t.src);
        case_fill(CASE_NORMAL, &desc, 4, clean.src);
        t.src[case_index(&desc, desc.n / 2, 2, desc.s - 1)] = specials[i / 5 % 3];
        forward(&t, t.scale, t.shift);
        forward(&clean, t.scale, t.shift);
        for (uint64_t c = 0; c < 4; c++) {
            int good = c == 2 ? isnan(t.mean[c]) && isnan(t.variance[c]) && isnan(t.invstd[c])
                              : same_bits(t.mean[c], clean.mean[c]) && same_bits(t.invstd[c], clean.invstd[c]) &&
                                    same_bits(t.variance[c], clean.variance[c]);
            ck_assert_msg(good, "channel %llu: mean %g, variance %g, invstd %g", (ull)c, (double)t.mean[c],
                          (double)t.variance[c], (double)t.invstd[c]);
        }
        for (size_t k = 0; k < t.count; k++)
            if (channel(&desc, k) == 2 ? !isnan(t.dst[k]) : !same_bits(t.dst[k], clean.dst[k]))
                ck_abort_msg("y of channel %llu is %g", (ull)channel(&desc, k), (double)t.dst[k]);
        unmake(&t);
        unmake(&clean);
    }
}
END_TEST

/* Up to 1.7e38 of either sign: finite and right. */
START_TEST(large_magnitudes)
{
    static const float magnitudes[] = {1e12f, 1.0995116e12f, 2e12f, 1e19f, 3e25f, 1e30f, 1e38f, 1.7e38f};
    static const uint64_t sizes[][2] = {{2, 1}, {64, 1}, {1000, 1}, {16, 49}, {2, 1024}, {3, 5000}};
    for (size_t i = 0; i < 2 * 6; i++) {
        clnorm_desc desc = {sizes[i % 6][0], 8, sizes[i % 6][1], i / 6, CLNORM_FLOAT32, 1e-5f, {0, 0}};
        struct tensor t = make(&desc);
        for (uint64_t n = 0; n < desc.n; n++)
            for (uint64_t c = 0; c < 8; c++)
                for (uint64_t s = 0; s < desc.s; s++)
                    t.src[case_index(&desc, n, c, s)] = (n * desc.s + s) % 2 ? -magnitudes[c] : magnitudes[c];
        forward(&t, t.scale, t.shift);
        double error = worst(&t, t.dst, t.scale, t.shift);
        ck_assert_msg(error <= 1, "n %llu s %llu: %g times the bound", (ull)desc.n, (ull)desc.s, error);
        for (uint64_t c = 0; c < 8; c++) {
            double variance = t.want_variance[c];
            ck_assert(variance > FLT_MAX ? isinf(t.variance[c])
                                         : fabs(t.variance[c] - variance) <= VARIANCE_BOUND * variance);
            ck_assert(fabs(t.invstd[c] * sqrt(variance) - 1) <= INVSTD_BOUND);
        }
        unmake(&t);
    }
}
END_TEST

/* ---- running statistics ---- */

static void check_running(uint64_t n, uint64_t s, float momentum, unsigned flags)
{
    clnorm_desc desc = {n, 5, s, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    struct tensor t = make(&desc);
    float mean[5], variance[5], old_mean[5], old_variance[5];
    case_fill(CASE_NORMAL, &desc, 8, t.src);
    case_fill_running(&desc, 9, mean, variance);
    memcpy(old_mean, mean, sizeof mean);
    memcpy(old_variance, variance, sizeof variance);
    forward(&t, NULL, NULL);
    struct model_forward args = {.src = t.src, .dst = t.dst, .running_mean = mean, .running_variance = variance};
    args.momentum = momentum;
    args.running_flags = flags;
    ck_assert_int_eq(model_forward_training(&desc, &args), 0);
    double m = (double)(n * s), k = momentum, factor = flags == CLNORM_RUNNING_UNBIASED && m > 1 ? m / (m - 1) : 1;
    for (int c = 0; c < 5; c++) {
        double batch = t.want_variance[c] * factor;
        double want_mean = t.want_mean[c] * k + old_mean[c] * (1 - k), want = batch * k + old_variance[c] * (1 - k);
        ck_assert_double_le(fabs(mean[c] - want_mean), 2.5e-7 * (fabs(t.want_mean[c]) + fabs((double)old_mean[c]) + 1));
        ck_assert_double_le(fabs(variance[c] - want), 2.5e-7 * (batch + old_variance[c]));
        if (momentum == 0) /* to the bit */
            ck_assert(mean[c] == old_mean[c] && variance[c] == old_variance[c]);
    }
    unmake(&t);
}

START_TEST(running_statistics)
{
    static const float momenta[] = {0.0f, 0.1f, 0.5f, 1.0f};
    static const uint64_t sizes[][2] = {{1, 1}, {2, 1}, {3, 1}, {17, 49}, {2, 2000}};
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 5; k++) {
            check_running(sizes[k][0], sizes[k][1], momenta[i], CLNORM_RUNNING_UNBIASED);
            check_running(sizes[k][0], sizes[k][1], momenta[i], CLNORM_RUNNING_BIASED);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tests = tcase_create("model");
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, accuracy);
    tcase_add_test(tests, accuracy_of_statistics);
    tcase_add_test(tests, bound_refuses_naive_arithmetic);
    tcase_add_test(tests, constant_channels);
    tcase_add_test(tests, one_value);
    tcase_add_test(tests, special_values_stay_in_their_channel);
    tcase_add_test(tests, large_magnitudes);
    tcase_add_test(tests, running_statistics);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
