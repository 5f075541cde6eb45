/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check/check_device.h"

#include "half.h"

#include <stdlib.h>

static size_t element_bytes(const struct check_case *one, enum check_result result)
{
    return check_result_rows[result].extent == EXTENT_TENSOR ? clnorm_type_bytes(one->desc.type) : sizeof(float);
}

static clnorm_buffer make_tensor(struct session *session, const struct check_case *one)
{
    return session_tensor(session, one->desc.type, NULL, one->tensor_count);
}

/* Numbers of the tensors' type, which values hold as binary32. */
static void upload_tensor(struct session *session, clnorm_buffer buffer, const struct check_case *one,
                          const float *values)
{
    uint16_t *halves;

    if (one->desc.type == CLNORM_FLOAT32) {
        session_upload(session, buffer, values, one->tensor_count);
        return;
    }
    halves = malloc(one->tensor_count * sizeof(*halves));
    session_expect(session, halves ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot copy to the device");
    for (size_t i = 0; i < one->tensor_count && halves; i++)
        halves[i] = half_narrow(one->desc.type, values[i]);
    session_upload_sized(session, buffer, sizeof(*halves), halves, one->tensor_count);
    free(halves);
}

static void download_tensor(struct session *session, clnorm_buffer buffer, const struct check_case *one, float *values)
{
    uint16_t *halves;

    if (one->desc.type == CLNORM_FLOAT32) {
        session_download(session, buffer, values, one->tensor_count);
        return;
    }
    halves = malloc(one->tensor_count * sizeof(*halves));
    session_expect(session, halves ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot copy from the device");
    session_download_sized(session, buffer, sizeof(*halves), halves, one->tensor_count);
    for (size_t i = 0; i < one->tensor_count && halves && !session->is_failed; i++)
        values[i] = half_widen(one->desc.type, halves[i]);
    free(halves);
}

void check_make_buffers(struct session *session, struct check_buffers *buffers, const struct check_case *one)
{
    struct check_buffers none = {0};

    session_release_buffers(session);
    *buffers = none;
    buffers->src = make_tensor(session, one);
    buffers->diff_dst = make_tensor(session, one);
    if (one->residual)
        buffers->residual = make_tensor(session, one);
    if (one->mask) {
        buffers->mask = session_buffer(session, NULL, check_case_count(one, RESULT_MASK));
        buffers->dst = make_tensor(session, one);
    }
    buffers->scale = session_buffer(session, NULL, one->vector_count);
    buffers->shift = session_buffer(session, NULL, one->vector_count);
    buffers->mean = session_buffer(session, NULL, one->vector_count);
    buffers->variance = session_buffer(session, NULL, one->vector_count);
    buffers->save_mean = session_buffer(session, NULL, one->vector_count);
    buffers->save_mean_low = session_buffer(session, NULL, one->vector_count);
    buffers->save_invstd = session_buffer(session, NULL, one->vector_count);
    for (unsigned r = 0; r < RESULT_COUNT; r++)
        if (check_case_count(one, r) > 0)
            buffers->results[r] = check_result_rows[r].extent == EXTENT_TENSOR
                                      ? make_tensor(session, one)
                                      : session_buffer(session, NULL, check_case_count(one, r));
}

void check_upload(struct session *session, const struct check_buffers *buffers, const struct check_case *one)
{
    upload_tensor(session, buffers->src, one, one->src);
    upload_tensor(session, buffers->diff_dst, one, one->diff_dst);
    if (one->residual)
        upload_tensor(session, buffers->residual, one, one->residual);
    if (one->mask) {
        session_upload(session, buffers->mask, one->mask, check_case_count(one, RESULT_MASK));
        upload_tensor(session, buffers->dst, one, one->model[RESULT_INFERENCE_DST]);
    }
    session_upload(session, buffers->scale, one->scale, one->vector_count);
    session_upload(session, buffers->shift, one->shift, one->vector_count);
    session_upload(session, buffers->mean, one->mean, one->vector_count);
    session_upload(session, buffers->variance, one->variance, one->vector_count);
    session_upload(session, buffers->save_mean, one->model[RESULT_SAVE_MEAN], one->vector_count);
    session_upload(session, buffers->save_mean_low, one->model[RESULT_SAVE_MEAN_LOW], one->vector_count);
    session_upload(session, buffers->save_invstd, one->model[RESULT_SAVE_INVSTD], one->vector_count);
}

/* Results start as a value that no case gives, so that one that is not written shows. */
static void poison(struct session *session, const struct check_buffers *buffers, const struct check_case *one,
                   enum clnorm_operation operation)
{
    const float value = 12345.678f;
    const uint16_t half = 0x7235; /* 13224 of binary16, about 3.6e30 of bfloat16 */

    for (unsigned r = 0; r < RESULT_COUNT && !session->is_failed; r++) {
        const size_t size = element_bytes(one, r);
        const void *pattern = size == sizeof(half) ? (const void *)&half : (const void *)&value;

        if (check_result_rows[r].operation == operation && buffers->results[r].mem)
            session_expect(session,
                           clEnqueueFillBuffer(session->queue, buffers->results[r].mem, pattern, size, 0,
                                               check_case_count(one, r) * size, 0, NULL, NULL),
                           "cannot fill a buffer");
    }
    if (operation == CLNORM_FORWARD_TRAINING) {
        session_upload(session, buffers->results[RESULT_RUNNING_MEAN], one->running_mean, one->vector_count);
        session_upload(session, buffers->results[RESULT_RUNNING_VARIANCE], one->running_variance, one->vector_count);
    }
}

static int enqueue_forward(struct session *session, clnorm_context *context, const struct check_buffers *b,
                           const struct check_case *one, enum clnorm_operation operation)
{
    clnorm_forward_training_args training = {
        .src = b->src,
        .dst = b->results[RESULT_DST],
        .scale = b->scale,
        .shift = b->shift,
        .running_mean = b->results[RESULT_RUNNING_MEAN],
        .running_variance = b->results[RESULT_RUNNING_VARIANCE],
        .save_mean = b->results[RESULT_SAVE_MEAN],
        .save_mean_low = b->results[RESULT_SAVE_MEAN_LOW],
        .save_invstd = b->results[RESULT_SAVE_INVSTD],
        .save_variance = b->results[RESULT_SAVE_VARIANCE],
        .workspace = b->workspace,
        .momentum = one->momentum,
        .running_flags = CLNORM_RUNNING_UNBIASED,
        .residual = b->residual,
        .mask = b->results[RESULT_MASK],
    };
    clnorm_forward_inference_args inference = {
        .src = b->src,
        .dst = b->results[RESULT_INFERENCE_DST],
        .scale = b->scale,
        .shift = b->shift,
        .mean = b->mean,
        .variance = b->variance,
        .workspace = b->workspace,
        .residual = b->residual,
    };

    if (operation == CLNORM_FORWARD_TRAINING)
        return clnorm_forward_training(context, session->queue, &one->desc, &training, 0, NULL, NULL);
    return clnorm_forward_inference(context, session->queue, &one->desc, &inference, 0, NULL, NULL);
}

static int enqueue_backward(struct session *session, clnorm_context *context, const struct check_buffers *b,
                            const struct check_case *one, enum clnorm_operation operation)
{
    clnorm_backward_training_args training = {
        .src = b->src,
        .diff_dst = b->diff_dst,
        .scale = b->scale,
        .save_mean = b->save_mean,
        .save_mean_low = b->save_mean_low,
        .save_invstd = b->save_invstd,
        .diff_src = b->results[RESULT_DIFF_SRC],
        .diff_scale = b->results[RESULT_DIFF_SCALE],
        .diff_shift = b->results[RESULT_DIFF_SHIFT],
        .workspace = b->workspace,
        .mask = b->mask,
        .diff_residual = b->results[RESULT_DIFF_RESIDUAL],
    };
    clnorm_backward_frozen_args frozen = {
        .src = b->src,
        .diff_dst = b->diff_dst,
        .scale = b->scale,
        .mean = b->mean,
        .variance = b->variance,
        .diff_src = b->results[RESULT_FROZEN_DIFF_SRC],
        .diff_scale = b->results[RESULT_FROZEN_DIFF_SCALE],
        .diff_shift = b->results[RESULT_FROZEN_DIFF_SHIFT],
        .workspace = b->workspace,
        .dst = b->dst,
        .diff_residual = b->results[RESULT_FROZEN_DIFF_RESIDUAL],
    };

    if (operation == CLNORM_BACKWARD_TRAINING)
        return clnorm_backward_training(context, session->queue, &one->desc, &training, 0, NULL, NULL);
    return clnorm_backward_frozen(context, session->queue, &one->desc, &frozen, 0, NULL, NULL);
}

int check_run(struct session *session, clnorm_context *context, struct check_buffers *buffers,
              const struct check_case *one, enum clnorm_operation operation, void *const *values)
{
    size_t bytes = 0;
    int status = clnorm_get_workspace_bytes(context, operation, &one->desc, &bytes);

    if (status == CLNORM_SUCCESS && (bytes > buffers->workspace_bytes || !buffers->workspace.mem)) {
        buffers->workspace = session_buffer(session, NULL, (bytes + 3) / 4);
        buffers->workspace_bytes = bytes;
    }
    if (status == CLNORM_SUCCESS) {
        poison(session, buffers, one, operation);
        if (session->is_failed)
            return -1;
        status = operation <= CLNORM_FORWARD_INFERENCE ? enqueue_forward(session, context, buffers, one, operation)
                                                       : enqueue_backward(session, context, buffers, one, operation);
    }
    if (status == CLNORM_NO_VARIANT)
        return 0;
    session_expect(session, status, check_operation_name(operation));
    for (unsigned r = 0; r < RESULT_COUNT; r++) {
        if (check_result_rows[r].operation != operation || !buffers->results[r].mem)
            continue;
        if (check_result_rows[r].extent == EXTENT_TENSOR)
            download_tensor(session, buffers->results[r], one, values[r]);
        else
            session_download(session, buffers->results[r], values[r], check_case_count(one, r));
    }
    return session->is_failed ? -1 : 1;
}
