/* SPDX-License-Identifier: Apache-2.0 */
/* What every plan must satisfy. */
#include "fixture/suite.h"
#include "plan_right.h"
#include "plan_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether fewer of the tunings and shapes are to do, as under sanitizers. */
int is_small(void)
{
    const char *small = getenv("CLNORM_TEST_SMALL");
    return small && *small && strcmp(small, "0") != 0;
}

static void check_blocks(const clnorm_desc *desc, const struct clnorm__plan *plan)
{
    const struct clnorm_shape *shape = &plan->shape;
    const struct clnorm__variant *v = plan->stats.variant;
    ck_assert_uint_ge(shape->block_log2, v->least_log2);
    ck_assert_uint_le(shape->block_log2, v->most_log2);
    ck_assert_uint_le(shape->block_log2, CLNORM_TREE_LEVELS);
    uint64_t size = (uint64_t)1 << shape->block_log2, leaves = leaves_of(desc);
    ck_assert_uint_eq(shape->blocks, leaves / size + (leaves % size != 0));
    ck_assert_uint_le(shape->blocks, 1u << CLNORM_TREE_LEVELS);
    check_tree(desc, &plan->low, 0, shape->block_log2);
    check_tree(desc, &plan->high, shape->block_log2, 63);
}

/* Work-groups of a launch; 128-bit, so that nothing wraps unseen. */
static void check_launch(const struct clnorm__launch *l, const struct clnorm__device *device, unsigned __int128 items)
{
    ck_assert_uint_eq(l->dims, 1);
    ck_assert_uint_gt(l->local[0], 0);
    ck_assert_uint_le(l->local[0], device->max_work_group);
    ck_assert_uint_eq(l->global[0] % l->local[0], 0);
    if (l->variant->work_group) {
        ck_assert_uint_eq(l->local[0], l->variant->work_group);
        ck_assert_msg(l->global[0] == items * l->variant->work_group, "%s: wrong number of work-groups",
                      l->variant->name);
    } else {
        ck_assert_msg(l->global[0] >= items && l->global[0] - items < l->local[0], "%s: wrong number of work-items",
                      l->variant->name);
    }
}

/*
 * Channels that a work-item or work-group of a stage one kernel takes. Of the item variants it is a matter of tuning, so it is
 * read off one launch, in which nothing is rounded; every other launch must agree with it.
 */
static uint64_t channels_an_item(const clnorm_desc *desc, const struct clnorm__device *device,
                                 const struct clnorm__variant *v)
{
    if (!is_last(desc) || v->kind == CLNORM__ANY)
        return 1;
    if (v->work_group > 1)
        return v->width;
    struct clnorm__plan plan;
    clnorm_desc probe = describe(1, 1 << 20, 64, CLNORM_CHANNELS_LAST);
    struct clnorm__ask ask = {v->step == CLNORM__STATS ? CLNORM_FORWARD_TRAINING : CLNORM_BACKWARD_TRAINING, 1, 0, 0};
    ck_assert_int_eq(make(&probe, &ask, device, &plan), CLNORM_SUCCESS);
    ck_assert_ptr_eq(plan.stats.variant, v);
    ck_assert_uint_eq(plan.shape.blocks, 1);
    uint64_t channels = probe.c / plan.stats.global[0];
    ck_assert_uint_eq(channels * plan.stats.global[0], probe.c);
    ck_assert(channels >= device->vector && channels % device->vector == 0);
    return channels;
}

static void check_stats_launch(const clnorm_desc *desc, const struct clnorm__device *device,
                               const struct clnorm__plan *plan)
{
    const struct clnorm__variant *v = plan->stats.variant;
    uint64_t wide = channels_an_item(desc, device, v);
    /* Short rows of neighbouring channels, within a line. */
    ck_assert(plan->shape.side == 1 || (!is_last(desc) && desc->s < device->vector && plan->shape.side <= CLNORM_SIDE &&
                                        plan->shape.side * desc->s <= 16));
    if (v->kind == CLNORM__CPU_LIKE && !is_last(desc))
        wide = plan->shape.side;
    unsigned __int128 columns = desc->c / wide + (desc->c % wide != 0);
    /* Channels that fill no vector go with those before them. */
    if (v->kind == CLNORM__CPU_LIKE && is_last(desc) && desc->c > wide && desc->c % wide > 0 &&
        desc->c % wide < device->vector)
        columns--;
    check_launch(&plan->stats, device, columns * plan->shape.blocks);
    ck_assert_uint_eq(plan->stats.form, CLNORM__FORM(is_last(desc), 0));
}

static void check_apply(const clnorm_desc *desc, const struct clnorm__device *device, const struct clnorm__plan *plan)
{
    const struct clnorm__launch *l = &plan->apply;
    const struct clnorm_cut *cut = &plan->cut;
    uint64_t values = desc->n * desc->c * desc->s;
    ck_assert_uint_eq(cut->length, is_last(desc) ? desc->c : desc->s);
    ck_assert_uint_eq(cut->channels, desc->c);
    ck_assert(cut->rows * cut->length == values && values / cut->length == cut->rows);
    ck_assert_uint_ge(cut->chunk, 1);
    ck_assert_uint_ge(cut->rows_per_item, 1);
    if (l->variant->kind == CLNORM__ANY) {
        check_launch(l, device, values);
    } else if (l->variant->width) {
        /* A vector each, or so far apart that a work-item's are of the same channels. */
        unsigned __int128 period = is_last(desc) ? desc->c : (unsigned __int128)desc->c * desc->s;
        uint64_t vectors = (values - 1) / l->variant->width + 1;
        ck_assert_uint_le(cut->rows_per_item, vectors);
        ck_assert(cut->rows_per_item == vectors ||
                  (unsigned __int128)cut->rows_per_item * l->variant->width % period == 0);
        check_launch(l, device, cut->rows_per_item);
    } else if (l->variant->kind == CLNORM__CPU_LIKE) {
        unsigned __int128 chunks = (cut->length - 1) / cut->chunk + 1, items = (cut->rows - 1) / cut->rows_per_item + 1;
        /* Whole rows, or parts of one; channels-last strips of rows are of whole vectors, which keeps stores aligned. */
        ck_assert(cut->chunk == cut->length || cut->rows_per_item == 1 || (is_last(desc) && cut->chunk % 16 == 0));
        check_launch(l, device, chunks * items);
    } else {
        ck_assert_uint_eq(l->dims, 2);
        for (int i = 0; i < 2; i++) {
            ck_assert_uint_gt(l->local[i], 0);
            ck_assert_uint_gt(l->global[i], 0);
            ck_assert_uint_eq(l->global[i] % l->local[i], 0);
        }
        ck_assert_uint_le(l->local[0] * l->local[1], device->max_work_group);
        /* It strides over what is left, so there is nothing to cover; but nothing should idle either. */
        ck_assert_uint_lt(l->global[0] - l->local[0], cut->length);
        ck_assert_uint_lt(l->global[1] - l->local[1], cut->rows);
    }
}

static void check_workspace(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                            const struct clnorm__plan *plan)
{
    int backward = ask->operation == CLNORM_BACKWARD_TRAINING || ask->operation == CLNORM_BACKWARD_FROZEN;
    unsigned __int128 coefficients = (unsigned __int128)desc->c * CLNORM_COEFFICIENTS, partials = 0;
    if (plan->stats.variant)
        partials = (unsigned __int128)desc->c * plan->shape.blocks * (backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS);
    ck_assert(plan->coef_at + coefficients <= plan->partial_at || partials == 0);
    ck_assert(plan->coef_at + coefficients <= plan->workspace);
    ck_assert(plan->partial_at + partials <= plan->workspace);
    if (plan->fused.variant && backward) { /* room for the same call without diff_src, which takes several launches */
        struct clnorm__ask less = {ask->operation, 1, 0, 0};
        struct clnorm__plan other;
        ck_assert_int_eq(make(desc, &less, device, &other), CLNORM_SUCCESS);
        ck_assert_uint_eq(plan->workspace, other.workspace);
    }
    /* Whichever row of stage one takes the place of another: room for it, and no more than for the one that needs most. */
    unsigned __int128 need = coefficients;
    for (unsigned i = 0; ask->sums && i < CLNORM__VARIANTS; i++) {
        struct clnorm__filter one = {.named = {0}};
        struct clnorm__plan other;
        if (clnorm__variants[i].step != (backward ? CLNORM__DIFF_STATS : CLNORM__STATS))
            continue;
        ck_assert_ptr_null(clnorm__filter_read(clnorm__variants[i].name, &one));
        if (clnorm__plan_make(desc, ask, device, &one, &other, why, sizeof why) == CLNORM_SUCCESS) {
            partials =
                (unsigned __int128)desc->c * other.shape.blocks * (backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS);
            need = coefficients + partials > need ? coefficients + partials : need;
        }
    }
    ck_assert(plan->workspace == need);
    ck_assert_uint_le(plan->workspace, SIZE_MAX / 4); /* its bytes can be told */
}

static void check_constants(const clnorm_desc *desc, const struct clnorm__plan *plan)
{
    long double exact = 1.0L / (long double)(desc->n * desc->s);
    ck_assert(plan->rm_hi == (float)exact);
    ck_assert(fabsl((long double)plan->rm_hi + plan->rm_lo - exact) <= exact * 0x1p-47L);
    double m = (double)(desc->n * desc->s);
    ck_assert(plan->unbias == (m > 1 ? (float)(m / (m - 1)) : 1.0f));
}

/* One launch: whole channels, `chunk` at a time; channels-first their short rows fit the kernel's buffer. */
static void check_fused(const clnorm_desc *desc, const struct clnorm__device *device, const struct clnorm__plan *plan)
{
    const struct clnorm_cut *cut = &plan->cut;
    check_tree(desc, &plan->low, 0, 63);
    if (is_last(desc))
        ck_assert_uint_eq(cut->chunk % device->vector, 0);
    else
        ck_assert(cut->chunk == 1 || (cut->chunk <= CLNORM_RUN_CHANNELS && cut->chunk * desc->s <= CLNORM_RUN));
    ck_assert_uint_ge(cut->rows_per_item, 1);
    ck_assert_uint_eq(cut->rows_per_item % cut->chunk, 0);
    check_launch(&plan->fused, device, (desc->c - 1) / cut->rows_per_item + 1);
}

/* One launch: whole rows of so few channels that their coefficients fit the kernel's array. */
static void check_infer(const clnorm_desc *desc, const struct clnorm__device *device, const struct clnorm__plan *plan)
{
    const struct clnorm_cut *cut = &plan->cut;
    ck_assert_int_eq(plan->fused.variant->step, CLNORM__INFER);
    ck_assert_uint_eq(plan->fused.form, CLNORM__FORM(is_last(desc), 0));
    ck_assert(!plan->stats.variant && !plan->finish.variant && !plan->apply.variant);
    ck_assert_uint_le(desc->c, CLNORM_INFER_CHANNELS);
    ck_assert_uint_eq(cut->rows * cut->length, desc->n * desc->c * desc->s);
    ck_assert_uint_eq(cut->chunk, cut->length);
    ck_assert_uint_ge(cut->rows_per_item, 1);
    check_launch(&plan->fused, device, (cut->rows - 1) / cut->rows_per_item + 1);
}

void check_plan(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                const struct clnorm__plan *plan)
{
    check_geometry(desc, &plan->shape);
    check_workspace(desc, ask, device, plan);
    check_constants(desc, plan);
    if (plan->fused.variant && ask->operation == CLNORM_FORWARD_INFERENCE) {
        check_infer(desc, device, plan);
        return;
    }
    if (plan->fused.variant) {
        int backward = ask->operation == CLNORM_BACKWARD_TRAINING;
        ck_assert(ask->apply && (backward || ask->operation == CLNORM_FORWARD_TRAINING));
        ck_assert_int_eq(plan->fused.variant->step, backward ? CLNORM__DIFF_FUSED : CLNORM__FUSED);
        ck_assert_uint_eq(plan->fused.form, CLNORM__FORM(is_last(desc), 0));
        ck_assert(!plan->stats.variant && !plan->finish.variant && !plan->apply.variant);
        check_fused(desc, device, plan);
        return;
    }
    ck_assert_ptr_nonnull(plan->finish.variant);
    ck_assert((plan->stats.variant != NULL) == ask->sums);
    ck_assert((plan->apply.variant != NULL) == ask->apply);
    ck_assert((plan->finish.variant->step == CLNORM__COEFFICIENTS) == !ask->sums);
    if (ask->sums) {
        check_blocks(desc, plan);
        check_stats_launch(desc, device, plan);
    }
    unsigned vector = plan->finish.variant->work_group == 1 ? device->vector : 1;
    check_launch(&plan->finish, device, (desc->c - 1) / vector + 1);
    if (ask->apply)
        check_apply(desc, device, plan);
}
