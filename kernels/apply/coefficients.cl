/* SPDX-License-Identifier: Apache-2.0 */
/* From given statistics to the coefficients of the last step: forward inference, and diff_src alone with frozen ones. */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"

kernel void coefficients(global float *coef, ulong coef_offset, ulong channels, struct clnorm_finish finish,
                         struct clnorm_offsets at, const global float *scale, const global float *shift,
                         const global float *mean, const global float *variance)
{
    ulong c = get_global_id(0);
    if (c >= channels)
        return;
    coefs_store_f(coef + coef_offset, channels, c, frozen_coefs(c, &finish, &at, scale, shift, mean, variance));
}
