/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exchange of nodes costs (clnorm_mpi.h): forward training and backward of layers of 64 to 2048 channels, 7 x 7 positions and 16
 * samples a rank, which send one node each.
 *
 *   mpirun -n RANKS bench_mpi [ROUNDS]     default 200
 *
 * Rank 0 prints a line for each: bytes that a rank sends, microseconds of an exchange, waiting for other ranks included, and of the whole
 * call, means over the rounds.
 */
#include "try.h"

#include "clnorm_mpi.h"

enum { SAMPLES = 16, POSITIONS = 49 };

static cl_command_queue queue;
static clnorm_mpi *mpi;
static cl_mem tensors[3], vectors, workspace;

static void run(uint64_t channels, int is_backward)
{
    const clnorm_desc desc = {.n = SAMPLES, .c = channels, .s = POSITIONS, .epsilon = 1e-5f};
    const clnorm_forward_training_args forward = {.src = {tensors[0], 0},
                                                  .dst = {tensors[1], 0},
                                                  .save_mean = {vectors, 0},
                                                  .save_invstd = {vectors, channels},
                                                  .workspace = {workspace, 0}};
    const clnorm_backward_training_args backward = {.src = {tensors[0], 0},
                                                    .diff_dst = {tensors[1], 0},
                                                    .diff_src = {tensors[2], 0},
                                                    .save_mean = {vectors, 0},
                                                    .save_invstd = {vectors, channels},
                                                    .workspace = {workspace, 0}};
    if (is_backward)
        TRY(clnorm_mpi_backward_training(mpi, queue, &desc, &backward, 0, NULL, NULL));
    else
        TRY(clnorm_mpi_forward_training(mpi, queue, &desc, &forward, 0, NULL, NULL));
    TRY(clFinish(queue));
}

int main(int count, char **arguments)
{
    const int rounds = count > 1 ? atoi(arguments[1]) : 200;
    const uint64_t most = (uint64_t)SAMPLES * POSITIONS * 2048;
    clnorm_device_info info;
    clnorm_context *context;
    int level, rank, ranks;
    cl_int e;
    MPI_Init_thread(&count, &arguments, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    TRY(clnorm_find_device(NULL, &info, NULL));
    cl_context cl = clCreateContext(NULL, 1, &info.device, NULL, NULL, &e);
    TRY(e);
    queue = clCreateCommandQueue(cl, info.device, 0, &e);
    TRY(e);
    TRY(clnorm_create_context(cl, info.device, NULL, &context));
    TRY(clnorm_mpi_create(context, MPI_COMM_WORLD, NULL, &mpi));
    TRY(clnorm_mpi_set_samples(mpi, SAMPLES));
    float *values = calloc(most, sizeof *values);
    for (uint64_t i = 0; values && i < most; i++)
        values[i] = (float)(i * 2654435761u % 1000) / 500.0f - 1.0f;
    for (int t = 0; t < 3; t++) {
        tensors[t] = clCreateBuffer(cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, most * 4, values, &e);
        TRY(e);
    }
    vectors = clCreateBuffer(cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 4096 * 4, values, &e);
    TRY(e);
    if (rank == 0)
        printf("%d ranks, %d rounds\n", ranks, rounds);
    for (uint64_t channels = 64; channels <= 2048; channels *= 2) {
        const clnorm_desc desc = {.n = SAMPLES, .c = channels, .s = POSITIONS, .epsilon = 1e-5f};
        for (int is_backward = 0; is_backward < 2; is_backward++) {
            const enum clnorm_operation operation = is_backward ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING;
            double before, after, start;
            uint64_t exchanges;
            size_t bytes;
            TRY(clnorm_mpi_get_workspace_bytes(mpi, operation, &desc, &bytes));
            workspace = clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes, NULL, &e);
            TRY(e);
            for (int i = 0; i < 5; i++)
                run(channels, is_backward);
            TRY(clnorm_mpi_get_exchange_time(mpi, &before, &exchanges));
            start = milliseconds();
            for (int i = 0; i < rounds; i++)
                run(channels, is_backward);
            start = milliseconds() - start;
            TRY(clnorm_mpi_get_exchange_time(mpi, &after, &exchanges));
            if (rank == 0)
                printf("%5llu channels, %s: %6llu bytes, exchange %7.0f us, call %7.0f us\n",
                       (unsigned long long)channels, is_backward ? "backward" : "forward ",
                       (unsigned long long)(is_backward ? 16 : 20) * channels, (after - before) / rounds * 1e6,
                       start / rounds * 1e3);
            clReleaseMemObject(workspace);
        }
    }
    TRY(clnorm_mpi_release(&mpi));
    MPI_Finalize();
    return 0;
}
