/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of the backward pass over blocks of channels-last leaves, for GPU-like devices: see stats_cl_group.cl. */
#define BACKWARD 1
#define CHANNELS_LAST 1
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/leaf.cl"
#include "common/extras.cl"
#include "statistics/diff_leaf.cl"
#include "statistics/columns.cl"

/* The sums over a channels-last leaf of one channel. */
FUNC sums_f diff_column(const global elem *src, ulong pitch, GRAD_IN diff_dst, ulong c, uint n, const struct centre k)
{
    struct runs g, gd;
    for (uint r = 0u; r < CLNORM_LANES / 4u; r++) {
        float run = 0.0f, products = 0.0f;
        for (uint i = 4u * r; i < 4u * r + 4u && i < n; i++) {
            float dy = GRAD_F(GRAD_AT(diff_dst, BLOCKS(i, c)));
            run += dy;
            products = fma(dy, diff_centred(GET(src + i * pitch), k), products);
        }
        g.run[r] = run;
        gd.run[r] = products;
    }
    return diff_node(runs_sum(&g), runs_sum(&gd));
}

kernel __attribute__((reqd_work_group_size(WORK_GROUP, 1, 1))) void diff_stats_cl_group(DIFF_BUFFERS)
{
    local item_f nodes[WORK_GROUP];
    DIFF_OFFSETS;
    struct columns k = columns_of(&shape);
    if (k.run > 0u) {
        struct centre centre = DIFF_CENTRE(k.c);
        item_f stack[CLNORM_TREE_LEVELS + 1u];
        for (uint b = 0u; b < k.run; b++) {
            ulong at = leaf_start(&shape, k.first + b, k.c);
            item_f item = diff_column(SRC_ON(SRC_AT(x, at), 0), ROW_PITCH(x, shape.c), GRAD_AT(grad, at), shape.c,
                                      leaf_size(&shape, k.first + b), centre);
            tree_push_f(stack, NO_TREE, k.first, b, item);
        }
        nodes[get_local_id(0)] = tree_close_f(stack, NO_TREE, k.first, k.run);
    }
    columns_tree(nodes, NO_TREE, &k);
    if (k.c < shape.c && k.row == 0u)
        partial_store(partial, &shape, k.block, k.c, nodes[get_local_id(0)]);
}
