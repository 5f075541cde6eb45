/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks as programs: in binary32 in the fixed order of kernels/README.md ("Products"), which reproducible blocks give bit for
 * bit, and in float64 by the textbook, which says how near all blocks come. desc has passed clnorm_get_block_dst_size.
 */
#ifndef CLNORM_TESTS_BLOCK_MODEL_H
#define CLNORM_TESTS_BLOCK_MODEL_H

#include "clnorm_blocks.h"

/* bias may be NULL. */
void model_block_product(const clnorm_block_desc *desc, const float *src, const float *weights, const float *bias,
                         float *product);
/* From diff, the gradient of the product. */
void model_block_diff_weights(const clnorm_block_desc *desc, const float *diff, const float *src, float *diff_weights);
void model_block_diff_src(const clnorm_block_desc *desc, const float *diff, const float *weights, float *diff_src);

/* count elements; dst may be src. Without an activation there is nothing to do but to copy. */
void model_activate(clnorm_activation activation, uint64_t count, const float *src, float *dst);
void model_activate_diff(clnorm_activation activation, uint64_t count, const float *diff_dst, const float *dst,
                         float *diff_src);

/* The description of the normalization, with the block's activation. */
clnorm_desc model_block_norm(const clnorm_block_desc *desc);

struct reference_block {
    const double *src, *weights, *bias; /* bias, scale and shift may be NULL */
    const double *scale, *shift;
    const double *given_mean, *given_variance; /* NULL: the batch's */
    double *product, *dst;
    double *mean, *variance; /* may be NULL */
};
/* The whole forward pass. */
void reference_block_forward(const clnorm_block_desc *desc, const struct reference_block *args);

#endif
