/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The columns of images: row k of the result has, for every position of every image, the element that weight k of a channel meets
 * there, or 0 outside the image. A work-item takes `chunk` positions of rows_per_item rows, each of one weight and one image.
 */
#include "common/begin.cl"
#include "product/image.cl"

/* As they are: of other types than binary32 no number is made of them. */
#if TYPE == CLNORM_TYPE_FLOAT32
#define COPY_V(from, to) PUT_V(GET_V(from), to)
#elif defined(__clang__)
#define COPY_V(from, to) (*(global loose_elems *)(to) = *(const global loose_elems *)(from))
#else
#define COPY_V(from, to) PASTE(vstore, VEC)(PASTE(vload, VEC)(0, from), 0, to)
#endif

/* n elements at distances of stride. */
FUNC void copy_strided(const global elem *src, ulong stride, global elem *dst, ulong n)
{
    ulong i = 0u;
    if (stride == 1u)
        for (; i + VEC <= n; i += VEC)
            COPY_V(src + i, dst + i);
    for (; i < n; i++)
        dst[i] = src[i * stride];
}

FUNC void zero_run(global elem *dst, ulong n)
{
    for (ulong i = 0u; i < n; i++)
        dst[i] = 0; /* of every type */
}

/* Positions [from, to) of row y of dst's image, for the weight at (ky, kx). */
FUNC void gather_row(const global elem *image, global elem *dst, const struct clnorm_images *g, ulong ky, ulong kx,
                     ulong y, ulong from, ulong to)
{
    ulong src_y = y * g->stride_h + ky * g->dilation_h;
    if (src_y < g->pad_h || src_y - g->pad_h >= g->src_h) {
        zero_run(dst, to - from);
        return;
    }
    ulong first = clamp(first_inside(g, kx), from, to), last = clamp(last_inside(g, kx), first, to);
    zero_run(dst, first - from);
    if (first < last)
        copy_strided(image + (src_y - g->pad_h) * g->src_w + (first * g->stride_w + kx * g->dilation_w - g->pad_w),
                     g->stride_w, dst + (first - from), last - first);
    zero_run(dst + (last - from), to - last);
}

kernel void im2col(const global elem *src, global elem *columns, struct clnorm_images g)
{
    ulong positions = g.dst_h * g.dst_w, chunks = (positions + g.chunk - 1u) / g.chunk;
    ulong begin = get_global_id(0) % chunks * g.chunk, end = min(begin + g.chunk, positions);
    ulong row = get_global_id(0) / chunks * g.rows_per_item;
    ulong last = min(row + g.rows_per_item, g.src_c * g.kernel_h * g.kernel_w * g.samples);
    for (; row < last; row++) {
        ulong k = row / g.samples, sample = row % g.samples;
        ulong kx = k % g.kernel_w, ky = k / g.kernel_w % g.kernel_h, c = k / (g.kernel_w * g.kernel_h);
        const global elem *image = src + g.image_at + (sample * g.src_c + c) * g.src_h * g.src_w;
        global elem *out = columns + g.columns_at + row * positions;
        for (ulong p = begin; p < end;) {
            ulong y = p / g.dst_w, x = p % g.dst_w, n = min(g.dst_w - x, end - p);
            gather_row(image, out + p, &g, ky, kx, y, x, x + n);
            p += n;
        }
    }
}
