/* SPDX-License-Identifier: Apache-2.0 */
#include "opencl.h"

#include <stdio.h>

static struct bench_opencl opened;

static void log_message(void *user, enum clnorm_log_level level, const char *message)
{
    (void)user;
    if (level <= CLNORM_LOG_WARNING)
        fprintf(stderr, "CLNorm: %s\n", message);
}

const struct bench_opencl *bench_opencl(void)
{
    if (opened.queue)
        return &opened;
    clnorm_device_info device;
    clnorm_context_options options = {.log = log_message};
    int status = clnorm_find_device(NULL, &device, NULL);
    opened.device = device.device;
    if (!status)
        status = clnorm_create_context(NULL, device.device, &options, &opened.clnorm);
    if (!status)
        status = clnorm_get_cl_context(opened.clnorm, &opened.context);
    cl_int cl_status = CL_SUCCESS;
    if (!status)
        opened.queue = clCreateCommandQueue(opened.context, device.device, 0, &cl_status);
    status = status ? status : cl_status;
    if (!status)
        return &opened;
    fprintf(stderr, "CLNorm: no device: %s (%d)\n", clnorm_status_string(status), status);
    return NULL;
}

void bench_opencl_close(void)
{
    if (opened.queue)
        clReleaseCommandQueue(opened.queue);
    opened.queue = NULL;
    if (opened.clnorm)
        clnorm_release_context(&opened.clnorm);
}

cl_int bench_opencl_buffer(const struct bench_opencl *cl, const float *values, uint64_t count, cl_mem *buffer)
{
    cl_int status;
    size_t bytes = (size_t)count * sizeof(float);
    *buffer = clCreateBuffer(cl->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &status);
    if (status)
        return status;
    if (values)
        return clEnqueueWriteBuffer(cl->queue, *buffer, CL_TRUE, 0, bytes, values, 0, NULL, NULL);
    const float zero = 0.0f;
    return clEnqueueFillBuffer(cl->queue, *buffer, &zero, sizeof zero, 0, bytes, 0, NULL, NULL);
}
