/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of groups of samples and of channels, by every kernel variant, bit for bit against the scalar model: groups of one sample, of
 * some, with a last one that has fewer, and of all; of some channels, and of all; and the same call with the numbers of plain ones for each
 * group. With groups of channels, inference and frozen statistics as well.
 * CLNORM_TEST_DEVICE selects one device, CLNORM_TEST_SMALL a smaller set of cases for slow ones.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include "fixture/suite.h"
#include "fixture/subjects.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* Whole and broken vectors and bytes of a mask in a group; the first ones are for slow devices. */
static const struct {
    uint64_t n, c, s, group;
    enum clnorm_layout layout;
    uint64_t channels; /* of a group; 0: each by itself */
} cases[] = {
    {5, 3, 9, 2, CLNORM_CHANNELS_FIRST},        {4, 16, 8, 1, CLNORM_CHANNELS_LAST},
    {3, 6, 9, 1, CLNORM_CHANNELS_FIRST, 3},     {5, 10, 3, 2, CLNORM_CHANNELS_LAST, 10},
    {7, 19, 49, 1, CLNORM_CHANNELS_FIRST},      {9, 35, 2, 4, CLNORM_CHANNELS_LAST},
    {3, 2, 1027, 2, CLNORM_CHANNELS_FIRST},     {40, 24, 1, 13, CLNORM_CHANNELS_FIRST},
    {6, 8, 64, 6, CLNORM_CHANNELS_FIRST},       {64, 5, 3, 32, CLNORM_CHANNELS_FIRST},
    {8, 32, 130, 2, CLNORM_CHANNELS_LAST},      {67, 9, 1, 1, CLNORM_CHANNELS_LAST}, /* one value each: variance 0 */
    {2, 33, 49, 1, CLNORM_CHANNELS_FIRST, 11},  {7, 24, 130, 1, CLNORM_CHANNELS_LAST, 8},
    {2, 2, 9000, 1, CLNORM_CHANNELS_FIRST, 2},  {2, 4, 3000, 0, CLNORM_CHANNELS_LAST, 2}, /* several partials */
    {50, 100, 1, 1, CLNORM_CHANNELS_LAST, 100},
};
enum { CASES = sizeof cases / sizeof *cases, SMALL_CASES = 4 };

/* What is beside the statistics: nothing; all there is, by a mask; half of it, by dst, in place. */
enum { PLAIN, ALL, IN_PLACE, WAYS };

static struct call make_call(enum clnorm_operation operation, const clnorm_desc *desc, int way)
{
    const int is_forward = operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_FORWARD_INFERENCE;
    const int is_training = operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_BACKWARD_TRAINING;
    struct call call = {.operation = operation, .desc = *desc, .alias = OUT, .momentum = 0.25f};

    if (way == ALL) {
        call.extras =
            (operation == CLNORM_FORWARD_INFERENCE ? 0 : BIT(MASK)) | (is_forward ? BIT(RESIDUAL) : BIT(DIFF_RESIDUAL));
        call.accumulate = is_forward ? 0 : CLNORM_ACCUMULATE_DIFF_SRC | CLNORM_ACCUMULATE_DIFF_SCALE;
        call.running_flags = is_forward ? CLNORM_RUNNING_BIASED : 0;
    } else if (way == IN_PLACE) {
        call.extras = is_forward ? 0 : BIT(GATE);
        call.alias = is_forward ? SRC : DIFF_DST;
        call.absent = !is_forward   ? BIT(DIFF_SHIFT)
                      : is_training ? BIT(MEAN) | BIT(VARIANCE) | BIT(RUNNING_MEAN)
                                    : BIT(SCALE);
    }
    return call;
}

static void run_way(struct run *run, size_t number, int way, enum case_data kind)
{
    clnorm_desc desc = {.n = cases[number].n, .c = cases[number].c, .s = cases[number].s, .epsilon = 1e-5f};
    struct values inputs = {0};

    desc.layout = cases[number].layout;
    desc.group_samples = cases[number].group;
    desc.group_channels = cases[number].channels;
    desc.type = (enum clnorm_type)way;
    if (way != PLAIN)
        desc.activation = way == ALL   ? CLNORM_CLIPPED_RELU(1.5f)
                          : number % 4 ? CLNORM_ACTIVATION(0.25f, 1.1f) /* no 16-bit number */
                                       : CLNORM_LEAKY_RELU(0.125f);
    values_make(&inputs, &desc, kind);
    for (int o = 0; o < (cases[number].channels && way == PLAIN ? 4 : 2); o++) {
        static const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_BACKWARD_TRAINING,
                                                           CLNORM_FORWARD_INFERENCE, CLNORM_BACKWARD_FROZEN};
        struct call call = make_call(operations[o], &desc, way);
        struct values want = {0};

        values_copy(&want, &inputs);
        call_model(&call, &want);
        if (way != PLAIN) /* each form is a program to compile; test_features has them all: by the free choice alone */
            run_subject(run, &run->subjects[0], &call, case_data_name(kind), &inputs, &want);
        else
            run_subjects(run, &call, case_data_name(kind), &inputs, &want, (unsigned)number / 2, 0);
        values_free(&want);
    }
    values_free(&inputs);
}

START_TEST(test_bits)
{
    static struct run run;

    open_run(&run, &devices[_i], 0);
    run.step = fixture_is_small() ? 4 : 2; /* half of the variants, in turn */
    for (size_t i = 0; i < (fixture_is_small() ? SMALL_CASES : CASES); i++)
        for (int way = 0; way < WAYS; way++)
            run_way(&run, i, way, (i + (size_t)way) % 3 ? CASE_NORMAL : CASE_CLASSES);
    ck_assert_uint_lt(run.unfit, run.calls);
    for (size_t i = 0; i < run.subject_count && !fixture_is_small(); i++) {
        const enum clnorm__step step = run.subjects[i].variant ? run.subjects[i].variant->step : CLNORM__STATS;

        if (step != CLNORM__COEFFICIENTS && step != CLNORM__INFER &&
            step < CLNORM__NODES) /* parts have a test of their own */
            ck_assert_msg(run.subjects[i].made > 0, "%s had no call", run.subjects[i].name);
    }
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

/* Groups of all samples are no groups; of one sample, channels-first, they are a tensor of one sample with that many channels. */
START_TEST(test_same_as_plain)
{
    const clnorm_desc plain[2] = {{.n = 6, .c = 7, .s = 33, .epsilon = 1e-5f},
                                  {.n = 1, .c = 42, .s = 33, .epsilon = 1e-5f}};

    for (int i = 0; i < 2; i++) {
        clnorm_desc grouped = plain[0];
        struct call with = make_call(CLNORM_FORWARD_TRAINING, &grouped, PLAIN), without = with;
        struct values a = {0}, b = {0};

        with.desc.group_samples = i ? 1 : 6;
        without.desc = plain[i];
        with.absent = without.absent = BIT(SCALE) | BIT(SHIFT) | BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE);
        values_make(&a, &with.desc, CASE_NORMAL);
        values_make(&b, &without.desc, CASE_NORMAL);
        memcpy(b.slot[SRC], a.slot[SRC], a.count[SRC] * sizeof(float));
        call_model(&with, &a);
        call_model(&without, &b);
        ck_assert_int_eq(memcmp(a.slot[OUT], b.slot[OUT], a.count[OUT] * sizeof(float)), 0);
        ck_assert_uint_eq(a.count[INVSTD], b.count[INVSTD]);
        ck_assert_int_eq(memcmp(a.slot[INVSTD], b.slot[INVSTD], a.count[INVSTD] * sizeof(float)), 0);
        values_free(&a);
        values_free(&b);
    }
}
END_TEST

/* On a queue out of order, where steps wait for one another by events alone. */
START_TEST(test_out_of_order)
{
    struct rig rig;
    const clnorm_device_info info = fixture_device();
    struct parts parts = {0};

    rig_open(&rig, &info, 1);
    parts.cl = rig.cl;
    cl_command_queue_properties can = 0;

    clGetDeviceInfo(info.device, CL_DEVICE_QUEUE_PROPERTIES, sizeof(can), &can, NULL);
    if (!(can & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)) {
        printf("not tested, as %s has none: out-of-order queues\n", info.name);
        rig_close(&rig);
        return;
    }
    cl_command_queue queue = rig_queue(&rig, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    for (int o = 0; o < 2; o++) {
        const clnorm_desc desc = {.n = 11, .c = 9, .s = 50, .epsilon = 1e-5f, .group_samples = 4};
        struct call call = make_call(o ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING, &desc, PLAIN);
        struct values inputs = {0}, want = {0};
        struct finding finding;

        values_make(&inputs, &desc, CASE_NORMAL);
        values_copy(&want, &inputs);
        call_model(&call, &want);
        ck_assert_int_eq(call_run(rig.context, queue, &call, &parts, &inputs, &want, info.bits, &finding),
                         CLNORM_SUCCESS);
        ck_assert_msg(finding.differences == 0, "%s", finding.text);
        values_free(&inputs);
        values_free(&want);
    }
    parts_free(&parts);
    for (unsigned i = 0; i < 1000 && references_of_queue(queue) > 1;
         i++) /* a driver's thread may be at its last event yet */
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    ck_assert_uint_eq(references_of_queue(queue), 1);
    clReleaseCommandQueue(queue);
    rig_close(&rig);
}
END_TEST

START_TEST(test_refused)
{
    struct rig rig;
    const clnorm_device_info info = fixture_device();
    const clnorm_desc desc = {.n = 4, .c = 2, .s = 3, .epsilon = 1e-5f, .group_samples = 5};
    size_t bytes;

    rig_open(&rig, &info, 1);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &desc, &bytes),
                     CLNORM_INVALID_GROUP);
    ck_assert(messages_have(&rig.messages, "group_samples is 5"));
    const clnorm_desc channels[] = {{.n = 4, .c = 6, .s = 3, .epsilon = 1e-5f, .group_channels = 4},
                                    {.n = 4, .c = 6, .s = 3, .epsilon = 1e-5f, .group_channels = 12},
                                    {.n = 1, .c = 1 << 17, .s = 1, .epsilon = 1e-5f, .group_channels = 1 << 17}};
    static const char *const words[] = {"group_channels is 4; it divides", "group_channels is 12; it divides",
                                        "group_channels is 131072; a group has at most"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &channels[i], &bytes),
                         CLNORM_INVALID_GROUP);
        ck_assert(messages_have(&rig.messages, words[i]));
    }
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tests = tcase_create("groups");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, test_same_as_plain);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_out_of_order);
    tcase_add_loop_test(tests, test_bits, 0, (int)device_count);
    suite_add_tcase(suite, tests);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
