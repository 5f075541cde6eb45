/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numerical contract as a program: the scalar C model. It computes, in plain loops, exactly the bits that every kernel
 * variant must give (kernels/README.md). Any pointer that clnorm.h calls optional may be NULL; sizes and meanings are those
 * of clnorm.h. dst may be src; diff_src may be diff_dst or src.
 * Returns 0, or -1 when it runs out of memory.
 */
#ifndef CLNORM_TESTS_MODEL_H
#define CLNORM_TESTS_MODEL_H

#include "clnorm.h"

struct model_forward {
    const float *src;
    float *dst;
    const float *scale, *shift;
    float *running_mean, *running_variance;
    float *save_mean, *save_mean_low, *save_invstd, *save_variance;
    float momentum;
    unsigned running_flags;
};
int model_forward_training(const clnorm_desc *desc, const struct model_forward *args);

/* mean and variance are given. */
int model_forward_inference(const clnorm_desc *desc, const float *src, float *dst, const float *scale,
                            const float *shift, const float *mean, const float *variance);

struct model_backward {
    const float *src, *diff_dst, *scale;
    const float *mean, *mean_low, *invstd; /* as forward training saved them */
    const float *variance;                 /* frozen statistics only, with mean */
    float *diff_src, *diff_scale, *diff_shift;
};
int model_backward_training(const clnorm_desc *desc, const struct model_backward *args);
int model_backward_frozen(const clnorm_desc *desc, const struct model_backward *args);

/*
 * The same operations in float64 by the textbook's two-pass formulas: what the model is measured against. Outputs are
 * doubles; mean and variance are computed here.
 */
struct reference_forward {
    const float *src, *scale, *shift;
    double *dst, *mean, *variance;
};
int reference_forward_training(const clnorm_desc *desc, const struct reference_forward *args);

struct reference_backward {
    const float *src, *diff_dst, *scale;
    const double *mean, *variance; /* batch statistics, or the frozen ones */
    int frozen;
    double *diff_src, *diff_scale, *diff_shift;
};
int reference_backward(const clnorm_desc *desc, const struct reference_backward *args);

#endif
