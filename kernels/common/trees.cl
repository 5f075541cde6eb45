/* SPDX-License-Identifier: Apache-2.0 */
/* tree.cl for floats and, where VEC is set, for vectors; and how partials lie in memory. After begin.cl. */
#define T float
#define FN(name) name##_f
#include "common/tree.cl"
#undef T
#undef FN
#ifdef VEC
#ifdef SMALL_CODE
#define BY_ELEMENTS /* the code of one merge, whatever VEC is */
#endif
#define T vec
#define FN(name) name##_v
#include "common/tree.cl"
#undef T
#undef FN
#endif

/* Word w of the partial of block b: channel c of the vector of all groups' channels, number w * blocks + b. */
#define PARTIAL(shape, w, b, c) (((ulong)(w) * (shape).blocks + (b)) * (shape).c * SAMPLE_GROUPS + (c))

FUNC void partial_store(global float *partial, const struct clnorm_shape *shape, ulong b, ulong c, const item_f item)
{
#if BACKWARD
    partial[PARTIAL(*shape, 0, b, c)] = item.g.hi;
    partial[PARTIAL(*shape, 1, b, c)] = item.g.lo;
    partial[PARTIAL(*shape, 2, b, c)] = item.gd.hi;
    partial[PARTIAL(*shape, 3, b, c)] = item.gd.lo;
#else
    partial[PARTIAL(*shape, 0, b, c)] = item.mean.hi;
    partial[PARTIAL(*shape, 1, b, c)] = item.mean.lo;
    partial[PARTIAL(*shape, 2, b, c)] = item.m2.hi;
    partial[PARTIAL(*shape, 3, b, c)] = item.m2.lo;
    partial[PARTIAL(*shape, 4, b, c)] = item.magnify;
#endif
}

FUNC item_f partial_load(const global float *partial, const struct clnorm_shape *shape, ulong b, ulong c)
{
    item_f item;
#if BACKWARD
    item.g.hi = partial[PARTIAL(*shape, 0, b, c)];
    item.g.lo = partial[PARTIAL(*shape, 1, b, c)];
    item.gd.hi = partial[PARTIAL(*shape, 2, b, c)];
    item.gd.lo = partial[PARTIAL(*shape, 3, b, c)];
#else
    item.mean.hi = partial[PARTIAL(*shape, 0, b, c)];
    item.mean.lo = partial[PARTIAL(*shape, 1, b, c)];
    item.m2.hi = partial[PARTIAL(*shape, 2, b, c)];
    item.m2.lo = partial[PARTIAL(*shape, 3, b, c)];
    item.magnify = partial[PARTIAL(*shape, 4, b, c)];
#endif
    return item;
}

#ifdef VEC
FUNC void partial_store_vec(global float *partial, const struct clnorm_shape *shape, ulong b, ulong c,
                            const item_v item)
{
#if BACKWARD
    VEC_STORE(global, item.g.hi, partial + PARTIAL(*shape, 0, b, c));
    VEC_STORE(global, item.g.lo, partial + PARTIAL(*shape, 1, b, c));
    VEC_STORE(global, item.gd.hi, partial + PARTIAL(*shape, 2, b, c));
    VEC_STORE(global, item.gd.lo, partial + PARTIAL(*shape, 3, b, c));
#else
    VEC_STORE(global, item.mean.hi, partial + PARTIAL(*shape, 0, b, c));
    VEC_STORE(global, item.mean.lo, partial + PARTIAL(*shape, 1, b, c));
    VEC_STORE(global, item.m2.hi, partial + PARTIAL(*shape, 2, b, c));
    VEC_STORE(global, item.m2.lo, partial + PARTIAL(*shape, 3, b, c));
    VEC_STORE(global, item.magnify, partial + PARTIAL(*shape, 4, b, c));
#endif
}

FUNC item_v partial_load_vec(const global float *partial, const struct clnorm_shape *shape, ulong b, ulong c)
{
    item_v item;
#if BACKWARD
    item.g.hi = VEC_LOAD(global, partial + PARTIAL(*shape, 0, b, c));
    item.g.lo = VEC_LOAD(global, partial + PARTIAL(*shape, 1, b, c));
    item.gd.hi = VEC_LOAD(global, partial + PARTIAL(*shape, 2, b, c));
    item.gd.lo = VEC_LOAD(global, partial + PARTIAL(*shape, 3, b, c));
#else
    item.mean.hi = VEC_LOAD(global, partial + PARTIAL(*shape, 0, b, c));
    item.mean.lo = VEC_LOAD(global, partial + PARTIAL(*shape, 1, b, c));
    item.m2.hi = VEC_LOAD(global, partial + PARTIAL(*shape, 2, b, c));
    item.m2.lo = VEC_LOAD(global, partial + PARTIAL(*shape, 3, b, c));
    item.magnify = VEC_LOAD(global, partial + PARTIAL(*shape, 4, b, c));
#endif
    return item;
}

#if BACKWARD
#define EACH_WORD(X) X(g.hi) X(g.lo) X(gd.hi) X(gd.lo)
#else
#define EACH_WORD(X) X(mean.hi) X(mean.lo) X(m2.hi) X(m2.lo) X(magnify)
#endif

/* Element j of a vector's node. */
FUNC item_f item_of(const item_v *item, uint j)
{
    item_f r;
#define OF(member) r.member = ((const float *)&item->member)[j];
    EACH_WORD(OF)
#undef OF
    return r;
}

FUNC void item_put(item_v *item, uint j, const item_f a)
{
#define PUT_MEMBER(member) ((float *)&item->member)[j] = a.member;
    EACH_WORD(PUT_MEMBER)
#undef PUT_MEMBER
}
#endif
