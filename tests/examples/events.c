/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An out-of-order queue: events alone say what comes after what. Two batches go up, through inference, and down again,
 * and neither waits for the other.
 */
#include "example.h"

enum { BATCHES = 2, N = 4, C = 8, S = 64, COUNT = N * C * S };

int main(void)
{
    static float x[BATCHES][COUNT], y[BATCHES][COUNT], mean[C], variance[C];
    static double right[COUNT];
    double error = 0;

    for (int c = 0; c < C; c++) {
        mean[c] = 10.0F * (float)c;
        variance[c] = 1.0F + (float)c;
    }
    for (int i = 0; i < BATCHES * COUNT; i++)
        x[i / COUNT][i % COUNT] = (float)(i * 37 % 101);

    /* A device without such queues gets an in-order one: the same program, less at the same time. */
    clnorm_device_info device;
    cl_command_queue_properties has;
    TRY(clnorm_find_device(NULL, &device, NULL));
    TRY(clGetDeviceInfo(device.device, CL_DEVICE_QUEUE_PROPERTIES, sizeof has, &has, NULL));
    struct example e = example_open(has & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);

    clnorm_desc desc;
    TRY(clnorm_describe(CLNORM_CHANNELS_FIRST, 3, (const uint64_t[]){N, C, S}, &desc));
    clnorm_buffer means = example_buffer(&e, C, mean), variances = example_buffer(&e, C, variance);

    cl_event down[BATCHES];
    for (int b = 0; b < BATCHES; b++) {
        cl_event up, normalized;
        clnorm_forward_inference_args args = {.src = example_buffer(&e, COUNT, NULL),
                                              .dst = example_buffer(&e, COUNT, NULL),
                                              .mean = means,
                                              .variance = variances,
                                              /* calls that may run at the same time need a workspace each */
                                              .workspace = example_workspace(&e, CLNORM_FORWARD_INFERENCE, &desc)};
        TRY(clEnqueueWriteBuffer(e.queue, args.src.mem, CL_FALSE, 0, sizeof x[b], x[b], 0, NULL, &up));
        TRY(clnorm_forward_inference(e.norm, e.queue, &desc, &args, 1, &up, &normalized));
        TRY(clEnqueueReadBuffer(e.queue, args.dst.mem, CL_FALSE, 0, sizeof y[b], y[b], 1, &normalized, &down[b]));
        TRY(clReleaseEvent(up)); /* the queue keeps what it still needs */
        TRY(clReleaseEvent(normalized));
    }
    TRY(clWaitForEvents(BATCHES, down));

    for (int b = 0; b < BATCHES; b++) {
        for (int i = 0; i < COUNT; i++) {
            int c = i / S % C;
            right[i] = ((double)x[b][i] - (double)mean[c]) / sqrt((double)variance[c] + (double)desc.epsilon);
        }
        error = fmax(error, example_error(COUNT, y[b], right));
        TRY(clReleaseEvent(down[b]));
    }
    printf("%s queue: %d batches by events, %.1e from float64\n",
           has & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE ? "out-of-order" : "in-order", BATCHES, error);
    example_close(&e);
    return error < 1e-6 ? 0 : 1;
}
