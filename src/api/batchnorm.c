/* SPDX-License-Identifier: Apache-2.0 */
/* The exported compute calls: check, plan, run. */
#include "clnorm.h"

#include <stdio.h>
#include <string.h>

#include "device/buffers.h"
#include "plan/check.h"
#include "device/context.h"
#include "plan/plan.h"
#include "run/run.h"

/* Everything about one call. */
struct call {
    clnorm_context *context;
    const clnorm_desc *desc;
    struct clnorm__ask ask;
    struct clnorm__uses uses;
    struct clnorm__stream stream;
    struct clnorm__buffers buffers;
    struct clnorm_finish finish;
    struct clnorm__filter filter;
    char why[CLNORM__WHY];
};

static void use(struct call *call, const char *name, clnorm_buffer buffer, uint64_t elements, int required, int written,
                unsigned alias)
{
    struct clnorm__use u = {.name = name, .buffer = buffer, .elements = elements};
    u.required = required;
    u.written = written;
    u.alias = alias;
    call->uses.use[call->uses.count++] = u;
}

static int refused(const struct call *call, int status)
{
    clnorm__log(call->context, CLNORM_LOG_ERROR, "%s", call->why[0] ? call->why : clnorm_status_string(status));
    return status;
}

static uint64_t elements(const clnorm_desc *desc)
{
    return desc->n * desc->c * desc->s;
}

static unsigned has(clnorm_buffer buffer, unsigned flag)
{
    return buffer.mem ? flag : 0u;
}

/* What does not depend on the operation; on success the call may be filled in. */
static int begin(struct call *call, clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                 const void *args, enum clnorm_operation operation)
{
    memset(call, 0, sizeof *call);
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
        status = clnorm__run(call->context, plan, &call->stream, &call->buffers, &call->finish, &progress);
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

/* Checks what was filled in, plans and enqueues. */
static int finish(struct call *call, clnorm_buffer workspace, cl_uint wait_count, const cl_event *wait_list,
                  cl_event *event)
{
    struct clnorm__plan plan;
    const clnorm_desc *desc = call->desc;
    call->stream.wait_count = wait_count;
    call->stream.wait_list = wait_list;
    call->stream.event = event;
    call->buffers.workspace = workspace;
    call->filter = clnorm__filter_now(call->context);
    int status = CLNORM_SUCCESS;
    plan.workspace = 0;
    if (desc->n > 0)
        status = plan_call(call, &plan);
    use(call, "workspace", workspace, plan.workspace, 1, 1, 0);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_present(&call->uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__buffer_facts(call->context, &call->uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_buffers(&call->uses, call->why);
    if (status != CLNORM_SUCCESS)
        return refused(call, status);
    if (desc->n == 0)
        status = clnorm__run_empty(&call->stream, &call->buffers, desc->c);
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

int clnorm_get_workspace_bytes(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                               size_t *bytes)
{
    struct call call = {.context = context, .desc = desc};
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    int status = clnorm__check_desc(desc, call.why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_operation((int)operation, call.why);
    if (status == CLNORM_SUCCESS && desc->n == 0) {
        *bytes = 0;
        return CLNORM_SUCCESS;
    }
    struct clnorm__plan plan;
    call.ask = (struct clnorm__ask){operation, operation != CLNORM_FORWARD_INFERENCE, 1};
    call.filter = clnorm__filter_now(context);
    if (status == CLNORM_SUCCESS)
        status = plan_call(&call, &plan);
    if (status != CLNORM_SUCCESS)
        return refused(&call, status);
    *bytes = (size_t)plan.workspace * sizeof(cl_float);
    return CLNORM_SUCCESS;
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
    struct call call = {.context = context, .desc = desc};
    struct clnorm__plan plan;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!text || size == 0)
        return CLNORM_INVALID_ARGUMENT;
    text[0] = '\0';
    int status = clnorm__check_desc(desc, call.why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_operation((int)operation, call.why);
    if (status == CLNORM_SUCCESS && desc->n == 0)
        return CLNORM_SUCCESS;
    call.ask = (struct clnorm__ask){operation, operation != CLNORM_FORWARD_INFERENCE, 1};
    call.filter = clnorm__filter_now(context);
    if (status == CLNORM_SUCCESS)
        status = plan_call(&call, &plan);
    if (status != CLNORM_SUCCESS)
        return refused(&call, status);
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
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = begin(&call, context, queue, desc, args, CLNORM_FORWARD_TRAINING);
    if (status != CLNORM_SUCCESS)
        return status;
    status = clnorm__check_momentum(args->momentum, args->running_flags, call.why);
    if (status != CLNORM_SUCCESS)
        return refused(&call, status);
    use(&call, "src", args->src, elements(desc), 1, 0, 0);
    use(&call, "dst", args->dst, elements(desc), 1, 1, 1u << 0);
    use(&call, "scale", args->scale, desc->c, 0, 0, 0);
    use(&call, "shift", args->shift, desc->c, 0, 0, 0);
    use(&call, "running_mean", args->running_mean, desc->c, 0, 1, 0);
    use(&call, "running_variance", args->running_variance, desc->c, 0, 1, 0);
    use(&call, "save_mean", args->save_mean, desc->c, 0, 1, 0);
    use(&call, "save_mean_low", args->save_mean_low, desc->c, 0, 1, 0);
    use(&call, "save_invstd", args->save_invstd, desc->c, 0, 1, 0);
    use(&call, "save_variance", args->save_variance, desc->c, 0, 1, 0);
    call.ask.sums = 1;
    call.ask.apply = 1;
    call.finish.momentum = args->momentum;
    call.finish.running_factor = args->running_flags & CLNORM_RUNNING_BIASED ? 1.0f : 0.0f;
    call.finish.flags =
        has(args->scale, CLNORM_HAS_SCALE) | has(args->shift, CLNORM_HAS_SHIFT) |
        has(args->save_mean, CLNORM_HAS_SAVE_MEAN) | has(args->save_mean_low, CLNORM_HAS_SAVE_MEAN_LOW) |
        has(args->save_invstd, CLNORM_HAS_SAVE_INVSTD) | has(args->save_variance, CLNORM_HAS_SAVE_VARIANCE);
    if (args->momentum > 0) /* with 0 nothing is written, whatever the batch holds */
        call.finish.flags |=
            has(args->running_mean, CLNORM_HAS_RUNNING_MEAN) | has(args->running_variance, CLNORM_HAS_RUNNING_VARIANCE);
    struct clnorm__buffers b = {.src = args->src, .dst = args->dst, .scale = args->scale, .shift = args->shift};
    b.running_mean = args->running_mean;
    b.running_variance = args->running_variance;
    b.mean = args->save_mean;
    b.mean_low = args->save_mean_low;
    b.spread = args->save_invstd;
    b.variance = args->save_variance;
    call.buffers = b;
    return finish(&call, args->workspace, wait_count, wait_list, event);
}

int clnorm_forward_inference(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_forward_inference_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = begin(&call, context, queue, desc, args, CLNORM_FORWARD_INFERENCE);
    if (status != CLNORM_SUCCESS)
        return status;
    use(&call, "src", args->src, elements(desc), 1, 0, 0);
    use(&call, "dst", args->dst, elements(desc), 1, 1, 1u << 0);
    use(&call, "scale", args->scale, desc->c, 0, 0, 0);
    use(&call, "shift", args->shift, desc->c, 0, 0, 0);
    use(&call, "mean", args->mean, desc->c, 1, 0, 0);
    use(&call, "variance", args->variance, desc->c, 1, 0, 0);
    call.ask.apply = 1;
    call.finish.flags =
        has(args->scale, CLNORM_HAS_SCALE) | has(args->shift, CLNORM_HAS_SHIFT) | has(args->mean, CLNORM_HAS_MEAN);
    struct clnorm__buffers b = {.src = args->src, .dst = args->dst, .scale = args->scale, .shift = args->shift};
    b.mean = args->mean;
    b.spread = args->variance;
    call.buffers = b;
    return finish(&call, args->workspace, wait_count, wait_list, event);
}

/* Some gradient is asked for. */
static int check_gradients(struct call *call, clnorm_buffer a, clnorm_buffer b, clnorm_buffer c)
{
    if (a.mem || b.mem || c.mem)
        return CLNORM_SUCCESS;
    snprintf(call->why, sizeof call->why, "diff_src, diff_scale and diff_shift are all NULL; at least one is required");
    return refused(call, CLNORM_MISSING_BUFFER);
}

int clnorm_backward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_backward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = begin(&call, context, queue, desc, args, CLNORM_BACKWARD_TRAINING);
    if (status == CLNORM_SUCCESS)
        status = check_gradients(&call, args->diff_src, args->diff_scale, args->diff_shift);
    if (status != CLNORM_SUCCESS)
        return status;
    use(&call, "src", args->src, elements(desc), 1, 0, 0);
    use(&call, "diff_dst", args->diff_dst, elements(desc), 1, 0, 0);
    use(&call, "diff_src", args->diff_src, elements(desc), 0, 1, 1u << 0 | 1u << 1);
    use(&call, "scale", args->scale, desc->c, 0, 0, 0);
    use(&call, "save_mean", args->save_mean, desc->c, desc->n > 0, 0, 0);
    use(&call, "save_mean_low", args->save_mean_low, desc->c, 0, 0, 0);
    use(&call, "save_invstd", args->save_invstd, desc->c, desc->n > 0, 0, 0);
    use(&call, "diff_scale", args->diff_scale, desc->c, 0, 1, 0);
    use(&call, "diff_shift", args->diff_shift, desc->c, 0, 1, 0);
    call.ask.sums = 1;
    call.ask.apply = args->diff_src.mem != NULL;
    call.finish.flags = CLNORM_HAS_MEAN | has(args->scale, CLNORM_HAS_SCALE) |
                        has(args->save_mean_low, CLNORM_HAS_SAVE_MEAN_LOW) |
                        has(args->diff_scale, CLNORM_HAS_DIFF_SCALE) | has(args->diff_shift, CLNORM_HAS_DIFF_SHIFT);
    struct clnorm__buffers b = {.src = args->src, .diff_dst = args->diff_dst, .dst = args->diff_src};
    b.scale = args->scale;
    b.mean = args->save_mean;
    b.mean_low = args->save_mean_low;
    b.spread = args->save_invstd;
    b.diff_scale = args->diff_scale;
    b.diff_shift = args->diff_shift;
    call.buffers = b;
    return finish(&call, args->workspace, wait_count, wait_list, event);
}

int clnorm_backward_frozen(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                           const clnorm_backward_frozen_args *args, cl_uint wait_count, const cl_event *wait_list,
                           cl_event *event)
{
    struct call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = begin(&call, context, queue, desc, args, CLNORM_BACKWARD_FROZEN);
    if (status == CLNORM_SUCCESS)
        status = check_gradients(&call, args->diff_src, args->diff_scale, args->diff_shift);
    if (status != CLNORM_SUCCESS)
        return status;
    int centred = args->diff_scale.mem != NULL;
    use(&call, "src", args->src, elements(desc), centred, 0, 0);
    use(&call, "diff_dst", args->diff_dst, elements(desc), 1, 0, 0);
    use(&call, "diff_src", args->diff_src, elements(desc), 0, 1, 1u << 0 | 1u << 1);
    use(&call, "scale", args->scale, desc->c, 0, 0, 0);
    use(&call, "mean", args->mean, desc->c, centred && desc->n > 0, 0, 0);
    use(&call, "variance", args->variance, desc->c, desc->n > 0, 0, 0);
    use(&call, "diff_scale", args->diff_scale, desc->c, 0, 1, 0);
    use(&call, "diff_shift", args->diff_shift, desc->c, 0, 1, 0);
    call.ask.sums = centred || args->diff_shift.mem != NULL;
    call.ask.apply = args->diff_src.mem != NULL;
    call.finish.flags = CLNORM_IS_FROZEN | has(args->mean, CLNORM_HAS_MEAN) | has(args->scale, CLNORM_HAS_SCALE) |
                        has(args->diff_scale, CLNORM_HAS_DIFF_SCALE) | has(args->diff_shift, CLNORM_HAS_DIFF_SHIFT);
    struct clnorm__buffers b = {.src = args->src, .diff_dst = args->diff_dst, .dst = args->diff_src};
    b.scale = args->scale;
    b.mean = args->mean;
    b.spread = args->variance;
    b.diff_scale = args->diff_scale;
    b.diff_shift = args->diff_shift;
    call.buffers = b;
    return finish(&call, args->workspace, wait_count, wait_list, event);
}
