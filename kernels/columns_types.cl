/* SPDX-License-Identifier: Apache-2.0 */
/* leaf_columns.cl for floats and vectors, columns_item.cl for one and four vectors. After leaf.cl, trees.cl and store.cl. */
#define T float
#define FN(name) name##_f
#define LOAD(p) (*(p))
#define ALL(x) (x)
#include "leaf_columns.cl"
#undef T
#undef FN
#undef LOAD
#undef ALL
#define T vec
#define FN(name) name##_v
#define LOAD(p) VEC_LOAD(global, p)
#define ALL(x) all(x)
#include "leaf_columns.cl"
#undef T
#undef FN
#undef LOAD
#undef ALL

#define NV 1
#define COLS(name) name##_1
#include "columns_item.cl"
#undef NV
#undef COLS
#define NV 4
#define COLS(name) name##_4
#include "columns_item.cl"
#undef NV
#undef COLS

/* One channel's root, for the channels that fill no vector. */
FUNC item_f reduce_block_f(const global float *src, const struct clnorm_shape *shape, TREE tree, uint start, uint count,
                           ulong c)
{
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    for (uint k = 0u; k < count; k++) {
        uint n = leaf_size(shape, start + k);
        item_f item = leaf_f(src + leaf_start(shape, start + k, c), shape->c, n, leaf_reciprocal(shape, n));
        tree_push_f(stack, tree, start, k, item);
    }
    return tree_close_f(stack, tree, start, count);
}
