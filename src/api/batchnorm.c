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
    clnorm_desc part; /* what is planned: a group of samples, or all */
    struct clnorm__ask ask;
    struct clnorm__stream stream;
    struct clnorm__buffers buffers;
    struct clnorm_finish finish;
    struct clnorm__filter filter;
    int is_preparing; /* programs alone */
    char why[CLNORM__WHY];
};

/* How samples come in groups: so many equal ones, and the samples of a last one that has fewer. */
struct division {
    uint64_t equal, each, rest;
};

static struct division divide(const clnorm_desc *desc, enum clnorm_operation operation)
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

static uint64_t groups_of(const struct division *d)
{
    return d->equal + (d->rest > 0);
}

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
    return clnorm__plan_make(&call->part, &call->ask, &call->context->device, &call->filter, plan, call->why,
                             sizeof call->why);
}

/* Plans the equal groups, or the last one. */
static int plan_part(struct call *call, const struct division *d, int is_rest, struct clnorm__plan *plan)
{
    call->part = *call->desc;
    call->part.n = is_rest ? d->rest : d->each;
    call->ask.groups = is_rest ? 1 : d->equal;
    return plan_call(call, plan);
}

/*
 * Plans what there is; the last group's plan is that of the equal ones where it is not there. *workspace: elements, *groups_at: where those
 * for the statistics of groups begin.
 */
static int plan_parts(struct call *call, const struct division *d, struct clnorm__plan plans[2], uint64_t *groups_at,
                      uint64_t *workspace)
{
    int status = plan_part(call, d, 0, &plans[0]);
    plans[1] = plans[0];
    if (status == CLNORM_SUCCESS && d->rest)
        status = plan_part(call, d, 1, &plans[1]);
    *groups_at = plans[0].workspace > plans[1].workspace ? plans[0].workspace : plans[1].workspace;
    *workspace = *groups_at + (groups_of(d) > 1 ? 2 * groups_of(d) * call->desc->c : 0);
    return status;
}

/*
 * Enqueues the plan. A variant that the device cannot build or launch gives way to the next that fits, for this step alone: what is
 * enqueued before it stays, as the rows of other steps do not change. The context remembers it once the call went through: a device
 * that is in trouble of another kind launches nothing at all.
 */
static int plan_again(struct call *call, struct clnorm__plan *plan)
{
    if (!plan->join.variant)
        return plan_call(call, plan);
    return clnorm__plan_join(call->desc->c, call->ask.operation == CLNORM_BACKWARD_TRAINING, &call->context->device,
                             &call->filter, plan, call->why, sizeof call->why);
}

static int run(struct call *call, struct clnorm__plan *plan)
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

/* Lists the call's buffers and checks them. */
static int check_buffers(struct call *call, const struct clnorm__operands *operands, const void *args,
                         uint64_t workspace)
{
    const clnorm_desc *d = call->desc;
    const struct division division = divide(d, call->ask.operation);
    const uint64_t elements = d->n * d->c * d->s;
    const uint64_t size[CLNORM__SIZES] = {[CLNORM__OF_TENSOR] = elements,
                                          [CLNORM__OF_CHANNELS] = d->c,
                                          [CLNORM__OF_GROUPS] = d->c * groups_of(&division),
                                          [CLNORM__OF_MASK] = (elements + 31) / 32,
                                          [CLNORM__OF_WORKSPACE] = workspace};
    const unsigned facts = (d->n ? CLNORM__NOT_EMPTY : 0u) | (call->ask.extras & CLNORM__HAS_OLD ? CLNORM__ADDED : 0u) |
                           (clnorm__is_active(&d->activation) ? CLNORM__ACTIVATED : 0u);
    struct clnorm__uses uses = {0};
    int status =
        clnorm__operands_use(operands, args, size, facts, (unsigned)clnorm_type_bytes(d->type), &uses, call->why);
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

static int run_part(struct call *call, struct clnorm__plan *plan)
{
    call->finish.rm_hi = plan->rm_hi;
    call->finish.rm_lo = plan->rm_lo;
    if (!(call->finish.running_factor > 0))
        call->finish.running_factor = plan->unbias;
    return run(call, plan);
}

/* ---- groups of samples ---- */

static clnorm_buffer moved(clnorm_buffer buffer, uint64_t elements)
{
    buffer.offset += elements;
    return buffer;
}

/* Step `number` of a call of several: it waits for the one before it, and the last one has the call's event. */
static int run_step(struct call *call, const struct clnorm__stream *whole, int is_last, cl_event *before,
                    struct clnorm__plan *plan)
{
    cl_event done = NULL;
    call->stream = *whole;
    if (*before) {
        call->stream.wait_count = 1;
        call->stream.wait_list = before;
    }
    call->stream.event = is_last ? whole->event : whole->ordered ? NULL : &done;
    const int status = run_part(call, plan);
    if (*before)
        clReleaseEvent(*before);
    *before = done;
    return status;
}

/* The last group, which has fewer samples: its tensors and its statistics lie behind those of the others. */
static void move_to_rest(struct clnorm__buffers *b, uint64_t elements, uint64_t channels)
{
    clnorm_buffer *const tensors[] = {&b->src, &b->diff_dst, &b->dst, &b->residual, &b->gate};
    clnorm_buffer *const vectors[] = {&b->mean, &b->mean_low, &b->spread, &b->variance, &b->diff_scale, &b->diff_shift};
    for (unsigned i = 0; i < sizeof tensors / sizeof *tensors; i++)
        *tensors[i] = moved(*tensors[i], elements);
    for (unsigned i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = moved(*vectors[i], channels);
    b->first += elements;
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

static int run_groups(struct call *call, const struct division *d, struct clnorm__plan plans[2], uint64_t groups_at)
{
    const struct clnorm__stream whole = call->stream;
    const uint64_t channels = call->desc->c, sample = channels * call->desc->s;
    const int is_biased = call->finish.running_factor > 0;
    struct clnorm__plan join;
    struct call joined;
    cl_event before = NULL;
    const int is_joined = set_apart(call, groups_of(d), groups_at, &joined);
    int status = CLNORM_SUCCESS;
    if (is_joined)
        status = clnorm__plan_join(channels, call->ask.operation == CLNORM_BACKWARD_TRAINING, &call->context->device,
                                   &call->filter, &join, call->why, sizeof call->why);
    joined.finish.running_factor = is_biased ? 1.0f : plans[0].unbias;
    joined.buffers.last_factor = is_biased ? 1.0f : plans[1].unbias;
    call->part.n = d->each;
    call->ask.groups = d->equal;
    if (status == CLNORM_SUCCESS)
        status = run_step(call, &whole, !d->rest && !is_joined, &before, &plans[0]);
    if (status == CLNORM_SUCCESS && d->rest) {
        move_to_rest(&call->buffers, d->equal * d->each * sample, d->equal * channels);
        call->part.n = d->rest;
        call->ask.groups = 1;
        status = run_step(call, &whole, !is_joined, &before, &plans[1]);
    }
    if (status == CLNORM_SUCCESS && is_joined)
        status = run_step(&joined, &whole, 1, &before, &join);
    if (before)
        clReleaseEvent(before);
    return status;
}

/* What begin has let through: places the buffers, plans, checks and enqueues. */
static int finish(struct call *call, const void *args, cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    const enum clnorm_operation operation = call->ask.operation;
    const struct clnorm__operands *operands = &clnorm__operands[operation];
    const clnorm_desc *desc = call->desc;
    const struct division division = divide(desc, operation);
    struct clnorm__plan plans[2];
    uint64_t groups_at = 0, workspace = 0;
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
    call->ask.extras |=
        (call->buffers.residual.mem ? CLNORM__HAS_RESIDUAL : 0u) | (call->buffers.mask.mem ? CLNORM__HAS_MASK : 0u);
    status = check_extras(call);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    call->ask.sums = operation == CLNORM_BACKWARD_FROZEN
                         ? (call->finish.flags & (CLNORM_HAS_DIFF_SCALE | CLNORM_HAS_DIFF_SHIFT)) != 0
                         : operation != CLNORM_FORWARD_INFERENCE;
    call->ask.apply =
        operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_FORWARD_INFERENCE || call->buffers.dst.mem != NULL;
    call->filter = clnorm__filter_now(call->context);
    call->buffers.total = desc->n * desc->c * desc->s;
    if (desc->n > 0)
        status = plan_parts(call, &division, plans, &groups_at, &workspace);
    if (status == CLNORM_SUCCESS)
        status = check_buffers(call, operands, args, workspace);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    if (desc->n == 0)
        status = clnorm__run_empty(&call->stream, &call->buffers, call->finish.flags, desc->c);
    else if (groups_of(&division) == 1)
        status = run_part(call, &plans[0]);
    else
        status = run_groups(call, &division, plans, groups_at);
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

/* The plans of a call that asks for everything; of no samples, those of nothing. */
static int query(struct call *call, clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                 struct clnorm__plan plans[2], uint64_t *workspace)
{
    uint64_t groups_at;
    memset(call, 0, sizeof *call);
    memset(plans, 0, 2 * sizeof *plans);
    *workspace = 0;
    call->context = context;
    call->desc = desc;
    call->ask = (struct clnorm__ask){operation, operation != CLNORM_FORWARD_INFERENCE, 1, 0, 1};
    int status = clnorm__check_desc(desc, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_operation((int)operation, call->why);
    if (status == CLNORM_SUCCESS && desc->n > 0) {
        const struct division d = divide(desc, operation);
        call->filter = clnorm__filter_now(context);
        status = plan_parts(call, &d, plans, &groups_at, workspace);
    }
    return status == CLNORM_SUCCESS ? status : refused(call, status);
}

int clnorm_get_workspace_bytes(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                               size_t *bytes)
{
    struct call call;
    struct clnorm__plan plans[2];
    uint64_t workspace;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    int status = query(&call, context, operation, desc, plans, &workspace);
    if (status == CLNORM_SUCCESS)
        *bytes = (size_t)workspace * sizeof(cl_float);
    return status;
}

/* Builds what a call's plans need, and what joins groups of samples. */
static int prepare_parts(struct call *call, const struct division *d, struct clnorm__plan plans[2])
{
    struct clnorm__plan join;
    int status = run(call, &plans[0]);
    if (status == CLNORM_SUCCESS && d->rest)
        status = run(call, &plans[1]);
    if (status != CLNORM_SUCCESS || groups_of(d) == 1)
        return status;
    status = clnorm__plan_join(call->desc->c, call->ask.operation == CLNORM_BACKWARD_TRAINING, &call->context->device,
                               &call->filter, &join, call->why, sizeof call->why);
    return status == CLNORM_SUCCESS ? run(call, &join) : status;
}

int clnorm_prepare_with(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                        unsigned with)
{
    /* What calls ask for: all, backward the gradients of parameters alone, with frozen statistics that of src alone. */
    static const int sums[] = {1, 1, 0}, apply[] = {1, 0, 1};
    const unsigned ways[] = {1, 1, 2, 3};
    struct call call;
    struct clnorm__plan plans[2];
    uint64_t workspace, groups_at;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = query(&call, context, operation, desc, plans, &workspace);
    if (status != CLNORM_SUCCESS)
        return status;
    status = clnorm__check_with(operation, &desc->activation, with, call.why);
    if (status != CLNORM_SUCCESS)
        return refused(&call, status);
    if (desc->n == 0)
        return CLNORM_SUCCESS;
    const struct division d = divide(desc, operation);
    const unsigned extras = (with & CLNORM_WITH_RESIDUAL ? CLNORM__HAS_RESIDUAL : 0u) |
                            (with & CLNORM_WITH_MASK ? CLNORM__HAS_MASK : 0u) |
                            (with & CLNORM_WITH_ACCUMULATION ? CLNORM__HAS_OLD : 0u);
    call.is_preparing = 1;
    for (unsigned i = 0; i < ways[operation] && status == CLNORM_SUCCESS; i++) {
        call.ask =
            (struct clnorm__ask){operation, operation == CLNORM_FORWARD_INFERENCE ? 0 : sums[i], apply[i], extras, 1};
        status = plan_parts(&call, &d, plans, &groups_at, &workspace);
        if (status == CLNORM_SUCCESS)
            status = prepare_parts(&call, &d, plans);
    }
    return status == CLNORM_SUCCESS ? status : refused(&call, status);
}

int clnorm_prepare(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc)
{
    return clnorm_prepare_with(context, operation, desc, 0);
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
    struct clnorm__plan plans[2];
    uint64_t workspace;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!text || size == 0)
        return CLNORM_INVALID_ARGUMENT;
    text[0] = '\0';
    int status = query(&call, context, operation, desc, plans, &workspace);
    const struct clnorm__plan plan = plans[0];
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
