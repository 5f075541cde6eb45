/* SPDX-License-Identifier: Apache-2.0 */
#include "mpi/exchange.h"

#include <limits.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Before the bytes of each rank. */
struct header {
    uint32_t contract;
    int32_t status;
    uint64_t call;
};

int clnorm__mpi_refuse(const clnorm_mpi *mpi, int status, const char *format, ...)
{
    char message[400];
    va_list list;
    if (!mpi->log)
        return status;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    mpi->log(mpi->log_user, CLNORM_LOG_ERROR, message);
    return status;
}

uint64_t clnorm__mpi_hash(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* From now on the object is of no more use: messages may be under way. */
static int break_off(clnorm_mpi *mpi, int status)
{
    mpi->broken = status;
    return status;
}

static int failed_call(clnorm_mpi *mpi, const char *name, int error)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(error, text, &length);
    return break_off(mpi, clnorm__mpi_refuse(mpi, CLNORM_MPI_FAILED, "%s: %s", name, text));
}

/* Waits for a request until the time-out: first without rest, then in short sleeps that leave the processor to others. */
static int wait_for(clnorm_mpi *mpi, MPI_Request *request)
{
    const struct timespec pause = {0, 50000};
    const double start = MPI_Wtime();
    for (unsigned turn = 0;; turn++) {
        int is_done = 0;
        const int error = MPI_Test(request, &is_done, MPI_STATUS_IGNORE);
        if (error != MPI_SUCCESS)
            return failed_call(mpi, "MPI_Test", error);
        if (is_done)
            return CLNORM_SUCCESS;
        if (MPI_Wtime() - start > mpi->timeout)
            return break_off(mpi, clnorm__mpi_refuse(mpi, CLNORM_MPI_TIMEOUT,
                                                     "rank %d of %d waited %g s for the others, in vain", mpi->rank,
                                                     mpi->ranks, mpi->timeout));
        if (turn < 2000)
            sched_yield();
        else
            nanosleep(&pause, NULL);
    }
}

/* What an exchange has in memory; where it failed, MPI may still use it, and it stays. */
struct message {
    unsigned char *mine, *all;
    int *counts, *places;
};

static void message_free(struct message *m)
{
    free(m->mine);
    free(m->all);
    free(m->counts);
    free(m->places);
}

/* Returns whether there was memory, and no more bytes than MPI counts. */
static int message_make(const clnorm_mpi *mpi, const struct header *header, const void *mine, const size_t *bytes,
                        struct message *m)
{
    const size_t ranks = (size_t)mpi->ranks, own = bytes[mpi->rank];
    size_t total = 0;
    m->counts = malloc(ranks * sizeof *m->counts);
    m->places = malloc(ranks * sizeof *m->places);
    for (size_t r = 0; r < ranks && m->counts && m->places; r++) {
        if (bytes[r] > INT_MAX / 2 || total > INT_MAX / 2)
            return 0;
        m->counts[r] = (int)(sizeof *header + bytes[r]);
        m->places[r] = (int)total;
        total += sizeof *header + bytes[r];
    }
    m->mine = malloc(sizeof *header + own);
    m->all = calloc(1, total); /* zeros are no header: what does not come is not taken for one */
    if (!m->counts || !m->places || !m->mine || !m->all)
        return 0;
    memcpy(m->mine, header, sizeof *header);
    if (own && mine)
        memcpy(m->mine + sizeof *header, mine, own);
    else
        memset(m->mine + sizeof *header, 0, own);
    return 1;
}

/* What the ranks say, first of all of failures. */
static int check_headers(const clnorm_mpi *mpi, const struct header *mine, const struct message *m)
{
    struct header header;
    for (int pass = 0; pass < 2; pass++) {
        for (int r = 0; r < mpi->ranks; r++) {
            memcpy(&header, m->all + m->places[r], sizeof header);
            if (pass == 0 && r != mpi->rank && header.contract && header.status != CLNORM_SUCCESS)
                return clnorm__mpi_refuse(mpi, CLNORM_MPI_RANK, "rank %d could not make its part of the call: %d, %s",
                                          r, (int)header.status, clnorm_status_string(header.status));
            if (pass == 1 && header.contract != mine->contract)
                return clnorm__mpi_refuse(mpi, CLNORM_MPI_MISMATCH,
                                          "rank %d has version %u of the numerical contract, this one, %d, has %u", r,
                                          header.contract, mpi->rank, mine->contract);
            if (pass == 1 && header.call != mine->call)
                return clnorm__mpi_refuse(
                    mpi, CLNORM_MPI_MISMATCH,
                    "rank %d makes another call than this one, %d: another operation, description "
                    "or division of the batch",
                    r, mpi->rank);
        }
    }
    return CLNORM_SUCCESS;
}

int clnorm__mpi_exchange(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *bytes, void *all)
{
    const struct header header = {CLNORM_CONTRACT_VERSION, failed, call};
    const double start = MPI_Wtime();
    struct message m = {NULL, NULL, NULL, NULL};
    MPI_Request request;
    if (mpi->broken != CLNORM_SUCCESS)
        return mpi->broken;
    if (!message_make(mpi, &header, mine, bytes, &m)) {
        message_free(&m);
        return break_off(mpi, clnorm__mpi_refuse(mpi, CLNORM_OUT_OF_MEMORY, "no memory for the other ranks' nodes"));
    }
    const int error = MPI_Iallgatherv(m.mine, m.counts[mpi->rank], MPI_BYTE, m.all, m.counts, m.places, MPI_BYTE,
                                      mpi->communicator, &request);
    int status = error == MPI_SUCCESS ? wait_for(mpi, &request) : failed_call(mpi, "MPI_Iallgatherv", error);
    mpi->seconds += MPI_Wtime() - start;
    mpi->exchanges++;
    if (status != CLNORM_SUCCESS) /* MPI may yet write to it */
        return status;
    status = check_headers(mpi, &header, &m);
    unsigned char *to = all;
    for (int r = 0; r < mpi->ranks && status == CLNORM_SUCCESS && to; to += bytes[r], r++)
        if (bytes[r])
            memcpy(to, m.all + m.places[r] + sizeof header, bytes[r]);
    message_free(&m);
    return failed != CLNORM_SUCCESS ? failed : status;
}
