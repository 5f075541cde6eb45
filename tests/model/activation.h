/* SPDX-License-Identifier: Apache-2.0 */
/* An activation of one number and the gradient before it, in binary32 as the contract has it and in float64. */
#ifndef CLNORM_TESTS_ACTIVATION_H
#define CLNORM_TESTS_ACTIVATION_H

#include "clnorm.h"

#include <math.h>

static inline int is_active(const clnorm_activation *a)
{
    return a->cap > 0;
}

/* An infinite cap is none. */
static inline int is_capped(const clnorm_activation *a, double v)
{
    return isfinite(a->cap) && v >= (double)a->cap;
}

/* Whether the gradient passes unchanged, for a mask: where v is a NaN, it does. */
static inline int passes_f(const clnorm_activation *a, float v)
{
    return !(v <= 0) && !is_capped(a, v);
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
    return v <= 0 ? held_f(a, v) : is_capped(a, v) ? a->cap : v;
}

/* v: what came in, or what came out. */
static inline float gated_f(const clnorm_activation *a, float diff, float v)
{
    return v <= 0 ? held_f(a, diff) : is_capped(a, v) ? 0.0f : diff;
}

static inline double activated(const clnorm_activation *a, double v)
{
    if (!is_active(a))
        return v;
    return v <= 0 ? v * (double)a->slope : is_capped(a, v) ? (double)a->cap : v;
}

static inline double gated(const clnorm_activation *a, double diff, double v)
{
    return v <= 0 ? diff * (double)a->slope : is_capped(a, v) ? 0 : diff;
}

#endif
