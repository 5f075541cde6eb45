/* SPDX-License-Identifier: Apache-2.0 */
/* A case of the conformance run on the device. */
#ifndef CLNORM_CLI_CHECK_DEVICE_H
#define CLNORM_CLI_CHECK_DEVICE_H

#include "cli/check/check_case.h"
#include "cli/session.h"

/* Buffers for the cases of one shape. */
struct check_buffers {
    clnorm_buffer src, diff_dst, residual, scale, shift, mean, variance;
    clnorm_buffer save_mean, save_mean_low, save_invstd, mask, dst; /* the model's, as inputs of backward */
    clnorm_buffer results[RESULT_COUNT];
    clnorm_buffer workspace;
    size_t workspace_bytes;
};

/* Makes the buffers for a shape after giving back those before. */
void check_make_buffers(struct session *session, struct check_buffers *buffers, const struct check_case *one);

/* Copies the inputs of a case. */
void check_upload(struct session *session, const struct check_buffers *buffers, const struct check_case *one);

/*
 * Runs an operation with a context, which shares the session's cl_context, and takes its results into values: numbers as binary32, and
 * the mask's words. Returns 1, 0 when the context's variant does not fit, or -1 on failure.
 */
int check_run(struct session *session, clnorm_context *context, struct check_buffers *buffers,
              const struct check_case *one, enum clnorm_operation operation, void *const *values);

#endif
