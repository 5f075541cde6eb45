/* SPDX-License-Identifier: Apache-2.0 */
#include "block_plan.h"

#include <stdio.h>

#include "context.h"
#include "turns.h"

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* A product with at least so many columns uses the device well. */
#define ENOUGH_COLUMNS 4096u
/* Elements of the columns and the product of a group, unless one image has more: 64 MiB. */
#define MOST_GROUP ((uint64_t)1 << 24)

static uint64_t choose_group(const struct clnorm__geometry *g)
{
    uint64_t room = MOST_GROUP / (g->terms + g->channels) / g->positions, group = ENOUGH_COLUMNS / g->positions;
    return most(1, least(least(group, room), g->n));
}

clnorm_desc clnorm__block_norm(const struct clnorm__block_plan *plan, const clnorm_block_desc *desc)
{
    clnorm_desc norm = {.n = plan->g.n, .c = plan->g.channels, .s = plan->g.positions};
    norm.layout = CLNORM_CHANNELS_FIRST;
    norm.type = desc->type;
    norm.epsilon = plan->plain ? 1e-5f : desc->epsilon;
    return norm;
}

/* Where dense, rows are samples; else rows are channels (or terms), and columns the positions of all samples. */
struct clnorm__product clnorm__block_product(const struct clnorm__geometry *g, enum clnorm__pass pass, uint64_t samples)
{
    struct clnorm__product p = {0};
    uint64_t columns = samples * g->positions;
    switch (pass) {
    case CLNORM__PASS_FORWARD:
        p.m = g->dense ? samples : g->channels;
        p.n = g->dense ? g->channels : columns;
        p.k = g->terms;
        p.transpose_b = g->dense;
        p.a_stride = g->terms;
        p.b_stride = g->dense ? g->terms : columns;
        p.c_stride = p.n;
        break;
    case CLNORM__PASS_WEIGHTS:
        p.m = g->channels;
        p.n = g->terms;
        p.k = g->dense ? samples : columns;
        p.transpose_a = g->dense;
        p.transpose_b = !g->dense;
        p.a_stride = g->dense ? g->channels : columns;
        p.b_stride = g->dense ? g->terms : columns;
        p.c_stride = g->terms;
        break;
    default:
        p.m = g->dense ? samples : g->terms;
        p.n = g->dense ? g->terms : columns;
        p.k = g->channels;
        p.transpose_a = !g->dense;
        p.a_stride = g->dense ? g->channels : g->terms;
        p.b_stride = g->dense ? g->terms : columns;
        p.c_stride = p.n;
        break;
    }
    return p;
}

/* CLBlast's share of the workspace. */
static int plan_temp(clnorm_context *context, cl_command_queue queue, int backward, struct clnorm__block_plan *plan,
                     char why[CLNORM__WHY])
{
    const struct clnorm__geometry *g = &plan->g;
    cl_int e = CL_SUCCESS;
    cl_command_queue used = queue;
    if (!queue)
        used = clCreateCommandQueue(context->cl, context->device.info.device, 0, &e);
    if (e != CL_SUCCESS)
        return e;
    int status = CLNORM_SUCCESS;
    for (int pass = backward ? CLNORM__PASS_WEIGHTS : CLNORM__PASS_FORWARD;
         pass <= (backward ? CLNORM__PASS_SRC : CLNORM__PASS_FORWARD) && status == CLNORM_SUCCESS; pass++) {
        struct clnorm__product p = clnorm__block_product(g, (enum clnorm__pass)pass, g->dense ? g->n : g->group);
        uint64_t temp = 0;
        status = clnorm__blas_temp(used, &p, &temp, why);
        plan->temp = most(plan->temp, temp);
    }
    if (!queue)
        clReleaseCommandQueue(used);
    return status;
}

/* What the normalizations of an operation need. The sum of diff_bias is one of frozen statistics. */
static int plan_norm(clnorm_context *context, enum clnorm_operation operation, const clnorm_block_desc *desc,
                     const struct clnorm__block_plan *plan, uint64_t *elements)
{
    clnorm_desc norm = clnorm__block_norm(plan, desc);
    int status = CLNORM_SUCCESS;
    size_t bytes = 0, sum_bytes = 0;
    if (!plan->plain)
        status = clnorm_get_workspace_bytes(context, operation, &norm, &bytes);
    if (status == CLNORM_SUCCESS && operation == CLNORM_BACKWARD_TRAINING)
        status = clnorm_get_workspace_bytes(context, CLNORM_BACKWARD_FROZEN, &norm, &sum_bytes);
    *elements = most(bytes, sum_bytes) / sizeof(cl_float);
    return status;
}

int clnorm__block_plan_make(clnorm_context *context, cl_command_queue queue, enum clnorm_operation operation,
                            const clnorm_block_desc *desc, struct clnorm__block_plan *plan, char why[CLNORM__WHY])
{
    struct clnorm__geometry *g = &plan->g;
    int backward = operation == CLNORM_BACKWARD_TRAINING, status = CLNORM_SUCCESS;
    uint64_t norm = 0;
    plan->reproducible = (desc->flags & CLNORM_BLOCK_REPRODUCIBLE) != 0;
    plan->plain = (desc->flags & CLNORM_BLOCK_PLAIN) != 0;
    plan->relu = desc->activation == CLNORM_RELU;
    plan->temp = plan->workspace = 0;
    if (!plan->reproducible && !clnorm__blas_is_there()) {
        snprintf(why, CLNORM__WHY, "the library was built without CLBlast; CLNORM_BLOCK_REPRODUCIBLE needs none");
        return CLNORM_NO_BLAS;
    }
    if (g->n == 0)
        return CLNORM_SUCCESS;
    if (!g->dense)
        g->group = choose_group(g);
    if (backward && !g->dense && !g->direct)
        status = clnorm__turns_check(&context->device, clnorm__turns_of_image(desc->kernel_h, desc->kernel_w), why,
                                     CLNORM__WHY, "the gradient of an image by a kernel that large");
    if (!plan->reproducible && status == CLNORM_SUCCESS)
        status = plan_temp(context, queue, backward, plan, why);
    if (status == CLNORM_SUCCESS)
        status = plan_norm(context, operation, desc, plan, &norm);
    if (status != CLNORM_SUCCESS)
        return status;
    plan->temp_at = 0;
    plan->norm_at = plan->temp ? plan->temp + context->device.base_align / sizeof(cl_float) : 0;
    plan->diff_at = plan->norm_at + norm;
    plan->columns_at = plan->diff_at + (backward && (!plan->plain || plan->relu) ? g->dst_count : 0);
    plan->rows_at = plan->columns_at;
    /* One image's product is as it should lie in memory; that of several is channels first, images then. */
    if (!g->dense && !(g->direct && g->group == 1))
        plan->rows_at += g->terms * g->positions * g->group;
    plan->workspace = plan->rows_at + (g->group > 1 ? g->channels * g->positions * g->group : 0);
    return CLNORM_SUCCESS;
}
