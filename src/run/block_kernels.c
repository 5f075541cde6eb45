/* SPDX-License-Identifier: Apache-2.0 */
#include "run/block_kernels.h"

#include <math.h>

#include "device/kernel.h"
#include "device/program.h"
#include "plan/arithmetic.h"
#include "plan/rounded.h"
#include "plan/turns.h"

/* Elements a work-item of an elementwise kernel takes on a CPU-like device. */
#define ITEM_ELEMENTS 8192u

static uint64_t free_group(const struct clnorm__device *device)
{
    return least(64, least(device->max_work_group, clnorm__most_items(device, 0)));
}

int clnorm__block_launch(clnorm_context *context, const struct clnorm__stream *stream, enum clnorm__block_kernel kernel,
                         unsigned form, const struct clnorm__arg *args, unsigned count, uint64_t items, uint64_t times)
{
    const struct clnorm__variant *v = &clnorm__block_kernels[kernel];
    struct clnorm__kernel taken;
    int status = clnorm__kernel_take(context, v, form, &taken);
    if (status != CLNORM_SUCCESS)
        return status;
    cl_int e = CL_SUCCESS;
    for (unsigned i = 0; i < count && e == CL_SUCCESS; i++) {
        taken.buffers |= (uint32_t)args[i].is_buffer << i;
        e = clSetKernelArg(taken.kernel, i, args[i].size, args[i].value);
    }
    /* Work-items of CPU-like devices have a lot to do each; elsewhere neighbours work together. */
    size_t local[2] = {0, 1}, global[2] = {0, times};
    local[0] = v->work_group > 1 || kernel == CLNORM__GEMM_ITEM ? v->work_group
               : v->work_group == 1 && context->device.cpu_like ? 1
                                                                : free_group(&context->device);
    global[0] = v->work_group > 1 ? items * local[0] : ceil_div(items, local[0]) * local[0];
    if (e == CL_SUCCESS)
        e = clnorm__fit_local(context, v, taken.kernel, 2, global, local);
    if (e == CL_SUCCESS)
        e = clEnqueueNDRangeKernel(stream->queue, taken.kernel, 2, NULL, global, local, stream->wait_count,
                                   stream->wait_list, stream->event);
    clnorm__kernel_give(context, &taken);
    return e;
}

/* The product by one of the kernels that make it, all in the same order. */
static int launch_gemm(clnorm_context *context, const struct clnorm__stream *stream, enum clnorm__block_kernel kernel,
                       const clnorm_buffer buffers[4], unsigned form, struct clnorm_gemm g)
{
    uint64_t items = g.m * g.n;
    if (kernel == CLNORM__GEMM_GROUP)
        items = ceil_div(g.m, CLNORM_GEMM_TILE) * ceil_div(g.n, CLNORM_GEMM_TILE);
    if (kernel == CLNORM__GEMM_ITEM) {
        uint64_t columns = ceil_div(g.n, 2 * context->device.vector), enough = 4 * context->device.compute_units;
        g.rows_per_item = CLNORM_GEMM_TILE;
        while (g.rows_per_item > 8 && columns * ceil_div(g.m, g.rows_per_item) < enough)
            g.rows_per_item /= 2;
        items = columns * ceil_div(g.m, g.rows_per_item);
    }
    const struct clnorm__arg args[] = {CLNORM__MEM(buffers[0]), CLNORM__MEM(buffers[1]), CLNORM__MEM(buffers[2]),
                                       CLNORM__MEM(buffers[3]), CLNORM__ARG(g)};
    return clnorm__block_launch(context, stream, kernel, form, args, 5, items, ceil_div(g.k, g.split));
}

int clnorm__block_gemm(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer a, clnorm_buffer b,
                       clnorm_buffer c, clnorm_buffer bias, unsigned form, struct clnorm_gemm g)
{
    const clnorm_buffer buffers[4] = {a, b, c, bias};
    pthread_mutex_lock(&context->lock);
    enum clnorm__block_kernel kernel = context->gemm;
    pthread_mutex_unlock(&context->lock);
    g.a_at = a.offset;
    g.b_at = b.offset;
    g.c_at = c.offset;
    g.bias_at = bias.offset;
    int status = launch_gemm(context, stream, kernel, buffers, form, g);
    if (kernel == CLNORM__GEMM_NAIVE || !clnorm__gives_way(context, &clnorm__block_kernels[kernel], status))
        return status;
    clnorm__log(context, CLNORM_LOG_WARNING, "%s cannot run on %s (%s); gemm_naive takes its place",
                clnorm__block_kernels[kernel].name, context->device.info.name, clnorm_status_string(status));
    status = launch_gemm(context, stream, CLNORM__GEMM_NAIVE, buffers, form, g);
    if (status == CLNORM_SUCCESS) {
        pthread_mutex_lock(&context->lock);
        context->gemm = CLNORM__GEMM_NAIVE;
        pthread_mutex_unlock(&context->lock);
    }
    return status;
}

/* Turns of im2col and of move_rows for an element, at most; see turns.h. */
#define MOVE_TURNS 12u

/*
 * A work-item's share of rows of `length` elements, each of which takes so many turns of loops; returns how many work-items there
 * are.
 */
static uint64_t share(const struct clnorm__device *device, uint64_t rows, uint64_t length, uint64_t turns,
                      clnorm_u64 *chunk, clnorm_u64 *rows_per_item)
{
    uint64_t elements = device->cpu_like ? ITEM_ELEMENTS : device->vector;
    if (device->loop_limit)
        elements = least(elements, clnorm__turns_pieces(device, turns));
    *chunk = least(length, elements);
    *rows_per_item = device->cpu_like ? ceil_div(elements, *chunk) : 1;
    return ceil_div(length, *chunk) * ceil_div(rows, *rows_per_item);
}

int clnorm__block_rows(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer src,
                       clnorm_buffer dst, clnorm_buffer bias, enum clnorm_type type, struct clnorm_rows r)
{
    r.src_at = src.offset;
    r.dst_at = dst.offset;
    r.bias_at = bias.offset;
    uint64_t items = share(&context->device, r.rows, r.length, MOVE_TURNS, &r.chunk, &r.rows_per_item);
    if (!bias.mem)
        r.bias = CLNORM_NO_BIAS;
    const struct clnorm__arg args[] = {CLNORM__MEM(src), CLNORM__MEM(dst), CLNORM__MEM(bias), CLNORM__ARG(r)};
    return clnorm__block_launch(context, stream, CLNORM__MOVE_ROWS, CLNORM__OF_TYPE(type), args, 4, items, 1);
}

int clnorm__block_im2col(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer src,
                         clnorm_buffer columns, enum clnorm_type type, struct clnorm_images g)
{
    g.image_at = src.offset;
    g.columns_at = columns.offset;
    uint64_t items = share(&context->device, g.src_c * g.kernel_h * g.kernel_w * g.samples, g.dst_h * g.dst_w,
                           MOVE_TURNS, &g.chunk, &g.rows_per_item);
    const struct clnorm__arg args[] = {CLNORM__MEM(src), CLNORM__MEM(columns), CLNORM__ARG(g)};
    return clnorm__block_launch(context, stream, CLNORM__IM2COL, CLNORM__OF_TYPE(type), args, 3, items, 1);
}

int clnorm__block_col2im(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer columns,
                         clnorm_buffer diff_src, enum clnorm_type type, struct clnorm_images g)
{
    g.image_at = diff_src.offset;
    g.columns_at = columns.offset;
    uint64_t items = share(&context->device, g.samples * g.src_c, g.src_h * g.src_w,
                           clnorm__turns_of_image(g.kernel_h, g.kernel_w), &g.chunk, &g.rows_per_item);
    const struct clnorm__arg args[] = {CLNORM__MEM(columns), CLNORM__MEM(diff_src), CLNORM__ARG(g)};
    return clnorm__block_launch(context, stream, CLNORM__COL2IM, CLNORM__OF_TYPE(type), args, 3, items, 1);
}

float clnorm__block_cap(clnorm_activation activation)
{
    return isinf(activation.cap) ? NAN : activation.cap;
}

int clnorm__block_mask(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer diff_dst,
                       clnorm_buffer dst, clnorm_buffer diff_src, enum clnorm_type type, uint64_t count,
                       clnorm_activation activation)
{
    struct clnorm_rows r = {.rows = 1, .channels = 1, .length = count};
    r.slope = activation.slope;
    activation.cap = clnorm__rounded(type, activation.cap); /* as dst holds it */
    r.cap = clnorm__block_cap(activation);
    r.src_at = diff_dst.offset;
    r.bias_at = dst.offset;
    r.dst_at = diff_src.offset;
    uint64_t items = share(&context->device, 1, count, MOVE_TURNS, &r.chunk, &r.rows_per_item);
    const struct clnorm__arg args[] = {CLNORM__MEM(diff_dst), CLNORM__MEM(dst), CLNORM__MEM(diff_src), CLNORM__ARG(r)};
    return clnorm__block_launch(context, stream, CLNORM__MASK, CLNORM__OF_TYPE(type), args, 4, items, 1);
}

int clnorm__block_sum_tree(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer leaves,
                           clnorm_buffer sums, uint64_t length, uint64_t count, const struct clnorm__part *part)
{
    const cl_ulong leaves_at = leaves.offset, sums_at = sums.offset, n = length;
    const cl_uint first = part ? (cl_uint)part->first : 0, most_level = part ? part->most_level : 31;
    const cl_uint leaf_count = (cl_uint)count, is_last = part ? (cl_uint)part->is_last : 1;
    cl_ulong chunk, rows;
    const uint64_t items = share(&context->device, 1, length, CLNORM__SUM_TURNS * count, &chunk, &rows);
    const struct clnorm__arg args[] = {CLNORM__MEM(leaves),  CLNORM__ARG(leaves_at),  CLNORM__MEM(sums),
                                       CLNORM__ARG(sums_at), CLNORM__ARG(n),          CLNORM__ARG(chunk),
                                       CLNORM__ARG(first),   CLNORM__ARG(leaf_count), CLNORM__ARG(most_level),
                                       CLNORM__ARG(is_last)};
    return clnorm__block_launch(context, stream, CLNORM__SUM_TREE, 0, args, 10, items, part ? part->nodes : 1);
}

int clnorm__block_sum_nodes(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer nodes,
                            clnorm_buffer sums, uint64_t length, struct clnorm_pairs pairs)
{
    const cl_ulong nodes_at = nodes.offset, sums_at = sums.offset, n = length;
    cl_ulong chunk, rows;
    const uint64_t items = share(&context->device, 1, length, CLNORM__SUM_TURNS * CLNORM_PAIRS, &chunk, &rows);
    const struct clnorm__arg args[] = {CLNORM__MEM(nodes),   CLNORM__ARG(nodes_at), CLNORM__MEM(sums),
                                       CLNORM__ARG(sums_at), CLNORM__ARG(n),        CLNORM__ARG(chunk),
                                       CLNORM__ARG(pairs)};
    return clnorm__block_launch(context, stream, CLNORM__SUM_NODES, 0, args, 7, items, 1);
}

int clnorm__block_fold(clnorm_context *context, const struct clnorm__stream *stream, const clnorm_block_fold_args *args,
                       enum clnorm_type type, uint64_t channels, uint64_t length, float epsilon)
{
    struct clnorm_fold f = {.channels = channels, .length = length, .epsilon = epsilon};
    f.weights_at = args->weights.offset;
    f.folded_weights_at = args->folded_weights.offset;
    f.bias_at = args->bias.offset;
    f.folded_bias_at = args->folded_bias.offset;
    f.scale_at = args->scale.offset;
    f.shift_at = args->shift.offset;
    f.mean_at = args->mean.offset;
    f.variance_at = args->variance.offset;
    f.flags = (args->scale.mem ? CLNORM_HAS_SCALE : 0u) | (args->shift.mem ? CLNORM_HAS_SHIFT : 0u) |
              (args->bias.mem ? CLNORM_FOLD_HAS_BIAS : 0u);
    const struct clnorm__arg arg[] = {
        CLNORM__MEM(args->weights),     CLNORM__MEM(args->folded_weights), CLNORM__MEM(args->bias),
        CLNORM__MEM(args->folded_bias), CLNORM__MEM(args->scale),          CLNORM__MEM(args->shift),
        CLNORM__MEM(args->mean),        CLNORM__MEM(args->variance),       CLNORM__ARG(f)};
    return clnorm__block_launch(context, stream, CLNORM__FOLD, CLNORM__OF_TYPE(type), arg, 9, channels, 1);
}
