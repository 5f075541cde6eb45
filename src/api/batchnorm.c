/* SPDX-License-Identifier: Apache-2.0 */
/* The exported compute calls: check, plan, run. */
#include "clnorm.h"

#include <stdio.h>
#include <string.h>

#include "device/buffers.h"
#include "device/context.h"
#include "plan/leaves.h"
#include "plan/operand.h"
#include "plan/plan.h"
#include "run/run.h"

/* Everything about one call. */
struct call {
    clnorm_context *context;
    const clnorm_desc *desc;
    struct clnorm__ask ask;
    struct clnorm__stream stream;
    struct clnorm__buffers buffers;
    struct clnorm_finish finish;
    struct clnorm__filter filter;
    int is_preparing; /* programs alone */
    char why[CLNORM__WHY];
};

static int refused(const struct call *call, int status)
{
    clnorm__log(call->context, CLNORM_LOG_ERROR, "%s", call->why[0] ? call->why : clnorm_status_string(status));
    return status;
}

/* What does not depend on the operation; on success the call may be filled in. */
static int begin(struct call *call, clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                 const void *args, enum clnorm_operation operation)
{
    memset(call, 0, sizeof *call);
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    call->context = context;
    call->desc = desc;
    call->ask.operation = operation;
    call->stream.queue = queue;
    int status = clnorm__check_desc(desc, call->why);
    if (status == CLNORM_SUCCESS && !args) {
        snprintf(call->why, sizeof call->why, "args is NULL; it names the buffers of the call");
        status = CLNORM_INVALID_ARGUMENT;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm__queue_facts(context, queue, &call->stream.ordered, call->why);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    call->finish.epsilon = desc->epsilon;
    return CLNORM_SUCCESS;
}

static int plan_call(struct call *call, struct clnorm__plan *plan)
{
    return clnorm__plan_make(call->desc, &call->ask, &call->context->device, &call->filter, plan, call->why,
                             sizeof call->why);
}

/*
 * Enqueues the plan. A variant that the device cannot build or launch gives way to the next that fits, for this step alone: what is
 * enqueued before it stays, as the rows of other steps do not change. The context remembers it once the call went through: a device
 * that is in trouble of another kind launches nothing at all.
 */
static int run(struct call *call, struct clnorm__plan *plan)
{
    struct clnorm__progress progress = {0};
    int is_learnt = 0, status;
    for (;;) {
        status = call->is_preparing
                     ? clnorm__run_prepare(call->context, plan, &progress)
                     : clnorm__run(call->context, plan, &call->stream, &call->buffers, &call->finish,
                                       &call->desc->activation, &progress);
        const struct clnorm__variant *failed = progress.failed;
        if (status == CLNORM_SUCCESS || !failed || call->filter.steps[failed->step])
            break;
        call->filter.unusable[clnorm__variant_index(failed)][clnorm__is_last(call->desc)] = is_learnt = 1;
        if (plan_call(call, plan) != CLNORM_SUCCESS) {
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

/* Lists the call's buffers and checks them. */
static int check_buffers(struct call *call, const struct clnorm__operands *operands, const void *args,
                         uint64_t workspace)
{
    const clnorm_desc *d = call->desc;
    const uint64_t elements = d->n * d->c * d->s;
    const uint64_t size[CLNORM__SIZES] = {[CLNORM__OF_TENSOR] = elements,
                                          [CLNORM__OF_CHANNELS] = d->c,
                                          [CLNORM__OF_MASK] = (elements + 31) / 32,
                                          [CLNORM__OF_WORKSPACE] = workspace};
    const unsigned facts = (d->n ? CLNORM__NOT_EMPTY : 0u) | (call->ask.extras & CLNORM__HAS_OLD ? CLNORM__ADDED : 0u) |
                           (clnorm__is_active(&d->activation) ? CLNORM__ACTIVATED : 0u);
    struct clnorm__uses uses = {0};
    int status = clnorm__operands_use(operands, args, size, facts, (unsigned)clnorm_type_bytes(d->type), &uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_present(&uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__buffer_facts(call->context, &uses, call->why);
    return status == CLNORM_SUCCESS ? clnorm__check_buffers(&uses, call->why) : status;
}

/* What the operands' table does not tell of masks and of the residual's gradient. */
static int check_extras(struct call *call)
{
    const int is_backward = call->ask.operation == CLNORM_BACKWARD_TRAINING ||
                            call->ask.operation == CLNORM_BACKWARD_FROZEN;
    if (call->buffers.mask.mem && clnorm__is_active(&call->desc->activation)) {
        const int status = clnorm__check_mask(&call->desc->activation, call->why);
        if (status != CLNORM_SUCCESS)
            return status;
    }
    if (!is_backward || !call->buffers.residual.mem || call->buffers.dst.mem)
        return CLNORM_SUCCESS;
    snprintf(call->why, sizeof call->why, "diff_src is NULL; diff_residual is given, which is written together with it");
    return CLNORM_MISSING_BUFFER;
}

/* The flags of a backward call. */
static int accumulate(struct call *call, unsigned flags)
{
    const int status = clnorm__check_accumulate(flags, call->why);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    call->ask.extras |= flags & CLNORM_ACCUMULATE_DIFF_SRC ? CLNORM__HAS_OLD : 0u;
    call->finish.flags |= (flags & CLNORM_ACCUMULATE_DIFF_SCALE ? CLNORM_ADD_DIFF_SCALE : 0u) |
                          (flags & CLNORM_ACCUMULATE_DIFF_SHIFT ? CLNORM_ADD_DIFF_SHIFT : 0u);
    return CLNORM_SUCCESS;
}

/* What begin has let through: places the buffers, plans, checks and enqueues. */
static int finish(struct call *call, const void *args, cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    const enum clnorm_operation operation = call->ask.operation;
    const struct clnorm__operands *operands = &clnorm__operands[operation];
    const clnorm_desc *desc = call->desc;
    struct clnorm__plan plan;
    int status = CLNORM_SUCCESS;
    if (operation == CLNORM_BACKWARD_TRAINING || operation == CLNORM_BACKWARD_FROZEN)
        status = clnorm__check_gradients(operands, args, call->why);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    call->stream.wait_count = wait_count;
    call->stream.wait_list = wait_list;
    call->stream.event = event;
    call->finish.flags |= clnorm__operands_place(operands, args, &call->buffers);
    if (!(call->finish.momentum > 0)) /* then nothing is written, whatever the batch holds */
        call->finish.flags &= ~(CLNORM_HAS_RUNNING_MEAN | CLNORM_HAS_RUNNING_VARIANCE);
    call->ask.extras |= (call->buffers.residual.mem ? CLNORM__HAS_RESIDUAL : 0u) |
                        (call->buffers.mask.mem ? CLNORM__HAS_MASK : 0u);
    status = check_extras(call);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    call->ask.sums = operation == CLNORM_BACKWARD_FROZEN
                         ? (call->finish.flags & (CLNORM_HAS_DIFF_SCALE | CLNORM_HAS_DIFF_SHIFT)) != 0
                         : operation != CLNORM_FORWARD_INFERENCE;
    call->ask.apply =
        operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_FORWARD_INFERENCE || call->buffers.dst.mem != NULL;
    call->filter = clnorm__filter_now(call->context);
    plan.workspace = 0;
    if (desc->n > 0)
        status = plan_call(call, &plan);
    if (status == CLNORM_SUCCESS)
        status = check_buffers(call, operands, args, plan.workspace);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    if (desc->n == 0)
        status = clnorm__run_empty(&call->stream, &call->buffers, call->finish.flags, desc->c);
    else {
        call->finish.rm_hi = plan.rm_hi;
        call->finish.rm_lo = plan.rm_lo;
        if (!(call->finish.running_factor > 0))
            call->finish.running_factor = plan.unbias;
        status = run(call, &plan);
    }
    return status == CLNORM_SUCCESS ? status : refused(call, status);
}

int clnorm_describe(enum clnorm_layout layout, unsigned rank, const uint64_t *sizes, clnorm_desc *desc)
{
    if (!sizes || !desc)
        return CLNORM_INVALID_ARGUMENT;
    if (rank < 2 || rank > 5)
        return CLNORM_INVALID_RANK;
    clnorm_desc made = {0};
    unsigned channel = layout == CLNORM_CHANNELS_LAST ? rank - 1 : 1;
    made.n = sizes[0];
    made.c = sizes[channel];
    made.s = 1;
    made.layout = layout;
    made.type = CLNORM_FLOAT32;
    made.epsilon = 1e-5f;
    for (unsigned i = 1; i < rank; i++) {
        if (i == channel)
            continue;
        if (sizes[i] == 0)
            return CLNORM_INVALID_SIZE;
        if (made.s > UINT64_MAX / sizes[i])
            return CLNORM_SIZE_OVERFLOW;
        made.s *= sizes[i];
    }
    char why[CLNORM__WHY];
    int status = clnorm__check_desc(&made, why);
    if (status == CLNORM_SUCCESS)
        *desc = made;
    return status;
}

/* The plan of a call that asks for everything; of no samples, one of nothing. */
static int query(struct call *call, clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                 struct clnorm__plan *plan)
{
    memset(call, 0, sizeof *call);
    memset(plan, 0, sizeof *plan);
    call->context = context;
    call->desc = desc;
    call->ask = (struct clnorm__ask){operation, operation != CLNORM_FORWARD_INFERENCE, 1, 0};
    int status = clnorm__check_desc(desc, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_operation((int)operation, call->why);
    if (status == CLNORM_SUCCESS && desc->n > 0) {
        call->filter = clnorm__filter_now(context);
        status = plan_call(call, plan);
    }
    return status == CLNORM_SUCCESS ? status : refused(call, status);
}

int clnorm_get_workspace_bytes(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                               size_t *bytes)
{
    struct call call;
    struct clnorm__plan plan;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    int status = query(&call, context, operation, desc, &plan);
    if (status == CLNORM_SUCCESS)
        *bytes = (size_t)plan.workspace * sizeof(cl_float);
    return status;
}

int clnorm_prepare(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc)
{
    /* What calls ask for: all, backward the gradients of parameters alone, with frozen statistics that of src alone. */
    static const int sums[] = {1, 1, 0}, apply[] = {1, 0, 1};
    const unsigned ways[] = {1, 1, 2, 3};
    struct call call;
    struct clnorm__plan plan;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = query(&call, context, operation, desc, &plan);
    if (status != CLNORM_SUCCESS || desc->n == 0)
        return status;
    call.is_preparing = 1;
    for (unsigned i = 0; i < ways[operation] && status == CLNORM_SUCCESS; i++) {
        if (i > 0) { /* query has planned the first */
            call.ask = (struct clnorm__ask){operation, sums[i], apply[i], 0};
            status = plan_call(&call, &plan);
        }
        if (status == CLNORM_SUCCESS)
            status = run(&call, &plan);
    }
    return status == CLNORM_SUCCESS ? status : refused(&call, status);
}

static int append_launch(const struct clnorm__launch *launch, char *text, size_t size, int length)
{
    int more = 0;
    if (launch->variant && length >= 0 && (size_t)length < size)
        more = snprintf(text + length, size - (size_t)length, "%s%s form %u %zux%zu in groups of %zux%zu",
                        length ? "; " : "", launch->variant->name, launch->form, launch->global[0],
                        launch->dims > 1 ? launch->global[1] : 1, launch->local[0],
                        launch->dims > 1 ? launch->local[1] : 1);
    return length + more;
}

int clnorm_describe_launches(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                             size_t size, char *text)
{
    struct call call;
    struct clnorm__plan plan;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!text || size == 0)
        return CLNORM_INVALID_ARGUMENT;
    text[0] = '\0';
    int status = query(&call, context, operation, desc, &plan);
    if (status != CLNORM_SUCCESS || desc->n == 0)
        return status;
    const struct clnorm__launch *launches[] = {&plan.fused, &plan.stats, &plan.finish, &plan.apply};
    int length = 0;
    for (size_t i = 0; i < sizeof launches / sizeof *launches; i++)
        length = append_launch(launches[i], text, size, length);
    if ((size_t)length < size && plan.stats.variant)
        length +=
            snprintf(text + length, size - (size_t)length, "; blocks of %lu leaves", 1ul << plan.shape.block_log2);
    if ((size_t)length < size && (plan.fused.variant || plan.apply.variant))
        snprintf(text + length, size - (size_t)length, "; %llu rows of %llu an item, stored %s the caches",
                 (unsigned long long)plan.cut.rows_per_item, (unsigned long long)plan.cut.chunk,
                 plan.cut.stream ? "past" : "into");
    return CLNORM_SUCCESS;
}

int clnorm_forward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                            const clnorm_forward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                            cl_event *event)
{
    struct call call;
    int status = begin(&call, context, queue, desc, args, CLNORM_FORWARD_TRAINING);
    if (status != CLNORM_SUCCESS)
        return status;
    status = clnorm__check_momentum(args->momentum, args->running_flags, call.why);
    if (status != CLNORM_SUCCESS)
        return refused(&call, status);
    call.finish.momentum = args->momentum;
    call.finish.running_factor = args->running_flags & CLNORM_RUNNING_BIASED ? 1.0f : 0.0f;
    return finish(&call, args, wait_count, wait_list, event);
}

int clnorm_forward_inference(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_forward_inference_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    int status = begin(&call, context, queue, desc, args, CLNORM_FORWARD_INFERENCE);
    return status == CLNORM_SUCCESS ? finish(&call, args, wait_count, wait_list, event) : status;
}

int clnorm_backward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_backward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    int status = begin(&call, context, queue, desc, args, CLNORM_BACKWARD_TRAINING);
    if (status == CLNORM_SUCCESS)
        status = accumulate(&call, args->accumulate);
    return status == CLNORM_SUCCESS ? finish(&call, args, wait_count, wait_list, event) : status;
}

int clnorm_backward_frozen(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                           const clnorm_backward_frozen_args *args, cl_uint wait_count, const cl_event *wait_list,
                           cl_event *event)
{
    struct call call;
    int status = begin(&call, context, queue, desc, args, CLNORM_BACKWARD_FROZEN);
    if (status != CLNORM_SUCCESS)
        return status;
    call.finish.flags = CLNORM_IS_FROZEN;
    status = accumulate(&call, args->accumulate);
    return status == CLNORM_SUCCESS ? finish(&call, args, wait_count, wait_list, event) : status;
}
