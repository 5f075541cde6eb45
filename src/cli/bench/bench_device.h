/* SPDX-License-Identifier: Apache-2.0 */
/* A device with everything that `clnorm bench` enqueues there. */
#ifndef CLNORM_CLI_BENCH_DEVICE_H
#define CLNORM_CLI_BENCH_DEVICE_H

#include "cli/bench/bench_parts.h"
#include "cli/session.h"

/* Channels' vectors, of which each is a buffer. */
enum bench_vector {
    BENCH_SCALE,
    BENCH_SHIFT,
    BENCH_MEAN,
    BENCH_MEAN_LOW,
    BENCH_INVSTD,
    BENCH_VARIANCE,
    BENCH_RUNNING_MEAN,
    BENCH_RUNNING_VARIANCE,
    BENCH_DIFF_SCALE,
    BENCH_DIFF_SHIFT,
    BENCH_VECTORS
};

struct bench_device {
    struct session session;
    clnorm_context *context;   /* held to the variants asked for */
    cl_command_queue profiled; /* the session's queue is not */
    cl_program program;
    cl_kernel kernels[BENCH_WORKS], fill, reader;
    cl_ulong max_alloc, most_bytes; /* of one buffer, and of all together */
    cl_uint units, width, local;    /* compute units; the copies' floats in a vector and work-items in a group */
    uint64_t chunk[BENCH_WORKS];    /* vectors that a work-item of a copy moves */
    clnorm_buffer src, diff_dst, dst, vectors[BENCH_VECTORS], workspace;
    clnorm_buffer residual, diff_residual, mask; /* as far as the form has them */
    struct call_form form;
    clnorm_desc desc;
    uint64_t count; /* elements of the tensor */
    uint64_t words; /* which these are, of 4 bytes */
};

/* Both return 0, or -1 after a message. */
int bench_device_open(struct bench_device *device, const struct bench_options *options);
void bench_device_close(struct bench_device *device);

/* Why a shape is too large for the device, or NULL. text has room for the answer. */
const char *bench_too_large(const struct bench_device *device, const struct bench_shape *shape, int has_backward,
                            char *text, size_t size);

/* Makes the buffers for a shape and fills them. */
int bench_device_shape(struct bench_device *device, const struct bench_shape *shape, int has_backward);

/* The two halves of that, for buffers which several shapes use in turn: tensors and vectors of so many elements at most. */
int bench_device_room(struct bench_device *device, uint64_t elements, uint64_t channels, int has_backward);
void bench_device_take(struct bench_device *device, const struct bench_shape *shape);

/* Words of 4 bytes that a tensor of so many elements takes. */
uint64_t bench_words(const struct bench_device *device, uint64_t elements);

/* Makes the statistics of this layout, which inference and backward want, and a workspace for all of ops. */
int bench_device_layout(struct bench_device *device, enum clnorm_layout layout);

/* The same with the workspace that is there, for the layout that is set. */
int bench_device_statistics(struct bench_device *device);

/* The two ways to cut a copy. */
uint64_t bench_chunk(const struct bench_device *device, int choice);

/* An OpenCL or CLNorm status. CLNORM_NO_VARIANT means that the variants asked for do not fit. */
int bench_enqueue(struct bench_device *device, cl_command_queue queue, enum bench_work work);

/* Reads the result once, as what comes next in a network would; writes nothing. */
int bench_enqueue_reader(struct bench_device *device, cl_command_queue queue);

#endif
