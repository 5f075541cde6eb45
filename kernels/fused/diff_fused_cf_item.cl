/* SPDX-License-Identifier: Apache-2.0 */
/* Backward training of channels-first tensors in one launch, for CPU-like devices: see fused_cf_item.cl. */
#define BACKWARD 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/store.cl"
#include "common/extras.cl"
#include "statistics/lanes.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/diff_leaf_item.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"
#include "apply/apply_args.cl"
#include "apply/rows.cl"
#include "fused/groups.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
diff_fused_cf_item(const global elem *src, ulong src_offset, const global elem *diff_dst, ulong diff_dst_offset,
                   global elem *diff_src, ulong diff_src_offset, struct clnorm_shape shape, struct clnorm_cut cut,
                   struct clnorm_finish finish, struct clnorm_offsets offsets,
                   CHANNEL_BUFFERS EXTRA_BUFFERS VIEW_BUFFERS)
{
    item_v stack[GROUP_VECS][CLNORM_TREE_LEVELS + 1u], nodes[GROUP_VECS], roots[GROUP_VECS];
    item_f item; /* outside loops, see README.md */
    vec runs[RUN_FLOATS / VEC];
    float *run = (float *)runs;
    struct centre centres[CLNORM_RUN_CHANNELS];
    struct group before;
    const ulong begin = get_global_id(0) * cut.rows_per_item, end = min(begin + cut.rows_per_item, shape.c);
    ulong c = begin;
    src += src_offset;
    diff_dst += diff_dst_offset;
    TENSORS(first, diff_src + diff_src_offset, SHAPE_ELEMENTS(shape) * SAMPLE_GROUPS);
    const struct tensors t = tensors_at(first, SAMPLE_GROUP * SHAPE_PLACE(shape));
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    before.n = shape.n;
    before.count = 0u;
    group_fetch(t.src, &shape, c, min((1u + cut.overlap) * cut.chunk, end - c));
    group_fetch(GRAD_PLACE(t.diff_dst), &shape, c, min((1u + cut.overlap) * cut.chunk, end - c));
    for (;;) {
        const uint count = (uint)min(cut.chunk, end - c), vecs = (count + VEC - 1u) / VEC, per_leaf = max(count, 1u);
        const ulong ahead = group_ahead(&before, &shape, &cut, count, c + count < end);
        uint step = 0u;
        for (uint j = 0u; j < count; j++)
            centres[j] = FUSED_CENTRE(c + j);
        for (uint i = 0u; i < shape.leaves; i++) {
            for (uint j = 0u; j < per_leaf; j++) {
                if (count > 0u) {
                    item = diff_leaf(t.src, t.diff_dst, &shape, i, c + j, end, centres[j],
                                     c + j > begin && c + j + 1u < end);
                    item_put(&nodes[j / VEC], j % VEC, item);
                }
                step++;
                group_apply(t, &shape, &before, cut.overlap ? shape.n * step / (shape.leaves * per_leaf) : shape.n, run,
                            cut.stream, ahead);
            }
            for (uint v = 0u; v < vecs; v++)
                tree_push_v(stack[v], NO_TREE, 0u, i, nodes[v]);
        }
        if (count == 0u)
            return;
        for (uint v = 0u; v < vecs; v++)
            roots[v] = tree_close_v(stack[v], NO_TREE, 0u, shape.leaves);
        group_finish(&before, run, t, roots, c, count, &shape, &finish, &at, CHANNEL_ARGS);
        c += count;
    }
}
