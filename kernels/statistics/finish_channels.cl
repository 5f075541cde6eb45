/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage two of groups of channels, forward and BACKWARD, a work-item a group: the channels' roots, which are their first partials, merge
 * pairwise like neighbours in the tree, then the finish. Backward they do so times scale, and each channel's own give the gradients of
 * its scale and shift.
 */
#if BACKWARD
#define WEIGHTED 1
#endif
#include "common/begin.cl"
#include "common/trees.cl"
#include "statistics/channel.cl"

kernel void finish_channels(const global float *partial, ulong partial_offset, global float *coef, ulong coef_offset,
                            struct clnorm_shape shape, TREE_PARAMETER uint channels, struct clnorm_finish finish,
                            struct clnorm_offsets offsets, CHANNEL_BUFFERS)
{
    TREE_OF_PARAMETER(tree);
    item_f stack[CLNORM_TREE_LEVELS + 1u], item;
    coefs_f k;
    const ulong q = get_global_id(0), groups = shape.c / channels, first = q * channels;
    if (q >= groups)
        return;
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    coef += coef_offset + SAMPLE_GROUP * shape.c;
#if BACKWARD
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    const float invstd = spread[at.spread + first];
    struct clnorm_diff diff;
    for (uint j = 0u; j < channels; j++) {
        const float weight = finish.flags & CLNORM_HAS_SCALE ? scale[at.scale + first + j] : 1.0f;
        item = partial_load(partial, &shape, 0u, first + j);
        diff = clnorm_finish_diff(item, invstd, finish.rm_hi, finish.rm_lo);
        save_gradients(diff, first + j, &finish, &at, diff_scale, diff_shift);
        item.g = pair_scale_f(item.g, weight);
        item.gd = pair_scale_f(item.gd, weight);
        tree_push_f(stack, tree, 0u, j, item);
    }
    item = tree_close_f(stack, tree, 0u, channels);
    diff = clnorm_finish_diff(item, invstd, finish.rm_hi, finish.rm_lo);
    k.factor = invstd;
    k.hi = finish.flags & CLNORM_HAS_MEAN ? mean[at.mean + first] : 0.0f;
    k.lo = finish.flags & CLNORM_HAS_SAVE_MEAN_LOW ? mean_low[at.mean_low + first] : 0.0f;
    k.magnify = clnorm_diff_magnify(invstd);
    k.slope = diff.slope;
    k.grad_hi = diff.grad_hi;
    k.grad_lo = diff.grad_lo;
    for (uint j = 0u; j < channels; j++) {
        k.weight = finish.flags & CLNORM_HAS_SCALE ? scale[at.scale + first + j] : 1.0f;
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, first + j, k);
    }
#else
    const struct clnorm_offsets at = at_group(offsets, groups);
    for (uint j = 0u; j < channels; j++) {
        item = partial_load(partial, &shape, 0u, first + j);
        tree_push_f(stack, tree, 0u, j, item);
    }
    item = tree_close_f(stack, tree, 0u, channels);
    const struct clnorm_stats r = save_stats(item, q, &finish, &at, CHANNEL_ARGS);
    for (uint j = 0u; j < channels; j++) {
        k = coefs_of_stats(r, first + j, &finish, &at, scale, shift);
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, first + j, k);
    }
#endif
}
