/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in parts: nodes of `length` floats each become their sum, in the order that the host says. A work-item takes `chunk` floats of it. */
#include "common/begin.cl"
#include "product/block_types.cl"

kernel void sum_nodes(global float *nodes, ulong nodes_at, global float *sums, ulong sums_at, ulong length, ulong chunk,
                      struct clnorm_pairs argument)
{
    local struct clnorm_pairs pairs; /* for drivers that take an argument for uniform, as in tree.cl */
    const ulong from = get_global_id(0) * chunk, end = min(from + chunk, length);
    if (get_local_id(0) == 0u)
        pairs = argument;
    barrier(CLK_LOCAL_MEM_FENCE);
    nodes += nodes_at;
    sums += sums_at;
    for (uint i = 0u; i < pairs.count; i++) {
        global float *left = nodes + pairs.left[i] * length;
        const global float *right = nodes + pairs.right[i] * length;
        for (ulong e = from; e < end; e++)
            left[e] += right[e];
    }
    for (ulong e = from; e < end && pairs.is_last; e++)
        sums[e] = nodes[e];
}
