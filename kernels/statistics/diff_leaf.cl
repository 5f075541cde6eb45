/* SPDX-License-Identifier: Apache-2.0 */
/* What stage one of the backward pass knows of a channel. After extras.cl. */
#include "statistics/finish.cl"

#define DIFF_BUFFERS                                                                                                   \
    const global elem *src, ulong src_offset, const global elem *diff_dst, ulong diff_dst_offset,                      \
        global float *partial, ulong partial_offset, struct clnorm_shape shape, const global float *mean,              \
        ulong mean_offset, const global float *mean_low, ulong mean_low_offset, const global float *spread,            \
        ulong spread_offset, float epsilon, uint flags EXTRA_BUFFERS VIEW_BUFFERS
/* x and grad: src and the gradient from the start of a group of samples. */
#define DIFF_OFFSETS                                                                                                   \
    SRC_IN x = SRC_AT(SRC_BEGIN(src + src_offset, src), SAMPLE_GROUP * SHAPE_PLACE(shape));                            \
    diff_dst += diff_dst_offset;                                                                                       \
    partial += partial_offset + SAMPLE_GROUP * shape.c;                                                                \
    mean += mean_offset + SAMPLE_GROUP * shape.c;                                                                      \
    mean_low += mean_low_offset + SAMPLE_GROUP * shape.c;                                                              \
    spread += spread_offset + SAMPLE_GROUP * shape.c;                                                                  \
    GRAD_BEGIN(first_grad, diff_dst);                                                                                  \
    GRAD_IN grad = GRAD_AT(first_grad, SAMPLE_GROUP * SHAPE_PLACE(shape))
#define DIFF_CENTRE(c) diff_centre(mean, mean_low, spread, epsilon, flags, c)
/* With the arguments of a kernel that goes on to the finish. */
#define FUSED_CENTRE(c)                                                                                                \
    diff_centre(mean + at.mean, mean_low + at.mean_low, spread + at.spread, finish.epsilon, finish.flags, c)

struct centre {
    float hi, lo, magnify;
};

/* spread: invstd, or with frozen statistics the variance. */
FUNC struct centre diff_centre(const global float *mean, const global float *mean_low, const global float *spread,
                               float epsilon, uint flags, ulong c)
{
    struct centre r;
    r.hi = flags & CLNORM_HAS_MEAN ? mean[c] : 0.0f;
    r.lo = flags & CLNORM_HAS_SAVE_MEAN_LOW ? mean_low[c] : 0.0f;
    r.magnify = clnorm_diff_magnify(flags & CLNORM_IS_FROZEN ? clnorm_rsqrt(spread[c] + epsilon) : spread[c]);
    return r;
}

/* src less the mean, times magnify. */
FUNC float diff_centred(float x, const struct centre k)
{
    return mul_f((x - k.hi) - k.lo, k.magnify);
}

FUNC sums_f diff_node(float g, float gd)
{
    sums_f r;
    r.g.hi = g;
    r.g.lo = 0.0f;
    r.gd.hi = gd;
    r.gd.lo = 0.0f;
    return r;
}
