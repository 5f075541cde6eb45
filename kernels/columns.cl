/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a work-group of a GPU-like device takes a block of channels-last leaves: WIDTH neighbouring channels, so that loads
 * coalesce, by WORK_GROUP / WIDTH rows of work-items. A row reduces an aligned run of 2^run_log2 leaves, which is a subtree;
 * the runs then merge in local memory. After trees.cl.
 */
/* The sum of a leaf's 16 runs, in their order: absent ones are 0 and add nothing. Each waits for its neighbour in a register. */
struct runs {
    float pair, four, eight, sum;
};

FUNC void runs_add(struct runs *k, uint r, float run)
{
    k->pair = r % 2u ? k->pair + run : run;
    k->four = r % 4u == 1u ? k->pair : r % 4u == 3u ? k->four + k->pair : k->four;
    k->eight = r % 8u == 3u ? k->four : r % 8u == 7u ? k->eight + k->four : k->eight;
    k->sum = r == 7u ? k->eight : r == 15u ? k->sum + k->eight : k->sum;
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
