/* SPDX-License-Identifier: Apache-2.0 */
/* The textbook's formulas in float64, two passes, with sums compensated so that the reference itself is beyond doubt. */
#include "model.h"
#include "activation.h"

#include <math.h>
#include <stdlib.h>

struct channel {
    uint64_t c, rows, row_length, row_stride, start, step;
};

/* The values of a channel: rows of row_length values. */
static struct channel channel_at(const clnorm_desc *d, uint64_t c)
{
    struct channel k = {c, d->n, d->s, d->c * d->s, c * d->s, 1};
    if (d->layout == CLNORM_CHANNELS_LAST) {
        k.row_stride = d->s * d->c;
        k.start = c;
        k.step = d->c;
    }
    return k;
}

static void add(double *sum, double *low, double v)
{
    double t = *sum + v;
    *low += fabs(*sum) >= fabs(v) ? (*sum - t) + v : (v - t) + *sum;
    *sum = t;
}

#define EACH_VALUE(k, at)                                                                                              \
    for (uint64_t row = 0; row < (k).rows; row++)                                                                      \
        for (uint64_t i = 0, at = (k).start + row * (k).row_stride; i < (k).row_length; i++, at += (k).step)

/* The sums of a channel, or of the channels of a group, that are taken in one order. */
struct sum {
    double high, low;
};

int reference_forward_training(const clnorm_desc *desc, const struct reference_forward *args)
{
    const uint64_t group = desc->group_channels ? desc->group_channels : 1;
    double m = (double)(desc->n * desc->s * group);
    for (uint64_t q = 0; m > 0 && q < desc->c / group; q++) {
        struct sum sum = {0}, squares = {0};
        /* From the first value on: a mean far above the deviation costs no digits of it. */
        const double pivot = args->src[channel_at(desc, q * group).start];
        for (uint64_t c = q * group; c < (q + 1) * group; c++) {
            struct channel k = channel_at(desc, c);
            EACH_VALUE(k, at) add(&sum.high, &sum.low, args->src[at] - pivot);
        }
        const double mean = (sum.high + sum.low) / m;
        for (uint64_t c = q * group; c < (q + 1) * group; c++) {
            struct channel k = channel_at(desc, c);
            EACH_VALUE(k, at)
            {
                double d = (args->src[at] - pivot) - mean;
                add(&squares.high, &squares.low, d * d);
            }
        }
        const double variance = (squares.high + squares.low) / m;
        const double invstd = variance + desc->epsilon > 0 ? 1 / sqrt(variance + (double)desc->epsilon) : 0;
        if (args->mean)
            args->mean[q] = pivot + mean;
        if (args->variance)
            args->variance[q] = variance;
        for (uint64_t c = q * group; args->dst && c < (q + 1) * group; c++) {
            struct channel k = channel_at(desc, c);
            const double factor = invstd * (args->scale ? args->scale[c] : 1);
            EACH_VALUE(k, at)
            {
                double y = ((args->src[at] - pivot) - mean) * factor + (args->shift ? args->shift[c] : 0);
                args->dst[at] = activated(&desc->activation, y + (args->residual ? args->residual[at] : 0));
            }
        }
    }
    return 0;
}

/* The gradient before the activation. */
static double gradient(const clnorm_desc *desc, const struct reference_backward *args, uint64_t at)
{
    if (!is_active(&desc->activation))
        return args->diff_dst[at];
    return gated(&desc->activation, args->diff_dst[at], args->dst[at]);
}

int reference_backward(const clnorm_desc *desc, const struct reference_backward *args)
{
    const uint64_t group = desc->group_channels ? desc->group_channels : 1;
    double m = (double)(desc->n * desc->s * group);
    for (uint64_t q = 0; q < desc->c / group; q++) {
        const double spread = args->variance[q] + (double)desc->epsilon, invstd = spread > 0 ? 1 / sqrt(spread) : 0;
        struct sum all_g = {0}, all_gd = {0}; /* times scale */
        for (uint64_t c = q * group; c < (q + 1) * group; c++) {
            const double scale = args->scale ? args->scale[c] : 1;
            struct channel k = channel_at(desc, c);
            struct sum g = {0}, gd = {0};
            EACH_VALUE(k, at)
            {
                double grad = gradient(desc, args, at);
                add(&g.high, &g.low, grad);
                if (args->src)
                    add(&gd.high, &gd.low, grad * (args->src[at] - args->mean[q]));
                if (args->diff_residual)
                    args->diff_residual[at] = grad;
            }
            if (args->diff_shift)
                args->diff_shift[c] = g.high + g.low;
            if (args->diff_scale)
                args->diff_scale[c] = (gd.high + gd.low) * invstd;
            add(&all_g.high, &all_g.low, scale * (g.high + g.low));
            add(&all_gd.high, &all_gd.low, scale * (gd.high + gd.low));
        }
        const double grads = (all_g.high + all_g.low) / m, slope = invstd * invstd * (all_gd.high + all_gd.low) / m;
        for (uint64_t c = q * group; args->diff_src && c < (q + 1) * group; c++) {
            const double scale = args->scale ? args->scale[c] : 1;
            struct channel k = channel_at(desc, c);
            EACH_VALUE(k, at)
            {
                double centred = args->frozen ? 0 : grads + (args->src[at] - args->mean[q]) * slope;
                args->diff_src[at] = invstd * (scale * gradient(desc, args, at) - centred);
            }
        }
    }
    return 0;
}
