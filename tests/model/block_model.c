/* SPDX-License-Identifier: Apache-2.0 */
#include "block_model.h"
#include "activation.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

/* Number of the element of one image that weight (c, y, x) meets at position (oy, ox), or -1 outside. */
static int64_t meets(const clnorm_block_desc *d, uint64_t c, uint64_t y, uint64_t x, uint64_t oy, uint64_t ox)
{
    int64_t iy = (int64_t)(oy * d->stride_h + y * d->dilation_h) - (int64_t)d->pad_h;
    int64_t ix = (int64_t)(ox * d->stride_w + x * d->dilation_w) - (int64_t)d->pad_w;

    if (iy < 0 || ix < 0 || iy >= (int64_t)d->src_h || ix >= (int64_t)d->src_w)
        return -1;
    return ((int64_t)c * (int64_t)d->src_h + iy) * (int64_t)d->src_w + ix;
}

struct sizes {
    uint64_t h, w, positions, terms, image;
};

static struct sizes sizes_of(const clnorm_block_desc *d)
{
    struct sizes s = {0, 0, 0, d->src_c * d->kernel_h * d->kernel_w, d->src_c * d->src_h * d->src_w};

    clnorm_get_block_dst_size(d, &s.h, &s.w);
    s.positions = s.h * s.w;
    return s;
}

/* What term k meets at position p of an image: 0 where there is no element. */
static float column(const clnorm_block_desc *d, const struct sizes *s, const float *image, uint64_t k, uint64_t p)
{
    uint64_t x = k % d->kernel_w, y = k / d->kernel_w % d->kernel_h, c = k / d->kernel_w / d->kernel_h;
    int64_t at = meets(d, c, y, x, p / s->w, p % s->w);

    return at < 0 ? 0.0f : image[at];
}

void model_block_product(const clnorm_block_desc *d, const float *src, const float *weights, const float *bias,
                         float *product)
{
    struct sizes s = sizes_of(d);

    for (uint64_t n = 0; n < d->n; n++)
        for (uint64_t c = 0; c < d->dst_c; c++)
            for (uint64_t p = 0; p < s.positions; p++) {
                float sum = bias ? bias[c] : 0.0f;

                for (uint64_t k = 0; k < s.terms; k++)
                    sum = fmaf(weights[c * s.terms + k], column(d, &s, src + n * s.image, k, p), sum);
                product[(n * d->dst_c + c) * s.positions + p] = sum;
            }
}

void model_block_diff_weights(const clnorm_block_desc *d, const float *diff, const float *src, float *diff_weights)
{
    struct sizes s = sizes_of(d);
    uint64_t chunk = s.positions > 1 ? 1 : 64;

    while (s.positions > 1 && 2 * chunk * s.positions <= 1024)
        chunk *= 2;
    const uint64_t chunks = (d->n + chunk - 1) / chunk;
    float *sums = malloc((chunks + 1) * sizeof(float));

    if (!sums)
        abort();
    for (uint64_t c = 0; c < d->dst_c; c++)
        for (uint64_t k = 0; k < s.terms; k++) {
            sums[0] = 0;
            for (uint64_t n = 0; n < d->n; n++) {
                float *sum = &sums[n / chunk];

                if (n % chunk == 0)
                    *sum = 0;
                for (uint64_t p = 0; p < s.positions; p++)
                    *sum =
                        fmaf(diff[(n * d->dst_c + c) * s.positions + p], column(d, &s, src + n * s.image, k, p), *sum);
            }
            for (uint64_t span = 1; span < chunks; span *= 2)
                for (uint64_t i = 0; i + span < chunks; i += 2 * span)
                    sums[i] += sums[i + span];
            diff_weights[c * s.terms + k] = sums[0];
        }
    free(sums);
}

void model_block_diff_src(const clnorm_block_desc *d, const float *diff, const float *weights, float *diff_src)
{
    struct sizes s = sizes_of(d);

    for (uint64_t i = 0; i < d->n * s.image; i++)
        diff_src[i] = 0;
    /* Rising k adds to an element in rising (y, x) of the kernel, once for each. */
    for (uint64_t n = 0; n < d->n; n++)
        for (uint64_t k = 0; k < s.terms; k++)
            for (uint64_t p = 0; p < s.positions; p++) {
                uint64_t x = k % d->kernel_w, y = k / d->kernel_w % d->kernel_h, sc = k / d->kernel_w / d->kernel_h;
                int64_t at = meets(d, sc, y, x, p / s.w, p % s.w);
                float sum = 0;

                if (at < 0)
                    continue;
                for (uint64_t c = 0; c < d->dst_c; c++)
                    sum = fmaf(weights[c * s.terms + k], diff[(n * d->dst_c + c) * s.positions + p], sum);
                diff_src[n * s.image + (uint64_t)at] += sum;
            }
}

void model_activate(clnorm_activation activation, uint64_t count, const float *src, float *dst)
{
    for (uint64_t i = 0; i < count; i++)
        dst[i] = activated_f(&activation, src[i]);
}

void model_activate_diff(clnorm_activation activation, uint64_t count, const float *diff_dst, const float *dst,
                         float *diff_src)
{
    for (uint64_t i = 0; i < count; i++)
        diff_src[i] = is_active(&activation) ? gated_f(&activation, diff_dst[i], dst[i]) : diff_dst[i];
}

clnorm_desc model_block_norm(const clnorm_block_desc *d)
{
    clnorm_desc norm = {.n = d->n, .c = d->dst_c, .s = sizes_of(d).positions};

    norm.layout = CLNORM_CHANNELS_FIRST;
    norm.type = d->type;
    norm.epsilon = d->epsilon;
    norm.activation = d->activation;
    return norm;
}
