/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: the leaves, the weights of their tree, blocks, launches and workspace, against what a walk over the leaves says. */
#include "fixture/suite.h"
#include "plan_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* tree_way is the kernels' own: the plan's table is right when it is read the way they read it. */
#define fma fmaf
#define FUNC static __attribute__((unused))
#define T float
#define FN(name) name##_f
#define ANY(x) (x)
#define BACKWARD 0
#define local
#include "common/pair.cl"
#include "common/tree.cl"
#undef local

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whether fewer of the tunings and shapes are to do, as under sanitizers. */
static int is_small(void)
{
    const char *small = getenv("CLNORM_TEST_SMALL");
    return small && *small && strcmp(small, "0") != 0;
}

/* ---- leaves, from the numerical contract's words and not from the plan's formulas ---- */

static int is_last(const clnorm_desc *desc)
{
    return desc->layout == CLNORM_CHANNELS_LAST || desc->s == 1;
}

static uint64_t group_of(const clnorm_desc *desc)
{
    uint64_t g = 1024;
    while (g * desc->s > 1024)
        g /= 2;
    return g;
}

/* Values of a channel before leaf i. */
static uint64_t before(const clnorm_desc *desc, uint64_t i)
{
    if (is_last(desc))
        return least(i * 64, desc->n * desc->s);
    if (desc->s <= 1024)
        return least(i * group_of(desc), desc->n) * desc->s;
    uint64_t segments = desc->s / 1024 + (desc->s % 1024 != 0);
    return i / segments * desc->s + i % segments * 1024;
}

static uint64_t leaves_of(const clnorm_desc *desc)
{
    if (is_last(desc))
        return (desc->n * desc->s + 63) / 64;
    if (desc->s > 1024)
        return desc->n * (desc->s / 1024 + (desc->s % 1024 != 0));
    return (desc->n + group_of(desc) - 1) / group_of(desc);
}

static uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* ---- what every plan must satisfy ---- */

static void check_geometry(const clnorm_desc *desc, const struct clnorm_shape *shape)
{
    uint64_t leaves = leaves_of(desc), state = 1;
    ck_assert_uint_eq(shape->n, desc->n);
    ck_assert_uint_eq(shape->c, desc->c);
    ck_assert_uint_eq(shape->s, desc->s);
    ck_assert_uint_eq(shape->leaves, leaves);
    ck_assert_uint_eq(shape->rows, is_last(desc) || desc->s > 1024 ? 1 : group_of(desc));
    ck_assert_uint_eq(before(desc, leaves), desc->n * desc->s);
    for (uint64_t k = 0; k < least(leaves, 500); k++) {
        uint64_t i = leaves <= 500 ? k : k < 10 ? leaves - 1 - k : draw(&state) % leaves;
        uint64_t size = i % shape->period == shape->period - 1u ? shape->last : shape->full;
        if (size != before(desc, i + 1) - before(desc, i)) /* ck_assert itself would take most of the time */
            ck_abort_msg("leaf %llu has %llu values", (unsigned long long)i, (unsigned long long)size);
    }
    ck_assert(shape->rn_full == (float)(1.0 / shape->full));
    ck_assert(shape->rn_last == (float)(1.0 / shape->last));
}

/* The merge of level `level` whose left end is leaf `first` takes the weights it should. */
static void check_merge(const clnorm_desc *desc, const struct clnorm_tree *tree, unsigned level, uint64_t first)
{
    uint64_t leaves = leaves_of(desc), span = (uint64_t)1 << level;
    uint64_t start = before(desc, first), middle = before(desc, first + span);
    uint64_t end = before(desc, least(first + 2 * span, leaves));
    double n_a = (double)(middle - start), n_b = (double)(end - middle), f = n_b / (n_a + n_b);
    clnorm_u32 way = tree_way(tree, level, (clnorm_u32)first);
    unsigned at = (level - tree->base) * CLNORM_TREE_WAYS + way;
    if (level - tree->base >= CLNORM_TREE_LEVELS || way >= CLNORM_TREE_WAYS || tree->f[at] != (float)f ||
        tree->w[at] != (float)(n_a * f))
        ck_abort_msg("n %llu c %llu s %llu, base %u, level %u, first %llu: not f %a w %a", (unsigned long long)desc->n,
                     (unsigned long long)desc->c, (unsigned long long)desc->s, tree->base, level,
                     (unsigned long long)first, f, n_a * f);
}

/* Every merge of levels [from, to); of large levels both ends and many others. */
enum { MERGES = 300 };
static void check_tree(const clnorm_desc *desc, const struct clnorm_tree *tree, unsigned from, unsigned to)
{
    uint64_t leaves = leaves_of(desc), state = 7;
    ck_assert_uint_eq(tree->leaves, leaves);
    ck_assert_uint_eq(tree->base, from);
    for (unsigned level = from; level < to && ((uint64_t)1 << level) < leaves; level++) {
        uint64_t span = (uint64_t)1 << level, merges = (leaves - 1 - span) / (2 * span) + 1;
        for (uint64_t k = 0; k < least(merges, MERGES); k++) {
            uint64_t i = merges <= MERGES ? k : k < 5 ? k : k < 10 ? merges - 1 - (k - 5) : draw(&state) % merges;
            check_merge(desc, tree, level, i * 2 * span);
        }
    }
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
    struct clnorm__ask ask = {v->step == CLNORM__STATS ? CLNORM_FORWARD_TRAINING : CLNORM_BACKWARD_TRAINING, 1, 0};
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
        struct clnorm__ask less = {ask->operation, 1, 0};
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

static void check_plan(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
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

static void check_everywhere(const clnorm_desc *desc)
{
    for (int d = 0; d < DEVICES; d++) {
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            int status = make(desc, &asks[a], &devices[d].device, &plan);
            ck_assert_msg(status == CLNORM_SUCCESS, "%s: %d: %s", devices[d].name, status, why);
            check_plan(desc, &asks[a], &devices[d].device, &plan);
        }
    }
}

/* ---- shapes ---- */

START_TEST(listed_shapes)
{
    static const uint64_t n[] = {1, 2, 3, 17, 64, 65, 1025}, c[] = {1, 3, 257};
    static const uint64_t s[] = {1,    2,    49,   63,   196,  512,  513,  1023, 1024,
                                 1025, 2047, 2048, 2049, 3072, 3136, 5000, 40000};
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        for (size_t j = 0; j < sizeof c / sizeof c[0]; j++)
            for (size_t k = 0; k < sizeof s / sizeof s[0]; k++)
                for (unsigned layout = 0; layout < 2; layout++) {
                    clnorm_desc desc = describe(n[i], c[j], s[k], layout);
                    if (!is_small() || (i + j + k + layout) % 3 == 0)
                        check_everywhere(&desc);
                }
}
END_TEST

/* Rows of K segments, the last one short: the four ways of merging. K = 3 has every kind of run. */
START_TEST(short_segments)
{
    for (uint64_t k = 2; k <= 40; k++) {
        static const uint64_t rest[] = {1, 511, 1023, 1024};
        for (size_t r = 0; r < 4; r++) {
            clnorm_desc desc = describe(37 + k % 5, 2, (k - 1) * 1024 + rest[r], CLNORM_CHANNELS_FIRST);
            check_everywhere(&desc);
        }
    }
    clnorm_desc desc = describe(300000, 1, 2 * 1024 + 7, CLNORM_CHANNELS_FIRST);
    check_everywhere(&desc);
}
END_TEST

START_TEST(drawn_shapes)
{
    uint64_t state = 2015;
    for (int i = 0; i < 300; i++) {
        uint64_t n = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 16);
        uint64_t c = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 12);
        uint64_t s = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 20);
        clnorm_desc desc = describe(n, c, s, i % 2);
        check_everywhere(&desc);
    }
}
END_TEST

START_TEST(most_leaves)
{
    const uint64_t one = 1;
    const clnorm_desc most[] = {
        describe(one << 37, 1, 1, CLNORM_CHANNELS_FIRST),
        describe(one << 20, 3, one << 17, CLNORM_CHANNELS_LAST),
        describe(1, one << 20, one << 41, CLNORM_CHANNELS_FIRST), /* 2^61 elements; the launch is beyond 32 bits */
        describe(one << 30, 1, 1025, CLNORM_CHANNELS_FIRST),
        describe((one << 31) / 3, 5, 2 * 1024 + 1, CLNORM_CHANNELS_FIRST),
        describe((one << 31) / 3, 5, 2 * 1024 + 1023, CLNORM_CHANNELS_FIRST),
        describe((one << 31) * 4 - 1, 1, 256, CLNORM_CHANNELS_FIRST),
    };
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++)
        check_everywhere(&most[i]);
    const clnorm_desc more[] = {
        describe((one << 37) + 1, 1, 1, CLNORM_CHANNELS_FIRST),
        describe((one << 37) + 1, 7, 1, CLNORM_CHANNELS_LAST),
        describe(1, 1, (one << 41) + 1, CLNORM_CHANNELS_FIRST),
        describe((one << 30) + 1, 1, 1025, CLNORM_CHANNELS_FIRST),
        describe((one << 31) * 4 + 1, 1, 256, CLNORM_CHANNELS_FIRST),
        describe(one << 61, 1, 1, CLNORM_CHANNELS_LAST),
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            ck_assert_int_eq(make(&more[i], &asks[a], &devices[0].device, &plan), CLNORM_SIZE_OVERFLOW);
            ck_assert_ptr_nonnull(strstr(why, "2^31 leaves"));
        }
    }
}
END_TEST

/* So many channels that the workspace's bytes, or a launch's work-items, may be beyond 64 bits: right, or refused. */
START_TEST(most_channels)
{
    for (unsigned log2 = 30; log2 <= 54; log2++) {
        for (int d = 0; d < DEVICES; d++) {
            for (int a = 0; a < ASKS; a++) {
                clnorm_desc desc = describe(1, (uint64_t)1 << log2, 1, CLNORM_CHANNELS_FIRST);
                struct clnorm__plan plan;
                int status = make(&desc, &asks[a], &devices[d].device, &plan);
                if (status == CLNORM_SUCCESS)
                    check_plan(&desc, &asks[a], &devices[d].device, &plan);
                else
                    ck_assert_msg(status == CLNORM_SIZE_OVERFLOW && log2 > 50, "2^%u channels: %d: %s", log2, status,
                                  why);
            }
        }
    }
}
END_TEST

/* ---- tunings ---- */

static const struct range {
    uint32_t least, most;
} ranges[CLNORM__PARAMETER_COUNT] = {
#define RANGE(NAME, name, least, most, cpu, wide, other, meaning) {least, most},
    CLNORM__PARAMETERS(RANGE)
#undef RANGE
};

static void set(struct clnorm__device *device, unsigned parameter, uint32_t value)
{
    device->tuning.value[parameter] = value;
    device->tuning.is_set[parameter] = 1;
}

/* Shapes for which every parameter matters on some device. */
static const clnorm_desc tuned_shapes[] = {
    {32, 256, 49, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f},
    {7, 33, 5000, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f},
    {3, 64, 70001, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f},
    {32, 2048, 3137, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f},
    {8, 1000, 9, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f},
    {1, 1, 1, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f},
    {2, 40000, 3, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f},
    {65536, 64, 1, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f},
};
enum { TUNED_SHAPES = sizeof tuned_shapes / sizeof tuned_shapes[0] };

/* Every combination of least and most values, each with one shape, device and call in turn. */
START_TEST(extreme_tunings)
{
    unsigned step = is_small() ? 13 : 1;
    for (unsigned combination = 0; combination < 1u << CLNORM__PARAMETER_COUNT; combination += step) {
        unsigned turn = combination ^ combination >> 7; /* else a shape would see few values of some parameters */
        struct clnorm__device device = devices[combination % DEVICES].device;
        const clnorm_desc *desc = &tuned_shapes[turn % TUNED_SHAPES];
        for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++)
            set(&device, p, combination >> p & 1u ? ranges[p].most : ranges[p].least);
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            if ((turn / TUNED_SHAPES + (unsigned)a) % 3)
                continue;
            ck_assert_msg(make(desc, &asks[a], &device, &plan) == CLNORM_SUCCESS, "%s", why);
            check_plan(desc, &asks[a], &device, &plan);
        }
    }
}
END_TEST

/* Values between, powers of two or not. */
START_TEST(drawn_tunings)
{
    uint64_t state = 1502;
    for (int i = 0; i < (is_small() ? 400 : 4000); i++) {
        struct clnorm__device device = devices[draw(&state) % DEVICES].device;
        const clnorm_desc *desc = &tuned_shapes[draw(&state) % TUNED_SHAPES];
        for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++) {
            uint64_t span = ranges[p].most - ranges[p].least + 1u;
            if (draw(&state) % 3)
                set(&device, p,
                    (uint32_t)(ranges[p].least + draw(&state) % (1 + (span - 1) / (1u << draw(&state) % 16))));
        }
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            ck_assert_msg(make(desc, &asks[a], &device, &plan) == CLNORM_SUCCESS, "%s", why);
            check_plan(desc, &asks[a], &device, &plan);
        }
    }
}
END_TEST

/* A parameter that moves no plan anywhere is none. */
START_TEST(every_parameter_matters)
{
    for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++) {
        unsigned moved = 0;
        for (unsigned k = 0; k < DEVICES * TUNED_SHAPES * ASKS; k++) {
            struct clnorm__device least_one = devices[k % DEVICES].device, most_one = least_one;
            const clnorm_desc *desc = &tuned_shapes[k / DEVICES % TUNED_SHAPES];
            struct clnorm__plan a, b;
            set(&least_one, p, ranges[p].least);
            set(&most_one, p, ranges[p].most);
            ck_assert_int_eq(make(desc, &asks[k / DEVICES / TUNED_SHAPES], &least_one, &a), CLNORM_SUCCESS);
            ck_assert_int_eq(make(desc, &asks[k / DEVICES / TUNED_SHAPES], &most_one, &b), CLNORM_SUCCESS);
            moved += memcmp(&a, &b, sizeof a) != 0;
        }
        ck_assert_msg(moved > 0, "parameter number %u changes nothing", p);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_test(tests, listed_shapes);
    tcase_add_test(tests, short_segments);
    tcase_add_test(tests, drawn_shapes);
    tcase_add_test(tests, most_leaves);
    tcase_add_test(tests, most_channels);
    tcase_add_test(tests, extreme_tunings);
    tcase_add_test(tests, drawn_tunings);
    tcase_add_test(tests, every_parameter_matters);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
