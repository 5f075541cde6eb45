/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check/check_case.h"

#include "model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct check_result_row check_result_rows[RESULT_COUNT] = {
    {"dst", CLNORM_FORWARD_TRAINING, 1},
    {"running_mean", CLNORM_FORWARD_TRAINING, 0},
    {"running_variance", CLNORM_FORWARD_TRAINING, 0},
    {"save_mean", CLNORM_FORWARD_TRAINING, 0},
    {"save_mean_low", CLNORM_FORWARD_TRAINING, 0},
    {"save_invstd", CLNORM_FORWARD_TRAINING, 0},
    {"save_variance", CLNORM_FORWARD_TRAINING, 0},
    {"dst", CLNORM_FORWARD_INFERENCE, 1},
    {"diff_src", CLNORM_BACKWARD_TRAINING, 1},
    {"diff_scale", CLNORM_BACKWARD_TRAINING, 0},
    {"diff_shift", CLNORM_BACKWARD_TRAINING, 0},
    {"diff_src", CLNORM_BACKWARD_FROZEN, 1},
    {"diff_scale", CLNORM_BACKWARD_FROZEN, 0},
    {"diff_shift", CLNORM_BACKWARD_FROZEN, 0},
};

const char *check_operation_name(enum clnorm_operation operation)
{
    static const char *const names[] = {"forward training", "forward inference", "backward training",
                                        "backward frozen"};

    return names[operation];
}

size_t check_case_count(const struct check_case *one, enum check_result result)
{
    return check_result_rows[result].is_tensor ? one->tensor_count : one->vector_count;
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
    float **const inputs[] = {&one->src,          &one->diff_dst,         &one->scale, &one->shift,
                              &one->running_mean, &one->running_variance, &one->mean,  &one->variance};
    int is_missing = 0;

    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        *inputs[i] = take_block(one, i < 2 ? one->tensor_count : one->vector_count, sizeof(float));
        is_missing |= !*inputs[i];
    }
    for (unsigned r = 0; r < RESULT_COUNT; r++) {
        int is_measured = r == RESULT_DST || r >= RESULT_INFERENCE_DST;

        one->model[r] = take_block(one, check_case_count(one, r), sizeof(float));
        is_missing |= !one->model[r];
        if (is_measured && case_data_is_finite(one->kind)) {
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
    };
    struct model_inference inference = {
        .src = one->src,
        .dst = one->model[RESULT_INFERENCE_DST],
        .scale = one->scale,
        .shift = one->shift,
        .mean = one->mean,
        .variance = one->variance,
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

/* max(1, |y|, |scale| max(1, |xhat|)): a shift that cancels scale * xhat = y - shift leaves the error of what it cancelled. */
static double unit_of_dst(double scale, double shift, double dst)
{
    return fmax(fmax(1.0, fabs(dst)), fmax(fabs(scale), fabs(dst - shift)));
}

/* Units of the three gradients that start at result; frozen statistics have one term only in diff_src. */
static void measure_gradients(struct check_case *one, enum check_result result, const double *mean,
                              const double *variance, int is_frozen)
{
    double *diff_src = one->unit[result], *diff_scale = one->unit[result + 1], *diff_shift = one->unit[result + 2];
    const clnorm_desc *d = &one->desc;
    double m = (double)(d->n * d->s);

    for (uint64_t c = 0; c < d->c; c++) {
        double v = variance[c] + (double)d->epsilon, invstd = v > 0 ? 1 / sqrt(v) : 0;
        double sum = 0, product = 0;

        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);

            sum += fabs((double)one->diff_dst[at]);
            product += fabs((double)one->diff_dst[at] * ((double)one->src[at] - mean[c])) * invstd;
        }
        diff_shift[c] = at_least(sum);
        diff_scale[c] = at_least(product);
        for (uint64_t i = 0; i < d->n * d->s; i++) {
            uint64_t at = case_index(d, i / d->s, c, i % d->s);
            double unit = fabs((double)one->diff_dst[at]), x = fabs((double)one->src[at] - mean[c]) * invstd;

            if (!is_frozen)
                unit += sum / m + x * product / m;
            diff_src[at] = at_least(unit * fabs((double)one->scale[c]) * invstd);
        }
    }
}

static int reference_gradients(struct check_case *one, enum check_result result, const double *mean,
                               const double *variance, int is_frozen)
{
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
    };

    measure_gradients(one, result, mean, variance, is_frozen);
    return reference_backward(&one->desc, &backward);
}

static void reference_inference(struct check_case *one, const double *mean, const double *variance)
{
    const clnorm_desc *d = &one->desc;

    for (uint64_t n = 0; n < d->n; n++) {
        for (uint64_t c = 0; c < d->c; c++) {
            double scale = (double)one->scale[c], shift = (double)one->shift[c];
            double v = variance[c] + (double)d->epsilon, factor = v > 0 ? scale / sqrt(v) : 0;

            for (uint64_t s = 0; s < d->s; s++) {
                uint64_t at = case_index(d, n, c, s);
                double dst = ((double)one->src[at] - mean[c]) * factor + shift;

                one->exact[RESULT_INFERENCE_DST][at] = dst;
                one->unit[RESULT_INFERENCE_DST][at] = unit_of_dst(scale, shift, dst);
                one->unit[RESULT_DST][at] = unit_of_dst(scale, shift, one->exact[RESULT_DST][at]);
            }
        }
    }
}

/*
 * Float64's results, and with them the statistics that inference is given: the batch's own, rounded, so that inference
 * stands where training does.
 */
static int run_reference(struct check_case *one)
{
    double *mean = take_block(one, one->vector_count, sizeof(double));
    double *variance = take_block(one, one->vector_count, sizeof(double));
    struct reference_forward forward = {
        .src = one->src,
        .scale = one->scale,
        .shift = one->shift,
        .dst = one->exact[RESULT_DST],
        .mean = mean,
        .variance = variance,
    };

    if (!mean || !variance || reference_forward_training(&one->desc, &forward) != 0 ||
        reference_gradients(one, RESULT_DIFF_SRC, mean, variance, 0) != 0)
        return -1;
    for (size_t c = 0; c < one->vector_count; c++) {
        one->mean[c] = (float)mean[c];
        /* Given statistics are normal numbers, on which all devices agree. */
        one->variance[c] = variance[c] > 1e38 ? 1e38f : variance[c] < (double)FLT_MIN ? 0.0f : (float)variance[c];
        mean[c] = (double)one->mean[c];
        variance[c] = (double)one->variance[c];
    }
    reference_inference(one, mean, variance);
    return reference_gradients(one, RESULT_FROZEN_DIFF_SRC, mean, variance, 1);
}

int check_case_make(struct check_case *one, const struct case_shape *shape, enum case_data kind)
{
    uint64_t seed = shape->n * 1000003 + shape->c * 1009 + shape->s + (uint64_t)kind * 7919;

    memset(one, 0, sizeof(*one));
    one->shape = *shape;
    one->kind = kind;
    one->desc = case_desc(shape);
    one->desc.epsilon = case_epsilon(kind);
    one->tensor_count = (size_t)(shape->n * shape->c * shape->s);
    one->vector_count = (size_t)shape->c;
    one->momentum = 0.1f;
    if (allocate(one) != 0)
        return -1;
    case_fill(kind, &one->desc, seed, one->src);
    case_fill_diff(&one->desc, seed, one->diff_dst);
    case_fill_params(&one->desc, seed, one->scale, one->shift);
    case_fill_running(&one->desc, seed, one->running_mean, one->running_variance);
    case_fill_running(&one->desc, seed + 100, one->mean, one->variance);
    if (case_data_is_finite(kind) && run_reference(one) != 0)
        return -1;
    return run_model(one);
}
