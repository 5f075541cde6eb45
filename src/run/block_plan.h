/* SPDX-License-Identifier: Apache-2.0 */
/* The products that a block takes, and what stands where in its workspace. */
#ifndef CLNORM_BLOCK_PLAN_H
#define CLNORM_BLOCK_PLAN_H

#include "run/blas.h"
#include "plan/block_check.h"
#include "plan/parts.h"

struct clnorm__block_plan {
    struct clnorm__geometry g;
    int reproducible, plain, is_active;
    enum clnorm_type type;           /* of src, product, dst and their gradients */
    const struct clnorm__part *part; /* of a batch in parts, in chunks; else NULL */
    int in_place; /* products stand as n x channels x positions, or src does: nothing is moved to the workspace and back */
    /* Parts of the workspace, in elements from its start; sizes of 0 where there is none. */
    uint64_t temp_at,
        temp;            /* CLBlast's, with room to move it to an address that OpenCL lets a buffer's part start at */
    uint64_t norm_at;    /* the normalization's */
    uint64_t diff_at;    /* backward: the gradient of the product, dst_count, of the type */
    uint64_t sum_at;     /* of other types than binary32: channels, what a sum has for the variance */
    uint64_t columns_at; /* a group's columns: terms x samples x positions; of the type, but their gradients */
    uint64_t chunk;      /* samples whose share of a weight's gradient is one chain of sums; 0: of all */
    uint64_t
        chunks_at; /* backward, where there are several: `slots` weights' gradients, the last block_chunks of them of chunks */
    uint64_t slots, block_chunks;
    uint64_t rows_at;   /* where not in place, its products: channels x samples x positions */
    uint64_t workspace; /* elements in all */
};

/* The normalization of the block's product. */
clnorm_desc clnorm__block_norm(const struct clnorm__block_plan *plan, const clnorm_block_desc *desc);

/* A part of the workspace as a tensor of the type: its offset counts elements of that. */
clnorm_buffer clnorm__block_tensor(const struct clnorm__block_plan *plan, clnorm_buffer workspace, uint64_t at);

/* Products of a forward pass, of the gradient of the weights, and of the gradient of src, over `samples` samples. */
enum clnorm__pass { CLNORM__PASS_FORWARD, CLNORM__PASS_WEIGHTS, CLNORM__PASS_SRC };
struct clnorm__product clnorm__block_product(const struct clnorm__block_plan *plan, enum clnorm__pass pass,
                                             uint64_t samples);

/* desc has passed its check into plan->g. queue: of the context's device; NULL: one is made for the time of the call. */
int clnorm__block_plan_make(clnorm_context *context, cl_command_queue queue, enum clnorm_operation operation,
                            const clnorm_block_desc *desc, struct clnorm__block_plan *plan, char why[CLNORM__WHY]);

#endif
