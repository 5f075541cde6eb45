/* SPDX-License-Identifier: Apache-2.0 */
/* What travels between ranks, and waiting for it: the only part that calls MPI. */
#ifndef CLNORM_MPI_EXCHANGE_H
#define CLNORM_MPI_EXCHANGE_H

#include "clnorm_mpi.h"

struct clnorm_mpi {
    clnorm_context *context;
    MPI_Comm communicator;
    int rank, ranks;
    double timeout;
    unsigned merge;
    clnorm_log_callback log;
    void *log_user;
    uint64_t *samples; /* of each rank, once is_divided */
    int is_divided;
    int broken;      /* the status that ended it, or CLNORM_SUCCESS */
    uint64_t *known; /* numbers of calls that all ranks were seen to make alike */
    size_t known_count, known_capacity;
    struct clnorm__staging *stagings;
    double seconds; /* in exchanges */
    uint64_t exchanges;
};

/* Says why, and returns the status. */
__attribute__((format(printf, 3, 4))) int clnorm__mpi_refuse(const clnorm_mpi *mpi, int status, const char *format,
                                                             ...);

/* A number that is the same where the bytes are; start with CLNORM__HASH. */
#define CLNORM__HASH UINT64_C(0xcbf29ce484222325)
uint64_t clnorm__mpi_hash(uint64_t hash, const void *bytes, size_t size);

/*
 * Collective. Every rank's `bytes[rank]` bytes come to all, one after another: mine are those at `mine`. call is a number that is the same for
 * the same call, failed a status that kept this rank from its part. Returns CLNORM_SUCCESS, failed itself, or what else went wrong, on every
 * rank.
 */
int clnorm__mpi_exchange(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *bytes, void *all);

/* The same, but that to each rank its own of the blocks goes, which are one after another at `mine`, of own[rank] bytes. */
int clnorm__mpi_scatter(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *own,
                        const size_t *bytes, void *all);

#endif
