/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch in parts: nodes become the root of the whole batch, as the host's schedule says, which knows how many values each is of. Those that
 * wait for a right neighbour wait in `stack`, from one launch to the next; at the end of the last one the root is its first entry, where
 * a single partial would be. A work-item a channel.
 */
#include "common/begin.cl"
#include "common/trees.cl"

#define WORDS (sizeof(item_f) / sizeof(float))

kernel void merge_nodes(const global float *nodes, ulong nodes_offset, global float *stack, ulong stack_offset,
                        ulong channels, struct clnorm_schedule argument)
{
    local struct clnorm_schedule schedule; /* for drivers that take an argument for uniform, as in tree.cl */
    const ulong c = get_global_id(0);
    struct clnorm_shape one;
    item_f top, left; /* outside loops, see README.md */
    if (get_local_id(0) == 0u)
        schedule = argument;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (c >= channels)
        return;
    uint depth = schedule.depth;
    one.c = channels;
    one.blocks = 1u;
    stack += stack_offset;
    nodes += nodes_offset;
    if (depth > 0u)
        top = partial_load(stack + (depth - 1u) * WORDS * channels, &one, 0u, c);
    for (uint i = 0u; i < schedule.count; i++) {
        if (schedule.is_merge[i / 32u] >> (i % 32u) & 1u) {
            depth--;
            left = partial_load(stack + (depth - 1u) * WORDS * channels, &one, 0u, c);
#if BACKWARD
            top = sums_merge_f(left, top);
#else
            top = node_merge_f(left, top, schedule.f[i], schedule.w[i]);
#endif
        } else {
            if (depth > 0u)
                partial_store(stack + (depth - 1u) * WORDS * channels, &one, 0u, c, top);
            top = partial_load(nodes, &one, 0u, c);
            nodes += WORDS * channels;
            depth++;
        }
    }
    partial_store(stack + (depth - 1u) * WORDS * channels, &one, 0u, c, top);
}
