/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run.h"

#include <math.h>

#include "device/kernel.h"
#include "device/program.h"
#include "plan/rounded.h"

/* A kernel whose arguments are being set one after another; the first error stays. */
struct setter {
    struct clnorm__kernel *of;
    cl_uint next;
    cl_int error;
};

static void set(struct setter *s, size_t size, const void *value)
{
    if (s->error == CL_SUCCESS)
        s->error = clSetKernelArg(s->of->kernel, s->next++, size, value);
}

static void set_mem(struct setter *s, clnorm_buffer buffer)
{
    s->of->buffers |= UINT32_C(1) << s->next;
    set(s, sizeof(cl_mem), buffer.mem ? &buffer.mem : NULL);
}

static void set_buffer(struct setter *s, clnorm_buffer buffer)
{
    cl_ulong offset = buffer.offset;
    set_mem(s, buffer);
    set(s, sizeof offset, &offset);
}

static clnorm_buffer part(clnorm_buffer buffer, uint64_t at)
{
    buffer.offset += at;
    return buffer;
}

static clnorm_buffer either(clnorm_buffer a, clnorm_buffer b)
{
    return a.mem ? a : b;
}

/* A call's buffers, and what its kernels are told of it. */
struct given {
    const struct clnorm__buffers *buffers; /* statistics for each channel */
    const struct clnorm__buffers *callers;
    const struct clnorm_finish *finish;
    const clnorm_activation *activation;
};

/*
 * The cap as kernels compare with it: by dst of the forward pass, as that holds it; and NaN, which nothing reaches, where there is none.
 */
static float cap_of(unsigned form, const struct given *given)
{
    float cap = given->activation->cap;
    if (given->buffers->gate.mem && !(form & CLNORM__HAS_MASK))
        cap = clnorm__rounded((enum clnorm_type)CLNORM__FORM_TYPE(form), cap);
    return isinf(cap) ? NAN : cap;
}

/* EXTRA_BUFFERS of kernels/common/extras.cl, which a program has if its form has any of them. */
static void set_extras(struct setter *s, unsigned form, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const clnorm_buffer gate = form & CLNORM__HAS_MASK ? b->mask : b->gate;
    const struct clnorm_extras extras = {.slope = given->activation->slope,
                                         .cap = cap_of(form, given),
                                         .residual = b->residual.offset,
                                         .mask = gate.offset,
                                         .first = b->first};
    if (!(form & (CLNORM__HAS_ACTIVATION | CLNORM__HAS_RESIDUAL | CLNORM__HAS_MASK)))
        return;
    set_mem(s, b->residual);
    set_mem(s, gate);
    set(s, sizeof extras, &extras);
}

/* VIEW_BUFFERS of kernels/common/view.cl: the last argument, of a program for views. */
static void set_views(struct setter *s, unsigned form, const struct given *given)
{
    struct clnorm_views views = given->buffers->views;
    if (!CLNORM__FORM_VIEW(form))
        return;
    if (!given->buffers->src.mem) /* as of `either` */
        views.src = views.diff_dst;
    set(s, sizeof views, &views);
}

static void set_stats(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const struct clnorm_finish *finish = given->finish;
    if (plan->stats.variant->step == CLNORM__STATS) {
        set_buffer(s, b->src);
        set_buffer(s, part(b->workspace, plan->partial_at));
        set(s, sizeof plan->shape, &plan->shape);
        set(s, sizeof plan->low, &plan->low);
        set_views(s, plan->stats.form, given);
        return;
    }
    cl_uint flags = finish->flags;
    set_buffer(s, either(b->src, b->diff_dst)); /* without src, the sums that need it are not asked for */
    set_buffer(s, b->diff_dst);
    set_buffer(s, part(b->workspace, plan->partial_at));
    set(s, sizeof plan->shape, &plan->shape);
    set_buffer(s, b->mean);
    set_buffer(s, b->mean_low);
    set_buffer(s, b->spread);
    set(s, sizeof finish->epsilon, &finish->epsilon);
    set(s, sizeof flags, &flags);
    set_extras(s, plan->stats.form, given);
    set_views(s, plan->stats.form, given);
}

/* Where vectors of c elements start. */
static struct clnorm_offsets offsets(const struct clnorm__buffers *b)
{
    struct clnorm_offsets at = {
        .scale = b->scale.offset,
        .shift = b->shift.offset,
        .mean = b->mean.offset,
        .mean_low = b->mean_low.offset,
        .spread = b->spread.offset,
        .variance = b->variance.offset,
        .running_mean = b->running_mean.offset,
        .running_variance = b->running_variance.offset,
        .diff_scale = b->diff_scale.offset,
        .diff_shift = b->diff_shift.offset,
    };
    return at;
}

/* What finish_channel of kernels/statistics/channel.cl takes. */
static void set_channel_buffers(struct setter *s, int backward, const struct clnorm__buffers *b)
{
    set_mem(s, b->scale);
    if (backward) {
        set_mem(s, b->mean);
        set_mem(s, b->mean_low);
        set_mem(s, b->spread);
        set_mem(s, b->diff_scale);
        set_mem(s, b->diff_shift);
        return;
    }
    set_mem(s, b->shift);
    set_mem(s, b->running_mean);
    set_mem(s, b->running_variance);
    set_mem(s, b->mean);
    set_mem(s, b->mean_low);
    set_mem(s, b->spread);
    set_mem(s, b->variance);
}

/* FROZEN_BUFFERS of kernels/apply/frozen.cl. */
static void set_frozen_buffers(struct setter *s, const struct clnorm__buffers *b)
{
    set_mem(s, b->scale);
    set_mem(s, b->shift);
    set_mem(s, b->mean);
    set_mem(s, b->spread);
}

/* Groups of channels. */
static void set_spread(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->callers;
    const cl_ulong channels = plan->shape.c, group = plan->spread_group;
    const cl_uint flags = given->finish->flags;
    set_buffer(s, b->mean);
    set_buffer(s, b->mean_low);
    set_buffer(s, b->spread);
    set_buffer(s, part(b->workspace, plan->spread_at));
    set(s, sizeof channels, &channels);
    set(s, sizeof group, &group);
    set(s, sizeof flags, &flags);
}

/* Buffers as the launches after it have them. */
static struct clnorm__buffers spread_out(const struct clnorm__buffers *callers, const struct clnorm__plan *plan)
{
    struct clnorm__buffers b = *callers;
    const uint64_t vector = plan->shape.c * (plan->spread.dims > 1 ? plan->spread.global[1] : 1);
    if (!plan->spread.variant)
        return b;
    if (b.mean.mem)
        b.mean = part(b.workspace, plan->spread_at);
    if (b.mean_low.mem)
        b.mean_low = part(b.workspace, plan->spread_at + vector);
    b.spread = part(b.workspace, plan->spread_at + 2 * vector);
    return b;
}

static void set_roots(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    set_buffer(s, part(given->buffers->workspace, plan->partial_at));
    if (plan->roots.variant->step == CLNORM__ROOTS)
        set(s, sizeof plan->high, &plan->high);
    set(s, sizeof plan->shape, &plan->shape);
}

/* Of a batch in parts: where the nodes of one begin. */
static void set_nodes(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const struct clnorm__part *of = &plan->part;
    const int is_backward = plan->nodes.variant->step == CLNORM__DIFF_NODES;
    const uint64_t words = (is_backward ? CLNORM_SUM_WORDS : CLNORM_NODE_WORDS) * plan->shape.c;
    const cl_uint log2 = plan->shape.block_log2, first = (cl_uint)(of->first >> log2);
    const cl_uint most_level = of->most_level > log2 ? of->most_level - log2 : 0, is_last = (cl_uint)of->is_last;
    set_buffer(s, part(b->workspace, plan->partial_at));
    set_buffer(s, part(b->nodes, of->node * words));
    if (!is_backward)
        set(s, sizeof plan->high, &plan->high);
    set(s, sizeof plan->shape, &plan->shape);
    set(s, sizeof first, &first);
    set(s, sizeof most_level, &most_level);
    set(s, sizeof is_last, &is_last);
}

/* b->nodes begins with the first node that the schedule puts on the stack. */
static void set_merge(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const cl_ulong channels = plan->shape.c;
    set_buffer(s, b->nodes);
    set_buffer(s, part(b->workspace, plan->partial_at));
    set(s, sizeof channels, &channels);
    set(s, sizeof plan->schedule, &plan->schedule);
}

static void set_finish_channels(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const struct clnorm_offsets at = offsets(b);
    set_buffer(s, part(b->workspace, plan->partial_at));
    set_buffer(s, part(b->workspace, plan->coef_at));
    set(s, sizeof plan->shape, &plan->shape);
    if (plan->finish.variant->step == CLNORM__FINISH_CHANNELS)
        set(s, sizeof plan->channels, &plan->channels);
    set(s, sizeof plan->channels.leaves, &plan->channels.leaves);
    set(s, sizeof *given->finish, given->finish);
    set(s, sizeof at, &at);
    set_channel_buffers(s, plan->finish.variant->step == CLNORM__DIFF_FINISH_CHANNELS, b);
}

static void set_finish(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const struct clnorm_finish *finish = given->finish;
    struct clnorm_offsets at = offsets(b);
    if (plan->channels.leaves > 1) {
        set_finish_channels(s, plan, given);
        return;
    }
    if (plan->finish.variant->step == CLNORM__COEFFICIENTS) {
        cl_ulong channels = plan->shape.c;
        at.variance = b->spread.offset;
        set_buffer(s, part(b->workspace, plan->coef_at));
        set(s, sizeof channels, &channels);
        set(s, sizeof *finish, finish);
        set(s, sizeof at, &at);
        set_frozen_buffers(s, b);
        return;
    }
    set_buffer(s, part(b->workspace, plan->partial_at));
    set_buffer(s, part(b->workspace, plan->coef_at));
    set(s, sizeof plan->shape, &plan->shape);
    if (plan->finish.variant->step == CLNORM__FINISH)
        set(s, sizeof plan->high, &plan->high);
    set(s, sizeof *finish, finish);
    set(s, sizeof at, &at);
    set_channel_buffers(s, plan->finish.variant->step == CLNORM__DIFF_FINISH, b);
}

static void set_infer(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    struct clnorm_offsets at = offsets(b);
    at.variance = b->spread.offset;
    set_buffer(s, b->src);
    set_buffer(s, b->dst);
    set(s, sizeof plan->cut, &plan->cut);
    set(s, sizeof *given->finish, given->finish);
    set(s, sizeof at, &at);
    set_frozen_buffers(s, b);
    set_extras(s, plan->fused.form, given);
    set_views(s, plan->fused.form, given);
}

static void set_fused(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    if (plan->fused.variant->step == CLNORM__INFER) {
        set_infer(s, plan, given);
        return;
    }
    struct clnorm_offsets at = offsets(b);
    int backward = plan->fused.variant->step == CLNORM__DIFF_FUSED;
    set_buffer(s, b->src);
    if (backward)
        set_buffer(s, b->diff_dst);
    set_buffer(s, b->dst);
    set(s, sizeof plan->shape, &plan->shape);
    if (!backward)
        set(s, sizeof plan->low, &plan->low);
    set(s, sizeof plan->cut, &plan->cut);
    set(s, sizeof *given->finish, given->finish);
    set(s, sizeof at, &at);
    set_channel_buffers(s, backward, b);
    set_extras(s, plan->fused.form, given);
    set_views(s, plan->fused.form, given);
}

static void set_apply(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    set_buffer(s, either(b->src, b->diff_dst));
    set_buffer(s, either(b->diff_dst, b->src));
    set_buffer(s, b->dst);
    set_buffer(s, part(b->workspace, plan->coef_at));
    set(s, sizeof plan->cut, &plan->cut);
    set_extras(s, plan->apply.form, given);
    set_views(s, plan->apply.form, given);
}

/* Of groups of samples: forward mean and variance are vectors of all of them, backward shift and scale those of the gradients. */
static void set_join(struct setter *s, const struct clnorm__plan *plan, const struct given *given)
{
    const struct clnorm__buffers *b = given->buffers;
    const struct clnorm_finish *f = given->finish;
    const cl_ulong channels = plan->shape.c, groups = b->groups;
    const cl_uint flags = f->flags;
    const int backward = plan->join.variant->step == CLNORM__DIFF_JOIN;
    set_buffer(s, backward ? b->scale : b->mean);
    set_buffer(s, backward ? b->shift : b->variance);
    set_buffer(s, backward ? b->diff_scale : b->running_mean);
    set_buffer(s, backward ? b->diff_shift : b->running_variance);
    set(s, sizeof channels, &channels);
    set(s, sizeof groups, &groups);
    set(s, sizeof flags, &flags);
    if (backward)
        return;
    set(s, sizeof f->momentum, &f->momentum);
    set(s, sizeof f->running_factor, &f->running_factor);
    set(s, sizeof b->last_factor, &b->last_factor);
}

int clnorm__fit_local(const clnorm_context *context, const struct clnorm__variant *variant, cl_kernel kernel,
                      unsigned dims, const size_t *global, size_t *local)
{
    size_t most = 0, items = dims > 1 ? local[0] * local[1] : local[0];
    if (context->device.loop_limit) /* llvmpipe launches more work-items than it tells of */
        return CL_SUCCESS;
    if (items <= 1 || clGetKernelWorkGroupInfo(kernel, context->device.info.device, CL_KERNEL_WORK_GROUP_SIZE,
                                               sizeof most, &most, NULL) != CL_SUCCESS)
        return CL_SUCCESS;
    if (items <= most)
        return CL_SUCCESS;
    if (variant->work_group > 1 || most == 0)
        return CL_INVALID_WORK_GROUP_SIZE;
    for (unsigned d = dims; d-- > 0 && items > most;) {
        size_t others = items / local[d], fits = most > others ? most / others : 1;
        while (global[d] % fits)
            fits--;
        local[d] = fits;
        items = others * fits;
    }
    return CL_SUCCESS;
}

/* Kernels of a call, ready to be enqueued: nothing is enqueued before all of them are. */
#define MOST_LAUNCHES 5 /* spread, stats, roots, finish, apply */
struct steps {
    unsigned count;
    struct clnorm__launch launch[MOST_LAUNCHES];
    struct clnorm__kernel kernel[MOST_LAUNCHES];
};

/* One launch: its program, its kernel with arguments, its work-group. */
static int prepare_launch(clnorm_context *context, const struct clnorm__plan *plan, const struct clnorm__launch *from,
                          const struct given *given, struct steps *steps)
{
    struct clnorm__launch *l = &steps->launch[steps->count];
    struct setter s = {.of = &steps->kernel[steps->count]};
    int status = clnorm__kernel_take(context, from->variant, from->form, s.of);
    if (status != CLNORM_SUCCESS)
        return status;
    *l = *from;
    steps->count++;
    if (from == &plan->fused)
        set_fused(&s, plan, given);
    else if (from == &plan->stats)
        set_stats(&s, plan, given);
    else if (from == &plan->spread)
        set_spread(&s, plan, given);
    else if (from == &plan->roots)
        set_roots(&s, plan, given);
    else if (from == &plan->finish)
        set_finish(&s, plan, given);
    else if (from == &plan->apply)
        set_apply(&s, plan, given);
    else if (from == &plan->nodes)
        set_nodes(&s, plan, given);
    else if (from == &plan->merge)
        set_merge(&s, plan, given);
    else
        set_join(&s, plan, given);
    if (s.error != CL_SUCCESS)
        return s.error;
    return clnorm__fit_local(context, l->variant, s.of->kernel, l->dims, l->global, l->local);
}

static int prepare(clnorm_context *context, const struct clnorm__plan *plan, const struct given *given,
                   struct clnorm__progress *progress, struct steps *steps)
{
    const struct clnorm__launch *all[] = {&plan->spread, &plan->fused, &plan->stats, &plan->nodes, &plan->roots,
                                          &plan->finish, &plan->apply, &plan->join,  &plan->merge};
    int status = CLNORM_SUCCESS;
    for (unsigned i = 0, number = 0; i < sizeof all / sizeof *all && status == CLNORM_SUCCESS; i++) {
        if (!all[i]->variant || number++ < progress->enqueued)
            continue;
        status = prepare_launch(context, plan, all[i], given, steps);
        if (clnorm__gives_way(context, all[i]->variant, status))
            progress->failed = all[i]->variant;
    }
    return status;
}

static int enqueue(clnorm_context *context, const struct clnorm__stream *stream, const struct steps *steps,
                   struct clnorm__progress *progress)
{
    for (unsigned i = 0; i < steps->count; i++) {
        const struct clnorm__launch *l = &steps->launch[i];
        int final = i + 1 == steps->count;
        cl_event done = NULL, *wanted = final ? stream->event : stream->ordered ? NULL : &done;
        cl_uint count = progress->enqueued == 0 ? stream->wait_count : progress->last ? 1 : 0;
        const cl_event *list = progress->enqueued == 0 ? stream->wait_list : progress->last ? &progress->last : NULL;
        cl_int e = clEnqueueNDRangeKernel(stream->queue, steps->kernel[i].kernel, l->dims, NULL, l->global,
                                          l->local[0] ? l->local : NULL, count, list, wanted);
        if (e != CL_SUCCESS) {
            if (clnorm__gives_way(context, l->variant, e))
                progress->failed = l->variant;
            return e;
        }
        if (progress->last)
            clReleaseEvent(progress->last);
        progress->last = done;
        progress->enqueued++;
    }
    return CL_SUCCESS;
}

static void release(clnorm_context *context, struct steps *steps)
{
    for (unsigned i = 0; i < steps->count; i++)
        clnorm__kernel_give(context, &steps->kernel[i]);
}

int clnorm__run(clnorm_context *context, const struct clnorm__plan *plan, const struct clnorm__stream *stream,
                const struct clnorm__buffers *buffers, const struct clnorm_finish *finish,
                const clnorm_activation *activation, struct clnorm__progress *progress)
{
    const struct clnorm__buffers spread = spread_out(buffers, plan);
    const struct given given = {&spread, buffers, finish, activation};
    struct steps steps = {0};
    progress->failed = NULL;
    int status = prepare(context, plan, &given, progress, &steps);
    if (status == CLNORM_SUCCESS)
        status = enqueue(context, stream, &steps, progress);
    release(context, &steps);
    return status;
}

int clnorm__run_prepare(clnorm_context *context, const struct clnorm__plan *plan, struct clnorm__progress *progress)
{
    const struct clnorm__buffers none = {0};
    const struct clnorm_finish nothing = {0};
    const clnorm_activation no_activation = {0, 0};
    const struct given given = {&none, &none, &nothing, &no_activation};
    struct steps steps = {0};
    progress->failed = NULL;
    int status = prepare(context, plan, &given, progress, &steps);
    release(context, &steps);
    return status;
}

int clnorm__run_empty(const struct clnorm__stream *stream, const struct clnorm__buffers *buffers, unsigned flags,
                      uint64_t channels)
{
    static const unsigned added[2] = {CLNORM_ADD_DIFF_SCALE, CLNORM_ADD_DIFF_SHIFT};
    const clnorm_buffer zeroed[2] = {buffers->diff_scale, buffers->diff_shift};
    const cl_float zero = 0;
    cl_event events[2];
    cl_uint count = 0;
    cl_int e = CL_SUCCESS;
    for (unsigned i = 0; i < 2 && e == CL_SUCCESS; i++) {
        if (!zeroed[i].mem || flags & added[i])
            continue;
        e = clEnqueueFillBuffer(stream->queue, zeroed[i].mem, &zero, sizeof zero, zeroed[i].offset * sizeof zero,
                                channels * sizeof zero, stream->wait_count, stream->wait_list, &events[count]);
        count += e == CL_SUCCESS;
    }
    if (e == CL_SUCCESS && stream->event)
        e = clEnqueueMarkerWithWaitList(stream->queue, count ? count : stream->wait_count,
                                        count ? events : stream->wait_list, stream->event);
    for (cl_uint i = 0; i < count; i++)
        clReleaseEvent(events[i]);
    return e;
}
