/* SPDX-License-Identifier: Apache-2.0 */
/* An activation of one number and the gradient before it, in binary32 as the contract has it and in float64. */
#ifndef CLNORM_TESTS_ACTIVATION_H
#define CLNORM_TESTS_ACTIVATION_H

#include "clnorm.h"

static inline int is_active(const clnorm_activation *a)
{
    return a->cap > 0;
}

/* Whether the gradient passes unchanged, for a mask: where v is a NaN, it does. */
static inline int passes_f(const clnorm_activation *a, float v)
{
    return !(v <= 0) && !(v >= a->cap);
}

/* What is left of a number that does not come through. */
static inline float held_f(const clnorm_activation *a, float v)
{
    return a->slope == 0 ? 0.0f : v * a->slope;
}

static inline float activated_f(const clnorm_activation *a, float v)
{
    if (!is_active(a))
        return v;
    return v <= 0 ? held_f(a, v) : v >= a->cap ? a->cap : v;
}

/* v: what came in, or what came out. */
static inline float gated_f(const clnorm_activation *a, float diff, float v)
{
    return v <= 0 ? held_f(a, diff) : v >= a->cap ? 0.0f : diff;
}

static inline double activated(const clnorm_activation *a, double v)
{
    if (!is_active(a))
        return v;
    return v <= 0 ? v * (double)a->slope : v >= (double)a->cap ? (double)a->cap : v;
}

static inline double gated(const clnorm_activation *a, double diff, double v)
{
    return v <= 0 ? diff * (double)a->slope : v >= (double)a->cap ? 0 : diff;
}

#endif
