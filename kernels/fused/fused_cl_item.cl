/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward training of channels-last tensors in one launch, for CPU-like devices: a work-item takes a few neighbouring channels
 * from the first look to the last store, so that its later looks at src find it in a cache.
 */
#define BACKWARD 0
#define CHANNELS_LAST 1
#define KEEP_COLUMNS 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "statistics/tile.cl"
#include "statistics/columns_item.cl"
#include "common/extras.cl"
#include "apply/apply_args.cl"
#include "apply/columns_apply.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
fused_cl_item(const global elem *src, ulong src_offset, global elem *dst, ulong dst_offset, struct clnorm_shape shape,
              struct clnorm_tree weights, struct clnorm_cut cut, struct clnorm_finish finish,
              struct clnorm_offsets offsets, CHANNEL_BUFFERS EXTRA_BUFFERS VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    item_v roots[CLNORM_COLUMNS];
    coefs_v coefs[CLNORM_COLUMNS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    src += src_offset;
    TENSORS(first, dst + dst_offset, SHAPE_ELEMENTS(shape) * SAMPLE_GROUPS);
    const struct tensors t = tensors_at(first, SAMPLE_GROUP * SHAPE_PLACE(shape));
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    int stream = cut.stream && ROW_PITCH(t.dst, shape.c) % VEC == 0u && until_aligned(DST_ON(t.dst, 0), VEC) == 0u;
    while (c < end) {
        const uint left = (uint)min(cut.chunk, end - c), channels = left < VEC ? left : left / VEC * VEC;
        reduce_block(t.src, &shape, &tree, 0u, shape.leaves, c, channels, roots);
        for (uint v = 0u; v * VEC < channels; v++)
            coefs[v] =
                finish_channels(&roots[v], c + v * VEC, min(channels - v * VEC, (uint)VEC), &finish, &at, CHANNEL_ARGS);
        apply_columns(tensors_at(t, c), &shape, channels, coefs, stream);
        c += channels;
    }
}
