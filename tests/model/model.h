/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numerical contract as a program: the scalar C model. It computes, in plain loops, exactly the bits that every kernel
 * variant must give (kernels/README.md). Any pointer that clnorm.h calls optional may be NULL; sizes and meanings are those
 * of clnorm.h. dst may be src or residual; diff_src may be diff_dst or src, diff_residual diff_dst.
 * Batch statistics are vectors of c, or of one for each group of channels, for each group of samples.
 * Tensors are arrays of binary32 whatever their type: inputs hold numbers of the type, results are rounded to it.
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
    const float *residual;
    uint32_t *mask;
};
int model_forward_training(const clnorm_desc *desc, const struct model_forward *args);

struct model_inference {
    const float *src;
    float *dst;
    const float *scale, *shift, *mean, *variance;
    const float *residual;
};
int model_forward_inference(const clnorm_desc *desc, const struct model_inference *args);

struct model_backward {
    const float *src, *diff_dst, *scale;
    const float *mean, *mean_low, *invstd; /* as forward training saved them */
    const float *variance;                 /* frozen statistics only, with mean */
    float *diff_src, *diff_scale, *diff_shift;
    const uint32_t *mask;
    const float *dst; /* of the forward pass */
    float *diff_residual;
    unsigned accumulate;
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
    const float *residual;
};
int reference_forward_training(const clnorm_desc *desc, const struct reference_forward *args);

struct reference_backward {
    const float *src, *diff_dst, *scale;
    const double *mean, *variance; /* batch statistics, or the frozen ones */
    int frozen;
    double *diff_src, *diff_scale, *diff_shift;
    const float *dst; /* of the forward pass: with an activation the gradient is decided by it */
    double *diff_residual;
};
int reference_backward(const clnorm_desc *desc, const struct reference_backward *args);

#endif
