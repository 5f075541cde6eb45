/* SPDX-License-Identifier: Apache-2.0 */
/* What a block's description means, and the sentence that says why one is not legal. Pure: no OpenCL call. */
#ifndef CLNORM_BLOCK_CHECK_H
#define CLNORM_BLOCK_CHECK_H

#include "plan/check.h"
#include "clnorm_blocks.h"

struct clnorm__geometry {
    uint64_t n, channels; /* samples, output channels */
    uint64_t terms;       /* of one element of the product: weights an output channel */
    uint64_t dst_h, dst_w;
    uint64_t positions;    /* dst_h * dst_w */
    uint64_t src_elements; /* of one sample */
    uint64_t src_count, weights_count, dst_count;
    int dense;      /* one product does it: a kernel as large as the image sees all of it once */
    int direct;     /* a 1 x 1 kernel that sees each position once: the image is its own columns */
    uint64_t group; /* samples that a product takes, and whose columns are in the workspace at a time; 0 where dense */
};

/* geometry may be NULL. */
int clnorm__check_block_desc(const clnorm_block_desc *desc, struct clnorm__geometry *geometry, char why[CLNORM__WHY]);

#endif
