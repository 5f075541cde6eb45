/* SPDX-License-Identifier: Apache-2.0 */
/* The ranks of a communicator, and how a batch is divided among them. */
#include "clnorm_mpi.h"

#include <stdlib.h>

#include "mpi/exchange.h"
#include "mpi/staging.h"

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

int clnorm_mpi_gather(clnorm_mpi *mpi, const void *mine, size_t bytes, void *all)
{
    static const char name[] = "gather";
    if (!mpi || (bytes && (!mine || !all)))
        return CLNORM_INVALID_ARGUMENT;
    size_t *each = malloc((size_t)mpi->ranks * sizeof *each);
    if (!each)
        return CLNORM_OUT_OF_MEMORY;
    for (int r = 0; r < mpi->ranks; r++)
        each[r] = bytes;
    const uint64_t number = clnorm__mpi_hash(clnorm__mpi_hash(CLNORM__HASH, name, sizeof name), &bytes, sizeof bytes);
    const int status = clnorm__mpi_exchange(mpi, number, CLNORM_SUCCESS, mine, each, all);
    free(each);
    return status;
}
