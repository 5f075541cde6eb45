/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls that make a context, release it and tell of it. */
#include <stdlib.h>
#include <string.h>

#include "device/cache.h"
#include "device/device.h"
#include "device/kernel.h"
#include "device/probe.h"
#include "device/stored_tuning.h"
#include "plan/tuning.h"

/* The device to work on: the one asked for, checked against the caller's cl_context, or one that is picked. */
static int choose_device(clnorm_context *context, cl_context cl, cl_device_id *device)
{
    cl_device_id devices[64];
    size_t bytes = 0;
    if (!cl) {
        clnorm_device_info info;
        if (*device)
            return CLNORM_SUCCESS;
        int status = clnorm_find_device(NULL, &info, NULL);
        if (status == CLNORM_SUCCESS)
            *device = info.device;
        else
            clnorm__log(context, CLNORM_LOG_ERROR, "no OpenCL device fits CLNORM_DEVICE=%s",
                        getenv("CLNORM_DEVICE") ? getenv("CLNORM_DEVICE") : "");
        return status;
    }
    cl_int e = clGetContextInfo(cl, CL_CONTEXT_DEVICES, sizeof devices, devices, &bytes);
    if (e != CL_SUCCESS)
        return e;
    size_t count = bytes / sizeof *devices;
    if (!*device && count == 1)
        *device = devices[0];
    for (size_t i = 0; i < count; i++)
        if (devices[i] == *device)
            return CLNORM_SUCCESS;
    clnorm__log(context, CLNORM_LOG_ERROR,
                *device ? "the device is not among the %u devices of the cl_context"
                        : "device is NULL and the cl_context has %u devices; name one of them",
                (unsigned)count);
    return CLNORM_INVALID_DEVICE;
}

static char *copy_path(const char *option, const char *variable)
{
    const char *path = option ? option : getenv(variable);
    if (!path || !*path)
        return NULL;
    char *copied = malloc(strlen(path) + 1);
    return copied ? strcpy(copied, path) : NULL;
}

static int read_options(clnorm_context *context, const clnorm_context_options *options)
{
    clnorm_context_options o = {0};
    if (options)
        o = *options;
    context->log = o.log;
    context->log_user = o.log_user;
    context->cache_dir = clnorm__cache_folder(o.cache_dir);
    context->kernel_dir = copy_path(o.kernel_dir, "CLNORM_KERNEL_DIR");
    const char *names = o.variants ? o.variants : getenv("CLNORM_VARIANT");
    const char *unknown = clnorm__filter_read(names, &context->filter);
    if (unknown) {
        clnorm__log(context, CLNORM_LOG_ERROR, "there is no kernel variant %.40s; clnorm_variant_name lists them",
                    unknown);
        return CLNORM_NO_VARIANT;
    }
    return CLNORM_SUCCESS;
}

static void warn(void *user, const char *why)
{
    clnorm__log(user, CLNORM_LOG_WARNING, "%s", why);
}

/* After the device is known. A text that is missing or bad is no reason to fail: there are defaults. */
static int read_tuning(clnorm_context *context, const char *option)
{
    const char *given = option ? option : getenv("CLNORM_TUNING");
    const char *source = option ? "the context's options" : "CLNORM_TUNING";
    if (context->cache_dir) {
        context->tuning_file = clnorm__tuning_path(context->cache_dir, &context->device);
        if (!context->tuning_file)
            return CLNORM_OUT_OF_MEMORY;
    }
    if (!given && context->cache_dir) {
        source = context->tuning_file;
        context->tuning = clnorm__tuning_load(context->cache_dir, &context->device);
    }
    if (!context->tuning) {
        context->tuning = malloc(strlen(given ? given : "") + 1);
        if (!context->tuning)
            return CLNORM_OUT_OF_MEMORY;
        strcpy(context->tuning, given ? given : "");
    }
    if (*context->tuning)
        clnorm__log(context, CLNORM_LOG_INFO, "tuning from %s: %s", source, context->tuning);
    clnorm__tuning_read(context->tuning, &context->device.tuning, &context->filter, warn, context);
    return CLNORM_SUCCESS;
}

static int open_context(clnorm_context *context, cl_context cl, cl_device_id device)
{
    int status = choose_device(context, cl, &device);
    if (status == CLNORM_SUCCESS)
        status = clnorm__device_read(device, &context->device);
    if (status != CLNORM_SUCCESS)
        return status;
    context->gemm = clnorm__gemm_kernel(&context->device);
    if (cl) {
        status = clRetainContext(cl);
        context->cl = status == CL_SUCCESS ? cl : NULL;
        return status;
    }
    cl_int e;
    context->cl = clCreateContext(NULL, 1, &device, NULL, NULL, &e);
    return e;
}

static void free_context(clnorm_context *context)
{
    clnorm__built_free(context->programs);
    if (context->cl)
        clReleaseContext(context->cl);
    pthread_mutex_destroy(&context->lock);
    free(context->cache_dir);
    free(context->kernel_dir);
    free(context->tuning);
    free(context->tuning_file);
    free(context);
}

int clnorm_create_context(cl_context cl, cl_device_id device, const clnorm_context_options *options,
                          clnorm_context **context)
{
    if (!context)
        return CLNORM_INVALID_ARGUMENT;
    *context = NULL;
    clnorm_context *made = calloc(1, sizeof *made);
    if (!made)
        return CLNORM_OUT_OF_MEMORY;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return CLNORM_OUT_OF_MEMORY;
    }
    const enum clnorm_bits least = options ? options->least_bits : CLNORM_BITS_NONE;
    int status = least > CLNORM_BITS_SAME ? CLNORM_INVALID_ENUM : read_options(made, options);
    if (status == CLNORM_SUCCESS)
        status = open_context(made, cl, device);
    if (status == CLNORM_SUCCESS)
        status = read_tuning(made, options ? options->tuning : NULL);
    if (status == CLNORM_SUCCESS)
        made->device.info.bits = clnorm__probe_device(made);
    if (status == CLNORM_SUCCESS && made->device.info.bits < least) {
        clnorm__log(made, CLNORM_LOG_ERROR, "%s: %s", made->device.info.name, clnorm_status_string(CLNORM_DEVICE_BITS));
        status = CLNORM_DEVICE_BITS;
    }
    if (status == CLNORM_SUCCESS && made->device.info.bits == CLNORM_BITS_NONE)
        clnorm__log(made, CLNORM_LOG_WARNING, "%s cannot promise the same bits as other devices",
                    made->device.info.name);
    if (status != CLNORM_SUCCESS) {
        free_context(made);
        return status;
    }
    *context = made;
    return CLNORM_SUCCESS;
}

int clnorm_release_context(clnorm_context **context)
{
    if (!context || !*context)
        return CLNORM_INVALID_CONTEXT;
    free_context(*context);
    *context = NULL;
    return CLNORM_SUCCESS;
}

int clnorm_get_cl_context(const clnorm_context *context, cl_context *cl)
{
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!cl)
        return CLNORM_INVALID_ARGUMENT;
    *cl = context->cl;
    return CLNORM_SUCCESS;
}

int clnorm_get_device(const clnorm_context *context, clnorm_device_info *info)
{
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!info)
        return CLNORM_INVALID_ARGUMENT;
    *info = context->device.info;
    return CLNORM_SUCCESS;
}
