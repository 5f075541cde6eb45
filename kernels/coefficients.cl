/* SPDX-License-Identifier: Apache-2.0 */
/* From given statistics to the coefficients of the last step: forward inference, and diff_src alone with frozen ones. */
#define BACKWARD 0
#include "begin.cl"
#include "trees.cl"
#include "channel.cl"

kernel void coefficients(global float *coef, ulong channels, struct clnorm_finish finish, struct clnorm_offsets at,
                         const global float *scale, const global float *shift, const global float *mean,
                         const global float *variance)
{
    ulong c = get_global_id(0);
    if (c >= channels)
        return;
    coef += at.coef;
    float invstd = clnorm_rsqrt(variance[at.variance + c] + finish.epsilon);
    coefs_f k;
    k.hi = finish.flags & CLNORM_HAS_MEAN ? mean[at.mean + c] : 0.0f;
    k.lo = 0.0f;
    k.factor = finish.flags & CLNORM_HAS_SCALE ? mul_f(scale[at.scale + c], invstd) : invstd;
    k.shift = finish.flags & CLNORM_HAS_SHIFT ? shift[at.shift + c] : 0.0f;
    coefs_store(coef, channels, c, k);
}
