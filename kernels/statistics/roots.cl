/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of channels: the root of a channel's tree takes the place of its first partial, for finish_channels.cl. A work-item a channel. */
#include "common/begin.cl"
#include "common/trees.cl"

kernel void roots(global float *partial, ulong partial_offset, TREE_PARAMETER struct clnorm_shape shape)
{
    TREE_OF_PARAMETER(tree);
    item_f stack[CLNORM_TREE_LEVELS + 1u], node;
    const ulong c = get_global_id(0);
    if (c >= shape.c)
        return;
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    for (uint b = 0u; b < shape.blocks; b++) {
        node = partial_load(partial, &shape, b, c);
        tree_push_f(stack, tree, 0u, b, node);
    }
    node = tree_close_f(stack, tree, 0u, shape.blocks);
    partial_store(partial, &shape, 0u, c, node);
}
