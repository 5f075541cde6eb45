/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/train_kernels.h"

#include "cli/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the compiler says of a program that should compile: its first lines are enough to report. */
static void tell_build_log(struct session *session, cl_program program)
{
    char *log;
    size_t size;

    if (clGetProgramBuildInfo(program, session->info.device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) != CL_SUCCESS)
        return;
    log = malloc(size + 1);
    if (log &&
        clGetProgramBuildInfo(program, session->info.device, CL_PROGRAM_BUILD_LOG, size, log, NULL) == CL_SUCCESS) {
        log[size] = '\0';
        complain("train.cl does not compile on %s: %.1000s", session->info.name, log);
    }
    free(log);
}

int train_kernels_open(struct session *session, struct train_kernels *kernels, int type)
{
    static const char *const names[TRAIN_KERNELS] = {
        [TRAIN_GATHER] = "gather_rows", [TRAIN_SOFTMAX] = "softmax", [TRAIN_DESCEND] = "descend"};
    const char *text = (const char *)train_files[0].text;
    char options[32];
    cl_int status;

    snprintf(options, sizeof(options), "-w -DTYPE=%d", type); /* no chatter */
    memset(kernels, 0, sizeof(*kernels));
    if (session->is_failed)
        return -1;
    kernels->program = clCreateProgramWithSource(session->cl, 1, &text, &train_files[0].size, &status);
    session_expect(session, status, "cannot make the program of train.cl");
    if (session->is_failed)
        return -1;
    status = clBuildProgram(kernels->program, 1, &session->info.device, options, NULL, NULL);
    if (status != CL_SUCCESS)
        tell_build_log(session, kernels->program);
    session_expect(session, status, "cannot compile train.cl");
    for (int i = 0; i < TRAIN_KERNELS && !session->is_failed; i++) {
        kernels->kernels[i] = clCreateKernel(kernels->program, names[i], &status);
        session_expect(session, status, names[i]);
    }
    return session->is_failed ? -1 : 0;
}

void train_kernels_close(struct train_kernels *kernels)
{
    for (int i = 0; i < TRAIN_KERNELS; i++)
        if (kernels->kernels[i])
            clReleaseKernel(kernels->kernels[i]);
    if (kernels->program)
        clReleaseProgram(kernels->program);
    memset(kernels, 0, sizeof(*kernels));
}

/* An argument of a kernel; a list ends with size 0. */
struct argument {
    size_t size;
    const void *value;
};

#define ARGUMENT(x)                                                                                                    \
    {                                                                                                                  \
        sizeof(x), &(x)                                                                                                \
    }

static void enqueue(struct session *session, cl_kernel kernel, const struct argument *arguments, cl_uint dimensions,
                    const size_t *global, const char *name)
{
    for (cl_uint i = 0; arguments[i].size > 0 && !session->is_failed; i++)
        session_expect(session, clSetKernelArg(kernel, i, arguments[i].size, arguments[i].value), name);
    for (cl_uint i = 0; i < dimensions; i++)
        if (global[i] == 0)
            return;
    if (!session->is_failed)
        session_expect(session,
                       clEnqueueNDRangeKernel(session->queue, kernel, dimensions, NULL, global, NULL, 0, NULL, NULL),
                       name);
}

void train_gather(struct session *session, struct train_kernels *kernels, const struct train_rows *rows,
                  uint64_t length, clnorm_buffer src, clnorm_buffer dst)
{
    const size_t global[2] = {(size_t)length, (size_t)rows->count};
    const cl_ulong columns = length, first = rows->first;
    const struct argument arguments[] = {ARGUMENT(columns), ARGUMENT(first),   ARGUMENT(rows->order.mem),
                                         ARGUMENT(src.mem), ARGUMENT(dst.mem), {0, NULL}};

    enqueue(session, kernels->kernels[TRAIN_GATHER], arguments, 2, global, "gather_rows");
}

void train_softmax(struct session *session, struct train_kernels *kernels, const struct train_rows *rows,
                   uint64_t classes, float factor, clnorm_buffer logits, clnorm_buffer gradient,
                   const struct train_scores *scores)
{
    const size_t global = (size_t)rows->count;
    const cl_ulong columns = classes, first = rows->first;
    const cl_float times = factor;
    const struct argument arguments[] = {ARGUMENT(columns),
                                         ARGUMENT(times),
                                         ARGUMENT(first),
                                         ARGUMENT(rows->order.mem),
                                         ARGUMENT(scores->labels.mem),
                                         ARGUMENT(logits.mem),
                                         ARGUMENT(gradient.mem),
                                         ARGUMENT(scores->sums.mem),
                                         ARGUMENT(scores->margins.mem),
                                         ARGUMENT(scores->predicted.mem),
                                         {0, NULL}};

    enqueue(session, kernels->kernels[TRAIN_SOFTMAX], arguments, 1, &global, "softmax");
}

void train_descend(struct session *session, struct train_kernels *kernels, uint64_t count, float rate, float momentum,
                   clnorm_buffer gradient, clnorm_buffer velocity, clnorm_buffer parameter)
{
    const size_t global = (size_t)count;
    const cl_float by = rate, kept = momentum;
    const struct argument arguments[] = {ARGUMENT(by),           ARGUMENT(kept),          ARGUMENT(gradient.mem),
                                         ARGUMENT(velocity.mem), ARGUMENT(parameter.mem), {0, NULL}};

    enqueue(session, kernels->kernels[TRAIN_DESCEND], arguments, 1, &global, "descend");
}
