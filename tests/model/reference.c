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

int reference_forward_training(const clnorm_desc *desc, const struct reference_forward *args)
{
    double m = (double)(desc->n * desc->s);
    for (uint64_t c = 0; m > 0 && c < desc->c; c++) {
        struct channel k = channel_at(desc, c);
        double sum = 0, low = 0, squares = 0, squares_low = 0, pivot = args->src[k.start];
        /* From the first value on: a mean far above the deviation costs no digits of it. */
        EACH_VALUE(k, at) add(&sum, &low, args->src[at] - pivot);
        double mean = (sum + low) / m;
        EACH_VALUE(k, at)
        {
            double d = (args->src[at] - pivot) - mean;
            add(&squares, &squares_low, d * d);
        }
        double variance = (squares + squares_low) / m;
        double factor = variance + desc->epsilon > 0 ? 1 / sqrt(variance + (double)desc->epsilon) : 0;
        factor *= args->scale ? args->scale[c] : 1;
        if (args->mean)
            args->mean[c] = pivot + mean;
        if (args->variance)
            args->variance[c] = variance;
        if (!args->dst)
            continue;
        EACH_VALUE(k, at)
        {
            double y = ((args->src[at] - pivot) - mean) * factor + (args->shift ? args->shift[c] : 0);
            args->dst[at] = activated(&desc->activation, y + (args->residual ? args->residual[at] : 0));
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
    double m = (double)(desc->n * desc->s);
    for (uint64_t c = 0; c < desc->c; c++) {
        struct channel k = channel_at(desc, c);
        double spread = args->variance[c] + (double)desc->epsilon;
        double invstd = spread > 0 ? 1 / sqrt(spread) : 0, scale = args->scale ? args->scale[c] : 1;
        double g = 0, g_low = 0, gd = 0, gd_low = 0;
        EACH_VALUE(k, at)
        {
            double grad = gradient(desc, args, at);
            add(&g, &g_low, grad);
            if (args->src)
                add(&gd, &gd_low, grad * (args->src[at] - args->mean[c]));
            if (args->diff_residual)
                args->diff_residual[at] = grad;
        }
        g += g_low;
        gd += gd_low;
        if (args->diff_shift)
            args->diff_shift[c] = g;
        if (args->diff_scale)
            args->diff_scale[c] = gd * invstd;
        if (!args->diff_src)
            continue;
        EACH_VALUE(k, at)
        {
            double centred = args->frozen ? 0 : g / m + (args->src[at] - args->mean[c]) * invstd * invstd * gd / m;
            args->diff_src[at] = scale * invstd * (gradient(desc, args, at) - centred);
        }
    }
    return 0;
}
