/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inference with folded weights: a trained layer's batch normalization goes into its weights and bias once, and from then
 * on the layer is one product (clnorm_blocks.h).
 */
#include "example.h"
#include <clnorm_blocks.h>

enum { N = 5, IN = 12, OUT = 6 }; /* a linear layer with ReLU */

int main(void)
{
    float x[N * IN], weights[OUT * IN], bias[OUT], gamma[OUT], beta[OUT], mean[OUT], variance[OUT];
    float separate[N * OUT], folded[N * OUT];
    double right[N * OUT];

    for (int i = 0; i < N * IN; i++)
        x[i] = (float)(i * 37 % 101) / 50.0F - 1;
    for (int i = 0; i < OUT * IN; i++)
        weights[i] = (float)(i * 53 % 97) / 48.0F - 1;
    for (int c = 0; c < OUT; c++) { /* what training has left */
        bias[c] = 0.1F * (float)c;
        gamma[c] = 1 + 0.25F * (float)c;
        beta[c] = 0.5F - 0.2F * (float)c;
        mean[c] = 0.3F * (float)c - 1;
        variance[c] = 0.5F + (float)c;
    }

    struct example e = example_open(0);
    clnorm_block_desc block;
    size_t bytes;
    TRY(clnorm_describe_linear(N, IN, OUT, &block));
    block.activation = CLNORM_RELU;
    block.flags = CLNORM_BLOCK_REPRODUCIBLE; /* without it the product is CLBlast's */
    TRY(clnorm_get_block_workspace_bytes(e.norm, CLNORM_FORWARD_INFERENCE, &block, &bytes));
    clnorm_block_inference_args args = {.src = example_buffer(&e, N * IN, x),
                                        .weights = example_buffer(&e, OUT * IN, weights),
                                        .bias = example_buffer(&e, OUT, bias),
                                        .dst = example_buffer(&e, N * OUT, NULL),
                                        .scale = example_buffer(&e, OUT, gamma),
                                        .shift = example_buffer(&e, OUT, beta),
                                        .mean = example_buffer(&e, OUT, mean),
                                        .variance = example_buffer(&e, OUT, variance),
                                        .workspace = example_buffer(&e, bytes / sizeof(float) + 1, NULL)};
    TRY(clnorm_block_forward_inference(e.norm, e.queue, &block, &args, 0, NULL, NULL));
    example_read(&e, args.dst, N * OUT, separate);

    /* Folded: once, here over the weights and the bias themselves. */
    clnorm_block_fold_args fold = {.weights = args.weights,
                                   .bias = args.bias,
                                   .scale = args.scale,
                                   .shift = args.shift,
                                   .mean = args.mean,
                                   .variance = args.variance,
                                   .folded_weights = args.weights,
                                   .folded_bias = args.bias};
    TRY(clnorm_block_fold(e.norm, e.queue, &block, &fold, 0, NULL, NULL));

    /* From then on a plain block, which knows of no statistics; the workspace fits it if it is as large as it asks for. */
    clnorm_block_inference_args plain = {.src = args.src, .weights = args.weights, .bias = args.bias, .dst = args.dst};
    block.flags |= CLNORM_BLOCK_PLAIN;
    TRY(clnorm_get_block_workspace_bytes(e.norm, CLNORM_FORWARD_INFERENCE, &block, &bytes));
    plain.workspace = example_buffer(&e, bytes / sizeof(float) + 1, NULL);
    TRY(clnorm_block_forward_inference(e.norm, e.queue, &block, &plain, 0, NULL, NULL));
    example_read(&e, plain.dst, N * OUT, folded);

    for (int n = 0; n < N; n++)
        for (int c = 0; c < OUT; c++) {
            double product = (double)bias[c];
            for (int k = 0; k < IN; k++)
                product += (double)x[n * IN + k] * (double)weights[c * IN + k];
            double invstd = 1 / sqrt((double)variance[c] + (double)block.epsilon);
            right[n * OUT + c] = fmax(0, (product - (double)mean[c]) * invstd * (double)gamma[c] + (double)beta[c]);
        }
    double error = example_error(N * OUT, separate, right), folded_error = example_error(N * OUT, folded, right);
    printf("linear, batch norm, ReLU: %.1e from float64; folded into one product: %.1e\n", error, folded_error);
    example_close(&e);
    return error < 2e-6 && folded_error < 2e-6 ? 0 : 1;
}
