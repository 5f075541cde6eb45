/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a work-group of a GPU-like device takes a block of channels-last leaves: WIDTH neighbouring channels, so that loads
 * coalesce, by WORK_GROUP / WIDTH rows of work-items. A row reduces an aligned run of 2^run_log2 leaves, which is a subtree;
 * the runs then merge in local memory. After trees.cl.
 */
/* A leaf's 16 runs, absent ones 0, and their sum: pairwise. */
struct runs {
    float run[CLNORM_LANES / 4u];
};

FUNC float runs_sum(const struct runs *k)
{
    float four[4];
    for (uint r = 0u; r < 4u; r++)
        four[r] = (k->run[4u * r] + k->run[4u * r + 1u]) + (k->run[4u * r + 2u] + k->run[4u * r + 3u]);
    return (four[0] + four[1]) + (four[2] + four[3]);
}

struct columns {
    ulong c; /* this work-item's channel */
    uint row;
    uint block, count; /* and the leaves of the block */
    uint run_log2;
    uint first, run; /* the leaves of this work-item; run = 0: none */
};

FUNC struct columns columns_of(const struct clnorm_shape *shape)
{
    struct columns k;
    ulong groups = (shape->c + WIDTH - 1u) / WIDTH;
    k.c = get_group_id(0) % groups * WIDTH + get_local_id(0) % WIDTH;
    k.row = (uint)get_local_id(0) / WIDTH;
    k.block = (uint)(get_group_id(0) / groups);
    uint start = k.block << shape->block_log2;
    k.count = min(1u << shape->block_log2, shape->leaves - start);
    k.run_log2 = 0u;
    while ((uint)(WORK_GROUP / WIDTH) << k.run_log2 < k.count)
        k.run_log2++;
    uint skip = k.row << k.run_log2;
    k.first = start + skip;
    k.run = k.c < shape->c && skip < k.count ? min(1u << k.run_log2, k.count - skip) : 0u;
    return k;
}

/* Merges the runs of each channel; the root ends with the work-item of row 0. Every work-item calls it. */
FUNC void columns_tree(local item_f *nodes, TREE tree, const struct columns *k)
{
    uint i = (uint)get_local_id(0);
    for (uint level = 0u; ((k->count - 1u) >> k->run_log2) >> level; level++) {
        barrier(CLK_LOCAL_MEM_FENCE);
        uint span = 1u << level;
        if (k->run > 0u && k->row % (2u * span) == 0u && (k->row + span) << k->run_log2 < k->count)
            nodes[i] = item_merge_f(nodes[i], nodes[i + span * WIDTH], tree, level + k->run_log2, k->first);
    }
}
