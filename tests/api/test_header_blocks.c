/* SPDX-License-Identifier: Apache-2.0 */
/* The header comes first and alone: whatever it needs it must include itself. Compiled as strict C99, never run. */
#include "clnorm_blocks.h"

int test_header_blocks_c(void);

/* Uses a little of everything, so that a broken macro or initializer is met by the compiler and not by a user. */
int test_header_blocks_c(void)
{
    clnorm_block_training_args training = {0};
    clnorm_block_inference_args inference = {0};
    clnorm_block_backward_args backward = {0};
    clnorm_block_fold_args fold = {0};
    clnorm_block_desc desc = {0};

    desc.activation = CLNORM_RELU;
    desc.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    desc.type = CLNORM_FLOAT32;
    return CLNORM_NO_BLAS + (training.src.mem == NULL) + (inference.src.mem == NULL) + (backward.src.mem == NULL) +
           (fold.weights.mem == NULL) + (desc.activation.cap > 0) + (int)desc.flags;
}
