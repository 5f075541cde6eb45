/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient before an activation, from dst. */
#include "common/begin.cl"
#include "common/activation.cl"
#include "product/block_types.cl"

kernel void mask(const global elem *diff_dst, const global elem *dst, global elem *diff_src, struct clnorm_rows r)
{
    ulong begin = get_global_id(0) * r.chunk;
    if (begin >= r.length)
        return;
    uint n = (uint)min(r.chunk, r.length - begin), i = 0u;
    diff_dst += r.src_at + begin;
    dst += r.bias_at + begin;
    diff_src += r.dst_at + begin;
    for (; i + VEC <= n; i += VEC) {
        vec y = GET_V(dst + i);
        y = gate_v(GET_V(diff_dst + i), y, r.slope, r.cap);
        PUT_V(y, diff_src + i);
    }
    for (; i < n; i++)
        PUT(gate_f(GET(diff_dst + i), GET(dst + i), r.slope, r.cap), diff_src + i);
}
