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

/* A gradient is read at a GRAD: GRAD_AT(g, i) is the one i elements further on, GRAD_F and GRAD_V read it, and GRAD_FETCH asks for it. GRAD_PLACE
 * is where diff_dst has it. */
#if IS_BACKWARD && ACTIVATION
struct grad {
    const global elem *diff_dst;
#if MASK
    const global uint *mask;
    ulong at; /* the element's number */
#else
    const global elem *gate;
#endif
    float slope, cap;
};

#if MASK
#define GRAD_BEGIN(g, diff_dst) struct grad g = {diff_dst, mask + extras.mask, extras.first, extras.slope, extras.cap}
#define GRAD_FETCH(g, i) PREFETCH((g).diff_dst + (i))

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
    const float diff = GET(g.diff_dst);
    return mask_bits(g.mask, g.at, 1u) & 1u ? diff : held_f(diff, g.slope);
}

#ifdef VEC
FUNC vec grad_v(const struct grad g)
{
    const vec diff = GET_V(g.diff_dst);
    const ivec bits = (ivec)((int)mask_bits(g.mask, g.at, VEC)) & ((ivec)(1) << LANE_NUMBERS);
    return SELECT(held_v(diff, g.slope), diff, bits != (ivec)(0));
}
#endif
#else
#define GRAD_BEGIN(g, diff_dst)                                                                                        \
    struct grad g = {diff_dst, (const global elem *)mask + extras.mask, extras.slope, extras.cap}
#define GRAD_FETCH(g, i)                                                                                               \
    {                                                                                                                  \
        PREFETCH((g).diff_dst + (i));                                                                                  \
        PREFETCH((g).gate + (i));                                                                                      \
    }

FUNC float grad_f(const struct grad g)
{
    return gate_f(GET(g.diff_dst), GET(g.gate), g.slope, g.cap);
}

#ifdef VEC
FUNC vec grad_v(const struct grad g)
{
    return gate_v(GET_V(g.diff_dst), GET_V(g.gate), g.slope, g.cap);
}
#endif
#endif

FUNC struct grad grad_at(const struct grad first, ulong i)
{
    struct grad g = first;
    g.diff_dst += i;
#if MASK
    g.at += i;
#else
    g.gate += i;
#endif
    return g;
}
#define GRAD struct grad
#define GRAD_IN const struct grad
#define GRAD_AT(g, i) grad_at(g, i)
#define GRAD_PLACE(g) (g).diff_dst
#define GRAD_F(g) grad_f(g)
#define GRAD_V(g) grad_v(g)
#else
#define GRAD const global elem *
#define GRAD_IN const global elem *const
#define GRAD_BEGIN(g, diff_dst) const global elem *g = diff_dst
#define GRAD_FETCH(g, i) PREFETCH((g) + (i))
#define GRAD_AT(g, i) ((g) + (i))
#define GRAD_PLACE(g) (g)
#define GRAD_F(g) GET(g)
#define GRAD_V(g) GET_V(g)
#endif
