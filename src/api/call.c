/* SPDX-License-Identifier: Apache-2.0 */
#include "api/call.h"

#include <stdio.h>
#include <string.h>

#include "device/buffers.h"
#include "plan/leaves.h"

struct division clnorm__divide(const clnorm_desc *desc, enum clnorm_operation operation)
{
    const int has_groups = operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_BACKWARD_TRAINING;
    struct division d = {1, desc->n, 0};
    if (!has_groups || desc->group_samples == 0 || desc->n == 0)
        return d;
    d.each = desc->group_samples;
    d.equal = desc->n / d.each;
    d.rest = desc->n % d.each;
    return d;
}

uint64_t clnorm__groups_of(const struct division *d)
{
    return d->equal + (d->rest > 0);
}

int clnorm__call_refused(const struct call *call, int status)
{
    clnorm__log(call->context, CLNORM_LOG_ERROR, "%s", call->why[0] ? call->why : clnorm_status_string(status));
    return status;
}

/* What does not depend on the operation; on success the call may be filled in. */
int clnorm__call_begin(struct call *call, clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                       const void *args, enum clnorm_operation operation)
{
    memset(call, 0, sizeof *call);
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    call->context = context;
    call->desc = desc;
    call->ask.operation = operation;
    call->samples = desc ? desc->n : 0;
    call->stream.queue = queue;
    int status = clnorm__check_desc(desc, call->why);
    if (status == CLNORM_SUCCESS && !args) {
        snprintf(call->why, sizeof call->why, "args is NULL; it names the buffers of the call");
        status = CLNORM_INVALID_ARGUMENT;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm__queue_facts(context, queue, &call->stream.ordered, call->why);
    if (status != CLNORM_SUCCESS)
        return clnorm__call_refused(call, status);
    call->finish.epsilon = desc->epsilon;
    return CLNORM_SUCCESS;
}

static int plan_call(struct call *call, struct clnorm__plan *plan)
{
    return clnorm__plan_make(&call->part, &call->ask, &call->context->device, &call->filter, plan, call->why,
                             sizeof call->why);
}

void clnorm__call_part(struct call *call, const struct division *d, int is_rest)
{
    call->part = *call->desc;
    call->part.n = is_rest ? d->rest : d->each;
    call->ask.groups = is_rest ? 1 : d->equal;
}

int clnorm__call_plan(struct call *call, const struct division *d, struct clnorm__plan plans[2], uint64_t *groups_at,
                      uint64_t *workspace)
{
    clnorm__call_part(call, d, 0);
    int status = plan_call(call, &plans[0]);
    plans[1] = plans[0];
    if (status == CLNORM_SUCCESS && d->rest) {
        clnorm__call_part(call, d, 1);
        status = plan_call(call, &plans[1]);
    }
    *groups_at = plans[0].workspace > plans[1].workspace ? plans[0].workspace : plans[1].workspace;
    *workspace = *groups_at + (clnorm__groups_of(d) > 1 ? 2 * clnorm__groups_of(d) * call->desc->c : 0);
    return status;
}

uint64_t clnorm__call_joined(const struct call *call)
{
    const int is_backward = call->ask.operation == CLNORM_BACKWARD_TRAINING;
    return is_backward ? call->desc->c : call->desc->c / clnorm__channel_group(call->desc);
}

static int plan_again(struct call *call, struct clnorm__plan *plan)
{
    if (plan->merge.variant)
        return clnorm__plan_merge(&call->part, &call->ask, &call->context->device, &call->filter, plan, call->why,
                                  sizeof call->why);
    if (!plan->join.variant)
        return plan_call(call, plan);
    return clnorm__plan_join(clnorm__call_joined(call), call->ask.operation == CLNORM_BACKWARD_TRAINING,
                             &call->context->device, &call->filter, plan, call->why, sizeof call->why);
}

/*
 * Enqueues the plan. A variant that the device cannot build or launch gives way to the next that fits, for this step alone: what is
 * enqueued before it stays, as the rows of other steps do not change. The context remembers it once the call went through: a device
 * that is in trouble of another kind launches nothing at all.
 */
int clnorm__call_run(struct call *call, struct clnorm__plan *plan)
{
    struct clnorm__progress progress = {0};
    int is_learnt = 0, status;
    for (;;) {
        status = call->is_preparing ? clnorm__run_prepare(call->context, plan, &progress)
                                    : clnorm__run(call->context, plan, &call->stream, &call->buffers, &call->finish,
                                                  &call->desc->activation, &progress);
        const struct clnorm__variant *failed = progress.failed;
        if (status == CLNORM_SUCCESS || !failed || call->filter.steps[failed->step])
            break;
        call->filter.unusable[clnorm__variant_index(failed)][clnorm__is_last(call->desc)] = is_learnt = 1;
        if (plan_again(call, plan) != CLNORM_SUCCESS) {
            call->why[0] = '\0';
            break;
        }
        clnorm__log(call->context, CLNORM_LOG_WARNING, "%s cannot run on %s (%s); another variant takes its place",
                    failed->name, call->context->device.info.name, clnorm_status_string(status));
    }
    if (progress.last)
        clReleaseEvent(progress.last);
    if (status == CLNORM_SUCCESS && is_learnt)
        clnorm__filter_learn(call->context, &call->filter);
    return status;
}

int clnorm__call_check(struct call *call, const void *args, uint64_t workspace)
{
    const struct clnorm__operands *operands = &clnorm__operands[call->ask.operation];
    const clnorm_desc *d = call->desc;
    const struct division division = clnorm__divide(d, call->ask.operation);
    const uint64_t elements = d->n * d->c * d->s, statistics = d->c / clnorm__channel_group(d);
    const uint64_t size[CLNORM__SIZES] = {
        [CLNORM__OF_TENSOR] = elements,           [CLNORM__OF_CHANNELS] = d->c,
        [CLNORM__OF_STATISTICS] = statistics,     [CLNORM__OF_GROUPS] = statistics * clnorm__groups_of(&division),
        [CLNORM__OF_MASK] = (elements + 31) / 32, [CLNORM__OF_WORKSPACE] = workspace};
    const unsigned facts = (call->samples ? CLNORM__NOT_EMPTY : 0u) |
                           (call->ask.extras & CLNORM__HAS_OLD ? CLNORM__ADDED : 0u) |
                           (clnorm__is_active(&d->activation) ? CLNORM__ACTIVATED : 0u);
    struct clnorm__uses uses = {.query = call->query};
    int status =
        clnorm__operands_use(operands, args, size, facts, (unsigned)clnorm_type_bytes(d->type), &uses, call->why);
    if (status == CLNORM_SUCCESS && d->n > 0)
        clnorm__operands_use_views(operands, d, &call->buffers, &uses);
    if (status == CLNORM_SUCCESS && call->nodes)
        clnorm__use_nodes(&uses, call->buffers.nodes, call->nodes, call->ask.part != NULL);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_present(&uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__buffer_facts(call->context, &uses, call->why);
    return status == CLNORM_SUCCESS ? clnorm__check_buffers(&uses, call->why) : status;
}

/* What the operands' table does not tell of masks and of the residual's gradient. */
static int check_extras(struct call *call)
{
    const int is_backward =
        call->ask.operation == CLNORM_BACKWARD_TRAINING || call->ask.operation == CLNORM_BACKWARD_FROZEN;
    if (call->buffers.mask.mem && clnorm__is_active(&call->desc->activation)) {
        const int status = clnorm__check_mask(&call->desc->activation, call->why);
        if (status != CLNORM_SUCCESS)
            return status;
    }
    if (!call->buffers.mask.mem && call->buffers.gate.mem && clnorm__is_active(&call->desc->activation)) {
        const int status = clnorm__check_gate(&call->desc->activation, call->why);
        if (status != CLNORM_SUCCESS)
            return status;
    }
    if (!is_backward || !call->buffers.residual.mem || call->buffers.dst.mem)
        return CLNORM_SUCCESS;
    snprintf(call->why, sizeof call->why,
             "diff_src is NULL; diff_residual is given, which is written together with it");
    return CLNORM_MISSING_BUFFER;
}

int clnorm__call_running(struct call *call, float momentum, unsigned flags)
{
    const int status = clnorm__check_momentum(momentum, flags, call->why);
    if (status != CLNORM_SUCCESS)
        return clnorm__call_refused(call, status);
    call->finish.momentum = momentum;
    call->finish.running_factor = flags & CLNORM_RUNNING_BIASED ? 1.0f : 0.0f;
    return CLNORM_SUCCESS;
}

/* The flags of a backward call. */
int clnorm__call_accumulate(struct call *call, unsigned flags)
{
    const int status = clnorm__check_accumulate(flags, call->why);
    if (status != CLNORM_SUCCESS)
        return clnorm__call_refused(call, status);
    call->ask.extras |= flags & CLNORM_ACCUMULATE_DIFF_SRC ? CLNORM__HAS_OLD : 0u;
    call->finish.flags |= (flags & CLNORM_ACCUMULATE_DIFF_SCALE ? CLNORM_ADD_DIFF_SCALE : 0u) |
                          (flags & CLNORM_ACCUMULATE_DIFF_SHIFT ? CLNORM_ADD_DIFF_SHIFT : 0u);
    return CLNORM_SUCCESS;
}

int clnorm__call_run_part(struct call *call, struct clnorm__plan *plan)
{
    call->finish.rm_hi = plan->rm_hi;
    call->finish.rm_lo = plan->rm_lo;
    if (!(call->finish.running_factor > 0))
        call->finish.running_factor = plan->unbias;
    return clnorm__call_run(call, plan);
}

int clnorm__call_place(struct call *call, const void *args)
{
    const enum clnorm_operation operation = call->ask.operation;
    const struct clnorm__operands *operands = &clnorm__operands[operation];
    int status = CLNORM_SUCCESS;
    if (operation == CLNORM_BACKWARD_TRAINING || operation == CLNORM_BACKWARD_FROZEN)
        status = clnorm__check_gradients(operands, args, call->why);
    if (status != CLNORM_SUCCESS)
        return status;
    call->finish.flags |= clnorm__operands_place(operands, args, &call->buffers);
    if (!(call->finish.momentum > 0)) /* then nothing is written, whatever the batch holds */
        call->finish.flags &= ~(CLNORM_HAS_RUNNING_MEAN | CLNORM_HAS_RUNNING_VARIANCE);
    call->ask.extras |=
        (call->buffers.residual.mem ? CLNORM__HAS_RESIDUAL : 0u) | (call->buffers.mask.mem ? CLNORM__HAS_MASK : 0u);
    status = check_extras(call);
    if (status != CLNORM_SUCCESS)
        return status;
    call->ask.sums = operation == CLNORM_BACKWARD_FROZEN
                         ? (call->finish.flags & (CLNORM_HAS_DIFF_SCALE | CLNORM_HAS_DIFF_SHIFT)) != 0
                         : operation != CLNORM_FORWARD_INFERENCE;
    call->ask.apply =
        operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_FORWARD_INFERENCE || call->buffers.dst.mem != NULL;
    call->filter = clnorm__filter_now(call->context);
    if (call->desc->n > 0)
        status = clnorm__operands_view(operands, call->desc, args, &call->buffers, call->filter.view, call->why);
    return status;
}

int clnorm__call_finish(struct call *call, const void *args, cl_uint wait_count, const cl_event *wait_list,
                        cl_event *event)
{
    const clnorm_desc *desc = call->desc;
    const struct division division = clnorm__divide(desc, call->ask.operation);
    struct clnorm__plan plans[2];
    uint64_t groups_at = 0, workspace = 0;
    int status = clnorm__call_place(call, args);
    call->stream.wait_count = wait_count;
    call->stream.wait_list = wait_list;
    call->stream.event = event;
    if (status == CLNORM_SUCCESS && desc->n > 0)
        status = clnorm__call_plan(call, &division, plans, &groups_at, &workspace);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_check(call, args, workspace);
    if (status != CLNORM_SUCCESS)
        return clnorm__call_refused(call, status);
    if (desc->n == 0)
        status = clnorm__run_empty(&call->stream, &call->buffers, call->finish.flags, desc->c);
    else if (clnorm__groups_of(&division) == 1)
        status = clnorm__call_run_part(call, &plans[0]);
    else
        status = clnorm__call_run_groups(call, &division, plans, groups_at);
    return status == CLNORM_SUCCESS ? status : clnorm__call_refused(call, status);
}
