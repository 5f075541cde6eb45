/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalar C model's gradients against the formulas in float64, and those formulas against central differences.
 *
 * A gradient is a sum that may cancel, so an error is measured against the sum of its terms' absolute values: 1e-6 of it.
 */
#include "fixture/suite.h"
#include "cases.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 1e-6

typedef unsigned long long ull;

struct tensor {
    clnorm_desc desc;
    size_t count;
    float *src, *dst, *diff_dst, *diff_src, *scale, *shift;
    float *mean, *mean_low, *invstd, *variance, *diff_scale, *diff_shift;
    double *want_src, *want_scale, *want_shift, *want_mean, *want_variance;
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
    float **const whole[] = {&t.src, &t.dst, &t.diff_dst, &t.diff_src};
    float **const vectors[] = {&t.scale,  &t.shift,    &t.mean,       &t.mean_low,
                               &t.invstd, &t.variance, &t.diff_scale, &t.diff_shift};
    double **const doubles[] = {&t.want_scale, &t.want_shift, &t.want_mean, &t.want_variance};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        *whole[i] = room(count, sizeof(float));
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        *vectors[i] = room(c, sizeof(float));
    for (size_t i = 0; i < sizeof doubles / sizeof doubles[0]; i++)
        *doubles[i] = room(c, sizeof(double));
    t.want_src = room(count, sizeof(double));
    case_fill_params(desc, 11, t.scale, t.shift);
    case_fill_diff(desc, 12, t.diff_dst);
    return t;
}

static void unmake(struct tensor *t)
{
    void *const all[] = {t->src,      t->dst,        t->diff_dst,   t->diff_src,  t->scale,        t->shift,
                         t->mean,     t->mean_low,   t->invstd,     t->variance,  t->diff_scale,   t->diff_shift,
                         t->want_src, t->want_scale, t->want_shift, t->want_mean, t->want_variance};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static void reference(struct tensor *t, int frozen, const float *scale)
{
    struct reference_backward args = {t->src,           t->diff_dst, scale,       t->want_mean,
                                      t->want_variance, frozen,      t->want_src, t->want_scale,
                                      t->want_shift,    NULL,        NULL};
    ck_assert_int_eq(reference_backward(&t->desc, &args), 0);
}

/* Forward, then backward through the batch's statistics; model and reference. */
static void train(struct tensor *t, const float *scale)
{
    struct model_forward forward = {.src = t->src, .dst = t->dst, .scale = scale};
    forward.save_mean = t->mean;
    forward.save_mean_low = t->mean_low;
    forward.save_invstd = t->invstd;
    ck_assert_int_eq(model_forward_training(&t->desc, &forward), 0);
    struct model_backward args = {.src = t->src, .diff_dst = t->diff_dst, .scale = scale, .mean = t->mean};
    args.mean_low = t->mean_low;
    args.invstd = t->invstd;
    args.diff_src = t->diff_src;
    args.diff_scale = t->diff_scale;
    args.diff_shift = t->diff_shift;
    ck_assert_int_eq(model_backward_training(&t->desc, &args), 0);
    struct reference_forward ref = {t->src, NULL, NULL, NULL, t->want_mean, t->want_variance, NULL};
    ck_assert_int_eq(reference_forward_training(&t->desc, &ref), 0);
    reference(t, 0, scale);
}

/* Backward with given statistics, which are not the batch's. */
static void freeze(struct tensor *t, const float *scale)
{
    case_fill_running(&t->desc, 13, t->mean, t->variance);
    for (uint64_t c = 0; c < t->desc.c; c++) {
        t->want_mean[c] = t->mean[c];
        t->want_variance[c] = t->variance[c];
    }
    struct model_backward args = {.src = t->src, .diff_dst = t->diff_dst, .scale = scale, .mean = t->mean};
    args.variance = t->variance;
    args.diff_src = t->diff_src;
    args.diff_scale = t->diff_scale;
    args.diff_shift = t->diff_shift;
    ck_assert_int_eq(model_backward_frozen(&t->desc, &args), 0);
    reference(t, 1, scale);
}

static void close_to(double got, double want, double terms, const char *name, enum case_data kind, const clnorm_desc *d)
{
    if (!(fabs(got - want) <= BOUND * terms))
        ck_abort_msg("%s of %s, n %llu c %llu s %llu %s: %.9g, not %.9g: %.2f times the bound", name,
                     case_data_name(kind), (ull)d->n, (ull)d->c, (ull)d->s, case_layout_name(d->layout), got, want,
                     fabs(got - want) / (BOUND * terms));
}

static void compare(const struct tensor *t, int frozen, const float *scale, enum case_data kind)
{
    const clnorm_desc *d = &t->desc;
    double m = (double)(d->n * d->s);
    for (uint64_t c = 0; c < d->c; c++) {
        double sum = t->want_variance[c] + (double)d->epsilon, invstd = sum > 0 ? 1 / sqrt(sum) : 0, g = 0, gx = 0;
        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t s = 0; s < d->s; s++) {
                uint64_t i = case_index(d, n, c, s);
                g += fabs((double)t->diff_dst[i]);
                gx += fabs(t->diff_dst[i] * (t->src[i] - t->want_mean[c])) * invstd;
            }
        close_to(t->diff_shift[c], t->want_shift[c], g, "diff_shift", kind, d);
        close_to(t->diff_scale[c], t->want_scale[c], gx, "diff_scale", kind, d);
        double factor = invstd * (scale ? fabs((double)scale[c]) : 1);
        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t s = 0; s < d->s; s++) {
                uint64_t i = case_index(d, n, c, s);
                double x = fabs(t->src[i] - t->want_mean[c]) * invstd, terms = fabs((double)t->diff_dst[i]);
                if (!frozen)
                    terms += g / m + x * gx / m;
                close_to(t->diff_src[i], t->want_src[i], factor * terms, "diff_src", kind, d);
            }
    }
}

/* case_fill's subnormal channels have products below binary32; huge ones only where statistics are the batch's. */
START_TEST(batch_statistics)
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
            case_fill(kind, &desc, 5, t.src);
            train(&t, NULL);
            compare(&t, 0, NULL, kind);
            train(&t, t.scale);
            compare(&t, 0, t.scale, kind);
        }
        unmake(&t);
    }
}
END_TEST

START_TEST(frozen_statistics)
{
    static const enum case_data kinds[] = {CASE_NORMAL, CASE_OFFSET_1E3, CASE_OFFSET_1E6, CASE_CONSTANT, CASE_BIMODAL,
                                           CASE_FLOOR,  CASE_ONE_HOT,    CASE_STEPS,      CASE_INTEGERS, CASE_RELU};
    size_t count;
    const struct case_shape *shapes = case_shapes(0, &count);
    for (size_t i = 0; i < count; i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        struct tensor t = make(&desc);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            case_fill(kinds[k], &desc, 5, t.src);
            freeze(&t, NULL);
            compare(&t, 1, NULL, kinds[k]);
            freeze(&t, t.scale);
            compare(&t, 1, t.scale, kinds[k]);
        }
        unmake(&t);
    }
}
END_TEST

/* A gradient is the same whichever others are asked for, and in place. */
START_TEST(any_subset)
{
    clnorm_desc desc = {17, 5, 49, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    struct tensor t = make(&desc);
    float src[17 * 5 * 49], scale[5], shift[5];
    case_fill(CASE_NORMAL, &desc, 5, t.src);
    train(&t, t.scale);
    for (unsigned subset = 1; subset < 8; subset++) {
        memset(src, 0x55, sizeof src);
        memset(scale, 0x55, sizeof scale);
        memset(shift, 0x55, sizeof shift);
        struct model_backward args = {.src = t.src, .diff_dst = t.diff_dst, .scale = t.scale, .mean = t.mean};
        args.mean_low = t.mean_low;
        args.invstd = t.invstd;
        args.diff_src = subset & 1 ? src : NULL;
        args.diff_scale = subset & 2 ? scale : NULL;
        args.diff_shift = subset & 4 ? shift : NULL;
        ck_assert_int_eq(model_backward_training(&desc, &args), 0);
        ck_assert((memcmp(src, t.diff_src, sizeof src) == 0) == (subset & 1));
        ck_assert((memcmp(scale, t.diff_scale, sizeof scale) == 0) == (subset >> 1 & 1));
        ck_assert((memcmp(shift, t.diff_shift, sizeof shift) == 0) == (subset >> 2));
    }
    memcpy(src, t.diff_dst, sizeof src);
    struct model_backward args = {.src = t.src, .diff_dst = src, .scale = t.scale, .mean = t.mean};
    args.mean_low = t.mean_low;
    args.invstd = t.invstd;
    args.diff_src = src;
    ck_assert_int_eq(model_backward_training(&desc, &args), 0);
    ck_assert(memcmp(src, t.diff_src, sizeof src) == 0);
    unmake(&t);
}
END_TEST

START_TEST(no_samples)
{
    clnorm_desc desc = {0, 3, 7, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
    float scale[3] = {1, 2, 3}, shift[3] = {4, 5, 6}, mean[3] = {0}, invstd[3] = {1, 1, 1};
    struct model_backward args = {.mean = mean, .invstd = invstd, .diff_scale = scale, .diff_shift = shift};
    ck_assert_int_eq(model_backward_training(&desc, &args), 0);
    for (int c = 0; c < 3; c++)
        ck_assert(scale[c] == 0 && shift[c] == 0);
}
END_TEST

/* ---- against differences: the formulas themselves ---- */

/* sum(diff_dst * y) of the reference, whose gradients those of backward are. */
static double loss(const struct tensor *t)
{
    double sum = 0, *y = t->want_src;
    struct reference_forward ref = {t->src, t->scale, t->shift, y, NULL, NULL, NULL};
    ck_assert_int_eq(reference_forward_training(&t->desc, &ref), 0);
    for (size_t i = 0; i < t->count; i++)
        sum += t->diff_dst[i] * y[i];
    return sum;
}

/* (f(x + h) - f(x - h)) / 2h with the steps that binary32 really took: off by h^2, and by the sum's rounding over h. */
static double difference(const struct tensor *t, float *x)
{
    float old = *x, up = old + 0x1p-9f, down = old - 0x1p-9f;
    *x = up;
    double high = loss(t);
    *x = down;
    double low = loss(t);
    *x = old;
    return (high - low) / ((double)up - (double)down);
}

START_TEST(finite_differences)
{
    for (int layout = 0; layout < 2; layout++) {
        clnorm_desc desc = {6, 3, 5, layout, CLNORM_FLOAT32, 1e-2f, {0, 0}};
        struct tensor t = make(&desc);
        case_fill(CASE_NORMAL, &desc, 21, t.src);
        train(&t, t.scale);
        for (size_t i = 0; i < t.count; i++) {
            double slope = difference(&t, &t.src[i]);
            ck_assert_msg(fabs(slope - t.diff_src[i]) <= 2e-5, "diff_src %zu: %.9g, by differences %.9g", i,
                          (double)t.diff_src[i], slope);
        }
        for (uint64_t c = 0; c < desc.c; c++) {
            double scale = difference(&t, &t.scale[c]), shift = difference(&t, &t.shift[c]);
            ck_assert_msg(fabs(scale - t.diff_scale[c]) <= 2e-5, "diff_scale: %.9g, by differences %.9g",
                          (double)t.diff_scale[c], scale);
            ck_assert_msg(fabs(shift - t.diff_shift[c]) <= 2e-5, "diff_shift: %.9g, by differences %.9g",
                          (double)t.diff_shift[c], shift);
        }
        unmake(&t);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_diff");
    TCase *tests = tcase_create("model_diff");
    tcase_add_test(tests, batch_statistics);
    tcase_add_test(tests, frozen_statistics);
    tcase_add_test(tests, any_subset);
    tcase_add_test(tests, no_samples);
    tcase_add_test(tests, finite_differences);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
