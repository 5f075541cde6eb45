/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-first leaf, by one work-item: where it lies, or its rows gathered. After leaf.cl, lanes.cl and store.cl. */
#define SPACE global
#define IN(name) name##_global
#define AHEAD const global float *ahead,
#define FETCH_AHEAD(i) PREFETCH(ahead + (i))
#include "leaf_lanes.cl"
#undef SPACE
#undef IN
#undef AHEAD
#undef FETCH_AHEAD
#define SPACE private
#define IN(name) name##_private
#define AHEAD
#define FETCH_AHEAD(i)
#include "leaf_lanes.cl"
#undef SPACE
#undef IN
#undef AHEAD
#undef FETCH_AHEAD

FUNC node_f reduce_leaf(const global float *src, const struct clnorm_shape *shape, uint i, ulong c)
{
    float rows[CLNORM_LEAF], down = 1.0f;
    uint n = leaf_size(shape, i);
    float rn = leaf_reciprocal(shape, n);
    const global float *leaf = src + leaf_start(shape, i, c);
    const global float *next = i + 1u < shape->leaves ? src + leaf_start(shape, i + 1u, c) : leaf;
    node_f node;
    int plain;
    if (shape->rows == 1u) {
        node = reduce_global(leaf, next, n, rn, down, &plain);
        if (plain)
            return node;
    }
    gather_rows(rows, leaf, shape, n);
    for (;;) {
        node = reduce_private(rows, n, rn, down, &plain);
        if (plain || down != 1.0f)
            return node;
        float most = 0.0f;
        int same = fabs(rows[0]) <= FLT_MAX;
        for (uint j = 0u; j < n; j++) {
            most = fabs(rows[j]) > most ? fabs(rows[j]) : most;
            same &= rows[j] == rows[0];
        }
        down = most > CLNORM_BIG ? CLNORM_DOWN : 1.0f;
        if (same)
            return leaf_constant(rows[0], down);
        if (down == 1.0f)
            return node;
        for (uint j = 0u; j < n; j++)
            rows[j] *= down;
    }
}
