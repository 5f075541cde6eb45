/* SPDX-License-Identifier: Apache-2.0 */
/* Backward training of channels-last tensors in one launch, for CPU-like devices: see fused_cl_item.cl. */
#define BACKWARD 1
#define CHANNELS_LAST 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "store.cl"
#include "diff_leaf.cl"
#include "channel.cl"
#include "diff_columns_types.cl"

/* Channel number j of the vector's channels. */
sums_f sums_of(const item_v *sums, uint j)
{
    sums_f r;
    r.g.hi = ((const float *)&sums->g.hi)[j];
    r.g.lo = ((const float *)&sums->g.lo)[j];
    r.gd.hi = ((const float *)&sums->gd.hi)[j];
    r.gd.lo = ((const float *)&sums->gd.lo)[j];
    return r;
}

/* The last step on the columns of vecs vectors. */
void apply_columns(const global float *src, const global float *diff_dst, global float *diff_src,
                   const struct clnorm_shape *shape, uint vecs, const coefs_v *coefs, int stream)
{
    ulong rows = shape->n * shape->s;
    for (ulong row = 0u; row < rows; row++, src += shape->c, diff_dst += shape->c, diff_src += shape->c) {
        for (uint v = 0u; v < vecs; v++) {
            vec dx = apply_v(VEC_LOAD(global, src + v * VEC), VEC_LOAD(global, diff_dst + v * VEC), coefs[v]);
            if (stream)
                STREAM_STORE(dx, diff_src + v * VEC);
            else
                VEC_STORE(global, dx, diff_src + v * VEC);
        }
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
diff_fused_cl_item(const global float *src, ulong src_offset, const global float *diff_dst, ulong diff_dst_offset,
                   global float *diff_src, ulong diff_src_offset, struct clnorm_shape shape, struct clnorm_cut cut,
                   struct clnorm_finish finish, struct clnorm_offsets at, CHANNEL_BUFFERS)
{
    item_v roots[WIDE_VECS];
    coefs_v coefs[WIDE_VECS];
    struct centre_v centre[WIDE_VECS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    src += src_offset;
    diff_dst += diff_dst_offset;
    diff_src += diff_src_offset;
    int stream = cut.stream && shape.c % VEC == 0u && until_aligned(diff_src, VEC) == 0u;
    while (c < end) {
        uint wide = groups_of(end - c, (uint)cut.chunk / (4u * VEC)), vecs = wide             ? wide * 4u
                                                                             : c + VEC <= end ? 1u
                                                                                              : 0u;
        for (uint j = 0u; j < vecs * VEC; j++)
            centre_put(&centre[j / VEC], j % VEC, FUSED_CENTRE(c + j));
        if (wide)
            diff_block_4(src, diff_dst, &shape, 0u, shape.leaves, c, wide, centre, roots);
        else if (vecs)
            diff_block_1(src, diff_dst, &shape, 0u, shape.leaves, c, 1u, centre, roots);
        for (uint j = 0u; j < vecs * VEC; j++)
            coefs_put(&coefs[j / VEC], j % VEC,
                      finish_channel(sums_of(&roots[j / VEC], j % VEC), c + j, &finish, &at, CHANNEL_ARGS));
        apply_columns(src + c, diff_dst + c, diff_src + c, &shape, vecs, coefs, stream);
        c += vecs * VEC;
        if (vecs == 0u) {
            item_f root = diff_block_f(src, diff_dst, &shape, 0u, shape.leaves, c, FUSED_CENTRE(c));
            coefs_f k = finish_channel(root, c, &finish, &at, CHANNEL_ARGS);
            for (ulong i = c; i < shape.n * shape.s * shape.c; i += shape.c)
                diff_src[i] = apply_f(src[i], diff_dst[i], k);
            c++;
        }
    }
}
