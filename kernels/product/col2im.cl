/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adds the gradients of columns up to the gradient of images. Every element gathers what its weights met, in rising ky and kx, so
 * that the sum's order is fixed. A work-item takes `chunk` elements of rows_per_item rows, each one channel of one image.
 */
#include "common/begin.cl"
#include "product/image.cl"

#define PIECE 64u /* elements that are summed up at a time */

/* sums[i * stride] += src[i] for n elements. */
FUNC void add_strided(const global float *src, float *sums, ulong stride, ulong n)
{
    ulong i = 0u;
    if (stride == 1u)
        for (; i + VEC <= n; i += VEC)
            VEC_STORE(private, VEC_LOAD(private, sums + i) + VEC_LOAD(global, src + i), sums + i);
    for (; i < n; i++)
        sums[i * stride] += src[i];
}

/* Columns [from, to) of row y of the image, at most PIECE. columns: of the channel's first weight and the image's first position. */
FUNC void scatter_row(const global float *columns, global elem *dst, const struct clnorm_images *g, ulong y, ulong from,
                      ulong to)
{
    const ulong positions = g->dst_h * g->dst_w, n = to - from;
    float sums[PIECE];
    for (uint i = 0u; i < n; i++)
        sums[i] = 0.0f;
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
                            sums + (first * g->stride_w + left - low), g->stride_w, last - first);
        }
    }
    ulong i = 0u;
    for (; i + VEC <= n; i += VEC)
        PUT_V(VEC_LOAD(private, sums + i), dst + i);
    for (; i < n; i++)
        PUT(sums[i], dst + i);
}

kernel void col2im(const global float *columns, global elem *diff_src, struct clnorm_images g)
{
    ulong size = g.src_h * g.src_w, chunks = (size + g.chunk - 1u) / g.chunk;
    ulong begin = get_global_id(0) % chunks * g.chunk, end = min(begin + g.chunk, size);
    ulong row = get_global_id(0) / chunks * g.rows_per_item, last = min(row + g.rows_per_item, g.samples * g.src_c);
    for (; row < last; row++) {
        ulong sample = row / g.src_c, c = row % g.src_c;
        const global float *mine =
            columns + g.columns_at + (c * g.kernel_h * g.kernel_w * g.samples + sample) * g.dst_h * g.dst_w;
        global elem *image = diff_src + g.image_at + row * size;
        for (ulong i = begin; i < end;) {
            ulong y = i / g.src_w, x = i % g.src_w, n = min(min(g.src_w - x, end - i), (ulong)PIECE);
            scatter_row(mine, image + i, &g, y, x, x + n);
            i += n;
        }
    }
}
