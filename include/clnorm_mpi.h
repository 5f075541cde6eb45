/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLNorm over MPI: batch normalization of a batch whose parts are on the devices of a communicator's ranks ("sync batch norm").
 *
 * It is clnorm_parts.h with MPI as the transport, in a library of its own (libclnorm_mpi), so that nobody else links MPI. Where parts begin
 * between leaves, 1, 2, 3 or 8 ranks give the same bits as one; see there. What travels are nodes, by way of host memory, in one collective for
 * each pass of a layer: 20 bytes a channel and node forward, 16 backward. Gradients of weights go in slices to ranks that add them up, and come
 * back as sums: two collectives, in which each rank sends and gets each weight twice, however many ranks there are.
 *
 *   clnorm_mpi_create(context, communicator, NULL, &mpi);      collective
 *   clnorm_mpi_set_samples(mpi, n);                            collective: n of this rank, until it changes
 *   clnorm_mpi_forward_training(mpi, queue, &desc, &args, ...);
 *
 * All ranks make the same calls in the same order, with the same description but for n, which may be 0. The whole batch may have fewer
 * samples than there are ranks.
 *
 * When something goes wrong
 * -------------------------
 * No call hangs. A rank whose own call fails gets its own status, and tells the others, which get CLNORM_MPI_RANK; out of memory it may fail to
 * tell them. Ranks that make different calls get CLNORM_MPI_MISMATCH: the first call of a kind exchanges only what it is, and then its nodes.
 * (Where ranks part ways later, with messages of other lengths, MPI says so, and by default ends the program.) A rank that does not come within the
 * time-out leaves the others with CLNORM_MPI_TIMEOUT. After that, and after CLNORM_MPI_FAILED, messages may still be under way and the object is
 * of no more use: its calls return the same status again. (mpirun ends all processes when one of them dies.)
 *
 * Who owns what
 * -------------
 * The communicator is duplicated, and errors on the duplicate are returned; the caller's stays as it is. MPI must have been initialized with
 * MPI_THREAD_FUNNELED at least, as OpenCL drivers have threads; only the threads that call these functions call MPI, one at a time. An object
 * belongs to one thread. Nothing is global.
 */
#ifndef CLNORM_MPI_H
#define CLNORM_MPI_H

#include <mpi.h>

#include "clnorm_parts.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clnorm_mpi clnorm_mpi;
typedef struct clnorm_mpi_call clnorm_mpi_call;

/* Zero every member that is not set. */
typedef struct clnorm_mpi_options {
    double timeout;          /* seconds that other ranks may take to come to a call; 0: 60 */
    unsigned merge;          /* enum clnorm_merge */
    clnorm_log_callback log; /* NULL: no messages. Errors of calls of clnorm.h go to the context's log. */
    void *log_user;
} clnorm_mpi_options;

/* Collective. options may be NULL. The context must outlive the object. */
CLNORM_API int clnorm_mpi_create(clnorm_context *context, MPI_Comm communicator, const clnorm_mpi_options *options,
                                 clnorm_mpi **mpi);

/* Collective, unless the object is of no more use. *mpi becomes NULL; NULL is no error. Calls that were begun have ended. */
CLNORM_API int clnorm_mpi_release(clnorm_mpi **mpi);

/* Collective: how many samples each rank has. Before the first batch, and when a rank's number changes. */
CLNORM_API int clnorm_mpi_set_samples(clnorm_mpi *mpi, uint64_t n);

/* The division that follows from it; valid until the next clnorm_mpi_set_samples. part: this rank's number. */
CLNORM_API int clnorm_mpi_get_parts(const clnorm_mpi *mpi, clnorm_parts *parts, uint64_t *part);

/* Bytes of workspace that the calls below need on this rank, all nodes among them. */
CLNORM_API int clnorm_mpi_get_workspace_bytes(clnorm_mpi *mpi, enum clnorm_operation operation, const clnorm_desc *desc,
                                              size_t *bytes);

/*
 * As clnorm_forward_training and clnorm_backward_training on the whole batch, of which this rank has its part: statistics, running statistics,
 * diff_scale and diff_shift are the whole batch's on every rank, and need no further reduction. They wait for the statistics, on the
 * host, and for the other ranks'; what follows is enqueued.
 */
CLNORM_API int clnorm_mpi_forward_training(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                           const clnorm_forward_training_args *args, cl_uint wait_count,
                                           const cl_event *wait_list, cl_event *event);
CLNORM_API int clnorm_mpi_backward_training(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                            const clnorm_backward_training_args *args, cl_uint wait_count,
                                            const cl_event *wait_list, cl_event *event);

/*
 * Through given statistics, where diff_scale or diff_shift is wanted: these are sums of the whole batch. Of diff_src alone
 * clnorm_backward_frozen does.
 */
CLNORM_API int clnorm_mpi_backward_frozen(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                          const clnorm_backward_frozen_args *args, cl_uint wait_count,
                                          const cl_event *wait_list, cl_event *event);

/*
 * The gradient of a layer's weights, a sum over the whole batch in the fixed order, and diff_src of this rank's samples. What is said in
 * clnorm_parts.h of clnorm_block_backward_sums holds, but that args->diff_weights is required.
 */
CLNORM_API int clnorm_mpi_get_block_workspace_bytes(clnorm_mpi *mpi, const clnorm_block_desc *desc, size_t *bytes);
CLNORM_API int clnorm_mpi_block_backward(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_block_desc *desc,
                                         const clnorm_block_backward_args *args, cl_uint wait_count,
                                         const cl_event *wait_list, cl_event *event);

/*
 * The same in two halves: begin enqueues what makes this rank's nodes and returns; end waits for them, exchanges them and enqueues the rest. What is
 * enqueued between them runs while nodes travel. Calls end in the order in which they began, the same on all ranks. Buffers, the workspace
 * among them, belong to the call until its event. On an error begin has told the other ranks, *call is NULL and there is nothing to end;
 * end frees the call in any case.
 */
CLNORM_API int clnorm_mpi_forward_training_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                                 const clnorm_forward_training_args *args, cl_uint wait_count,
                                                 const cl_event *wait_list, clnorm_mpi_call **call);
CLNORM_API int clnorm_mpi_backward_training_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                                  const clnorm_backward_training_args *args, cl_uint wait_count,
                                                  const cl_event *wait_list, clnorm_mpi_call **call);
CLNORM_API int clnorm_mpi_backward_frozen_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_desc *desc,
                                                const clnorm_backward_frozen_args *args, cl_uint wait_count,
                                                const cl_event *wait_list, clnorm_mpi_call **call);
CLNORM_API int clnorm_mpi_block_backward_begin(clnorm_mpi *mpi, cl_command_queue queue, const clnorm_block_desc *desc,
                                               const clnorm_block_backward_args *args, cl_uint wait_count,
                                               const cl_event *wait_list, clnorm_mpi_call **call);
CLNORM_API int clnorm_mpi_end(clnorm_mpi_call **call, cl_event *event);

/* Collective: every rank's `bytes` bytes, in the order of the ranks, in all; the same number on each. For what else is to be told. */
CLNORM_API int clnorm_mpi_gather(clnorm_mpi *mpi, const void *mine, size_t bytes, void *all);

/* Seconds that calls have spent in exchanges since the object was made, waiting for other ranks included, and how many there were. */
CLNORM_API int clnorm_mpi_get_exchange_time(const clnorm_mpi *mpi, double *seconds, uint64_t *exchanges);

#ifdef __cplusplus
}
#endif
#endif
