/* SPDX-License-Identifier: Apache-2.0 */
#include "device/kernel.h"

#include <stdlib.h>

#include "device/program.h"

int clnorm__kernel_take(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                        struct clnorm__kernel *kernel)
{
    cl_kernel taken = NULL;
    cl_int e = CL_SUCCESS;
    struct clnorm__built *built;
    *kernel = (struct clnorm__kernel){0};
    int status = clnorm__program_get(context, variant, form, &built);
    if (status != CLNORM_SUCCESS)
        return status;
    pthread_mutex_lock(&context->lock);
    if (built->spares > 0)
        taken = built->spare[--built->spares];
    pthread_mutex_unlock(&context->lock);
    if (!taken)
        taken = clCreateKernel(built->program, variant->entry, &e);
    if (e == CL_SUCCESS)
        *kernel = (struct clnorm__kernel){.kernel = taken, .built = built};
    return e;
}

void clnorm__kernel_give(clnorm_context *context, struct clnorm__kernel *kernel)
{
    struct clnorm__built *built = kernel->built;
    cl_kernel given = kernel->kernel;
    const uint32_t buffers = kernel->buffers;
    *kernel = (struct clnorm__kernel){0};
    if (!given)
        return;
    /* A kernel should not hold its arguments' memory; Mesa's do. */
    for (cl_uint i = 0; i < 32 && buffers >> i; i++)
        if (buffers >> i & 1)
            clSetKernelArg(given, i, sizeof(cl_mem), NULL);
    pthread_mutex_lock(&context->lock);
    if (built->spares < CLNORM__SPARE_KERNELS) {
        built->spare[built->spares++] = given;
        given = NULL;
    }
    pthread_mutex_unlock(&context->lock);
    if (given)
        clReleaseKernel(given);
}

void clnorm__built_free(struct clnorm__built *list)
{
    while (list) {
        struct clnorm__built *next = list->next;
        for (unsigned i = 0; i < list->spares; i++)
            clReleaseKernel(list->spare[i]);
        if (list->program)
            clReleaseProgram(list->program);
        free(list);
        list = next;
    }
}
