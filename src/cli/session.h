/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One command's device, queue and buffers. A failure is told once, by a message, and remembered: the calls after it do
 * nothing, so that a command may look at is_failed at its end only.
 */
#ifndef CLNORM_CLI_SESSION_H
#define CLNORM_CLI_SESSION_H

#include "clnorm.h"

enum { SESSION_BUFFERS = 96 };

struct session {
    clnorm_context *context;
    clnorm_device_info info; /* bits: what the context found out */
    enum clnorm_bits word;   /* what the driver says of them */
    size_t device_index;
    cl_context cl; /* the context's own */
    cl_command_queue queue;
    cl_mem buffers[SESSION_BUFFERS];
    unsigned buffer_count;
    int is_failed;
};

/* Finds the device (selector as in clnorm_find_device) and makes a context and a queue on it. Returns 0 or -1. */
int session_open(struct session *session, const char *selector, int is_verbose);
void session_close(struct session *session);

/* Options of a context that tells its errors, or with is_verbose all it has to say. */
clnorm_context_options session_options(int is_verbose);

/* Gives back all buffers, so that other work can begin. */
void session_release_buffers(struct session *session);

/* What a device can promise, in the words of `clnorm devices`. */
const char *promise_text(enum clnorm_bits bits);

/* A buffer of count values of 4 bytes, from values unless that is NULL. It lives until the session ends. */
clnorm_buffer session_buffer(struct session *session, const void *values, uint64_t count);
clnorm_buffer session_workspace(struct session *session, enum clnorm_operation operation, const clnorm_desc *desc);

/* The same for count elements of a tensor of this type. */
clnorm_buffer session_tensor(struct session *session, enum clnorm_type type, const void *values, uint64_t count);

void session_upload(struct session *session, clnorm_buffer buffer, const void *values, uint64_t count);

/* Waits for the queue and copies count values. */
void session_download(struct session *session, clnorm_buffer buffer, void *values, uint64_t count);

/* Both for elements of so many bytes. */
void session_upload_sized(struct session *session, clnorm_buffer buffer, size_t size, const void *values,
                          uint64_t count);
void session_download_sized(struct session *session, clnorm_buffer buffer, size_t size, void *values, uint64_t count);

/* Remembers and tells a status that is not success; what names the work. */
void session_expect(struct session *session, int status, const char *what);

#endif
