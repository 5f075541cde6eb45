/* SPDX-License-Identifier: Apache-2.0 */
#include "run/block_run.h"

#include "device/context.h"
#include "plan/turns.h"

/* ---- the chain ---- */

static const clnorm_buffer none = {NULL, 0};

/* What CLBlast may use as its own: it takes a buffer from its start on, and a workspace may start anywhere. */
static int open_temp(struct clnorm__chain *chain, const struct clnorm__use *workspace)
{
    uint64_t align = chain->context->device.base_align, bytes = chain->plan->temp * sizeof(cl_float);
    if (bytes == 0)
        return CLNORM_SUCCESS;
    uint64_t start = workspace->start_bytes + workspace->buffer.offset * sizeof(cl_float);
    start = (start + align - 1) / align * align;
    if (start == 0) {
        chain->temp = workspace->root;
        return clRetainMemObject(chain->temp);
    }
    cl_int e;
    cl_buffer_region region = {(size_t)start, (size_t)bytes};
    chain->temp = clCreateSubBuffer(workspace->root, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &e);
    return e;
}

static void prepare_step(struct clnorm__chain *chain)
{
    chain->step.queue = chain->stream.queue;
    chain->step.ordered = chain->stream.ordered;
    chain->step.wait_count = chain->before ? 1 : 0;
    chain->step.wait_list = chain->before ? &chain->before : NULL;
    chain->step.event = chain->stream.ordered ? NULL : &chain->done;
}

void clnorm__chain_begin(struct clnorm__chain *chain, const struct clnorm__use *workspace)
{
    chain->workspace = workspace->buffer;
    prepare_step(chain);
    chain->step.wait_count = chain->stream.wait_count;
    chain->step.wait_list = chain->stream.wait_list;
    chain->status = open_temp(chain, workspace);
}

void clnorm__chain_step(struct clnorm__chain *chain, int status)
{
    chain->status = status;
    if (chain->before)
        clReleaseEvent(chain->before);
    chain->before = chain->done;
    chain->done = NULL;
    prepare_step(chain);
}

int clnorm__chain_end(struct clnorm__chain *chain)
{
    if (chain->status == CLNORM_SUCCESS && chain->stream.event)
        chain->status = clEnqueueMarkerWithWaitList(chain->stream.queue, chain->step.wait_count, chain->step.wait_list,
                                                    chain->stream.event);
    if (chain->before)
        clReleaseEvent(chain->before);
    if (chain->temp)
        clReleaseMemObject(chain->temp);
    chain->before = NULL;
    chain->temp = NULL;
    return chain->status;
}

/* ---- products ---- */

/* bias: in the fixed order it is what a sum starts from; CLBlast's callers add it afterwards. */
static int run_terms(struct clnorm__chain *chain, const struct clnorm__product *p, clnorm_buffer bias)
{
    if (!chain->plan->reproducible)
        return clnorm__blas_gemm(&chain->step, p, chain->temp);
    struct clnorm_gemm g = {.m = p->m, .n = p->n, .k = p->k};
    g.a_row = p->transpose_a ? 1 : p->a_stride;
    g.a_term = p->transpose_a ? p->a_stride : 1;
    g.b_term = p->transpose_b ? 1 : p->b_stride;
    g.b_column = p->transpose_b ? p->b_stride : 1;
    g.c_row = p->c_stride;
    g.column_run = p->column_run;
    g.term_run = p->term_run;
    g.a_image = p->a_image;
    g.b_image = p->b_image;
    g.c_image = p->c_image;
    g.split = p->split ? p->split : p->k;
    g.a_split = p->a_split;
    g.b_split = p->b_split;
    g.c_split = p->c_split;
    g.from = p->accumulate ? CLNORM_FROM_C : CLNORM_FROM_ZERO;
    if (bias.mem)
        g.from = chain->plan->g.dense ? CLNORM_FROM_COLUMN_BIAS : CLNORM_FROM_ROW_BIAS;
    return clnorm__block_gemm(chain->context, &chain->step, p->a, p->b, p->c, bias, p->form, g);
}

static clnorm_buffer part(clnorm_buffer buffer, uint64_t at)
{
    buffer.offset += at;
    return buffer;
}

/*
 * A product, in as many steps as its terms need where the driver ends loops: each goes on from the sums that the one before has
 * stored, which in the fixed order is the same chain of sums. A step takes whole images, or a part of one.
 */
static void run_product(struct clnorm__chain *chain, const struct clnorm__product *p, clnorm_buffer bias)
{
    uint64_t most = clnorm__turns_terms(&chain->context->device);
    struct clnorm__product some = *p;
    if (p->split && (most == 0 || most >= p->split)) {
        CLNORM__CHAIN(chain, run_terms(chain, p, bias));
        return;
    }
    some.split = 0;
    for (uint64_t first = 0; p->split && first < p->k && chain->status == CLNORM_SUCCESS; first += p->split) {
        some.k = p->k - first < p->split ? p->k - first : p->split;
        run_product(chain, &some, bias);
        some.a = part(some.a, p->a_split);
        some.b = part(some.b, p->b_split);
        some.c = part(some.c, p->c_split);
    }
    if (p->split)
        return;
    if (most == 0 || most > p->k)
        most = p->k;
    for (uint64_t first = 0; first < p->k && chain->status == CLNORM_SUCCESS; first += some.k) {
        uint64_t image = first / p->term_run, within = first % p->term_run, left = p->k - first;
        if (most < p->term_run) {
            some.k = p->term_run - within < most ? p->term_run - within : most;
            some.k = some.k < left ? some.k : left;
            some.term_run = some.k;
        } else
            some.k = left < most ? left : most / p->term_run * p->term_run;
        some.a = part(p->a, image * p->a_image + within * (p->transpose_a ? p->a_stride : 1));
        some.b = part(p->b, image * p->b_image + within * (p->transpose_b ? 1 : p->b_stride));
        some.accumulate = p->accumulate || first > 0;
        CLNORM__CHAIN(chain, run_terms(chain, &some, first > 0 ? none : bias));
    }
}

static void activate(const struct clnorm__chain *chain, struct clnorm_rows *r, int is_active)
{
    r->is_active = (cl_uint)is_active;
    r->slope = chain->desc->activation.slope;
    r->cap = clnorm__block_cap(chain->desc->activation);
}

/* dst = activation(src + bias) over all samples' products, src being dst; nothing to do where neither is asked for. */
static void finish_product(struct clnorm__chain *chain, clnorm_buffer dst, clnorm_buffer bias, int is_active)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    struct clnorm_rows r = {.rows = g->n * g->channels, .channels = g->channels, .length = g->positions};
    if (!bias.mem && !is_active)
        return;
    r.src_channel = r.dst_channel = g->positions;
    r.bias = CLNORM_ROW_BIAS;
    if (!bias.mem) {
        r.rows = r.channels = 1;
        r.length = g->dst_count;
    } else if (g->positions == 1) {
        r.rows = g->n;
        r.channels = 1;
        r.length = g->channels;
        r.bias = CLNORM_ELEMENT_BIAS;
    }
    r.src_image = r.dst_image = r.channels * r.length;
    activate(chain, &r, is_active);
    CLNORM__CHAIN(chain, clnorm__block_rows(chain->context, &chain->step, dst, dst, bias, chain->plan->type, r));
}

static void forward_dense(struct clnorm__chain *chain, clnorm_buffer src, clnorm_buffer weights, clnorm_buffer bias,
                          clnorm_buffer out)
{
    struct clnorm__product p = clnorm__block_product(chain->plan, CLNORM__PASS_FORWARD, 0);
    p.a = src;
    p.b = weights;
    p.c = out;
    run_product(chain, &p, bias);
}

/*
 * The tree over the chunks of a weights' gradient; of a part of a batch, in diff_weights' place its nodes. A block of neighbouring chunks has slots of its own, behind those of the stack on which roots
 * of blocks wait for a right neighbour; `number` blocks were there before this one.
 */
static void close_block(struct clnorm__chain *chain, clnorm_buffer diff_weights, uint64_t number, uint64_t chunks,
                        int is_last)
{
    const struct clnorm__block_plan *plan = chain->plan;
    const uint64_t length = plan->g.weights_count;
    const clnorm_buffer slots = part(chain->workspace, plan->chunks_at);
    const clnorm_buffer block = part(slots, (plan->slots - plan->block_chunks) * length);
    uint64_t depth = 0;
    if (plan->part) {
        CLNORM__CHAIN(chain, clnorm__block_sum_tree(chain->context, &chain->step, block, diff_weights, length, chunks,
                                                    plan->part));
        return;
    }
    for (uint64_t bits = number; bits; bits >>= 1)
        depth += bits & 1;
    CLNORM__CHAIN(chain, clnorm__block_sum_tree(chain->context, &chain->step, block,
                                                is_last && number == 0 ? diff_weights : part(slots, depth * length),
                                                length, chunks, NULL));
    for (uint64_t bits = number; depth > 0 && (is_last || bits & 1); bits >>= 1, depth--)
        CLNORM__CHAIN(chain,
                      clnorm__block_sum_tree(chain->context, &chain->step, part(slots, (depth - 1) * length),
                                             is_last && depth == 1 ? diff_weights : part(slots, (depth - 1) * length),
                                             length, 2, NULL));
}

/*
 * The weights' gradient of samples from number `first` on; of several chunks each has a sum of its own, groups being whole chunks or whole parts
 * of one.
 */
static void weigh(struct clnorm__chain *chain, const struct clnorm__product *p, clnorm_buffer diff_weights,
                  uint64_t first, uint64_t samples)
{
    const struct clnorm__block_plan *plan = chain->plan;
    const struct clnorm__geometry *g = &plan->g;
    const uint64_t chunk = plan->chunk, block = chunk * plan->block_chunks, terms = g->dense ? 1 : g->positions;
    const uint64_t a_step = g->dense ? p->a_stride : p->a_image, b_step = g->dense ? p->b_stride : p->b_image;
    struct clnorm__product some = *p;
    if (plan->slots == 0) {
        some.c = diff_weights;
        some.accumulate = first > 0;
        run_product(chain, &some, none);
        return;
    }
    for (uint64_t at = first, end = first + samples, n; at < end && chain->status == CLNORM_SUCCESS; at += n) {
        const uint64_t slot = plan->slots - plan->block_chunks + at % block / chunk;
        n = end - at < block - at % block ? end - at : block - at % block;
        some.k = n * terms;
        some.a = part(p->a, (at - first) * a_step);
        some.b = part(p->b, (at - first) * b_step);
        some.c = part(chain->workspace, plan->chunks_at + slot * g->weights_count);
        some.accumulate = at % chunk > 0;
        some.split = n > chunk ? chunk * terms : 0;
        some.a_split = chunk * a_step;
        some.b_split = chunk * b_step;
        some.c_split = g->weights_count;
        run_product(chain, &some, none);
        if ((at + n) % block == 0 || at + n == g->n)
            close_block(chain, diff_weights, at / block, (at % block + n + chunk - 1) / chunk, at + n == g->n);
    }
}

static void backward_dense(struct clnorm__chain *chain, clnorm_buffer diff, clnorm_buffer src, clnorm_buffer weights,
                           clnorm_buffer diff_src, clnorm_buffer diff_weights)
{
    struct clnorm__product p = clnorm__block_product(chain->plan, CLNORM__PASS_WEIGHTS, 0);
    p.a = diff;
    p.b = src;
    if (diff_weights.mem)
        weigh(chain, &p, diff_weights, 0, chain->plan->g.n);
    p = clnorm__block_product(chain->plan, CLNORM__PASS_SRC, 0);
    p.a = diff;
    p.b = weights;
    p.c = diff_src;
    if (diff_src.mem)
        run_product(chain, &p, none);
}

/* ---- convolutions, a group of samples at a time ---- */

static struct clnorm_images images(const struct clnorm__chain *chain, uint64_t samples)
{
    const clnorm_block_desc *d = chain->desc;
    struct clnorm_images g = {.samples = samples, .src_c = d->src_c, .src_h = d->src_h, .src_w = d->src_w};
    g.dst_h = chain->plan->g.dst_h;
    g.dst_w = chain->plan->g.dst_w;
    g.kernel_h = d->kernel_h;
    g.kernel_w = d->kernel_w;
    g.stride_h = d->stride_h;
    g.stride_w = d->stride_w;
    g.pad_h = d->pad_h;
    g.pad_w = d->pad_w;
    g.dilation_h = d->dilation_h;
    g.dilation_w = d->dilation_w;
    return g;
}

/* How rows of images become rows of (channel, sample, position); back: the other way. */
static struct clnorm_rows transposition(const struct clnorm__geometry *g, uint64_t samples, uint64_t channels, int back)
{
    struct clnorm_rows r = {.rows = samples * channels, .channels = channels, .length = g->positions};
    uint64_t image = channels * g->positions, channel = samples * g->positions;
    r.src_image = back ? g->positions : image;
    r.src_channel = back ? channel : g->positions;
    r.dst_image = back ? image : g->positions;
    r.dst_channel = back ? g->positions : channel;
    return r;
}

/* The columns of a group that starts at src: in the workspace, or where an image is its own. */
static clnorm_buffer gather(struct clnorm__chain *chain, clnorm_buffer src, uint64_t samples)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    clnorm_buffer columns = clnorm__block_tensor(chain->plan, chain->workspace, chain->plan->columns_at);
    if (g->direct && chain->plan->in_place)
        return src;
    if (g->direct)
        CLNORM__CHAIN(chain, clnorm__block_rows(chain->context, &chain->step, src, columns, none, CLNORM_FLOAT32,
                                                transposition(g, samples, chain->desc->src_c, 0)));
    else
        CLNORM__CHAIN(chain, clnorm__block_im2col(chain->context, &chain->step, src, columns, chain->plan->type,
                                                  images(chain, samples)));
    return columns;
}

static void forward_group(struct clnorm__chain *chain, clnorm_buffer src, clnorm_buffer weights, clnorm_buffer bias,
                          clnorm_buffer out, uint64_t samples, int is_active)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    struct clnorm__product p = clnorm__block_product(chain->plan, CLNORM__PASS_FORWARD, samples);
    clnorm_buffer rows = part(chain->workspace, chain->plan->rows_at);
    p.a = weights;
    p.b = gather(chain, src, samples);
    p.c = chain->plan->in_place ? out : rows;
    run_product(chain, &p, bias);
    if (chain->plan->in_place)
        return;
    struct clnorm_rows r = transposition(g, samples, g->channels, 1);
    r.bias = CLNORM_ROW_BIAS;
    activate(chain, &r, is_active);
    CLNORM__CHAIN(chain, clnorm__block_rows(chain->context, &chain->step, rows, out,
                                            chain->plan->reproducible ? none : bias, CLNORM_FLOAT32, r));
}

void clnorm__chain_forward(struct clnorm__chain *chain, clnorm_buffer src, clnorm_buffer weights, clnorm_buffer bias,
                           clnorm_buffer out, int is_last)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    const int is_active = is_last && chain->plan->is_active;
    uint64_t samples = 0;
    if (g->dense)
        forward_dense(chain, src, weights, bias, out);
    else
        for (uint64_t first = 0; first < g->n && chain->status == CLNORM_SUCCESS; first += samples) {
            samples = g->n - first < g->group ? g->n - first : g->group;
            forward_group(chain, part(src, first * g->src_elements), weights, bias,
                          part(out, first * g->channels * g->positions), samples, is_active);
        }
    if (g->dense || chain->plan->in_place)
        finish_product(chain, out, chain->plan->reproducible ? none : bias, is_active);
}

/* The gradient of a group's images from that of its products, rows. */
static void scatter(struct clnorm__chain *chain, clnorm_buffer rows, clnorm_buffer weights, clnorm_buffer diff_src,
                    uint64_t samples)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    struct clnorm__product p = clnorm__block_product(chain->plan, CLNORM__PASS_SRC, samples);
    clnorm_buffer columns = part(chain->workspace, chain->plan->columns_at);
    p.a = weights;
    p.b = rows;
    p.c = g->direct && chain->plan->in_place ? diff_src : columns;
    run_product(chain, &p, none);
    if (g->direct && chain->plan->in_place)
        return;
    if (g->direct)
        CLNORM__CHAIN(chain, clnorm__block_rows(chain->context, &chain->step, columns, diff_src, none, CLNORM_FLOAT32,
                                                transposition(g, samples, chain->desc->src_c, 1)));
    else
        CLNORM__CHAIN(chain, clnorm__block_col2im(chain->context, &chain->step, columns, diff_src, chain->plan->type,
                                                  images(chain, samples)));
}

void clnorm__chain_backward(struct clnorm__chain *chain, clnorm_buffer diff, clnorm_buffer src, clnorm_buffer weights,
                            clnorm_buffer diff_src, clnorm_buffer diff_weights)
{
    const struct clnorm__geometry *g = &chain->plan->g;
    uint64_t samples = 0;
    if (g->dense) {
        backward_dense(chain, diff, src, weights, diff_src, diff_weights);
        return;
    }
    for (uint64_t first = 0; first < g->n && chain->status == CLNORM_SUCCESS; first += samples) {
        samples = g->n - first < g->group ? g->n - first : g->group;
        clnorm_buffer rows = part(diff, first * g->channels * g->positions);
        if (!chain->plan->in_place) {
            clnorm_buffer images_diff = rows;
            rows = part(chain->workspace, chain->plan->rows_at);
            CLNORM__CHAIN(chain, clnorm__block_rows(chain->context, &chain->step, images_diff, rows, none,
                                                    CLNORM_FLOAT32, transposition(g, samples, g->channels, 0)));
        }
        if (diff_weights.mem) {
            struct clnorm__product p = clnorm__block_product(chain->plan, CLNORM__PASS_WEIGHTS, samples);
            p.a = rows;
            p.b = gather(chain, part(src, first * g->src_elements), samples);
            weigh(chain, &p, diff_weights, first, samples);
        }
        if (diff_src.mem)
            scatter(chain, rows, weights, part(diff_src, first * g->src_elements), samples);
    }
}
