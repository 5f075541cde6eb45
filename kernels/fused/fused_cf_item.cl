/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward training of channels-first tensors in one launch, for CPU-like devices: a work-item takes a few neighbouring channels
 * from the first look to the last store, so that its later looks at src find it in a cache.
 */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "statistics/lanes.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "common/extras.cl"
#include "apply/apply_args.cl"
#include "apply/rows.cl"
#include "fused/groups.cl"
#include "statistics/leaf_item.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
fused_cf_item(const global elem *src, ulong src_offset, global elem *dst, ulong dst_offset, struct clnorm_shape shape,
              struct clnorm_tree weights, struct clnorm_cut cut, struct clnorm_finish finish,
              struct clnorm_offsets offsets, CHANNEL_BUFFERS EXTRA_BUFFERS VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    item_v stack[GROUP_VECS][CLNORM_TREE_LEVELS + 1u], nodes[GROUP_VECS], roots[GROUP_VECS];
    item_f item; /* outside loops, see README.md */
    vec runs[RUN_FLOATS / VEC];
    float *run = (float *)runs;
    struct group before;
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    src += src_offset;
    TENSORS(first, dst + dst_offset, SHAPE_ELEMENTS(shape) * SAMPLE_GROUPS);
    const struct tensors t = tensors_at(first, SAMPLE_GROUP * SHAPE_PLACE(shape));
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    before.n = shape.n;
    before.count = 0u;
    group_fetch(t.src, &shape, c, min((1u + cut.overlap) * cut.chunk, end - c));
    for (;;) {
        const uint count = (uint)min(cut.chunk, end - c), vecs = (count + VEC - 1u) / VEC, per_leaf = max(count, 1u);
        const ulong ahead = group_ahead(&before, &shape, &cut, count, c + count < end);
        uint step = 0u;
        for (uint i = 0u; i < shape.leaves; i++) {
            for (uint j = 0u; j < per_leaf; j++) {
                if (count > 0u) {
                    SRC_IN next = SRC_AT(t.src, j + 1u < count ? leaf_start(&shape, i, c + j + 1u)
                                                               : leaf_start(&shape, min(i + 1u, shape.leaves - 1u), c));
                    item = reduce_leaf(t.src, &shape, i, c + j, end, next);
                    item_put(&nodes[j / VEC], j % VEC, item);
                }
                step++;
                group_apply(t, &shape, &before, cut.overlap ? shape.n * step / (shape.leaves * per_leaf) : shape.n, run,
                            cut.stream, ahead);
            }
            for (uint v = 0u; v < vecs; v++)
                tree_push_v(stack[v], &tree, 0u, i, nodes[v]);
        }
        if (count == 0u)
            return;
        for (uint v = 0u; v < vecs; v++)
            roots[v] = tree_close_v(stack[v], &tree, 0u, shape.leaves);
        group_finish(&before, run, t, roots, c, count, &shape, &finish, &at, CHANNEL_ARGS);
        c += count;
    }
}
