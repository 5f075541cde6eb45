/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call may ask for beside the normalization - types, activations, residuals, masks, gates, accumulation, groups - and how its buffers
 * lie, as parts of others too, crossed with each other, bit for bit against the scalar model. Every two levels of two factors below meet in some call of each step
 * that knows of both, if they can; and every level in some call of each kernel variant.
 *
 * A program is compiled for its form: what is applied, layout, type, and what of activation, residual, mask and old gradient there is.
 * That takes PoCL a second, each size of work-groups anew, and a call a few milliseconds. So the variants of a step first get as few forms
 * as have every two of these levels together, no matter how the rest is; then each as many calls, all in its forms, as have every two
 * levels of anything that those have. What a step does not know of stays out of its variants' calls, which would only have it compiled into
 * the other steps; for the same reason stage one of the backward pass goes without diff_src. Each form makes a call on one of the other
 * machines (subjects.c), in turn, but one alone on those of other vectors; and those of whole operations make one of the free choice,
 * as some of the last step do, whose programs differ in every step.
 *
 * CLNORM_TEST_FEATURES=pairs gives each variant all pairs, and =all every form there is, which takes some minutes. CLNORM_TEST_DEVICE selects
 * one device, CLNORM_TEST_SMALL a few of its calls for each variant, for slow ones.
 */
#include "fixture/suite.h"
#include "fixture/subjects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum factor {
    OPERATION,
    LAYOUT,
    TYPE,
    ACTIVATION, /* none, ReLU, leaky, clipped, both */
    ADDED,      /* residual or diff_residual: none, one, one that dst or diff_dst is the same as */
    GATED,      /* forward: no mask, a mask; backward: by dst, by a mask, by the mask of both */
    OLD,        /* whether diff_src accumulates */
    PARAMETERS, /* bits: diff_scale and diff_shift do */
    SAMPLES,    /* a group's: all; one; two, the last group one where that is left */
    CHANNELS,   /* a group's: one; all; as few as divide them */
    ALIAS,      /* none, src, diff_dst */
    ABSENT, /* nothing; scale, and what goes with it; what is optional, backward diff_scale and diff_shift; diff_src */
    ALIGNMENT, /* nothing; all; tensors that are read */
    VIEWS,     /* none; slices of all tensors; of those that are written; all in other ways */
    SHAPE,
    DATA,
    FACTORS,
    /* What a program is compiled for, and how wide the work-groups of apply_group are. */
    FORM = FACTORS,
    F_APPLY = FORM,
    F_LAYOUT,
    F_TYPE,
    F_ACTIVE,
    F_ADDED,
    F_MASK,
    F_OLD,
    F_MERGED,
    F_WIDE,
    F_VIEW,
    LEVELS
};

/* Whole and broken leaves, vectors and bytes of a mask; one channel, one position, one value. */
static const struct {
    uint64_t n, c, s;
} shapes[] = {{3, 5, 9},   {5, 16, 8},  {1, 9, 1},   {67, 35, 2}, {9, 1, 7},
              {16, 8, 64}, {33, 24, 1}, {2, 19, 49}, {1, 2, 1027}};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };

static const struct {
    enum case_data kind;
    float epsilon;
} data_kinds[] = {{CASE_NORMAL, 1e-5f}, {CASE_CONSTANT, 0}, {CASE_SPECIAL, 1e-5f}, {CASE_RELU, 0}};

static const unsigned levels[FACTORS] = {4, 2, 3, 5, 3, 3, 2, 4, 3, 3, 3, 4, 3, 4, SHAPES, 4};
enum { MOST_LEVELS = 10 };

struct row {
    unsigned char level[LEVELS];
};

static int is_backward(const struct row *row)
{
    return row->level[OPERATION] >= CLNORM_BACKWARD_TRAINING;
}

/* ---- which rows there are ---- */

/* Whether CLNORM_TEST_FEATURES says so, or as much as that: "pairs" or "all". */
static int wants(const char *what)
{
    const char *said = getenv("CLNORM_TEST_FEATURES");

    return said && (strcmp(said, what) == 0 || strcmp(said, "all") == 0);
}

/* Factors that a step knows of; the others have one level. */
static unsigned known_to(const struct clnorm__variant *variant)
{
    const unsigned call = BIT(OPERATION) | BIT(LAYOUT) | BIT(ABSENT) | BIT(ALIGNMENT) | BIT(SHAPE) | BIT(DATA);
    const unsigned reading = call | BIT(TYPE) | BIT(ALIAS) | BIT(SAMPLES) | BIT(VIEWS);

    switch (variant ? (int)variant->step : -1) {
    case CLNORM__STATS:
        return reading;
    case CLNORM__FINISH:
        return call | BIT(SAMPLES);
    case CLNORM__COEFFICIENTS:
        return call;
    case CLNORM__DIFF_FINISH:
        return call | BIT(PARAMETERS) | BIT(SAMPLES);
    case CLNORM__JOIN:
    case CLNORM__DIFF_JOIN:
    case CLNORM__SPREAD:
    case CLNORM__FINISH_CHANNELS:
    case CLNORM__DIFF_FINISH_CHANNELS:
        return call | BIT(PARAMETERS) | BIT(SAMPLES) | BIT(CHANNELS);
    case CLNORM__DIFF_STATS:
        return (reading | BIT(ACTIVATION) | BIT(GATED)) & ~(BIT(ALIAS) | BIT(ABSENT));
    default:
        return BIT(FACTORS) - 1;
    }
}

static uint64_t channel_group(const struct row *row)
{
    const uint64_t c = shapes[row->level[SHAPE]].c;
    uint64_t k = 2;

    while (k < c && c % k)
        k++;
    return row->level[CHANNELS] == 0 ? 0 : row->level[CHANNELS] == 1 || k > c ? c : k;
}

/* What the variant's tensors are. */
static enum clnorm__view view_of(const struct clnorm__variant *v, const struct row *row)
{
    static const enum clnorm__view views[] = {CLNORM__DENSE, CLNORM__SLICE, CLNORM__SLICE, CLNORM__STRIDED};
    const int is_first = v && (v->step == CLNORM__STATS || v->step == CLNORM__DIFF_STATS);

    return is_first && row->level[VIEWS] == 2 ? CLNORM__DENSE : views[row->level[VIEWS]];
}

/* Whether the variant has a part in the call. */
static int takes_part(const struct clnorm__variant *v, const struct row *row)
{
    const unsigned char *l = row->level;
    const int is_last = l[LAYOUT] == CLNORM_CHANNELS_LAST || shapes[l[SHAPE]].s == 1;
    const clnorm_desc desc = {.group_channels = channel_group(row)};

    if (!has_step(&desc, (enum clnorm_operation)l[OPERATION], v))
        return 0;
    if (v && v->layouts == (is_last ? CLNORM__FIRST : CLNORM__LAST))
        return 0;
    if (v && known_to(v) & BIT(VIEWS) && v->view < view_of(v, row))
        return 0;
    if (!v || l[OPERATION] < CLNORM_BACKWARD_TRAINING)
        return !v || v->step != CLNORM__JOIN || (l[SAMPLES] > 0 && l[ABSENT] != 2);
    switch (v->step) {
    case CLNORM__APPLY:
    case CLNORM__DIFF_FUSED:
        return l[ABSENT] != 3;
    case CLNORM__COEFFICIENTS:
        return l[ABSENT] == 2;
    case CLNORM__DIFF_JOIN:
        return l[SAMPLES] > 0 && l[ABSENT] != 2;
    case CLNORM__SPREAD:
        return 1;
    default:
        return l[OPERATION] != CLNORM_BACKWARD_FROZEN || l[ABSENT] != 2;
    }
}

static int is_legal(const struct row *row)
{
    const unsigned char *l = row->level;

    if ((l[ACTIVATION] == 0 || l[ACTIVATION] == 4) && l[GATED])
        return 0;
    if (l[SAMPLES] && (l[OPERATION] % 2 || shapes[l[SHAPE]].n <= l[SAMPLES]))
        return 0;
    if (l[CHANNELS] && channel_group(row) < 2)
        return 0;
    if (!is_backward(row))
        return !l[OLD] && !l[PARAMETERS] && l[ABSENT] < 3 && l[ALIAS] < 2 && !(l[ADDED] == 2 && l[ALIAS]) &&
               l[GATED] < (l[OPERATION] == CLNORM_FORWARD_TRAINING ? 2 : 1);
    if (l[ABSENT] == 3 && (l[ADDED] || l[ALIAS] || l[OLD]))
        return 0;
    if (l[OPERATION] == CLNORM_BACKWARD_FROZEN && l[ABSENT] == 2 && l[ALIAS] == 1)
        return 0;
    return !(l[OLD] && l[ALIAS]) && !(l[ADDED] == 2 && l[ALIAS] == 2);
}

static uint64_t state;
static unsigned draw_below(unsigned count)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(state >> 33) % count;
}

/* The power of two that a row of the tensor fits into, as apply_group takes it; one in WIDE_STEP is tried. */
enum { WIDE_STEP = 4 };
static unsigned wide_of(const struct row *row)
{
    const uint64_t length = row->level[F_LAYOUT] ? shapes[row->level[SHAPE]].c : shapes[row->level[SHAPE]].s;
    unsigned log2 = 0;

    while (UINT64_C(1) << log2 < length && log2 < 8)
        log2++;
    return log2;
}

/*
 * A row at random, of those that the variant has a part in: with a third of the levels of one of them drawn anew, which most often gives
 * another one, where nearly all that are drawn from nothing have two levels that do not go together.
 */
static struct row draw(const struct clnorm__variant *variant, const struct row *from)
{
    const unsigned known = known_to(variant);
    struct row row;
    unsigned char *l = row.level;

    do {
        memset(&row, 0, sizeof(row));
        for (unsigned f = 0; f < FACTORS; f++)
            if (known & BIT(f))
                l[f] = from && draw_below(3) ? from->level[f] : (unsigned char)draw_below(levels[f]);
        if (variant && variant->step == CLNORM__DIFF_STATS)
            l[ABSENT] = 3;
        l[F_LAYOUT] = l[LAYOUT] || shapes[l[SHAPE]].s == 1;
        l[F_WIDE] = variant && strcmp(variant->name, "apply_group") == 0 ? (unsigned char)wide_of(&row) : 0;
    } while (!is_legal(&row) || !takes_part(variant, &row) || (l[F_WIDE] % WIDE_STEP && !wants("all")));
    l[F_APPLY] = l[OPERATION] > 1 ? l[OPERATION] - 1 : 0;
    l[F_TYPE] = l[TYPE];
    l[F_ACTIVE] = l[ACTIVATION] > 0;
    l[F_ADDED] = l[ADDED] > 0;
    l[F_MASK] = l[GATED] > 0;
    l[F_OLD] = l[OLD];
    l[F_MERGED] = l[CHANNELS] > 0;
    l[F_VIEW] = variant && known & BIT(VIEWS) && view_of(variant, &row) != CLNORM__DENSE;
    return row;
}

/* ---- pairs ---- */

/* Pairs of levels, of two factors or of two parts of a form; and of one with itself: that level. */
struct pairs {
    unsigned char has[LEVELS][MOST_LEVELS][LEVELS][MOST_LEVELS];
};

static unsigned gain(const struct pairs *seen, const struct row *row, unsigned first, unsigned end)
{
    const unsigned char *l = row->level;
    unsigned fresh = 0;

    for (unsigned a = first; a < end; a++)
        for (unsigned b = first; b <= a; b++)
            fresh += !seen->has[a][l[a]][b][l[b]];
    return fresh;
}

static void add(struct pairs *seen, const struct row *row, unsigned first, unsigned end)
{
    const unsigned char *l = row->level;

    for (unsigned a = first; a < end; a++)
        for (unsigned b = first; b <= a; b++)
            seen->has[a][l[a]][b][l[b]] = 1;
}

enum { POOL = 6000, MOST_ROWS = 400, SMALL_FORMS = 2 };

/*
 * Of a pool, as few rows as have every level of first to end that any of them has, and every pair that is not seen yet: always the one with the
 * most that are new.
 */
static size_t choose(const struct row *pool, unsigned first, unsigned end, struct pairs *seen, struct row *chosen)
{
    size_t count = 0;

    for (unsigned a = first; a < end; a++)
        for (unsigned level = 0; level < MOST_LEVELS; level++)
            seen->has[a][level][a][level] = 0;
    for (;;) {
        unsigned most = 0;
        size_t best = 0;

        for (size_t i = 0; i < POOL; i++) {
            const unsigned fresh = gain(seen, &pool[i], first, end);

            if (fresh > most) {
                most = fresh;
                best = i;
            }
        }
        if (most == 0)
            return count;
        ck_assert_uint_lt(count, MOST_ROWS);
        chosen[count++] = pool[best];
        add(seen, &pool[best], first, end);
    }
}

static int has_form(const struct row *rows, size_t count, const struct row *row)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(rows[i].level + FORM, row->level + FORM, LEVELS - FORM) == 0)
            return 1;
    return 0;
}

/* A variant's rows: those of its forms first, *forms of them. Pairs of a form's parts that others of its step have had are not its. */
static size_t rows_of(const struct clnorm__variant *variant, struct row *rows, size_t *forms)
{
    static struct row pool[POOL];
    static struct pairs of_forms, of_calls;
    static enum clnorm__step step = CLNORM__STEPS;
    size_t count = 0;

    state = 12;
    for (size_t i = 0; i < POOL; i++)
        pool[i] = draw(variant, i ? &pool[i - 1] : NULL);
    if (variant->step != step || wants("pairs"))
        memset(&of_forms, 0, sizeof(of_forms));
    step = variant->step;
    if (!wants("all")) {
        count = choose(pool, FORM, LEVELS, &of_forms, rows);
    } else {
        for (size_t i = 0; i < POOL; i++)
            if (!has_form(rows, count, &pool[i])) {
                ck_assert_uint_lt(count, MOST_ROWS);
                rows[count++] = pool[i];
            }
    }
    *forms = count;
    if (fixture_is_small())
        return *forms = count < SMALL_FORMS ? count : SMALL_FORMS;
    for (size_t i = 0; i < POOL;) {
        pool[i] = draw(variant, &rows[draw_below((unsigned)count)]);
        i += (size_t)has_form(rows, count, &pool[i]);
    }
    memset(&of_calls, 0, sizeof(of_calls));
    return count + choose(pool, 0, FACTORS, &of_calls, rows + count);
}

/* ---- calls ---- */

static unsigned absent_of(const struct row *row)
{
    const unsigned optional = BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE) | BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD);
    const int is_training = row->level[OPERATION] == CLNORM_FORWARD_TRAINING;
    const int is_frozen = row->level[OPERATION] == CLNORM_BACKWARD_FROZEN;

    switch (row->level[ABSENT]) {
    case 1:
        return BIT(SCALE) | BIT(SHIFT) | (is_training ? 0 : BIT(MEAN_LOW));
    case 2:
        if (is_backward(row))
            return BIT(DIFF_SCALE) | BIT(DIFF_SHIFT) | (is_frozen ? BIT(SRC) | BIT(MEAN) : 0);
        return is_training ? optional | BIT(VARIANCE) : BIT(SHIFT);
    case 3:
        return BIT(OUT);
    default:
        return 0;
    }
}

static unsigned extras_of(const struct row *row)
{
    static const unsigned gates[] = {BIT(GATE), BIT(MASK), BIT(GATE) | BIT(MASK)};
    const unsigned char *l = row->level;

    if (is_backward(row))
        return (l[ADDED] ? BIT(DIFF_RESIDUAL) : 0) | (l[ACTIVATION] ? gates[l[GATED]] : 0);
    return (l[ADDED] ? BIT(RESIDUAL) : 0) | (l[GATED] ? BIT(MASK) : 0);
}

/* Tensors with gaps, each with others; strides of what there is one of are anything. */
static clnorm_strides strides_of(const struct row *row, enum slot slot, const clnorm_desc *d)
{
    const int is_last = d->layout == CLNORM_CHANNELS_LAST || d->s == 1;
    const uint64_t gap = slot % 2 ? 16 : 1 + slot;
    clnorm_strides strides = {0, 0, 0};

    if (row->level[VIEWS] == 0 || !is_tensor(slot))
        return strides;
    if (row->level[VIEWS] == 2 && slot != OUT && slot != DIFF_RESIDUAL)
        return strides;
    if (row->level[VIEWS] < 3)
        strides = is_last ? (clnorm_strides){d->s * (d->c + gap), 1, d->c + gap}
                          : (clnorm_strides){d->c * d->s + gap, d->s, 1};
    else if (slot == RESIDUAL && row->level[ADDED] == 1) /* the same for all samples */
        strides = (clnorm_strides){0, d->s + gap, 1};
    else if (slot % 3)
        strides = is_last ? (clnorm_strides){d->c * (d->s + gap), d->s + gap, 1}
                          : (clnorm_strides){d->s * (d->c + gap), 1, d->c + gap};
    else
        strides = is_last ? (clnorm_strides){d->s * (d->c + gap) + 3, 1, d->c + gap}
                          : (clnorm_strides){2 * d->c * (d->s + gap), 2 * (d->s + gap), 1};
    if (d->n == 1 && slot % 2)
        strides.n = 77777;
    if (d->c == 1)
        strides.c = 55555;
    if (d->s == 1)
        strides.s = slot % 2 ? 0 : 33333;
    return strides;
}

static struct call call_of(const struct row *row)
{
    static const unsigned aligned[] = {0, BIT(PARTS) - 1, BIT(SRC) | BIT(DIFF_DST) | BIT(RESIDUAL) | BIT(GATE)};
    const clnorm_activation activations[] = {
        CLNORM_IDENTITY, CLNORM_RELU, CLNORM_LEAKY_RELU(0.1f), CLNORM_CLIPPED_RELU(0.75f), {0.3f, 1.5f}};
    const unsigned char *l = row->level;
    struct call call = {.operation = (enum clnorm_operation)l[OPERATION], .alias = OUT, .momentum = 0.1f};

    call.desc.n = shapes[l[SHAPE]].n, call.desc.c = shapes[l[SHAPE]].c, call.desc.s = shapes[l[SHAPE]].s;
    call.desc.layout = (enum clnorm_layout)l[LAYOUT];
    call.desc.type = (enum clnorm_type)l[TYPE];
    call.desc.epsilon = data_kinds[l[DATA]].epsilon;
    call.desc.activation = activations[l[ACTIVATION]];
    call.desc.group_samples = l[SAMPLES];
    call.desc.group_channels = channel_group(row);
    call.absent = absent_of(row);
    call.extras = extras_of(row);
    if (l[ALIAS])
        call.alias = l[ALIAS] == 1 ? SRC : DIFF_DST;
    if (l[ADDED] == 2 && !is_backward(row))
        call.alias = RESIDUAL;
    call.is_residual_in_place = l[ADDED] == 2 && is_backward(row);
    call.accumulate =
        (l[OLD] ? CLNORM_ACCUMULATE_DIFF_SRC : 0u) | (unsigned)l[PARAMETERS] * CLNORM_ACCUMULATE_DIFF_SCALE;
    call.aligned = aligned[l[ALIGNMENT]];
    for (unsigned slot = 0; slot < SLOTS; slot++)
        call.strides[slot] = strides_of(row, (enum slot)slot, &call.desc);
    return call;
}

static void run_row(struct run *run, struct subject *subject, const struct row *row)
{
    const struct call call = call_of(row);
    const enum case_data kind = data_kinds[row->level[DATA]].kind;
    struct values inputs = {0}, want = {0};

    values_make(&inputs, &call.desc, kind);
    for (size_t i = 0; row->level[VIEWS] == 3 && row->level[ADDED] == 1 && i < inputs.count[RESIDUAL]; i++)
        inputs.slot[RESIDUAL][i] = inputs.slot[RESIDUAL][i % (call.desc.c * call.desc.s)];
    values_copy(&want, &inputs);
    call_model(&call, &want);
    run_subject(run, subject, &call, case_data_name(kind), &inputs, &want);
    values_free(&inputs);
    values_free(&want);
}

/* Steps that are all there is of an operation. */
static int is_whole(const struct clnorm__variant *variant)
{
    return variant->step == CLNORM__FUSED || variant->step == CLNORM__DIFF_FUSED || variant->step == CLNORM__INFER;
}

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* The rows of a variant, whose subjects are `first` and, as other machines, those up to `end`. */
static void run_variant(struct run *run, size_t first, size_t end)
{
    static struct row rows[2 * MOST_ROWS];
    struct subject *own = &run->subjects[first];
    const struct clnorm__variant *variant = own->variant;
    const unsigned long long before = run->calls;
    size_t forms;
    const size_t count = rows_of(variant, rows, &forms), machines = end - first - 1;

    for (size_t i = 0; i < count; i++) {
        run_row(run, own, &rows[i]);
        if (i < forms && machines && (i < machines || i % 2 == 0 || wants("all"))) {
            struct subject *other = &run->subjects[first + 1 + i % machines];

            if (i < machines || other->context->device.vector == own->context->device.vector || wants("all"))
                run_row(run, other, &rows[i]);
        }
        if (i < forms && (is_whole(variant) || (strcmp(variant->name, "apply_item") == 0 && i % 3 == 0)))
            run_row(run, &run->subjects[0], &rows[i]);
    }
    printf("%s: %zu forms, %llu calls\n", variant->name, forms, run->calls - before);
    fflush(stdout);
}

START_TEST(test_features)
{
    static struct run run;

    open_run(&run, &devices[_i], !fixture_is_small());
    for (size_t i = 1, end; i < run.subject_count; i = end) {
        for (end = i + 1; end < run.subject_count && run.subjects[end].variant == run.subjects[i].variant;)
            end++;
        /* Roots of several partials are beyond these shapes: test_groups has them. */
        if (run.subjects[i].variant->step != CLNORM__ROOTS && run.subjects[i].variant->step != CLNORM__DIFF_ROOTS &&
            run.subjects[i].variant->step < CLNORM__NODES) /* those have test_parts */
            run_variant(&run, i, end);
    }
    printf("device %s, %s: %llu calls, %llu that do not fit their variant\n", run.rig.info.platform_name,
           run.rig.info.name, run.calls, run.unfit);
    fflush(stdout);
    ck_assert_uint_lt(run.unfit, run.calls);
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

/* The rest of a long row, shorter than a vector and gathered as equal values are, beside a channel that is being written: for Oclgrind. */
START_TEST(test_rest_in_place)
{
    static struct run run;
    struct call call = {.operation = CLNORM_FORWARD_TRAINING, .alias = SRC};
    struct values inputs = {0}, want = {0};
    size_t i = 1;

    open_run(&run, &devices[_i], 0);
    while (i < run.subject_count && strcmp(run.subjects[i].variant->name, "fused_cf_item") != 0)
        i++;
    ck_assert_uint_lt(i, run.subject_count);
    call.desc = (clnorm_desc){.n = 1, .c = 2, .s = CLNORM_LEAF + 3, .epsilon = 1e-5f};
    values_make(&inputs, &call.desc, CASE_CONSTANT);
    values_copy(&want, &inputs);
    call_model(&call, &want);
    run_subject(&run, &run.subjects[i], &call, case_data_name(CASE_CONSTANT), &inputs, &want);
    ck_assert_msg(run.reports == 0, "it differs from the model");
    values_free(&inputs);
    values_free(&want);
    close_run(&run);
}
END_TEST

/* Of no samples: sums become 0, or stay; nothing else is written. */
START_TEST(test_no_samples)
{
    static struct run run;

    open_run(&run, &devices[_i], 0);
    state = 5;
    for (unsigned i = 0; i < 200; i++) {
        struct values inputs = {0}, want = {0};
        struct row row = draw(NULL, NULL);
        struct call call = call_of(&row);

        call.desc.n = 0;
        if (call.operation == CLNORM_FORWARD_TRAINING)
            call.absent |= BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) | BIT(VARIANCE);
        values_make(&inputs, &call.desc, CASE_NORMAL);
        values_copy(&want, &inputs);
        call_model(&call, &want);
        run_subject(&run, &run.subjects[0], &call, "nothing", &inputs, &want);
        values_free(&inputs);
        values_free(&want);
    }
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("features");
    TCase *cases = tcase_create("features");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_features, 0, (int)device_count);
    tcase_add_loop_test(cases, test_rest_in_place, 0, (int)device_count);
    tcase_add_loop_test(cases, test_no_samples, 0, (int)device_count);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
