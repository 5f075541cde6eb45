/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the conformance run: inputs, and what the model and float64 make of them. No device. */
#ifndef CLNORM_CLI_CHECK_CASE_H
#define CLNORM_CLI_CHECK_CASE_H

#include "cases.h"
#include "clnorm.h"
#include "cli/form.h"

/* Every array that an operation writes. */
enum check_result {
    RESULT_DST,
    RESULT_RUNNING_MEAN,
    RESULT_RUNNING_VARIANCE,
    RESULT_SAVE_MEAN,
    RESULT_SAVE_MEAN_LOW,
    RESULT_SAVE_INVSTD,
    RESULT_SAVE_VARIANCE,
    RESULT_INFERENCE_DST,
    RESULT_DIFF_SRC,
    RESULT_DIFF_SCALE,
    RESULT_DIFF_SHIFT,
    RESULT_FROZEN_DIFF_SRC,
    RESULT_FROZEN_DIFF_SCALE,
    RESULT_FROZEN_DIFF_SHIFT,
    RESULT_MASK,          /* an activation's */
    RESULT_DIFF_RESIDUAL, /* where there is a residual */
    RESULT_FROZEN_DIFF_RESIDUAL,
    RESULT_COUNT
};

enum check_extent { EXTENT_TENSOR, EXTENT_CHANNELS, EXTENT_MASK /* words, no numbers */ };

struct check_result_row {
    const char *name;
    enum clnorm_operation operation;
    enum check_extent extent;
    int is_measured; /* against float64 as well */
};

extern const struct check_result_row check_result_rows[RESULT_COUNT];

const char *check_operation_name(enum clnorm_operation operation);

/*
 * Errors are measured in units (check_case.unit); these are what the outputs and the gradients may be off. The rounding to a type of 16
 * bits is no error.
 */
#define CHECK_BOUND_DST 4e-7
#define CHECK_BOUND_GRADIENT 1e-6

struct check_case {
    struct case_shape shape;
    enum case_data kind;
    clnorm_desc desc;
    size_t tensor_count, vector_count;
    int has_residual, is_finite;

    float *src, *diff_dst; /* inputs of every operation; tensors hold numbers of their type */
    float *residual;       /* or NULL */
    float *scale, *shift;
    float *running_mean, *running_variance; /* what forward training starts from */
    float *mean, *variance;                 /* what inference and frozen statistics are given */
    float momentum;

    float *model[RESULT_COUNT];
    /* What is measured has both: float64's value, and the size of the terms that made it. The others have NULL. */
    double *exact[RESULT_COUNT], *unit[RESULT_COUNT];
    uint32_t *
        mask; /* the model's, or NULL; backward with batch statistics reads it, that with frozen ones inference's dst */
    void *blocks[80]; /* everything above, for freeing */
    unsigned block_count;
};

/* Number of values of a result; 0 where the form has no such result. */
size_t check_case_count(const struct check_case *one, enum check_result result);

/* Returns 0, or -1 when out of memory; the case is to be freed in either event. */
int check_case_make(struct check_case *one, const struct case_shape *shape, enum case_data kind,
                    const struct call_form *form);
void check_case_free(struct check_case *one);

#endif
