/* SPDX-License-Identifier: Apache-2.0 */
#include "device/buffers.h"

#include <stdio.h>

static int one_buffer(const clnorm_context *context, struct clnorm__use *u)
{
    cl_mem mem = u->buffer.mem, parent = NULL;
    cl_mem_object_type type;
    cl_context cl;
    size_t size, start = 0;
    cl_int e = clGetMemObjectInfo(mem, CL_MEM_TYPE, sizeof type, &type, NULL);
    if (e != CL_SUCCESS || type != CL_MEM_OBJECT_BUFFER)
        return CLNORM_INVALID_BUFFER;
    if (clGetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof cl, &cl, NULL) != CL_SUCCESS ||
        clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof size, &size, NULL) != CL_SUCCESS ||
        clGetMemObjectInfo(mem, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof parent, &parent, NULL) != CL_SUCCESS)
        return CLNORM_INVALID_BUFFER;
    if (parent && clGetMemObjectInfo(mem, CL_MEM_OFFSET, sizeof start, &start, NULL) != CL_SUCCESS)
        return CLNORM_INVALID_BUFFER;
    u->foreign = cl != context->cl;
    u->root = parent ? parent : mem;
    u->start_bytes = start;
    u->size_bytes = size;
    return CLNORM_SUCCESS;
}

int clnorm__buffer_facts(const clnorm_context *context, struct clnorm__uses *uses, char why[CLNORM__WHY])
{
    for (unsigned i = 0; i < uses->count; i++) {
        struct clnorm__use *u = &uses->use[i];
        if (!u->buffer.mem)
            continue;
        int status = one_buffer(context, u);
        if (status != CLNORM_SUCCESS) {
            snprintf(why, CLNORM__WHY, "%s is no OpenCL buffer; it is a cl_mem made by clCreateBuffer", u->name);
            return status;
        }
    }
    return CLNORM_SUCCESS;
}

int clnorm__queue_facts(const clnorm_context *context, cl_command_queue queue, int *ordered, char why[CLNORM__WHY])
{
    cl_context cl;
    cl_device_id device;
    cl_command_queue_properties properties;
    if (!queue) {
        snprintf(why, CLNORM__WHY, "queue is NULL; it is a command queue of the clnorm_context's device");
        return CLNORM_INVALID_QUEUE;
    }
    if (clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof cl, &cl, NULL) != CL_SUCCESS ||
        clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL) != CL_SUCCESS ||
        clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL) != CL_SUCCESS) {
        snprintf(why, CLNORM__WHY, "queue is no usable command queue");
        return CLNORM_INVALID_QUEUE;
    }
    if (cl != context->cl || device != context->device.info.device) {
        snprintf(why, CLNORM__WHY, "queue belongs to another %s than the clnorm_context's (%s)",
                 cl != context->cl ? "cl_context" : "device", context->device.info.name);
        return CLNORM_FOREIGN_QUEUE;
    }
    *ordered = !(properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    return CLNORM_SUCCESS;
}
