/* SPDX-License-Identifier: Apache-2.0 */
/* A block's forward pass in float64, as the textbook has it: loops over the output, the kernel inside. */
#include <math.h>
#include <stddef.h>

#include "activation.h"
#include "block_model.h"

static double convolve(const clnorm_block_desc *d, const double *image, const double *kernel, uint64_t oy, uint64_t ox)
{
    double sum = 0;

    for (uint64_t c = 0; c < d->src_c; c++)
        for (uint64_t y = 0; y < d->kernel_h; y++)
            for (uint64_t x = 0; x < d->kernel_w; x++) {
                uint64_t py = oy * d->stride_h + y * d->dilation_h, px = ox * d->stride_w + x * d->dilation_w;

                if (py < d->pad_h || px < d->pad_w || py - d->pad_h >= d->src_h || px - d->pad_w >= d->src_w)
                    continue;
                sum += kernel[(c * d->kernel_h + y) * d->kernel_w + x] *
                       image[(c * d->src_h + py - d->pad_h) * d->src_w + px - d->pad_w];
            }
    return sum;
}

/* Statistics of channel c over the batch. */
static void statistics(const clnorm_block_desc *d, uint64_t positions, const double *product, uint64_t c, double *mean,
                       double *variance)
{
    double count = (double)(d->n * positions);

    *mean = *variance = 0;
    for (uint64_t n = 0; n < d->n; n++)
        for (uint64_t p = 0; p < positions; p++)
            *mean += product[(n * d->dst_c + c) * positions + p] / count;
    for (uint64_t n = 0; n < d->n; n++)
        for (uint64_t p = 0; p < positions; p++) {
            double away = product[(n * d->dst_c + c) * positions + p] - *mean;

            *variance += away * away / count;
        }
}

void reference_block_forward(const clnorm_block_desc *d, const struct reference_block *a)
{
    uint64_t h = 0, w = 0;

    clnorm_get_block_dst_size(d, &h, &w);
    for (uint64_t c = 0; c < d->dst_c; c++) {
        double mean = 0, variance = 1, factor = 1, shift = 0;

        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t p = 0; p < h * w; p++)
                a->product[(n * d->dst_c + c) * h * w + p] =
                    (a->bias ? a->bias[c] : 0) + convolve(d, a->src + n * d->src_c * d->src_h * d->src_w,
                                                          a->weights + c * d->src_c * d->kernel_h * d->kernel_w, p / w,
                                                          p % w);
        if (!(d->flags & CLNORM_BLOCK_PLAIN)) {
            statistics(d, h * w, a->product, c, &mean, &variance);
            mean = a->given_mean ? a->given_mean[c] : mean;
            variance = a->given_variance ? a->given_variance[c] : variance;
            factor = (a->scale ? a->scale[c] : 1) / sqrt(variance + (double)d->epsilon);
            shift = a->shift ? a->shift[c] : 0;
        }
        if (a->mean)
            a->mean[c] = mean;
        if (a->variance)
            a->variance[c] = variance;
        for (uint64_t n = 0; n < d->n; n++)
            for (uint64_t p = 0; p < h * w; p++) {
                uint64_t i = (n * d->dst_c + c) * h * w + p;
                double y = (a->product[i] - mean) * factor + shift;

                a->dst[i] = activated(&d->activation, y);
            }
    }
}
