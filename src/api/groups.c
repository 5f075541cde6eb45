/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of groups of samples: a call of several parts. */
#include "api/call.h"

static clnorm_buffer moved(clnorm_buffer buffer, uint64_t elements)
{
    buffer.offset += elements;
    return buffer;
}

int clnorm__call_run_step(struct call *call, const struct clnorm__stream *whole, int is_last, cl_event *before,
                          struct clnorm__plan *plan)
{
    cl_event done = NULL;
    call->stream = *whole;
    if (*before) {
        call->stream.wait_count = 1;
        call->stream.wait_list = before;
    }
    call->stream.event = is_last ? whole->event : whole->ordered ? NULL : &done;
    const int status = clnorm__call_run_part(call, plan);
    if (*before)
        clReleaseEvent(*before);
    *before = done;
    return status;
}

/* The last group, which has fewer samples: its tensors and its statistics lie behind those of the others. */
static void move_to_rest(struct clnorm__buffers *b, uint64_t samples, uint64_t statistics, uint64_t channels)
{
    clnorm_buffer *const tensors[] = {&b->src, &b->diff_dst, &b->dst, &b->residual, &b->gate};
    const uint64_t sample[] = {b->views.src.n, b->views.diff_dst.n, b->views.dst.n, b->views.residual.n,
                               b->views.gate.n};
    clnorm_buffer *const vectors[] = {&b->mean, &b->mean_low, &b->spread, &b->variance};
    clnorm_buffer *const sums[] = {&b->diff_scale, &b->diff_shift};
    for (unsigned i = 0; i < sizeof tensors / sizeof *tensors; i++)
        *tensors[i] = moved(*tensors[i], samples * sample[i]);
    for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = moved(*vectors[i], statistics);
    for (unsigned i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] = moved(*sums[i], channels);
    b->first += samples * b->views.channels * b->views.positions;
}

/*
 * What a group's launches write of what is joined afterwards goes to the workspace: gradients of scale and shift; mean and variance, unless
 * the caller wants them. Returns whether there is something to join, and in *joined how.
 */
static int set_apart(struct call *call, uint64_t groups, uint64_t groups_at, struct call *joined)
{
    struct clnorm__buffers *b = &call->buffers;
    const unsigned running = CLNORM_HAS_RUNNING_MEAN | CLNORM_HAS_RUNNING_VARIANCE;
    const unsigned sums = CLNORM_HAS_DIFF_SCALE | CLNORM_HAS_DIFF_SHIFT;
    const unsigned added = CLNORM_ADD_DIFF_SCALE | CLNORM_ADD_DIFF_SHIFT;
    const clnorm_buffer first = moved(b->workspace, groups_at), second = moved(first, groups * call->desc->c);
    const int is_backward = call->ask.operation == CLNORM_BACKWARD_TRAINING;
    *joined = *call;
    joined->buffers.groups = groups;
    if (is_backward) {
        joined->buffers.scale = b->diff_scale.mem ? first : b->diff_scale;
        joined->buffers.shift = b->diff_shift.mem ? second : b->diff_shift;
        b->diff_scale = joined->buffers.scale;
        b->diff_shift = joined->buffers.shift;
        call->finish.flags &= ~added;
        return (call->finish.flags & sums) != 0;
    }
    if (!(call->finish.flags & running))
        return 0;
    if (!b->mean.mem)
        b->mean = first;
    if (!b->variance.mem)
        b->variance = second;
    joined->buffers.mean = b->mean;
    joined->buffers.variance = b->variance;
    call->finish.flags = (call->finish.flags & ~running) | CLNORM_HAS_SAVE_MEAN | CLNORM_HAS_SAVE_VARIANCE;
    return 1;
}

int clnorm__call_run_groups(struct call *call, const struct division *d, struct clnorm__plan plans[2],
                            uint64_t groups_at)
{
    const struct clnorm__stream whole = call->stream;
    const uint64_t channels = call->desc->c;
    const int is_biased = call->finish.running_factor > 0;
    struct clnorm__plan join;
    struct call joined;
    cl_event before = NULL;
    const int is_joined = set_apart(call, clnorm__groups_of(d), groups_at, &joined);
    int status = CLNORM_SUCCESS;
    if (is_joined)
        status = clnorm__plan_join(clnorm__call_joined(call), call->ask.operation == CLNORM_BACKWARD_TRAINING,
                                   &call->context->device, &call->filter, &join, call->why, sizeof call->why);
    joined.finish.running_factor = is_biased ? 1.0f : plans[0].unbias;
    joined.buffers.last_factor = is_biased ? 1.0f : plans[1].unbias;
    clnorm__call_part(call, d, 0);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_run_step(call, &whole, !d->rest && !is_joined, &before, &plans[0]);
    if (status == CLNORM_SUCCESS && d->rest) {
        move_to_rest(&call->buffers, d->equal * d->each, d->equal * (channels / clnorm__channel_group(call->desc)),
                     d->equal * channels);
        clnorm__call_part(call, d, 1);
        status = clnorm__call_run_step(call, &whole, !is_joined, &before, &plans[1]);
    }
    if (status == CLNORM_SUCCESS && is_joined)
        status = clnorm__call_run_step(&joined, &whole, 1, &before, &join);
    if (before)
        clReleaseEvent(before);
    return status;
}

int clnorm__call_prepare(struct call *call, const struct division *d, struct clnorm__plan plans[2])
{
    struct clnorm__plan join;
    clnorm__call_part(call, d, 0);
    int status = clnorm__call_run(call, &plans[0]);
    if (status == CLNORM_SUCCESS && d->rest) {
        clnorm__call_part(call, d, 1);
        status = clnorm__call_run(call, &plans[1]);
    }
    if (status != CLNORM_SUCCESS || clnorm__groups_of(d) == 1)
        return status;
    status = clnorm__plan_join(clnorm__call_joined(call), call->ask.operation == CLNORM_BACKWARD_TRAINING,
                               &call->context->device, &call->filter, &join, call->why, sizeof call->why);
    return status == CLNORM_SUCCESS ? clnorm__call_run(call, &join) : status;
}
