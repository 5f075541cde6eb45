/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ranks of an MPI job that train one network together: each takes its part of every batch. Without MPI, or where mpirun started
 * nobody else, there is one. What fails is told, and remembered by the session as in session.h.
 */
#ifndef CLNORM_CLI_RANKS_H
#define CLNORM_CLI_RANKS_H

#include "cli/train/network.h"

struct clnorm_mpi;

struct ranks {
    int count, rank; /* 1 and 0 alone */
    double timeout;  /* seconds that they wait for one another */
    struct clnorm_mpi *mpi;
    uint64_t *samples;    /* of each rank, of a batch */
    uint64_t first, mine; /* this rank's: so many, from this one of a batch on */
    clnorm_buffer diff_product, norm_workspace, weights_workspace;
    double start, seconds; /* when the time of exchanges began to count, and what they had taken then */
};

/* Finds out who there is. Returns 0, or -1 after a message. */
int ranks_join(struct ranks *ranks);

/*
 * Divides batches for a network, whose parts begin where layers of all sizes allow. Needs the session's context. Returns 0, or -1 after a
 * message.
 */
int ranks_divide(struct ranks *ranks, struct session *session, const struct network *network, uint64_t batch);

/* Room for the passes below; the network's buffers are there. */
void ranks_open(struct ranks *ranks, struct network *network);

/* The passes of network.h for a part of a batch. */
void ranks_train_forward(struct ranks *ranks, struct network *network);
void ranks_backward(struct ranks *ranks, struct network *network);

/* What each rank has of count values of 4 bytes, a batch after another, comes together on all. Returns 0, or -1 after a message. */
int ranks_gather(struct ranks *ranks, struct session *session, void *values, uint64_t count, uint64_t batch);

/* Part of the time since the last call, or since ranks_divide, that exchanges took. */
double ranks_exchange_share(struct ranks *ranks);

/* Lets go of MPI; where this rank failed, which is_failed says, without waiting for the others. */
void ranks_leave(struct ranks *ranks, int is_failed);

#endif
