/* SPDX-License-Identifier: Apache-2.0 */
/* coefficients.cl for CPU-like devices: a work-item a vector of neighbouring channels, or the fewer at the end. */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "apply/frozen.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void coefficients_item(global float *coef, ulong coef_offset,
                                                                             ulong channels,
                                                                             struct clnorm_finish finish,
                                                                             struct clnorm_offsets at, FROZEN_BUFFERS)
{
    ulong c = get_global_id(0) * VEC;
    frozen_channels(coef + coef_offset, channels, c, min(c + VEC, channels), &finish, &at, FROZEN_ARGS);
}
