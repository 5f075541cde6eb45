/* SPDX-License-Identifier: Apache-2.0 */
/* A channels-first leaf, by one work-item: where it lies, or its rows gathered. After leaf.cl, lanes.cl and store.cl. */
#ifndef SMALL_CODE
#define IN(name) name##_global
#define PLACE const global elem *
#define NEXT const global elem *
#define AT(p, i) ((p) + (i))
#define LOOK(p) GET_V(p)
#define LOOK_REST(p, rest) row_rest(p, rest)
#define FETCH(p, i)                                                                                                    \
    for (uint f_ = 0u; f_ < PAIR; f_ += LINE)                                                                          \
    PREFETCH((p) + (i) + f_)
#include "statistics/leaf_lanes.cl"
#endif

#define IN(name) name##_private
#define PLACE const vec *
#define NEXT uint
#define AT(p, i) ((p) + (i) / VEC)
#define LOOK(p) (*(p))
#define LOOK_REST(p, rest) (LANE_NUMBERS < (ivec)((int)(rest)) ? *(p) : (vec)(0.0f))
#define FETCH(p, i)
#include "statistics/leaf_lanes.cl"

/* Whether the n values of a gathered leaf are all the same, and what it is to be multiplied by; absent values become the first. */
FUNC int leaf_class(vec *leaf, uint n, float *magnify)
{
    const float *value = (const float *)leaf;
    vec most = (vec)(0.0f), first = (vec)(value[0]), differs = (vec)(0.0f);
    if (n % VEC)
        leaf[n / VEC] = LANE_NUMBERS < (ivec)((int)(n % VEC)) ? leaf[n / VEC] : first;
    for (uint j = 0u; j < (n + VEC - 1u) / VEC; j++) {
        most = fabs(leaf[j]) > most ? fabs(leaf[j]) : most;
        differs = leaf[j] == first ? differs : (vec)(1.0f);
    }
    float largest = 0.0f;
    int same = fabs(value[0]) <= FLT_MAX;
    for (uint j = 0u; j < VEC; j++) {
        largest = fmax(largest, ((const float *)&most)[j]);
        same &= ((const float *)&differs)[j] == 0.0f;
    }
    *magnify = MAGNIFY_OF(float, largest);
    return same;
}

/* leaf_sum and leaf_squares of a leaf that one vector holds; *m is the mean where it is_again. */
FUNC void few_squares(vec leaf, uint n, float rn, int is_again, float *m, float *s, float *q)
{
    const ivec there = LANE_NUMBERS < (ivec)((int)n);
    const vec none = (vec)(0.0f), v = there ? leaf : none;
    *m = is_again ? *m + mul_f(*s, rn) : mul_f(lanes_few(v), rn);
    const vec d = there ? v - *m : none;
    *s = lanes_few(d);
    *q = lanes_few(mul_v(d, d));
}

/* A gathered leaf, by all the rules. */
FUNC node_f reduce_gathered(vec *leaf, uint n, float rn)
{
    struct parts_private parts;
    float m = 0.0f, s = 0.0f, q, magnify = 1.0f;
    int is_checked = 0, is_again = 0;
    for (;;) {
        if (n <= FEW) {
            few_squares(leaf[0], n, rn, is_again, &m, &s, &q);
        } else {
            parts_of_private(leaf, n, &parts);
            m = is_again ? m + mul_f(s, rn) : mul_f(leaf_sum_private(leaf, n, &parts), rn);
            leaf_squares_private(leaf, 0u, n, &parts, m, &s, &q);
        }
        if (!is_checked) {
            if (LEAF_PLAIN(m, q))
                break;
            if (leaf_class(leaf, n, &magnify))
                return leaf_constant(((const float *)leaf)[0], magnify);
            is_checked = 1;
            for (uint j = 0u; magnify != 1.0f && j < (n + VEC - 1u) / VEC; j++)
                leaf[j] = mul_v(leaf[j], (vec)(magnify));
            if (magnify != 1.0f)
                continue;
        }
        if (is_again || !LEAF_IS_OFF(s, q, rn))
            break;
        is_again = 1;
    }
    return leaf_node_f(m, s, q, rn, magnify);
}

/* Leaf i of channel c; nobody writes to channels c to end - 1 meanwhile; next is a leaf that will be wanted next. */
FUNC node_f reduce_leaf(SRC_IN src, const struct clnorm_shape *shape, uint i, ulong c, ulong end, SRC_IN next)
{
    vec leaf[LEAF_VECS];
    uint n = leaf_size(shape, i);
    float rn = leaf_reciprocal(shape, n);
    SRC_IN from = SRC_AT(src, leaf_start(shape, i, c));
#ifndef SMALL_CODE
    if (shape->rows == 1u) {
        struct parts_global parts;
        float s, q;
        const global elem *row = SRC_ON(from, 0);
        parts_of_global(row, n, &parts);
        float m = mul_f(leaf_sum_global(row, n, &parts), rn);
        leaf_squares_global(row, SRC_ON(next, 0), n, &parts, m, &s, &q);
        if (LEAF_PLAIN(m, q))
            return leaf_node_f(m, s, q, rn, 1.0f);
    }
#endif
    leaf[(n - 1u) / VEC] = (vec)(0.0f);
    gather_rows_src(leaf, from, next, shape, n, (end - c) * shape->s);
    return reduce_gathered(leaf, n, rn);
}
