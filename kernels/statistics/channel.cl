/* SPDX-License-Identifier: Apache-2.0 */
/* The end of stage two: from the root of a channel's tree to its outputs and to the coefficients of the last step. */
#ifndef APPLY
#define APPLY BACKWARD
#endif
#include "statistics/finish.cl"
#include "common/coef.cl"

/* Where the vectors of a work-item's group of samples start. In a copy: what is passed by value may be another's too. */
FUNC struct clnorm_offsets at_group(const struct clnorm_offsets first, ulong channels)
{
    const ulong skip = SAMPLE_GROUP * channels;
    struct clnorm_offsets at = first;
    at.mean += skip;
    at.mean_low += skip;
    at.spread += skip;
    at.variance += skip;
    at.diff_scale += skip;
    at.diff_shift += skip;
    return at;
}

#if BACKWARD
/* spread: invstd, or with frozen statistics the variance. */
#define CHANNEL_BUFFERS                                                                                                \
    const global float *scale, const global float *mean, const global float *mean_low, const global float *spread,     \
        global float *diff_scale, global float *diff_shift
#define CHANNEL_ARGS scale, mean, mean_low, spread, diff_scale, diff_shift

FUNC void save_gradients(const struct clnorm_diff r, ulong c, const struct clnorm_finish *p,
                         const struct clnorm_offsets *at, global float *diff_scale, global float *diff_shift)
{
    if (p->flags & CLNORM_HAS_DIFF_SCALE)
        diff_scale[at->diff_scale + c] =
            p->flags & CLNORM_ADD_DIFF_SCALE ? diff_scale[at->diff_scale + c] + r.diff_scale : r.diff_scale;
    if (p->flags & CLNORM_HAS_DIFF_SHIFT)
        diff_shift[at->diff_shift + c] =
            p->flags & CLNORM_ADD_DIFF_SHIFT ? diff_shift[at->diff_shift + c] + r.diff_shift : r.diff_shift;
}

FUNC coefs_f finish_channel(const sums_f root, ulong c, const struct clnorm_finish *p, const struct clnorm_offsets *at,
                            CHANNEL_BUFFERS)
{
    coefs_f k;
    float invstd = spread[at->spread + c];
    if (p->flags & CLNORM_IS_FROZEN)
        invstd = clnorm_rsqrt(invstd + p->epsilon);
    struct clnorm_diff r = clnorm_finish_diff(root, invstd, p->rm_hi, p->rm_lo);
    save_gradients(r, c, p, at, diff_scale, diff_shift);
    k.factor = p->flags & CLNORM_HAS_SCALE ? mul_f(scale[at->scale + c], invstd) : invstd;
    k.hi = p->flags & CLNORM_HAS_MEAN ? mean[at->mean + c] : 0.0f;
    k.lo = p->flags & CLNORM_HAS_SAVE_MEAN_LOW ? mean_low[at->mean_low + c] : 0.0f;
    k.magnify = clnorm_diff_magnify(invstd);
    k.slope = r.slope;
    k.grad_hi = r.grad_hi;
    k.grad_lo = r.grad_lo;
    return k;
}
#else
#define CHANNEL_BUFFERS                                                                                                \
    const global float *scale, const global float *shift, global float *running_mean, global float *running_variance,  \
        global float *save_mean, global float *save_mean_low, global float *save_invstd, global float *save_variance
#define CHANNEL_ARGS scale, shift, running_mean, running_variance, save_mean, save_mean_low, save_invstd, save_variance

/* The statistics of a channel, or of a group of channels, number c. */
FUNC struct clnorm_stats save_stats(const node_f root, ulong c, const struct clnorm_finish *p,
                                    const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    struct clnorm_stats r = clnorm_finish_stats(root, *p);
    if (p->flags & CLNORM_HAS_SAVE_MEAN)
        save_mean[at->mean + c] = r.mean_hi;
    if (p->flags & CLNORM_HAS_SAVE_MEAN_LOW)
        save_mean_low[at->mean_low + c] = r.mean_lo;
    if (p->flags & CLNORM_HAS_SAVE_INVSTD)
        save_invstd[at->spread + c] = r.invstd;
    if (p->flags & CLNORM_HAS_SAVE_VARIANCE)
        save_variance[at->variance + c] = r.variance;
    if (p->flags & CLNORM_HAS_RUNNING_MEAN)
        running_mean[at->running_mean + c] = clnorm_running(running_mean[at->running_mean + c], r.mean_hi, p->momentum);
    if (p->flags & CLNORM_HAS_RUNNING_VARIANCE)
        running_variance[at->running_variance + c] = clnorm_running(running_variance[at->running_variance + c],
                                                                    mul_f(r.variance, p->running_factor), p->momentum);
    return r;
}

FUNC coefs_f coefs_of_stats(const struct clnorm_stats r, ulong c, const struct clnorm_finish *p,
                            const struct clnorm_offsets *at, const global float *scale, const global float *shift)
{
    coefs_f k;
    k.hi = r.mean_hi;
    k.lo = r.mean_lo;
    k.factor = p->flags & CLNORM_HAS_SCALE ? mul_f(scale[at->scale + c], r.invstd) : r.invstd;
    k.shift = p->flags & CLNORM_HAS_SHIFT ? shift[at->shift + c] : 0.0f;
    return k;
}

FUNC coefs_f finish_channel(const node_f root, ulong c, const struct clnorm_finish *p, const struct clnorm_offsets *at,
                            CHANNEL_BUFFERS)
{
    struct clnorm_stats r = save_stats(root, c, p, at, CHANNEL_ARGS);
    return coefs_of_stats(r, c, p, at, scale, shift);
}

/* The same from given statistics. */
FUNC coefs_f frozen_coefs(ulong c, const struct clnorm_finish *p, const struct clnorm_offsets *at,
                          const global float *scale, const global float *shift, const global float *mean,
                          const global float *variance)
{
    coefs_f k;
    float invstd = clnorm_rsqrt(variance[at->variance + c] + p->epsilon);
    k.hi = p->flags & CLNORM_HAS_MEAN ? mean[at->mean + c] : 0.0f;
    k.lo = 0.0f;
    k.factor = p->flags & CLNORM_HAS_SCALE ? mul_f(scale[at->scale + c], invstd) : invstd;
    k.shift = p->flags & CLNORM_HAS_SHIFT ? shift[at->shift + c] : 0.0f;
    return k;
}
#endif
