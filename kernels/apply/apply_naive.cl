/* SPDX-License-Identifier: Apache-2.0 */
/* The last step, one element a work-item. Fits anything. */
#include "common/begin.cl"
#include "common/coef.cl"
#include "common/extras.cl"
#include "apply/apply_args.cl"

kernel void apply_naive(APPLY_BUFFERS)
{
    APPLY_BEGIN(t);
    ulong i = get_global_id(0);
    if (i >= cut.rows * cut.length)
        return;
#if CHANNELS_LAST
    ulong c = i % cut.length;
#else
    ulong c = i / cut.length % cut.channels;
#endif
    leave_f(t, i, step_f(t, i, coefs_load_f(coef, cut.channels * APPLY_GROUPS, c)));
}
