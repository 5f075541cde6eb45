/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in parts: gradients of weights. */
#include <stdio.h>
#include <string.h>

#include "api/block_call.h"
#include "device/buffers.h"
#include "device/context.h"

int clnorm__block_part(struct block_call *call, const clnorm_parts *parts, uint64_t part, int is_of_part)
{
    const struct clnorm__geometry *g = &call->plan.g;
    const unsigned flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    clnorm_desc dst = {.n = call->desc->n, .c = g->channels, .s = g->positions, .layout = CLNORM_CHANNELS_FIRST};
    if ((call->desc->flags & flags) != flags || clnorm__is_active(&call->desc->activation)) {
        snprintf(call->why, sizeof call->why,
                 "flags are %u; a block in parts has CLNORM_BLOCK_REPRODUCIBLE (1) and CLNORM_BLOCK_PLAIN (2), and no "
                 "activation, which comes with the normalization",
                 call->desc->flags);
        return CLNORM_INVALID_PARTS;
    }
    const int status = clnorm__check_parts(&dst, parts, part, is_of_part, &call->batch, call->why);
    if (status != CLNORM_SUCCESS)
        return status;
    if (g->positions > CLNORM_LEAF) { /* a run is a sample, which has several leaves: as leaves of 64 positions */
        call->batch.layout = CLNORM_CHANNELS_LAST;
        call->batch.s = CLNORM_LANES;
    }
    clnorm__part_of(&call->batch, parts, part, &call->part);
    call->plan.part = &call->part;
    return CLNORM_SUCCESS;
}

/* A call that names no queue yet: what it says of parts. */
static int query(struct block_call *call, clnorm_context *context, const clnorm_block_desc *desc,
                 const clnorm_parts *parts, uint64_t part, int is_of_part)
{
    memset(call, 0, sizeof *call);
    call->context = context;
    call->desc = desc;
    int status = clnorm__check_block_desc(desc, &call->plan.g, call->why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__block_part(call, parts, part, is_of_part);
    return status;
}

int clnorm_get_block_part_nodes(const clnorm_block_desc *desc, const clnorm_parts *parts, uint64_t part,
                                uint64_t *first, uint64_t *elements)
{
    struct block_call call;
    if (!first || !elements)
        return CLNORM_INVALID_ARGUMENT;
    const int status = query(&call, NULL, desc, parts, part, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    *first = call.part.node * call.plan.g.weights_count;
    *elements = call.part.nodes * call.plan.g.weights_count;
    return CLNORM_SUCCESS;
}

int clnorm_get_block_part_workspace_bytes(clnorm_context *context, const clnorm_block_desc *desc,
                                          const clnorm_parts *parts, uint64_t part, size_t *bytes)
{
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!bytes)
        return CLNORM_INVALID_ARGUMENT;
    int status = query(&call, context, desc, parts, part, 1);
    if (status == CLNORM_SUCCESS)
        status = clnorm__block_plan_make(context, NULL, CLNORM_BACKWARD_TRAINING, desc, &call.plan, call.why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    *bytes = (size_t)call.plan.workspace * sizeof(cl_float);
    return CLNORM_SUCCESS;
}

/* Elements of the nodes of all parts. */
static uint64_t all_elements(const struct block_call *call, const clnorm_parts *parts)
{
    struct clnorm__part all;
    clnorm__part_of(&call->batch, parts, parts->count, &all);
    return all.node * call->plan.g.weights_count;
}

int clnorm_block_backward_sums(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                               const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                               const clnorm_block_backward_args *args, cl_uint wait_count, const cl_event *wait_list,
                               cl_event *event)
{
    const clnorm_parts none = {0};
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status =
        clnorm__block_begin(&call, context, queue, desc, args, CLNORM_BACKWARD_TRAINING, parts ? parts : &none, part);
    if (status != CLNORM_SUCCESS)
        return status;
    if (args->diff_weights.mem || args->diff_bias.mem) {
        snprintf(call.why, sizeof call.why,
                 "%s is given; of a part there are sums, in nodes, and clnorm_block_backward_merge makes the gradient "
                 "of them",
                 args->diff_weights.mem ? "diff_weights" : "diff_bias");
        return clnorm__block_refused(&call, CLNORM_UNEXPECTED_BUFFER);
    }
    if (!args->src.mem) {
        snprintf(call.why, sizeof call.why, "src is NULL; it is required, a buffer of %llu elements",
                 (unsigned long long)call.plan.g.src_count);
        return clnorm__block_refused(&call, CLNORM_MISSING_BUFFER);
    }
    call.nodes = nodes;
    call.node_elements = all_elements(&call, parts);
    call.uses.query = "clnorm_get_block_part_workspace_bytes";
    status = clnorm__block_check(&call, CLNORM__CALL_BLOCK_BACKWARD, args, wait_count, wait_list, event);
    if (status != CLNORM_SUCCESS)
        return status;
    nodes.offset += call.part.node * call.plan.g.weights_count;
    if (call.plan.g.n > 0)
        clnorm__chain_backward(&call.chain, args->diff_dst, args->src, args->weights, args->diff_src, nodes);
    return clnorm__block_end(&call);
}

/* ---- the merge ---- */

/* The pairs of one launch, of a schedule whose stack holds the numbers of nodes. */
static void pair_up(const struct clnorm_schedule *schedule, uint32_t stack[CLNORM_STACK], uint64_t *node,
                    struct clnorm_pairs *pairs)
{
    unsigned depth = schedule->depth;
    memset(pairs, 0, sizeof *pairs);
    for (unsigned i = 0; i < schedule->count; i++) {
        if (!(schedule->is_merge[i / 32] >> i % 32 & 1u)) {
            stack[depth++] = (uint32_t)(*node)++;
            continue;
        }
        depth--;
        pairs->left[pairs->count] = stack[depth - 1];
        pairs->right[pairs->count++] = stack[depth];
    }
}

/* The pairs of one launch after another, of all nodes. */
struct pairing {
    struct clnorm__merging merging;
    struct clnorm_schedule schedule;
    uint32_t stack[CLNORM_STACK];
    uint64_t node;
    int is_more;
};

static void pairing_begin(const clnorm_desc *batch, const clnorm_parts *parts, struct pairing *p)
{
    p->node = 0;
    clnorm__merging_begin(batch, parts, &p->merging);
    p->is_more = clnorm__merging_next(&p->merging, &p->schedule);
}

static int pairing_next(struct pairing *p, struct clnorm_pairs *pairs)
{
    if (!p->is_more)
        return 0;
    pair_up(&p->schedule, p->stack, &p->node, pairs);
    p->is_more = clnorm__merging_next(&p->merging, &p->schedule);
    pairs->is_last = !p->is_more;
    return 1;
}

static void merge(struct block_call *call, const clnorm_parts *parts, clnorm_buffer nodes, clnorm_buffer diff_weights)
{
    struct clnorm__chain *chain = &call->chain;
    struct clnorm_pairs pairs;
    struct pairing pairing;
    pairing_begin(&call->batch, parts, &pairing);
    while (pairing_next(&pairing, &pairs))
        CLNORM__CHAIN(chain, clnorm__block_sum_nodes(chain->context, &chain->step, nodes, diff_weights,
                                                     call->plan.g.weights_count, pairs));
}

int clnorm_merge_block_nodes(const clnorm_block_desc *desc, const clnorm_parts *parts, uint64_t length, float *nodes)
{
    struct block_call call;
    struct clnorm_pairs pairs;
    struct pairing pairing;
    const int status = query(&call, NULL, desc, parts, 0, 0);
    if (status != CLNORM_SUCCESS)
        return status;
    if (!nodes)
        return CLNORM_INVALID_ARGUMENT;
    if (call.batch.n == 0)
        return CLNORM_SUCCESS;
    pairing_begin(&call.batch, parts, &pairing);
    while (pairing_next(&pairing, &pairs)) {
        for (unsigned i = 0; i < pairs.count; i++) {
            float *left = nodes + pairs.left[i] * length;
            const float *right = nodes + pairs.right[i] * length;
            for (uint64_t e = 0; e < length; e++)
                left[e] += right[e];
        }
    }
    return CLNORM_SUCCESS;
}

int clnorm_block_backward_merge(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                const clnorm_parts *parts, clnorm_buffer nodes, clnorm_buffer diff_weights,
                                cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    const cl_float zero = 0;
    struct block_call call;
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    int status = query(&call, context, desc, parts, 0, 0);
    call.chain.context = context;
    call.chain.desc = desc;
    call.chain.plan = &call.plan;
    call.chain.stream = (struct clnorm__stream){queue, 0, wait_count, wait_list, event};
    if (status == CLNORM_SUCCESS)
        status = clnorm__queue_facts(context, queue, &call.chain.stream.ordered, call.why);
    call.uses.count = 2;
    call.uses.use[0] = (struct clnorm__use){.name = "diff_weights",
                                            .buffer = diff_weights,
                                            .elements = call.plan.g.weights_count,
                                            .bytes = sizeof(cl_float),
                                            .required = 1,
                                            .written = 1,
                                            .spare = ""};
    call.uses.use[1] = (struct clnorm__use){.name = "workspace", .bytes = sizeof(cl_float)};
    if (status == CLNORM_SUCCESS)
        clnorm__use_nodes(&call.uses, nodes, all_elements(&call, parts), 1);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_present(&call.uses, call.why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__buffer_facts(context, &call.uses, call.why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_buffers(&call.uses, call.why);
    if (status != CLNORM_SUCCESS)
        return clnorm__block_refused(&call, status);
    clnorm__chain_begin(&call.chain, &call.uses.use[2]);
    if (call.batch.n > 0)
        merge(&call, parts, nodes, diff_weights);
    else
        CLNORM__CHAIN(&call.chain,
                      clEnqueueFillBuffer(queue, diff_weights.mem, &zero, sizeof zero,
                                          diff_weights.offset * sizeof zero, call.plan.g.weights_count * sizeof zero,
                                          wait_count, wait_list, call.chain.step.event));
    return clnorm__block_end(&call);
}
