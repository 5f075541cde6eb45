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
    int *counts, *places, *own_counts, *own_places;
};

static void message_free(struct message *m)
{
    free(m->mine);
    free(m->all);
    free(m->counts);
    free(m->places);
    free(m->own_counts);
    free(m->own_places);
}

/* Blocks of so many bytes, each behind a header: how long they are, and where. Returns their length together, or 0: more than MPI counts. */
static size_t lay_out(const size_t *bytes, int count, int *counts, int *places)
{
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        if (bytes[i] > INT_MAX / 2 || total > INT_MAX / 2)
            return 0;
        counts[i] = (int)(sizeof(struct header) + bytes[i]);
        places[i] = (int)total;
        total += sizeof(struct header) + bytes[i];
    }
    return total;
}

/* own: what each of `blocks` blocks has of mine; bytes: what comes of each rank. Returns whether there was memory. */
static int message_make(const clnorm_mpi *mpi, const struct header *header, const void *mine, const size_t *own,
                        int blocks, const size_t *bytes, struct message *m)
{
    const size_t ranks = (size_t)mpi->ranks;
    const unsigned char *from = mine;
    m->counts = malloc(ranks * sizeof *m->counts);
    m->places = malloc(ranks * sizeof *m->places);
    m->own_counts = malloc((size_t)blocks * sizeof *m->own_counts);
    m->own_places = malloc((size_t)blocks * sizeof *m->own_places);
    if (!m->counts || !m->places || !m->own_counts || !m->own_places)
        return 0;
    const size_t all = lay_out(bytes, mpi->ranks, m->counts, m->places);
    const size_t sent = lay_out(own, blocks, m->own_counts, m->own_places);
    m->mine = sent ? calloc(1, sent) : NULL;
    m->all = all ? calloc(1, all) : NULL; /* zeros are no header: what does not come is not taken for one */
    if (!m->mine || !m->all)
        return 0;
    for (int i = 0; i < blocks; i++) {
        memcpy(m->mine + m->own_places[i], header, sizeof *header);
        if (from && own[i])
            memcpy(m->mine + m->own_places[i] + sizeof *header, from, own[i]);
        from = from ? from + own[i] : NULL;
    }
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

/* own: one block, which goes to all; or one for each rank. */
static int exchange(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *own, int blocks,
                    const size_t *bytes, void *all)
{
    const struct header header = {CLNORM_CONTRACT_VERSION, failed, call};
    const double start = MPI_Wtime();
    struct message m = {NULL, NULL, NULL, NULL, NULL, NULL};
    MPI_Request request;
    if (mpi->broken != CLNORM_SUCCESS)
        return mpi->broken;
    if (!message_make(mpi, &header, mine, own, blocks, bytes, &m)) {
        message_free(&m);
        return break_off(mpi, clnorm__mpi_refuse(mpi, CLNORM_OUT_OF_MEMORY, "no memory for the other ranks' nodes"));
    }
    const int error = blocks > 1 ? MPI_Ialltoallv(m.mine, m.own_counts, m.own_places, MPI_BYTE, m.all, m.counts,
                                                  m.places, MPI_BYTE, mpi->communicator, &request)
                                 : MPI_Iallgatherv(m.mine, m.own_counts[0], MPI_BYTE, m.all, m.counts, m.places,
                                                   MPI_BYTE, mpi->communicator, &request);
    int status = error == MPI_SUCCESS ? wait_for(mpi, &request) : failed_call(mpi, "an exchange", error);
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

int clnorm__mpi_exchange(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *bytes, void *all)
{
    return exchange(mpi, call, failed, mine, &bytes[mpi->rank], 1, bytes, all);
}

int clnorm__mpi_scatter(clnorm_mpi *mpi, uint64_t call, int failed, const void *mine, const size_t *own,
                        const size_t *bytes, void *all)
{
    return exchange(mpi, call, failed, mine, own, mpi->ranks, bytes, all);
}
