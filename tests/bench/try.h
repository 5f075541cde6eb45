/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of CLNorm alone share: calls that must succeed, and the clock. */
#ifndef CLNORM_BENCH_TRY_H
#define CLNORM_BENCH_TRY_H

#include "clnorm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int status_ = (call);                                                                                          \
        if (status_ != 0) {                                                                                            \
            fprintf(stderr, "%s: %d (%s)\n", #call, status_, clnorm_status_string(status_));                           \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline double milliseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

#endif
