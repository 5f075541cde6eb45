/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scalar C model against float64 where tensors are stored in 16 bits, and a residual and an activation come after the normalization:
 * a result is off by half a unit in its last place at most, beside what binary32's arithmetic may be off (test_model, test_model_diff).
 */
#include "fixture/suite.h"
#include "cases.h"
#include "half.h"
#include "model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BOUND 4e-7
#define DIFF_BOUND 1e-6
#define MEAN_BOUND 2e-7 /* of a deviation */
#define ULP 0x1p-24     /* half of one, relative, of binary32 */

typedef unsigned long long ull;

struct tensor {
    clnorm_desc desc;
    size_t count;
    float *src, *residual, *dst, *diff_dst, *diff_src, *diff_residual;
    float *scale, *shift, *mean, *mean_low, *invstd, *diff_scale, *diff_shift;
    double *want, *want_src, *want_residual, *want_mean, *want_variance, *want_scale, *want_shift;
};

enum { FLOATS = 13, DOUBLES = 7 };

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* As many elements in each array as any of them needs. */
static struct tensor make(const clnorm_desc *desc)
{
    const size_t count = desc->n * desc->c * desc->s;
    struct tensor t = {.desc = *desc, .count = count};
    float **const floats[FLOATS] = {&t.src,           &t.residual,   &t.dst,       &t.diff_dst, &t.diff_src,
                                    &t.diff_residual, &t.scale,      &t.shift,     &t.mean,     &t.mean_low,
                                    &t.invstd,        &t.diff_scale, &t.diff_shift};
    double **const doubles[DOUBLES] = {&t.want,          &t.want_src,   &t.want_residual, &t.want_mean,
                                       &t.want_variance, &t.want_scale, &t.want_shift};
    for (unsigned i = 0; i < FLOATS; i++)
        *floats[i] = room(count + desc->c, sizeof(float));
    for (unsigned i = 0; i < DOUBLES; i++)
        *doubles[i] = room(count + desc->c, sizeof(double));
    case_fill_params(desc, 11, t.scale, t.shift);
    case_fill_diff(desc, 12, t.diff_dst);
    for (size_t i = 0; i < count; i++) {
        t.diff_dst[i] = half_round(desc->type, t.diff_dst[i]);
        t.residual[i] = half_round(desc->type, case_normal(14, i));
    }
    return t;
}

static void unmake(struct tensor *t)
{
    void *const all[] = {t->src,           t->residual,   t->dst,           t->diff_dst,   t->diff_src,
                         t->diff_residual, t->scale,      t->shift,         t->mean,       t->mean_low,
                         t->invstd,        t->diff_scale, t->diff_shift,    t->want,       t->want_src,
                         t->want_residual, t->want_mean,  t->want_variance, t->want_scale, t->want_shift};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

static void fill(struct tensor *t, enum case_data kind)
{
    t->desc.epsilon = case_epsilon(kind);
    case_fill(kind, &t->desc, 5, t->src);
    for (size_t i = 0; i < t->count; i++)
        t->src[i] = half_round(t->desc.type, t->src[i]);
}

/* Forward and then backward, by the model and in float64. */
static void run(struct tensor *t)
{
    struct model_forward forward = {.src = t->src, .dst = t->dst, .scale = t->scale, .shift = t->shift};
    forward.save_mean = t->mean, forward.save_mean_low = t->mean_low, forward.save_invstd = t->invstd;
    forward.residual = t->residual;
    ck_assert_int_eq(model_forward_training(&t->desc, &forward), 0);
    struct reference_forward ref = {.src = t->src, .scale = t->scale, .shift = t->shift, .dst = t->want};
    ref.mean = t->want_mean, ref.variance = t->want_variance, ref.residual = t->residual;
    ck_assert_int_eq(reference_forward_training(&t->desc, &ref), 0);

    struct model_backward backward = {.src = t->src, .diff_dst = t->diff_dst, .scale = t->scale, .mean = t->mean};
    backward.mean_low = t->mean_low, backward.invstd = t->invstd, backward.dst = t->dst;
    backward.diff_src = t->diff_src, backward.diff_residual = t->diff_residual;
    backward.diff_scale = t->diff_scale, backward.diff_shift = t->diff_shift;
    ck_assert_int_eq(model_backward_training(&t->desc, &backward), 0);
    struct reference_backward back = {.src = t->src, .diff_dst = t->diff_dst, .scale = t->scale, .dst = t->dst};
    back.mean = t->want_mean, back.variance = t->want_variance, back.diff_src = t->want_src;
    back.diff_scale = t->want_scale, back.diff_shift = t->want_shift, back.diff_residual = t->want_residual;
    ck_assert_int_eq(reference_backward(&t->desc, &back), 0);
}

/* bound: of the arithmetic. Where that may lead beyond the largest number, there is nothing to compare. */
static void close_to(const struct tensor *t, double got, double want, double bound, enum clnorm_type type,
                     const char *name, enum case_data kind)
{
    const double most = type == CLNORM_FLOAT16 ? 65504 : 1e38, allowed = half_unit(type, fabs(want) + bound) + bound;
    if (fabs(want) + bound > most || fabs(got - want) <= allowed)
        return;
    ck_abort_msg("%s of %s, type %d, n %llu c %llu s %llu %s: %.9g, not %.9g: off by %.3g, %.3g are allowed", name,
                 case_data_name(kind), (int)t->desc.type, (ull)t->desc.n, (ull)t->desc.c, (ull)t->desc.s,
                 case_layout_name(t->desc.layout), got, want, fabs(got - want), allowed);
}

/* Channels that have their statistics together. */
static uint64_t group_of(const clnorm_desc *d)
{
    return d->group_channels ? d->group_channels : 1;
}

static double invstd_of(const struct tensor *t, uint64_t q)
{
    const double spread = t->want_variance[q] + (double)t->desc.epsilon;
    return spread > 0 ? 1 / sqrt(spread) : 0;
}

/* What a channel's bounds of diff_src, added up over its group, have of it. */
struct sizes {
    double g, gx;
};

static struct sizes check_channel(const struct tensor *t, uint64_t c, enum case_data kind)
{
    const clnorm_desc *d = &t->desc;
    const uint64_t q = c / group_of(d);
    const double invstd = invstd_of(t, q), scale = fabs((double)t->scale[c]);
    struct sizes sum = {0, 0};
    for (uint64_t i = 0; i < d->n * d->s; i++) {
        const uint64_t at = case_index(d, i / d->s, c, i % d->s);
        const double x = fabs(t->src[at] - t->want_mean[q]) * invstd, size = scale * x + fabs((double)t->shift[c]);
        const double unit = fmax(fmax(1, size), scale), added = fabs((double)t->residual[at]);
        close_to(t, t->dst[at], t->want[at], BOUND * unit + 2 * ULP * (size + added), d->type, "dst", kind);
        close_to(t, t->diff_residual[at], t->want_residual[at], ULP * fabs(t->want_residual[at]), d->type,
                 "diff_residual", kind);
        sum.g += fabs(t->want_residual[at]);
        sum.gx += fabs(t->want_residual[at]) * x;
    }
    close_to(t, t->diff_shift[c], t->want_shift[c], DIFF_BOUND * sum.g, CLNORM_FLOAT32, "diff_shift", kind);
    /* A channel of a group may lie where its mean does: then the mean's own error counts. */
    const double mean_error = group_of(d) > 1 ? MEAN_BOUND * sum.g : 0;
    close_to(t, t->diff_scale[c], t->want_scale[c], DIFF_BOUND * sum.gx + mean_error, CLNORM_FLOAT32, "diff_scale",
             kind);
    sum.g *= scale;
    sum.gx *= scale;
    return sum;
}

static void check_group(const struct tensor *t, uint64_t q, enum case_data kind)
{
    const clnorm_desc *d = &t->desc;
    const uint64_t first = q * group_of(d), end = first + group_of(d);
    const double m = (double)(d->n * d->s * group_of(d)), invstd = invstd_of(t, q);
    struct sizes all = {0, 0};
    for (uint64_t c = first; c < end; c++) {
        const struct sizes one = check_channel(t, c, kind);
        all.g += one.g;
        all.gx += one.gx;
    }
    for (uint64_t c = first; c < end; c++) {
        for (uint64_t i = 0; i < d->n * d->s; i++) {
            const uint64_t at = case_index(d, i / d->s, c, i % d->s);
            const double x = fabs(t->src[at] - t->want_mean[q]) * invstd, scale = fabs((double)t->scale[c]);
            const double terms = scale * fabs(t->want_residual[at]) + all.g / m + x * all.gx / m;
            close_to(t, t->diff_src[at], t->want_src[at], DIFF_BOUND * invstd * terms, d->type, "diff_src", kind);
        }
    }
}

static const enum case_data kinds[] = {CASE_NORMAL, CASE_OFFSET_1E3, CASE_CONSTANT, CASE_BIMODAL,
                                       CASE_FLOOR,  CASE_ONE_HOT,    CASE_INTEGERS, CASE_RELU};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void check_shape(const clnorm_desc *desc, size_t turn)
{
    const clnorm_activation activations[] = {CLNORM_IDENTITY, CLNORM_RELU, CLNORM_LEAKY_RELU(0.1f), {0.3f, 1.5f}};
    struct tensor t = make(desc);
    for (size_t k = 0; k < KINDS; k++) {
        t.desc.activation = activations[(turn + k) % 4];
        fill(&t, kinds[k]);
        run(&t);
        for (uint64_t q = 0; q < desc->c / group_of(desc); q++)
            check_group(&t, q, kinds[k]);
    }
    unmake(&t);
}

START_TEST(half_a_unit)
{
    size_t count;
    const struct case_shape *shapes = case_shapes(0, &count);
    for (size_t i = 0; i < count; i++) {
        clnorm_desc desc = case_desc(&shapes[i]);
        desc.type = (enum clnorm_type)_i;
        check_shape(&desc, i);
    }
}
END_TEST

/* Group norm of a sample, and layer norm, of channels whose means and deviations differ. */
START_TEST(groups_of_channels)
{
    static const struct {
        uint64_t c, s, group;
    } shapes[] = {{6, 49, 3}, {33, 7, 11}, {64, 1, 64}, {7, 1, 7}, {100, 3, 50}, {4, 1025, 2}, {257, 2, 257}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (int layout = 0; layout < 2; layout++) {
            clnorm_desc desc = {.n = 1 + i % 2, .c = shapes[i].c, .s = shapes[i].s, .type = (enum clnorm_type)_i};
            desc.layout = (enum clnorm_layout)layout;
            desc.group_channels = shapes[i].group;
            check_shape(&desc, i);
        }
    }
}
END_TEST

/* ---- the references themselves ---- */

static double loss(const struct tensor *t)
{
    double sum = 0;
    struct reference_forward ref = {.src = t->src, .scale = t->scale, .shift = t->shift, .dst = t->want_src};
    ref.residual = t->residual;
    ck_assert_int_eq(reference_forward_training(&t->desc, &ref), 0);
    for (size_t i = 0; i < t->count; i++)
        sum += t->diff_dst[i] * t->want_src[i];
    return sum;
}

static double difference(const struct tensor *t, float *x)
{
    const float old = *x, up = old + 0x1p-9f, down = old - 0x1p-9f;
    *x = up;
    const double high = loss(t);
    *x = down;
    const double low = loss(t);
    *x = old;
    return (high - low) / ((double)up - (double)down);
}

/* Gradients through an activation and a residual are those of central differences. What is near a bend has no part in the loss. */
START_TEST(finite_differences)
{
    for (int way = 0; way < 4; way++) { /* layouts; each channel by itself, and all together */
        clnorm_desc desc = {6, 3, 5, (enum clnorm_layout)(way % 2), CLNORM_FLOAT32, 1e-2f, {0.25f, 1}};
        desc.group_channels = way < 2 ? 0 : 3;
        struct tensor t = make(&desc);
        fill(&t, CASE_NORMAL);
        t.desc.epsilon = 1e-2f;
        t.desc.activation = CLNORM_IDENTITY;
        run(&t);
        for (size_t i = 0; i < t.count; i++)
            if (fabs(t.want[i]) < 0.05 || fabs(t.want[i] - 1) < 0.05)
                t.diff_dst[i] = 0;
        t.desc.activation = desc.activation;
        run(&t);
        for (size_t i = 0; i < t.count; i++) {
            const double src = difference(&t, &t.src[i]), residual = difference(&t, &t.residual[i]);
            ck_assert_msg(fabs(src - t.diff_src[i]) <= 2e-5, "diff_src %zu: %.9g, by differences %.9g", i,
                          (double)t.diff_src[i], src);
            ck_assert_msg(fabs(residual - t.diff_residual[i]) <= 2e-5, "diff_residual %zu: %.9g, by differences %.9g",
                          i, (double)t.diff_residual[i], residual);
        }
        for (uint64_t c = 0; c < desc.c; c++) {
            const double scale = difference(&t, &t.scale[c]), shift = difference(&t, &t.shift[c]);
            ck_assert_msg(fabs(scale - t.diff_scale[c]) <= 2e-5, "diff_scale: %.9g, by differences %.9g",
                          (double)t.diff_scale[c], scale);
            ck_assert_msg(fabs(shift - t.diff_shift[c]) <= 2e-5, "diff_shift: %.9g, by differences %.9g",
                          (double)t.diff_shift[c], shift);
        }
        unmake(&t);
    }
}
END_TEST

/* ---- masks and accumulation, by hand ---- */

/* One channel of scale 0, so that v is shift plus residual. */
START_TEST(mask_of_special_values)
{
    const float residual[] = {-1, 0, 1, 6, 7, NAN, INFINITY, -INFINITY, -0.0f, 5.9999995f, 1e-45f};
    const float want[] = {0, 0, 1, 6, 6, NAN, 6, 0, 0, 5.9999995f, 1e-45f};
    enum { COUNT = sizeof residual / sizeof *residual };
    clnorm_desc desc = {.n = COUNT, .c = 1, .s = 1, .epsilon = 1, .activation = CLNORM_CLIPPED_RELU(6)};
    float src[COUNT] = {0}, dst[COUNT], zero = 0;
    uint32_t mask = ~0u;
    struct model_forward args = {.src = src, .dst = dst, .scale = &zero, .residual = residual, .mask = &mask};
    ck_assert_int_eq(model_forward_training(&desc, &args), 0);
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_msg(case_bits(dst[i]) == case_bits(want[i]), "%u: %a", i, (double)dst[i]);
    ck_assert_uint_eq(mask, 1u << 2 | 1u << 5 | 1u << 9 | 1u << 10);
}
END_TEST

START_TEST(accumulation)
{
    clnorm_desc desc = {.n = 2, .c = 1, .s = 1, .type = CLNORM_BFLOAT16, .epsilon = 1};
    const float src[2] = {1, -1}, diff_dst[2] = {0.5f, 0.25f}, mean = 0, variance = 0;
    float diff_src[2] = {256, 2}, scale = 10, shift = 20;
    struct model_backward args = {.src = src, .diff_dst = diff_dst, .mean = &mean, .variance = &variance};
    args.diff_src = diff_src, args.diff_scale = &scale, args.diff_shift = &shift;
    args.accumulate = CLNORM_ACCUMULATE_DIFF_SRC | CLNORM_ACCUMULATE_DIFF_SHIFT;
    ck_assert_int_eq(model_backward_frozen(&desc, &args), 0);
    ck_assert(diff_src[0] == 256 && diff_src[1] == 2.25f && scale == 0.25f && shift == 20.75f);
    args.accumulate = CLNORM_ACCUMULATE_DIFF_SCALE;
    ck_assert_int_eq(model_backward_frozen(&desc, &args), 0);
    ck_assert(diff_src[0] == 0.5f && diff_src[1] == 0.25f && scale == 0.5f && shift == 0.75f);
    desc.n = 0;
    ck_assert_int_eq(model_backward_frozen(&desc, &args), 0);
    ck_assert(scale == 0.5f && shift == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_types");
    TCase *tests = tcase_create("model_types");
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, half_a_unit, CLNORM_FLOAT32, CLNORM_BFLOAT16 + 1);
    tcase_add_loop_test(tests, groups_of_channels, CLNORM_FLOAT32, CLNORM_BFLOAT16 + 1);
    tcase_add_test(tests, finite_differences);
    tcase_add_test(tests, mask_of_special_values);
    tcase_add_test(tests, accumulation);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
