/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenCL device that CLNorm and the copies in its place run on: what clnorm_find_device(NULL, ...) finds, see CLNORM_DEVICE. */
#ifndef CLNORM_BENCH_OPENCL_H
#define CLNORM_BENCH_OPENCL_H

#include "clnorm.h"

struct bench_opencl {
    clnorm_context *clnorm;
    cl_context context;
    cl_device_id device;
    cl_command_queue queue;
};

/* Opened when it is first asked for. NULL after an error, which it has printed. */
const struct bench_opencl *bench_opencl(void);

/* May be called more than once. */
void bench_opencl_close(void);

/* A buffer filled from values, or with zeros, by the device: so that its pages are there before the clock starts. */
cl_int bench_opencl_buffer(const struct bench_opencl *cl, const float *values, uint64_t count, cl_mem *buffer);

#endif
