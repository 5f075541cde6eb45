/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds the gradients of columns up to the gradient of images. Every element gathers what its weights met, in rising ky and kx, so
 * that the sum's order is fixed. A work-item takes `chunk` elements of rows_per_item rows, each one channel of one image.
 */
#include "common/begin.cl"
#include "product/image.cl"

/* dst[i * stride] += src[i] for n elements. */
FUNC void add_strided(const global float *src, global float *dst, ulong stride, ulong n)
{
    ulong i = 0u;
    if (stride == 1u)
        for (; i + VEC <= n; i += VEC)
            VEC_STORE(global, VEC_LOAD(global, dst + i) + VEC_LOAD(global, src + i), dst + i);
    for (; i < n; i++)
        dst[i * stride] += src[i];
}

/* Columns [from, to) of row y of the image. columns: of the channel's first weight and the image's first position. */
FUNC void scatter_row(const global float *columns, global float *dst, const struct clnorm_images *g, ulong y,
                      ulong from, ulong to)
{
    ulong positions = g->dst_h * g->dst_w;
    for (ulong x = from; x < to; x++)
        dst[x - from] = 0.0f;
    for (ulong ky = 0u; ky < g->kernel_h; ky++) {
        ulong reach = ky * g->dilation_h, row = y + g->pad_h - reach;
        if (reach > y + g->pad_h || row % g->stride_h != 0u || row / g->stride_h >= g->dst_h)
            continue;
        for (ulong kx = 0u; kx < g->kernel_w; kx++) {
            /* Position x meets image column x * stride + left - pad. */
            ulong left = kx * g->dilation_w;
            ulong low = from + g->pad_w, high = to + g->pad_w;
            ulong first = low > left ? (low - left + g->stride_w - 1u) / g->stride_w : 0u;
            ulong last = high > left ? min((high - left + g->stride_w - 1u) / g->stride_w, g->dst_w) : 0u;
            if (first < last)
                add_strided(columns + (ky * g->kernel_w + kx) * g->samples * positions + row / g->stride_h * g->dst_w +
                                first,
                            dst + (first * g->stride_w + left - low), g->stride_w, last - first);
        }
    }
}

kernel void col2im(const global float *columns, global float *diff_src, struct clnorm_images g)
{
    ulong size = g.src_h * g.src_w, chunks = (size + g.chunk - 1u) / g.chunk;
    ulong begin = get_global_id(0) % chunks * g.chunk, end = min(begin + g.chunk, size);
    ulong row = get_global_id(0) / chunks * g.rows_per_item, last = min(row + g.rows_per_item, g.samples * g.src_c);
    for (; row < last; row++) {
        ulong sample = row / g.src_c, c = row % g.src_c;
        const global float *mine =
            columns + g.columns_at + (c * g.kernel_h * g.kernel_w * g.samples + sample) * g.dst_h * g.dst_w;
        global float *image = diff_src + g.image_at + row * size;
        for (ulong i = begin; i < end;) {
            ulong y = i / g.src_w, x = i % g.src_w, n = min(g.src_w - x, end - i);
            scatter_row(mine, image + i, &g, y, x, x + n);
            i += n;
        }
    }
}
