/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel variant on every device, bit for bit against the scalar model. Each array sits at an odd offset of a larger
 * buffer full of canaries: a kernel that writes beside its output, into an input or beyond the workspace is found, and so
 * is one that uses what it reads there.
 * CLNORM_TEST_DEVICE selects one device, CLNORM_TEST_SMALL a smaller set of cases for slow ones.
 */
#include "fixture/suite.h"
#include "fixture/subjects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All buffers there, then one or more of them not, or in place of another. */
static const struct variation {
    enum clnorm_operation operation;
    unsigned absent;
    enum slot alias;
    unsigned flags;
} variations[] = {
    {CLNORM_FORWARD_TRAINING, 0, OUT, 0},
    {CLNORM_FORWARD_TRAINING, 0, SRC, CLNORM_RUNNING_BIASED},
    {CLNORM_FORWARD_TRAINING, BIT(SCALE), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(SHIFT), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(RUNNING_MEAN), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(RUNNING_VARIANCE), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(MEAN), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(MEAN_LOW), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(INVSTD), OUT, 0},
    {CLNORM_FORWARD_TRAINING, BIT(VARIANCE), OUT, 0},
    {CLNORM_FORWARD_TRAINING,
     BIT(SCALE) | BIT(SHIFT) | BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE) | BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) |
         BIT(VARIANCE),
     SRC, 0},
    {CLNORM_FORWARD_INFERENCE, 0, OUT, 0},
    {CLNORM_FORWARD_INFERENCE, 0, SRC, 0},
    {CLNORM_FORWARD_INFERENCE, BIT(SCALE), OUT, 0},
    {CLNORM_FORWARD_INFERENCE, BIT(SHIFT), OUT, 0},
    {CLNORM_FORWARD_INFERENCE, BIT(SCALE) | BIT(SHIFT), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, 0, OUT, 0},
    {CLNORM_BACKWARD_TRAINING, 0, DIFF_DST, 0},
    {CLNORM_BACKWARD_TRAINING, 0, SRC, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(SCALE), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(MEAN_LOW), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(OUT), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(DIFF_SCALE), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(DIFF_SHIFT), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(DIFF_SCALE) | BIT(DIFF_SHIFT), DIFF_DST, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(OUT) | BIT(DIFF_SHIFT), OUT, 0},
    {CLNORM_BACKWARD_TRAINING, BIT(OUT) | BIT(DIFF_SCALE), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, 0, OUT, 0},
    {CLNORM_BACKWARD_FROZEN, 0, DIFF_DST, 0},
    {CLNORM_BACKWARD_FROZEN, 0, SRC, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(SCALE), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(OUT) | BIT(DIFF_SHIFT), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(OUT), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(DIFF_SHIFT), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(SRC) | BIT(MEAN) | BIT(DIFF_SCALE), OUT, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(SRC) | BIT(MEAN) | BIT(DIFF_SCALE) | BIT(DIFF_SHIFT), DIFF_DST, 0},
    {CLNORM_BACKWARD_FROZEN, BIT(SRC) | BIT(OUT) | BIT(MEAN) | BIT(DIFF_SCALE), OUT, 0},
};
enum { VARIATIONS = sizeof(variations) / sizeof(variations[0]) };

static struct call make_call(const clnorm_desc *desc, const struct variation *variation)
{
    struct call call = {.operation = variation->operation,
                        .desc = *desc,
                        .absent = variation->absent,
                        .alias = variation->alias,
                        .momentum = variation->flags ? 0.75f : 0.1f,
                        .running_flags = variation->flags};

    return call;
}

/* One call by every subject that has a part in it. */
static void run_variation(struct run *run, const struct call *call, enum case_data kind, const struct values *inputs,
                          unsigned turn, int is_digested)
{
    struct values want = {0};

    values_copy(&want, inputs);
    call_model(call, &want);
    run_subjects(run, call, case_data_name(kind), inputs, &want, turn, is_digested);
    values_free(&want);
}

/* The four operations with all buffers, and one variation of each in turn. */
static void run_case(struct run *run, const struct case_shape *shape, enum case_data kind, unsigned turn)
{
    clnorm_desc desc = case_desc(shape);
    struct values inputs = {0};

    desc.epsilon = case_epsilon(kind);
    values_make(&inputs, &desc, kind);
    for (unsigned v = 0; v < VARIATIONS; v++) {
        struct call call = make_call(&desc, &variations[v]);
        int is_first = v == 0 || variations[v].operation != variations[v - 1].operation;
        unsigned count = 1;

        if (!is_first)
            continue;
        run_variation(run, &call, kind, &inputs, turn, kind != CASE_SUBNORMAL);
        while (v + count < VARIATIONS && variations[v + count].operation == variations[v].operation)
            count++;
        if (!fixture_is_small()) {
            call = make_call(&desc, &variations[v + 1 + turn % (count - 1)]);
            run_variation(run, &call, kind, &inputs, turn + 1, 0);
        }
    }
    values_free(&inputs);
}

/* Each shape has a few kinds of data, so that every kind meets many shapes. */
static int wants_kind(const struct run *run, size_t shape, unsigned kind)
{
    unsigned step = fixture_is_small() ? 11 : 7;

    if (kind == CASE_SUBNORMAL && run->rig.info.bits != CLNORM_BITS_SAME)
        return 0;
    return (kind + shape + shape / CASE_DATA_COUNT) % step == 0;
}

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;
static uint64_t digests[FIXTURE_DEVICES];
/* Of each device, for all tests: what one has compiled, others need not. */
static struct run runs[FIXTURE_DEVICES];

static void open_runs(void)
{
    for (size_t i = 0; i < device_count; i++)
        open_run(&runs[i], &devices[i], !fixture_is_small());
}

static void close_runs(void)
{
    for (size_t i = 0; i < device_count; i++)
        close_run(&runs[i]);
}

/* Whether the subject had no call although the device can run its variant, in one layout at least. */
static int is_left_out(const struct subject *subject)
{
    const struct clnorm__device *device = &subject->context->device;
    const clnorm_desc plain = {0};
    int is_plain = 0; /* steps of groups of channels are not */

    for (unsigned o = 0; o < 4; o++)
        is_plain |= has_step(&plain, (enum clnorm_operation)o, subject->variant);
    return subject->made == 0 && subject->variant && is_plain &&
           (!clnorm__variant_refusal(subject->variant, device, 0, 1) ||
            !clnorm__variant_refusal(subject->variant, device, 1, 1));
}

START_TEST(test_bits)
{
    struct run *run = &runs[_i];
    size_t count;
    const struct case_shape *shapes = case_shapes(fixture_is_small(), &count);
    unsigned turn = 0;

    restart_run(run);
    run->step = fixture_is_simulator(&devices[_i]) ? 6 : fixture_is_small() ? 3 : 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned kind = 0; kind < CASE_DATA_COUNT; kind++)
            if (wants_kind(run, i, kind))
                run_case(run, &shapes[i], (enum case_data)kind, turn++);
    digests[_i] = run->digest;
    printf("device %s, %s: %llu calls, %llu that do not fit their variant, digest %016llx%s\n",
           run->rig.info.platform_name, run->rig.info.name, run->calls, run->unfit, (unsigned long long)run->digest,
           fixture_is_small() ? " (small)" : "");
    fflush(stdout);
    ck_assert_uint_lt(run->unfit, run->calls);
    for (size_t i = 0; i < run->subject_count; i++)
        ck_assert_msg(!is_left_out(&run->subjects[i]), "%s had no call", run->subjects[i].name);
    ck_assert_msg(run->reports == 0, "%u calls differ from the model, the first of them above", run->reports);
}
END_TEST

/* Every variation with every variant, on shapes with whole and broken leaves and vectors, and with leaves enough for a vector. */
START_TEST(test_variations)
{
    struct run *run = &runs[_i];
    static const struct case_shape shapes[] = {{2, 19, 49, CLNORM_CHANNELS_FIRST},
                                               {67, 35, 2, CLNORM_CHANNELS_LAST},
                                               {1, 2, 1025, CLNORM_CHANNELS_FIRST},
                                               {9, 5, 1, CLNORM_CHANNELS_FIRST},
                                               {3, 3, 770, CLNORM_CHANNELS_LAST}};
    size_t count = fixture_is_small() ? 1 : sizeof(shapes) / sizeof(shapes[0]);

    restart_run(run);
    run->step = fixture_is_simulator(&devices[_i]) ? 6 : fixture_is_small() ? 3 : 0;
    for (size_t i = 0; i < count; i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        struct values inputs = {0};

        values_make(&inputs, &desc, CASE_NORMAL);
        for (unsigned v = 0; v < VARIATIONS; v++) {
            struct call call = make_call(&desc, &variations[v]);

            run_variation(run, &call, CASE_NORMAL, &inputs, v, 0);
        }
        values_free(&inputs);
    }
    ck_assert_uint_lt(run->unfit, run->calls);
    ck_assert_msg(run->reports == 0, "%u calls differ from the model, the first of them above", run->reports);
}
END_TEST

/* The second run of a call leaves the bits of the first: also where a device promises no more than that. */
START_TEST(test_run_twice)
{
    struct run *run = &runs[_i];
    static const struct case_shape shapes[] = {{17, 33, 49, CLNORM_CHANNELS_FIRST}, {5, 35, 67, CLNORM_CHANNELS_LAST}};

    restart_run(run);
    for (unsigned k = 0; k < 2 * 4; k++) {
        clnorm_desc desc = case_desc(&shapes[k % 2]);
        struct variation all = {(enum clnorm_operation)(k / 2), 0, OUT, 0};
        struct call call = make_call(&desc, &all);
        struct values inputs = {0};
        uint64_t first;

        values_make(&inputs, &desc, CASE_SUBNORMAL);
        run->digest = CASE_HASH_START;
        for (unsigned turn = 0; turn < 2; turn++) {
            struct finding finding;
            uint64_t hash = CASE_HASH_START;

            ck_assert_int_eq(call_run(run->subjects[0].context, run->rig.queue, &call, &run->parts, &inputs, &inputs,
                                      CLNORM_BITS_NONE, &finding),
                             CLNORM_SUCCESS);
            for (unsigned s = 0; s < SLOTS; s++) {
                if (!(call_writes(&call) & BIT(s)))
                    continue;
                const uint32_t *bits = part_read(&run->parts, run->rig.queue, (enum slot)s);

                for (size_t i = 0; i < inputs.count[s]; i++)
                    hash = (hash ^ bits[i]) * UINT64_C(0x100000001b3);
            }
            if (turn == 0)
                first = hash;
            else
                ck_assert_msg(hash == first, "%s: the second run has other bits", operation_name(call.operation));
        }
        values_free(&inputs);
    }
}
END_TEST

START_TEST(test_same_digests)
{
    size_t first = device_count;

    for (size_t i = 0; i < device_count; i++) {
        if (devices[i].bits == CLNORM_BITS_NONE)
            continue;
        if (first == device_count)
            first = i;
        ck_assert_msg(digests[i] == digests[first], "%s has another digest than %s", devices[i].name,
                      devices[first].name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("variants");
    TCase *cases = tcase_create("variants");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_add_unchecked_fixture(cases, open_runs, close_runs);
    tcase_add_loop_test(cases, test_bits, 0, (int)device_count);
    tcase_add_loop_test(cases, test_variations, 0, (int)device_count);
    tcase_add_loop_test(cases, test_run_twice, 0, (int)device_count);
    if (device_count > 1)
        tcase_add_test(cases, test_same_digests);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
