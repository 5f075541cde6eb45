/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the clnorm tool, which the environment variable CLNORM_TOOL names, as a user would: in a folder of the test's own,
 * its current one. Everything here belongs inside Check tests.
 */
#ifndef CLNORM_TESTS_CLI_RUN_H
#define CLNORM_TESTS_CLI_RUN_H

#include <check.h>
#include <stdint.h>

enum { CLI_TEXT_BYTES = 1 << 16 };

extern char cli_folder[64];                                   /* the folder's whole path */
extern char cli_out[CLI_TEXT_BYTES], cli_err[CLI_TEXT_BYTES]; /* what the last run said */
extern const char *cli_out_path;                              /* where standard output goes; ".stdout" is captured */

/* Arguments are separated by single spaces; '' is an empty one. Returns the exit status. */
int cli_run(const char *arguments);

/* The run ends well and says nothing. */
void cli_assert_done(const char *arguments);

/* The run ends with status, says expected in a message of the tool's form, prints nothing and leaves no file behind. */
void cli_assert_fails(const char *arguments, int status, const char *expected);

/* Files in the folder, but for the captured texts; removes them when asked to. */
int cli_count_files(int remove_them);

/* For tests that are not about it: the tool takes rows of the library's table that compile fast. */
void cli_fast_rows(void);

void cli_write_array(const char *path, unsigned rank, const uint64_t *shape, const float *values);

/* The whole of main: the folder, the suite in this process, the exit status. */
int cli_main(Suite *(*make_suite)(void));

#endif
