/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all groups of samples have in common, group after group in rising order: forward, running statistics take their means and variances;
 * BACKWARD, gradients of scale and shift are sums of theirs. A work-item a channel.
 */
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/finish.cl"

#if BACKWARD
/* parts: `groups` vectors of c floats each. */
FUNC float join_sum(const global float *parts, ulong channels, ulong groups, int is_added, float old)
{
    float sum = is_added ? old + parts[0] : parts[0];
    for (ulong q = 1u; q < groups; q++)
        sum += parts[q * channels];
    return sum;
}

kernel void join_groups(const global float *scale_parts, ulong scale_parts_at, const global float *shift_parts,
                        ulong shift_parts_at, global float *diff_scale, ulong diff_scale_at, global float *diff_shift,
                        ulong diff_shift_at, ulong channels, ulong groups, uint flags)
{
    const ulong c = get_global_id(0);
    if (c >= channels)
        return;
    if (flags & CLNORM_HAS_DIFF_SCALE) {
        diff_scale += diff_scale_at + c;
        *diff_scale = join_sum(scale_parts + scale_parts_at + c, channels, groups, flags & CLNORM_ADD_DIFF_SCALE,
                               flags & CLNORM_ADD_DIFF_SCALE ? *diff_scale : 0.0f);
    }
    if (flags & CLNORM_HAS_DIFF_SHIFT) {
        diff_shift += diff_shift_at + c;
        *diff_shift = join_sum(shift_parts + shift_parts_at + c, channels, groups, flags & CLNORM_ADD_DIFF_SHIFT,
                               flags & CLNORM_ADD_DIFF_SHIFT ? *diff_shift : 0.0f);
    }
}
#else
/* last_factor: that of the last group, which may have fewer samples. */
kernel void join_groups(const global float *mean, ulong mean_at, const global float *variance, ulong variance_at,
                        global float *running_mean, ulong running_mean_at, global float *running_variance,
                        ulong running_variance_at, ulong channels, ulong groups, uint flags, float momentum,
                        float factor, float last_factor)
{
    const ulong c = get_global_id(0);
    if (c >= channels)
        return;
    mean += mean_at + c;
    variance += variance_at + c;
    running_mean += running_mean_at + c;
    running_variance += running_variance_at + c;
    if (flags & CLNORM_HAS_RUNNING_MEAN) {
        float r = *running_mean;
        for (ulong q = 0u; q < groups; q++)
            r = clnorm_running(r, mean[q * channels], momentum);
        *running_mean = r;
    }
    if (flags & CLNORM_HAS_RUNNING_VARIANCE) {
        float r = *running_variance;
        for (ulong q = 0u; q < groups; q++) {
            const float f = q + 1u == groups ? last_factor : factor;
            r = clnorm_running(r, mul_f(variance[q * channels], f), momentum);
        }
        *running_variance = r;
    }
}
#endif
