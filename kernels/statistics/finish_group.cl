/* SPDX-License-Identifier: Apache-2.0 */
/* Stage two, forward and BACKWARD, a work-group a channel: the tree over the channel's partials, then the finish. */
#include "common/begin.cl"
#include "common/trees.cl"
#include "common/group.cl"
#include "statistics/channel.cl"

kernel __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1))) void
finish_group(const global float *partial, ulong partial_offset, global float *coef, ulong coef_offset,
             struct clnorm_shape shape, TREE_PARAMETER struct clnorm_finish finish, struct clnorm_offsets offsets,
             CHANNEL_BUFFERS)
{
    TREE_OF_PARAMETER(tree);
    local item_f nodes[WORK_GROUP];
    ulong c = get_group_id(0);
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    coef += coef_offset + SAMPLE_GROUP * shape.c;
    item_f root = group_reduce(nodes, partial, &shape, tree, c);
    if (get_local_id(0) == 0u)
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, c, finish_channel(root, c, &finish, &at, CHANNEL_ARGS));
}
