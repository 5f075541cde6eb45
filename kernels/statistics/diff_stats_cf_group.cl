/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-first leaves, for GPU-like devices: see stats_cf_group.cl. */
#define BACKWARD 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/group.cl"
#include "common/extras.cl"
#include "statistics/diff_leaf.cl"

kernel __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1))) void diff_stats_cf_group(DIFF_BUFFERS)
{
    local float scratch[WORK_GROUP];
    local item_f nodes[GROUP_LEAVES];
    DIFF_OFFSETS;
    ulong c = get_group_id(0) % shape.c;
    uint block = (uint)(get_group_id(0) / shape.c);
    uint lane = get_local_id(0) % CLNORM_LANES, team = get_local_id(0) / CLNORM_LANES;
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);
    struct centre k = DIFF_CENTRE(c);

    for (uint b = team; b < count + team; b += TEAMS) { /* every team takes as many turns, for the barriers' sake */
        uint n = b < count ? leaf_size(&shape, start + b) : 0u;
        ulong leaf = leaf_start(&shape, start + b, c);
        float dy[VALUES], d[VALUES]; /* absent ones are 0 and add nothing */
        for (uint i = 0u; i < VALUES; i++) {
            ulong at = leaf + leaf_distance(&shape, lane + i * CLNORM_LANES);
            dy[i] = lane + i * CLNORM_LANES < n ? GRAD_F(GRAD_AT(grad, at)) : 0.0f;
            d[i] = lane + i * CLNORM_LANES < n ? diff_centred(GET(SRC_ON(SRC_AT(x, at), 0)), k) : 0.0f;
        }
        float g = team_sum(scratch, team, lane, lane_sum(dy));
        float gd = team_sum(scratch, team, lane, lane_products(dy, d));
        if (lane == 0u && b < count)
            nodes[b] = diff_node(g, gd);
    }
    item_f root = group_tree(nodes, NO_TREE, start, count);
    if (get_local_id(0) == 0u)
        partial_store(partial, &shape, block, c, root);
}
