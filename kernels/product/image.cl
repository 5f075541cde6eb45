/* SPDX-License-Identifier: Apache-2.0 */
/* Where the positions of a kernel meet an image: for im2col.cl and col2im.cl. */
#include "product/block_types.cl"

/* Positions along a row at which column kx of the kernel is inside the image: from the first to before the last. */
FUNC ulong first_inside(const struct clnorm_images *g, ulong kx)
{
    ulong reach = kx * g->dilation_w;
    return reach >= g->pad_w ? 0u : (g->pad_w - reach + g->stride_w - 1u) / g->stride_w;
}

FUNC ulong last_inside(const struct clnorm_images *g, ulong kx)
{
    ulong reach = kx * g->dilation_w, edge = g->src_w + g->pad_w;
    return reach >= edge ? 0u : min((edge - reach + g->stride_w - 1u) / g->stride_w, g->dst_w);
}
