/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient before an activation: diff_dst where dst is not 0 or less, 0 elsewhere. A NaN of dst lets it pass. */
#include "common/begin.cl"
#include "product/block_types.cl"

kernel void mask(const global float *diff_dst, const global float *dst, global float *diff_src, struct clnorm_rows r)
{
    ulong begin = get_global_id(0) * r.chunk;
    if (begin >= r.length)
        return;
    uint n = (uint)min(r.chunk, r.length - begin), i = 0u;
    diff_dst += r.src_at + begin;
    dst += r.bias_at + begin;
    diff_src += r.dst_at + begin;
    for (; i + VEC <= n; i += VEC) {
        vec y = VEC_LOAD(global, dst + i);
        VEC_STORE(global, SELECT(VEC_LOAD(global, diff_dst + i), (vec)(0.0f), y <= 0.0f), diff_src + i);
    }
    for (; i < n; i++)
        diff_src[i] = SELECT(diff_dst[i], 0.0f, dst[i] <= 0.0f);
}
