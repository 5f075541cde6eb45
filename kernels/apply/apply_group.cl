/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step for GPU-like devices: neighbours along a row, so that loads and stores coalesce; a work-item keeps its
 * channel, and so its coefficients, as long as it can.
 */
#include "common/begin.cl"
#include "common/coef.cl"
#include "common/extras.cl"
#define APPLY_GROUP get_global_id(2) /* the second dimension is rows */
#define APPLY_GROUPS get_global_size(2)
#include "apply/apply_args.cl"

kernel void apply_group(APPLY_BUFFERS)
{
    APPLY_BEGIN(t);
#if CHANNELS_LAST
    ulong c = get_global_id(0);
    if (c >= cut.length)
        return;
    coefs_f k = coefs_load_f(coef, cut.channels * APPLY_GROUPS, c);
    for (ulong row = get_global_id(1); row < cut.rows; row += get_global_size(1)) {
        const struct tensors there = tensors_at(t, ROW_PLACE(row, &cut));
        leave_f(there, c, step_f(there, c, k));
    }
#else
    for (ulong row = get_global_id(1); row < cut.rows; row += get_global_size(1)) {
        coefs_f k = coefs_load_f(coef, cut.channels * APPLY_GROUPS, row % cut.channels);
        const struct tensors there = tensors_at(t, ROW_PLACE(row, &cut));
        for (ulong i = get_global_id(0); i < cut.length; i += get_global_size(0))
            leave_f(there, i, step_f(there, i, k));
    }
#endif
}
