/* SPDX-License-Identifier: Apache-2.0 */
/* coefficients.cl for CPU-like devices: a work-item a vector of neighbouring channels, or the fewer at the end. */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
coefficients_item(global float *coef, ulong channels, struct clnorm_finish finish, struct clnorm_offsets at,
                  const global float *scale, const global float *shift, const global float *mean,
                  const global float *variance)
{
    ulong c = get_global_id(0) * VEC, end = min(c + VEC, channels);
    coef += at.coef;
    if (end - c == FINISH_VEC) {
        vec t = VEC_LOAD(global, variance + at.variance + c) + (vec)(finish.epsilon);
        if (is_normal_v(t)) {
            vec invstd = rsqrt_v(t), zero = (vec)(0.0f);
            coefs_v k;
            k.hi = finish.flags & CLNORM_HAS_MEAN ? VEC_LOAD(global, mean + at.mean + c) : zero;
            k.lo = zero;
            k.factor = finish.flags & CLNORM_HAS_SCALE ? mul_v(VEC_LOAD(global, scale + at.scale + c), invstd) : invstd;
            k.shift = finish.flags & CLNORM_HAS_SHIFT ? VEC_LOAD(global, shift + at.shift + c) : zero;
            coefs_store_v(coef, channels, c, k);
            return;
        }
    }
    for (; c < end; c++)
        coefs_store_f(coef, channels, c, frozen_coefs(c, &finish, &at, scale, shift, mean, variance));
}
