/* SPDX-License-Identifier: Apache-2.0 */
/* In place: dst over src, then the gradient of src over that of dst. A network keeps one tensor fewer for each layer. */
#include "example.h"
#include <string.h>

enum { N = 8, S = 5 * 5, C = 24, COUNT = N * S * C }; /* NHWC */

/* Forward and backward; where `in_place` says so, each writes over its input. */
static void normalize(struct example *e, const clnorm_desc *desc, const float *x, const float *dy, int in_place,
                      float *y, float *dx)
{
    clnorm_buffer src = example_buffer(e, COUNT, x), diff_dst = example_buffer(e, COUNT, dy);

    clnorm_forward_training_args forward = {.src = src,
                                            .dst = in_place ? src : example_buffer(e, COUNT, NULL),
                                            .save_mean = example_buffer(e, C, NULL),
                                            .save_mean_low = example_buffer(e, C, NULL),
                                            .save_invstd = example_buffer(e, C, NULL),
                                            .workspace = example_workspace(e, CLNORM_FORWARD_TRAINING, desc)};
    TRY(clnorm_forward_training(e->norm, e->queue, desc, &forward, 0, NULL, NULL));
    example_read(e, forward.dst, COUNT, y);

    /* Backward needs the src that forward overwrote; who wants both keeps src and lets backward write over diff_dst. */
    clnorm_backward_training_args backward = {.src = example_buffer(e, COUNT, x),
                                              .diff_dst = diff_dst,
                                              .save_mean = forward.save_mean,
                                              .save_mean_low = forward.save_mean_low,
                                              .save_invstd = forward.save_invstd,
                                              .diff_src = in_place ? diff_dst : example_buffer(e, COUNT, NULL),
                                              .workspace = example_workspace(e, CLNORM_BACKWARD_TRAINING, desc)};
    TRY(clnorm_backward_training(e->norm, e->queue, desc, &backward, 0, NULL, NULL));
    example_read(e, backward.diff_src, COUNT, dx);
}

/* dst in float64, without scale and shift. */
static void reference(const float *x, double epsilon, double *y)
{
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0;
        for (int i = c; i < COUNT; i += C)
            mean += (double)x[i] / (N * S);
        for (int i = c; i < COUNT; i += C)
            variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (N * S);
        for (int i = c; i < COUNT; i += C)
            y[i] = ((double)x[i] - mean) / sqrt(variance + epsilon);
    }
}

int main(void)
{
    static float x[COUNT], dy[COUNT], y[2][COUNT], dx[2][COUNT];
    static double right[COUNT];

    for (int i = 0; i < COUNT; i++) {
        x[i] = (float)(i * 37 % 101) - 1000.0F;
        dy[i] = (float)(i * 53 % 97) / 97.0F;
    }

    struct example e = example_open(0);
    clnorm_desc desc;
    TRY(clnorm_describe(CLNORM_CHANNELS_LAST, 4, (const uint64_t[]){N, 5, 5, C}, &desc));
    for (int in_place = 0; in_place < 2; in_place++)
        normalize(&e, &desc, x, dy, in_place, y[in_place], dx[in_place]);

    int same = !memcmp(y[0], y[1], sizeof y[0]) && !memcmp(dx[0], dx[1], sizeof dx[0]);
    reference(x, (double)desc.epsilon, right);
    double error = example_error(COUNT, y[1], right);
    printf("in place: %s; %.1e from float64\n", same ? "the same bits as with buffers of their own" : "OTHER BITS",
           error);
    example_close(&e);
    return same && error < 1e-6 ? 0 : 1;
}
