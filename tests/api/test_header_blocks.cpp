/* SPDX-License-Identifier: Apache-2.0 */
// The header comes first and alone: whatever it needs it must include itself. Compiled as strict C++11, never run.
#include "clnorm_blocks.h"

extern "C" int test_header_blocks_cpp();

// Uses a little of everything, so that a broken macro or a missing extern "C" is met here and not by a user.
extern "C" int test_header_blocks_cpp()
{
    clnorm_block_training_args training = clnorm_block_training_args();
    clnorm_block_inference_args inference = clnorm_block_inference_args();
    clnorm_block_backward_args backward = clnorm_block_backward_args();
    clnorm_block_fold_args fold = clnorm_block_fold_args();
    clnorm_block_desc desc = clnorm_block_desc();

    desc.activation = CLNORM_RELU;
    desc.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    desc.type = CLNORM_FLOAT32;
    return CLNORM_NO_BLAS + (training.src.mem == NULL) + (inference.src.mem == NULL) + (backward.src.mem == NULL) +
           (fold.weights.mem == NULL) + (desc.activation.cap > 0) + static_cast<int>(desc.flags);
}
