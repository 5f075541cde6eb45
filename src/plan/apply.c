/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/apply.h"

#include "plan/arithmetic.h"
#include "plan/cache_share.h"
#include "plan/leaves.h"
#include "plan/turns.h"

void clnorm__cut_rows(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                      struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc);
    plan->cut.rows = last ? desc->n * desc->s : desc->n * desc->c;
    plan->cut.length = last ? desc->c : desc->s;
    plan->cut.channels = desc->c;
    plan->cut.stream = clnorm__streams(desc, backward, device, CLNORM__STREAM_PERCENT);
}

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
    cut->rows_per_item = least(cut->rows_per_item, clnorm__turns_pieces(device, cut->chunk + CLNORM__ROW_TURNS));
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
static void launch_flat(const struct clnorm__device *device, int last, uint64_t width, struct clnorm__plan *plan)
{
    struct clnorm__launch *l = &plan->apply;
    struct clnorm_cut *cut = &plan->cut;
    const uint64_t vectors = ceil_div(cut->rows * cut->length, width);
    const uint64_t period = last ? cut->length : cut->channels * cut->length;
    const uint64_t step = period / common_divisor(period, width);
    uint64_t group = floor_power(least(least(clnorm__tuned(device, CLNORM__APPLY_ITEMS), device->max_work_group),
                                       clnorm__most_items(device, 0)));
    uint64_t wanted = device->compute_units * clnorm__tuned(device, CLNORM__APPLY_GROUPS) * group;
    if (device->loop_limit)
        wanted = most(wanted, ceil_div(vectors, most(1, clnorm__turns_pieces(device, CLNORM__ROW_TURNS))));
    cut->rows_per_item = step < vectors ? least(ceil_div(wanted, step) * step, vectors) : vectors;
    if (cut->rows_per_item % step)
        cut->rows_per_item = vectors; /* a vector each */
    l->dims = 1;
    l->local[0] = group;
    l->global[0] = ceil_div(cut->rows_per_item, group) * group;
}

void clnorm__launch_apply(const clnorm_desc *desc, unsigned extras, const struct clnorm__device *device,
                          struct clnorm__plan *plan)
{
    const int last = clnorm__is_last(desc);
    struct clnorm__launch *l = &plan->apply;
    struct clnorm_cut *cut = &plan->cut;
    cut->chunk = cut->length;
    cut->rows_per_item = 1;
    if (l->variant->width) {
        /* A vector of 16 bytes, or of the elements that have a byte of a mask. */
        launch_flat(device, last, clnorm_type_bytes(desc->type) == 2 || extras & CLNORM__HAS_MASK ? 8 : 4, plan);
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
        l->local[0] = clnorm__free_group(device);
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
        uint64_t turns = (last ? 0 : ceil_div(cut->length, l->global[0])) + CLNORM__ROW_TURNS;
        wanted = most(wanted, ceil_div(rows, most(1, clnorm__turns_pieces(device, turns))));
    }
    l->global[1] = least(rows, wanted) * l->local[1];
}
