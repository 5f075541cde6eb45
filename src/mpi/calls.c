/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of clnorm_parts.h, and between their two halves an exchange of nodes. */
#include "clnorm_mpi.h"

#include <stdlib.h>
#include <string.h>

#include "mpi/exchange.h"
#include "mpi/staging.h"

enum kind { FORWARD, BACKWARD, FROZEN, WEIGHTS };

struct clnorm_mpi_call {
    clnorm_mpi *mpi;
    cl_command_queue queue;
    enum kind kind;
    clnorm_desc desc;
    clnorm_block_desc block; /* of WEIGHTS */
    union {
        clnorm_forward_training_args forward;
        clnorm_backward_training_args backward;
        clnorm_backward_frozen_args frozen;
        clnorm_block_backward_args weights;
    } args;
    clnorm_buffer workspace;
    uint64_t number;      /* the same on all ranks that make this call */
    uint64_t first, mine; /* floats: this rank's nodes, of all */
    uint64_t all;
    size_t *bytes; /* of each rank's */
    clnorm_buffer nodes;
    struct clnorm__staging *staging;
    cl_event read;
};

/* Weights of a layer. */
static uint64_t weights_of(const clnorm_mpi_call *call)
{
    const clnorm_block_desc *b = &call->block;
    return b->dst_c * b->src_c * b->kernel_h * b->kernel_w;
}

/* ---- workspaces: those of clnorm_parts.h, and behind them all nodes ---- */

static const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_BACKWARD_TRAINING,
                                                   CLNORM_BACKWARD_FROZEN};

/* Where nodes of a part of a call's kind are. */
static int find_nodes(const clnorm_mpi_call *call, const clnorm_parts *parts, uint64_t part, uint64_t *first,
                      uint64_t *elements)
{
    return call->kind == WEIGHTS
               ? clnorm_get_block_part_nodes(&call->block, parts, part, first, elements)
               : clnorm_get_part_nodes(operations[call->kind], &call->desc, parts, part, first, elements);
}

/* Bytes of workspace of the steps, and with all nodes. */
static int find_workspace(const clnorm_mpi_call *call, size_t *steps, size_t *bytes)
{
    clnorm_context *context = call->mpi->context;
    clnorm_parts parts;
    uint64_t part, all, none;
    int status = clnorm_mpi_get_parts(call->mpi, &parts, &part);
    if (status == CLNORM_SUCCESS)
        status =
            call->kind == WEIGHTS
                ? clnorm_get_block_part_workspace_bytes(context, &call->block, &parts, part, steps)
                : clnorm_get_part_workspace_bytes(context, operations[call->kind], &call->desc, &parts, part, steps);
    if (status == CLNORM_SUCCESS)
        status = find_nodes(call, &parts, parts.count, &all, &none);
    if (status == CLNORM_SUCCESS)
        *bytes = *steps + (size_t)all * sizeof(float);
    return status;
}

int clnorm_mpi_get_workspace_bytes(clnorm_mpi *mpi, enum clnorm_operation operation, const clnorm_desc *desc,
                                   size_t *bytes)
{
    clnorm_mpi_call call = {.mpi = mpi};
    size_t steps;
    if (!mpi || !desc || !bytes)
        return CLNORM_INVALID_ARGUMENT;
    call.desc = *desc;
    while (call.kind < WEIGHTS && operations[call.kind] != operation)
        call.kind++;
    return call.kind < WEIGHTS ? find_workspace(&call, &steps, bytes) : CLNORM_INVALID_ENUM;
}

int clnorm_mpi_get_block_workspace_bytes(clnorm_mpi *mpi, const clnorm_block_desc *desc, size_t *bytes)
{
    clnorm_mpi_call call = {.mpi = mpi, .kind = WEIGHTS};
    size_t steps;
    if (!mpi || !desc || !bytes)
        return CLNORM_INVALID_ARGUMENT;
    call.block = *desc;
    return find_workspace(&call, &steps, bytes);
}

static int place_nodes(clnorm_mpi_call *call)
{
    const clnorm_buffer workspace = call->workspace;
    size_t steps, bytes, there;
    const int status = find_workspace(call, &steps, &bytes);
    if (status != CLNORM_SUCCESS)
        return status;
    if (!workspace.mem)
        return clnorm__mpi_refuse(call->mpi, CLNORM_MISSING_WORKSPACE,
                                  "workspace is NULL; it is a buffer of %zu bytes (clnorm_mpi_get_%sworkspace_bytes)",
                                  bytes, call->kind == WEIGHTS ? "block_" : "");
    if (clGetMemObjectInfo(workspace.mem, CL_MEM_SIZE, sizeof there, &there, NULL) != CL_SUCCESS)
        return clnorm__mpi_refuse(call->mpi, CLNORM_INVALID_BUFFER, "workspace is not a usable buffer");
    if (workspace.offset > there / 4 || bytes > there - workspace.offset * 4)
        return clnorm__mpi_refuse(
            call->mpi, CLNORM_WORKSPACE_TOO_SMALL,
            "workspace holds %zu bytes, less than offset %llu (elements of 4 bytes) and the %zu bytes "
            "that clnorm_mpi_get_%sworkspace_bytes says",
            there, (unsigned long long)workspace.offset, bytes, call->kind == WEIGHTS ? "block_" : "");
    call->nodes = workspace;
    call->nodes.offset += steps / sizeof(float);
    return CLNORM_SUCCESS;
}

/* ---- a call ---- */

/* What must be the same on all ranks. */
static uint64_t number_of(const clnorm_mpi_call *call)
{
    const clnorm_mpi *mpi = call->mpi;
    const clnorm_desc *d = &call->desc;
    const clnorm_block_desc *b = &call->block;
    const uint64_t sizes[] = {
        call->kind,  d->c,     d->s,     d->group_samples, d->group_channels, d->layout,   d->type,
        b->src_c,    b->dst_c, b->src_h, b->src_w,         b->kernel_h,       b->kernel_w, b->stride_h,
        b->stride_w, b->pad_h, b->pad_w, b->dilation_h,    b->dilation_w,     b->flags,    (uint64_t)b->type};
    const float floats[] = {d->epsilon, d->activation.slope, d->activation.cap};
    uint64_t hash = clnorm__mpi_hash(CLNORM__HASH, sizes, sizeof sizes);
    hash = clnorm__mpi_hash(hash, floats, sizeof floats);
    return clnorm__mpi_hash(hash, mpi->samples, (size_t)mpi->ranks * sizeof *mpi->samples);
}

/* Where nodes of all ranks are; where that cannot be told, headers alone are exchanged. */
static int locate(clnorm_mpi_call *call)
{
    clnorm_parts parts;
    uint64_t part, first, elements = 0;
    int status = clnorm_mpi_get_parts(call->mpi, &parts, &part);
    for (uint64_t r = 0; status == CLNORM_SUCCESS && r <= parts.count; r++) {
        status = find_nodes(call, &parts, r, &first, &elements);
        if (status != CLNORM_SUCCESS)
            break;
        if (r < parts.count)
            call->bytes[r] = (size_t)elements * sizeof(float);
        else
            call->all = first;
        if (r == part) {
            call->first = first;
            call->mine = elements;
        }
    }
    if (status != CLNORM_SUCCESS)
        memset(call->bytes, 0, (size_t)call->mpi->ranks * sizeof *call->bytes);
    return status;
}

static int enqueue_step(clnorm_mpi_call *call, int is_second, cl_uint wait_count, const cl_event *wait_list,
                        cl_event *event)
{
    clnorm_parts parts;
    uint64_t part;
    clnorm_context *context = call->mpi->context;
    const int status = clnorm_mpi_get_parts(call->mpi, &parts, &part);
    if (status != CLNORM_SUCCESS)
        return status;
#define STEP(first, second, args_)                                                                                     \
    return (is_second ? second : first)(context, call->queue, &call->desc, &parts, part, call->nodes, args_,           \
                                        wait_count, wait_list, event)
    switch (call->kind) {
    case FORWARD:
        STEP(clnorm_forward_statistics, clnorm_forward_apply, &call->args.forward);
    case BACKWARD:
        STEP(clnorm_backward_sums, clnorm_backward_apply, &call->args.backward);
    case FROZEN:
        STEP(clnorm_backward_frozen_sums, clnorm_backward_frozen_apply, &call->args.frozen);
    default:
        break;
    }
#undef STEP
    clnorm_block_backward_args args = call->args.weights;
    args.diff_weights.mem = NULL;
    return is_second ? clnorm_block_backward_merge(context, call->queue, &call->block, &parts, call->nodes,
                                                   call->args.weights.diff_weights, wait_count, wait_list, event)
                     : clnorm_block_backward_sums(context, call->queue, &call->block, &parts, part, call->nodes, &args,
                                                  wait_count, wait_list, event);
}

/* Enqueues what makes this rank's nodes, and their way to the host. */
static int enqueue_first(clnorm_mpi_call *call, cl_uint wait_count, const cl_event *wait_list)
{
    cl_event done;
    int status = clnorm__staging_take(call->mpi, call->queue, (size_t)call->all * sizeof(float), &call->staging);
    if (status == CLNORM_SUCCESS)
        status = enqueue_step(call, 0, wait_count, wait_list, &done);
    if (status != CLNORM_SUCCESS)
        return status;
    if (call->mine) {
        status = clEnqueueReadBuffer(call->queue, call->nodes.mem, CL_FALSE,
                                     (call->nodes.offset + call->first) * sizeof(float), call->mine * sizeof(float),
                                     call->staging->host, 1, &done, &call->read);
        clReleaseEvent(done);
    } else {
        call->read = done;
    }
    return status == CLNORM_SUCCESS ? clFlush(call->queue) : status;
}

static void call_free(clnorm_mpi_call *call)
{
    if (call->read) {
        clWaitForEvents(1, &call->read); /* of a call that failed, it may yet be under way to the staging */
        clReleaseEvent(call->read);
    }
    clnorm__staging_give(call->mpi, call->staging);
    free(call->bytes);
    free(call);
}

static int is_known(const clnorm_mpi *mpi, uint64_t number)
{
    for (size_t i = 0; i < mpi->known_count; i++)
        if (mpi->known[i] == number)
            return 1;
    return 0;
}

/*
 * The first call of its kind: messages that are of other lengths on other ranks would be an error of MPI's, which by default ends the
 * program. So headers alone are exchanged first.
 */
static int agree(clnorm_mpi *mpi, uint64_t number, int failed)
{
    size_t *none = calloc((size_t)mpi->ranks, sizeof *none);
    if (!none)
        return CLNORM_OUT_OF_MEMORY;
    const int status = clnorm__mpi_exchange(mpi, number, failed, NULL, none, NULL);
    free(none);
    if (status != CLNORM_SUCCESS)
        return status;
    if (mpi->known_count == mpi->known_capacity) {
        const size_t capacity = 2 * mpi->known_capacity + 16;
        uint64_t *known = realloc(mpi->known, capacity * sizeof *known);
        if (!known) /* it is exchanged once more the next time, which others do not know of */
            return mpi->broken = CLNORM_OUT_OF_MEMORY;
        mpi->known = known;
        mpi->known_capacity = capacity;
    }
    mpi->known[mpi->known_count++] = number;
    return CLNORM_SUCCESS;
}

/* diff_weights, which no call of the library gets. */
static int check_weights(const clnorm_mpi_call *call)
{
    const clnorm_buffer to = call->args.weights.diff_weights;
    size_t there;
    if (!to.mem)
        return clnorm__mpi_refuse(call->mpi, CLNORM_MISSING_BUFFER,
                                  "diff_weights is NULL; it is required, a buffer of %llu elements",
                                  (unsigned long long)weights_of(call));
    if (clGetMemObjectInfo(to.mem, CL_MEM_SIZE, sizeof there, &there, NULL) != CL_SUCCESS)
        return clnorm__mpi_refuse(call->mpi, CLNORM_INVALID_BUFFER, "diff_weights is not a usable buffer");
    if (to.offset > there / 4 || weights_of(call) > there / 4 - to.offset)
        return clnorm__mpi_refuse(call->mpi, CLNORM_BUFFER_TOO_SMALL,
                                  "diff_weights holds %zu elements, less than offset %llu + %llu", there / 4,
                                  (unsigned long long)to.offset, (unsigned long long)weights_of(call));
    return CLNORM_SUCCESS;
}

/* Of the weights the slice that a rank adds up for all: from this one up to that of the next rank. */
static uint64_t slice_begin(const clnorm_mpi_call *call, int rank)
{
    return weights_of(call) * (uint64_t)rank / (uint64_t)call->mpi->ranks;
}

static size_t slice_bytes(const clnorm_mpi_call *call, int rank)
{
    return (size_t)(slice_begin(call, rank + 1) - slice_begin(call, rank)) * sizeof(float);
}

/*
 * Gradients of weights are much: of each rank's nodes only a slice goes to each other one, which adds those of all in the fixed order; then the
 * sums come together.
 */
struct slices {
    size_t *own, *bytes; /* what goes to each rank, and what comes of each */
    float *sent, *got;   /* nodes, a rank's slice of each after another */
};

static int slices_make(const clnorm_mpi_call *call, struct slices *s)
{
    const clnorm_mpi *mpi = call->mpi;
    const uint64_t nodes = call->mine / weights_of(call);
    size_t all = 0;
    s->own = malloc((size_t)mpi->ranks * sizeof *s->own);
    s->bytes = malloc((size_t)mpi->ranks * sizeof *s->bytes);
    s->sent = calloc((size_t)call->mine + 1, sizeof *s->sent);
    for (int r = 0; r < mpi->ranks && s->own && s->bytes; r++) {
        s->own[r] = (size_t)nodes * slice_bytes(call, r);
        s->bytes[r] = call->bytes[r] / ((size_t)weights_of(call) * sizeof(float)) * slice_bytes(call, mpi->rank);
        all += s->bytes[r];
    }
    s->got = malloc(all + 1);
    return s->own && s->bytes && s->sent && s->got;
}

static void slices_fill(const clnorm_mpi_call *call, struct slices *s)
{
    const float *from = call->staging->host;
    unsigned char *to = (unsigned char *)s->sent;
    for (int r = 0; r < call->mpi->ranks; r++)
        for (uint64_t at = slice_begin(call, r); at < call->mine; at += weights_of(call), to += slice_bytes(call, r))
            memcpy(to, from + at, slice_bytes(call, r));
}

static void slices_free(struct slices *s)
{
    free(s->own);
    free(s->bytes);
    free(s->sent);
    free(s->got);
}

/* From all nodes to the gradient, which comes into the staging. failed: what kept this rank's nodes from it. */
static int exchange_weights(clnorm_mpi_call *call, int failed)
{
    clnorm_mpi *mpi = call->mpi;
    struct slices s = {NULL, NULL, NULL, NULL};
    clnorm_parts parts;
    uint64_t part;
    if (!slices_make(call, &s)) {
        slices_free(&s);
        return mpi->broken = CLNORM_OUT_OF_MEMORY;
    }
    if (failed == CLNORM_SUCCESS)
        slices_fill(call, &s);
    int status = clnorm__mpi_scatter(mpi, call->number, failed, s.sent, s.own, s.bytes, s.got);
    if (status == CLNORM_SUCCESS)
        status = clnorm_mpi_get_parts(mpi, &parts, &part);
    if (status == CLNORM_SUCCESS)
        status = clnorm_merge_block_nodes(&call->block, &parts, slice_bytes(call, mpi->rank) / sizeof(float), s.got);
    for (int r = 0; r < mpi->ranks; r++)
        s.bytes[r] = slice_bytes(call, r);
    if (status == CLNORM_SUCCESS)
        status = clnorm__mpi_exchange(mpi, call->number + 1, status, s.got, s.bytes, call->staging->host);
    slices_free(&s);
    return status;
}

/* What a call tells the other ranks, and what it gets of them, into the staging. failed: what kept this rank from its part. */
static int exchange(clnorm_mpi_call *call, int failed)
{
    void *const host = failed == CLNORM_SUCCESS ? call->staging->host : NULL;
    return call->kind == WEIGHTS && call->all
               ? exchange_weights(call, failed)
               : clnorm__mpi_exchange(call->mpi, call->number, failed, host, call->bytes, host);
}

static int begin(clnorm_mpi_call *call, cl_uint wait_count, const cl_event *wait_list)
{
    int status = locate(call);
    call->number = number_of(call);
    if (status == CLNORM_SUCCESS)
        status = place_nodes(call);
    if (status == CLNORM_SUCCESS && call->kind == WEIGHTS)
        status = check_weights(call);
    if (status == CLNORM_SUCCESS)
        status = enqueue_first(call, wait_count, wait_list);
    if (!is_known(call->mpi, call->number))
        return agree(call->mpi, call->number, status);
    if (status != CLNORM_SUCCESS) /* tells the others, which wait for this rank's nodes */
        status = exchange(call, status);
    return status;
}

/* An empty call, to be filled in by its arguments; or why there is none. */
static int make_call(clnorm_mpi *mpi, cl_command_queue queue, enum kind kind, int is_complete, clnorm_mpi_call **made)
{
    if (!made)
        return CLNORM_INVALID_ARGUMENT;
    *made = NULL;
    if (!mpi || !is_complete)
        return CLNORM_INVALID_ARGUMENT;
    if (mpi->broken != CLNORM_SUCCESS)
        return mpi->broken;
    if (!mpi->is_divided)
        return clnorm__mpi_refuse(mpi, CLNORM_INVALID_PARTS,
                                  "how the batch is divided: clnorm_mpi_set_samples comes first");
    clnorm_mpi_call *call = calloc(1, sizeof *call);
    if (call)
        call->bytes = calloc((size_t)mpi->ranks, sizeof *call->bytes);
    if (!call || !call->bytes) {
        free(call);
        return CLNORM_OUT_OF_MEMORY;
    }
    call->mpi = mpi;
    call->queue = queue;
    call->kind = kind;
    *made = call;
    return CLNORM_SUCCESS;
}

/* A call and its two halves. */
#define CALL(name, kind, desc_type, desc_member, args_type, args_member)                                               \
    int name##_begin(clnorm_mpi *mpi, cl_command_queue queue, const desc_type *desc, const args_type *args,            \
                     cl_uint wait_count, const cl_event *wait_list, clnorm_mpi_call **call)                            \
    {                                                                                                                  \
        int status = make_call(mpi, queue, kind, desc && args, call);                                                  \
        if (status != CLNORM_SUCCESS)                                                                                  \
            return status;                                                                                             \
        (*call)->desc_member = *desc;                                                                                  \
        (*call)->args.args_member = *args;                                                                             \
        (*call)->workspace = args->workspace;                                                                          \
        status = begin(*call, wait_count, wait_list);                                                                  \
        if (status != CLNORM_SUCCESS) {                                                                                \
            call_free(*call);                                                                                          \
            *call = NULL;                                                                                              \
        }                                                                                                              \
        return status;                                                                                                 \
    }                                                                                                                  \
    int name(clnorm_mpi *mpi, cl_command_queue queue, const desc_type *desc, const args_type *args,                    \
             cl_uint wait_count, const cl_event *wait_list, cl_event *event)                                           \
    {                                                                                                                  \
        clnorm_mpi_call *call;                                                                                         \
        const int status = name##_begin(mpi, queue, desc, args, wait_count, wait_list, &call);                         \
        return status == CLNORM_SUCCESS ? clnorm_mpi_end(&call, event) : status;                                       \
    }
CALL(clnorm_mpi_forward_training, FORWARD, clnorm_desc, desc, clnorm_forward_training_args, forward)
CALL(clnorm_mpi_backward_training, BACKWARD, clnorm_desc, desc, clnorm_backward_training_args, backward)
CALL(clnorm_mpi_backward_frozen, FROZEN, clnorm_desc, desc, clnorm_backward_frozen_args, frozen)
CALL(clnorm_mpi_block_backward, WEIGHTS, clnorm_block_desc, block, clnorm_block_backward_args, weights)

/* All nodes to the device, and what follows. */
static int enqueue_second(clnorm_mpi_call *call, cl_event *event)
{
    cl_event *written = &call->staging->written;
    int status = CLNORM_SUCCESS;
    if (call->kind == WEIGHTS && call->all) {
        const clnorm_buffer to = call->args.weights.diff_weights;
        status = clEnqueueWriteBuffer(call->queue, to.mem, CL_FALSE, to.offset * sizeof(float),
                                      weights_of(call) * sizeof(float), call->staging->host, 0, NULL, written);
        if (status == CLNORM_SUCCESS && event) {
            clRetainEvent(*written);
            *event = *written;
        }
        return status;
    }
    if (call->all)
        status = clEnqueueWriteBuffer(call->queue, call->nodes.mem, CL_FALSE, call->nodes.offset * sizeof(float),
                                      call->all * sizeof(float), call->staging->host, 0, NULL, written);
    return status == CLNORM_SUCCESS ? enqueue_step(call, 1, *written ? 1 : 0, *written ? written : NULL, event)
                                    : status;
}

int clnorm_mpi_end(clnorm_mpi_call **ended, cl_event *event)
{
    if (!ended || !*ended)
        return CLNORM_INVALID_ARGUMENT;
    clnorm_mpi_call *call = *ended;
    int status = clWaitForEvents(1, &call->read);
    status = exchange(call, status);
    if (status == CLNORM_SUCCESS)
        status = enqueue_second(call, event);
    call_free(call);
    *ended = NULL;
    return status;
}
