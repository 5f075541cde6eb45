/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward training of channels-first tensors in one launch, for CPU-like devices: a work-item takes a few neighbouring channels
 * from the first look to the last store, so that its later looks at src find it in a cache.
 */
#define BACKWARD 0
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "lanes.cl"
#include "channel.cl"
#include "store.cl"
#include "rows.cl"

#include "leaf_item.cl"

/* The statistics' root of channel c. */
node_f reduce_channel(const global float *src, const struct clnorm_shape *shape, TREE tree, ulong c)
{
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    for (uint i = 0u; i < shape->leaves; i++)
        tree_push_f(stack, tree, 0u, i, reduce_leaf(src, shape, i, c));
    return tree_close_f(stack, tree, 0u, shape->leaves);
}

/* The last step on `count` channels from c on; meanwhile the `more` channels behind them are fetched. */
void apply_channels(const global float *src, global float *dst, const struct clnorm_shape *shape, ulong c, uint count,
                    uint more, const coefs_f *coefs, ulong stream)
{
    float run[CLNORM_RUN];
    for (ulong n = 0u; n < shape->n; n++) {
        ulong row = (n * shape->c + c) * shape->s;
        if (shape->s >= CLNORM_SHORT) {
            for (uint j = 0u; j < count; j++, row += shape->s)
                apply_row(src + row, 0, dst + row, shape->s, coefs[j], stream, src + row + (more ? shape->s : 0u), 0);
            continue;
        }
        uint s = (uint)shape->s;
        fetch_run(src + row + count * s, more * s);
        if (!stream) {
            for (uint j = 0u; j < count; j++, row += s)
                apply_short(src + row, 0, dst + row, s, coefs[j]);
            continue;
        }
        for (uint j = 0u; j < count; j++)
            apply_run(src + row + j * s, 0, run + j * s, s, coefs[j]);
        store_run(dst + row, run, count * s, stream);
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
fused_cf_item(const global float *src, ulong src_offset, global float *dst, ulong dst_offset, struct clnorm_shape shape,
              struct clnorm_tree weights, struct clnorm_cut cut, struct clnorm_finish finish, struct clnorm_offsets at,
              CHANNEL_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    coefs_f coefs[CLNORM_RUN_CHANNELS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    uint count = (uint)min(cut.chunk, end - c);
    src += src_offset;
    dst += dst_offset;
    if (shape.s < CLNORM_SHORT)
        for (ulong n = 0u; n < shape.n; n++)
            fetch_run(src + (n * shape.c + c) * shape.s, count * (uint)shape.s);
    while (c < end) {
        uint more = (uint)min(cut.chunk, end - c - count);
        for (uint j = 0u; j < count; j++) {
            if (shape.s < CLNORM_SHORT && !cut.stream)
                for (ulong n = j; n < shape.n; n += count)
                    fetch_stores(dst + (n * shape.c + c) * shape.s, count * (uint)shape.s);
            coefs[j] = finish_channel(reduce_channel(src, &shape, &tree, c + j), c + j, &finish, &at, CHANNEL_ARGS);
        }
        apply_channels(src, dst, &shape, c, count, more, coefs, cut.stream);
        c += count;
        count = more;
    }
}
