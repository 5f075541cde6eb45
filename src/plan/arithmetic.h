/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers, as plans cut work by them. */
#ifndef CLNORM_ARITHMETIC_H
#define CLNORM_ARITHMETIC_H

#include <stdint.h>

static inline uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The largest power of two that is at most x, for x >= 1. */
static inline uint64_t floor_power(uint64_t x)
{
    uint64_t power = 1;
    while (power <= x / 2)
        power *= 2;
    return power;
}

#endif
