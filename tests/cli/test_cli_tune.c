/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `clnorm tune` as a user drives it. What wins must not hang on noise: kernel files that win over the embedded ones make the
 * default variants slow, or the one that wins wrong.
 */
#define _XOPEN_SOURCE 700 /* setenv */
#include "fixture/suite.h"
#include "cli_run.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The tests' folders begin with a dot, for which cli_count_files does not look. */
static const char cache[] = ".cache", kernels[] = ".kernels";

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void remove_folders(void)
{
    remove_tree(cache);
    remove_tree(kernels);
}

static void setup(void)
{
    char room[64];

    cli_count_files(1);
    remove_folders();
    ck_assert_int_eq(mkdir(kernels, 0700), 0);
    snprintf(room, sizeof(room), "%s/apply", kernels);
    ck_assert_int_eq(mkdir(room, 0700), 0);
    setenv("CLNORM_CACHE_DIR", cache, 1);
    setenv("CLNORM_KERNEL_DIR", kernels, 1);
    unsetenv("CLNORM_TUNING");
    unsetenv("CLNORM_VARIANT");
    /* More channels than inference in one launch takes: the last step is a kernel of its own everywhere. */
    write_file("shapes.csv", "set,n,c,spatial,times_in_net\na,2,2304,2x1,1\nb,2,2056,1,1\nb,2,2056,1,3\n");
}

/* A kernel file with a line more, behind the one that begins the kernel's work. */
static void change_kernel(const char *name, const char *line)
{
    static const char mark[] = "    APPLY_BEGIN(";
    static char text[1 << 14], changed[1 << 14];
    const char *folder = getenv("CLNORM_TEST_KERNELS"), *at;
    char path[1024];
    FILE *file;

    ck_assert_msg(folder != NULL, "CLNORM_TEST_KERNELS is not set; expected the folder of the kernel files");
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    at = strstr(text, mark);
    ck_assert_msg(at != NULL, "%s has no line %s", path, mark);
    at = strchr(at, '\n');
    ck_assert_ptr_nonnull(at);
    at++;
    ck_assert_int_lt(snprintf(changed, sizeof(changed), "%.*s%s\n%s", (int)(at - text), text, line, at),
                     sizeof(changed));
    snprintf(path, sizeof(path), "%s/%s", kernels, name);
    write_file(path, changed);
}

/*
 * Whatever the device, its default of the last step is one of these, and apply_naive none. A work-item does enough to be slower than a
 * launch; those for GPUs are many, and on a CPU they run one after another.
 */
static void slow_defaults(void)
{
    change_kernel("apply/apply_item.cl", "    for (volatile uint busy = 0u; busy < 500000u; busy++)\n        ;");
    change_kernel("apply/apply_flat.cl", "    for (volatile uint busy = 0u; busy < 5000u; busy++)\n        ;");
    change_kernel("apply/apply_group.cl", "    for (volatile uint busy = 0u; busy < 5000u; busy++)\n        ;");
}

static int says(const char *part)
{
    return strstr(cli_out, part) != NULL;
}

/* The number of files in the cache's folder, or 0. */
static int cache_entries(void)
{
    DIR *directory = opendir(cache);
    int count = 0;

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

START_TEST(test_help)
{
    cli_assert_done("tune --help");
    ck_assert(says("usage: clnorm tune"));
    ck_assert(says("--dry-run"));
    for (char *line = strtok(cli_out, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_uint_le(strlen(line), 120);
    cli_assert_done("--help");
    ck_assert(says("  tune "));
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"tune --set nope", "option --set: expected one or more of resnet50-b32"},
        {"tune --set", "option --set lacks its value: expected names of sets of shapes"},
        {"tune --op fly", "option --op: expected one or more of train, infer, backward"},
        {"tune --op train,", "option --op"},
        {"tune --layout nchw", "option --layout: expected one or more of channels-first, channels-last"},
        {"tune --seconds 0", "option --seconds: expected a number from 0.001 to 1000000, got '0'"},
        {"tune --seconds soon", "option --seconds: expected a number"},
        {"tune --reset --quick", "--reset measures nothing; expected no other option than --device"},
        {"tune --reset --op train", "--reset measures nothing"},
        {"tune --reset --dry-run", "--reset measures nothing"},
        {"tune --reset --shape 1,2,3", "--reset measures nothing"},
        {"tune --reset --type float16", "--reset measures nothing"},
        {"tune --reset --activation relu", "--reset measures nothing"},
        {"tune --reset --residual", "--reset measures nothing"},
        {"tune --type half", "option --type: expected float32|float16|bfloat16, got 'half'"},
        {"tune --activation tanh", "option --activation: expected none, relu, leaky:SLOPE"},
        {"tune --shape 1,2",
         "option --shape: expected N,C,S with sizes >= 1, S like 3136, 56x56 or 32x64x64, got '1,2'"},
        {"tune --shape 1,2,3x", "option --shape: expected N,C,S"},
        {"tune --shape 1,2,3 --set small", "expected one of --set or --shapes, and --shape"},
        {"tune --shape 1,2,3 --shapes shapes.csv", "expected one of --set or --shapes, and --shape"},
        {"tune --quick=1", "option --quick: expected no value"},
        {"tune now", "unexpected argument 'now'"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 2, bad[i].expected);
    cli_assert_fails("tune --shapes none.csv", 1, "cannot read 'none.csv'");
    cli_assert_fails("tune --shapes shapes.csv --device nope", 1, "no such device");
    cli_assert_fails("tune --reset --device nope", 1, "no such device");
    write_file("large.csv", "set,n,c,spatial,times_in_net\na,100000,100000,100,1\n");
    ck_assert_int_eq(cli_run("tune --shapes large.csv"), 1);
    ck_assert_ptr_nonnull(strstr(cli_err, "nothing is to be measured: every shape was passed over"));
}
END_TEST

/* The defaults against everything else: whatever comes of it, it is told, and a dry run stores nothing. */
START_TEST(test_quick)
{
    cli_assert_done("tune --quick --dry-run --shapes shapes.csv");
    ck_assert_msg(says("candidates measured on up to 9 launches"), "%s", cli_out);
    ck_assert(says("nothing stored: a dry run"));
    ck_assert(says("nothing is clearly better than the defaults") || says("\ntuning: "));
    cli_assert_done("tune --quick --dry-run --shapes shapes.csv --set b --op infer,train --layout channels-first");
    ck_assert_msg(says("candidates measured on up to 2 launches"), "%s", cli_out);
    cli_assert_done("tune --dry-run --shapes shapes.csv --seconds 0.001");
    ck_assert(says(", 0 won; the time was up before the end"));
    /* One shape of the command line: 3 operations in 2 layouts. */
    cli_assert_done("tune --dry-run --shape 4,16,9x9 --seconds 0.001");
    ck_assert_msg(says("candidates measured on up to 6 launches"), "%s", cli_out);
}
END_TEST

/* A clear winner: found, told, stored, used by what runs next, and taken away. */
START_TEST(test_store_and_reset)
{
    char file[256], *at;

    slow_defaults();
    cli_assert_done("tune --dry-run --quick --shapes shapes.csv --set b --op infer --layout channels-last");
    ck_assert_msg(says("\ntuning: ") && !says("stored in"), "%s", cli_out);
    cli_assert_done("tune --reset");
    ck_assert_msg(says("nothing is stored for "), "%s", cli_out);
    cli_assert_done("tune --quick --shapes shapes.csv --op infer");
    ck_assert_msg(says("apply.channels-last          free choice              apply_naive"), "%s", cli_out);
    ck_assert_msg(says("\ntuning: ") && says("apply.channels-first=apply_naive"), "%s", cli_out);
    ck_assert_msg(says("channels-first ") && says("(  1 of   1)"), "%s", cli_out);
    at = strstr(cli_out, "stored in ");
    ck_assert_msg(at != NULL, "%s", cli_out);
    ck_assert_int_eq(sscanf(at, "stored in %255s", file), 1);
    ck_assert_int_eq(access(file, F_OK), 0);

    ck_assert_int_eq(cli_run("bench --verbose --shape 2,2304,2 --op infer --runs 1"), 0);
    ck_assert_msg(strstr(cli_err, "clnorm: tuning from .cache/") != NULL, "%s", cli_err);
    ck_assert_ptr_nonnull(strstr(cli_err, "apply_naive"));
    ck_assert_msg(says("\ntuning: apply.channels-"), "%s", cli_out);

    cli_assert_done("tune --reset");
    ck_assert_msg(says("removed .cache/"), "%s", cli_out);
    ck_assert_int_ne(access(file, F_OK), 0);
    ck_assert_int_eq(cli_run("bench --verbose --shape 2,2304,2 --op infer --runs 1"), 0);
    ck_assert_ptr_null(strstr(cli_err, "tuning"));
    ck_assert(!says("tuning"));
    cli_assert_done("tune --reset");
    ck_assert_msg(says("nothing is stored for "), "%s", cli_out);
}
END_TEST

/* A later run in which the defaults are best takes away what an earlier one stored. */
START_TEST(test_defaults_replace)
{
    slow_defaults();
    cli_assert_done("tune --quick --shapes shapes.csv --op infer --layout channels-last");
    ck_assert(says("stored in "));
    /* No time to try anything. */
    cli_assert_done("tune --quick --shapes shapes.csv --op infer --layout channels-last --seconds 0.001 --dry-run");
    ck_assert(says("nothing stored: a dry run"));
    ck_assert_int_eq(cli_run("bench --verbose --shape 2,2304,2 --op infer --runs 1"), 0);
    ck_assert_ptr_nonnull(strstr(cli_err, "tuning from"));
    cli_assert_done("tune --quick --shapes shapes.csv --op infer --layout channels-last --seconds 0.001");
    ck_assert(says("nothing is clearly better than the defaults\nwhat was stored is removed"));
    ck_assert_int_eq(cli_run("bench --verbose --shape 2,2304,2 --op infer --runs 1"), 0);
    ck_assert_ptr_null(strstr(cli_err, "tuning from"));
}
END_TEST

/* The fastest kernel is wrong: it does not win, and the run fails. */
START_TEST(test_other_bits)
{
    slow_defaults();
    change_kernel("apply/apply_naive.cl",
                  "    if (get_global_id(0) == 5) {\n        dst[5] = 1;\n        return;\n    }");
    ck_assert_int_eq(cli_run("tune --quick --shapes shapes.csv --op infer --layout channels-last"), 1);
    ck_assert_msg(strstr(cli_err, "apply.channels-last=apply_naive gives other bits than the defaults") != NULL, "%s",
                  cli_err);
    ck_assert(!says("stored in"));
    cli_assert_done("tune --reset");
    ck_assert(says("nothing is stored for "));
    /* One that leaves a result out, where the defaults' own is still in the buffer, is found as well. */
    change_kernel("apply/apply_naive.cl", "    if (get_global_id(0) == 5)\n        return;");
    ck_assert_int_eq(cli_run("tune --quick --shapes shapes.csv --op infer --layout channels-last"), 1);
    ck_assert_ptr_nonnull(strstr(cli_err, "gives other bits"));
}
END_TEST

/* Of another type, with everything in the last step: a winner gives the same bits of masks and the residual's gradient, too. */
START_TEST(test_form)
{
    static const char line[] = "tune --quick --dry-run --shapes shapes.csv --set b --op train,infer,backward "
                               "--layout channels-last --type float16 --activation relu --residual";

    slow_defaults();
    cli_assert_done(line);
    ck_assert_msg(says("candidates measured on up to 3 launches"), "%s", cli_out);
    ck_assert_msg(says("apply.channels-last          free choice              apply_naive"), "%s", cli_out);
    change_kernel("apply/apply_naive.cl",
                  "    if (get_global_id(0) == 5) {\n        dst[5] = 1;\n        return;\n    }");
    ck_assert_int_eq(cli_run(line), 1);
    ck_assert_msg(strstr(cli_err, "gives other bits than the defaults") != NULL, "%s", cli_err);
}
END_TEST

START_TEST(test_no_folder)
{
    setenv("CLNORM_CACHE_DIR", "", 1);
    cli_assert_fails("tune --quick --shapes shapes.csv --op infer", 1, "the disk cache is switched off");
    cli_assert_fails("tune --reset", 1, "the disk cache is switched off");
    cli_assert_done("tune --dry-run --shapes shapes.csv --seconds 0.001");
    /* Where nothing can be written, that is told before the time is spent; a dry run needs no folder. */
    setenv("CLNORM_CACHE_DIR", "/dev/null/clnorm", 1);
    cli_assert_fails("tune --quick --shapes shapes.csv --set b --op infer", 1,
                     "cannot be written; expected a folder that can be in CLNORM_CACHE_DIR, or --dry-run");
    cli_assert_done("tune --dry-run --quick --shapes shapes.csv --seconds 0.001");
    ck_assert_msg(!says("stored in"), "%s", cli_out);
    ck_assert_int_eq(cache_entries(), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli tune");
    TCase *cases = tcase_create("cli tune");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, remove_folders);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_store_and_reset);
    tcase_add_test(cases, test_no_folder);
    if (!getenv("CLNORM_TEST_SMALL")) { /* the same code with other answers */
        tcase_add_test(cases, test_quick);
        tcase_add_test(cases, test_defaults_replace);
        tcase_add_test(cases, test_other_bits);
        tcase_add_test(cases, test_form);
    }
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
