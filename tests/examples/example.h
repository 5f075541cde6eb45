/* SPDX-License-Identifier: Apache-2.0 */
/* What the examples share, so that each shows CLNorm and little else: a device, buffers, and a way out when a call fails. */
#ifndef CLNORM_EXAMPLE_H
#define CLNORM_EXAMPLE_H

#include <clnorm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with the status in words. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        int try_status = (call);                                                                                       \
        if (try_status != CLNORM_SUCCESS)                                                                              \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, clnorm_status_string(try_status)), exit(1);             \
    } while (0)

struct example {
    clnorm_device_info device;
    cl_context cl;
    cl_command_queue queue;
    clnorm_context *norm;
    cl_mem buffers[32]; /* what example_buffer made */
    int buffer_count;
};

/* The device that CLNORM_DEVICE names, or the best one; the objects of OpenCL are the program's own. */
static inline struct example example_open(cl_command_queue_properties properties)
{
    struct example e = {0};
    int status;

    TRY(clnorm_find_device(NULL, &e.device, NULL));
    e.cl = clCreateContext(NULL, 1, &e.device.device, NULL, NULL, &status);
    TRY(status);
    e.queue = clCreateCommandQueue(e.cl, e.device.device, properties, &status);
    TRY(status);
    TRY(clnorm_create_context(e.cl, e.device.device, NULL, &e.norm));
    return e;
}

static inline void example_release_buffers(struct example *e)
{
    while (e->buffer_count > 0)
        TRY(clReleaseMemObject(e->buffers[--e->buffer_count]));
}

static inline void example_close(struct example *e)
{
    example_release_buffers(e);
    TRY(clnorm_release_context(&e->norm));
    TRY(clReleaseCommandQueue(e->queue));
    TRY(clReleaseContext(e->cl));
}

/* A buffer of that many floats, from element 0 on; with values, filled with them. example_close releases it. */
static inline clnorm_buffer example_buffer(struct example *e, size_t count, const float *values)
{
    int status;
    cl_mem_flags flags = CL_MEM_READ_WRITE | (values ? CL_MEM_COPY_HOST_PTR : 0);
    cl_mem mem = clCreateBuffer(e->cl, flags, count * sizeof(float), (void *)values, &status);

    TRY(status);
    if (e->buffer_count == sizeof e->buffers / sizeof *e->buffers)
        TRY(CLNORM_OUT_OF_MEMORY);
    e->buffers[e->buffer_count++] = mem;
    return (clnorm_buffer){mem, 0};
}

/* What the operation needs; one workspace serves all calls that do not run at the same time. */
static inline clnorm_buffer example_workspace(struct example *e, enum clnorm_operation operation,
                                              const clnorm_desc *desc)
{
    size_t bytes;

    TRY(clnorm_get_workspace_bytes(e->norm, operation, desc, &bytes));
    return example_buffer(e, bytes / sizeof(float) + 1, NULL);
}

/* Waits for the queue and copies values out of a buffer. */
static inline void example_read(const struct example *e, clnorm_buffer buffer, size_t count, float *values)
{
    TRY(clEnqueueReadBuffer(e->queue, buffer.mem, CL_TRUE, 0, count * sizeof(float), values, 0, NULL, NULL));
}

/* The largest difference from float64, relative where values are above 1; a NaN counts as infinite. */
static inline double example_error(size_t count, const float *values, const double *right)
{
    double worst = 0;

    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)values[i] - right[i]) / fmax(1, fabs(right[i]));
        worst = fmax(worst, isnan(error) ? INFINITY : error);
    }
    return worst;
}

#endif
