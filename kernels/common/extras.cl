/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last step does beside the normalization: an activation, a residual, a mask. ACTIVATION, RESIDUAL and MASK say which; the
 * activation's numbers come at run time. Here is what stage one of the backward pass needs of it as well: gradients of what came before the
 * activation. After begin.cl.
 */
#ifdef APPLY
#define IS_BACKWARD (APPLY != 0)
#else
#define IS_BACKWARD BACKWARD
#endif

/*
 * At the end of a kernel's arguments. residual: read, or the gradient that is written. mask: backward, without MASK, dst of the
 * forward pass is in its place.
 */
#if ACTIVATION || RESIDUAL || MASK
#define EXTRA_BUFFERS , global elem *residual, global uint *mask, struct clnorm_extras extras
#else
#define EXTRA_BUFFERS
#endif

#if ACTIVATION
#include "common/activation.cl"
#endif

/*
 * A gradient is read at a GRAD, which is what a SRC is: GRAD_AT and GRAD_ALONG are as there, GRAD_F and GRAD_V read it, and GRAD_FETCH asks
 * for one at a place. GRAD_PLACE is diff_dst.
 */
#if IS_BACKWARD && ACTIVATION
struct grad {
    SRC diff_dst;
#if MASK
    const global uint *mask;
    ulong at; /* the element's number */
#if VIEW == VIEW_SLICE
    ulong block;
#endif
#else
    SRC gate;
#endif
    float slope, cap;
};

#if MASK
#if VIEW == VIEW_SLICE
#define GRAD_BEGIN(g, diff_dst)                                                                                        \
    struct grad g = {                                                                                                  \
        SRC_BEGIN(diff_dst, diff_dst), mask + extras.mask, extras.first, VIEW_BLOCK, extras.slope, extras.cap}
#else
#define GRAD_BEGIN(g, diff_dst)                                                                                        \
    struct grad g = {SRC_BEGIN(diff_dst, diff_dst), mask + extras.mask, extras.first, extras.slope, extras.cap}
#endif
#define GRAD_FETCH(g, i) PREFETCH(SRC_ON(SRC_AT((g).diff_dst, i), 0))

/* `count` bits from bit i on. */
FUNC uint mask_bits(const global uint *mask, ulong i, uint count)
{
    const uint shift = (uint)i % 32u;
    mask += i / 32u;
    uint bits = mask[0] >> shift;
    if (shift + count > 32u)
        bits |= mask[1] << (32u - shift);
    return bits;
}

FUNC float grad_f(const struct grad g)
{
    const float diff = GET(SRC_ON(g.diff_dst, 0));
    return mask_bits(g.mask, g.at, 1u) & 1u ? diff : held_f(diff, g.slope);
}

#ifdef VEC
FUNC vec grad_v(const struct grad g)
{
    const vec diff = GET_V(SRC_ON(g.diff_dst, 0));
    const ivec bits = (ivec)((int)mask_bits(g.mask, g.at, VEC)) & ((ivec)(1) << LANE_NUMBERS);
    return SELECT(held_v(diff, g.slope), diff, bits != (ivec)(0));
}
#endif
#else
#define GRAD_BEGIN(g, diff_dst)                                                                                        \
    struct grad g = {SRC_BEGIN(diff_dst, diff_dst), SRC_BEGIN((const global elem *)mask + extras.mask, gate),          \
                     extras.slope, extras.cap}
#define GRAD_FETCH(g, i)                                                                                               \
    {                                                                                                                  \
        PREFETCH(SRC_ON(SRC_AT((g).diff_dst, i), 0));                                                                  \
        PREFETCH(SRC_ON(SRC_AT((g).gate, i), 0));                                                                      \
    }

FUNC float grad_f(const struct grad g)
{
    return gate_f(GET(SRC_ON(g.diff_dst, 0)), GET(SRC_ON(g.gate, 0)), g.slope, g.cap);
}

#ifdef VEC
FUNC vec grad_v(const struct grad g)
{
    return gate_v(GET_V(SRC_ON(g.diff_dst, 0)), GET_V(SRC_ON(g.gate, 0)), g.slope, g.cap);
}
#endif
#endif

FUNC struct grad grad_at(const struct grad first, ulong place)
{
    struct grad g = first;
    g.diff_dst = SRC_AT(g.diff_dst, place);
#if MASK
    g.at += NUMBER(place, g.block);
#else
    g.gate = SRC_AT(g.gate, place);
#endif
    return g;
}

FUNC struct grad grad_along(const struct grad first, long i)
{
    struct grad g = first;
    g.diff_dst = SRC_ALONG(g.diff_dst, i);
#if MASK
    g.at += (ulong)i;
#else
    g.gate = SRC_ALONG(g.gate, i);
#endif
    return g;
}
#define GRAD struct grad
#define GRAD_IN const struct grad
#define GRAD_AT(g, i) grad_at(g, i)
#define GRAD_ALONG(g, i) grad_along(g, i)
#define GRAD_PLACE(g) (g).diff_dst
#define GRAD_F(g) grad_f(g)
#define GRAD_V(g) grad_v(g)
#else
#define GRAD SRC
#define GRAD_IN SRC_IN
#define GRAD_BEGIN(g, diff_dst) SRC g = SRC_BEGIN(diff_dst, diff_dst)
#define GRAD_FETCH(g, i) PREFETCH(SRC_ON(SRC_AT(g, i), 0))
#define GRAD_AT(g, i) SRC_AT(g, i)
#define GRAD_ALONG(g, i) SRC_ALONG(g, i)
#define GRAD_PLACE(g) (g)
#define GRAD_F(g) GET(SRC_ON(g, 0))
#define GRAD_V(g) GET_V(SRC_ON(g, 0))
#endif
