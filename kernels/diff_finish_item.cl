/* SPDX-License-Identifier: Apache-2.0 */
/* Stage two of the backward pass, a work-item a channel: the tree over the channel's partials, then the finish. */
#define BACKWARD 1
#include "begin.cl"
#include "trees.cl"
#include "channel.cl"

kernel void diff_finish_item(const global float *partial, global float *coef, struct clnorm_shape shape,
                             struct clnorm_finish finish, struct clnorm_offsets at, CHANNEL_BUFFERS)
{
    ulong c = get_global_id(0);
    if (c >= shape.c)
        return;
    partial += at.partial;
    coef += at.coef;
    item_f stack[CLNORM_TREE_LEVELS + 1u];
    for (uint b = 0u; b < shape.blocks; b++)
        tree_push_f(stack, NO_TREE, 0u, b, partial_load(partial, &shape, b, c));
    coefs_store(coef, shape.c, c,
                finish_channel(tree_close_f(stack, NO_TREE, 0u, shape.blocks), c, &finish, &at, CHANNEL_ARGS));
}
