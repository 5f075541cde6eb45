/* SPDX-License-Identifier: Apache-2.0 */
#include "run/block_plan.h"

#include <stdio.h>

#include "device/context.h"
#include "plan/arithmetic.h"
#include "plan/turns.h"

/* A product with at least so many columns uses the device well. */
#define ENOUGH_COLUMNS 4096u
/* Elements of the columns and the product of a group, unless one image has more, or of sums of weights' gradients: 64 MiB. */
#define MOST_GROUP ((uint64_t)1 << 24)

static uint64_t most_group(const clnorm_context *context)
{
    return context->device.group_elements ? context->device.group_elements : MOST_GROUP;
}

/* Samples that go through a product together. A product that stands in place needs room for columns alone, or for nothing. */
static uint64_t choose_group(const clnorm_context *context, const struct clnorm__geometry *g, int reproducible,
                             uint64_t chunk)
{
    if (reproducible && g->direct)
        return g->n;
    uint64_t each = g->terms + (reproducible ? 0 : g->channels);
    uint64_t room = most_group(context) / each / g->positions, group = ENOUGH_COLUMNS / g->positions;
    group = most(1, least(least(group, room), g->n));
    if (!chunk || group == g->n) /* else whole chunks, or whole parts of one, which is a power of two */
        return group;
    return group < chunk ? floor_power(group) : group - group % chunk;
}

clnorm_desc clnorm__block_norm(const struct clnorm__block_plan *plan, const clnorm_block_desc *desc)
{
    clnorm_desc norm = {.n = plan->g.n, .c = plan->g.channels, .s = plan->g.positions};
    norm.layout = CLNORM_CHANNELS_FIRST;
    norm.type = desc->type;
    norm.epsilon = plan->plain ? 1e-5f : desc->epsilon;
    norm.activation = desc->activation;
    return norm;
}

clnorm_buffer clnorm__block_tensor(const struct clnorm__block_plan *plan, clnorm_buffer workspace, uint64_t at)
{
    workspace.offset = (workspace.offset + at) * (4 / clnorm_type_bytes(plan->type));
    return workspace;
}

/* Of the operands, weights and their gradient are binary32, and so are gradients of columns, which are added up yet. */
static unsigned form_of(const struct clnorm__block_plan *plan, enum clnorm__pass pass)
{
    const struct clnorm__geometry *g = &plan->g;
    const unsigned both = g->dense ? CLNORM__A_TYPED : CLNORM__B_TYPED;
    if (plan->type == CLNORM_FLOAT32)
        return 0;
    if (pass == CLNORM__PASS_WEIGHTS)
        return CLNORM__OF_TYPE(plan->type) | CLNORM__A_TYPED | CLNORM__B_TYPED;
    if (pass == CLNORM__PASS_SRC && !g->dense && !g->direct)
        return CLNORM__OF_TYPE(plan->type) | both;
    return CLNORM__OF_TYPE(plan->type) | both | CLNORM__C_TYPED;
}

/* Rows are samples. */
static struct clnorm__product dense_product(const struct clnorm__geometry *g, enum clnorm__pass pass)
{
    struct clnorm__product p = {0};
    p.m = pass == CLNORM__PASS_WEIGHTS ? g->channels : g->n;
    p.n = pass == CLNORM__PASS_FORWARD ? g->channels : g->terms;
    p.k = pass == CLNORM__PASS_FORWARD ? g->terms : pass == CLNORM__PASS_WEIGHTS ? g->n : g->channels;
    p.transpose_a = pass == CLNORM__PASS_WEIGHTS;
    p.transpose_b = pass == CLNORM__PASS_FORWARD;
    p.a_stride = pass == CLNORM__PASS_FORWARD ? g->terms : g->channels;
    p.b_stride = g->terms;
    p.c_stride = p.n;
    p.column_run = p.n;
    p.term_run = p.k;
    return p;
}

/* Where a matrix of rows of (sample, position) stands: from row to row, and within a row from sample to sample. */
struct stand {
    uint64_t row, image;
};

static struct stand stand_of(const struct clnorm__geometry *g, uint64_t rows, uint64_t samples, int in_place)
{
    struct stand s = {samples * g->positions, g->positions};
    if (in_place) {
        s.row = g->positions;
        s.image = rows * g->positions;
    }
    return s;
}

/* Where not dense, rows are channels (or terms), and columns (or terms) the positions of all samples. */
struct clnorm__product clnorm__block_product(const struct clnorm__block_plan *plan, enum clnorm__pass pass,
                                             uint64_t samples)
{
    const struct clnorm__geometry *g = &plan->g;
    if (g->dense) {
        struct clnorm__product dense = dense_product(g, pass);
        dense.form = form_of(plan, pass);
        return dense;
    }
    struct stand product = stand_of(g, g->channels, samples, plan->in_place);
    struct stand columns = stand_of(g, g->terms, samples, plan->in_place && g->direct);
    struct clnorm__product p = {.m = g->channels, .n = samples * g->positions, .k = g->terms};
    p.column_run = g->positions;
    p.form = form_of(plan, pass);
    switch (pass) {
    case CLNORM__PASS_FORWARD:
        p.a_stride = p.k;
        p.b_stride = columns.row, p.b_image = columns.image;
        p.c_stride = product.row, p.c_image = product.image;
        break;
    case CLNORM__PASS_WEIGHTS:
        p.n = g->terms;
        p.k = samples * g->positions;
        p.transpose_b = 1;
        p.a_stride = product.row, p.a_image = product.image;
        p.b_stride = columns.row, p.b_image = columns.image;
        p.c_stride = p.column_run = p.n;
        break;
    default:
        p.m = g->terms;
        p.k = g->channels;
        p.transpose_a = 1;
        p.a_stride = g->terms;
        p.b_stride = product.row, p.b_image = product.image;
        p.c_stride = columns.row, p.c_image = columns.image;
        break;
    }
    p.term_run = pass == CLNORM__PASS_WEIGHTS ? g->positions : p.k;
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
        struct clnorm__product p = clnorm__block_product(plan, (enum clnorm__pass)pass, g->group);
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
    norm.activation = CLNORM_IDENTITY;
    if (status == CLNORM_SUCCESS && operation == CLNORM_BACKWARD_TRAINING)
        status = clnorm_get_workspace_bytes(context, CLNORM_BACKWARD_FROZEN, &norm, &sum_bytes);
    *elements = most(bytes, sum_bytes) / sizeof(cl_float);
    return status;
}

/* Where the driver ends loops, a long sum goes on from what is stored: in another type than binary32 that would be other bits. */
static int check_terms(clnorm_context *context, enum clnorm_operation operation, const struct clnorm__block_plan *plan,
                       char why[CLNORM__WHY])
{
    const uint64_t most_terms = clnorm__turns_terms(&context->device);
    const uint64_t back = plan->g.dense || plan->g.direct ? plan->g.channels : 0;
    const uint64_t terms = operation == CLNORM_BACKWARD_TRAINING ? back : plan->g.terms;
    if (plan->type == CLNORM_FLOAT32 || most_terms == 0 || terms <= most_terms)
        return CLNORM_SUCCESS;
    snprintf(
        why, CLNORM__WHY,
        "type is %d; the driver of %.64s ends loops, and there sums of more than %llu terms (here %llu) are taken in "
        "CLNORM_FLOAT32 (0) alone",
        (int)plan->type, context->device.info.name, (unsigned long long)most_terms, (unsigned long long)terms);
    return CLNORM_UNSUPPORTED_TYPE;
}

/* Room for the chunks' sums, those of a block of them at a time. */
static void plan_chunks(const clnorm_context *context, struct clnorm__block_plan *plan)
{
    const struct clnorm__geometry *g = &plan->g;
    if (plan->part)
        plan->slots = plan->block_chunks = plan->part->leaves;
    if (plan->part || !plan->chunk || g->n <= plan->chunk)
        return;
    const uint64_t chunks = ceil_div(g->n, plan->chunk);
    const uint64_t turns = clnorm__turns_pieces(&context->device, CLNORM__SUM_TURNS);
    const uint64_t room = floor_power(most(1, least(turns, most_group(context) / g->weights_count)));
    plan->slots = plan->block_chunks = least(chunks, room);
    for (uint64_t blocks = ceil_div(chunks, plan->block_chunks); blocks > 1; blocks = ceil_div(blocks, 2))
        plan->slots++;
    plan->slots += chunks > room;
}

int clnorm__block_plan_make(clnorm_context *context, cl_command_queue queue, enum clnorm_operation operation,
                            const clnorm_block_desc *desc, struct clnorm__block_plan *plan, char why[CLNORM__WHY])
{
    struct clnorm__geometry *g = &plan->g;
    int backward = operation == CLNORM_BACKWARD_TRAINING, status = CLNORM_SUCCESS;
    uint64_t norm = 0;
    plan->reproducible = (desc->flags & CLNORM_BLOCK_REPRODUCIBLE) != 0;
    plan->type = desc->type;
    if (desc->type != CLNORM_FLOAT32 && !plan->reproducible) {
        snprintf(
            why, CLNORM__WHY,
            "type is %d; with CLBlast a block computes with CLNORM_FLOAT32 (0) alone, with CLNORM_BLOCK_REPRODUCIBLE "
            "with any",
            (int)desc->type);
        return CLNORM_UNSUPPORTED_TYPE;
    }
    plan->plain = (desc->flags & CLNORM_BLOCK_PLAIN) != 0;
    plan->is_active = clnorm__is_active(&desc->activation);
    plan->temp = plan->workspace = plan->slots = plan->block_chunks = 0;
    if (!plan->reproducible && !clnorm__blas_is_there()) {
        snprintf(why, CLNORM__WHY, "the library was built without CLBlast; CLNORM_BLOCK_REPRODUCIBLE needs none");
        return CLNORM_NO_BLAS;
    }
    if (g->n == 0)
        return CLNORM_SUCCESS;
    plan->chunk = 0;
    if (plan->reproducible) {
        const clnorm_desc tensor = clnorm__block_norm(plan, desc);
        clnorm_get_part_multiple(&tensor, &plan->chunk);
    }
    if (!g->dense)
        g->group = choose_group(context, g, plan->reproducible, plan->chunk);
    plan->in_place = plan->reproducible || g->group == 1;
    if (backward && !g->dense && !g->direct)
        status = clnorm__turns_check(&context->device, clnorm__turns_of_image(desc->kernel_h, desc->kernel_w), why,
                                     CLNORM__WHY, "the gradient of an image by a kernel that large");
    if (status == CLNORM_SUCCESS && plan->part)
        status = clnorm__turns_check(&context->device, plan->part->leaves * CLNORM__SUM_TURNS, why, CLNORM__WHY,
                                     "the gradient of weights of that many samples in one part");
    if (status == CLNORM_SUCCESS)
        status = check_terms(context, operation, plan, why);
    if (!plan->reproducible && status == CLNORM_SUCCESS)
        status = plan_temp(context, queue, backward, plan, why);
    if (status == CLNORM_SUCCESS)
        status = plan_norm(context, operation, desc, plan, &norm);
    if (status != CLNORM_SUCCESS)
        return status;
    plan->temp_at = 0;
    plan->norm_at = plan->temp ? plan->temp + context->device.base_align / sizeof(cl_float) : 0;
    plan->diff_at = plan->norm_at + norm;
    plan->sum_at = plan->diff_at;
    if (backward && (!plan->plain || plan->is_active))
        plan->sum_at += ceil_div(g->dst_count * clnorm_type_bytes(desc->type), sizeof(cl_float));
    plan->columns_at = plan->sum_at + (backward && desc->type != CLNORM_FLOAT32 ? g->channels : 0);
    plan->chunks_at = plan->columns_at;
    if (backward)
        plan_chunks(context, plan);
    plan->columns_at += plan->slots * g->weights_count;
    plan->rows_at = plan->columns_at;
    if (!g->dense && !(g->direct && plan->in_place))
        plan->rows_at += g->terms * g->positions * g->group;
    plan->workspace = plan->rows_at + (!g->dense && !plan->in_place ? g->channels * g->positions * g->group : 0);
    return CLNORM_SUCCESS;
}
