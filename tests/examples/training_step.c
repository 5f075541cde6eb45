/* SPDX-License-Identifier: Apache-2.0 */
/* A training step: forward, the gradients of a loss, and scale and shift moved against theirs. */
#include "example.h"

enum { N = 16, C = 4, H = 6, W = 6, S = H * W, COUNT = N * C * S };

static const float rate = 0.1F, momentum = 0.1F, epsilon = 1e-5F;

/* The loss is half the squared distance of dst to these. */
static double target(int i)
{
    return i % 7 - 3;
}

/* The same step in float64. */
static void reference(const float *x, const float *gamma, const float *beta, double *dx, double *parameters)
{
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0, sum = 0, product = 0, m = N * S;
        for (int i = 0; i < COUNT; i++)
            mean += i / S % C == c ? (double)x[i] / m : 0;
        for (int i = 0; i < COUNT; i++)
            variance += i / S % C == c ? ((double)x[i] - mean) * ((double)x[i] - mean) / m : 0;
        double invstd = 1 / sqrt(variance + (double)epsilon);
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < COUNT; i++)
                if (i / S % C == c) {
                    double hat = ((double)x[i] - mean) * invstd;
                    double dy = hat * (double)gamma[c] + (double)beta[c] - target(i);
                    if (pass == 0)
                        sum += dy, product += dy * hat;
                    else
                        dx[i] = (double)gamma[c] * invstd * (dy - sum / m - hat * product / m);
                }
        parameters[c] = (double)gamma[c] - (double)rate * product / m;
        parameters[C + c] = (double)beta[c] - (double)rate * sum / m;
        parameters[2 * C + c] = (double)momentum * mean;
        parameters[3 * C + c] = (double)momentum * variance * m / (m - 1) + 1 - (double)momentum;
    }
}

int main(void)
{
    static float x[COUNT], y[COUNT], dy[COUNT], dx[COUNT], parameters[4 * C];
    static double right_dx[COUNT], right[4 * C];
    float gamma[C] = {1, 2, 0.5F, 1}, beta[C] = {0, 1, -1, 0}, zeros[C] = {0}, ones[C] = {1, 1, 1, 1};
    float diff_gamma[C], diff_beta[C];

    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i * 37 % 101) + 100.0F * (float)(i / S % C);

    struct example e = example_open(0);
    clnorm_desc desc;
    TRY(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, (const uint64_t[]){N, C, H, W}, &desc));
    desc.epsilon = epsilon;

    /* What forward saves is what backward reads. One workspace does for both: they run one after the other. */
    clnorm_forward_training_args forward = {.src = example_buffer(&e, COUNT, x),
                                            .dst = example_buffer(&e, COUNT, NULL),
                                            .scale = example_buffer(&e, C, gamma),
                                            .shift = example_buffer(&e, C, beta),
                                            .running_mean = example_buffer(&e, C, zeros),
                                            .running_variance = example_buffer(&e, C, ones),
                                            .save_mean = example_buffer(&e, C, NULL),
                                            .save_mean_low = example_buffer(&e, C, NULL),
                                            .save_invstd = example_buffer(&e, C, NULL),
                                            .workspace = example_workspace(&e, CLNORM_FORWARD_TRAINING, &desc),
                                            .momentum = momentum};
    TRY(clnorm_forward_training(e.norm, e.queue, &desc, &forward, 0, NULL, NULL));

    example_read(&e, forward.dst, COUNT, y); /* the loss is the host's here; it could as well be a kernel of yours */
    for (int i = 0; i < COUNT; i++)
        dy[i] = y[i] - (float)target(i);

    clnorm_backward_training_args backward = {.src = forward.src,
                                              .diff_dst = example_buffer(&e, COUNT, dy),
                                              .scale = forward.scale,
                                              .save_mean = forward.save_mean,
                                              .save_mean_low = forward.save_mean_low,
                                              .save_invstd = forward.save_invstd,
                                              .diff_src = example_buffer(&e, COUNT, NULL),
                                              .diff_scale = example_buffer(&e, C, NULL),
                                              .diff_shift = example_buffer(&e, C, NULL),
                                              .workspace = example_workspace(&e, CLNORM_BACKWARD_TRAINING, &desc)};
    TRY(clnorm_backward_training(e.norm, e.queue, &desc, &backward, 0, NULL, NULL));

    example_read(&e, backward.diff_src, COUNT, dx);
    example_read(&e, backward.diff_scale, C, diff_gamma);
    example_read(&e, backward.diff_shift, C, diff_beta);
    example_read(&e, forward.running_mean, C, parameters + 2 * C);
    example_read(&e, forward.running_variance, C, parameters + 3 * C);
    for (int c = 0; c < C; c++) {
        parameters[c] = gamma[c] - rate * diff_gamma[c] / (N * S);
        parameters[C + c] = beta[c] - rate * diff_beta[c] / (N * S);
    }

    reference(x, gamma, beta, right_dx, right);
    double gradients = example_error(COUNT, dx, right_dx), others = example_error(4 * C, parameters, right);
    printf("training step: scale[0] %.6f -> %.6f, shift[1] %.6f -> %.6f, running mean[3] %.4f\n", (double)gamma[0],
           (double)parameters[0], (double)beta[1], (double)parameters[C + 1], (double)parameters[3 * C - 1]);
    printf("against float64: gradient of src %.1e, parameters and running statistics %.1e\n", gradients, others);
    example_close(&e);
    return gradients < 1e-5 && others < 1e-6 ? 0 : 1;
}
