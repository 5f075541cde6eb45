/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

#include "plan/check.h"
#include "plan/turns.h"

static uint64_t ceil_div(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Smallest l with 2^l >= x. */
static unsigned ceil_log2(uint64_t x)
{
    unsigned l = 0;
    while (l < 63 && ((uint64_t)1 << l) < x)
        l++;
    return l;
}

int clnorm__is_last(const clnorm_desc *desc)
{
    return desc->layout == CLNORM_CHANNELS_LAST || desc->s == 1;
}

/* So many percent, rounded down once. */
static uint64_t share(uint64_t bytes, uint64_t percent)
{
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

static uint64_t cache_share(const struct clnorm__device *device, enum clnorm__parameter percent)
{
    return share(device->cache_bytes, clnorm__tuned(device, percent));
}

/* Of what each compute unit has of the cache. */
static uint64_t unit_share(const struct clnorm__device *device, enum clnorm__parameter percent)
{
    return share(device->cache_bytes / device->compute_units, clnorm__tuned(device, percent));
}

/*
 * Whether results should leave the caches alone: a call's tensors, those it reads and the one it writes, fill more than that
 * share of the cache.
 */
static int streams(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                   enum clnorm__parameter percent)
{
    return desc->n * desc->c * desc->s * 4 > cache_share(device, percent) / (backward ? 3 : 2);
}

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

/* Work-items of a work-group where the kernel leaves them free. */
static uint64_t free_group(const struct clnorm__device *device)
{
    return least(least(clnorm__tuned(device, CLNORM__GROUP_ITEMS), device->max_work_group),
                 clnorm__most_items(device, 0));
}

/* ---- leaves and their tree ---- */

static uint64_t count_leaves(const clnorm_desc *desc, uint64_t *rows, uint64_t *period)
{
    *rows = 1;
    if (clnorm__is_last(desc))
        return *period = ceil_div(desc->n * desc->s, CLNORM_LANES);
    if (desc->s > CLNORM_LEAF) {
        *period = ceil_div(desc->s, CLNORM_LEAF);
        return desc->n * *period;
    }
    while (*rows * 2 * desc->s <= CLNORM_LEAF)
        *rows *= 2;
    return *period = ceil_div(desc->n, *rows);
}

static void shape_leaves(const clnorm_desc *desc, uint64_t rows, uint64_t leaves, uint64_t period,
                         struct clnorm_shape *shape)
{
    uint64_t full, last;
    if (clnorm__is_last(desc)) {
        full = CLNORM_LANES;
        last = desc->n * desc->s - (leaves - 1) * CLNORM_LANES;
    } else if (desc->s > CLNORM_LEAF) {
        full = CLNORM_LEAF;
        last = desc->s - (period - 1) * CLNORM_LEAF;
    } else {
        full = rows * desc->s;
        last = (desc->n - (leaves - 1) * rows) * desc->s;
    }
    shape->n = desc->n;
    shape->c = desc->c;
    shape->s = desc->s;
    shape->rows = (clnorm_u32)rows;
    shape->leaves = (clnorm_u32)leaves;
    shape->period = (clnorm_u32)period;
    shape->full = (clnorm_u32)full;
    shape->last = (clnorm_u32)last;
    shape->rn_full = (float)(1.0 / (double)full);
    shape->rn_last = (float)(1.0 / (double)last);
}

/* Rows shorter than a vector: so many channels that theirs make a line of most caches. */
static clnorm_u32 channels_side(const clnorm_desc *desc, const struct clnorm__device *device)
{
    if (clnorm__is_last(desc) || desc->s >= device->vector || device->loop_limit)
        return 1;
    return (clnorm_u32)least(least(16 / desc->s, CLNORM_SIDE), desc->c);
}

/* Values in leaves [0, i). */
static uint64_t values_before(const struct clnorm_shape *shape, uint64_t i)
{
    i = least(i, shape->leaves);
    return i * shape->full - i / shape->period * (shape->full - shape->last);
}

static void set_weight(struct clnorm_tree *tree, unsigned row, unsigned way, uint64_t n_a, uint64_t n_b)
{
    double f = (double)n_b / ((double)n_a + (double)n_b);
    tree->f[row * CLNORM_TREE_WAYS + way] = (float)f;
    tree->w[row * CLNORM_TREE_WAYS + way] = (float)((double)n_a * f);
}

/*
 * Weights of merging two runs of 2^level leaves: kernels/common/tree.cl says which way is which. Runs that hold the fewest short
 * leaves or one more differ by full - last.
 */
static void fill_tree(const struct clnorm_shape *shape, unsigned base, struct clnorm_tree *tree)
{
    memset(tree, 0, sizeof *tree);
    tree->leaves = shape->leaves;
    tree->period = shape->period;
    tree->base = base;
    for (unsigned row = 0; row < CLNORM_TREE_LEVELS; row++) {
        uint64_t span = (uint64_t)1 << (base + row);
        if (span >= shape->leaves)
            return;
        uint64_t values = span * shape->full - span / shape->period * (shape->full - shape->last);
        uint64_t fewer = shape->full - shape->last;
        for (unsigned way = 0; way < 4; way++)
            set_weight(tree, row, way, values - (way & 1 ? fewer : 0), values - (way & 2 ? fewer : 0));
        uint64_t first = (shape->leaves - 1) / (2 * span) * (2 * span);
        uint64_t middle = values_before(shape, first + span), end = values_before(shape, shape->leaves);
        if (end > middle) /* else the last node of this level passes up alone */
            set_weight(tree, row, 4, middle - values_before(shape, first), end - middle);
    }
}

/* ---- mapping ---- */

/*
 * Leaves a block: as many as leave enough work-items (or work-groups) for the device to balance, within what the variant can
 * do, and with what is above the block within one launch.
 */
static unsigned choose_block(const struct clnorm__variant *v, const struct clnorm__device *device,
                             const struct clnorm_shape *shape, int last)
{
    uint64_t items = stats_items(v, device, shape, last);
    uint64_t wanted = ceil_div(device->compute_units * clnorm__tuned(device, CLNORM__STATS_ITEMS), items);
    const unsigned most_log2 = clnorm__variant_most_log2(v, device);
    unsigned height = ceil_log2(shape->leaves), log2 = v->least_log2 < most_log2 ? v->least_log2 : most_log2;
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
    l->local[0] = v->work_group ? v->work_group : free_group(device);
    l->global[0] = items * plan->shape.blocks * (v->work_group ? v->work_group : 1);
    l->global[0] = ceil_div(l->global[0], l->local[0]) * l->local[0];
}

static void launch_channels(const struct clnorm__device *device, uint64_t channels, struct clnorm__launch *l)
{
    l->dims = 1;
    if (l->variant->work_group == 1)
        channels = ceil_div(channels, device->vector);
    l->local[0] = l->variant->work_group ? l->variant->work_group : free_group(device);
    l->global[0] = l->variant->work_group ? channels * l->local[0] : ceil_div(channels, l->local[0]) * l->local[0];
}

/* The largest power of two that is at most x, for x >= 1. */
static uint64_t floor_power(uint64_t x)
{
    uint64_t power = 1;
    while (power <= x / 2)
        power *= 2;
    return power;
}

/* Turns of an elementwise kernel for a row, beside at most one for each of its elements. */
#define ROW_TURNS 8u

/* Samples for which a table of coefficients is worth writing. */
#define TABLE_SAMPLES 8u

/*
 * apply_item: a work-item takes so many elements that its start costs less than its work, and channels-last so few channels side
 * by side that their coefficients stay in the first-level cache from row to row.
 */
static void cut_items(const struct clnorm__device *device, int last, struct clnorm_cut *cut)
{
    uint64_t elements = clnorm__tuned(device, CLNORM__ITEM_ELEMENTS);
    uint64_t channels = ceil_div(clnorm__tuned(device, CLNORM__ITEM_CHANNELS), 16) * 16;
    if (last && cut->length > 2 * channels)
        cut->chunk = channels;
    else if (cut->length > 4 * elements)
        cut->chunk = 2 * elements;
    cut->rows_per_item = ceil_div(elements, cut->chunk);
    /* Very short rows of more channels than have their coefficients written out at a time: once for several samples. */
    if (!last && cut->length < device->vector && cut->channels * cut->length > CLNORM_TABLE)
        cut->rows_per_item = most(cut->rows_per_item,
                                  least(TABLE_SAMPLES * cut->channels, ceil_div(cut->rows, 2 * device->compute_units)));
    if (!device->loop_limit)
        return;
    if (cut->chunk > clnorm__turns_most(device) / 2)
        cut->chunk = clnorm__turns_most(device) / 32 * 16;
    cut->rows_per_item = least(cut->rows_per_item, clnorm__turns_pieces(device, cut->chunk + ROW_TURNS));
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/*
 * apply_flat: as many work-items as fill the device, so many vectors apart that all of a work-item's are of the same channels; or one
 * for each vector.
 */
static void launch_flat(const struct clnorm__device *device, int last, struct clnorm__plan *plan)
{
    struct clnorm__launch *l = &plan->apply;
    struct clnorm_cut *cut = &plan->cut;
    const uint64_t width = l->variant->width, vectors = ceil_div(cut->rows * cut->length, width);
    const uint64_t period = last ? cut->length : cut->channels * cut->length;
    const uint64_t step = period / common_divisor(period, width);
    uint64_t group = floor_power(least(least(clnorm__tuned(device, CLNORM__APPLY_ITEMS), device->max_work_group),
                                       clnorm__most_items(device, 0)));
    uint64_t wanted = device->compute_units * clnorm__tuned(device, CLNORM__APPLY_GROUPS) * group;
    if (device->loop_limit)
        wanted = most(wanted, ceil_div(vectors, most(1, clnorm__turns_pieces(device, ROW_TURNS))));
    cut->rows_per_item = step < vectors ? least(ceil_div(wanted, step) * step, vectors) : vectors;
    if (cut->rows_per_item % step)
        cut->rows_per_item = vectors; /* a vector each */
    l->dims = 1;
    l->local[0] = group;
    l->global[0] = ceil_div(cut->rows_per_item, group) * group;
}

static void launch_apply(const struct clnorm__device *device, int last, struct clnorm__plan *plan)
{
    struct clnorm__launch *l = &plan->apply;
    struct clnorm_cut *cut = &plan->cut;
    cut->chunk = cut->length;
    cut->rows_per_item = 1;
    if (l->variant->width) {
        launch_flat(device, last, plan);
        return;
    }
    if (l->variant->kind == CLNORM__CPU_LIKE) {
        cut_items(device, last, cut);
        l->dims = 1;
        l->local[0] = 1;
        l->global[0] = ceil_div(cut->length, cut->chunk) * ceil_div(cut->rows, cut->rows_per_item);
        return;
    }
    if (l->variant->kind == CLNORM__ANY) {
        l->dims = 1;
        l->local[0] = free_group(device);
        l->global[0] = ceil_div(cut->rows * cut->length, l->local[0]) * l->local[0];
        return;
    }
    uint64_t group = floor_power(least(clnorm__tuned(device, CLNORM__APPLY_ITEMS), device->max_work_group)), wide = 1;
    const uint64_t widest = least(group, clnorm__most_items(device, 0));
    while (wide * 2 <= widest && wide < cut->length)
        wide *= 2;
    l->dims = 2;
    l->local[0] = wide;
    l->local[1] = least(group / wide, floor_power(clnorm__most_items(device, 1)));
    uint64_t columns = ceil_div(cut->length, wide), rows = ceil_div(cut->rows, l->local[1]);
    /* Enough to hide latency; the kernel strides over the rest. */
    uint64_t groups = device->compute_units * clnorm__tuned(device, CLNORM__APPLY_GROUPS);
    l->global[0] = least(columns, 65535) * wide;
    uint64_t wanted = ceil_div(groups, columns);
    if (device->loop_limit) {
        uint64_t turns = (last ? 0 : ceil_div(cut->length, l->global[0])) + ROW_TURNS;
        wanted = most(wanted, ceil_div(rows, most(1, clnorm__turns_pieces(device, turns))));
    }
    l->global[1] = least(rows, wanted) * l->local[1];
}

static int refuse(const struct clnorm__device *device, char *why, size_t size, const char *step)
{
    int length = snprintf(why, size, "no variant of step %s fits this shape, device and choice of variants", step);
    if (device->loop_limit && length > 0 && (size_t)length < size)
        snprintf(why + length, size - (size_t)length,
                 "; this driver ends a work-item's loops after %u turns, so that a channel may have fewer values than "
                 "elsewhere",
                 device->loop_limit);
    return CLNORM_NO_VARIANT;
}

/* ---- several launches ---- */

/*
 * Partials of stage one, at most: a caller's workspace must do for every row that may yet take the chosen one's place, so unusable
 * rows count as well.
 */
static uint64_t most_partials(enum clnorm__step step, int last, const struct clnorm__device *device,
                              const struct clnorm__filter *filter, const struct clnorm_shape *shape)
{
    uint64_t blocks = 0;
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        if (v->step == step && (!filter->steps[step] || filter->named[i]) &&
            !clnorm__variant_refusal(v, device, last, shape->leaves))
            blocks = most(blocks, ceil_div(shape->leaves, (uint64_t)1 << choose_block(v, device, shape, last)));
    }
    return blocks;
}

/* Stage one and what it leaves in the workspace. */
static int choose_stats(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                        const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    int last = clnorm__is_last(desc);
    const enum clnorm__step step = backward ? CLNORM__DIFF_STATS : CLNORM__STATS;
    const struct clnorm__variant *v = clnorm__variant_choose(step, device, filter, last, plan->shape.leaves);
    if (!v)
        return refuse(device, why, why_size, "stats");
    plan->stats.variant = v;
    plan->stats.form = CLNORM__FORM(last, 0);
    plan->shape.block_log2 = choose_block(v, device, &plan->shape, last);
    plan->shape.blocks = (clnorm_u32)ceil_div(plan->shape.leaves, (uint64_t)1 << plan->shape.block_log2);
    plan->workspace += (backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS) *
                       most_partials(step, last, device, filter, &plan->shape) * desc->c;
    return CLNORM_SUCCESS;
}

static int plan_stats(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    int last = clnorm__is_last(desc), status = choose_stats(desc, backward, device, filter, plan, why, why_size);
    if (status != CLNORM_SUCCESS)
        return status;
    plan->finish.variant = clnorm__variant_choose(backward ? CLNORM__DIFF_FINISH : CLNORM__FINISH, device, filter, last,
                                                  plan->shape.blocks);
    if (!plan->finish.variant)
        return refuse(device, why, why_size, "finish");
    plan->finish.form = CLNORM__FORM(last, 0);
    fill_tree(&plan->shape, 0, &plan->low);
    fill_tree(&plan->shape, plan->shape.block_log2, &plan->high);
    launch_stats(device, last, plan);
    return CLNORM_SUCCESS;
}

/* ---- one launch ---- */

/*
 * Fused variants look at a channel twice and count on a cache for the second look: what all the work-items that run at one time
 * work on must fit, with room for others.
 */
static int fits_cache(const struct clnorm__device *device, uint64_t bytes)
{
    return bytes <= unit_share(device, CLNORM__FUSED_PERCENT);
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
    const uint64_t room = least(CLNORM_RUN / desc->s, CLNORM_RUN_CHANNELS), channel = desc->n * desc->s * 4 * tensors;
    uint64_t channels = 1;
    if (desc->s >= CLNORM_SHORT)
        return 1;
    while (channels * 2 <= room &&
           ceil_div(desc->c, channels * 2) >= clnorm__tuned(device, CLNORM__FUSED_GROUPS) * device->compute_units) {
        uint64_t most_bytes = clnorm__tuned(device, CLNORM__GROUP_BYTES);
        if (channels * desc->s < RUN_LEAST)
            most_bytes = most(most_bytes, 2 * unit_share(device, CLNORM__DIFF_COLUMNS_PERCENT));
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
    const uint64_t column = desc->n * desc->s * 4 * tensors;
    const uint64_t widest = floor_power(clnorm__tuned(device, CLNORM__COLUMNS_VECTORS));
    const uint64_t room = unit_share(device, tensors > 1 ? CLNORM__DIFF_COLUMNS_PERCENT : CLNORM__COLUMNS_PERCENT);
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
    uint64_t channel = desc->n * desc->s * 4 * tensors;
    if (!clnorm__is_last(desc))
        return fits_cache(device, channel) && !(desc->s < device->vector && desc->c * desc->s <= NARROW_SAMPLE &&
                                                channel * desc->c > clnorm__tuned(device, CLNORM__SMALL_BYTES));
    if (desc->c % device->vector && desc->n * desc->s > GATHERED_MOST)
        return 0;
    if (channel * desc->c <= clnorm__tuned(device, CLNORM__SMALL_BYTES))
        return 1;
    return desc->c % device->vector == 0 && fused_columns(desc, tensors, device) > device->vector;
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

static int plan_fused(const clnorm_desc *desc, int tensors, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    int backward = tensors == 2;
    enum clnorm__step step = backward ? CLNORM__DIFF_FUSED : CLNORM__FUSED;
    int last = clnorm__is_last(desc), named = filter->steps[step];
    /* A variant of another step that is asked for by name would not run in a fused one. */
    if (!named && (filter->steps[CLNORM__APPLY] || filter->steps[backward ? CLNORM__DIFF_STATS : CLNORM__STATS] ||
                   filter->steps[backward ? CLNORM__DIFF_FINISH : CLNORM__FINISH]))
        return 0;
    if (!named && !fused_pays(desc, (uint64_t)tensors, device))
        return 0;
    const struct clnorm__variant *v = choose_fused(step, device, filter, last, plan->shape.leaves);
    if (!v)
        return 0;
    plan->cut.chunk =
        last ? fused_columns(desc, (uint64_t)tensors, device) : fused_channels(desc, (uint64_t)tensors, device);
    plan->cut.rows_per_item = plan->cut.chunk * fused_share(ceil_div(desc->c, plan->cut.chunk), device);
    if (!fit_turns(device, last, plan))
        return 0;
    plan->cut.stream = streams(desc, backward, device, CLNORM__FUSED_STREAM_PERCENT);
    plan->cut.overlap =
        plan->cut.chunk * desc->n * desc->s * 4 * (uint64_t)tensors <= clnorm__tuned(device, CLNORM__GROUP_BYTES);
    launch_fused(v, last, ceil_div(desc->c, plan->cut.rows_per_item), &plan->fused);
    fill_tree(&plan->shape, 0, &plan->low);
    return 1;
}

/* ---- inference in one launch ---- */

/* Turns that the coefficients of a channel take. */
#define FROZEN_TURNS 16u

/* Coefficients made once more that take less than a launch; of larger tensors, one for so many elements. */
#define COEFFICIENTS_FEW 256u
#define COEFFICIENTS_WORTH 512u

/* Every work-item makes the coefficients it needs: two for each compute unit, and of few channels, or most would be made several times. */
static int plan_infer(const clnorm_desc *desc, const struct clnorm__device *device, const struct clnorm__filter *filter,
                      struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc), named = filter->steps[CLNORM__INFER];
    struct clnorm_cut *cut = &plan->cut;
    if (desc->c > CLNORM_INFER_CHANNELS ||
        (!named && (filter->steps[CLNORM__COEFFICIENTS] || filter->steps[CLNORM__APPLY] ||
                    desc->n * desc->c * desc->s * 8 > clnorm__tuned(device, CLNORM__SMALL_BYTES))))
        return 0;
    const struct clnorm__variant *v = choose_fused(CLNORM__INFER, device, filter, last, plan->shape.leaves);
    if (!v)
        return 0;
    cut->chunk = cut->length;
    cut->rows_per_item = most(ceil_div(clnorm__tuned(device, CLNORM__ITEM_ELEMENTS), cut->length),
                              ceil_div(cut->rows, 2 * device->compute_units));
    if (device->loop_limit) {
        const uint64_t channels = last ? desc->c * FROZEN_TURNS : 0, turns = clnorm__turns_most(device);
        const uint64_t row = cut->length + ROW_TURNS + (last ? 0 : FROZEN_TURNS);
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

/*
 * Backward without diff_src takes several launches where backward with it takes one, and so does a device that cannot run the fused
 * variant after all. The workspace is to be the same, so that a caller may ask for less than was planned for.
 */
static void reserve_partials(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                             const struct clnorm__filter *filter, struct clnorm__plan *plan)
{
    struct clnorm__plan other = *plan;
    char why[CLNORM__WHY];
    if (choose_stats(desc, backward, device, filter, &other, why, sizeof why) == CLNORM_SUCCESS)
        plan->workspace = other.workspace;
}

/* The rows of the last step. */
static void cut_rows(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                     struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc);
    plan->cut.rows = last ? desc->n * desc->s : desc->n * desc->c;
    plan->cut.length = last ? desc->c : desc->s;
    plan->cut.channels = desc->c;
    plan->cut.stream = streams(desc, backward, device, CLNORM__STREAM_PERCENT);
}

int clnorm__plan_make(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size)
{
    int backward = ask->operation == CLNORM_BACKWARD_TRAINING || ask->operation == CLNORM_BACKWARD_FROZEN;
    int last = clnorm__is_last(desc), status;
    uint64_t rows, period, leaves = count_leaves(desc, &rows, &period);
    memset(plan, 0, sizeof *plan);
    if (leaves > (uint64_t)1 << 31) {
        snprintf(why, why_size, "a channel's %llu values are more than 2^31 leaves of the statistics' tree",
                 (unsigned long long)(desc->n * desc->s));
        return CLNORM_SIZE_OVERFLOW;
    }
    shape_leaves(desc, rows, leaves, period, &plan->shape);
    plan->shape.side = channels_side(desc, device);
    double m = (double)(desc->n * desc->s);
    plan->rm_hi = (float)(1.0 / m);
    plan->rm_lo = (float)(1.0 / m - (double)plan->rm_hi);
    plan->unbias = m > 1 ? (float)(m / (m - 1)) : 1.0f;

    plan->partial_at = CLNORM_COEFFICIENTS * desc->c;
    plan->workspace = plan->partial_at;
    if (ask->apply && (ask->operation == CLNORM_FORWARD_TRAINING || ask->operation == CLNORM_BACKWARD_TRAINING)) {
        if (plan_fused(desc, backward ? 2 : 1, device, filter, plan)) {
            reserve_partials(desc, backward, device, filter, plan);
            return CLNORM_SUCCESS;
        }
        if (filter->steps[backward ? CLNORM__DIFF_FUSED : CLNORM__FUSED])
            return refuse(device, why, why_size, "fused");
    }
    if (ask->operation == CLNORM_FORWARD_INFERENCE) {
        cut_rows(desc, backward, device, plan);
        if (plan_infer(desc, device, filter, plan))
            return CLNORM_SUCCESS;
        if (filter->steps[CLNORM__INFER])
            return refuse(device, why, why_size, "infer");
    }
    if (ask->sums) {
        status = plan_stats(desc, backward, device, filter, plan, why, why_size);
        if (status != CLNORM_SUCCESS)
            return status;
    } else {
        plan->finish.variant = clnorm__variant_choose(CLNORM__COEFFICIENTS, device, filter, last, leaves);
        plan->finish.form = CLNORM__FORM(0, 0);
        if (!plan->finish.variant)
            return refuse(device, why, why_size, "coefficients");
    }
    launch_channels(device, desc->c, &plan->finish);
    if (!ask->apply)
        return CLNORM_SUCCESS;
    plan->apply.variant = clnorm__variant_choose(CLNORM__APPLY, device, filter, last, leaves);
    if (!plan->apply.variant)
        return refuse(device, why, why_size, "apply");
    plan->apply.form = CLNORM__FORM(last, ask->operation == CLNORM_BACKWARD_TRAINING ? CLNORM__APPLY_BATCH
                                          : ask->operation == CLNORM_BACKWARD_FROZEN ? CLNORM__APPLY_FROZEN
                                                                                     : CLNORM__APPLY_FORWARD);
    cut_rows(desc, backward, device, plan);
    launch_apply(device, last, plan);
    return CLNORM_SUCCESS;
}
