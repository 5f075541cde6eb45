/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan holds, and what the parts that fill it in have in common. Pure: no OpenCL call. */
#ifndef CLNORM_LAUNCH_H
#define CLNORM_LAUNCH_H

#include "plan/variant.h"

struct clnorm__launch {
    const struct clnorm__variant *variant; /* NULL: the step is not there */
    unsigned form;                         /* CLNORM__FORM */
    unsigned dims;
    size_t global[3], local[3]; /* local[0] = 0: the driver's choice */
};

struct clnorm__plan {
    struct clnorm_shape shape;
    struct clnorm_tree low, high; /* weights of the levels within a block, and above it */
    struct clnorm_tree channels;  /* of a group of channels; of one leaf where each has its own statistics */
    struct clnorm_cut cut;
    float rm_hi, rm_lo, unbias;
    /* fused alone; or stats, finish and apply; or finish, then the coefficients, and apply. Backward perhaps without apply. */
    struct clnorm__launch fused, stats, finish, apply;
    struct clnorm__launch spread;            /* groups of channels: first, of statistics that are given */
    struct clnorm__launch roots;             /* between stats and finish, where there are several partials */
    struct clnorm__launch join;              /* alone, after the plans of all groups of samples */
    uint64_t coef_at, spread_at, partial_at; /* in the workspace, in elements */
    uint64_t spread_group;                   /* channels that have a value of what is spread together */
    uint64_t workspace;                      /* elements */
};

/* Work-items of a work-group where the kernel leaves them free. */
uint64_t clnorm__free_group(const struct clnorm__device *device);

/* CLNORM_NO_VARIANT, and in why a sentence about the step. */
int clnorm__plan_refuse(const struct clnorm__device *device, char *why, size_t size, const char *step);

#endif
