/* SPDX-License-Identifier: Apache-2.0 */
/* Host memory that devices read and write fast, kept from one call to the next. */
#ifndef CLNORM_MPI_STAGING_H
#define CLNORM_MPI_STAGING_H

#include "mpi/exchange.h"

struct clnorm__staging {
    struct clnorm__staging *next;
    cl_mem mem; /* CL_MEM_ALLOC_HOST_PTR, mapped for good */
    cl_command_queue queue;
    void *host;
    size_t bytes;
    cl_event written; /* until then a device reads it */
};

/* One of so many bytes that nobody uses. The first call of a queue waits for what is enqueued there. */
int clnorm__staging_take(clnorm_mpi *mpi, cl_command_queue queue, size_t bytes, struct clnorm__staging **taken);

/* Back; NULL is none. */
void clnorm__staging_give(clnorm_mpi *mpi, struct clnorm__staging *staging);

void clnorm__stagings_free(struct clnorm__staging *list);

#endif
