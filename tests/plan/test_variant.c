/* SPDX-License-Identifier: Apache-2.0 */
/* The table of variants, the choice from it, and the list of names by which a caller chooses. */
#include "fixture/suite.h"
#include "plan/variant.h"

#include <stdlib.h>
#include <string.h>

#define MOST_LEAVES ((uint64_t)1 << 31)

static const struct clnorm__filter all;

static struct clnorm__device device(int cpu_like, uint64_t work_group, uint64_t local)
{
    struct clnorm__device d = {.cpu_like = cpu_like, .compute_units = 2, .vector = 8};
    d.max_work_group = work_group;
    d.local_bytes = local;
    return d;
}

/* The least that OpenCL 1.2 allows a device of the full profile: work-groups of one item, 32 KiB of local memory. */
static struct clnorm__device least_device(int cpu_like)
{
    return device(cpu_like, 1, 32768);
}

static const struct clnorm__variant *find(const char *name)
{
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
        if (strcmp(clnorm__variants[i].name, name) == 0)
            return &clnorm__variants[i];
    ck_abort_msg("there is no variant %s", name);
    return NULL;
}

static struct clnorm__filter read_filter(const char *names)
{
    struct clnorm__filter filter;
    const char *unknown = clnorm__filter_read(names, &filter);
    ck_assert_msg(unknown == NULL, "'%s' is unknown", unknown);
    return filter;
}

static void chosen(const struct clnorm__variant *got, const char *name)
{
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got->name, name);
}

/* A call has other ways to go when no row of these fits. */
static int is_optional(int step)
{
    return step == CLNORM__FUSED || step == CLNORM__DIFF_FUSED;
}

/* ---- the table ---- */

START_TEST(names_are_unique_and_listed)
{
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const char *name = clnorm_variant_name(i);
        ck_assert_ptr_nonnull(name);
        ck_assert_str_eq(name, clnorm__variants[i].name);
        ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name)); /* no comma, no space */
        ck_assert_uint_gt(strlen(name), 0);
        ck_assert_uint_eq(clnorm__variant_index(&clnorm__variants[i]), i);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(name, clnorm_variant_name(j));
    }
    ck_assert_ptr_null(clnorm_variant_name(CLNORM__VARIANTS));
    ck_assert_ptr_null(clnorm_variant_name((size_t)-1));
}
END_TEST

START_TEST(rows_are_sound)
{
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        size_t length = strlen(v->source);
        ck_assert_int_lt(v->step, CLNORM__STEPS);
        ck_assert_uint_gt(length, 3);
        ck_assert_str_eq(v->source + length - 3, ".cl");
        ck_assert_uint_gt(strlen(v->entry), 0);
        ck_assert_uint_le(v->least_log2, v->most_log2);
        ck_assert_uint_le(v->most_log2, CLNORM_TREE_LEVELS);
        if (v->work_group > 1 && (v->step == CLNORM__STATS || v->step == CLNORM__DIFF_STATS)) {
            ck_assert_uint_gt(v->width, 0);
            ck_assert_uint_eq(v->work_group % v->width, 0);
        }
    }
}
END_TEST

START_TEST(rows_of_a_step_stand_together)
{
    int seen[CLNORM__STEPS] = {0};
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        ck_assert_msg(i == 0 || clnorm__variants[i - 1].step == v->step || !seen[v->step],
                      "the rows of %s's step are apart", v->name);
        seen[v->step] = 1;
    }
    for (int step = 0; step < CLNORM__STEPS; step++)
        ck_assert_msg(seen[step] || is_optional(step), "step %d has no row", step);
}
END_TEST

/* Every step finds a row on the least device, for either layout, up to what one launch after another can merge. */
START_TEST(every_step_fits_the_least_device)
{
    for (int step = 0; step < CLNORM__STEPS; step++) {
        for (int form = 0; form < 4 && !is_optional(step); form++) {
            struct clnorm__device d = least_device(form & 1);
            const struct clnorm__variant *v = clnorm__variant_choose(step, &d, &all, form >> 1, 1);
            ck_assert_msg(v != NULL, "step %d, cpu-like %d, channels-last %d", step, form & 1, form >> 1);
            ck_assert_int_eq(v->step, step);
            ck_assert_uint_le(v->work_group, 1);
            v = clnorm__variant_choose(step, &d, &all, form >> 1, MOST_LEAVES);
            ck_assert_msg(v != NULL, "step %d, cpu-like %d, channels-last %d, 2^31 leaves", step, form & 1, form >> 1);
        }
    }
}
END_TEST

/* Rows that a device cannot run after all: each is chosen once, until there is none; the other layout has its own. */
START_TEST(unusable_rows_give_way)
{
    for (unsigned step = 0; step < CLNORM__STEPS; step++) {
        for (int form = 0; form < 4; form++) {
            struct clnorm__device d = device(form & 1, 1024, 48 << 10);
            struct clnorm__filter filter = {.named = {0}};
            const struct clnorm__variant *v;
            unsigned rows = 0, fit = 0;
            int last = form >> 1;
            for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
                fit += clnorm__variants[i].step == step && !clnorm__variant_refusal(&clnorm__variants[i], &d, last, 9);
            filter.preferred[step][last] = (unsigned char)(clnorm__variant_index(&clnorm__variants[0]) + 1);
            if (clnorm__variants[0].step != step ||
                clnorm__variants[0].layouts == (last ? CLNORM__FIRST : CLNORM__LAST))
                filter.preferred[step][last] = 0;
            while ((v = clnorm__variant_choose(step, &d, &filter, last, 9)) != NULL) {
                ck_assert_uint_eq(v->step, step);
                ck_assert_uint_eq(filter.unusable[clnorm__variant_index(v)][last], 0);
                filter.unusable[clnorm__variant_index(v)][last] = 1;
                rows++;
            }
            ck_assert_uint_eq(rows, fit);
            ck_assert(is_optional((int)step) || clnorm__variant_choose(step, &d, &filter, !last, 9) != NULL);
        }
    }
}
END_TEST

/* A work-group that the device has in all, but not along one dimension. */
START_TEST(groups_are_wide_enough)
{
    struct clnorm__device d = device(0, 1024, 48 << 10);
    d.max_items[0] = 128;
    chosen(clnorm__variant_choose(CLNORM__STATS, &d, &all, 0, 100), "stats_cf_group64");
    d.max_items[0] = 32;
    chosen(clnorm__variant_choose(CLNORM__STATS, &d, &all, 0, 100), "stats_naive");
    d.max_items[0] = 0;
    chosen(clnorm__variant_choose(CLNORM__STATS, &d, &all, 0, 100), "stats_cf_group256");
}
END_TEST

/* ---- the choice ---- */

START_TEST(each_kind_gets_its_own)
{
    struct clnorm__device cpu = device(1, 4096, 1 << 20), gpu = device(0, 1024, 48 << 10);
    chosen(clnorm__variant_choose(CLNORM__STATS, &cpu, &all, 0, 100), "stats_cf_item");
    chosen(clnorm__variant_choose(CLNORM__STATS, &cpu, &all, 1, 100), "stats_cl_item");
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 0, 100), "stats_cf_group256");
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 1, 100), "stats_cl_group256");
    chosen(clnorm__variant_choose(CLNORM__DIFF_STATS, &cpu, &all, 0, 100), "diff_stats_cf_item");
    chosen(clnorm__variant_choose(CLNORM__DIFF_STATS, &cpu, &all, 1, 100), "diff_stats_cl_item");
    chosen(clnorm__variant_choose(CLNORM__DIFF_STATS, &gpu, &all, 0, 100), "diff_stats_cf_group256");
    chosen(clnorm__variant_choose(CLNORM__DIFF_STATS, &gpu, &all, 1, 100), "diff_stats_cl_group256");
    chosen(clnorm__variant_choose(CLNORM__FINISH, &cpu, &all, 0, 100), "finish_item");
    chosen(clnorm__variant_choose(CLNORM__FINISH, &gpu, &all, 0, 100), "finish_group");
    chosen(clnorm__variant_choose(CLNORM__DIFF_FINISH, &cpu, &all, 0, 100), "diff_finish_item");
    chosen(clnorm__variant_choose(CLNORM__DIFF_FINISH, &gpu, &all, 0, 100), "diff_finish_group");
    chosen(clnorm__variant_choose(CLNORM__APPLY, &cpu, &all, 0, 100), "apply_item");
    chosen(clnorm__variant_choose(CLNORM__APPLY, &gpu, &all, 1, 100), "apply_flat");
    chosen(clnorm__variant_choose(CLNORM__COEFFICIENTS, &cpu, &all, 1, 100), "coefficients_item");
    chosen(clnorm__variant_choose(CLNORM__COEFFICIENTS, &gpu, &all, 1, 100), "coefficients");
}
END_TEST

START_TEST(small_work_groups_and_little_local_memory)
{
    struct clnorm__device gpu = device(0, 255, 48 << 10);
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 0, 100), "stats_cf_group64");
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 1, 100), "stats_cl_group64");
    gpu.max_work_group = 63;
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 0, 100), "stats_naive");
    chosen(clnorm__variant_choose(CLNORM__DIFF_STATS, &gpu, &all, 1, 100), "diff_stats_naive");
    ck_assert_uint_le(clnorm__variant_choose(CLNORM__FINISH, &gpu, &all, 0, 100)->work_group, 1);
    gpu = device(0, 256, 1024);
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &all, 0, 100), "stats_naive");
}
END_TEST

START_TEST(refusals)
{
    struct clnorm__device d = device(0, 256, 48 << 10);
    const struct clnorm__variant *group = find("stats_cf_group256");
    ck_assert_ptr_null(clnorm__variant_refusal(group, &d, 0, 100));
    ck_assert_ptr_nonnull(strstr(clnorm__variant_refusal(group, &d, 1, 100), "layout"));
    ck_assert_ptr_nonnull(strstr(clnorm__variant_refusal(find("stats_cl_item"), &d, 0, 100), "layout"));
    ck_assert_ptr_null(clnorm__variant_refusal(find("stats_naive"), &d, 0, 100));
    ck_assert_ptr_null(clnorm__variant_refusal(find("stats_naive"), &d, 1, 100));
    uint64_t most = (uint64_t)1 << (group->most_log2 + CLNORM_TREE_LEVELS);
    ck_assert_ptr_null(clnorm__variant_refusal(group, &d, 0, most));
    ck_assert_ptr_nonnull(strstr(clnorm__variant_refusal(group, &d, 0, most + 1), "too many values"));
    d.max_work_group = 255;
    ck_assert_ptr_nonnull(strstr(clnorm__variant_refusal(group, &d, 0, 100), "work-group"));
    d = device(0, 256, 4096);
    ck_assert_ptr_nonnull(strstr(clnorm__variant_refusal(group, &d, 0, 100), "local memory"));
}
END_TEST

/* ---- names a caller gives ---- */

START_TEST(filter_of_nothing)
{
    struct clnorm__filter filter = read_filter(NULL);
    ck_assert_int_eq(memcmp(&filter, &all, sizeof filter), 0);
    memset(&filter, 0xff, sizeof filter);
    ck_assert_ptr_null(clnorm__filter_read("", &filter));
    ck_assert_int_eq(memcmp(&filter, &all, sizeof filter), 0);
}
END_TEST

START_TEST(filter_of_each_name)
{
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        struct clnorm__filter filter = read_filter(clnorm__variants[i].name);
        for (unsigned j = 0; j < CLNORM__VARIANTS; j++)
            ck_assert_int_eq(filter.named[j], j == i);
        for (int step = 0; step < CLNORM__STEPS; step++)
            ck_assert_int_eq(filter.steps[step], step == (int)clnorm__variants[i].step);
    }
}
END_TEST

START_TEST(filter_of_several)
{
    struct clnorm__filter filter = read_filter("apply_naive,stats_cl_group64,stats_naive,stats_naive");
    unsigned count = 0, steps = 0;
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
        count += filter.named[i];
    for (int step = 0; step < CLNORM__STEPS; step++)
        steps += filter.steps[step];
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(steps, 2);
    /* The table's order decides, not the list's; a step of which none is named is free. */
    struct clnorm__device gpu = device(0, 1024, 48 << 10);
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &filter, 1, 100), "stats_cl_group64");
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &filter, 0, 100), "stats_naive");
    chosen(clnorm__variant_choose(CLNORM__APPLY, &gpu, &filter, 0, 100), "apply_naive");
    chosen(clnorm__variant_choose(CLNORM__FINISH, &gpu, &filter, 0, 100), "finish_group");
}
END_TEST

/* A name wins over the device's kind; a named one that does not fit leaves its step with nothing. */
START_TEST(filter_wins)
{
    struct clnorm__device gpu = device(0, 128, 48 << 10);
    struct clnorm__filter filter = read_filter("stats_cf_item");
    chosen(clnorm__variant_choose(CLNORM__STATS, &gpu, &filter, 0, 100), "stats_cf_item");
    ck_assert_ptr_null(clnorm__variant_choose(CLNORM__STATS, &gpu, &filter, 1, 100));
    filter = read_filter("stats_cf_group256");
    ck_assert_ptr_null(clnorm__variant_choose(CLNORM__STATS, &gpu, &filter, 0, 100));
}
END_TEST

START_TEST(filter_unknown)
{
    static const struct {
        const char *names, *unknown;
    } cases[] = {
        {"nosuch", "nosuch"},
        {"stats_naive,nosuch,apply_naive", "nosuch,apply_naive"},
        {"stats_naiv", "stats_naiv"},
        {"stats_naivee", "stats_naivee"},
        {"STATS_NAIVE", "STATS_NAIVE"},
        {" stats_naive", " stats_naive"},
        {"stats_naive ", "stats_naive "},
        {",", ","},
        {"stats_naive,,apply_naive", ",apply_naive"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clnorm__filter filter;
        const char *unknown = clnorm__filter_read(cases[i].names, &filter);
        ck_assert_msg(unknown != NULL, "'%s' is accepted", cases[i].names);
        ck_assert_str_eq(unknown, cases[i].unknown);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("variant");
    TCase *tests = tcase_create("variant");
    tcase_add_test(tests, names_are_unique_and_listed);
    tcase_add_test(tests, rows_are_sound);
    tcase_add_test(tests, rows_of_a_step_stand_together);
    tcase_add_test(tests, every_step_fits_the_least_device);
    tcase_add_test(tests, unusable_rows_give_way);
    tcase_add_test(tests, groups_are_wide_enough);
    tcase_add_test(tests, each_kind_gets_its_own);
    tcase_add_test(tests, small_work_groups_and_little_local_memory);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, filter_of_nothing);
    tcase_add_test(tests, filter_of_each_name);
    tcase_add_test(tests, filter_of_several);
    tcase_add_test(tests, filter_wins);
    tcase_add_test(tests, filter_unknown);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
