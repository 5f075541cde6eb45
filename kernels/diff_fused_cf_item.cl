/* SPDX-License-Identifier: Apache-2.0 */
/* Backward training of channels-first tensors in one launch, for CPU-like devices: see fused_cf_item.cl. */
#define BACKWARD 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "lanes.cl"
#include "store.cl"
#include "diff_leaf.cl"
#include "diff_leaf_item.cl"
#include "channel.cl"
#include "rows.cl"

/* The last step on `count` channels from c on; meanwhile the `more` channels behind them are fetched. */
void apply_channels(const global float *src, const global float *diff_dst, global float *diff_src,
                    const struct clnorm_shape *shape, ulong c, uint count, uint more, const coefs_f *coefs,
                    ulong stream)
{
    float run[CLNORM_RUN];
    for (ulong n = 0u; n < shape->n; n++) {
        ulong row = (n * shape->c + c) * shape->s, ahead = more ? shape->s : 0u;
        if (shape->s >= CLNORM_SHORT) {
            for (uint j = 0u; j < count; j++, row += shape->s)
                apply_row(src + row, diff_dst + row, diff_src + row, shape->s, coefs[j], stream, src + row + ahead,
                          diff_dst + row + ahead);
            continue;
        }
        uint s = (uint)shape->s;
        fetch_run(src + row + count * s, more * s);
        fetch_run(diff_dst + row + count * s, more * s);
        if (!stream) {
            for (uint j = 0u; j < count; j++, row += s)
                apply_short(src + row, diff_dst + row, diff_src + row, s, coefs[j]);
            continue;
        }
        for (uint j = 0u; j < count; j++)
            apply_run(src + row + j * s, diff_dst + row + j * s, run + j * s, s, coefs[j]);
        store_run(diff_src + row, run, count * s, stream);
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
diff_fused_cf_item(const global float *src, ulong src_offset, const global float *diff_dst, ulong diff_dst_offset,
                   global float *diff_src, ulong diff_src_offset, struct clnorm_shape shape, struct clnorm_cut cut,
                   struct clnorm_finish finish, struct clnorm_offsets at, CHANNEL_BUFFERS)
{
    coefs_f coefs[CLNORM_RUN_CHANNELS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    uint count = (uint)min(cut.chunk, end - c);
    src += src_offset;
    diff_dst += diff_dst_offset;
    diff_src += diff_src_offset;
    if (shape.s < CLNORM_SHORT)
        for (ulong n = 0u; n < shape.n; n++) {
            fetch_run(src + (n * shape.c + c) * shape.s, count * (uint)shape.s);
            fetch_run(diff_dst + (n * shape.c + c) * shape.s, count * (uint)shape.s);
        }
    while (c < end) {
        uint more = (uint)min(cut.chunk, end - c - count);
        for (uint j = 0u; j < count; j++) {
            if (shape.s < CLNORM_SHORT && !cut.stream)
                for (ulong n = j; n < shape.n; n += count)
                    fetch_stores(diff_src + (n * shape.c + c) * shape.s, count * (uint)shape.s);
            item_f stack[CLNORM_TREE_LEVELS + 1u];
            struct centre k = FUSED_CENTRE(c + j);
            for (uint i = 0u; i < shape.leaves; i++)
                tree_push_f(stack, NO_TREE, 0u, i, diff_leaf(src, diff_dst, &shape, i, c + j, k));
            item_f root = tree_close_f(stack, NO_TREE, 0u, shape.leaves);
            coefs[j] = finish_channel(root, c + j, &finish, &at, CHANNEL_ARGS);
        }
        apply_channels(src, diff_dst, diff_src, &shape, c, count, more, coefs, cut.stream);
        c += count;
        count = more;
    }
}
