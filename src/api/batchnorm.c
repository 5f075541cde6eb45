/* SPDX-License-Identifier: Apache-2.0 */
/* The exported compute calls. */
#include "clnorm.h"

#include <stdio.h>
#include <string.h>

#include "api/call.h"

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
        const struct division d = clnorm__divide(desc, operation);
        call->filter = clnorm__filter_now(context);
        status = clnorm__call_plan(call, &d, plans, &groups_at, workspace);
    }
    return status == CLNORM_SUCCESS ? status : clnorm__call_refused(call, status);
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
        return clnorm__call_refused(&call, status);
    if (desc->n == 0)
        return CLNORM_SUCCESS;
    const struct division d = clnorm__divide(desc, operation);
    const unsigned extras = (with & CLNORM_WITH_RESIDUAL ? CLNORM__HAS_RESIDUAL : 0u) |
                            (with & CLNORM_WITH_MASK ? CLNORM__HAS_MASK : 0u) |
                            (with & CLNORM_WITH_ACCUMULATION ? CLNORM__HAS_OLD : 0u);
    call.is_preparing = 1;
    /* Views of what only the last step meets come first, then views of all. */
    for (unsigned i = 0; i < 2 * ways[operation] && status == CLNORM_SUCCESS; i++) {
        const unsigned way = i / 2, has_views = with & (CLNORM_WITH_SLICES | CLNORM_WITH_VIEWS);
        call.ask = (struct clnorm__ask){operation, operation == CLNORM_FORWARD_INFERENCE ? 0 : sums[way], apply[way],
                                        extras, 1};
        if (i % 2 && !has_views)
            continue;
        if (has_views)
            clnorm__filter_view(&call.filter, with & CLNORM_WITH_VIEWS ? CLNORM__STRIDED : CLNORM__SLICE, i % 2);
        if (with & CLNORM_WITH_PARTS) {
            status = clnorm__call_prepare_parts(&call);
            continue;
        }
        status = clnorm__call_plan(&call, &d, plans, &groups_at, &workspace);
        if (status == CLNORM_SUCCESS)
            status = clnorm__call_prepare(&call, &d, plans);
    }
    return status == CLNORM_SUCCESS ? status : clnorm__call_refused(&call, status);
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
    const struct clnorm__launch *launches[] = {&plan.spread, &plan.fused,  &plan.stats,
                                               &plan.roots,  &plan.finish, &plan.apply};
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
    int status = clnorm__call_begin(&call, context, queue, desc, args, CLNORM_FORWARD_TRAINING);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_running(&call, args->momentum, args->running_flags);
    if (status != CLNORM_SUCCESS)
        return status;
    return clnorm__call_finish(&call, args, wait_count, wait_list, event);
}

int clnorm_forward_inference(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_forward_inference_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    int status = clnorm__call_begin(&call, context, queue, desc, args, CLNORM_FORWARD_INFERENCE);
    return status == CLNORM_SUCCESS ? clnorm__call_finish(&call, args, wait_count, wait_list, event) : status;
}

int clnorm_backward_training(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_backward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                             cl_event *event)
{
    struct call call;
    int status = clnorm__call_begin(&call, context, queue, desc, args, CLNORM_BACKWARD_TRAINING);
    if (status == CLNORM_SUCCESS)
        status = clnorm__call_accumulate(&call, args->accumulate);
    return status == CLNORM_SUCCESS ? clnorm__call_finish(&call, args, wait_count, wait_list, event) : status;
}

int clnorm_backward_frozen(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                           const clnorm_backward_frozen_args *args, cl_uint wait_count, const cl_event *wait_list,
                           cl_event *event)
{
    struct call call;
    int status = clnorm__call_begin(&call, context, queue, desc, args, CLNORM_BACKWARD_FROZEN);
    if (status != CLNORM_SUCCESS)
        return status;
    call.finish.flags = CLNORM_IS_FROZEN;
    status = clnorm__call_accumulate(&call, args->accumulate);
    return status == CLNORM_SUCCESS ? clnorm__call_finish(&call, args, wait_count, wait_list, event) : status;
}
