/* SPDX-License-Identifier: Apache-2.0 */
// The header comes first and alone: whatever it needs it must include itself. Compiled as strict C++11, never run.
#include "clnorm.h"

extern "C" int test_header_cpp();

// Uses a little of everything, so that a broken macro or a missing extern "C" is met here and not by a user.
extern "C" int test_header_cpp()
{
    clnorm_context_options options = clnorm_context_options();
    clnorm_forward_training_args training = clnorm_forward_training_args();
    clnorm_forward_inference_args inference = clnorm_forward_inference_args();
    clnorm_backward_training_args backward = clnorm_backward_training_args();
    clnorm_backward_frozen_args frozen = clnorm_backward_frozen_args();
    clnorm_desc desc = clnorm_desc();
    clnorm_device_info info;

    info.bits = CLNORM_BITS_SAME;
    desc.layout = CLNORM_CHANNELS_LAST;
    desc.type = CLNORM_BFLOAT16;
    desc.activation = CLNORM_LEAKY_RELU(0.01f);
    desc.activation = CLNORM_IDENTITY;
    backward.accumulate = CLNORM_ACCUMULATE_DIFF_SRC | CLNORM_ACCUMULATE_DIFF_SCALE;
    training.running_flags = CLNORM_RUNNING_BIASED;
    return CLNORM_SUCCESS + (options.log == NULL) + (training.src.mem == NULL) + (inference.src.mem == NULL) +
           (backward.src.mem == NULL) + (frozen.src.mem == NULL) + static_cast<int>(desc.layout) +
           static_cast<int>(info.bits) + static_cast<int>(clnorm_type_bytes(desc.type)) + (training.mask.mem == NULL);
}
