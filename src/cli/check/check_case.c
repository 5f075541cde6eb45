/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check/check_case.h"

#include "activation.h"
#include "half.h"
#include "model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct check_result_row check_result_rows[RESULT_COUNT] = {
    {"dst", CLNORM_FORWARD_TRAINING, EXTENT_TENSOR, 1},
    {"running_mean", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"running_variance", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"save_mean", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"save_mean_low", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"save_invstd", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"save_variance", CLNORM_FORWARD_TRAINING, EXTENT_CHANNELS, 0},
    {"dst", CLNORM_FORWARD_INFERENCE, EXTENT_TENSOR, 1},
    {"diff_src", CLNORM_BACKWARD_TRAINING, EXTENT_TENSOR, 1},
    {"diff_scale", CLNORM_BACKWARD_TRAINING, EXTENT_CHANNELS, 1},
    {"diff_shift", CLNORM_BACKWARD_TRAINING, EXTENT_CHANNELS, 1},
    {"diff_src", CLNORM_BACKWARD_FROZEN, EXTENT_TENSOR, 1},
    {"diff_scale", CLNORM_BACKWARD_FROZEN, EXTENT_CHANNELS, 1},
    {"diff_shift", CLNORM_BACKWARD_FROZEN, EXTENT_CHANNELS, 1},
    {"mask", CLNORM_FORWARD_TRAINING, EXTENT_MASK, 0},
    {"diff_residual", CLNORM_BACKWARD_TRAINING, EXTENT_TENSOR, 1},
    {"diff_residual", CLNORM_BACKWARD_FROZEN, EXTENT_TENSOR, 1},
};

const char *check_operation_name(enum clnorm_operation operation)
{
    static const char *const names[] = {"forward training", "forward inference", "backward training",
                                        "backward frozen"};

    return names[operation];
}

size_t check_case_count(const struct check_case *one, enum check_result result)
{
    const int is_mask = result == RESULT_MASK;
    const int is_residual = result == RESULT_DIFF_RESIDUAL || result == RESULT_FROZEN_DIFF_RESIDUAL;

    if ((is_mask && !activation_is_there(&one->desc.activation)) || (is_residual && !one->has_residual))
        return 0;
    return is_mask                                             ? (one->tensor_count + 31) / 32
           : check_result_rows[result].extent == EXTENT_TENSOR ? one->tensor_count
                                                               : one->vector_count;
}

static void *take_block(struct check_case *one, size_t count, size_t size)
{
    void *block = calloc(count, size);

    if (block)
        one->blocks[one->block_count++] = block;
    return block;
}

void check_case_free(struct check_case *one)
{
    for (unsigned i = 0; i < one->block_count; i++)
        free(one->blocks[i]);
    one->block_count = 0;
}

static int allocate(struct check_case *one)
{
    float **const inputs[] = {&one->src,          &one->diff_dst,         &one->residual, &one->scale,   &one->shift,
                              &one->running_mean, &one->running_variance, &one->mean,     &one->variance};
    int is_missing = 0;

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        if (i == 2 && !one->has_residual)
            continue;
        *inputs[i] = take_block(one, i < 3 ? one->tensor_count : one->vector_count, sizeof(float));
        is_missing |= !*inputs[i];
    }
    return is_missing ? -1 : 0;
}

static int allocate_results(struct check_case *one)
{
    int is_missing = 0;

    if (check_case_count(one, RESULT_MASK)) {
        one->mask = take_block(one, check_case_count(one, RESULT_MASK), sizeof(uint32_t));
        is_missing = !one->mask;
    }
    for (unsigned r = 0; r < RESULT_COUNT; r++) {
        if (r == RESULT_MASK || check_case_count(one, r) == 0)
            continue;
        one->model[r] = take_block(one, check_case_count(one, r), sizeof(float));
        is_missing |= !one->model[r];
        if (check_result_rows[r].is_measured && one->is_finite) {
            one->exact[r] = take_block(one, check_case_count(one, r), sizeof(double));
            one->unit[r] = take_block(one, check_case_count(one, r), sizeof(double));
            is_missing |= !one->exact[r] || !one->unit[r];
        }
    }
    return is_missing ? -1 : 0;
}

static int run_model(struct check_case *one)
{
    struct model_forward forward = {
        .src = one->src,
        .dst = one->model[RESULT_DST],
        .scale = one->scale,
        .shift = one->shift,
        .running_mean = one->model[RESULT_RUNNING_MEAN],
        .running_variance = one->model[RESULT_RUNNING_VARIANCE],
        .save_mean = one->model[RESULT_SAVE_MEAN],
        .save_mean_low = one->model[RESULT_SAVE_MEAN_LOW],
        .save_invstd = one->model[RESULT_SAVE_INVSTD],
        .save_variance = one->model[RESULT_SAVE_VARIANCE],
        .momentum = one->momentum,
        .running_flags = CLNORM_RUNNING_UNBIASED,
        .residual = one->residual,
        .mask = one->mask,
    };
    struct model_inference inference = {
        .src = one->src,
        .dst = one->model[RESULT_INFERENCE_DST],
        .scale = one->scale,
        .shift = one->shift,
        .mean = one->mean,
        .variance = one->variance,
        .residual = one->residual,
    };
    struct model_backward backward = {
        .src = one->src,
        .diff_dst = one->diff_dst,
        .scale = one->scale,
        .mean = one->model[RESULT_SAVE_MEAN],
        .mean_low = one->model[RESULT_SAVE_MEAN_LOW],
        .invstd = one->model[RESULT_SAVE_INVSTD],
        .diff_src = one->model[RESULT_DIFF_SRC],
        .diff_scale = one->model[RESULT_DIFF_SCALE],
        .diff_shift = one->model[RESULT_DIFF_SHIFT],
        .mask = one->mask,
        .diff_residual = one->model[RESULT_DIFF_RESIDUAL],
    };
    struct model_backward frozen = {
        .src = one->src,
        .diff_dst = one->diff_dst,
        .scale = one->scale,
        .mean = one->mean,
        .variance = one->variance,
        .diff_src = one->model[RESULT_FROZEN_DIFF_SRC],
        .diff_scale = one->model[RESULT_FROZEN_DIFF_SCALE],
        .diff_shift = one->model[RESULT_FROZEN_DIFF_SHIFT],
        .dst = one->model[RESULT_INFERENCE_DST],
        .diff_residual = one->model[RESULT_FROZEN_DIFF_RESIDUAL],
    };

    memcpy(one->model[RESULT_RUNNING_MEAN], one->running_mean, one->vector_count * sizeof(float));
    memcpy(one->model[RESULT_RUNNING_VARIANCE], one->running_variance, one->vector_count * sizeof(float));
    return model_forward_training(&one->desc, &forward) || model_forward_inference(&one->desc, &inference) ||
                   model_backward_training(&one->desc, &backward) || model_backward_frozen(&one->desc, &frozen)
               ? -1
               : 0;
}

/*
 * The unit of a result is the sum of the absolute terms it is made of: what rounding is relative to, whatever cancels.
 * Below 1e-30 the terms may be subnormal and round absolutely.
 */
static double at_least(double unit)
{
    return unit > 1e-30 ? unit : 1e-30;
}

/*
 * From y, what there is before the residual and the activation, to dst. The unit is max(1, |y|, |scale| max(1, |xhat|)): a shift that
 * cancels scale * xhat = y - shift leaves the error of what it cancelled. The residual may cancel as well, and a slope multiplies.
 */
static void finish_dst(struct check_case *one, enum check_result result, uint64_t at, uint64_t c, double y)
{
    const clnorm_activation *activation = &one->desc.activation;
    double unit = fmax(fmax(1.0, fabs(y)), fmax(fabs((double)one->scale[c]), fabs(y - (double)one->shift[c])));

    if (one->residual) {
        y += (double)one->residual[at];
        unit = fmax(unit, fabs(y));
    }
    one->exact[result][at] = activated(activation, y);
    one->unit[result][at] = unit * fmax(1.0, fabs((double)activation->slope));
}

/* The gradient before the activation; gate: what decides it, or NULL. */
static double gradient_at(const struct check_case *one, const float *gate, uint64_t at)
{
    double diff = (double)one->diff_dst[at];

    return gate ? gated(&one->desc.activation, diff, (double)gate[at]) : diff;
}

/*
 * An element's distance from the mean, in deviations. An activation may let few gradients through, and these of elements at the mean, whose
 * own error then counts: some 1e-9 of a deviation, which CHECK_BOUND_GRADIENT makes 1e-8.
 */
static double distance_at(const struct check_case *one, const struct reference_backward *args, uint64_t at, double mean,
                          double invstd)
{
    double distance = fabs((double)one->src[at] - mean) * invstd;

    return args->dst && invstd > 0 ? fmax(distance, 0.01) : distance;
}

/* Units of the gradients that start at result; frozen statistics have one term only in diff_src. */
static void measure_gradients(struct check_case *one, enum check_result result, const struct reference_backward *args)
{
    double *diff_src = one->unit[result], *diff_scale = one->unit[result + 1], *diff_shift = one->unit[result + 2];
    double *diff_residual = one->unit[args->frozen ? RESULT_FROZEN_DIFF_RESIDUAL : RESULT_DIFF_RESIDUAL];
    const clnorm_desc *d = &one->desc;
    double m = (double)(d->n * d->s);

    for (uint64_t c = 0; c < d->c; c++) {
        double mean = args->mean[c], v = args->variance[c] + (double)d->epsilon, invstd = v > 0 ? 1 / sqrt(v) : 0;
        double sum = 0, product = 0;

        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);
            double gradient = gradient_at(one, args->dst, at);

            sum += fabs(gradient);
            product += fabs(gradient) * distance_at(one, args, at, mean, invstd);
        }
        diff_shift[c] = at_least(sum);
        diff_scale[c] = at_least(product);
        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);
            double unit = fabs(gradient_at(one, args->dst, at)), x = distance_at(one, args, at, mean, invstd);

            if (diff_residual)
                diff_residual[at] = at_least(unit);
            if (!args->frozen)
                unit += sum / m + x * product / m;
            diff_src[at] = at_least(unit * fabs((double)one->scale[c]) * invstd);
        }
    }
}

static int reference_gradients(struct check_case *one, enum check_result result, const double *mean,
                               const double *variance, const float *gate)
{
    const int is_frozen = result == RESULT_FROZEN_DIFF_SRC;
    struct reference_backward backward = {
        .src = one->src,
        .diff_dst = one->diff_dst,
        .scale = one->scale,
        .mean = mean,
        .variance = variance,
        .frozen = is_frozen,
        .diff_src = one->exact[result],
        .diff_scale = one->exact[result + 1],
        .diff_shift = one->exact[result + 2],
        .dst = gate,
        .diff_residual = one->exact[is_frozen ? RESULT_FROZEN_DIFF_RESIDUAL : RESULT_DIFF_RESIDUAL],
    };

    measure_gradients(one, result, &backward);
    return reference_backward(&one->desc, &backward);
}

/* Both outputs, of which forward training's has y in its place so far. */
static void reference_outputs(struct check_case *one, const double *mean, const double *variance)
{
    const clnorm_desc *d = &one->desc;

    for (uint64_t n = 0; n < d->n; n++) {
        for (uint64_t c = 0; c < d->c; c++) {
            double scale = (double)one->scale[c], shift = (double)one->shift[c];
            double v = variance[c] + (double)d->epsilon, factor = v > 0 ? scale / sqrt(v) : 0;

            for (uint64_t s = 0; s < d->s; s++) {
                uint64_t at = case_index(d, n, c, s);

                finish_dst(one, RESULT_INFERENCE_DST, at, c, ((double)one->src[at] - mean[c]) * factor + shift);
                finish_dst(one, RESULT_DST, at, c, one->exact[RESULT_DST][at]);
            }
        }
    }
}

/* Float64's statistics: the batch's, and those that inference is given. */
struct exact_statistics {
    double *mean, *variance, *given_mean, *given_variance;
};

/*
 * Float64's outputs, and with them the statistics that inference is given: the batch's own, rounded, so that inference
 * stands where training does.
 */
static int reference_forward(struct check_case *one, struct exact_statistics *exact)
{
    double **const vectors[] = {&exact->mean, &exact->variance, &exact->given_mean, &exact->given_variance};
    struct reference_forward forward = {
        .src = one->src, .scale = one->scale, .shift = one->shift, .dst = one->exact[RESULT_DST]};
    clnorm_desc plain = one->desc;

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        *vectors[i] = take_block(one, one->vector_count, sizeof(double));
        if (!*vectors[i])
            return -1;
    }
    forward.mean = exact->mean;
    forward.variance = exact->variance;
    plain.activation = CLNORM_IDENTITY;
    if (reference_forward_training(&plain, &forward) != 0)
        return -1;
    for (size_t c = 0; c < one->vector_count; c++) {
        double variance = exact->variance[c];

        one->mean[c] = (float)exact->mean[c];
        /* Given statistics are normal numbers, on which all devices agree. */
        one->variance[c] = variance > 1e38 ? 1e38f : variance < (double)FLT_MIN ? 0.0f : (float)variance;
        exact->given_mean[c] = (double)one->mean[c];
        exact->given_variance[c] = (double)one->variance[c];
    }
    reference_outputs(one, exact->given_mean, exact->given_variance);
    return 0;
}

/* Float64's gradients, decided by what decides the model's: its mask, and its output of inference. */
static int reference_backwards(struct check_case *one, const struct exact_statistics *exact)
{
    const clnorm_activation *activation = &one->desc.activation;
    float *gate = NULL;

    if (one->mask) {
        gate = take_block(one, one->tensor_count, sizeof(float));
        if (!gate)
            return -1;
        for (size_t i = 0; i < one->tensor_count; i++)
            gate[i] = !(one->mask[i / 32] >> i % 32 & 1) ? -1.0f
                      : isfinite(activation->cap)        ? 0.5f * activation->cap
                                                         : 1.0f;
    }
    return reference_gradients(one, RESULT_DIFF_SRC, exact->mean, exact->variance, gate) ||
                   reference_gradients(one, RESULT_FROZEN_DIFF_SRC, exact->given_mean, exact->given_variance,
                                       one->mask ? one->model[RESULT_INFERENCE_DST] : NULL)
               ? -1
               : 0;
}

/* Tensors hold numbers of the type; those that are too large for it are infinite, and then there is no accuracy to speak of. */
static void round_inputs(struct check_case *one)
{
    float *const tensors[] = {one->src, one->diff_dst, one->residual};

    one->is_finite = case_data_is_finite(one->kind);
    for (size_t t = 0; t < sizeof(tensors) / sizeof(tensors[0]); t++) {
        for (size_t i = 0; i < one->tensor_count && tensors[t]; i++) {
            tensors[t][i] = half_round(one->desc.type, tensors[t][i]);
            one->is_finite &= isfinite(tensors[t][i]) != 0;
        }
    }
}

int check_case_make(struct check_case *one, const struct case_shape *shape, enum case_data kind,
                    const struct call_form *form)
{
    uint64_t seed = shape->n * 1000003 + shape->c * 1009 + shape->s + (uint64_t)kind * 7919;
    struct exact_statistics exact = {0};

    memset(one, 0, sizeof(*one));
    one->shape = *shape;
    one->kind = kind;
    one->desc = case_desc(shape);
    one->desc.epsilon = case_epsilon(kind);
    one->desc.type = (enum clnorm_type)form->type;
    one->desc.activation = form->activation;
    one->has_residual = form->has_residual;
    one->tensor_count = (size_t)(shape->n * shape->c * shape->s);
    one->vector_count = (size_t)shape->c;
    one->momentum = 0.1f;
    if (allocate(one) != 0)
        return -1;
    case_fill(kind, &one->desc, seed, one->src);
    case_fill_diff(&one->desc, seed, one->diff_dst);
    if (one->residual)
        case_fill_diff(&one->desc, seed + 200, one->residual);
    case_fill_params(&one->desc, seed, one->scale, one->shift);
    case_fill_running(&one->desc, seed, one->running_mean, one->running_variance);
    case_fill_running(&one->desc, seed + 100, one->mean, one->variance);
    round_inputs(one);
    if (allocate_results(one) != 0 || (one->is_finite && reference_forward(one, &exact) != 0) || run_model(one) != 0)
        return -1;
    return one->is_finite ? reference_backwards(one, &exact) : 0;
}
