/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

#include "plan/apply.h"
#include "plan/arithmetic.h"
#include "plan/cache_share.h"
#include "plan/check.h"
#include "plan/fused.h"
#include "plan/leaves.h"
#include "plan/stats.h"

#define SPREAD_VECTORS 3 /* of c elements: mean, mean_low, and the deviation or variance */

static void launch_channels(const struct clnorm__device *device, uint64_t channels, struct clnorm__launch *l)
{
    l->dims = 1;
    if (l->variant->work_group == 1)
        channels = ceil_div(channels, device->vector);
    l->local[0] = l->variant->work_group ? l->variant->work_group : clnorm__free_group(device);
    l->global[0] = l->variant->work_group ? channels * l->local[0] : ceil_div(channels, l->local[0]) * l->local[0];
}

/* Statistics that are given for groups of channels, to each channel. Returns whether a variant fits. */
static int plan_spread(const clnorm_desc *desc, uint64_t groups, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    plan->partial_at += SPREAD_VECTORS * desc->c * groups;
    plan->spread_group = clnorm__channel_group(desc);
    plan->spread.variant = clnorm__variant_choose(CLNORM__SPREAD, device, filter, clnorm__is_last(desc), 1);
    if (plan->spread.variant)
        launch_channels(device, desc->c, &plan->spread);
    return plan->spread.variant != NULL;
}

/* The last step, from coefficients. */
static int plan_apply(const clnorm_desc *desc, const struct clnorm__ask *ask, uint64_t leaves,
                      const struct clnorm__device *device, const struct clnorm__filter *filter,
                      struct clnorm__plan *plan, char *why, size_t why_size)
{
    const int last = clnorm__is_last(desc);
    plan->apply.variant = clnorm__variant_choose(CLNORM__APPLY, device, filter, last, leaves);
    if (!plan->apply.variant)
        return clnorm__plan_refuse(device, why, why_size, "apply");
    plan->apply.form = CLNORM__FORM(last, ask->operation == CLNORM_BACKWARD_TRAINING ? CLNORM__APPLY_BATCH
                                          : ask->operation == CLNORM_BACKWARD_FROZEN ? CLNORM__APPLY_FROZEN
                                                                                     : CLNORM__APPLY_FORWARD);
    clnorm__cut_rows(desc, clnorm__is_backward(ask), device, plan);
    clnorm__launch_apply(desc, ask->extras, device, plan);
    return CLNORM_SUCCESS;
}

/* All of a plan but what the forms have of the description's type and of what the last step does beside the normalization. */
static int plan_steps(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    const int backward = clnorm__is_backward(ask), last = clnorm__is_last(desc), is_part = ask->part || ask->batch;
    int status;
    const uint64_t groups = most(ask->groups, 1);
    clnorm_desc batch = *desc;
    batch.n = ask->batch ? ask->batch : desc->n;
    uint64_t rows, period, leaves = clnorm__count_leaves(&batch, &rows, &period);
    memset(plan, 0, sizeof *plan);
    if (leaves > (uint64_t)1 << 31) {
        snprintf(why, why_size, "a channel's %llu values are more than 2^31 leaves of the statistics' tree",
                 (unsigned long long)(desc->n * desc->s));
        return CLNORM_SIZE_OVERFLOW;
    }
    clnorm__shape_leaves(&batch, rows, leaves, period, &plan->shape);
    plan->shape.side = clnorm__channels_side(desc, device);
    const int is_training = ask->operation == CLNORM_FORWARD_TRAINING || ask->operation == CLNORM_BACKWARD_TRAINING;
    const uint64_t group = clnorm__channel_group(desc);
    clnorm__fill_channel_tree(&batch, is_training ? group : 1, &plan->channels);
    double m = (double)(batch.n * batch.s) * plan->channels.leaves;
    plan->rm_hi = (float)(1.0 / m);
    plan->rm_lo = (float)(1.0 / m - (double)plan->rm_hi);
    plan->unbias = m > 1 ? (float)(m / (m - 1)) : 1.0f;

    plan->spread_at = CLNORM_COEFFICIENTS * desc->c * groups;
    plan->partial_at = plan->spread_at;
    if (group > 1 && ask->operation != CLNORM_FORWARD_TRAINING) {
        if (!plan_spread(desc, groups, device, filter, plan))
            return clnorm__plan_refuse(device, why, why_size, "spread");
    }
    plan->workspace = plan->partial_at;
    if (ask->apply && is_training) {
        if (group == 1 && !is_part && clnorm__plan_fused(desc, backward ? 2 : 1, ask->extras, device, filter, plan)) {
            clnorm__reserve_partials(desc, ask, device, filter, plan);
            return CLNORM_SUCCESS;
        }
        if (filter->steps[backward ? CLNORM__DIFF_FUSED : CLNORM__FUSED])
            return clnorm__plan_refuse(device, why, why_size, "fused");
    }
    if (ask->operation == CLNORM_FORWARD_INFERENCE) {
        clnorm__cut_rows(desc, backward, device, plan);
        if (clnorm__plan_infer(desc, device, filter, plan))
            return CLNORM_SUCCESS;
        if (filter->steps[CLNORM__INFER])
            return clnorm__plan_refuse(device, why, why_size, "infer");
    }
    if (ask->batch) {
        plan->workspace += (backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS) * desc->c * ask->stack;
        status = clnorm__plan_finish(desc, ask, device, filter, plan, why, why_size);
        if (status != CLNORM_SUCCESS)
            return status;
    } else if (ask->sums) {
        status = clnorm__plan_stats(desc, ask, device, filter, plan, why, why_size);
        if (status != CLNORM_SUCCESS)
            return status;
    } else {
        plan->finish.variant = clnorm__variant_choose(CLNORM__COEFFICIENTS, device, filter, last, leaves);
        plan->finish.form = CLNORM__FORM(0, 0);
        if (!plan->finish.variant)
            return clnorm__plan_refuse(device, why, why_size, "coefficients");
    }
    if (ask->part) {
        launch_channels(device, desc->c, &plan->nodes);
        plan->nodes.dims = 3;
        plan->nodes.global[1] = plan->nodes.local[1] = plan->nodes.local[2] = 1;
        plan->nodes.global[2] = ask->part->nodes;
        return CLNORM_SUCCESS;
    }
    launch_channels(device, desc->c / plan->channels.leaves, &plan->finish);
    if (plan->roots.variant)
        launch_channels(device, desc->c, &plan->roots);
    if (!ask->apply || desc->n == 0)
        return CLNORM_SUCCESS;
    return plan_apply(desc, ask, leaves, device, filter, plan, why, why_size);
}

/* Groups of samples are a dimension of a launch of their own, its last. */
static void launch_groups(uint64_t groups, struct clnorm__launch *l)
{
    if (groups < 2 || !l->variant)
        return;
    l->global[l->dims] = groups;
    l->local[l->dims] = 1;
    l->dims++;
}

/* The views that a launch's program is compiled for: a variant that takes any has no program for slices alone. */
static unsigned view_of(const struct clnorm__launch *l, const struct clnorm__filter *filter)
{
    const unsigned view = l->variant ? filter->view[l->variant->step] : CLNORM__DENSE;
    return CLNORM__OF_VIEW(view != CLNORM__DENSE ? l->variant->view : view);
}

/* What a group may have of the device, so that all groups together fill it. */
static struct clnorm__device share_of_group(const struct clnorm__device *device, uint64_t groups)
{
    struct clnorm__device share = *device;
    share.compute_units = (unsigned)ceil_div(device->compute_units, groups);
    share.cache_bytes = device->cache_bytes / device->compute_units * share.compute_units;
    return share;
}

int clnorm__plan_make(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    const struct clnorm__device share = share_of_group(device, most(ask->groups, 1));
    const int status = plan_steps(desc, ask, ask->groups > 1 ? &share : device, filter, plan, why, why_size);
    const unsigned type = CLNORM__OF_TYPE(desc->type);
    const unsigned activation = clnorm__is_active(&desc->activation) ? CLNORM__HAS_ACTIVATION : 0u;
    struct clnorm__launch *const all[] = {&plan->spread, &plan->fused,  &plan->stats,
                                          &plan->roots,  &plan->finish, &plan->apply};
    if (status != CLNORM_SUCCESS)
        return status;
    plan->fused.form |= type | activation | ask->extras | view_of(&plan->fused, filter);
    plan->stats.form |= type | view_of(&plan->stats, filter);
    if (plan->stats.variant && plan->stats.variant->step == CLNORM__DIFF_STATS)
        plan->stats.form |= activation | (ask->extras & CLNORM__HAS_MASK);
    plan->apply.form |= type | activation | ask->extras | view_of(&plan->apply, filter);
    if (plan->channels.leaves > 1 && ask->operation == CLNORM_BACKWARD_TRAINING)
        plan->apply.form |= CLNORM__HAS_WEIGHT;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        launch_groups(ask->groups, all[i]);
    if (ask->groups > 1) { /* the tensor is as large as all of them */
        clnorm_desc whole = *desc;
        whole.n *= ask->groups;
        plan->cut.stream = clnorm__streams(&whole, ask->operation == CLNORM_BACKWARD_TRAINING, device,
                                           plan->fused.variant ? CLNORM__FUSED_STREAM_PERCENT : CLNORM__STREAM_PERCENT);
    }
    return status;
}

int clnorm__plan_join(uint64_t channels, int backward, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    memset(plan, 0, sizeof *plan);
    plan->shape.c = channels;
    plan->join.variant = clnorm__variant_choose(backward ? CLNORM__DIFF_JOIN : CLNORM__JOIN, device, filter, 0, 1);
    if (!plan->join.variant)
        return clnorm__plan_refuse(device, why, why_size, "join");
    launch_channels(device, channels, &plan->join);
    return CLNORM_SUCCESS;
}

int clnorm__plan_merge(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    plan->merge.variant = clnorm__variant_choose(clnorm__is_backward(ask) ? CLNORM__DIFF_MERGE : CLNORM__MERGE, device,
                                                 filter, clnorm__is_last(desc), CLNORM_SCHEDULE);
    if (!plan->merge.variant)
        return clnorm__plan_refuse(device, why, why_size, "merge");
    launch_channels(device, desc->c, &plan->merge);
    return CLNORM_SUCCESS;
}
