/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunings on devices: the most extreme give the model's bits, and where a context takes its tuning from.
 * CLNORM_TEST_DEVICE selects one device, CLNORM_TEST_SMALL fewer shapes for slow ones.
 */
#define _XOPEN_SOURCE 700 /* setenv */
#include "fixture/suite.h"
#include "device/context.h"
#include "fixture/device_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

#define SHAPES(shapes) (sizeof(shapes) / sizeof((shapes)[0]))

/* ---- bits ---- */

/* Every parameter at its least or most: bits of `most` say which, in a pattern that repeats. */
static void write_extreme(const clnorm_context *context, unsigned pattern, unsigned period, char *text, size_t size)
{
    clnorm_parameter parameters[CLNORM__PARAMETER_COUNT];
    size_t count, length = 0;

    ck_assert_int_eq(clnorm_list_parameters(context, CLNORM__PARAMETER_COUNT, parameters, &count), CLNORM_SUCCESS);
    ck_assert_uint_eq(count, CLNORM__PARAMETER_COUNT);
    for (size_t i = 0; i < count; i++) {
        uint64_t value = pattern >> i % period & 1u ? parameters[i].most : parameters[i].least;

        length +=
            (size_t)snprintf(text + length, size - length, "%s=%llu ", parameters[i].name, (unsigned long long)value);
        ck_assert_uint_lt(length, size);
    }
}

/* Preference for variant number `turn` of each step, counted round; those of the other layout are left out with a warning. */
static void write_preferences(unsigned turn, char *text, size_t size)
{
    size_t length = strlen(text);

    for (unsigned step = 0; step < CLNORM__STEPS; step++) {
        for (int last = 0; last < 2; last++) {
            const struct clnorm__variant *fit[CLNORM__VARIANTS];
            unsigned count = 0;

            for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
                if ((unsigned)clnorm__variants[i].step == step &&
                    clnorm__variants[i].layouts != (last ? CLNORM__FIRST : CLNORM__LAST))
                    fit[count++] = &clnorm__variants[i];
            length += (size_t)snprintf(text + length, size - length, "%s.%s=%s ", clnorm__step_name(step),
                                       last ? "channels-last" : "channels-first", fit[turn % count]->name);
            ck_assert_uint_lt(length, size);
        }
    }
}

/* Every operation on each shape, with the result in the buffer of `alias`, if the operation reads that one, or in its own. */
static void check_bits(struct rig *rig, struct parts *parts, const char *tuning, const struct case_shape *shapes,
                       size_t count, enum slot alias)
{
    clnorm_context_options options = messages_options(&rig->messages);
    clnorm_context *context;

    options.tuning = tuning;
    messages_clear(&rig->messages);
    ck_assert_int_eq(clnorm_create_context(rig->cl, rig->info.device, &options, &context), CLNORM_SUCCESS);
    ck_assert_msg(!messages_have(&rig->messages, "1 tuning:"), "%s", rig->messages.text);
    for (size_t i = 0; i < (fixture_is_small() ? 1 : count); i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        struct values inputs = {0};

        values_make(&inputs, &desc, i % 2 ? CASE_OFFSET_1E3 : CASE_NORMAL);
        for (int operation = CLNORM_FORWARD_TRAINING; operation <= CLNORM_BACKWARD_FROZEN; operation++) {
            int reads = alias != DIFF_DST || operation >= CLNORM_BACKWARD_TRAINING;
            struct call call = {
                .operation = (enum clnorm_operation)operation, .desc = desc, .alias = reads ? alias : OUT};
            struct finding finding;
            struct values want = {0};

            call.momentum = 0.25f;
            values_copy(&want, &inputs);
            call_model(&call, &want);
            ck_assert_int_eq(call_run(context, rig->queue, &call, parts, &inputs, &want, rig->info.bits, &finding),
                             CLNORM_SUCCESS);
            ck_assert_msg(finding.differences == 0, "%s of %llu,%llu,%llu with %s: %s", operation_name(call.operation),
                          (unsigned long long)desc.n, (unsigned long long)desc.c, (unsigned long long)desc.s, tuning,
                          finding.text);
            values_free(&want);
        }
        values_free(&inputs);
    }
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}

START_TEST(test_bits)
{
    static const struct case_shape shapes[] = {{32, 24, 49, CLNORM_CHANNELS_FIRST},
                                               {67, 300, 2, CLNORM_CHANNELS_LAST},
                                               {3, 5, 2049, CLNORM_CHANNELS_FIRST},
                                               {130, 70, 1, CLNORM_CHANNELS_LAST}};
    static struct rig rig;
    struct parts parts = {0};
    char text[8192];

    rig_open(&rig, &devices[_i], 1);
    parts.cl = rig.cl;
    check_bits(&rig, &parts, "", shapes, SHAPES(shapes), OUT);
    for (unsigned pattern = 0; pattern < (fixture_is_small() ? 2 : 16); pattern++) {
        write_extreme(rig.context, pattern % 2 ? ~pattern : pattern, pattern < 8 ? 4 : 7, text, sizeof(text));
        if (pattern > 1)
            write_preferences(pattern, text, sizeof(text));
        check_bits(&rig, &parts, text, shapes, SHAPES(shapes), OUT);
    }
    parts_free(&parts);
    rig_close(&rig);
}
END_TEST

/*
 * Channels-first training in one launch takes groups of channels, each stored while the next is looked at or before: rows
 * shorter than a vector and longer, of the groups' runs and whole, the last group an incomplete one, in place and not.
 */
START_TEST(test_groups)
{
    static const struct case_shape shapes[] = {
        {33, 39, 49, CLNORM_CHANNELS_FIRST}, {6, 70, 15, CLNORM_CHANNELS_FIRST}, {9, 23, 196, CLNORM_CHANNELS_FIRST},
        {130, 35, 3, CLNORM_CHANNELS_FIRST}, {3, 7, 511, CLNORM_CHANNELS_FIRST}, {2, 9, 784, CLNORM_CHANNELS_FIRST},
        {3, 5, 1537, CLNORM_CHANNELS_FIRST},
    };
    static const unsigned bytes[] = {1024, 20000, 1 << 26};
    static const enum slot aliases[] = {OUT, SRC, DIFF_DST};
    static struct rig rig;
    struct parts parts = {0};
    char text[512];

    rig_open(&rig, &devices[_i], 1);
    parts.cl = rig.cl;
    for (unsigned i = 0; i < (fixture_is_small() ? 3 : 18); i++) {
        snprintf(text, sizeof(text),
                 "fused.channels-first=fused_cf_item diff_fused.channels-first=diff_fused_cf_item fused_percent=10000 "
                 "fused_items=1 fused_groups=1 group_bytes=%u fused_stream_percent=%u",
                 bytes[i % 3], i / 3 % 2 ? 0 : 10000);
        check_bits(&rig, &parts, text, shapes, SHAPES(shapes), aliases[i / 6]);
    }
    parts_free(&parts);
    rig_close(&rig);
}
END_TEST

/* ---- where a tuning comes from ---- */

static const clnorm_desc desc = {64, 96, 49, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}};
static const char *const naive = "apply.channels-last=apply_naive group_items=32";

static clnorm_context *open_tuned(struct rig *rig, const char *tuning, const char *cache)
{
    clnorm_context_options options = messages_options(&rig->messages);
    clnorm_context *context;

    options.tuning = tuning;
    options.cache_dir = cache;
    messages_clear(&rig->messages);
    ck_assert_int_eq(clnorm_create_context(rig->cl, rig->info.device, &options, &context), CLNORM_SUCCESS);
    if (tuning)
        ck_assert_str_eq(clnorm_get_tuning(context), tuning);
    return context;
}

static int is_naive(clnorm_context *context)
{
    char line[512];

    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_INFERENCE, &desc, sizeof(line), line),
                     CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(strstr(line, "apply_"));
    return strstr(line, "apply_naive") != NULL;
}

static void expect_naive(struct rig *rig, const char *tuning, const char *cache, int expected, const char *says)
{
    clnorm_context *context = open_tuned(rig, tuning, cache);

    ck_assert_int_eq(is_naive(context), expected);
    ck_assert_int_eq(clnorm_get_tuning(context)[0] != '\0', says != NULL);
    if (says)
        ck_assert_msg(messages_have(&rig->messages, says), "'%s' does not say '%s'", rig->messages.text, says);
    else
        ck_assert_msg(!messages_have(&rig->messages, "tuning"), "%s", rig->messages.text);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}

START_TEST(test_sources)
{
    static struct rig rig;
    const char *cache = fixture_folder(), *file;
    char says[700];

    rig_open(&rig, &devices[0], 0);
    expect_naive(&rig, NULL, cache, 0, NULL);
    expect_naive(&rig, naive, cache, 1, "2 tuning from the context's options: apply");

    clnorm_context *context = open_tuned(&rig, NULL, cache);
    file = clnorm_get_tuning_file(context);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ne(access(file, F_OK), 0);
    ck_assert_int_eq(clnorm_store_tuning(context, naive), CLNORM_SUCCESS);
    ck_assert_int_eq(access(file, F_OK), 0);
    ck_assert_int_eq(is_naive(context), 0); /* it stays as it was */
    snprintf(says, sizeof(says), "2 tuning from %s: %s", file, naive);
    expect_naive(&rig, NULL, cache, 1, says);
    expect_naive(&rig, "", cache, 0, NULL);
    expect_naive(&rig, "fused_items=2", cache, 0, "tuning from the context's options");
    expect_naive(&rig, NULL, fixture_folder(), 0, NULL);
    expect_naive(&rig, NULL, "", 0, NULL);

    setenv("CLNORM_TUNING", "small_bytes=1", 1);
    expect_naive(&rig, NULL, cache, 0, "2 tuning from CLNORM_TUNING: small_bytes=1");
    expect_naive(&rig, naive, cache, 1, "from the context's options");
    setenv("CLNORM_TUNING", "", 1);
    expect_naive(&rig, NULL, cache, 0, NULL);
    setenv("CLNORM_TUNING", naive, 1);
    expect_naive(&rig, NULL, "", 1, "from CLNORM_TUNING");
    expect_naive(&rig, "", "", 0, NULL);
    unsetenv("CLNORM_TUNING");

    ck_assert_int_eq(clnorm_store_tuning(context, NULL), CLNORM_SUCCESS);
    ck_assert_int_ne(access(file, F_OK), 0);
    expect_naive(&rig, NULL, cache, 0, NULL);
    ck_assert_int_eq(clnorm_store_tuning(context, ""), CLNORM_SUCCESS); /* nothing there is no error */
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    rig_close(&rig);
}
END_TEST

/* Bad entries: a warning for each, and the rest counts. A broken file: as if there were none. */
START_TEST(test_bad_tunings)
{
    static struct rig rig;
    const char *cache = fixture_folder();

    rig_open(&rig, &devices[0], 0);
    expect_naive(&rig, "nope=1 apply.channels-last=apply_naive", cache, 1, "1 tuning: there is no 'nope'");
    expect_naive(&rig, "apply.channels-last=apply_naive fused_items=0", cache, 1,
                 "1 tuning: fused_items is '0'; it takes a whole number from 1 to 1024");

    clnorm_context *context = open_tuned(&rig, NULL, cache);
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_store_tuning(context, "apply.channels-last=apply_naive nope=1"), CLNORM_INVALID_TUNING);
    ck_assert(messages_have(&rig.messages, "0 tuning: there is no 'nope'"));
    expect_naive(&rig, NULL, cache, 0, NULL);
    ck_assert_int_eq(clnorm_store_tuning(context, naive), CLNORM_SUCCESS);
    expect_naive(&rig, NULL, cache, 1, "tuning from");
    FILE *file = fopen(clnorm_get_tuning_file(context), "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, -3, SEEK_END), 0);
    ck_assert_int_eq(fputc('X', file), 'X');
    ck_assert_int_eq(fclose(file), 0);
    expect_naive(&rig, NULL, cache, 0, NULL);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    rig_close(&rig);
}
END_TEST

START_TEST(test_store_without_folder)
{
    static struct rig rig;

    rig_open(&rig, &devices[0], 0);
    clnorm_context *context = open_tuned(&rig, NULL, "");
    ck_assert_ptr_null(clnorm_get_tuning_file(context));
    ck_assert_int_eq(clnorm_store_tuning(context, naive), CLNORM_NO_CACHE);
    ck_assert(messages_have(&rig.messages, "0 the disk cache is switched off"));
    ck_assert_int_eq(clnorm_store_tuning(context, NULL), CLNORM_NO_CACHE);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    context = open_tuned(&rig, NULL, "/dev/null/clnorm");
    ck_assert_int_eq(clnorm_store_tuning(context, naive), CLNORM_NO_CACHE);
    ck_assert(messages_have(&rig.messages, "cannot be written; is its folder writable?"));
    ck_assert_int_eq(clnorm_store_tuning(context, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    rig_close(&rig);
}
END_TEST

START_TEST(test_interface)
{
    static struct rig rig;
    clnorm_parameter one, all[CLNORM__PARAMETER_COUNT + 1];
    clnorm_desc bad = desc, empty = desc;
    char line[512], cut[12];
    size_t count = 0;

    rig_open(&rig, &devices[0], 0);
    clnorm_context *context = open_tuned(&rig, "fused_items=7", fixture_folder());
    ck_assert_int_eq(clnorm_list_parameters(NULL, 0, NULL, &count), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_list_parameters(context, 0, NULL, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_list_parameters(context, 1, NULL, &count), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_list_parameters(context, 0, NULL, &count), CLNORM_SUCCESS);
    ck_assert_uint_eq(count, CLNORM__PARAMETER_COUNT);
    ck_assert_int_eq(clnorm_list_parameters(context, 1, &one, &count), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_list_parameters(context, CLNORM__PARAMETER_COUNT + 1, all, &count), CLNORM_SUCCESS);
    ck_assert_str_eq(all[0].name, one.name);
    for (size_t i = 0; i < count; i++) {
        int is_set = strcmp(all[i].name, "fused_items") == 0;

        ck_assert_uint_gt(strlen(all[i].meaning), 20);
        ck_assert(all[i].least <= all[i].standard && all[i].standard <= all[i].most);
        ck_assert_uint_eq(all[i].value, is_set ? 7 : all[i].standard);
    }
    ck_assert_ptr_null(clnorm_get_tuning_file(NULL));
    ck_assert_ptr_null(clnorm_get_tuning(NULL));
    ck_assert_int_eq(clnorm_store_tuning(NULL, ""), CLNORM_INVALID_CONTEXT);

    ck_assert_int_eq(clnorm_describe_launches(NULL, CLNORM_FORWARD_TRAINING, &desc, sizeof(line), line),
                     CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, 0, line),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, 9, NULL),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_describe_launches(context, (enum clnorm_operation)9, &desc, sizeof(line), line),
                     CLNORM_INVALID_ENUM);
    bad.c = 0;
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &bad, sizeof(line), line),
                     CLNORM_INVALID_SIZE);
    empty.n = 0;
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &empty, sizeof(line), line),
                     CLNORM_SUCCESS);
    ck_assert_str_eq(line, "");
    for (int operation = 0; operation < 4; operation++) {
        ck_assert_int_eq(clnorm_describe_launches(context, operation, &desc, sizeof(line), line), CLNORM_SUCCESS);
        ck_assert_uint_gt(strlen(line), 40);
        for (size_t size = 1; size <= sizeof(cut); size++) {
            ck_assert_int_eq(clnorm_describe_launches(context, operation, &desc, size, cut), CLNORM_SUCCESS);
            ck_assert(strlen(cut) == size - 1 && strncmp(cut, line, size - 1) == 0);
        }
    }
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tuned");
    TCase *cases = tcase_create("tuned");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_bits, 0, (int)device_count);
    tcase_add_loop_test(cases, test_groups, 0, (int)device_count);
    tcase_add_test(cases, test_sources);
    tcase_add_test(cases, test_bad_tunings);
    tcase_add_test(cases, test_store_without_folder);
    tcase_add_test(cases, test_interface);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
