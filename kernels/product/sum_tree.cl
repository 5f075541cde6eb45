/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of neighbouring runs of samples, each `length` floats, pairwise to the roots of as few subtrees as there are: those of nodes.cl, and of
 * a whole batch one. A work-item takes `chunk` floats of a root; the tree is built in place, as nobody else reads what it writes.
 */
#include "common/begin.cl"
#include "common/subtree.cl"

kernel void sum_tree(global float *parts, ulong parts_at, global float *sums, ulong sums_at, ulong length, ulong chunk,
                     uint first, uint count, uint most_level, uint is_last)
{
    const ulong from = get_global_id(0) * chunk, end = min(from + chunk, length);
    const uint number = (uint)get_global_id(1);
    uint at = 0u, runs = 0u;
    if (from >= length)
        return;
    for (uint k = 0u; k <= number; k++) {
        at += runs;
        runs = min(1u << clnorm_subtree(first + at, count - at, most_level, is_last), count - at);
    }
    parts += parts_at + at * length;
    sums += sums_at + number * length;
    for (uint span = 1u; span < runs; span *= 2u)
        for (uint i = 0u; i + span < runs; i += 2u * span) {
            global float *left = parts + i * length;
            const global float *right = left + span * length;
            for (ulong e = from; e < end; e++)
                left[e] += right[e];
        }
    for (ulong e = from; e < end; e++)
        sums[e] = parts[e];
}
