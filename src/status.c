/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "clnorm.h"

#define OPENCL_STATUSES(X)                                                                                             \
    X(CL_DEVICE_NOT_FOUND, "OpenCL: no device found")                                                                  \
    X(CL_DEVICE_NOT_AVAILABLE, "OpenCL: device not available")                                                         \
    X(CL_COMPILER_NOT_AVAILABLE, "OpenCL: the device has no compiler")                                                 \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, "OpenCL: memory for a buffer could not be had")                                \
    X(CL_OUT_OF_RESOURCES, "OpenCL: out of resources on the device")                                                   \
    X(CL_OUT_OF_HOST_MEMORY, "OpenCL: out of host memory")                                                             \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, "OpenCL: no profiling information")                                             \
    X(CL_MEM_COPY_OVERLAP, "OpenCL: the source and destination of a copy overlap")                                     \
    X(CL_BUILD_PROGRAM_FAILURE, "OpenCL: a program does not build")                                                    \
    X(CL_MAP_FAILURE, "OpenCL: a buffer cannot be mapped")                                                             \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "OpenCL: an event of the wait list ended in an error")             \
    X(CL_INVALID_VALUE, "OpenCL: invalid value")                                                                       \
    X(CL_INVALID_DEVICE_TYPE, "OpenCL: invalid device type")                                                           \
    X(CL_INVALID_PLATFORM, "OpenCL: invalid platform")                                                                 \
    X(CL_INVALID_DEVICE, "OpenCL: invalid device")                                                                     \
    X(CL_INVALID_CONTEXT, "OpenCL: invalid context")                                                                   \
    X(CL_INVALID_COMMAND_QUEUE, "OpenCL: invalid command queue")                                                       \
    X(CL_INVALID_HOST_PTR, "OpenCL: invalid host pointer")                                                             \
    X(CL_INVALID_MEM_OBJECT, "OpenCL: invalid memory object")                                                          \
    X(CL_INVALID_BINARY, "OpenCL: invalid program binary")                                                             \
    X(CL_INVALID_BUILD_OPTIONS, "OpenCL: invalid build options")                                                       \
    X(CL_INVALID_PROGRAM, "OpenCL: invalid program")                                                                   \
    X(CL_INVALID_PROGRAM_EXECUTABLE, "OpenCL: the program is not built for the device")                                \
    X(CL_INVALID_KERNEL_NAME, "OpenCL: no kernel of that name")                                                        \
    X(CL_INVALID_KERNEL, "OpenCL: invalid kernel")                                                                     \
    X(CL_INVALID_ARG_INDEX, "OpenCL: invalid kernel argument index")                                                   \
    X(CL_INVALID_ARG_VALUE, "OpenCL: invalid kernel argument value")                                                   \
    X(CL_INVALID_ARG_SIZE, "OpenCL: invalid kernel argument size")                                                     \
    X(CL_INVALID_KERNEL_ARGS, "OpenCL: a kernel argument is not set")                                                  \
    X(CL_INVALID_WORK_DIMENSION, "OpenCL: invalid work dimension")                                                     \
    X(CL_INVALID_WORK_GROUP_SIZE, "OpenCL: invalid work-group size")                                                   \
    X(CL_INVALID_WORK_ITEM_SIZE, "OpenCL: invalid work-item size")                                                     \
    X(CL_INVALID_GLOBAL_OFFSET, "OpenCL: invalid global offset")                                                       \
    X(CL_INVALID_EVENT_WAIT_LIST, "OpenCL: invalid event wait list")                                                   \
    X(CL_INVALID_EVENT, "OpenCL: invalid event")                                                                       \
    X(CL_INVALID_OPERATION, "OpenCL: invalid operation")                                                               \
    X(CL_INVALID_BUFFER_SIZE, "OpenCL: invalid buffer size")                                                           \
    X(CL_INVALID_GLOBAL_WORK_SIZE, "OpenCL: invalid global work size")                                                 \
    X(CL_INVALID_PROPERTY, "OpenCL: invalid property")                                                                 \
    X(-1001, "OpenCL: no platform is installed")

const char *clnorm_status_string(int status)
{
    switch (status) {
#define STATUS_CASE(name, value, text)                                                                                 \
    case name:                                                                                                         \
        return text;
        CLNORM_STATUSES(STATUS_CASE)
#define OPENCL_CASE(name, text)                                                                                        \
    case name:                                                                                                         \
        return text;
        OPENCL_STATUSES(OPENCL_CASE)
#define BLAS_CASE(name, value, text)                                                                                   \
    case value:                                                                                                        \
        return text;
        CLNORM__BLAS_STATUSES(BLAS_CASE)
    default:
        return "unknown status";
    }
}

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *clnorm_version(void)
{
    return TEXT(CLNORM_VERSION_MAJOR) "." TEXT(CLNORM_VERSION_MINOR) "." TEXT(CLNORM_VERSION_PATCH);
}
