/* SPDX-License-Identifier: Apache-2.0 */
/* The right values of a report's row: as they are stated, and by float64 within the strict bound. */
#include "fixture/suite.h"
#include "report_rows.h"

#include "model.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BOUND 4e-7
#define DIFF_BOUND 1e-6

/* Promised are deviations from here to 2^126; gradients divide by them. */
#define LEAST_SPREAD 0x1p-252

unsigned report_faults;

__attribute__((format(printf, 2, 3))) static void fault(const struct report *row, const char *format, ...)
{
    va_list list;

    if (report_faults++ >= 20)
        return;
    printf("%s (n %llu c %llu s %llu): ", row->thread, (unsigned long long)row->n, (unsigned long long)row->c,
           (unsigned long long)row->s);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    printf("\n");
    fflush(stdout);
}

clnorm_desc report_desc(const struct report *row)
{
    clnorm_desc desc = {row->n, row->c, row->s, row->layout, CLNORM_FLOAT32, row->epsilon, {0, 0}};

    return desc;
}

int report_is_off(double got, double want, double tolerance)
{
    if (isnan(want) || isinf(want))
        return isnan(want) ? !isnan(got) : got != want;
    return !(fabs(got - want) <= tolerance + 0x1p-149);
}

static void check_stated(const struct report *row, const struct call *call, const struct values *got)
{
    for (unsigned k = 0; k < 3; k++) {
        const struct stated *s = &row->stated[k];
        size_t count = s->count == EVERY ? got->count[s->slot] : s->count;

        /* An empty entry, or another operation's result. */
        if (s->slot == SRC || !(call_writes(call) & BIT(s->slot)) ||
            (s->slot == OUT && call->operation != CLNORM_FORWARD_TRAINING))
            continue;
        for (size_t i = 0; i < count; i++) {
            double want = s->value[s->count == EVERY ? 0 : i], is = got->slot[s->slot][i];

            if (report_is_off(is, want, s->tolerance * fabs(want) - 0x1p-149)) {
                fault(row, "%s[%zu] is %.9g, should be %.9g", slot_name(call->operation, s->slot), i, is, want);
                break;
            }
        }
    }
}

/* The right values of a row, in float64. */
struct right {
    double *out, *mean, *variance, *scale, *shift;
};

static void right_make(struct right *right, const struct report *row)
{
    double **const all[] = {&right->out, &right->mean, &right->variance, &right->scale, &right->shift};

    for (unsigned i = 0; i < 5; i++)
        ck_assert_ptr_nonnull(*all[i] = calloc(row->n * row->c * row->s + row->c + 1, sizeof(double)));
}

static void right_free(struct right *right)
{
    double *const all[] = {right->out, right->mean, right->variance, right->scale, right->shift};

    for (unsigned i = 0; i < 5; i++)
        free(all[i]);
}

static double scale_of(const struct report *row, const struct values *v, uint64_t c)
{
    return row->flags & NO_SCALE ? 1 : v->slot[SCALE][c];
}

static double shift_of(const struct report *row, const struct values *v, uint64_t c)
{
    return row->flags & NO_SCALE ? 0 : v->slot[SHIFT][c];
}

/* The strict bound; statistics of a channel that is not finite are not finite. */
static void check_dst(const struct report *row, const char *what, const struct values *in, const struct values *got,
                      const double *want)
{
    clnorm_desc desc = report_desc(row);

    for (uint64_t c = 0; c < row->c; c++)
        for (uint64_t i = 0; i < row->n * row->s; i++) {
            uint64_t at = case_index(&desc, i / row->s, c, i % row->s);
            double of_scale = fmax(fabs(scale_of(row, in, c)), fabs(want[at] - shift_of(row, in, c)));
            double tolerance = BOUND * fmax(1, fmax(fabs(want[at]), of_scale));

            if (report_is_off(got->slot[OUT][at], want[at], tolerance)) {
                fault(row, "%s of %.9g, channel %llu, is %.9g, should be %.9g: %.3g of the bound", what,
                      (double)in->slot[SRC][at], (unsigned long long)c, (double)got->slot[OUT][at], want[at],
                      fabs(got->slot[OUT][at] - want[at]) / tolerance);
                return;
            }
        }
}

static void check_statistics(const struct report *row, const struct values *in, const struct values *got,
                             const struct right *right, uint64_t c)
{
    double m = (double)(row->n * row->s), k = row->momentum, variance = right->variance[c], mean = right->mean[c];
    double factor = row->flags & IS_BIASED || m == 1 ? 1 : m / (m - 1), spread = variance + (double)row->epsilon;
    double mean_old = k == 1 ? 0 : (1 - k) * (double)in->slot[RUNNING_MEAN][c];
    double variance_old = k == 1 ? 0 : (1 - k) * (double)in->slot[RUNNING_VARIANCE][c];
    double got_mean = (double)got->slot[MEAN][c] + got->slot[MEAN_LOW][c];

    if (report_is_off(got_mean, mean, 2e-7 * sqrt(variance) + 0x1p-44 * fabs(mean)))
        fault(row, "mean of channel %llu is %.12g, should be %.12g", (unsigned long long)c, got_mean, mean);
    if (report_is_off(got->slot[VARIANCE][c], variance > FLT_MAX ? INFINITY : variance, 8e-7 * variance))
        fault(row, "variance of channel %llu is %.9g, should be %.9g", (unsigned long long)c,
              (double)got->slot[VARIANCE][c], variance);
    if (report_is_off(got->slot[INVSTD][c],
                      spread > 0      ? 1 / sqrt(spread)
                      : isnan(spread) ? spread
                                      : 0,
                      BOUND / sqrt(spread)))
        fault(row, "invstd of channel %llu is %.9g, should be %.9g", (unsigned long long)c,
              (double)got->slot[INVSTD][c], 1 / sqrt(spread));
    if (k == 0 || isinf(in->slot[RUNNING_VARIANCE][c]))
        return; /* stated */
    if (report_is_off(got->slot[RUNNING_MEAN][c], k * mean + mean_old,
                      2.5e-7 * (k * fabs(mean) + k * sqrt(variance) + fabs(mean_old))))
        fault(row, "running mean of channel %llu is %.9g, should be %.9g", (unsigned long long)c,
              (double)got->slot[RUNNING_MEAN][c], k * mean + mean_old);
    variance *= k * factor;
    if (report_is_off(got->slot[RUNNING_VARIANCE][c],
                      got->slot[VARIANCE][c] > FLT_MAX ? INFINITY : variance + variance_old,
                      1e-6 * variance + 2.5e-7 * variance_old))
        fault(row, "running variance of channel %llu is %.9g, should be %.9g", (unsigned long long)c,
              (double)got->slot[RUNNING_VARIANCE][c], variance + variance_old);
}

static void check_forward(const struct report *row, const struct values *in, const struct values *got)
{
    clnorm_desc desc = report_desc(row);
    const float *scale = row->flags & NO_SCALE ? NULL : in->slot[SCALE];
    const float *shift = row->flags & NO_SCALE ? NULL : in->slot[SHIFT];
    struct right right;

    right_make(&right, row);
    struct reference_forward ref = {in->slot[SRC], scale, shift, right.out, right.mean, right.variance, NULL};
    ck_assert_int_eq(reference_forward_training(&desc, &ref), 0);
    check_dst(row, "dst", in, got, right.out);
    for (uint64_t c = 0; c < row->c && row->n; c++)
        check_statistics(row, in, got, &right, c);
    right_free(&right);
}

/* The statistics are given, as floats. */
static void check_inference(const struct report *row, const struct values *in, const struct values *got)
{
    clnorm_desc desc = report_desc(row);
    struct right right;

    right_make(&right, row);
    for (uint64_t c = 0; c < row->c; c++) {
        double spread = (double)in->slot[VARIANCE][c] + (double)row->epsilon;
        double factor = spread > 0 ? scale_of(row, in, c) / sqrt(spread) : 0;

        for (uint64_t i = 0; i < row->n * row->s; i++) {
            uint64_t at = case_index(&desc, i / row->s, c, i % row->s);

            right.out[at] = ((double)in->slot[SRC][at] - in->slot[MEAN][c]) * factor + shift_of(row, in, c);
        }
    }
    check_dst(row, "inferred dst", in, got, right.out);
    right_free(&right);
}

static void check_diff(const struct report *row, const char *what, uint64_t c, double got, double want, double terms)
{
    if (report_is_off(got, want, DIFF_BOUND * terms))
        fault(row, "%s of channel %llu is %.9g, should be %.9g", what, (unsigned long long)c, got, want);
}

/* Gradients: off by 1e-6 of what their terms' magnitudes add up to. */
static void check_backward(const struct report *row, const struct values *in, const struct values *got, int is_frozen)
{
    clnorm_desc desc = report_desc(row);
    const float *scale = row->flags & NO_SCALE ? NULL : in->slot[SCALE];
    double m = (double)(row->n * row->s);
    struct right right;

    right_make(&right, row);
    struct reference_forward ref = {in->slot[SRC], NULL, NULL, NULL, right.mean, right.variance, NULL};
    ck_assert_int_eq(reference_forward_training(&desc, &ref), 0);
    for (uint64_t c = 0; c < row->c && is_frozen; c++) {
        right.mean[c] = in->slot[MEAN][c];
        right.variance[c] = in->slot[VARIANCE][c];
    }
    struct reference_backward back = {in->slot[SRC], in->slot[DIFF_DST], scale,       right.mean,  right.variance,
                                      is_frozen,     right.out,          right.scale, right.shift, NULL,
                                      NULL};
    ck_assert_int_eq(reference_backward(&desc, &back), 0);
    for (uint64_t c = 0; c < row->c; c++) {
        double spread = right.variance[c] + (double)row->epsilon, root = spread > 0 ? 1 / sqrt(spread) : 0;
        double g = 0, gx = 0;

        if (spread > 0 && spread < LEAST_SPREAD)
            continue;
        for (uint64_t i = 0; i < row->n * row->s; i++) {
            uint64_t at = case_index(&desc, i / row->s, c, i % row->s);

            g += fabs((double)in->slot[DIFF_DST][at]);
            gx += fabs(in->slot[DIFF_DST][at] * (in->slot[SRC][at] - right.mean[c])) * root;
        }
        check_diff(row, "diff_shift", c, got->slot[DIFF_SHIFT][c], right.shift[c], g);
        /* Each product is rounded to a multiple of 2^-149. */
        gx += m * root * 0x1p-149 / DIFF_BOUND;
        check_diff(row, "diff_scale", c, got->slot[DIFF_SCALE][c], right.scale[c], gx);
        for (uint64_t i = 0; i < row->n * row->s; i++) {
            uint64_t at = case_index(&desc, i / row->s, c, i % row->s);
            double x = fabs(in->slot[SRC][at] - right.mean[c]) * root, terms = fabs((double)in->slot[DIFF_DST][at]);

            terms += is_frozen ? 0 : g / m + x * gx / m;
            check_diff(row, "diff_src", c, got->slot[OUT][at], right.out[at],
                       fabs(scale_of(row, in, c)) * root * terms);
        }
    }
    right_free(&right);
}

void report_check(const struct report *row, const struct call *call, const struct values *in, const struct values *got)
{
    check_stated(row, call, got);
    if (call->operation == CLNORM_FORWARD_TRAINING)
        check_forward(row, in, got);
    else if (call->operation == CLNORM_FORWARD_INFERENCE)
        check_inference(row, in, got);
    else
        check_backward(row, in, got, call->operation == CLNORM_BACKWARD_FROZEN);
}
