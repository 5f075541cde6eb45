/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers print what their compilers say; a user of the tool reads none of it. The caches of the library and of PoCL are empty at the start.
 * A few programs are enough: all are compiled with the same option, and the test `kernels` asks them all for warnings.
 */
#define _XOPEN_SOURCE 700 /* setenv */
#include "cli_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void empty_caches(void)
{
    char folder[128];

    snprintf(folder, sizeof(folder), "%s/clnorm", cli_folder);
    setenv("CLNORM_CACHE_DIR", folder, 1);
    snprintf(folder, sizeof(folder), "%s/pocl", cli_folder);
    setenv("POCL_CACHE_DIR", folder, 1);
}

/* Sizes at which launches are fused and at which they are not, by the variants that are named. */
START_TEST(test_arrays)
{
    static const uint64_t shape[] = {5, 6, 7, 3}, vector[] = {6}, last[] = {3};
    static const float values[5 * 6 * 7 * 3] = {1, 2, 3};

    cli_write_array("x.npy", 4, shape, values);
    cli_write_array("v.npy", 1, vector, values);
    cli_write_array("w.npy", 1, last, values);
    cli_assert_done("forward --in x.npy --out y.npy --scale v.npy --shift v.npy");
    cli_assert_done("backward --in x.npy --grad-out x.npy --grad-in dx.npy --layout channels-last");
    setenv("CLNORM_VARIANT", "stats_cl_item,apply_item", 1);
    cli_assert_done("forward --in x.npy --out y.npy --layout channels-last --scale w.npy");
    unsetenv("CLNORM_VARIANT");
}
END_TEST

START_TEST(test_bench)
{
    cli_assert_done("bench --shape 2,3,4 --op train --runs 1");
}
END_TEST

/* Training tells there how it goes. */
START_TEST(test_train)
{
    ck_assert_int_eq(cli_run("train --reproducible --epochs 1 --conv 2 --hidden none"), 0);
    ck_assert_ptr_nonnull(strstr(cli_err, "held-out"));
    ck_assert_msg(strstr(cli_err, "warning") == NULL, "%s", cli_err);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_quiet");
    TCase *cases = tcase_create("quiet");

    tcase_add_unchecked_fixture(cases, empty_caches, NULL);
    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_arrays);
    tcase_add_test(cases, test_bench);
    tcase_add_test(cases, test_train);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
