/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage two, forward and BACKWARD, a work-item a vector of neighbouring channels: the tree over their partials, then the
 * finish. The channels that fill no vector come one by one.
 */
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"
#include "statistics/channels.cl"

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void finish_item(const global float *partial,
                                                                       ulong partial_offset, global float *coef,
                                                                       ulong coef_offset, struct clnorm_shape shape,
                                                                       TREE_PARAMETER struct clnorm_finish finish,
                                                                       struct clnorm_offsets offsets, CHANNEL_BUFFERS)
{
    TREE_OF_PARAMETER(tree);
    item_v stack_v[CLNORM_TREE_LEVELS + 1u], node_v;
    item_f stack[CLNORM_TREE_LEVELS + 1u], node; /* outside loops, see README.md */
    coefs_f k;
    ulong c = get_global_id(0) * VEC, end = min(c + VEC, shape.c);
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    coef += coef_offset + SAMPLE_GROUP * shape.c;
    if (end - c == VEC) {
        for (uint b = 0u; b < shape.blocks; b++) {
            node_v = partial_load_vec(partial, &shape, b, c);
            tree_push_v(stack_v, tree, 0u, b, node_v);
        }
        node_v = tree_close_v(stack_v, tree, 0u, shape.blocks);
        coefs_store_v(coef, shape.c * SAMPLE_GROUPS, c, finish_channels(&node_v, c, VEC, &finish, &at, CHANNEL_ARGS));
        return;
    }
    for (; c < end; c++) {
        for (uint b = 0u; b < shape.blocks; b++) {
            node = partial_load(partial, &shape, b, c);
            tree_push_f(stack, tree, 0u, b, node);
        }
        node = tree_close_f(stack, tree, 0u, shape.blocks);
        k = finish_channel(node, c, &finish, &at, CHANNEL_ARGS);
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, c, k);
    }
}
