/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch in parts: the partials of a part's blocks `first` to first + shape.blocks - 1, as the whole batch numbers them, become the roots
 * of as few subtrees as there are. A work-item a channel of a node. src/plan/parts.c divides leaves as this does blocks.
 */
#include "common/begin.cl"
#include "common/trees.cl"
#include "common/subtree.cl"

kernel void nodes(const global float *partial, ulong partial_offset, global float *nodes, ulong nodes_offset,
                  TREE_PARAMETER struct clnorm_shape shape, uint first, uint most_level, uint is_last)
{
    TREE_OF_PARAMETER(tree);
    struct clnorm_shape one = shape;             /* PoCL's work-items share an argument that is written to */
    item_f stack[CLNORM_TREE_LEVELS + 1u], node; /* outside loops, see README.md */
    const ulong c = get_global_id(0);
    const uint number = (uint)get_global_id(2);
    uint at = 0u, count = 0u;
    if (c >= shape.c)
        return;
    partial += partial_offset;
    for (uint k = 0u; k <= number; k++) {
        at += count;
        count = 1u << clnorm_subtree(first + at, shape.blocks - at, most_level, is_last);
        count = min(count, shape.blocks - at);
    }
    for (uint b = 0u; b < count; b++) {
        node = partial_load(partial, &shape, at + b, c);
        tree_push_f(stack, tree, first + at, b, node);
    }
    node = tree_close_f(stack, tree, first + at, count);
    /* A buffer of nodes is one after another of them, so that those of parts are, too. */
    one.blocks = 1u;
    partial_store(nodes + nodes_offset + (ulong)number * (sizeof(item_f) / sizeof(float)) * shape.c, &one, 0u, c, node);
}
