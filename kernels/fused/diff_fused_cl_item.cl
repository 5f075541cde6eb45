/* SPDX-License-Identifier: Apache-2.0 */
/* Backward training of channels-last tensors in one launch, for CPU-like devices: see fused_cl_item.cl. */
#define BACKWARD 1
#define CHANNELS_LAST 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "statistics/tile.cl"
#include "statistics/diff_columns_item.cl"
#include "apply/apply_args.cl"
#include "apply/columns_apply.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
diff_fused_cl_item(const global elem *src, ulong src_offset, const global elem *diff_dst, ulong diff_dst_offset,
                   global elem *diff_src, ulong diff_src_offset, struct clnorm_shape shape, struct clnorm_cut cut,
                   struct clnorm_finish finish, struct clnorm_offsets offsets,
                   CHANNEL_BUFFERS EXTRA_BUFFERS VIEW_BUFFERS)
{
    item_v roots[CLNORM_COLUMNS];
    coefs_v coefs[CLNORM_COLUMNS];
    struct centre_v centre[CLNORM_COLUMNS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    src += src_offset;
    diff_dst += diff_dst_offset;
    TENSORS(first, diff_src + diff_src_offset, SHAPE_ELEMENTS(shape) * SAMPLE_GROUPS);
    const struct tensors t = tensors_at(first, SAMPLE_GROUP * SHAPE_PLACE(shape));
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    int stream = cut.stream && ROW_PITCH(t.dst, shape.c) % VEC == 0u && until_aligned(DST_ON(t.dst, 0), VEC) == 0u;
    while (c < end) {
        const uint left = (uint)min(cut.chunk, end - c), channels = left < VEC ? left : left / VEC * VEC;
        CENTRES(centre, c, channels, FUSED_CENTRE);
        diff_block(t.src, t.diff_dst, &shape, 0u, shape.leaves, c, channels, centre, roots);
        for (uint v = 0u; v * VEC < channels; v++)
            coefs[v] =
                finish_channels(&roots[v], c + v * VEC, min(channels - v * VEC, (uint)VEC), &finish, &at, CHANNEL_ARGS);
        apply_columns(tensors_at(t, c), &shape, channels, coefs, stream);
        c += channels;
    }
}
