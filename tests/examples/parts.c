/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch in parts that see one another's statistics: here two contexts with a queue each, as two devices would have, whose nodes travel by way of
 * the host. The outputs have the bits of one call on the whole batch.
 */
#include "example.h"
#include <clnorm_parts.h>
#include <string.h>

enum { N = 48, C = 6, S = 7 * 7, COUNT = N * C * S, PARTS = 2 };

static void reference(const float *x, double epsilon, double *y)
{
    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0;
        for (int n = 0; n < N; n++)
            for (int s = 0; s < S; s++)
                mean += (double)x[(n * C + c) * S + s] / (N * S);
        for (int n = 0; n < N; n++)
            for (int s = 0; s < S; s++)
                variance += pow((double)x[(n * C + c) * S + s] - mean, 2) / (N * S);
        for (int n = 0; n < N; n++)
            for (int s = 0; s < S; s++)
                y[(n * C + c) * S + s] = ((double)x[(n * C + c) * S + s] - mean) / sqrt(variance + epsilon);
    }
}

int main(void)
{
    static float x[COUNT], whole[COUNT], y[COUNT];
    static double right[COUNT];
    static float all_nodes[1000];
    const uint64_t samples[PARTS] = {16, 32}; /* of 7 x 7: multiples of 16, clnorm_get_part_multiple says */
    const clnorm_parts parts = {PARTS, samples, CLNORM_MERGE_SAME_BITS};
    struct example device[PARTS];
    clnorm_forward_training_args args[PARTS];
    clnorm_buffer nodes[PARTS];
    clnorm_desc desc;
    uint64_t before = 0, first, count, all;
    size_t bytes;

    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i * 37 % 101) - 1000.0F;
    TRY(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, (const uint64_t[]){N, C, 7, 7}, &desc));
    TRY(clnorm_get_part_nodes(CLNORM_FORWARD_TRAINING, &desc, &parts, PARTS, &all, &count));

    /* Each part makes its nodes. */
    for (uint64_t p = 0; p < PARTS; before += samples[p], p++) {
        struct example *e = &device[p];

        *e = example_open(0);
        desc.n = samples[p];
        TRY(clnorm_get_part_workspace_bytes(e->norm, CLNORM_FORWARD_TRAINING, &desc, &parts, p, &bytes));
        args[p] = (clnorm_forward_training_args){.src = example_buffer(e, samples[p] * C * S, x + before * C * S),
                                                 .dst = example_buffer(e, samples[p] * C * S, NULL),
                                                 .workspace = example_buffer(e, bytes / sizeof(float) + 1, NULL)};
        nodes[p] = example_buffer(e, all, NULL);
        TRY(clnorm_forward_statistics(e->norm, e->queue, &desc, &parts, p, nodes[p], &args[p], 0, NULL, NULL));
        TRY(clnorm_get_part_nodes(CLNORM_FORWARD_TRAINING, &desc, &parts, p, &first, &count));
        TRY(clEnqueueReadBuffer(e->queue, nodes[p].mem, CL_TRUE, first * sizeof(float), count * sizeof(float),
                                all_nodes + first, 0, NULL, NULL));
    }
    /* All nodes come to each, which goes on from there. */
    before = 0;
    for (uint64_t p = 0; p < PARTS; before += samples[p], p++) {
        struct example *e = &device[p];

        desc.n = samples[p];
        TRY(clEnqueueWriteBuffer(e->queue, nodes[p].mem, CL_FALSE, 0, all * sizeof(float), all_nodes, 0, NULL, NULL));
        TRY(clnorm_forward_apply(e->norm, e->queue, &desc, &parts, p, nodes[p], &args[p], 0, NULL, NULL));
        example_read(e, args[p].dst, samples[p] * C * S, y + before * C * S);
    }

    desc.n = N;
    args[0] =
        (clnorm_forward_training_args){.src = example_buffer(&device[0], COUNT, x),
                                       .dst = example_buffer(&device[0], COUNT, NULL),
                                       .workspace = example_workspace(&device[0], CLNORM_FORWARD_TRAINING, &desc)};
    TRY(clnorm_forward_training(device[0].norm, device[0].queue, &desc, &args[0], 0, NULL, NULL));
    example_read(&device[0], args[0].dst, COUNT, whole);
    for (int p = 0; p < PARTS; p++)
        example_close(&device[p]);

    reference(x, (double)desc.epsilon, right);
    const double error = example_error(COUNT, y, right);
    const int is_same = memcmp(y, whole, sizeof y) == 0;
    printf("%d samples in parts of 16 and 32: %llu floats travelled, the same bits as one call: %s, within %.1e of "
           "float64\n",
           N, (unsigned long long)all, is_same ? "yes" : "no", error);
    return is_same && error < 1e-6 ? 0 : 1;
}
