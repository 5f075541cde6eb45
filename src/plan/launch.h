/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan holds, and what the parts that fill it in have in common. Pure: no OpenCL call. */
#ifndef CLNORM_LAUNCH_H
#define CLNORM_LAUNCH_H

#include "plan/parts.h"
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
    struct clnorm__launch spread; /* groups of channels: first, of statistics that are given */
    struct clnorm__launch roots;  /* between stats and finish, where there are several partials */
    struct clnorm__launch join;   /* alone, after the plans of all groups of samples */
    /* A batch in parts: nodes after stats, and that is all; merge alone, before the plan of finish and apply. */
    struct clnorm__launch nodes, merge;
    struct clnorm__part part; /* nodes: which of them */
    struct clnorm_schedule schedule;
    uint64_t coef_at, spread_at, partial_at; /* in the workspace, in elements */
    uint64_t spread_group;                   /* channels that have a value of what is spread together */
    uint64_t workspace;                      /* elements */
};

/* What a call asks for. */
struct clnorm__ask {
    enum clnorm_operation operation;
    int sums;        /* backward: diff_scale or diff_shift, or diff_src through batch statistics */
    int apply;       /* dst, or diff_src */
    unsigned extras; /* CLNORM__HAS_ bits of the last step, but for the activation, which the description tells of */
    uint64_t groups; /* of samples, each of as many as the description has; 0 counts as 1 */
    /*
     * A batch in parts, whose description is a part's: the first call's part; or the samples of the whole batch in the second, whose
     * description may have none, and how deep a stack merges of nodes need.
     */
    const struct clnorm__part *part;
    uint64_t batch;
    unsigned stack;
};

static inline int clnorm__is_backward(const struct clnorm__ask *ask)
{
    return ask->operation == CLNORM_BACKWARD_TRAINING || ask->operation == CLNORM_BACKWARD_FROZEN;
}

/* Work-items of a work-group where the kernel leaves them free. */
uint64_t clnorm__free_group(const struct clnorm__device *device);

/* CLNORM_NO_VARIANT, and in why a sentence about the step. */
int clnorm__plan_refuse(const struct clnorm__device *device, char *why, size_t size, const char *step);

#endif
