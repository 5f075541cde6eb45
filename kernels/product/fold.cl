/* SPDX-License-Identifier: Apache-2.0 */
/* The normalization by given statistics, folded into weights and bias: a work-item an output channel. */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"
#include "product/block_types.cl"

/* Weights are of a tensor's type, all else is binary32. folded_weights may be weights, and folded_bias bias. */
kernel void fold(const global elem *weights, global elem *folded_weights, const global float *bias,
                 global float *folded_bias, const global float *scale, const global float *shift,
                 const global float *mean, const global float *variance, struct clnorm_fold f)
{
    ulong c = get_global_id(0);
    if (c >= f.channels)
        return;
    float factor = clnorm_rsqrt(variance[f.variance_at + c] + f.epsilon);
    if (f.flags & CLNORM_HAS_SCALE)
        factor = mul_f(scale[f.scale_at + c], factor);
    weights += f.weights_at + c * f.length;
    folded_weights += f.folded_weights_at + c * f.length;
    for (ulong i = 0u; i < f.length; i++)
        PUT(mul_f(GET(weights + i), factor), folded_weights + i);
    float b = f.flags & CLNORM_FOLD_HAS_BIAS ? bias[f.bias_at + c] : 0.0f;
    float move = f.flags & CLNORM_HAS_SHIFT ? shift[f.shift_at + c] : 0.0f;
    folded_bias[f.folded_bias_at + c] = fma(b - mean[f.mean_at + c], factor, move);
}
