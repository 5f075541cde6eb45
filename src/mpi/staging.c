/* SPDX-License-Identifier: Apache-2.0 */
#include "mpi/staging.h"

#include <stdlib.h>

static void staging_free(struct clnorm__staging *s)
{
    if (s->written) {
        clWaitForEvents(1, &s->written);
        clReleaseEvent(s->written);
    }
    if (s->host) {
        clEnqueueUnmapMemObject(s->queue, s->mem, s->host, 0, NULL, NULL);
        clFinish(s->queue);
    }
    if (s->mem)
        clReleaseMemObject(s->mem);
    if (s->queue)
        clReleaseCommandQueue(s->queue);
    free(s);
}

/* Whether the device has read what was written last. */
static int is_idle(struct clnorm__staging *s)
{
    cl_int state = CL_COMPLETE;
    if (!s->written)
        return 1;
    if (clGetEventInfo(s->written, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL) == CL_SUCCESS &&
        state > CL_COMPLETE)
        return 0;
    clReleaseEvent(s->written);
    s->written = NULL;
    return 1;
}

static int staging_make(cl_command_queue queue, size_t bytes, struct clnorm__staging **made)
{
    struct clnorm__staging *s = calloc(1, sizeof *s);
    cl_context context;
    cl_int e = s ? CL_SUCCESS : CLNORM_OUT_OF_MEMORY;
    if (e == CL_SUCCESS)
        e = clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof context, &context, NULL);
    if (e == CL_SUCCESS)
        s->mem = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, bytes, NULL, &e);
    if (e == CL_SUCCESS)
        e = clRetainCommandQueue(queue);
    if (e == CL_SUCCESS) {
        s->queue = queue;
        s->bytes = bytes;
        s->host = clEnqueueMapBuffer(queue, s->mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, bytes, 0, NULL, NULL, &e);
    }
    if (e != CL_SUCCESS && s) {
        s->host = NULL;
        staging_free(s);
    }
    *made = e == CL_SUCCESS ? s : NULL;
    return e;
}

int clnorm__staging_take(clnorm_mpi *mpi, cl_command_queue queue, size_t bytes, struct clnorm__staging **taken)
{
    for (struct clnorm__staging **at = &mpi->stagings; *at; at = &(*at)->next) {
        struct clnorm__staging *s = *at;
        if (s->bytes < bytes || s->queue != queue || !is_idle(s))
            continue;
        *at = s->next;
        *taken = s;
        return CLNORM_SUCCESS;
    }
    return staging_make(queue, bytes > 4096 ? bytes : 4096, taken);
}

void clnorm__staging_give(clnorm_mpi *mpi, struct clnorm__staging *staging)
{
    if (!staging)
        return;
    staging->next = mpi->stagings;
    mpi->stagings = staging;
}

void clnorm__stagings_free(struct clnorm__staging *list)
{
    while (list) {
        struct clnorm__staging *next = list->next;
        staging_free(list);
        list = next;
    }
}
