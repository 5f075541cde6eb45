/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was reported of other libraries, as rows of report_rows.c: the model gives what is stated and what float64 gives, within the
 * strict bound, and every kernel variant on every device gives the model's bits.
 * CLNORM_TEST_DEVICE selects one device, CLNORM_TEST_SMALL leaves the large rows out.
 */
#include "fixture/suite.h"
#include "model.h"
#include "report_rows.h"
#include "fixture/subjects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* ---- a row's calls ---- */

static struct call call_of(const struct report *row, enum clnorm_operation operation)
{
    struct call call = {.operation = operation, .desc = report_desc(row), .alias = OUT, .momentum = row->momentum};

    call.running_flags = row->flags & IS_BIASED ? CLNORM_RUNNING_BIASED : CLNORM_RUNNING_UNBIASED;
    call.absent = row->flags & NO_SCALE ? BIT(SCALE) | BIT(SHIFT) : 0;
    if (row->n == 0 && operation == CLNORM_FORWARD_TRAINING) /* which then writes nothing */
        call.absent |= BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) | BIT(VARIANCE);
    return call;
}

static void fill(const struct report *row, struct values *v)
{
    clnorm_desc desc = report_desc(row);
    uint64_t m = row->n * row->s;

    for (unsigned s = 0; s < SLOTS; s++) {
        v->count[s] = (size_t)(s <= OUT ? m * row->c : row->c);
        ck_assert_ptr_nonnull(v->slot[s] = calloc(v->count[s] + 1, sizeof(float)));
    }
    case_fill_diff(&desc, 77, v->slot[DIFF_DST]);
    case_fill_params(&desc, 78, v->slot[SCALE], v->slot[SHIFT]);
    for (uint64_t c = 0; c < row->c; c++) {
        for (uint64_t i = 0; i < m; i++) {
            uint64_t at = case_index(&desc, i / row->s, c, i % row->s);

            v->slot[SRC][at] = row->value(i, c, m);
            if (row->flags & DIFF_ONES)
                v->slot[DIFF_DST][at] = 1;
        }
        v->slot[RUNNING_MEAN][c] = row->old_mean;
        v->slot[RUNNING_VARIANCE][c] = row->old_variance;
        if (row->flags & PLAIN_SCALE) {
            v->slot[SCALE][c] = 1;
            v->slot[SHIFT][c] = 0.5f;
        }
    }
}

/* ---- rows ---- */

/* run: the device's; NULL: the model against what is right. */
static void do_row(const struct report *row, unsigned number, struct run *run)
{
    static const unsigned wanted[] = {DO_FORWARD, DO_INFERENCE, DO_BACKWARD, DO_FROZEN};
    struct values inputs = {0}, got = {0};

    fill(row, &inputs);
    for (unsigned o = 0; o < 4; o++) {
        struct call call = call_of(row, (enum clnorm_operation)o);

        if (!(row->operations & wanted[o]))
            continue;
        values_copy(&got, &inputs);
        call_model(&call, &got);
        if (run) {
            run_subjects(run, &call, row->thread, &inputs, &got, number, 1);
        } else {
            report_check(row, &call, &inputs, &got);
        }
        /* The others work on what forward training saved. */
        for (unsigned s = MEAN; o == CLNORM_FORWARD_TRAINING && s <= VARIANCE; s++)
            memcpy(inputs.slot[s], got.slot[s], got.count[s] * sizeof(float));
    }
    values_free(&inputs);
    values_free(&got);
}

START_TEST(test_right)
{
    report_faults = 0;
    for (size_t i = 0; i < report_count(); i++)
        if (!(reports[i].flags & (IS_LARGE | OF_MODEL) && fixture_is_small()))
            do_row(&reports[i], 0, NULL);
    ck_assert_msg(report_faults == 0, "%u faults of the model, the first of them above", report_faults);
}
END_TEST

START_TEST(test_variants)
{
    static struct run run;

    open_run(&run, &devices[_i], 0);
    for (size_t i = 0; i < report_count(); i++)
        if (!(reports[i].flags & OF_MODEL) && !(reports[i].flags & IS_LARGE && fixture_is_small()))
            do_row(&reports[i], (unsigned)i, &run);
    printf("device %s, %s: %llu calls, digest %016llx%s\n", run.rig.info.platform_name, run.rig.info.name, run.calls,
           (unsigned long long)run.digest, fixture_is_small() ? " (small)" : "");
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

/* ---- calls that follow each other ---- */

/* pytorch/pytorch#31498, mosaicml/composer#624: momentum 1/k averages, whatever stood there before. */
static float batch_number(uint64_t i, uint64_t c, uint64_t k)
{
    float sign = i % 2 ? 1.0f : -1.0f;

    return c % 2 ? sign * 3.16227766e-5f : (float)k + 0.5f * sign;
}

static void check_average(const struct values *v, uint64_t k)
{
    static const double means[] = {1, 1.5, 2, 2.5};

    for (size_t c = 0; c < v->count[RUNNING_MEAN]; c++) {
        double mean = c % 2 ? 0 : means[k - 1], variance = c % 2 ? 1e-9 : 0.25;
        double is_mean = v->slot[RUNNING_MEAN][c], is = v->slot[RUNNING_VARIANCE][c];

        ck_assert_msg(fabs(is_mean - mean) <= 2e-7 * mean && fabs(is - variance) <= 5e-7 * variance,
                      "batch %d, channel %zu: %.9g and %.9g, should be %.9g and %.9g", (int)k, c, is_mean, is, mean,
                      variance);
    }
}

START_TEST(test_cumulative_average)
{
    static struct run run;
    struct report row = {"pytorch/pytorch#31498",
                         6,
                         37,
                         1,
                         CLNORM_CHANNELS_LAST,
                         1e-5f,
                         DO_FORWARD,
                         IS_BIASED,
                         batch_number,
                         1,
                         1e8f,
                         1,
                         {{0}}};
    struct values inputs = {0}, got = {0};

    open_run(&run, &devices[_i], 0);
    fill(&row, &inputs);
    values_copy(&got, &inputs);
    for (uint64_t k = 1; k <= 4; k++) {
        struct call call = call_of(&row, CLNORM_FORWARD_TRAINING);

        call.momentum = 1.0f / (float)k;
        for (size_t i = 0; i < inputs.count[SRC]; i++)
            inputs.slot[SRC][i] = batch_number(i / row.c, i % row.c, k);
        for (unsigned s = RUNNING_MEAN; s <= RUNNING_VARIANCE; s++)
            memcpy(inputs.slot[s], got.slot[s], got.count[s] * sizeof(float));
        values_copy(&got, &inputs);
        call_model(&call, &got);
        check_average(&got, k);
        run_subjects(&run, &call, row.thread, &inputs, &got, (unsigned)k, 0);
    }
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    values_free(&inputs);
    values_free(&got);
    close_run(&run);
}
END_TEST

/* ---- statistics that are given ---- */

/* x = 1: AlexeyAB/darknet PR 5447 divides by sqrt(v) + 1e-6; vacancy/Synchronized-BatchNorm-PyTorch#43 and others by other things. */
static float row_of_ones(uint64_t i, uint64_t c, uint64_t m)
{
    (void)i, (void)c, (void)m;
    return 1;
}

static const struct given {
    float epsilon, mean, variance;
    double dst;
} given[] = {
    {1e-6f, 0, 1e-6f, 707.10678118654752},
    {0, 0, 1.002001e-6f, 999.000999000999}, /* Darknet's, by (sqrt(v) + 1e-6)^2 */
    {1e-5f, 1, 0, 0},
    {0, 0.25f, 0, 0}, /* no deviation, no epsilon */
    {0, 0.25f, -0.0f, 0},
    {1e-5f, 0, -1e-6f, 333.33333333333333}, /* a negative variance is a number like others */
    {1e-5f, 0, -1, NAN},
    {0, 0, -1e-45f, NAN},
    {1e-5f, 0, INFINITY, 0}, /* a running variance that once overflowed */
    {1e-5f, 0, NAN, NAN},
    {0, 0, 1e-38f, 1e19},
    {0, 0, 1e38f, 1e-19},
};

START_TEST(test_given_statistics)
{
    static struct run run;
    enum { GIVEN = sizeof(given) / sizeof(given[0]), VECTOR = 16 };

    open_run(&run, &devices[_i], 0);
    for (unsigned g = 0; g < GIVEN; g++) {
        /* In all channels of a vector, then in one of them. */
        for (unsigned alone = 0; alone < 2; alone++) {
            struct report row = {"AlexeyAB/darknet PR 5447",
                                 3,
                                 2 * VECTOR + 1,
                                 1,
                                 CLNORM_CHANNELS_LAST,
                                 given[g].epsilon,
                                 DO_INFERENCE,
                                 NO_SCALE,
                                 row_of_ones,
                                 0.1f,
                                 0,
                                 1,
                                 {{0}}};
            struct call call = call_of(&row, CLNORM_FORWARD_INFERENCE);
            struct values inputs = {0}, got = {0};

            fill(&row, &inputs);
            for (unsigned c = 0; c < row.c; c++) {
                inputs.slot[MEAN][c] = alone && c % VECTOR != 3 ? 0 : given[g].mean;
                inputs.slot[VARIANCE][c] = alone && c % VECTOR != 3 ? 1 : given[g].variance;
            }
            values_copy(&got, &inputs);
            call_model(&call, &got);
            for (size_t i = 0; i < got.count[OUT]; i++)
                if (!alone || i % row.c % VECTOR == 3)
                    ck_assert_msg(!report_is_off(got.slot[OUT][i], given[g].dst, 2e-7 * fabs(given[g].dst)),
                                  "variance %g, epsilon %g: %.9g, should be %.9g", (double)given[g].variance,
                                  (double)given[g].epsilon, (double)got.slot[OUT][i], given[g].dst);
            run_subjects(&run, &call, row.thread, &inputs, &got, g, 0);
            values_free(&inputs);
            values_free(&got);
        }
    }
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

/* ---- a mean of one float ---- */

static float near_1e6(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return 1e6f + 2 * (float)((i * 2654435761u + c * 40503u) % 1009u) / 1009;
}

/* What callers with two saved vectors get: diff_scale is off by what the mean lacks, times sum(diff_dst) / deviation. */
START_TEST(test_without_low_mean)
{
    static struct run run;
    struct report row = {"without save_mean_low",
                         4,
                         3,
                         16,
                         CLNORM_CHANNELS_LAST,
                         1e-5f,
                         DO_BACKWARD,
                         NO_SCALE,
                         near_1e6,
                         0.1f,
                         0,
                         1,
                         {{0}}};
    struct call forward = call_of(&row, CLNORM_FORWARD_TRAINING), call = call_of(&row, CLNORM_BACKWARD_TRAINING);
    struct values inputs = {0}, exact = {0}, got = {0};
    double most = 0;

    fill(&row, &inputs);
    call_model(&forward, &inputs);
    values_copy(&exact, &inputs);
    call_model(&call, &exact);
    call.absent |= BIT(MEAN_LOW);
    values_copy(&got, &inputs);
    call_model(&call, &got);
    for (unsigned c = 0; c < row.c; c++) {
        double lacks = inputs.slot[MEAN_LOW][c] * (double)inputs.slot[INVSTD][c] * exact.slot[DIFF_SHIFT][c];
        double off = (double)got.slot[DIFF_SCALE][c] - exact.slot[DIFF_SCALE][c];

        ck_assert_msg(fabs(off - lacks) <= 1e-4, "channel %u: off by %.6g, expected %.6g", c, off, lacks);
        most = fmax(most, fabs(off / exact.slot[DIFF_SCALE][c]));
    }
    printf("without save_mean_low, at a mean of 1e6: diff_scale up to %.2g off\n", most);
    ck_assert(most > 1e-3);
    open_run(&run, &devices[_i], 0);
    run_subjects(&run, &call, row.thread, &inputs, &got, 0, 0);
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
    values_free(&inputs);
    values_free(&exact);
    values_free(&got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reports");
    TCase *model = tcase_create("model"), *cases = tcase_create("devices");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_set_timeout(model, 0);
    tcase_add_test(model, test_right);
    tcase_add_loop_test(cases, test_variants, 0, (int)device_count);
    tcase_add_loop_test(cases, test_cumulative_average, 0, (int)device_count);
    tcase_add_loop_test(cases, test_given_statistics, 0, (int)device_count);
    tcase_add_loop_test(cases, test_without_low_mean, 0, (int)device_count);
    suite_add_tcase(suite, model);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
