/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/stats.h"

#include "plan/arithmetic.h"
#include "plan/check.h"
#include "plan/leaves.h"

/* Smallest l with 2^l >= x. */
static unsigned ceil_log2(uint64_t x)
{
    unsigned l = 0;
    while (l < 63 && ((uint64_t)1 << l) < x)
        l++;
    return l;
}

/* Rows shorter than a vector: so many channels that theirs make a line of most caches. */
clnorm_u32 clnorm__channels_side(const clnorm_desc *desc, const struct clnorm__device *device)
{
    if (clnorm__is_last(desc) || desc->s >= device->vector || device->loop_limit)
        return 1;
    return (clnorm_u32)least(least(64 / clnorm_type_bytes(desc->type) / desc->s, CLNORM_SIDE), desc->c);
}

/* ---- blocks ---- */

/*
 * Work-items of stage one side by side, for the channels: a span each for kernels of CPU-like devices, channels-last, the last one with
 * the channels that fill no vector behind it.
 */
static uint64_t stats_items(const struct clnorm__variant *v, const struct clnorm__device *device,
                            const struct clnorm_shape *shape, int last)
{
    const uint64_t channels = shape->c;
    if (v->kind == CLNORM__CPU_LIKE && last)
        return channels > device->vector ? (channels - device->vector) / CLNORM_SPAN(device->vector) + 1 : 1;
    if (v->kind == CLNORM__GPU_LIKE && last)
        return ceil_div(channels, v->width);
    return v->kind == CLNORM__CPU_LIKE ? ceil_div(channels, shape->side) : channels;
}

/*
 * Leaves a block: as many as leave enough work-items (or work-groups) for the device to balance, within what the variant can
 * do, and with what is above the block within one launch. A part's blocks are subtrees of the whole batch's tree.
 */
static unsigned choose_block(const struct clnorm__variant *v, const struct clnorm__device *device,
                             const struct clnorm_shape *shape, const struct clnorm__part *part, int last)
{
    uint64_t items = stats_items(v, device, shape, last);
    uint64_t wanted = ceil_div(device->compute_units * clnorm__tuned(device, CLNORM__STATS_ITEMS), items);
    const unsigned able_log2 = clnorm__variant_most_log2(v, device);
    const unsigned most_log2 = part && part->aligned_log2 < able_log2 ? part->aligned_log2 : able_log2;
    unsigned height = part ? part->most_level : ceil_log2(shape->leaves);
    unsigned log2 = v->least_log2 < most_log2 ? v->least_log2 : most_log2;
    while (log2 < most_log2 && (shape->leaves >> (log2 + 1)) >= wanted && log2 < height)
        log2++;
    if (height > CLNORM_TREE_LEVELS && log2 + CLNORM_TREE_LEVELS < height)
        log2 = height - CLNORM_TREE_LEVELS;
    return log2;
}

static void launch_stats(const struct clnorm__device *device, int last, struct clnorm__plan *plan)
{
    const struct clnorm__variant *v = plan->stats.variant;
    struct clnorm__launch *l = &plan->stats;
    uint64_t items = stats_items(v, device, &plan->shape, last);
    l->dims = 1;
    l->local[0] = v->work_group ? v->work_group : clnorm__free_group(device);
    l->global[0] = items * plan->shape.blocks * (v->work_group ? v->work_group : 1);
    l->global[0] = ceil_div(l->global[0], l->local[0]) * l->local[0];
}

/* ---- variants and workspace ---- */

/*
 * Partials of stage one, at most: a caller's workspace must do for every row that may yet take the chosen one's place, so unusable
 * rows count as well.
 */
static uint64_t most_partials(enum clnorm__step step, int last, const struct clnorm__device *device,
                              const struct clnorm__filter *filter, const struct clnorm_shape *shape,
                              const struct clnorm__part *part)
{
    uint64_t blocks = 0;
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        if (v->step == step && (!filter->steps[step] || filter->named[i]) &&
            !clnorm__variant_refusal(v, device, last, shape->leaves))
            blocks = most(blocks, ceil_div(shape->leaves, (uint64_t)1 << choose_block(v, device, shape, part, last)));
    }
    return blocks;
}

/* Stage one and what it leaves in the workspace. */
static int choose_stats(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                        const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    const int backward = clnorm__is_backward(ask);
    int last = clnorm__is_last(desc);
    const enum clnorm__step step = backward ? CLNORM__DIFF_STATS : CLNORM__STATS;
    const struct clnorm__variant *v = clnorm__variant_choose(step, device, filter, last, plan->shape.leaves);
    if (!v)
        return clnorm__plan_refuse(device, why, why_size, "stats");
    plan->stats.variant = v;
    plan->stats.form = CLNORM__FORM(last, 0);
    plan->shape.block_log2 = choose_block(v, device, &plan->shape, ask->part, last);
    plan->shape.blocks = (clnorm_u32)ceil_div(plan->shape.leaves, (uint64_t)1 << plan->shape.block_log2);
    plan->workspace += (backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS) *
                       most_partials(step, last, device, filter, &plan->shape, ask->part) * desc->c *
                       most(ask->groups, 1);
    return CLNORM_SUCCESS;
}

/* Stage two, with what makes roots of partials for it where channels are to be merged. Returns whether all of it fits. */
static int choose_finish(int last, int backward, const struct clnorm__device *device,
                         const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    const uint64_t blocks = plan->shape.blocks, channels = plan->channels.leaves;
    const enum clnorm__step plain = backward ? CLNORM__DIFF_FINISH : CLNORM__FINISH;
    const enum clnorm__step merging = backward ? CLNORM__DIFF_FINISH_CHANNELS : CLNORM__FINISH_CHANNELS;
    const int is_merging = channels > 1;
    plan->finish.variant =
        clnorm__variant_choose(is_merging ? merging : plain, device, filter, last, is_merging ? channels : blocks);
    if (!is_merging || blocks == 1)
        return plan->finish.variant != NULL;
    plan->roots.variant =
        clnorm__variant_choose(backward ? CLNORM__DIFF_ROOTS : CLNORM__ROOTS, device, filter, last, blocks);
    plan->roots.form = CLNORM__FORM(last, 0);
    return plan->finish.variant != NULL && plan->roots.variant != NULL;
}

/* In the place of stage two, of a part: the nodes that it sends. */
static int plan_nodes(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc);
    const enum clnorm__step step = clnorm__is_backward(ask) ? CLNORM__DIFF_NODES : CLNORM__NODES;
    const unsigned levels =
        ask->part->most_level > plan->shape.block_log2 ? ask->part->most_level - plan->shape.block_log2 : 0;
    uint64_t rows, period;
    clnorm_desc tree = *desc;
    struct clnorm_shape shape;
    tree.n = ask->part->samples;
    const uint64_t leaves = clnorm__count_leaves(&tree, &rows, &period);
    clnorm__shape_leaves(&tree, rows, leaves, period, &shape);
    /* Blocks have numbers of their own, the first of them 0, and none of their merges is the batch's last but at the batch's end. */
    clnorm__fill_tree(&shape, 0, &plan->low);
    plan->low.leaves -= (clnorm_u32)ask->part->first;
    clnorm__fill_tree(&shape, plan->shape.block_log2, &plan->high);
    plan->nodes.variant =
        clnorm__variant_choose(step, device, filter, last, least(plan->shape.blocks, (uint64_t)1 << levels));
    plan->nodes.form = CLNORM__FORM(0, 0);
    plan->part = *ask->part;
    return plan->nodes.variant != NULL;
}

int clnorm__plan_stats(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    const int last = clnorm__is_last(desc), status = choose_stats(desc, ask, device, filter, plan, why, why_size);
    if (status != CLNORM_SUCCESS)
        return status;
    if (ask->part) {
        if (!plan_nodes(desc, ask, device, filter, plan))
            return clnorm__plan_refuse(device, why, why_size, "nodes");
    } else {
        if (!choose_finish(last, clnorm__is_backward(ask), device, filter, plan))
            return clnorm__plan_refuse(device, why, why_size, "finish");
        plan->finish.form = CLNORM__FORM(last, 0);
        clnorm__fill_tree(&plan->shape, 0, &plan->low);
        clnorm__fill_tree(&plan->shape, plan->shape.block_log2, &plan->high);
    }
    launch_stats(device, last, plan);
    return CLNORM_SUCCESS;
}

int clnorm__plan_finish(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                        const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    const int last = clnorm__is_last(desc);
    plan->shape.block_log2 = 0;
    plan->shape.blocks = 1;
    if (!choose_finish(last, clnorm__is_backward(ask), device, filter, plan))
        return clnorm__plan_refuse(device, why, why_size, "finish");
    plan->finish.form = CLNORM__FORM(last, 0);
    clnorm__fill_tree(&plan->shape, 0, &plan->high);
    return CLNORM_SUCCESS;
}

/*
 * Backward without diff_src takes several launches where backward with it takes one, and so does a device that cannot run the fused
 * variant after all. The workspace is to be the same, so that a caller may ask for less than was planned for.
 */
void clnorm__reserve_partials(const clnorm_desc *desc, const struct clnorm__ask *ask,
                              const struct clnorm__device *device, const struct clnorm__filter *filter,
                              struct clnorm__plan *plan)
{
    struct clnorm__plan other = *plan;
    char why[CLNORM__WHY];
    if (choose_stats(desc, ask, device, filter, &other, why, sizeof why) == CLNORM_SUCCESS)
        plan->workspace = other.workspace;
}
