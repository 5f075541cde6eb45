/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-first leaf, by one work-item: where it lies, or its rows gathered. After leaf.cl, lanes.cl and store.cl. */
#define IN(name) name##_global
#define LEAF const global float *leaf, const global float *ahead
#define LOOK(i) VEC_LOAD(global, leaf + (i))
#define LOOK_REST(i, rest) lanes_rest(leaf + (i), rest)
#define FETCH_AHEAD(i) PREFETCH(ahead + (i))
#include "leaf_lanes.cl"

#define IN(name) name##_private
#define LEAF const vec *leaf
#define LOOK(i) leaf[(i) / VEC]
#define LOOK_REST(i, rest) LOOK(i)
#define FETCH_AHEAD(i)
#include "leaf_lanes.cl"

/* Leaf i of channel c; next is a leaf that will be wanted next. */
FUNC node_f reduce_leaf(const global float *src, const struct clnorm_shape *shape, uint i, ulong c,
                        const global float *next)
{
    vec leaf[CLNORM_LEAF / VEC];
    const float *value = (const float *)leaf;
    uint n = leaf_size(shape, i);
    float rn = leaf_reciprocal(shape, n), down = 1.0f;
    const global float *from = src + leaf_start(shape, i, c);
    node_f node;
    int plain;
    if (shape->rows == 1u) {
        node = reduce_global(from, next, n, rn, down, &plain);
        if (plain)
            return node;
    }
    leaf[(n - 1u) / VEC] = (vec)(0.0f);
    gather_rows(leaf, from, next, shape, n);
    for (;;) {
        node = reduce_private(leaf, n, rn, down, &plain);
        if (plain || down != 1.0f)
            return node;
        float most = 0.0f;
        int same = fabs(value[0]) <= FLT_MAX;
        for (uint j = 0u; j < n; j++) {
            most = fabs(value[j]) > most ? fabs(value[j]) : most;
            same &= value[j] == value[0];
        }
        down = most > CLNORM_BIG ? CLNORM_DOWN : 1.0f;
        if (same)
            return leaf_constant(value[0], down);
        if (down == 1.0f)
            return node;
        for (uint j = 0u; j < (n + VEC - 1u) / VEC; j++)
            leaf[j] = mul_v(leaf[j], (vec)(down));
    }
}
