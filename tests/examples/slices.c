/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slices: a tensor of 3 * C channels, as networks keep that concatenate (DenseNet). Channels C to 2C - 1 are normalized to channels 2C on, in the
 * same buffer, without a copy; and, from NCHW to NHWC, into a buffer of their own.
 */
#include "example.h"
#include <string.h>

enum { N = 8, C = 24, S = 7 * 7, ALL = 3 * C, COUNT = N * C * S, WHOLE = N * ALL * S };

int main(void)
{
    static float whole[WHOLE], after[WHOLE], x[COUNT], y[COUNT], turned[COUNT];
    const clnorm_strides slice = {ALL * S, S, 1}, nhwc = {S * C, 1, C};
    int same = 1;

    for (int i = 0; i < WHOLE; i++)
        whole[i] = (float)(i * 37 % 101) - 50.0F;
    for (int n = 0; n < N; n++) /* the copy that a dense call needs */
        memcpy(x + n * C * S, whole + (n * ALL + C) * S, C * S * sizeof(float));

    struct example e = example_open(0);
    clnorm_desc desc;
    TRY(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, (const uint64_t[]){N, C, 7, 7}, &desc));
    TRY(clnorm_prepare_with(e.norm, CLNORM_FORWARD_TRAINING, &desc, CLNORM_WITH_SLICES));
    clnorm_buffer tensor = example_buffer(&e, WHOLE, whole);
    clnorm_forward_training_args args = {.src = {tensor.mem, C * S},
                                         .src_strides = slice,
                                         .dst = {tensor.mem, 2 * C * S},
                                         .dst_strides = slice,
                                         .workspace = example_workspace(&e, CLNORM_FORWARD_TRAINING, &desc)};
    TRY(clnorm_forward_training(e.norm, e.queue, &desc, &args, 0, NULL, NULL));
    example_read(&e, tensor, WHOLE, after);

    args.dst = example_buffer(&e, COUNT, NULL);
    args.dst_strides = nhwc;
    TRY(clnorm_forward_training(e.norm, e.queue, &desc, &args, 0, NULL, NULL));
    example_read(&e, args.dst, COUNT, turned);

    args.src = example_buffer(&e, COUNT, x);
    args.src_strides = args.dst_strides = (clnorm_strides){0, 0, 0};
    TRY(clnorm_forward_training(e.norm, e.queue, &desc, &args, 0, NULL, NULL));
    example_read(&e, args.dst, COUNT, y);

    for (int n = 0; n < N; n++) {
        const float *from = whole + n * ALL * S, *to = after + n * ALL * S;
        same &= !memcmp(to, from, 2 * C * S * sizeof(float)); /* what is read, and what lies beside it */
        same &= !memcmp(to + 2 * C * S, y + n * C * S, C * S * sizeof(float));
        for (int c = 0; c < C; c++)
            for (int s = 0; s < S; s++)
                same &= !memcmp(&turned[(n * S + s) * C + c], &y[(n * C + c) * S + s], sizeof(float));
    }
    printf("slices: %s\n", same ? "the same bits as of a copy" : "OTHER BITS");
    example_close(&e);
    return same ? 0 : 1;
}
