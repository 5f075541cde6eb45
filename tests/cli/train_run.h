/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of `clnorm train` and `clnorm predict` share. Products are in the fixed order there, so that no test waits
 * for CLBlast's kernels.
 */
#ifndef CLNORM_TESTS_TRAIN_RUN_H
#define CLNORM_TESTS_TRAIN_RUN_H

#include <check.h>
#include <stddef.h>

/* The folder of the digits, from the environment variable CLNORM_DATA_DIR. */
extern char *train_data;

/* The run ends well; what it says on the way is progress. */
__attribute__((format(printf, 1, 2))) void train_assert_runs(const char *format, ...);

/* Two kinds of points in a plane, 40 of them, as x.npy and y.npy. */
void train_make_points(void);

/* The file's bytes, and a 0 behind them; returns how many there are. */
size_t train_read_file(const char *path, char *text, size_t capacity);

/* The whole of main. */
int train_main(Suite *(*make_suite)(void));

#endif
