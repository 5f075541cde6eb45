/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a channels-first leaf, by one work-item. After leaf.cl, lanes.cl, store.cl and diff_leaf.cl. */
#define SPACE global
#define IN(name) name##_global
#include "diff_lanes.cl"
#undef SPACE
#undef IN
#define SPACE private
#define IN(name) name##_private
#include "diff_lanes.cl"
#undef SPACE
#undef IN

FUNC sums_f diff_leaf(const global float *src, const global float *diff_dst, const struct clnorm_shape *shape, uint i,
                      ulong c, struct centre k)
{
    float x_rows[CLNORM_LEAF], g_rows[CLNORM_LEAF];
    uint n = leaf_size(shape, i);
    ulong at = leaf_start(shape, i, c);
    if (shape->rows == 1u)
        return diff_leaf_global(src + at, diff_dst + at, n, k);
    gather_rows(x_rows, src + at, shape, n);
    gather_rows(g_rows, diff_dst + at, shape, n);
    return diff_leaf_private(x_rows, g_rows, n, k);
}
