/* SPDX-License-Identifier: Apache-2.0 */
/* The header comes first and alone: whatever it needs it must include itself. Compiled as strict C99, never run. */
#include "clnorm.h"

int test_header_c(void);

/* Uses a little of everything, so that a broken macro or initializer is met by the compiler and not by a user. */
int test_header_c(void)
{
    clnorm_context_options options = {0};
    clnorm_forward_training_args training = {0};
    clnorm_forward_inference_args inference = {0};
    clnorm_backward_training_args backward = {0};
    clnorm_backward_frozen_args frozen = {0};
    clnorm_desc desc = {0};
    clnorm_device_info info;

    info.bits = CLNORM_BITS_SAME;
    desc.layout = CLNORM_CHANNELS_LAST;
    desc.type = CLNORM_BFLOAT16;
    desc.activation = CLNORM_LEAKY_RELU(0.01f);
    desc.activation = CLNORM_IDENTITY;
    backward.accumulate = CLNORM_ACCUMULATE_DIFF_SRC | CLNORM_ACCUMULATE_DIFF_SCALE;
    training.running_flags = CLNORM_RUNNING_BIASED;
    return CLNORM_SUCCESS + (options.log == NULL) + (training.src.mem == NULL) + (inference.src.mem == NULL) +
           (backward.src.mem == NULL) + (frozen.src.mem == NULL) + (training.mask.mem == NULL) + (int)desc.layout +
           (int)info.bits + (int)clnorm_type_bytes(desc.type);
}
