/* SPDX-License-Identifier: Apache-2.0 */
/* Two threads share one clnorm_context; each has a queue, buffers and a workspace of its own. */
#include "example.h"
#include <pthread.h>

enum { THREADS = 2, CALLS = 8, N = 32, C = 40, COUNT = N * C }; /* a matrix of samples x features */

struct job {
    const struct example *shared;
    float offset; /* of its data */
    double error;
};

static void *normalize_batches(void *argument)
{
    struct job *job = argument;
    struct example e = *job->shared; /* the same device, cl_context and clnorm_context; the queue is replaced */
    float x[COUNT], y[COUNT];
    double right[COUNT];
    clnorm_desc desc;
    int status;

    e.queue = clCreateCommandQueue(e.cl, e.device.device, 0, &status);
    TRY(status);
    TRY(clnorm_describe(CLNORM_CHANNELS_LAST, 2, (const uint64_t[]){N, C}, &desc));
    clnorm_buffer data = example_buffer(&e, COUNT, NULL);
    clnorm_buffer workspace = example_workspace(&e, CLNORM_FORWARD_TRAINING, &desc);
    clnorm_forward_training_args args = {.src = data, .dst = data, .workspace = workspace};

    for (int call = 0; call < CALLS; call++) {
        for (int i = 0; i < COUNT; i++)
            x[i] = job->offset + (float)((i + call) * 37 % 101);
        TRY(clEnqueueWriteBuffer(e.queue, data.mem, CL_FALSE, 0, sizeof x, x, 0, NULL, NULL));
        TRY(clnorm_forward_training(e.norm, e.queue, &desc, &args, 0, NULL, NULL));
        example_read(&e, data, COUNT, y);

        for (int c = 0; c < C; c++) {
            double mean = 0, variance = 0;
            for (int i = c; i < COUNT; i += C)
                mean += (double)x[i] / N;
            for (int i = c; i < COUNT; i += C)
                variance += ((double)x[i] - mean) * ((double)x[i] - mean) / N;
            for (int i = c; i < COUNT; i += C)
                right[i] = ((double)x[i] - mean) / sqrt(variance + (double)desc.epsilon);
        }
        job->error = fmax(job->error, example_error(COUNT, y, right));
    }
    example_release_buffers(&e);
    TRY(clReleaseCommandQueue(e.queue));
    return NULL;
}

int main(void)
{
    struct example e = example_open(0);
    struct job jobs[THREADS] = {{&e, 0, 0}, {&e, 1e5F, 0}};
    pthread_t threads[THREADS];

    for (int t = 0; t < THREADS; t++)
        if (pthread_create(&threads[t], NULL, normalize_batches, &jobs[t]))
            return fprintf(stderr, "no thread\n"), 1;
    for (int t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    example_close(&e); /* the last use of the context, after both threads */

    double error = fmax(jobs[0].error, jobs[1].error);
    printf("%d threads, %d calls each on one context: %.1e from float64\n", THREADS, CALLS, error);
    return error < 1e-6 ? 0 : 1;
}
