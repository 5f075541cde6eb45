/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/fused.h"

#include "plan/apply.h"
#include "plan/arithmetic.h"
#include "plan/cache_share.h"
#include "plan/leaves.h"
#include "plan/turns.h"

/* The variant that does a whole call in one launch, or NULL: one for devices of the other kind is used only where it is asked for. */
static const struct clnorm__variant *choose_fused(enum clnorm__step step, const struct clnorm__device *device,
                                                  const struct clnorm__filter *filter, int last, uint64_t leaves)
{
    const struct clnorm__variant *v = clnorm__variant_choose(step, device, filter, last, leaves);
    const enum clnorm__kind other = device->cpu_like ? CLNORM__GPU_LIKE : CLNORM__CPU_LIKE;
    return v && (filter->steps[step] || clnorm__is_preferred(v, filter, last) || v->kind != other) ? v : NULL;
}

static void launch_fused(const struct clnorm__variant *v, int last, uint64_t items, struct clnorm__launch *l)
{
    l->variant = v;
    l->form = CLNORM__FORM(last, 0);
    l->dims = 1;
    l->local[0] = 1;
    l->global[0] = items;
}

/* Of a channel of so many tensors. */
static uint64_t channel_bytes(const clnorm_desc *desc, uint64_t tensors)
{
    return desc->n * desc->s * clnorm_type_bytes(desc->type) * tensors;
}

/* ---- training ---- */

/*
 * Fused variants look at a channel twice and count on a cache for the second look: what all the work-items that run at one time
 * work on must fit, with room for others.
 */
static int fits_cache(const struct clnorm__device *device, uint64_t bytes)
{
    return bytes <= clnorm__unit_share(device, CLNORM__FUSED_PERCENT);
}

/* Floats side by side for which it is worth while to go to memory. */
#define RUN_LEAST 128u

/*
 * Channels of a group of fused_cf_item, or of its backward sibling, which reads two tensors: enough to make a run of short rows
 * worth storing, few enough to stay, with the groups before and after, in a second-level cache. Rows so short that they make no
 * run of RUN_LEAST floats, of many samples, may take a part of the last cache.
 */
static uint64_t fused_channels(const clnorm_desc *desc, uint64_t tensors, const struct clnorm__device *device)
{
    const uint64_t room = least(CLNORM_RUN / desc->s, CLNORM_RUN_CHANNELS), channel = channel_bytes(desc, tensors);
    uint64_t channels = 1;
    if (desc->s >= CLNORM_SHORT)
        return 1;
    while (channels * 2 <= room &&
           ceil_div(desc->c, channels * 2) >= clnorm__tuned(device, CLNORM__FUSED_GROUPS) * device->compute_units) {
        uint64_t most_bytes = clnorm__tuned(device, CLNORM__GROUP_BYTES);
        if (channels * desc->s < RUN_LEAST)
            most_bytes = most(most_bytes, 2 * clnorm__unit_share(device, CLNORM__DIFF_COLUMNS_PERCENT));
        if (channels * 2 * channel > most_bytes)
            break;
        channels *= 2;
    }
    return channels;
}

/*
 * Channels that fused_cl_item takes side by side: eight vectors or four, so that memory is read in runs of some length, if that
 * leaves no compute unit idle and the tensors' columns stay well inside the cache, which strided reading wants more room of; else
 * one. Where the tensors are larger than the cache, so that several launches would read them twice from memory, the widest columns
 * may take more. tensors: how many are read.
 */
static uint64_t fused_columns(const clnorm_desc *desc, uint64_t tensors, const struct clnorm__device *device)
{
    const uint64_t column = channel_bytes(desc, tensors);
    const uint64_t widest = floor_power(clnorm__tuned(device, CLNORM__COLUMNS_VECTORS));
    const uint64_t room =
        clnorm__unit_share(device, tensors > 1 ? CLNORM__DIFF_COLUMNS_PERCENT : CLNORM__COLUMNS_PERCENT);
    const int beyond = column * desc->c > device->cache_bytes;
    for (uint64_t vectors = widest; vectors >= 4; vectors /= 2) {
        uint64_t columns = vectors * device->vector;
        uint64_t most_bytes = beyond && vectors == widest ? 2 * tensors * room : room;
        if (desc->c >= columns * device->compute_units && column * columns <= most_bytes)
            return columns;
    }
    return device->vector;
}

/*
 * Groups of channels, of `groups` in all, for each work-item: as many work-items as may be, but few enough that each can fetch its
 * next channels in good time, and fewer where that lets all compute units finish together, by a tenth of the time or more: the
 * more there are, the less it matters when a unit starts.
 */
static uint64_t fused_share(uint64_t groups, const struct clnorm__device *device)
{
    const uint64_t units = device->compute_units;
    uint64_t best = groups, best_time = UINT64_MAX / 16;
    for (uint64_t turns = least(clnorm__tuned(device, CLNORM__FUSED_ITEMS), groups); turns > 0; turns--) {
        uint64_t share = ceil_div(groups, turns * units), time = ceil_div(ceil_div(groups, share), units) * share;
        if (10 * time <= 9 * best_time) {
            best = share;
            best_time = time;
        }
    }
    return best;
}

/* Positions of channels-last channels that fill no vector: a fused variant gathers them one by one, which takes longer than launches. */
#define GATHERED_MOST 512u

/*
 * Floats of a sample that is narrow: of rows shorter than a vector, what a fused variant takes of it at a time is a few lines, and three
 * launches, the last of which goes straight through memory, take less.
 */
#define NARROW_SAMPLE 256u

/* Whether a fused variant is the better way. */
static int fused_pays(const clnorm_desc *desc, uint64_t tensors, const struct clnorm__device *device)
{
    const uint64_t channel = channel_bytes(desc, tensors);
    if (!clnorm__is_last(desc))
        return fits_cache(device, channel) && !(desc->s < device->vector && desc->c * desc->s <= NARROW_SAMPLE &&
                                                channel * desc->c > clnorm__tuned(device, CLNORM__SMALL_BYTES));
    if (desc->c % device->vector && desc->n * desc->s > GATHERED_MOST)
        return 0;
    if (channel * desc->c <= clnorm__tuned(device, CLNORM__SMALL_BYTES))
        return 1;
    return desc->c % device->vector == 0 && fused_columns(desc, tensors, device) > device->vector;
}

/* Whether columns write parts of a mask's bytes, one by one. */
static int splits_mask(const clnorm_desc *desc, unsigned extras)
{
    return extras & CLNORM__HAS_MASK && clnorm__is_last(desc) && desc->c % 8;
}

/* Whether the driver lets a work-item take its channels to their end: where it does not, fewer channels, down to the fewest. */
static int fit_turns(const struct clnorm__device *device, int last, struct clnorm__plan *plan)
{
    struct clnorm_cut *cut = &plan->cut;
    const uint64_t turns = clnorm__turns_most(device);
    if (!device->loop_limit)
        return 1;
    if (clnorm__turns_fused(&plan->shape, last, device->vector, cut->rows_per_item) <= turns)
        return 1;
    cut->chunk = cut->rows_per_item = last ? device->vector : 1;
    return clnorm__turns_fused(&plan->shape, last, device->vector, cut->rows_per_item) <= turns;
}

int clnorm__plan_fused(const clnorm_desc *desc, int tensors, unsigned extras, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    int backward = tensors == 2;
    enum clnorm__step step = backward ? CLNORM__DIFF_FUSED : CLNORM__FUSED;
    int last = clnorm__is_last(desc), named = filter->steps[step];
    /* A variant of another step that is asked for by name would not run in a fused one. */
    if (!named && (filter->steps[CLNORM__APPLY] || filter->steps[backward ? CLNORM__DIFF_STATS : CLNORM__STATS] ||
                   filter->steps[backward ? CLNORM__DIFF_FINISH : CLNORM__FINISH]))
        return 0;
    if (!named && (!fused_pays(desc, (uint64_t)tensors, device) || (!backward && splits_mask(desc, extras))))
        return 0;
    const struct clnorm__variant *v = choose_fused(step, device, filter, last, plan->shape.leaves);
    if (!v)
        return 0;
    plan->cut.chunk =
        last ? fused_columns(desc, (uint64_t)tensors, device) : fused_channels(desc, (uint64_t)tensors, device);
    plan->cut.rows_per_item = plan->cut.chunk * fused_share(ceil_div(desc->c, plan->cut.chunk), device);
    if (!fit_turns(device, last, plan))
        return 0;
    plan->cut.stream = clnorm__streams(desc, backward, device, CLNORM__FUSED_STREAM_PERCENT);
    plan->cut.overlap =
        plan->cut.chunk * channel_bytes(desc, (uint64_t)tensors) <= clnorm__tuned(device, CLNORM__GROUP_BYTES);
    launch_fused(v, last, ceil_div(desc->c, plan->cut.rows_per_item), &plan->fused);
    clnorm__fill_tree(&plan->shape, 0, &plan->low);
    return 1;
}

/* ---- inference ---- */

/* Turns that the coefficients of a channel take. */
#define FROZEN_TURNS 16u

/* Coefficients made once more that take less than a launch; of larger tensors, one for so many elements. */
#define COEFFICIENTS_FEW 256u
#define COEFFICIENTS_WORTH 512u

/* Every work-item makes the coefficients it needs: two for each compute unit, and of few channels, or most would be made several times. */
int clnorm__plan_infer(const clnorm_desc *desc, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc), named = filter->steps[CLNORM__INFER];
    struct clnorm_cut *cut = &plan->cut;
    if (desc->c > CLNORM_INFER_CHANNELS ||
        (!named && (filter->steps[CLNORM__COEFFICIENTS] || filter->steps[CLNORM__APPLY] ||
                    channel_bytes(desc, 2) * desc->c > clnorm__tuned(device, CLNORM__SMALL_BYTES))))
        return 0;
    const struct clnorm__variant *v = choose_fused(CLNORM__INFER, device, filter, last, plan->shape.leaves);
    if (!v)
        return 0;
    cut->chunk = cut->length;
    cut->rows_per_item = most(ceil_div(clnorm__tuned(device, CLNORM__ITEM_ELEMENTS), cut->length),
                              ceil_div(cut->rows, 2 * device->compute_units));
    if (device->loop_limit) {
        const uint64_t channels = last ? desc->c * FROZEN_TURNS : 0, turns = clnorm__turns_most(device);
        const uint64_t row = cut->length + CLNORM__ROW_TURNS + (last ? 0 : FROZEN_TURNS);
        if (channels + row > turns)
            return 0;
        cut->rows_per_item = least(cut->rows_per_item, (turns - channels) / row);
    }
    const uint64_t items = ceil_div(cut->rows, cut->rows_per_item);
    const uint64_t made = items * (last ? desc->c : least(desc->c, cut->rows_per_item + 1));
    if (!named && made > desc->c + COEFFICIENTS_FEW + cut->rows * cut->length / COEFFICIENTS_WORTH)
        return 0;
    launch_fused(v, last, items, &plan->fused);
    return 1;
}
