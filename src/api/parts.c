/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in parts: the steps of a call as calls of their own. */
#include "clnorm_parts.h"

#include <stdio.h>
#include <string.h>

#include "api/call.h"

/* What the four calls have in common. */
struct part_call {
    struct call call;
    const clnorm_parts *parts;
    clnorm_desc batch;
    struct clnorm__part part, all;
    struct clnorm__merging merging;
};

static uint64_t node_elements(const struct part_call *p)
{
    return (clnorm__is_backward(&p->call.ask) ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS) * p->batch.c;
}

/* How deep a stack the merges need. */
static unsigned stack_depth(const struct part_call *p)
{
    struct clnorm__merging merging;
    struct clnorm_schedule schedule;
    clnorm__merging_begin(&p->batch, p->parts, &merging);
    while (clnorm__merging_next(&merging, &schedule))
        ;
    return merging.most_depth;
}

/* Looks at the parts, and makes the call the first or the second one of a pass. */
static int begin(struct part_call *p, const clnorm_parts *parts, uint64_t part, int is_apply)
{
    const clnorm_desc *desc = p->call.desc;
    const int status = clnorm__check_parts(desc, parts, part, 1, &p->batch, p->call.why);
    if (status != CLNORM_SUCCESS)
        return status;
    p->parts = parts;
    clnorm__part_of(&p->batch, parts, part, &p->part);
    clnorm__part_of(&p->batch, parts, parts->count, &p->all);
    p->call.samples = p->batch.n;
    p->call.part = *desc;
    if (is_apply && p->batch.n > 0) {
        p->call.ask.batch = p->batch.n;
        p->call.ask.stack = stack_depth(p);
    } else if (!is_apply) {
        p->call.ask.part = &p->part;
    }
    return CLNORM_SUCCESS;
}

static int plan(struct part_call *p, struct clnorm__plan *made)
{
    struct call *call = &p->call;
    memset(made, 0, sizeof *made);
    if (p->batch.n == 0 || (call->ask.part && call->desc->n == 0))
        return CLNORM_SUCCESS;
    return clnorm__plan_make(&call->part, &call->ask, &call->context->device, &call->filter, made, call->why,
                             sizeof call->why);
}

/* Enqueues the merges of all nodes, and then what follows. */
static int run_merges(struct part_call *p, struct clnorm__plan *after)
{
    const struct clnorm__stream whole = p->call.stream;
    struct call merges = p->call;
    struct clnorm__plan made = {.shape = after->shape, .partial_at = after->partial_at};
    cl_event before = NULL;
    uint64_t node = 0;
    int status = clnorm__plan_merge(p->call.desc, &merges.ask, &merges.context->device, &merges.filter, &made,
                                    p->call.why, sizeof p->call.why);
    clnorm__merging_begin(&p->batch, p->parts, &p->merging);
    while (status == CLNORM_SUCCESS && clnorm__merging_next(&p->merging, &made.schedule)) {
        merges.buffers.nodes.offset = p->call.buffers.nodes.offset + node * node_elements(p);
        status = clnorm__call_run_step(&merges, &whole, 0, &before, &made);
        node = p->merging.node;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_run_step(&p->call, &whole, 1, &before, after);
    if (before)
        clReleaseEvent(before);
    return status;
}

/* Nothing to compute: gradients of an empty batch, or an empty part of the first call. */
static int run_nothing(struct part_call *p)
{
    const struct clnorm__buffers none = {0};
    const struct call *call = &p->call;
    return clnorm__run_empty(&call->stream, call->ask.part ? &none : &call->buffers, call->finish.flags, call->desc->c);
}

/* What a call has let through: places, plans, checks and enqueues. */
static int finish(struct part_call *p, const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes, const void *args,
                  const struct clnorm__stream *stream, int is_apply)
{
    struct call *call = &p->call;
    struct clnorm__plan made;
    int status = begin(p, parts, part, is_apply);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_place(call, args);
    if (status == CLNORM_SUCCESS && !call->ask.sums) {
        snprintf(call->why, sizeof call->why,
                 "diff_scale and diff_shift are both NULL; of diff_src alone nothing travels between parts, and "
                 "clnorm_backward_frozen is the call for it");
        status = CLNORM_MISSING_BUFFER;
    }
    if (status == CLNORM_SUCCESS)
        status = plan(p, &made);
    call->stream = *stream;
    call->buffers.nodes = nodes;
    call->query = "clnorm_get_part_workspace_bytes";
    call->nodes = p->all.node * node_elements(p);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_check(call, args, made.workspace);
    if (status != CLNORM_SUCCESS)
        return clnorm__call_refused(call, status);
    if (p->batch.n == 0 || (!is_apply && call->desc->n == 0))
        status = run_nothing(p);
    else
        status = is_apply ? run_merges(p, &made) : clnorm__call_run_part(call, &made);
    return status == CLNORM_SUCCESS ? status : clnorm__call_refused(call, status);
}

/* The stream of a call, as call_begin has made it, with what it waits for. */
static struct clnorm__stream stream_of(const struct call *call, cl_uint wait_count, const cl_event *wait_list,
                                       cl_event *event)
{
    struct clnorm__stream stream = call->stream;
    stream.wait_count = wait_count;
    stream.wait_list = wait_list;
    stream.event = event;
    return stream;
}

/* What belongs to the operation. */
static int read_args(struct call *call, const void *args)
{
    const clnorm_forward_training_args *forward = args;
    const clnorm_backward_training_args *backward = args;
    const clnorm_backward_frozen_args *frozen = args;
    switch (call->ask.operation) {
    case CLNORM_FORWARD_TRAINING:
        return clnorm__call_running(call, forward->momentum, forward->running_flags);
    case CLNORM_BACKWARD_TRAINING:
        return clnorm__call_accumulate(call, backward->accumulate);
    default:
        call->finish.flags = CLNORM_IS_FROZEN;
        return clnorm__call_accumulate(call, frozen->accumulate);
    }
}

static int run(enum clnorm_operation operation, int is_apply, clnorm_context *context, cl_command_queue queue,
               const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes, const void *args,
               cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    struct part_call p = {0};
    int status = clnorm__call_begin(&p.call, context, queue, desc, args, operation);
    if (status == CLNORM_SUCCESS)
        status = read_args(&p.call, args);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct clnorm__stream stream = stream_of(&p.call, wait_count, wait_list, event);
    return finish(&p, parts, part, nodes, args, &stream, is_apply);
}

/* The two calls of a pass. */
#define CALL(name, operation, is_apply, args_type)                                                                     \
    int name(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc, const clnorm_parts *parts,      \
             uint64_t part, clnorm_buffer nodes, const args_type *args, cl_uint wait_count, const cl_event *wait_list, \
             cl_event *event)                                                                                          \
    {                                                                                                                  \
        return run(operation, is_apply, context, queue, desc, parts, part, nodes, args, wait_count, wait_list, event); \
    }
CALL(clnorm_forward_statistics, CLNORM_FORWARD_TRAINING, 0, clnorm_forward_training_args)
CALL(clnorm_forward_apply, CLNORM_FORWARD_TRAINING, 1, clnorm_forward_training_args)
CALL(clnorm_backward_sums, CLNORM_BACKWARD_TRAINING, 0, clnorm_backward_training_args)
CALL(clnorm_backward_apply, CLNORM_BACKWARD_TRAINING, 1, clnorm_backward_training_args)
CALL(clnorm_backward_frozen_sums, CLNORM_BACKWARD_FROZEN, 0, clnorm_backward_frozen_args)
CALL(clnorm_backward_frozen_apply, CLNORM_BACKWARD_FROZEN, 1, clnorm_backward_frozen_args)

int clnorm_get_part_workspace_bytes(clnorm_context *context, enum clnorm_operation operation, const clnorm_desc *desc,
                                    const clnorm_parts *parts, uint64_t part, size_t *bytes)
{
    uint64_t elements = 0;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    if (!clnorm__has_parts(operation))
        return CLNORM_INVALID_ENUM;
    for (int is_apply = 0; is_apply < 2; is_apply++) {
        struct part_call p = {.call = {.context = context, .desc = desc, .ask = {operation, 1, 1, 0, 1, NULL, 0, 0}}};
        struct clnorm__plan made;
        int status = clnorm__check_desc(desc, p.call.why);
        if (status == CLNORM_SUCCESS)
            status = begin(&p, parts, part, is_apply);
        if (status == CLNORM_SUCCESS) {
            p.call.filter = clnorm__filter_now(context);
            status = plan(&p, &made);
        }
        if (status != CLNORM_SUCCESS)
            return clnorm__call_refused(&p.call, status);
        elements = made.workspace > elements ? made.workspace : elements;
    }
    *bytes = (size_t)elements * sizeof(cl_float);
    return CLNORM_SUCCESS;
}

int clnorm__call_prepare_parts(struct call *call)
{
    const clnorm_parts parts = {1, &call->desc->n, CLNORM_MERGE_SAME_BITS};
    int status = CLNORM_SUCCESS;
    for (int is_apply = 0; is_apply < 2 && status == CLNORM_SUCCESS; is_apply++) {
        struct part_call p = {.call = *call};
        struct clnorm__plan made, merges = {{0}};
        status = begin(&p, &parts, 0, is_apply);
        if (status == CLNORM_SUCCESS)
            status = plan(&p, &made);
        if (status == CLNORM_SUCCESS)
            status = clnorm__call_run(&p.call, &made);
        if (status == CLNORM_SUCCESS && is_apply)
            status = clnorm__plan_merge(call->desc, &p.call.ask, &call->context->device, &call->filter, &merges,
                                        p.call.why, sizeof p.call.why);
        if (status == CLNORM_SUCCESS && is_apply)
            status = clnorm__call_run(&p.call, &merges);
        memcpy(call->why, p.call.why, sizeof call->why);
    }
    return status;
}
