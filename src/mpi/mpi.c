/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of clnorm_parts.h, and between their two halves an exchange of nodes. */
#include "clnorm_mpi.h"

#include <stdlib.h>
#include <string.h>

#include "mpi/exchange.h"
#include "mpi/staging.h"

struct clnorm_mpi_call {
    clnorm_mpi *mpi;
    cl_command_queue queue;
    clnorm_desc desc;
    int is_backward;
    clnorm_forward_training_args forward;
    clnorm_backward_training_args backward;
    uint64_t number;      /* the same on all ranks that make this call */
    uint64_t first, mine; /* floats: this rank's nodes, of all */
    uint64_t all;
    size_t *bytes; /* of each rank's */
    clnorm_buffer nodes;
    struct clnorm__staging *staging;
    cl_event read;
};

/* ---- the object ---- */

static int has_mpi(void)
{
    int is_there = 0, is_over = 0, level = 0;
    MPI_Initialized(&is_there);
    MPI_Finalized(&is_over);
    if (!is_there || is_over)
        return 0;
    MPI_Query_thread(&level);
    return level >= MPI_THREAD_FUNNELED;
}

/* A duplicate that returns errors; those of the duplication as well. */
static int duplicate(MPI_Comm from, MPI_Comm *to)
{
    MPI_Errhandler handler;
    int error = MPI_Comm_get_errhandler(from, &handler);
    if (error != MPI_SUCCESS)
        return error;
    MPI_Comm_set_errhandler(from, MPI_ERRORS_RETURN);
    error = MPI_Comm_dup(from, to);
    MPI_Comm_set_errhandler(from, handler);
    MPI_Errhandler_free(&handler);
    if (error == MPI_SUCCESS)
        MPI_Comm_set_errhandler(*to, MPI_ERRORS_RETURN);
    return error;
}

static void destroy(clnorm_mpi *mpi)
{
    clnorm__stagings_free(mpi->stagings);
    if (mpi->communicator != MPI_COMM_NULL && mpi->broken == CLNORM_SUCCESS)
        MPI_Comm_free(&mpi->communicator);
    free(mpi->samples);
    free(mpi->known);
    free(mpi);
}

int clnorm_mpi_create(clnorm_context *context, MPI_Comm communicator, const clnorm_mpi_options *options,
                      clnorm_mpi **made)
{
    const clnorm_mpi_options none = {0};
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!made)
        return CLNORM_INVALID_ARGUMENT;
    *made = NULL;
    if (!has_mpi())
        return CLNORM_NO_MPI;
    if (communicator == MPI_COMM_NULL)
        return CLNORM_INVALID_ARGUMENT;
    clnorm_mpi *mpi = calloc(1, sizeof *mpi);
    if (!mpi)
        return CLNORM_OUT_OF_MEMORY;
    if (!options)
        options = &none;
    mpi->context = context;
    mpi->timeout = options->timeout > 0 ? options->timeout : 60;
    mpi->merge = options->merge;
    mpi->log = options->log;
    mpi->log_user = options->log_user;
    mpi->communicator = MPI_COMM_NULL;
    int status = duplicate(communicator, &mpi->communicator) == MPI_SUCCESS ? CLNORM_SUCCESS : CLNORM_MPI_FAILED;
    if (status == CLNORM_SUCCESS) {
        MPI_Comm_rank(mpi->communicator, &mpi->rank);
        MPI_Comm_size(mpi->communicator, &mpi->ranks);
        mpi->samples = calloc((size_t)mpi->ranks, sizeof *mpi->samples);
        size_t *bytes = calloc((size_t)mpi->ranks, sizeof *bytes);
        const int failed = !mpi->samples || !bytes               ? CLNORM_OUT_OF_MEMORY
                           : mpi->merge > CLNORM_MERGE_BY_COUNTS ? CLNORM_INVALID_ENUM
                           : mpi->ranks > (int)CLNORM_MOST_PARTS ? CLNORM_INVALID_PARTS
                                                                 : CLNORM_SUCCESS;
        if (bytes)
            status = clnorm__mpi_exchange(mpi, clnorm__mpi_hash(CLNORM__HASH, &mpi->merge, sizeof mpi->merge), failed,
                                          NULL, bytes, NULL);
        else
            status = failed;
        free(bytes);
    }
    if (status != CLNORM_SUCCESS)
        destroy(mpi);
    else
        *made = mpi;
    return status;
}

int clnorm_mpi_release(clnorm_mpi **mpi)
{
    if (!mpi)
        return CLNORM_INVALID_ARGUMENT;
    if (*mpi)
        destroy(*mpi);
    *mpi = NULL;
    return CLNORM_SUCCESS;
}

int clnorm_mpi_set_samples(clnorm_mpi *mpi, uint64_t n)
{
    static const char name[] = "set_samples";
    if (!mpi)
        return CLNORM_INVALID_ARGUMENT;
    size_t *bytes = malloc((size_t)mpi->ranks * sizeof *bytes);
    if (!bytes)
        return CLNORM_OUT_OF_MEMORY;
    for (int r = 0; r < mpi->ranks; r++)
        bytes[r] = sizeof n;
    mpi->is_divided = 0;
    const int status = clnorm__mpi_exchange(mpi, clnorm__mpi_hash(CLNORM__HASH, name, sizeof name), CLNORM_SUCCESS, &n,
                                            bytes, mpi->samples);
    mpi->is_divided = status == CLNORM_SUCCESS;
    free(bytes);
    return status;
}

int clnorm_mpi_get_parts(const clnorm_mpi *mpi, clnorm_parts *parts, uint64_t *part)
{
    if (!mpi || !parts || !part)
        return CLNORM_INVALID_ARGUMENT;
    if (!mpi->is_divided)
        return clnorm__mpi_refuse(mpi, CLNORM_INVALID_PARTS,
                                  "how the batch is divided: clnorm_mpi_set_samples comes first");
    parts->count = (uint64_t)mpi->ranks;
    parts->samples = mpi->samples;
    parts->merge = mpi->merge;
    *part = (uint64_t)mpi->rank;
    return CLNORM_SUCCESS;
}

int clnorm_mpi_get_exchange_time(const clnorm_mpi *mpi, double *seconds, uint64_t *exchanges)
{
    if (!mpi || !seconds || !exchanges)
        return CLNORM_INVALID_ARGUMENT;
    *seconds = mpi->seconds;
    *exchanges = mpi->exchanges;
    return CLNORM_SUCCESS;
}

/* ---- workspaces: those of clnorm_parts.h, and behind them all nodes ---- */

static int find_workspace(clnorm_mpi *mpi, enum clnorm_operation operation, const clnorm_desc *desc, size_t *steps,
                          size_t *bytes)
{
    clnorm_parts parts;
    uint64_t part, all, none;
    int status = clnorm_mpi_get_parts(mpi, &parts, &part);
    if (status == CLNORM_SUCCESS)
        status = clnorm_get_part_workspace_bytes(mpi->context, operation, desc, &parts, part, steps);
    if (status == CLNORM_SUCCESS)
        status = clnorm_get_part_nodes(operation, desc, &parts, parts.count, &all, &none);
    if (status == CLNORM_SUCCESS)
        *bytes = *steps + (size_t)all * sizeof(float);
    return status;
}

int clnorm_mpi_get_workspace_bytes(clnorm_mpi *mpi, enum clnorm_operation operation, const clnorm_desc *desc,
                                   size_t *bytes)
{
    size_t steps;
    if (!mpi || !bytes)
        return CLNORM_INVALID_ARGUMENT;
    return find_workspace(mpi, operation, desc, &steps, bytes);
}

static int place_nodes(clnorm_mpi_call *call, enum clnorm_operation operation)
{
    const clnorm_buffer workspace = call->is_backward ? call->backward.workspace : call->forward.workspace;
    size_t steps, bytes, there;
    const int status = find_workspace(call->mpi, operation, &call->desc, &steps, &bytes);
    if (status != CLNORM_SUCCESS)
        return status;
    if (!workspace.mem)
        return clnorm__mpi_refuse(call->mpi, CLNORM_MISSING_WORKSPACE,
                                  "workspace is NULL; it is a buffer of %zu bytes (clnorm_mpi_get_workspace_bytes)",
                                  bytes);
    if (clGetMemObjectInfo(workspace.mem, CL_MEM_SIZE, sizeof there, &there, NULL) != CL_SUCCESS)
        return clnorm__mpi_refuse(call->mpi, CLNORM_INVALID_BUFFER, "workspace is not a usable buffer");
    if (workspace.offset > there / 4 || bytes > there - workspace.offset * 4)
        return clnorm__mpi_refuse(
            call->mpi, CLNORM_WORKSPACE_TOO_SMALL,
            "workspace holds %zu bytes, less than offset %llu (elements of 4 bytes) and the %zu bytes "
            "that clnorm_mpi_get_workspace_bytes says",
            there, (unsigned long long)workspace.offset, bytes);
    call->nodes = workspace;
    call->nodes.offset += steps / sizeof(float);
    return CLNORM_SUCCESS;
}

/* ---- a call ---- */

/* What must be the same on all ranks. */
static uint64_t number_of(const clnorm_mpi *mpi, const clnorm_desc *desc, int is_backward)
{
    const uint64_t sizes[] = {desc->c,
                              desc->s,
                              desc->group_samples,
                              desc->group_channels,
                              (uint64_t)desc->layout,
                              (uint64_t)desc->type,
                              (uint64_t)is_backward};
    const float floats[] = {desc->epsilon, desc->activation.slope, desc->activation.cap};
    uint64_t hash = clnorm__mpi_hash(CLNORM__HASH, sizes, sizeof sizes);
    hash = clnorm__mpi_hash(hash, floats, sizeof floats);
    return clnorm__mpi_hash(hash, mpi->samples, (size_t)mpi->ranks * sizeof *mpi->samples);
}

/* Where nodes of all ranks are; where that cannot be told, headers alone are exchanged. */
static int locate(clnorm_mpi_call *call, enum clnorm_operation operation)
{
    clnorm_parts parts;
    uint64_t part, first, elements = 0;
    int status = clnorm_mpi_get_parts(call->mpi, &parts, &part);
    for (uint64_t r = 0; r <= parts.count && status == CLNORM_SUCCESS; r++) {
        status = clnorm_get_part_nodes(operation, &call->desc, &parts, r, &first, &elements);
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

static int enqueue_step(clnorm_mpi_call *call, int is_apply, cl_uint wait_count, const cl_event *wait_list,
                        cl_event *event)
{
    clnorm_parts parts;
    uint64_t part;
    clnorm_context *context = call->mpi->context;
    const int status = clnorm_mpi_get_parts(call->mpi, &parts, &part);
    if (status != CLNORM_SUCCESS)
        return status;
    if (call->is_backward)
        return (is_apply ? clnorm_backward_apply : clnorm_backward_sums)(context, call->queue, &call->desc, &parts,
                                                                         part, call->nodes, &call->backward, wait_count,
                                                                         wait_list, event);
    return (is_apply ? clnorm_forward_apply : clnorm_forward_statistics)(
        context, call->queue, &call->desc, &parts, part, call->nodes, &call->forward, wait_count, wait_list, event);
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
    if (call->read)
        clReleaseEvent(call->read);
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

static int begin(clnorm_mpi_call *call, enum clnorm_operation operation, cl_uint wait_count, const cl_event *wait_list)
{
    int status = locate(call, operation);
    call->number = number_of(call->mpi, &call->desc, call->is_backward);
    if (status == CLNORM_SUCCESS)
        status = place_nodes(call, operation);
    if (status == CLNORM_SUCCESS)
        status = enqueue_first(call, wait_count, wait_list);
    if (!is_known(call->mpi, call->number))
        return agree(call->mpi, call->number, status);
    if (status != CLNORM_SUCCESS) /* tells the others, which wait for this rank's nodes */
        status = clnorm__mpi_exchange(call->mpi, call->number, status, NULL, call->bytes, NULL);
    return status;
}

/* An empty call, to be filled in by its arguments; or why there is none. */
static int make_call(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc, const void *args,
                     clnorm_mpi_call **made)
{
    if (!made)
        return CLNORM_INVALID_ARGUMENT;
    *made = NULL;
    if (!mpi || !desc || !args)
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
    call->desc = *desc;
    *made = call;
    return CLNORM_SUCCESS;
}

static int begun(clnorm_mpi_call **call, int status)
{
    if (status != CLNORM_SUCCESS && *call) {
        call_free(*call);
        *call = NULL;
    }
    return status;
}

int clnorm_mpi_forward_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                             const clnorm_forward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                             clnorm_mpi_call **call)
{
    int status = make_call(mpi, queue, desc, args, call);
    if (status != CLNORM_SUCCESS)
        return status;
    (*call)->forward = *args;
    status = begin(*call, CLNORM_FORWARD_TRAINING, wait_count, wait_list);
    return begun(call, status);
}

int clnorm_mpi_backward_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                              const clnorm_backward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                              clnorm_mpi_call **call)
{
    int status = make_call(mpi, queue, desc, args, call);
    if (status != CLNORM_SUCCESS)
        return status;
    (*call)->backward = *args;
    (*call)->is_backward = 1;
    status = begin(*call, CLNORM_BACKWARD_TRAINING, wait_count, wait_list);
    return begun(call, status);
}

/* All nodes to the device, and what follows. */
static int enqueue_second(clnorm_mpi_call *call, cl_event *event)
{
    cl_event *written = &call->staging->written;
    int status = CLNORM_SUCCESS;
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
    status =
        clnorm__mpi_exchange(call->mpi, call->number, status, call->staging->host, call->bytes, call->staging->host);
    if (status == CLNORM_SUCCESS)
        status = enqueue_second(call, event);
    call_free(call);
    *ended = NULL;
    return status;
}

int clnorm_mpi_forward_training(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                const clnorm_forward_training_args *args, cl_uint wait_count, const cl_event *wait_list,
                                cl_event *event)
{
    clnorm_mpi_call *call;
    const int status = clnorm_mpi_forward_begin(mpi, queue, desc, args, wait_count, wait_list, &call);
    return status == CLNORM_SUCCESS ? clnorm_mpi_end(&call, event) : status;
}

int clnorm_mpi_backward_training(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                 const clnorm_backward_training_args *args, cl_uint wait_count,
                                 const cl_event *wait_list, cl_event *event)
{
    clnorm_mpi_call *call;
    const int status = clnorm_mpi_backward_begin(mpi, queue, desc, args, wait_count, wait_list, &call);
    return status == CLNORM_SUCCESS ? clnorm_mpi_end(&call, event) : status;
}
