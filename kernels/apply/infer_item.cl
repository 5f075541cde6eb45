/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward inference in one launch, for CPU-like devices and few channels: a work-item takes whole rows, and makes the coefficients of
 * their channels itself.
 */
#define BACKWARD 0
#define COEF_PLACE private
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "apply/frozen.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "apply/apply_args.cl"
#include "apply/spans.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
infer_item(const global elem *src, ulong src_offset, global elem *dst, ulong dst_offset, struct clnorm_cut cut,
           struct clnorm_finish finish, struct clnorm_offsets at, FROZEN_BUFFERS EXTRA_BUFFERS VIEW_BUFFERS)
{
    float coef[4u * CLNORM_INFER_CHANNELS];
    const ulong row = get_global_id(0) * cut.rows_per_item, last = min(row + cut.rows_per_item, cut.rows);
    /* Those of the rows and of the one behind them, into which the last vector reaches. */
    ulong left = CHANNELS_LAST ? cut.channels : min(cut.channels, last - row + 1u);
    for (ulong c = CHANNELS_LAST ? 0u : row % cut.channels; left > 0u;) {
        const ulong end = min(c + min(left, (ulong)VEC), cut.channels);
        frozen_channels(coef, cut.channels, c, end, &finish, &at, FROZEN_ARGS);
        left -= end - c;
        c = end == cut.channels ? 0u : end;
    }
    src += src_offset;
    TENSORS(t, dst + dst_offset, cut.rows * cut.length);
    apply_rows(t, row, last, coef, &cut);
}
