/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-first leaf, by one work-item: where it lies, or its rows gathered. After leaf.cl, lanes.cl and store.cl. */
#define SPACE global
#define IN(name) name##_global
#include "leaf_lanes.cl"
#undef SPACE
#undef IN
#define SPACE private
#define IN(name) name##_private
#include "leaf_lanes.cl"
#undef SPACE
#undef IN

FUNC node_f reduce_leaf(const global float *src, const struct clnorm_shape *shape, uint i, ulong c)
{
    float rows[CLNORM_LEAF];
    uint n = leaf_size(shape, i);
    float rn = leaf_reciprocal(shape, n);
    const global float *leaf = src + leaf_start(shape, i, c);
    const global float *next = i + 1u < shape->leaves ? src + leaf_start(shape, i + 1u, c) : leaf;
    if (shape->rows == 1u)
        return leaf_global(leaf, next, n, rn);
    gather_rows(rows, leaf, shape, n);
    return leaf_private(rows, leaf, n, rn);
}
