/* SPDX-License-Identifier: Apache-2.0 */
/* Sets kernel arguments and enqueues; the only place that does. */
#ifndef CLNORM_RUN_H
#define CLNORM_RUN_H

#include "device/context.h"
#include "plan/operand.h"
#include "plan/plan.h"

/* A queue, and what a call must wait for and hand back. */
struct clnorm__stream {
    cl_command_queue queue;
    int ordered;
    cl_uint wait_count;
    const cl_event *wait_list;
    cl_event *event;
};

/* How far a call has come. Zeroed at its start. */
struct clnorm__progress {
    unsigned enqueued; /* launches that are, and stay so when another variant takes a later one's place */
    cl_event last;     /* of the last one, where the queue is out of order; the caller releases it */
    const struct clnorm__variant
        *failed; /* the one that this device cannot build or launch; NULL: another kind of failure */
};

/* Enqueues a plan's launches, from progress->enqueued on. */
int clnorm__run(clnorm_context *context, const struct clnorm__plan *plan, const struct clnorm__stream *stream,
                const struct clnorm__buffers *buffers, const struct clnorm_finish *finish,
                const clnorm_activation *activation, struct clnorm__progress *progress);

/* Builds what a plan's launches need, and makes their kernels once; progress->failed as of clnorm__run. */
int clnorm__run_prepare(clnorm_context *context, const struct clnorm__plan *plan, struct clnorm__progress *progress);

/*
 * Makes local what this kernel may have, which can be less than the device has: registers and local memory run out. local divides
 * global before and after. CL_INVALID_WORK_GROUP_SIZE where the kernel insists on its size.
 */
int clnorm__fit_local(const clnorm_context *context, const struct clnorm__variant *variant, cl_kernel kernel,
                      unsigned dims, const size_t *global, size_t *local);

/* n = 0: zeroes in diff_scale and diff_shift, unless the flags say that they are added, and an event. */
int clnorm__run_empty(const struct clnorm__stream *stream, const struct clnorm__buffers *buffers, unsigned flags,
                      uint64_t channels);

#endif
