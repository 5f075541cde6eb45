/* SPDX-License-Identifier: Apache-2.0 */
/* How check.c and block_check.c say no. */
#ifndef CLNORM_REFUSE_H
#define CLNORM_REFUSE_H

#include <stdint.h>
#include <stdio.h>

/* Where the condition holds, the function that has `why` returns the status, and why has the sentence. */
#define REFUSE_IF(condition, status, ...)                                                                              \
    do {                                                                                                               \
        if (condition) {                                                                                               \
            snprintf(why, CLNORM__WHY, __VA_ARGS__);                                                                   \
            return status;                                                                                             \
        }                                                                                                              \
    } while (0)

typedef unsigned long long ull;

/* More elements than any address space has, and few enough for sizes made of them. */
#define MOST_ELEMENTS ((uint64_t)1 << 54)

/* a * b, or 0 when that is beyond MOST_ELEMENTS or one of them is 0. */
static inline uint64_t product(uint64_t a, uint64_t b)
{
    return a && b && a <= MOST_ELEMENTS / b ? a * b : 0;
}

#endif
