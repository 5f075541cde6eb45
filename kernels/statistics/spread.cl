/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of channels: statistics that a call is given for each group, written out for each channel. `to` has three vectors of all groups of
 * samples' channels: mean, mean_low, and the deviation or variance. A work-item a channel.
 */
#include "common/begin.cl"

kernel void spread(const global float *mean, ulong mean_at, const global float *mean_low, ulong mean_low_at,
                   const global float *deviation, ulong deviation_at, global float *to, ulong to_at, ulong channels,
                   ulong group, uint flags)
{
    const ulong c = get_global_id(0), all = channels * SAMPLE_GROUPS;
    if (c >= channels)
        return;
    const ulong from = SAMPLE_GROUP * (channels / group) + c / group;
    to += to_at + SAMPLE_GROUP * channels + c;
    if (flags & CLNORM_HAS_MEAN)
        to[0] = mean[mean_at + from];
    if (flags & CLNORM_HAS_SAVE_MEAN_LOW)
        to[all] = mean_low[mean_low_at + from];
    to[2u * all] = deviation[deviation_at + from];
}
