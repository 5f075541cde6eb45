/* SPDX-License-Identifier: Apache-2.0 */
/* Work-groups of WORK_GROUP work-items as TEAMS teams of 64, and a tree in local memory. After trees.cl. */
#define TEAMS (WORK_GROUP / 64)
#define VALUES (CLNORM_LEAF / CLNORM_LANES) /* of a lane of a channels-first leaf, at most */
#define GROUP_LEAVES 64u                    /* most leaves of a block that a group reduces: block_log2 <= 6 */

/* The sum of a lane's 16 values, absent ones 0: runs of four, pairwise. */
FUNC float lane_sum(const float *v)
{
    float r[4];
    for (uint i = 0u; i < 4u; i++)
        r[i] = (((0.0f + v[4u * i]) + v[4u * i + 1u]) + v[4u * i + 2u]) + v[4u * i + 3u];
    return (r[0] + r[1]) + (r[2] + r[3]);
}

/* The same of products, each added by fma. */
FUNC float lane_products(const float *v, const float *w)
{
    float r[4];
    for (uint i = 0u; i < 4u; i++) {
        r[i] = 0.0f;
        for (uint k = 4u * i; k < 4u * i + 4u; k++)
            r[i] = fma(v[k], w[k], r[i]);
    }
    return (r[0] + r[1]) + (r[2] + r[3]);
}

/* The sum of a team's lanes, by halves; every work-item of the group calls it and every one gets the sum. */
FUNC float team_sum(local float *scratch, uint team, uint lane, float value)
{
    local float *mine = scratch + team * 64u;
    mine[lane] = value;
    for (uint span = 32u; span > 0u; span /= 2u) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (lane < span)
            mine[lane] += mine[lane + span];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = mine[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}

/* The bitwise or over a team. */
FUNC int team_or(local int *flags, uint team, uint lane, int value)
{
    if (lane == 0u)
        flags[team] = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (value)
        atomic_or(&flags[team], value);
    barrier(CLK_LOCAL_MEM_FENCE);
    int all_of_them = flags[team];
    barrier(CLK_LOCAL_MEM_FENCE);
    return all_of_them;
}

/* Whether the value is not 0 in any work-item of the group. */
FUNC int group_any(local int *flag, int value)
{
    if (get_local_id(0) == 0u)
        *flag = 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (value)
        atomic_or(flag, 1);
    barrier(CLK_LOCAL_MEM_FENCE);
    int any_of_them = *flag;
    barrier(CLK_LOCAL_MEM_FENCE);
    return any_of_them;
}

/* Merges nodes[0 .. count - 1], which start at node number start of the tree's base level; the root is valid everywhere. */
FUNC item_f group_tree(local item_f *nodes, TREE tree, uint start, uint count)
{
    for (uint level = 0u; (count - 1u) >> level; level++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        uint span = 1u << level;
        for (uint i = (uint)get_local_id(0) * 2u * span; i + span < count; i += (uint)get_local_size(0) * 2u * span)
            nodes[i] = item_merge_f(nodes[i], nodes[i + span], tree, level, start + i);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return nodes[0];
}

/* The tree over a channel's partials: each work-item an aligned run of them, then the runs in local memory. */
FUNC item_f group_reduce(local item_f *nodes, const global float *partial, const struct clnorm_shape *shape, TREE tree,
                         ulong c)
{
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    uint count = shape->blocks, run_log2 = 0u;
    while ((uint)get_local_size(0) << run_log2 < count)
        run_log2++;
    uint first = (uint)get_local_id(0) << run_log2;
    if (first < count) {
        uint run = min(1u << run_log2, count - first);
        for (uint k = 0u; k < run; k++)
            tree_push_f(stack, tree, first, k, partial_load(partial, shape, first + k, c));
        nodes[get_local_id(0)] = tree_close_f(stack, tree, first, run);
    }
    uint runs = (count + (1u << run_log2) - 1u) >> run_log2;
    for (uint level = 0u; (runs - 1u) >> level; level++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        uint span = 1u << level, i = (uint)get_local_id(0);
        if (i % (2u * span) == 0u && i + span < runs)
            nodes[i] = item_merge_f(nodes[i], nodes[i + span], tree, level + run_log2, first);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    return nodes[0];
}
