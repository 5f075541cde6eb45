/* SPDX-License-Identifier: Apache-2.0 */
/* Tunings: their text form, their ranges, what they do to the choice of variants, and their file. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "fixture/suite.h"
#include "device/cache.h"
#include "device/stored_tuning.h"
#include "plan/tuning.h"
#include "plan/variant.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The table a second time, as the tests see it. */
static const struct row {
    const char *name;
    uint64_t least, most, cpu, wide, other;
} rows[] = {
#define ROW(NAME, name, least, most, cpu, wide, other, meaning) {#name, least, most, cpu, wide, other},
    CLNORM__PARAMETERS(ROW)
#undef ROW
};

static struct clnorm__device device(int cpu_like)
{
    struct clnorm__device d = {.cpu_like = cpu_like, .compute_units = 2, .vector = 8};
    d.max_work_group = 1024;
    d.local_bytes = 1 << 20;
    strcpy(d.identity, "platform|device|driver");
    return d;
}

static char said[4096];

static void note(void *user, const char *why)
{
    ck_assert_ptr_eq(user, said);
    ck_assert_uint_lt(strlen(said) + strlen(why) + 2, sizeof said);
    strcat(strcat(said, why), "\n");
}

static struct clnorm__device tuned;
static struct clnorm__filter filter;

/* Reads on top of nothing; returns how many entries are bad, which is also how many complaints there are. */
static unsigned read_text(const char *text, int cpu_like)
{
    unsigned lines = 0;
    tuned = device(cpu_like);
    memset(&filter, 0, sizeof filter);
    said[0] = '\0';
    unsigned bad = clnorm__tuning_read(text, &tuned.tuning, &filter, note, said);
    for (const char *at = said; *at; at++)
        lines += *at == '\n';
    ck_assert_uint_eq(lines, bad);
    return bad;
}

static int is_default(void)
{
    static const struct clnorm__tuning none;
    static const struct clnorm__filter all;
    return memcmp(&tuned.tuning, &none, sizeof none) == 0 && memcmp(&filter, &all, sizeof all) == 0;
}

/* ---- the text ---- */

START_TEST(defaults)
{
    for (int class = 0; class < CLNORM__CLASSES; class ++) {
        ck_assert_uint_eq(read_text("", class != CLNORM__CLASS_OTHER), 0);
        ck_assert(is_default());
        tuned.vector = class == CLNORM__CLASS_WIDE_CPU ? 16 : 8;
        for (unsigned i = 0; i < CLNORM__PARAMETER_COUNT; i++) {
            uint64_t expected = class == CLNORM__CLASS_CPU        ? rows[i].cpu
                                : class == CLNORM__CLASS_WIDE_CPU ? rows[i].wide
                                                                  : rows[i].other;
            ck_assert_uint_eq(clnorm__tuned(&tuned, i), expected);
            ck_assert_uint_ge(expected, rows[i].least);
            ck_assert_uint_le(expected, rows[i].most);
            ck_assert_uint_le(rows[i].most, UINT32_MAX);
        }
    }
}
END_TEST

START_TEST(ranges)
{
    for (unsigned i = 0; i < CLNORM__PARAMETER_COUNT; i++) {
        const uint64_t good[] = {rows[i].least, rows[i].most, (rows[i].least + rows[i].most) / 2};
        const uint64_t bad[] = {rows[i].most + 1, UINT64_MAX, rows[i].least ? rows[i].least - 1 : UINT64_MAX};
        char text[128];
        for (int k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "%s=%llu", rows[i].name, (unsigned long long)good[k]);
            ck_assert_msg(read_text(text, 1) == 0, "%s: %s", text, said);
            for (unsigned j = 0; j < CLNORM__PARAMETER_COUNT; j++)
                ck_assert_uint_eq(clnorm__tuned(&tuned, j), j == i ? good[k] : rows[j].cpu);
            snprintf(text, sizeof text, "%s=%llu", rows[i].name, (unsigned long long)bad[k]);
            ck_assert_msg(read_text(text, 1) == 1, "%s", text);
            ck_assert(is_default());
            ck_assert_ptr_nonnull(strstr(said, rows[i].name)); /* and what would be right */
            snprintf(text, sizeof text, "from %llu to %llu", (unsigned long long)rows[i].least,
                     (unsigned long long)rows[i].most);
            ck_assert_ptr_nonnull(strstr(said, text));
        }
    }
}
END_TEST

START_TEST(bad_entries)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"fused_items", "'fused_items' is no NAME=VALUE"},
        {"=", "there is no ''"},
        {"=4", "there is no ''"},
        {"fused_items=", "fused_items is ''"},
        {"fused_items=-1", "fused_items is '-1'"},
        {"fused_items=+4", "fused_items is '+4'"},
        {"fused_items=4.0", "fused_items is '4.0'"},
        {"fused_items=4,group_bytes=4096", "fused_items is '4,group_bytes=4096'"},
        {"fused_items=0x4", "fused_items is '0x4'"},
        {"fused_items==4", "fused_items is '=4'"},
        {"fused_items=18446744073709551620", "fused_items is '18446744073709551620'"},
        {"fused_items=99999999999999999999999999999999999999999999999999999999999999", "fused_items is '999"},
        {"Fused_items=4", "there is no 'Fused_items'"},
        {"fused_item=4", "there is no 'fused_item'"},
        {"fused_itemss=4", "there is no 'fused_itemss'"},
        {"stats=stats_naive", "there is no 'stats'"},
        {"stats.=stats_naive", "there is no 'stats.'"},
        {"stats.nchw=stats_naive", "there is no 'stats.nchw'"},
        {"stats.channels-firs=stats_naive", "there is no 'stats.channels-firs'"},
        {".channels-first=stats_naive", "there is no '.channels-first'"},
        {"nope.channels-first=stats_naive", "there is no 'nope.channels-first'"},
        {"stats.channels-first=", "step stats has no kernel variant ''"},
        {"stats.channels-first=nope", "step stats has no kernel variant 'nope'"},
        {"stats.channels-first=stats_naiv", "step stats has no kernel variant 'stats_naiv'"},
        {"stats.channels-first=apply_item", "step stats has no kernel variant 'apply_item'"},
        {"stats.channels-first=stats_cl_item", "no kernel variant 'stats_cl_item', channels-first"},
        {"stats.channels-last=stats_cf_item", "no kernel variant 'stats_cf_item', channels-last"},
        {"\x01\xff", "is no NAME=VALUE"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        ck_assert_msg(read_text(bad[i].text, 1) == 1, "'%s' is taken", bad[i].text);
        ck_assert(is_default());
        ck_assert_msg(strstr(said, bad[i].says) != NULL, "'%s': %s", bad[i].text, said);
        /* What stands beside it counts. */
        snprintf(text, sizeof text, "small_bytes=77 %s group_items=32", bad[i].text);
        ck_assert_uint_eq(read_text(text, 1), 1);
        ck_assert_uint_eq(clnorm__tuned(&tuned, CLNORM__SMALL_BYTES), 77);
        ck_assert_uint_eq(clnorm__tuned(&tuned, CLNORM__GROUP_ITEMS), 32);
    }
    ck_assert_uint_eq(clnorm__tuning_read("a b=1 fused_items=0", &tuned.tuning, &filter, NULL, NULL), 3);
}
END_TEST

START_TEST(blanks_and_order)
{
    ck_assert_uint_eq(read_text(" \t\r\n ", 1), 0);
    ck_assert(is_default());
    ck_assert_uint_eq(read_text("\nfused_items=8\r\n\tsmall_bytes=0  fused_items=0016\n", 1), 0);
    ck_assert_uint_eq(clnorm__tuned(&tuned, CLNORM__FUSED_ITEMS), 16); /* the later one */
    ck_assert_uint_eq(clnorm__tuned(&tuned, CLNORM__SMALL_BYTES), 0);
}
END_TEST

/* ---- preferences ---- */

static const char *choose(enum clnorm__step step, int last)
{
    const struct clnorm__variant *v = clnorm__variant_choose(step, &tuned, &filter, last, 100);
    return v ? v->name : "none";
}

START_TEST(every_variant_can_be_preferred)
{
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        ck_assert_str_eq(clnorm_variant_step(i), clnorm__step_name(v->step));
        for (int last = 0; last < 2; last++) {
            int fits = v->layouts != (last ? CLNORM__FIRST : CLNORM__LAST);
            char text[128];
            snprintf(text, sizeof text, "%s.%s=%s", clnorm_variant_step(i), last ? "channels-last" : "channels-first",
                     v->name);
            ck_assert_uint_eq(read_text(text, i % 2), !fits);
            ck_assert_int_eq(clnorm__is_preferred(v, &filter, last), fits);
            ck_assert_int_eq(clnorm__is_preferred(v, &filter, !last), 0);
            if (fits)
                ck_assert_str_eq(choose(v->step, last), v->name);
            else
                ck_assert(is_default());
        }
    }
    ck_assert_ptr_null(clnorm_variant_step(CLNORM__VARIANTS));
}
END_TEST

START_TEST(preference_is_soft)
{
    ck_assert_uint_eq(read_text("stats.channels-first=stats_cf_group256 apply.channels-last=apply_naive", 1), 0);
    ck_assert_str_eq(choose(CLNORM__STATS, 0), "stats_cf_group256");
    ck_assert_str_eq(choose(CLNORM__STATS, 1), "stats_cl_item");
    ck_assert_str_eq(choose(CLNORM__APPLY, 0), "apply_item");
    ck_assert_str_eq(choose(CLNORM__APPLY, 1), "apply_naive");
    tuned.max_work_group = 128; /* what does not fit is passed over */
    ck_assert_str_eq(choose(CLNORM__STATS, 0), "stats_cf_item");
    tuned.max_work_group = 1024;
    filter.steps[CLNORM__STATS] = 1; /* a name that is asked for comes first */
    filter.named[CLNORM__VARIANTS - 1] = 1;
    ck_assert_str_eq(choose(CLNORM__STATS, 0), "none");
}
END_TEST

/* ---- the file ---- */

static char base[64], folder[128];

static void setup(void)
{
    strcpy(base, "/tmp/clnorm-tuning-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(folder, sizeof folder, "%s/a/b", base);
}

static void teardown(void)
{
    ck_assert_int_eq(remove_tree(base), 0);
}

/* expected NULL: nothing */
static void loads(const struct clnorm__device *d, const char *expected)
{
    char *got = clnorm__tuning_load(folder, d);
    ck_assert_msg((got != NULL) == (expected != NULL), "got '%s'", got ? got : "nothing");
    if (expected)
        ck_assert_str_eq(got, expected);
    free(got);
}

START_TEST(file_round_trip)
{
    struct clnorm__device d = device(1), other = device(1), fewer = device(1);
    strcpy(other.identity, "platform|device|newer driver");
    fewer.compute_units = 1;
    loads(&d, NULL);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, ""), 0); /* nothing to take away, not even a folder */
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "fused_items=8"), 0);
    loads(&d, "fused_items=8");
    loads(&other, NULL);
    loads(&fewer, NULL);
    ck_assert_int_eq(clnorm__tuning_store(folder, &other, "fused_items=2"), 0);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "small_bytes=0\nfused_items=3"), 0);
    loads(&d, "small_bytes=0\nfused_items=3");
    loads(&other, "fused_items=2");
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, ""), 0);
    loads(&d, NULL);
    loads(&other, "fused_items=2");
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, ""), 0);
}
END_TEST

/* Cut, longer, any one bit: as good as no file. */
START_TEST(broken_files)
{
    static unsigned char whole[4096];
    struct clnorm__device d = device(1);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "fused_items=8"), 0);
    char *path = clnorm__tuning_path(folder, &d);
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    ck_assert_uint_gt(size, 20);
    ck_assert_uint_lt(size, sizeof whole);
    for (size_t k = 0; k < size * 8 + size + 2; k++) {
        size_t length = k < size * 8 ? size : k - size * 8;
        if (length == size && k >= size * 8)
            continue;
        if (k < size * 8)
            whole[k / 8] ^= (unsigned char)(1u << k % 8);
        file = fopen(path, "wb");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(whole, 1, length, file), length);
        fclose(file);
        loads(&d, NULL);
        if (k < size * 8)
            whole[k / 8] ^= (unsigned char)(1u << k % 8);
    }
    free(path);
}
END_TEST

/* What another program could have put there under the right key: no text, or more than one. */
START_TEST(stored_binary_is_no_text)
{
    struct clnorm__device d = device(1);
    const struct {
        const char *data;
        size_t size;
    } bad[] = {{"", 0}, {"fused_items=8", 13}, {"fused\0items=8", 14}, {"fused_items=8\0", 15}};
    char key[1024];
    snprintf(key, sizeof key, "tuning|%s|2 compute units|%s", clnorm_version(), d.identity);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_int_eq(clnorm__cache_store(folder, key, (const unsigned char *)bad[i].data, bad[i].size), 0);
        loads(&d, NULL);
    }
    ck_assert_int_eq(clnorm__cache_store(folder, key, (const unsigned char *)"a=b", 4), 0);
    loads(&d, "a=b"); /* so the key is the right one, and it is for the reader to refuse */
}
END_TEST

START_TEST(folder_that_cannot_be_written)
{
    struct clnorm__device d = device(1);
    strcpy(folder, "/dev/null/clnorm");
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "fused_items=8"), -1);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, ""), 0); /* nothing is stored there, as was wanted */
    loads(&d, NULL);
    /* A folder in the file's place that is not empty can be neither written nor removed. */
    snprintf(folder, sizeof folder, "%s/c", base);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "fused_items=8"), 0);
    char *path = clnorm__tuning_path(folder, &d), below[600];
    snprintf(below, sizeof below, "%s/x", path);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, "fused_items=8"), -1);
    ck_assert_int_eq(clnorm__tuning_store(folder, &d, ""), -1);
    loads(&d, NULL);
    free(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tuning");
    TCase *tests = tcase_create("tuning");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, ranges);
    tcase_add_test(tests, bad_entries);
    tcase_add_test(tests, blanks_and_order);
    tcase_add_test(tests, every_variant_can_be_preferred);
    tcase_add_test(tests, preference_is_soft);
    tcase_add_test(tests, file_round_trip);
    tcase_add_test(tests, broken_files);
    tcase_add_test(tests, stored_binary_is_no_text);
    tcase_add_test(tests, folder_that_cannot_be_written);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
