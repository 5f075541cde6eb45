/* SPDX-License-Identifier: Apache-2.0 */
/* Moves the rows of a tensor, or leaves them where they are, and on the way adds a bias and applies an activation. */
#include "common/begin.cl"
#include "common/activation.cl"
#include "product/block_types.cl"

/* One run of a row. bias: the run's, one for each element, or one for all. */
FUNC void move_run(const global elem *src, global elem *dst, uint n, const global float *bias, uint kind,
                   const struct clnorm_rows *r)
{
    uint i = 0u;
    for (; i + VEC <= n; i += VEC) {
        vec x = GET_V(src + i);
        if (kind != CLNORM_NO_BIAS)
            x += kind == CLNORM_ROW_BIAS ? (vec)(bias[0]) : VEC_LOAD(global, bias + i);
        if (r->is_active)
            x = activate_v(x, r->slope, r->cap);
        PUT_V(x, dst + i);
    }
    for (; i < n; i++) {
        float x = GET(src + i);
        if (kind != CLNORM_NO_BIAS)
            x += kind == CLNORM_ROW_BIAS ? bias[0] : bias[i];
        if (r->is_active)
            x = activate_f(x, r->slope, r->cap);
        PUT(x, dst + i);
    }
}

/* dst may be src, row by row. */
kernel void move_rows(const global elem *src, global elem *dst, const global float *bias, struct clnorm_rows r)
{
    ulong chunks = (r.length + r.chunk - 1u) / r.chunk;
    ulong begin = get_global_id(0) % chunks * r.chunk, row = get_global_id(0) / chunks * r.rows_per_item;
    ulong last = min(row + r.rows_per_item, r.rows);
    for (; row < last; row++) {
        ulong image = row / r.channels, channel = row % r.channels;
        move_run(src + r.src_at + image * r.src_image + channel * r.src_channel + begin,
                 dst + r.dst_at + image * r.dst_image + channel * r.dst_channel + begin,
                 (uint)min(r.chunk, r.length - begin), bias + r.bias_at + (r.bias == CLNORM_ROW_BIAS ? channel : begin),
                 r.bias, &r);
    }
}
