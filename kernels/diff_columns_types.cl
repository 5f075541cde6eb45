/* SPDX-License-Identifier: Apache-2.0 */
/* diff_columns_item.cl for one and four vectors. After trees.cl, diff_leaf.cl and store.cl. */
struct centre_v {
    vec hi, lo, down;
};

FUNC void centre_put(struct centre_v *k, uint j, struct centre a)
{
    ((float *)&k->hi)[j] = a.hi;
    ((float *)&k->lo)[j] = a.lo;
    ((float *)&k->down)[j] = a.down;
}

#define NV 1
#define COLS(name) name##_1
#include "diff_columns_item.cl"
#undef NV
#undef COLS
#define NV 4
#define COLS(name) name##_4
#include "diff_columns_item.cl"
#undef NV
#undef COLS

/* One channel's root, for the channels that fill no vector. */
FUNC item_f diff_block_f(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape,
                         uint start, uint count, ulong c, struct centre k)
{
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    for (uint b = 0u; b < count; b++) {
        ulong at = leaf_start(shape, start + b, c);
        item_f item = diff_column(src + at, diff_dst + at, shape->c, leaf_size(shape, start + b), k);
        tree_push_f(stack, NO_TREE, start, b, item);
    }
    return tree_close_f(stack, NO_TREE, start, count);
}
