/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of `clnorm bench`. */
#ifndef CLNORM_CLI_BENCH_TIME_H
#define CLNORM_CLI_BENCH_TIME_H

#include "cli/bench/bench_device.h"

enum { BENCH_MOST_RUNS = 10000 };

double bench_now(void);

/* Puts the values in order. */
double bench_median(double *values, size_t count);

/*
 * Times what `wanted` names of the operations, together with the copies and the empty kernel: every round times each of
 * them once, operations and copies in turn, so that whatever drifts hits all alike. runs 0: as many rounds as half a
 * second has, 11 to 101. Clears in wanted what the variants do not fit. Returns the number of rounds, or 0 after a
 * message.
 */
unsigned bench_measure(struct bench_device *device, int *wanted, unsigned runs, struct bench_times *medians);

#endif
