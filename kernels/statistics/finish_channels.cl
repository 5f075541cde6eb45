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

#define CHANNELS const local struct clnorm_channel_tree *

/* Of two nodes of level `level`, a beginning with channel number `first` of the group. */
FUNC item_f merge_channels(const item_f a, const item_f b, CHANNELS t, uint level, uint first)
{
#if BACKWARD
    (void)t;
    (void)level;
    (void)first;
    return sums_merge_f(a, b);
#else
    const int is_last = first + (2u << level) >= t->channels;
    const float w = mul_f(t->even, (float)(1u << level));
    return node_merge_f(a, b, is_last ? t->f[level] : 0.5f, is_last ? t->w[level] : w);
#endif
}

/* The first channel of the merge of level `level` in which channel number `last` is. */
FUNC uint merge_start(uint last, uint level)
{
    return (last >> (level + 1u)) << (level + 1u);
}

FUNC void push_channel(item_f *stack, CHANNELS t, uint j, const item_f pushed)
{
    item_f item = pushed;
    uint level = 0u;
    for (; (j >> level) & 1u; level++)
        item = merge_channels(stack[level], item, t, level, merge_start(j, level));
    stack[level] = item;
}

FUNC item_f close_channels(const item_f *stack, CHANNELS t)
{
    uint level = 0u;
    while (!((t->channels >> level) & 1u))
        level++;
    item_f item = stack[level];
    for (level++; t->channels >> level; level++)
        if ((t->channels >> level) & 1u)
            item = merge_channels(stack[level], item, t, level, merge_start(t->channels, level));
    return item;
}

kernel void finish_channels(const global float *partial, ulong partial_offset, global float *coef, ulong coef_offset,
                            struct clnorm_shape shape, struct clnorm_channel_tree group, struct clnorm_finish finish,
                            struct clnorm_offsets offsets, CHANNEL_BUFFERS)
{
    local struct clnorm_channel_tree tree; /* see TREE */
    if (get_local_id(0) == 0u)
        tree = group;
    barrier(CLK_LOCAL_MEM_FENCE);
    item_f stack[CLNORM_TREE_LEVELS + 1u], item;
    coefs_f k;
    const ulong q = get_global_id(0), groups = shape.c / tree.channels, first = q * tree.channels;
    if (q >= groups)
        return;
    partial += partial_offset + SAMPLE_GROUP * shape.c;
    coef += coef_offset + SAMPLE_GROUP * shape.c;
#if BACKWARD
    const struct clnorm_offsets at = at_group(offsets, shape.c);
    const float invstd = spread[at.spread + first];
    struct clnorm_diff diff;
    for (uint j = 0u; j < tree.channels; j++) {
        const float weight = finish.flags & CLNORM_HAS_SCALE ? scale[at.scale + first + j] : 1.0f;
        item = partial_load(partial, &shape, 0u, first + j);
        diff = clnorm_finish_diff(item, invstd, finish.rm_hi, finish.rm_lo);
        save_gradients(diff, first + j, &finish, &at, diff_scale, diff_shift);
        item.g = pair_scale_f(item.g, weight);
        item.gd = pair_scale_f(item.gd, weight);
        push_channel(stack, &tree, j, item);
    }
    item = close_channels(stack, &tree);
    diff = clnorm_finish_diff(item, invstd, finish.rm_hi, finish.rm_lo);
    k.factor = invstd;
    k.hi = finish.flags & CLNORM_HAS_MEAN ? mean[at.mean + first] : 0.0f;
    k.lo = finish.flags & CLNORM_HAS_SAVE_MEAN_LOW ? mean_low[at.mean_low + first] : 0.0f;
    k.magnify = clnorm_diff_magnify(invstd);
    k.slope = diff.slope;
    k.grad_hi = diff.grad_hi;
    k.grad_lo = diff.grad_lo;
    for (uint j = 0u; j < tree.channels; j++) {
        k.weight = finish.flags & CLNORM_HAS_SCALE ? scale[at.scale + first + j] : 1.0f;
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, first + j, k);
    }
#else
    const struct clnorm_offsets at = at_group(offsets, groups);
    for (uint j = 0u; j < tree.channels; j++) {
        item = partial_load(partial, &shape, 0u, first + j);
        push_channel(stack, &tree, j, item);
    }
    item = close_channels(stack, &tree);
    const struct clnorm_stats r = save_stats(item, q, &finish, &at, CHANNEL_ARGS);
    for (uint j = 0u; j < tree.channels; j++) {
        k = coefs_of_stats(r, first + j, &finish, &at, scale, shift);
        coefs_store_f(coef, shape.c * SAMPLE_GROUPS, first + j, k);
    }
#endif
}
