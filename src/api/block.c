/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls of blocks: check, plan, run. */
#include <stdio.h>
#include <string.h>

#include "api/block_call.h"
#include "device/buffers.h"
#include "device/context.h"
#include "plan/turns.h"

int clnorm__block_refused(const struct block_call *call, int status)
{
    clnorm__log(call->context, CLNORM_LOG_ERROR, "%s", call->why[0] ? call->why : clnorm_status_string(status));
    return status;
}

int clnorm__block_begin(struct block_call *call, clnorm_context *context, cl_command_queue queue,
                        const clnorm_block_desc *desc, const void *args, enum clnorm_operation operation,
                        const clnorm_parts *parts, uint64_t part)
{
    memset(call, 0, sizeof *call);
    call->context = call->chain.context = context;
    call->desc = call->chain.desc = desc;
    call->chain.plan = &call->plan;
    call->chain.stream.queue = queue;
    call->uses.query = "clnorm_get_block_workspace_bytes";
    int status = clnorm__check_block_desc(desc, &call->plan.g, call->why);
    if (status == CLNORM_SUCCESS && !args) {
        snprintf(call->why, sizeof call->why, "args is NULL; it names the buffers of the call");
        status = CLNORM_INVALID_ARGUMENT;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm__queue_facts(context, queue, &call->chain.stream.ordered, call->why);
    if (status == CLNORM_SUCCESS && parts)
        status = clnorm__block_part(call, parts, part, 1);
    if (status == CLNORM_SUCCESS && operation != CLNORM_BACKWARD_FROZEN) /* fold takes no product and no workspace */
        status = clnorm__block_plan_make(context, queue, operation, desc, &call->plan, call->why);
    return status == CLNORM_SUCCESS ? status : clnorm__block_refused(call, status);
}

int clnorm__block_check(struct block_call *call, enum clnorm__call which, const void *args, cl_uint wait_count,
                        const cl_event *wait_list, cl_event *event)
{
    const struct clnorm__geometry *g = &call->plan.g;
    const uint64_t size[CLNORM__SIZES] = {
        [CLNORM__OF_SRC] = g->src_count,        [CLNORM__OF_WEIGHTS] = g->weights_count,
        [CLNORM__OF_FOLDED] = g->weights_count, [CLNORM__OF_CHANNELS] = g->channels,
        [CLNORM__OF_DST] = g->dst_count,        [CLNORM__OF_WORKSPACE] = call->plan.workspace};
    const unsigned facts = (g->n ? CLNORM__NOT_EMPTY : 0u) | (call->plan.is_active ? CLNORM__ACTIVATED : 0u) |
                           (call->plan.plain ? CLNORM__PLAIN : 0u);
    int status = clnorm__operands_use(&clnorm__operands[which], args, size, facts,
                                      (unsigned)clnorm_type_bytes(call->desc->type), &call->uses, call->why);
    if (status == CLNORM_SUCCESS && call->node_elements)
        clnorm__use_nodes(&call->uses, call->nodes, call->node_elements, 1);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_present(&call->uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__buffer_facts(call->context, &call->uses, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_buffers(&call->uses, call->why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(call, status);
    call->chain.stream.wait_count = wait_count;
    call->chain.stream.wait_list = wait_list;
    call->chain.stream.event = event;
    clnorm__chain_begin(&call->chain, &call->uses.use[call->uses.count - 1]);
    return CLNORM_SUCCESS;
}

int clnorm__block_end(struct block_call *call)
{
    int status = clnorm__chain_end(&call->chain);
    return status == CLNORM_SUCCESS ? status : clnorm__block_refused(call, status);
}

static clnorm_buffer norm_workspace(const struct block_call *call)
{
    clnorm_buffer buffer = call->chain.workspace;
    buffer.offset += call->plan.norm_at;
    return buffer;
}

/* ---- forward ---- */

int clnorm_get_block_workspace_bytes(clnorm_context *context, enum clnorm_operation operation,
                                     const clnorm_block_desc *desc, size_t *bytes)
{
    struct block_call call = {.context = context, .desc = desc};
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    int status = clnorm__check_block_desc(desc, &call.plan.g, call.why);
    if (status == CLNORM_SUCCESS && (operation < CLNORM_FORWARD_TRAINING || operation > CLNORM_BACKWARD_TRAINING)) {
        snprintf(call.why, sizeof call.why,
                 "operation is %d; of a block it is CLNORM_FORWARD_TRAINING (0), CLNORM_FORWARD_INFERENCE (1) or "
                 "CLNORM_BACKWARD_TRAINING (2)",
                 (int)operation);
        status = CLNORM_INVALID_ENUM;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm__block_plan_make(context, NULL, operation, desc, &call.plan, call.why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    *bytes = (size_t)call.plan.workspace * sizeof(cl_float);
    return CLNORM_SUCCESS;
}

static void train(struct block_call *call, const clnorm_block_training_args *args)
{
    struct clnorm__chain *chain = &call->chain;
    int plain = call->plan.plain;
    clnorm__chain_forward(chain, args->src, args->weights, args->bias, plain ? args->dst : args->product, plain);
    if (plain)
        return;
    clnorm_desc norm = clnorm__block_norm(&call->plan, call->desc);
    clnorm_forward_training_args n = {.src = args->product, .dst = args->dst};
    n.scale = args->scale;
    n.shift = args->shift;
    n.running_mean = args->running_mean;
    n.running_variance = args->running_variance;
    n.save_mean = args->save_mean;
    n.save_mean_low = args->save_mean_low;
    n.save_invstd = args->save_invstd;
    n.save_variance = args->save_variance;
    n.workspace = norm_workspace(call);
    n.momentum = args->momentum;
    n.running_flags = args->running_flags;
    CLNORM__CHAIN(chain, clnorm_forward_training(chain->context, chain->step.queue, &norm, &n, chain->step.wait_count,
                                                 chain->step.wait_list, chain->step.event));
}

int clnorm_block_forward_training(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                  const clnorm_block_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                                  cl_event *event)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = clnorm__block_begin(&call, context, queue, desc, args, CLNORM_FORWARD_TRAINING, NULL, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct clnorm__geometry *g = &call.plan.g;
    if (!call.plan.plain)
        status = clnorm__check_momentum(args->momentum, args->running_flags, call.why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    status = clnorm__block_check(&call, CLNORM__CALL_BLOCK_TRAINING, args, wait_count, wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    if (g->n > 0)
        train(&call, args);
    return clnorm__block_end(&call);
}

static void infer(struct block_call *call, const clnorm_block_inference_args *args)
{
    struct clnorm__chain *chain = &call->chain;
    const clnorm_buffer product = args->product.mem ? args->product : args->dst;
    clnorm__chain_forward(chain, args->src, args->weights, args->bias, product, call->plan.plain);
    if (call->plan.plain)
        return;
    clnorm_desc norm = clnorm__block_norm(&call->plan, call->desc);
    clnorm_forward_inference_args n = {.src = product, .dst = args->dst};
    n.scale = args->scale;
    n.shift = args->shift;
    n.mean = args->mean;
    n.variance = args->variance;
    n.workspace = norm_workspace(call);
    CLNORM__CHAIN(chain, clnorm_forward_inference(chain->context, chain->step.queue, &norm, &n, chain->step.wait_count,
                                                  chain->step.wait_list, chain->step.event));
}

int clnorm_block_forward_inference(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                   const clnorm_block_inference_args *args, cl_uint wait_count,
                                   const cl_event *wait_list, cl_event *event)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = clnorm__block_begin(&call, context, queue, desc, args, CLNORM_FORWARD_INFERENCE, NULL, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct clnorm__geometry *g = &call.plan.g;
    status = clnorm__block_check(&call, CLNORM__CALL_BLOCK_INFERENCE, args, wait_count, wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    if (g->n > 0)
        infer(&call, args);
    return clnorm__block_end(&call);
}

int clnorm_block_fold(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                      const clnorm_block_fold_args *args, cl_uint wait_count, const cl_event *wait_list,
                      cl_event *event)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = clnorm__block_begin(&call, context, queue, desc, args, CLNORM_BACKWARD_FROZEN, NULL, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct clnorm__geometry *g = &call.plan.g;
    status = clnorm__turns_check(&context->device, g->terms, call.why, sizeof call.why, "folding that many weights");
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    status = clnorm__block_check(&call, CLNORM__CALL_BLOCK_FOLD, args, wait_count, wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    CLNORM__CHAIN(&call.chain, clnorm__block_fold(context, &call.chain.step, args, desc->type, g->channels, g->terms,
                                                  desc->epsilon));
    return clnorm__block_end(&call);
}

/* A linear layer's weights are all that there is to know of any layer's. */
int clnorm_fold(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc, uint64_t length,
                const clnorm_fold_args *args, cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    struct block_call call = {.context = context};
    clnorm_block_desc block;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = clnorm__check_desc(desc, call.why);
    if (status == CLNORM_SUCCESS && length == 0) {
        snprintf(call.why, sizeof call.why, "length is 0; it is the number of weights of an output, above 0");
        status = CLNORM_INVALID_SIZE;
    }
    if (status == CLNORM_SUCCESS)
        status = clnorm_describe_linear(1, length, desc->c, &block);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    block.type = desc->type;
    block.epsilon = desc->epsilon;
    return clnorm_block_fold(context, queue, &block, args, wait_count, wait_list, event);
}

/* ---- backward ---- */

static clnorm_buffer product_diff(const struct block_call *call)
{
    return clnorm__block_tensor(&call->plan, call->chain.workspace, call->plan.diff_at);
}

/* The gradient of a product that nothing normalizes, into the workspace; or where it is without change, diff_dst itself. */
static clnorm_buffer plain_gradient(struct block_call *call, clnorm_buffer diff_dst, clnorm_buffer dst, int wanted)
{
    struct clnorm__chain *chain = &call->chain;
    const clnorm_buffer mine = product_diff(call);
    if (!call->plan.is_active || !wanted)
        return diff_dst;
    CLNORM__CHAIN(chain, clnorm__block_mask(chain->context, &chain->step, diff_dst, dst, mine, call->plan.type,
                                            call->plan.g.dst_count, call->desc->activation));
    return mine;
}

/* The same through the batch's statistics, always into the workspace. */
static clnorm_buffer batch_gradient(struct block_call *call, const clnorm_block_backward_args *args, int wanted)
{
    struct clnorm__chain *chain = &call->chain;
    const clnorm_buffer mine = product_diff(call);
    clnorm_desc norm = clnorm__block_norm(&call->plan, call->desc);
    clnorm_backward_training_args n = {.src = args->product, .diff_dst = args->diff_dst};
    n.scale = args->scale;
    n.save_mean = args->save_mean;
    n.save_mean_low = args->save_mean_low;
    n.save_invstd = args->save_invstd;
    n.diff_src = wanted ? mine : n.diff_src;
    n.dst = call->plan.is_active ? args->dst : n.dst;
    n.diff_scale = args->diff_scale;
    n.diff_shift = args->diff_shift;
    n.workspace = norm_workspace(call);
    CLNORM__CHAIN(chain, clnorm_backward_training(chain->context, chain->step.queue, &norm, &n, chain->step.wait_count,
                                                  chain->step.wait_list, chain->step.event));
    return mine;
}

/* The same through given statistics. */
static clnorm_buffer frozen_gradient(struct block_call *call, const clnorm_block_backward_frozen_args *args, int wanted)
{
    struct clnorm__chain *chain = &call->chain;
    const clnorm_buffer mine = product_diff(call);
    clnorm_desc norm = clnorm__block_norm(&call->plan, call->desc);
    clnorm_backward_frozen_args n = {.src = args->product, .diff_dst = args->diff_dst};
    n.scale = args->scale;
    n.mean = args->mean;
    n.variance = args->variance;
    n.diff_src = wanted ? mine : n.diff_src;
    n.dst = call->plan.is_active ? args->dst : n.dst;
    n.diff_scale = args->diff_scale;
    n.diff_shift = args->diff_shift;
    n.workspace = norm_workspace(call);
    CLNORM__CHAIN(chain, clnorm_backward_frozen(chain->context, chain->step.queue, &norm, &n, chain->step.wait_count,
                                                chain->step.wait_list, chain->step.event));
    return mine;
}

/* diff_bias: a sum of frozen statistics, whose values it does not depend on. */
static void sum_bias(struct block_call *call, clnorm_buffer diff, clnorm_buffer diff_bias)
{
    struct clnorm__chain *chain = &call->chain;
    clnorm_desc norm = clnorm__block_norm(&call->plan, call->desc);
    norm.activation = CLNORM_IDENTITY;
    clnorm_backward_frozen_args n = {.diff_dst = diff, .variance = diff, .diff_shift = diff_bias};
    if (call->plan.type != CLNORM_FLOAT32) { /* variances are binary32 */
        n.variance = chain->workspace;
        n.variance.offset += call->plan.sum_at;
    }
    n.workspace = norm_workspace(call);
    CLNORM__CHAIN(chain, clnorm_backward_frozen(chain->context, chain->step.queue, &norm, &n, chain->step.wait_count,
                                                chain->step.wait_list, chain->step.event));
}

/* What gradients of a block have in common, whatever its statistics. */
struct gradients {
    clnorm_buffer src, weights, diff_src, diff_weights, diff_bias, diff_scale, diff_shift;
};

#define GRADIENTS_OF(args)                                                                                             \
    {                                                                                                                  \
        (args)->src, (args)->weights, (args)->diff_src, (args)->diff_weights, (args)->diff_bias, (args)->diff_scale,   \
            (args)->diff_shift                                                                                         \
    }

/* Whether the gradient of the product is. */
static int is_wanted(const struct gradients *of)
{
    return of->diff_src.mem || of->diff_weights.mem || of->diff_bias.mem;
}

/* From the gradient of the product on. */
static void differentiate(struct block_call *call, clnorm_buffer diff, const struct gradients *of)
{
    if (of->diff_bias.mem)
        sum_bias(call, diff, of->diff_bias);
    if (of->diff_src.mem || of->diff_weights.mem)
        clnorm__chain_backward(&call->chain, diff, of->src, of->weights, of->diff_src, of->diff_weights);
}

/* n = 0: gradients of parameters become 0. */
static void zero(struct block_call *call, const struct gradients *of)
{
    const cl_float nothing = 0;
    const struct {
        clnorm_buffer buffer;
        uint64_t elements;
    } zeroed[] = {{of->diff_weights, call->plan.g.weights_count},
                  {of->diff_bias, call->plan.g.channels},
                  {of->diff_scale, call->plan.g.channels},
                  {of->diff_shift, call->plan.g.channels}};
    struct clnorm__chain *chain = &call->chain;
    for (unsigned i = 0; i < sizeof zeroed / sizeof *zeroed; i++)
        if (zeroed[i].buffer.mem)
            CLNORM__CHAIN(chain, clEnqueueFillBuffer(chain->step.queue, zeroed[i].buffer.mem, &nothing, sizeof nothing,
                                                     zeroed[i].buffer.offset * sizeof nothing,
                                                     zeroed[i].elements * sizeof nothing, chain->step.wait_count,
                                                     chain->step.wait_list, chain->step.event));
}

/* Lets a backward call begin, or refuses it. */
static int begin_backward(struct block_call *call, clnorm_context *context, cl_command_queue queue,
                          const clnorm_block_desc *desc, enum clnorm__call which, const void *args, cl_uint wait_count,
                          const cl_event *wait_list, cl_event *event)
{
    int status = clnorm__block_begin(call, context, queue, desc, args, CLNORM_BACKWARD_TRAINING, NULL, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    status = clnorm__check_gradients(&clnorm__operands[which], args, call->why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(call, status);
    return clnorm__block_check(call, which, args, wait_count, wait_list, event);
}

int clnorm_block_backward(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                          const clnorm_block_backward_args *args, cl_uint wait_count, const cl_event *wait_list,
                          cl_event *event)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status =
        begin_backward(&call, context, queue, desc, CLNORM__CALL_BLOCK_BACKWARD, args, wait_count, wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct gradients of = GRADIENTS_OF(args);
    if (call.plan.g.n == 0)
        zero(&call, &of);
    else if (call.plan.plain)
        differentiate(&call, plain_gradient(&call, args->diff_dst, args->dst, is_wanted(&of)), &of);
    else
        differentiate(&call, batch_gradient(&call, args, is_wanted(&of)), &of);
    return clnorm__block_end(&call);
}

int clnorm_block_backward_frozen(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                 const clnorm_block_backward_frozen_args *args, cl_uint wait_count,
                                 const cl_event *wait_list, cl_event *event)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = begin_backward(&call, context, queue, desc, CLNORM__CALL_BLOCK_BACKWARD_FROZEN, args, wait_count,
                                wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    const struct gradients of = GRADIENTS_OF(args);
    if (call.plan.g.n == 0)
        zero(&call, &of);
    else if (call.plan.plain)
        differentiate(&call, plain_gradient(&call, args->diff_dst, args->dst, is_wanted(&of)), &of);
    else
        differentiate(&call, frozen_gradient(&call, args, is_wanted(&of)), &of);
    return clnorm__block_end(&call);
}

/* ---- descriptions ---- */

int clnorm_describe_convolution(uint64_t n, uint64_t src_c, uint64_t src_h, uint64_t src_w, uint64_t dst_c,
                                uint64_t kernel, uint64_t stride, uint64_t pad, uint64_t dilation,
                                clnorm_block_desc *desc)
{
    clnorm_block_desc d = {.n = n, .src_c = src_c, .dst_c = dst_c, .src_h = src_h, .src_w = src_w};
    char why[CLNORM__WHY];
    if (!desc)
        return CLNORM_INVALID_ARGUMENT;
    d.kernel_h = d.kernel_w = kernel;
    d.stride_h = d.stride_w = stride;
    d.pad_h = d.pad_w = pad;
    d.dilation_h = d.dilation_w = dilation;
    d.activation = CLNORM_IDENTITY;
    d.type = CLNORM_FLOAT32;
    d.epsilon = 1e-5f;
    int status = clnorm__check_block_desc(&d, NULL, why);
    if (status == CLNORM_SUCCESS)
        *desc = d;
    return status;
}

int clnorm_describe_linear(uint64_t n, uint64_t src_c, uint64_t dst_c, clnorm_block_desc *desc)
{
    return clnorm_describe_convolution(n, src_c, 1, 1, dst_c, 1, 1, 0, 1, desc);
}

int clnorm_get_block_dst_size(const clnorm_block_desc *desc, uint64_t *dst_h, uint64_t *dst_w)
{
    struct clnorm__geometry g;
    char why[CLNORM__WHY];
    int status = clnorm__check_block_desc(desc, &g, why);
    if (status == CLNORM_SUCCESS && dst_h)
        *dst_h = g.dst_h;
    if (status == CLNORM_SUCCESS && dst_w)
        *dst_w = g.dst_w;
    return status;
}
