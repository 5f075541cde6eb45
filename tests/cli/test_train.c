/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `clnorm train` does on a device: the bits of the kernels of train.cl against the same source compiled as C, their
 * accuracy against float64, and the gradients of whole networks against finite differences in float64.
 */
#include "fixture/suite.h"
#include "cli/train/network.h"
#include "cli/train/random.h"
#include "cli/train/train_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- train.cl as C: built without contraction, so that these are its bits -------------------------------------- */

static size_t item[2];

static float as_float(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t as_uint(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

#define FUNC static
#define kernel static
#define global
#define ulong uint64_t
#define uint uint32_t
#define fma fmaf
#define get_global_id(dimension) item[dimension]
#include "cli/train/train.cl"
#undef fma
#undef kernel
#undef global

/* ---- every device --------------------------------------------------------------------------------------------- */

enum { ROWS = 37, CLASSES = 11, SAMPLES = 50, LENGTH = 13, COUNT = ROWS * CLASSES };

static struct session session;
static struct train_kernels kernels;
static size_t devices;
static const char *only; /* the one device to test, from CLNORM_TEST_DEVICE */

static int is_same(float a, float b)
{
    return as_uint(a) == as_uint(b) || (isnan(a) && isnan(b));
}

static void open_device(int device)
{
    char selector[16];

    snprintf(selector, sizeof(selector), "%d", device);
    ck_assert_int_eq(session_open(&session, only ? only : selector, 0), 0);
    ck_assert_int_eq(train_kernels_open(&session, &kernels, CLNORM_FLOAT32), 0);
}

static void close_device(void)
{
    ck_assert_int_eq(session.is_failed, 0);
    train_kernels_close(&kernels);
    session_close(&session);
}

static float normal(struct random *random)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += random_unit(random);
    return (float)sum;
}

/* Logits of every kind: near each other, far apart, equal, huge, and some that are no numbers. */
static void fill_logits(float *logits, struct random *random)
{
    static const float spreads[] = {0, 1e-3f, 1, 10, 50, 200, 1e30f};

    for (int i = 0; i < COUNT; i++)
        logits[i] = normal(random) * spreads[i / CLASSES % 7];
    logits[(ROWS - 1) * CLASSES + 3] = NAN;
    logits[(ROWS - 2) * CLASSES + 4] = INFINITY;
    logits[(ROWS - 3) * CLASSES + 5] = -INFINITY;
}

START_TEST(test_softmax)
{
    static float logits[COUNT], gradient[COUNT], sums[SAMPLES], margins[SAMPLES];
    static float own_gradient[COUNT], own_sums[SAMPLES], own_margins[SAMPLES];
    static uint32_t order[SAMPLES], labels[SAMPLES], predicted[SAMPLES], own_predicted[SAMPLES];
    const uint64_t first = 5;
    struct random random;
    struct train_scores scores;
    struct train_rows rows = {.first = first, .count = ROWS};
    clnorm_buffer src, dst;

    random_seed(&random, 1, 0);
    fill_logits(logits, &random);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        order[i] = i;
        labels[i] = i % 5 == 4 ? UINT32_MAX : (uint32_t)random_below(&random, CLASSES);
    }
    random_shuffle(&random, order, SAMPLES);
    for (item[0] = 0; item[0] < ROWS; item[0]++)
        softmax(CLASSES, 1.0f / ROWS, first, order, labels, logits, own_gradient, own_sums, own_margins, own_predicted);

    open_device(_i);
    src = session_buffer(&session, logits, COUNT);
    dst = session_buffer(&session, NULL, COUNT);
    rows.order = session_buffer(&session, order, SAMPLES);
    scores.labels = session_buffer(&session, labels, SAMPLES);
    scores.sums = session_buffer(&session, sums, SAMPLES);
    scores.margins = session_buffer(&session, margins, SAMPLES);
    scores.predicted = session_buffer(&session, predicted, SAMPLES);
    train_softmax(&session, &kernels, &rows, CLASSES, 1.0f / ROWS, src, dst, &scores);
    session_download(&session, dst, gradient, COUNT);
    session_download(&session, scores.sums, sums, SAMPLES);
    session_download(&session, scores.margins, margins, SAMPLES);
    session_download(&session, scores.predicted, predicted, SAMPLES);
    for (int i = 0; i < COUNT; i++)
        ck_assert_msg(is_same(gradient[i], own_gradient[i]), "gradient[%d] is %a, expected %a", i, (double)gradient[i],
                      (double)own_gradient[i]);
    /* Samples in front and behind keep what they had, 0. */
    for (int i = 0; i < SAMPLES; i++) {
        ck_assert_msg(is_same(sums[i], own_sums[i]), "sums[%d] is %a", i, (double)sums[i]);
        ck_assert_msg(is_same(margins[i], own_margins[i]), "margins[%d] is %a", i, (double)margins[i]);
        ck_assert_uint_eq(predicted[i], own_predicted[i]);
    }
    close_device();
}
END_TEST

START_TEST(test_gather_and_descend)
{
    static float src[SAMPLES * LENGTH], dst[ROWS * LENGTH], own_dst[ROWS * LENGTH], g[COUNT], v[COUNT], w[COUNT],
        own_v[COUNT], own_w[COUNT];
    static double start_v[COUNT], start_w[COUNT];
    static uint32_t order[SAMPLES];
    struct train_rows rows = {.first = 9, .count = ROWS};
    clnorm_buffer from, to, gradient, velocity, parameter;
    struct random random;

    random_seed(&random, 2, 0);
    for (int i = 0; i < SAMPLES * LENGTH; i++)
        src[i] = (float)i;
    for (uint32_t i = 0; i < SAMPLES; i++)
        order[i] = i;
    random_shuffle(&random, order, SAMPLES);
    for (int i = 0; i < COUNT; i++) {
        g[i] = normal(&random);
        start_v[i] = (double)(own_v[i] = v[i] = normal(&random));
        start_w[i] = (double)(own_w[i] = w[i] = normal(&random));
    }
    for (item[0] = 0; item[0] < COUNT; item[0]++)
        descend(0.1f, 0.9f, g, own_v, own_w);
    for (item[1] = 0; item[1] < ROWS; item[1]++)
        for (item[0] = 0; item[0] < LENGTH; item[0]++)
            gather_rows(LENGTH, 9, order, src, own_dst);

    open_device(_i);
    rows.order = session_buffer(&session, order, SAMPLES);
    from = session_buffer(&session, src, SAMPLES * LENGTH);
    to = session_buffer(&session, NULL, ROWS * LENGTH);
    gradient = session_buffer(&session, g, COUNT);
    velocity = session_buffer(&session, v, COUNT);
    parameter = session_buffer(&session, w, COUNT);
    train_gather(&session, &kernels, &rows, LENGTH, from, to);
    train_descend(&session, &kernels, COUNT, 0.1f, 0.9f, gradient, velocity, parameter);
    session_download(&session, to, dst, ROWS * LENGTH);
    session_download(&session, velocity, v, COUNT);
    session_download(&session, parameter, w, COUNT);
    for (int row = 0; row < ROWS; row++)
        for (int k = 0; k < LENGTH; k++)
            ck_assert(dst[row * LENGTH + k] == src[order[9 + row] * LENGTH + (uint32_t)k]);
    ck_assert_mem_eq(dst, own_dst, sizeof(dst));
    for (int i = 0; i < COUNT; i++) {
        double step = 0.9 * start_v[i] + (double)g[i];

        ck_assert(is_same(v[i], own_v[i]) && is_same(w[i], own_w[i]));
        ck_assert_double_eq_tol((double)v[i], step, 0x1p-23 * fabs(step) + 1e-7);
        ck_assert_double_eq_tol((double)w[i], start_w[i] - 0.1 * step, 4e-7);
    }
    close_device();
}
END_TEST

/* ---- accuracy ------------------------------------------------------------------------------------------------- */

/* 2^-23 is one unit in the last place of a number just above 1. */
START_TEST(test_exponential)
{
    double worst = 0;

    for (int i = 0; i <= 870000; i++) {
        float x = (float)(-1e-4 * i);
        double expected = exp((double)x);

        worst = fmax(worst, fabs((double)train_exp(x) - expected) / expected);
    }
    ck_assert_msg(worst < 1.5 * 0x1p-23, "relative error %g", worst);
    ck_assert(train_exp(0) == 1 && train_exp(-0.0f) == 1);
    ck_assert(train_exp(-87.5f) == 0 && train_exp(-1e38f) == 0 && train_exp(-INFINITY) == 0);
    ck_assert(isnan(train_exp(NAN)));
}
END_TEST

START_TEST(test_reciprocal)
{
    double worst = 0;

    for (double x = 1; x < 0x1p24; x *= 1.00001)
        worst = fmax(worst, fabs((double)train_reciprocal((float)x) * (double)(float)x - 1));
    ck_assert_msg(worst < 1.01 * 0x1p-23, "relative error %g", worst);
    ck_assert(train_reciprocal(1) == 1 && train_reciprocal(0x1p20f) == 0x1p-20f);
}
END_TEST

/* Gradient and loss against float64, over rows of moderate logits. */
START_TEST(test_cross_entropy)
{
    static float logits[COUNT], gradient[COUNT], sums[ROWS], margins[ROWS];
    static uint32_t order[ROWS], labels[ROWS], predicted[ROWS];
    struct random random;

    random_seed(&random, 3, 0);
    for (int i = 0; i < COUNT; i++)
        logits[i] = 5 * normal(&random);
    for (uint32_t i = 0; i < ROWS; i++) {
        order[i] = i;
        labels[i] = (uint32_t)random_below(&random, CLASSES);
    }
    for (item[0] = 0; item[0] < ROWS; item[0]++)
        softmax(CLASSES, 1, 0, order, labels, logits, gradient, sums, margins, predicted);
    for (int row = 0; row < ROWS; row++) {
        const float *z = logits + row * CLASSES;
        double sum = 0, loss;

        for (int k = 0; k < CLASSES; k++)
            sum += exp((double)z[k]);
        loss = log(sum) - (double)z[labels[row]];
        ck_assert_double_eq_tol(log((double)sums[row]) - (double)margins[row], loss, 2e-6 * fmax(1, loss));
        for (int k = 0; k < CLASSES; k++) {
            double p = exp((double)z[k]) / sum;

            ck_assert(z[predicted[row]] >= z[k]);
            /* A logit's difference is rounded to a part in 2^24 of up to 40. */
            ck_assert_double_eq_tol((double)gradient[row * CLASSES + k], p - (labels[row] == (uint32_t)k), 3e-6);
        }
    }
}
END_TEST

/* ---- gradients of a whole network ----------------------------------------------------------------------------- */

enum { BATCH = 12 };

static const struct network_options shapes[] = {
    {.image = {1, 1, 7}, .hidden = {9, 6}, .hidden_count = 2, .classes = 4, .is_reproducible = 1},
    {.image = {1, 1, 7}, .hidden = {9, 6}, .hidden_count = 2, .classes = 4, .is_reproducible = 1, .is_plain = 1},
    {.image = {2, 6, 5},
     .conv = {3, 4},
     .conv_count = 2,
     .hidden = {6},
     .hidden_count = 1,
     .classes = 3,
     .is_reproducible = 1},
};

enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]), MOST_VALUES = 4096 };

/* The product of one layer in float64, channels-first. */
static void multiply(const struct network_layer *layer, const double *weights, const double *bias, const double *src,
                     double *dst)
{
    const clnorm_block_desc *d = &layer->desc;
    uint64_t h, w;

    ck_assert_int_eq(clnorm_get_block_dst_size(d, &h, &w), CLNORM_SUCCESS);
    for (uint64_t i = 0; i < BATCH * d->dst_c * h * w; i++) {
        uint64_t x = i % w, y = i / w % h, c = i / w / h % d->dst_c, n = i / w / h / d->dst_c;
        double sum = bias ? bias[c] : 0;

        for (uint64_t k = 0; k < d->src_c * d->kernel_h * d->kernel_w; k++) {
            uint64_t kx = k % d->kernel_w, ky = k / d->kernel_w % d->kernel_h, from = k / d->kernel_w / d->kernel_h;
            /* What lies in the pad wraps far beyond the image. */
            uint64_t at_y = y * d->stride_h + ky - d->pad_h, at_x = x * d->stride_w + kx - d->pad_w;

            if (at_y < d->src_h && at_x < d->src_w)
                sum += weights[c * d->src_c * d->kernel_h * d->kernel_w + k] *
                       src[((n * d->src_c + from) * d->src_h + at_y) * d->src_w + at_x];
        }
        dst[i] = sum;
    }
}

/* Batch normalization and ReLU in place. */
static void normalize(const struct network_layer *layer, const double *scale, const double *shift, double *values)
{
    uint64_t c = layer->desc.dst_c, s = layer->dst_length / c;

    for (uint64_t channel = 0; channel < c && scale; channel++) {
        double mean = 0, variance = 0;

        for (uint64_t i = 0; i < BATCH * s; i++)
            mean += values[(i / s * c + channel) * s + i % s] / (double)(BATCH * s);
        for (uint64_t i = 0; i < BATCH * s; i++)
            variance += pow(values[(i / s * c + channel) * s + i % s] - mean, 2) / (double)(BATCH * s);
        for (uint64_t i = 0; i < BATCH * s; i++) {
            double *value = &values[(i / s * c + channel) * s + i % s];

            *value = (*value - mean) / sqrt(variance + (double)layer->desc.epsilon) * scale[channel] + shift[channel];
        }
    }
    for (uint64_t i = 0; i < BATCH * layer->dst_length; i++)
        if (layer->desc.activation.cap > 0 && values[i] < 0)
            values[i] = 0;
}

/* Mean cross-entropy of the batch, everything in float64. */
static double reference_loss(const struct network *network, const double *parameters, const double *src,
                             const uint32_t *labels)
{
    static double values[2][MOST_VALUES];
    uint64_t classes = network->classes;
    double loss = 0;
    int now = 0;

    memcpy(values[0], src, BATCH * network->length * sizeof(double));
    for (unsigned i = 0; i < network->count; i++, now = !now) {
        const struct network_layer *layer = &network->layers[i];
        int is_normalized = network_is_normalized(layer);

        ck_assert_uint_le(BATCH * layer->dst_length, MOST_VALUES);
        multiply(layer, parameters + layer->weights, is_normalized ? NULL : parameters + layer->bias, values[now],
                 values[!now]);
        normalize(layer, is_normalized ? parameters + layer->scale : NULL, parameters + layer->shift, values[!now]);
    }
    for (uint64_t n = 0; n < BATCH; n++) {
        const double *z = values[now] + n * classes;
        double sum = 0;

        for (uint64_t k = 0; k < classes; k++)
            sum += exp(z[k]);
        loss += (log(sum) - z[labels[n]]) / BATCH;
    }
    return loss;
}

static float host_parameters[MOST_VALUES], host_statistics[MOST_VALUES], gradients[MOST_VALUES];

/* One forward and backward pass on the device; gradients gets what came of it. */
static void run_network(struct network *network, const float *src, const uint32_t *labels)
{
    struct train_rows rows = {.count = BATCH};
    struct network_layer *last = network_last(network);
    struct train_scores scores;
    uint32_t order[BATCH];
    clnorm_buffer values;

    for (uint32_t i = 0; i < BATCH; i++)
        order[i] = i;
    network_open(network, &session, BATCH, BATCH);
    network_upload(network, host_parameters, host_statistics, NULL);
    values = session_buffer(&session, src, BATCH * network->length);
    rows.order = session_buffer(&session, order, BATCH);
    scores.labels = session_buffer(&session, labels, BATCH);
    scores.sums = session_buffer(&session, NULL, BATCH);
    scores.margins = session_buffer(&session, NULL, BATCH);
    scores.predicted = session_buffer(&session, NULL, BATCH);
    train_gather(&session, &kernels, &rows, network->length, values, network->src);
    network_train_forward(network, BATCH);
    train_softmax(&session, &kernels, &rows, network->classes, 1.0f / BATCH, last->dst, last->diff_dst, &scores);
    network_backward(network, BATCH);
    session_download(&session, network->gradients, gradients, network->parameter_count);
}

/* Shape number _i % SHAPES on device number _i / SHAPES. */
START_TEST(test_gradients)
{
    static double parameters[MOST_VALUES], wide[MOST_VALUES];
    static float src[MOST_VALUES];
    uint32_t labels[BATCH];
    struct network network;
    struct random random;
    double largest = 0, worst = 0;

    ck_assert_int_eq(network_build(&shapes[_i % SHAPES], &network), 0);
    ck_assert_uint_le(network.parameter_count, MOST_VALUES);
    network_initialize(&network, 1, host_parameters, host_statistics);
    random_seed(&random, 4, 0);
    /* Scales, shifts and biases that are not all alike. */
    for (uint64_t i = 0; i < network.parameter_count; i++)
        host_parameters[i] += 0.25f * normal(&random);
    for (uint64_t i = 0; i < network.parameter_count; i++)
        parameters[i] = (double)host_parameters[i];
    for (uint64_t i = 0; i < BATCH * network.length; i++)
        wide[i] = (double)(src[i] = normal(&random));
    for (int i = 0; i < BATCH; i++)
        labels[i] = (uint32_t)random_below(&random, network.classes);
    open_device(_i / SHAPES);
    run_network(&network, src, labels);
    close_device();
    for (uint64_t i = 0; i < network.parameter_count; i++) {
        const double step = 1e-6, at = parameters[i];
        double slope;

        parameters[i] = at + step;
        slope = reference_loss(&network, parameters, wide, labels);
        parameters[i] = at - step;
        slope = (slope - reference_loss(&network, parameters, wide, labels)) / (2 * step);
        parameters[i] = at;
        largest = fmax(largest, fabs(slope));
        worst = fmax(worst, fabs(slope - (double)gradients[i]));
    }
    ck_assert_double_gt(largest, 0.01);
    ck_assert_msg(worst < 2e-6 * fmax(1, largest), "off by %g, of gradients up to %g", worst, largest);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("train");
    TCase *cases = tcase_create("train");

    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_exponential);
    tcase_add_test(cases, test_reciprocal);
    tcase_add_test(cases, test_cross_entropy);
    tcase_add_loop_test(cases, test_softmax, 0, (int)devices);
    tcase_add_loop_test(cases, test_gather_and_descend, 0, (int)devices);
    tcase_add_loop_test(cases, test_gradients, 0, (int)devices * SHAPES);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    if (clnorm_list_devices(0, NULL, &devices) != CLNORM_SUCCESS || devices == 0) {
        fprintf(stderr, "no OpenCL device is there\n");
        return EXIT_FAILURE;
    }
    only = getenv("CLNORM_TEST_DEVICE");
    if (only)
        devices = 1;
    return suite_run(make_suite());
}
