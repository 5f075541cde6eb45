/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of blocks of channels-first leaves, for GPU-like devices: a work-group a block of a channel, 64 work-items a leaf:
 * work-item j is lane j. A leaf's values stay in registers between the two looks.
 */
#define BACKWARD 0
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/group.cl"

kernel __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1))) void
stats_cf_group(const global elem *src, ulong src_offset, global float *partial, ulong partial_offset,
               struct clnorm_shape shape, struct clnorm_tree weights VIEW_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    local float scratch[WORK_GROUP];
    local int flags[TEAMS], any;
    local item_f nodes[GROUP_LEAVES];
    ulong c = get_group_id(0) % shape.c;
    uint block = (uint)(get_group_id(0) / shape.c);
    uint lane = get_local_id(0) % CLNORM_LANES, team = get_local_id(0) / CLNORM_LANES;
    uint start = block << shape.block_log2;
    uint count = min(1u << shape.block_log2, shape.leaves - start);

    for (uint k = team; k < count + team; k += TEAMS) { /* every team takes as many turns, for the barriers' sake */
        uint n = k < count ? leaf_size(&shape, start + k) : 0u;
        float rn = leaf_reciprocal(&shape, n);
        SRC_IN leaf = SRC_AT(x, leaf_start(&shape, start + k, c));
        float v[VALUES], most = 0.0f;
        for (uint i = 0u; i < VALUES; i++)
            v[i] = lane + i * CLNORM_LANES < n
                       ? GET(SRC_ON(SRC_AT(leaf, leaf_distance(&shape, lane + i * CLNORM_LANES)), 0))
                       : 0.0f;
        float first = n > 0u ? GET(SRC_ON(leaf, 0)) : 0.0f;
        int differs = !(fabs(first) <= FLT_MAX);
        for (uint i = 0u; i < VALUES; i++) {
            most = fabs(v[i]) > most ? fabs(v[i]) : most;
            differs |= lane + i * CLNORM_LANES < n && !(v[i] == first);
        }
        int flag = team_or(flags, team, lane,
                           (most >= CLNORM_BIG ? 1 : 0) | (differs ? 2 : 0) | (most >= CLNORM_TINY ? 4 : 0));
        float magnify = flag & 1 ? CLNORM_DOWN : flag & 4 ? 1.0f : CLNORM_UP;
        for (uint i = 0u; i < VALUES; i++)
            v[i] = mul_f(v[i], magnify);
        float m = mul_f(team_sum(scratch, team, lane, lane_sum(v)), rn);
        float s, q, d[VALUES];
        for (uint look = 0u; look < 2u; look++) {
            for (uint i = 0u; i < VALUES; i++)
                d[i] = lane + i * CLNORM_LANES < n ? v[i] - m : 0.0f;
            s = team_sum(scratch, team, lane, lane_sum(d));
            q = team_sum(scratch, team, lane, lane_products(d, d));
            /* All teams look again if one has to, for the barriers' sake: a mean that stays gives the same sums. */
            const int is_off = look == 0u && LEAF_IS_OFF(s, q, rn);
            if (!group_any(&any, is_off))
                break;
            m = is_off ? m + mul_f(s, rn) : m;
        }
        if (lane == 0u && k < count)
            nodes[k] = flag & 2 ? leaf_node_f(m, s, q, rn, magnify) : leaf_constant(first, magnify);
    }
    item_f root = group_tree(nodes, &tree, start, count);
    if (get_local_id(0) == 0u)
        partial_store(partial, &shape, block, c, root);
}
