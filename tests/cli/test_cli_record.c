/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tool computes here is what is on record: ci/digests writes that anew when the contract or the cases change. The whole set,
 * which takes minutes, is compared by ci/matrix.
 */
#include "cli_run.h"

#include "clnorm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *arguments, *before;
} runs[] = {
    {"check --quick", "\ndigest: "},
    {"train --reproducible", "\nweights digest "},
};
enum { CHECK, RUNS = sizeof(runs) / sizeof(runs[0]) };

START_TEST(test_equal_to_the_record)
{
    char words[64];
    const char *line;

    if (_i == CHECK && getenv("CLNORM_TEST_SMALL")) { /* one row, which is on no record */
        ck_assert_msg(cli_run("check --quick --variant apply_naive") == 0, "%s%s", cli_err, cli_out);
        return;
    }
    ck_assert_msg(cli_run(runs[_i].arguments) == 0, "%s%s", cli_err, cli_out);
    line = strstr(cli_out, runs[_i].before);
    ck_assert_ptr_nonnull(line);
    snprintf(words, sizeof(words), ", equal to the record of contract %d\n", CLNORM_CONTRACT_VERSION);
    ck_assert_msg(strstr(line, words) != NULL, "%s", line);
}
END_TEST

/* Weights of other options are on no record, and nothing is said of any. */
START_TEST(test_other_options)
{
    static const char *const options[] = {"--epochs 1", "--epochs 1 --seed 2", "--epochs 1 --hidden 128",
                                          "--epochs 1 --rate 0.2"};

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        char arguments[80];

        snprintf(arguments, sizeof(arguments), "train --reproducible %s", options[i]);
        ck_assert_msg(cli_run(arguments) == 0, "%s", cli_err);
        ck_assert_ptr_nonnull(strstr(cli_out, "weights digest "));
        ck_assert_msg(strstr(cli_out, "record") == NULL, "%s", cli_out);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_record");
    TCase *cases = tcase_create("record");

    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_equal_to_the_record, 0, RUNS);
    tcase_add_test(cases, test_other_options);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
