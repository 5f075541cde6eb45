/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include "cli/message.h"
#include "cli/no_device.h"

#include <stdlib.h>
#include <string.h>

static void show_message(void *user, enum clnorm_log_level level, const char *message)
{
    const int *is_verbose = user;

    if (level == CLNORM_LOG_ERROR || *is_verbose)
        complain("%s", message);
}

clnorm_context_options session_options(int is_verbose)
{
    static int quiet = 0, verbose = 1;
    clnorm_context_options options = {.log = show_message, .log_user = is_verbose ? &verbose : &quiet};

    return options;
}

const char *promise_text(enum clnorm_bits bits)
{
    switch (bits) {
    case CLNORM_BITS_SAME:
        return "same bits";
    case CLNORM_BITS_SAME_NORMAL:
        return "same bits except where subnormals arise";
    default:
        return "no promise";
    }
}

void session_expect(struct session *session, int status, const char *what)
{
    if (status == CLNORM_SUCCESS || session->is_failed)
        return;
    session->is_failed = 1;
    complain("%s: %s (status %d)", what, clnorm_status_string(status), status);
}

static int no_device(const char *selector, int status)
{
    const char *variable = getenv("CLNORM_DEVICE");
    size_t count = 0;

    if (status == CLNORM_NO_DEVICE && clnorm_list_devices(0, NULL, &count) == CLNORM_SUCCESS && count == 0)
        complain_no_device();
    else if (status != CLNORM_NO_DEVICE)
        complain("cannot look for devices: %s (status %d)", clnorm_status_string(status), status);
    else if (selector)
        complain("--device '%s': no such device; expected a number or part of a name from `clnorm devices`", selector);
    else if (variable && variable[0])
        complain("CLNORM_DEVICE is '%s': no such device; expected a number or part of a name from `clnorm devices`",
                 variable);
    else
        complain("no device: %s (status %d)", clnorm_status_string(status), status);
    return -1;
}

int session_open(struct session *session, const char *selector, int is_verbose)
{
    clnorm_context_options options = session_options(is_verbose);
    int status;

    memset(session, 0, sizeof(*session));
    status = clnorm_find_device(selector, &session->info, &session->device_index);
    if (status != CLNORM_SUCCESS)
        return no_device(selector, status);
    if (is_verbose)
        complain("device %zu: %s, %s, %s, %s", session->device_index, session->info.platform_name, session->info.name,
                 session->info.driver, promise_text(session->info.bits));
    session_expect(session, clnorm_create_context(NULL, session->info.device, &options, &session->context),
                   session->info.name);
    if (!session->is_failed)
        session_expect(session, clnorm_get_cl_context(session->context, &session->cl), session->info.name);
    session->word = session->info.bits;
    if (!session->is_failed) /* its bits are now what the context found out */
        session_expect(session, clnorm_get_device(session->context, &session->info), session->info.name);
    if (!session->is_failed) {
        session->queue = clCreateCommandQueue(session->cl, session->info.device, 0, &status);
        session_expect(session, status, "cannot make a command queue");
    }
    if (session->is_failed)
        session_close(session);
    return session->is_failed ? -1 : 0;
}

void session_release_buffers(struct session *session)
{
    for (unsigned i = 0; i < session->buffer_count; i++)
        clReleaseMemObject(session->buffers[i]);
    session->buffer_count = 0;
}

void session_close(struct session *session)
{
    if (session->queue) {
        clFinish(session->queue);
        clReleaseCommandQueue(session->queue);
    }
    session_release_buffers(session);
    if (session->context)
        clnorm_release_context(&session->context);
    session->queue = NULL;
}

static clnorm_buffer make_buffer(struct session *session, uint64_t bytes)
{
    clnorm_buffer buffer = {NULL, 0};
    cl_int status = CL_SUCCESS;

    if (session->is_failed)
        return buffer;
    if (session->buffer_count == SESSION_BUFFERS)
        status = CLNORM_INTERNAL;
    else if (bytes > SIZE_MAX)
        status = CLNORM_SIZE_OVERFLOW;
    else
        /* OpenCL knows no empty buffer, but a tensor of no samples is one. */
        buffer.mem = clCreateBuffer(session->cl, CL_MEM_READ_WRITE, bytes ? (size_t)bytes : 4, NULL, &status);
    if (status != CL_SUCCESS) {
        session->is_failed = 1;
        complain("cannot make a buffer of %llu bytes on %s: %s (status %d)", (unsigned long long)bytes,
                 session->info.name, clnorm_status_string(status), (int)status);
    } else {
        session->buffers[session->buffer_count++] = buffer.mem;
    }
    return buffer;
}

clnorm_buffer session_buffer(struct session *session, const void *values, uint64_t count)
{
    return session_tensor(session, CLNORM_FLOAT32, values, count);
}

clnorm_buffer session_tensor(struct session *session, enum clnorm_type type, const void *values, uint64_t count)
{
    size_t size = clnorm_type_bytes(type);
    clnorm_buffer buffer = make_buffer(session, count * size);

    if (values)
        session_upload_sized(session, buffer, size, values, count);
    return buffer;
}

clnorm_buffer session_workspace(struct session *session, enum clnorm_operation operation, const clnorm_desc *desc)
{
    size_t bytes = 0;

    if (!session->is_failed)
        session_expect(session, clnorm_get_workspace_bytes(session->context, operation, desc, &bytes),
                       "cannot tell the size of the workspace");
    return make_buffer(session, bytes);
}

void session_upload(struct session *session, clnorm_buffer buffer, const void *values, uint64_t count)
{
    session_upload_sized(session, buffer, sizeof(float), values, count);
}

void session_download(struct session *session, clnorm_buffer buffer, void *values, uint64_t count)
{
    session_download_sized(session, buffer, sizeof(float), values, count);
}

void session_upload_sized(struct session *session, clnorm_buffer buffer, size_t size, const void *values,
                          uint64_t count)
{
    if (session->is_failed || count == 0)
        return;
    session_expect(session,
                   clEnqueueWriteBuffer(session->queue, buffer.mem, CL_TRUE, (size_t)buffer.offset * size,
                                        (size_t)count * size, values, 0, NULL, NULL),
                   "cannot copy to the device");
}

void session_download_sized(struct session *session, clnorm_buffer buffer, size_t size, void *values, uint64_t count)
{
    if (session->is_failed)
        return;
    session_expect(session, clFinish(session->queue), "the device failed");
    if (session->is_failed || count == 0)
        return;
    session_expect(session,
                   clEnqueueReadBuffer(session->queue, buffer.mem, CL_TRUE, (size_t)buffer.offset * size,
                                       (size_t)count * size, values, 0, NULL, NULL),
                   "cannot copy from the device");
}
