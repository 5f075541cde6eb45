/* SPDX-License-Identifier: Apache-2.0 */
/* From a description and the facts of a device to what is launched. Pure: no OpenCL call. */
#ifndef CLNORM_PLAN_H
#define CLNORM_PLAN_H

#include "plan/variant.h"

/* What a call asks for. */
struct clnorm__ask {
    enum clnorm_operation operation;
    int sums;  /* backward: diff_scale or diff_shift, or diff_src through batch statistics */
    int apply; /* dst, or diff_src */
};

struct clnorm__launch {
    const struct clnorm__variant *variant; /* NULL: the step is not there */
    unsigned form;                         /* CLNORM__FORM */
    unsigned dims;
    size_t global[2], local[2]; /* local[0] = 0: the driver's choice */
};

struct clnorm__plan {
    struct clnorm_shape shape;
    struct clnorm_tree low, high; /* weights of the levels within a block, and above it */
    struct clnorm_cut cut;
    float rm_hi, rm_lo, unbias;
    /* fused alone; or stats, finish and apply; or finish, then the coefficients, and apply. Backward perhaps without apply. */
    struct clnorm__launch fused, stats, finish, apply;
    uint64_t coef_at, partial_at; /* in the workspace, in elements */
    uint64_t workspace;           /* elements */
};

/*
 * desc has passed clnorm__check_desc and n > 0. Returns CLNORM_SUCCESS, or CLNORM_NO_VARIANT or CLNORM_SIZE_OVERFLOW with
 * the reason in why.
 */
int clnorm__plan_make(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

/* For tests: whether the description is computed as channels-last, which s = 1 always is. */
int clnorm__is_last(const clnorm_desc *desc);

#endif
