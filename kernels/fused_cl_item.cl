/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward training of channels-last tensors in one launch, for CPU-like devices: a work-item takes a few neighbouring channels
 * from the first look to the last store, so that its later looks at src find it in a cache.
 */
#define BACKWARD 0
#define CHANNELS_LAST 1
#include "begin.cl"
#include "trees.cl"
#include "leaf.cl"
#include "store.cl"
#include "channel.cl"
#include "columns_types.cl"

/* Channel number j of the vector's channels. */
node_f node_of(const item_v *node, uint j)
{
    node_f r;
    r.mean.hi = ((const float *)&node->mean.hi)[j];
    r.mean.lo = ((const float *)&node->mean.lo)[j];
    r.m2.hi = ((const float *)&node->m2.hi)[j];
    r.m2.lo = ((const float *)&node->m2.lo)[j];
    r.down = ((const float *)&node->down)[j];
    return r;
}

/* The last step on the columns of vecs vectors. */
void apply_columns(const global float *src, global float *dst, const struct clnorm_shape *shape, uint vecs,
                   const coefs_v *coefs, int stream)
{
    ulong rows = shape->n * shape->s;
    for (ulong row = 0u; row < rows; row++, src += shape->c, dst += shape->c) {
        for (uint v = 0u; v < vecs; v++) {
            vec y = apply_v(VEC_LOAD(global, src + v * VEC), (vec)(0.0f), coefs[v]);
            if (stream)
                STREAM_STORE(y, dst + v * VEC);
            else
                VEC_STORE(global, y, dst + v * VEC);
        }
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
fused_cl_item(const global float *src, ulong src_offset, global float *dst, ulong dst_offset, struct clnorm_shape shape,
              struct clnorm_tree weights, struct clnorm_cut cut, struct clnorm_finish finish, struct clnorm_offsets at,
              CHANNEL_BUFFERS)
{
    TREE_BEGIN(tree, weights);
    item_v roots[WIDE_VECS];
    coefs_v coefs[WIDE_VECS];
    ulong c = get_global_id(0) * cut.rows_per_item, end = min(c + cut.rows_per_item, shape.c);
    src += src_offset;
    dst += dst_offset;
    int stream = cut.stream && shape.c % VEC == 0u && until_aligned(dst, VEC) == 0u;
    while (c < end) {
        uint wide = groups_of(end - c, (uint)cut.chunk / (4u * VEC)), vecs = wide             ? wide * 4u
                                                                             : c + VEC <= end ? 1u
                                                                                              : 0u;
        if (wide)
            reduce_block_4(src, &shape, &tree, 0u, shape.leaves, c, wide, roots);
        else if (vecs)
            reduce_block_1(src, &shape, &tree, 0u, shape.leaves, c, 1u, roots);
        for (uint j = 0u; j < vecs * VEC; j++)
            coefs_put(&coefs[j / VEC], j % VEC,
                      finish_channel(node_of(&roots[j / VEC], j % VEC), c + j, &finish, &at, CHANNEL_ARGS));
        apply_columns(src + c, dst + c, &shape, vecs, coefs, stream);
        c += vecs * VEC;
        if (vecs == 0u) {
            item_f root = reduce_block_f(src, &shape, &tree, 0u, shape.leaves, c);
            coefs_f k = finish_channel(root, c, &finish, &at, CHANNEL_ARGS);
            for (ulong i = c; i < shape.n * shape.s * shape.c; i += shape.c)
                dst[i] = apply_f(src[i], 0.0f, k);
            c++;
        }
    }
}
