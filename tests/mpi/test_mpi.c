/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization over MPI (clnorm_mpi.h), as one rank of any number of them: forward, backward and running statistics have the bits of the
 * model on the whole batch, for divisions that are equal, unequal, or leave ranks without samples; and what ranks are told when one of them fails,
 * makes another call, or does not come.
 *
 *   mpirun -n RANKS test_mpi [single]     single: of an MPI without threads alone
 *
 * Prints what differs; rank 0 prints how many calls agreed. Exits 1 where anything differs on any rank.
 */
#define _POSIX_C_SOURCE 200809L /* nanosleep, setenv */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"

#include "block_model.h"
#include "clnorm_mpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct rig rig;
static int rank, ranks;
static unsigned agreed, failures;

#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            printf("rank %d of %d, line %d: ", rank, ranks, __LINE__);                                                 \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

static void expect_status(int line, int status, int wanted)
{
    if (status != wanted) {
        printf("rank %d of %d, line %d: status %d (%s), should be %d (%s)\n", rank, ranks, line, status,
               clnorm_status_string(status), wanted, clnorm_status_string(wanted));
        failures++;
    }
}
#define STATUS(call, wanted) expect_status(__LINE__, call, wanted)

/* ---- divisions ---- */

enum { EQUAL, UNEQUAL, EMPTY, FEW, DIVISIONS };

/* Samples of rank r, and of all. Few: a batch of fewer samples than there are ranks. */
static uint64_t samples_of(int division, int r, uint64_t multiple)
{
    const uint64_t rest = r + 1 == ranks ? multiple / 2 + 1 : 0; /* a last leaf that is short */

    switch (division) {
    case EQUAL:
        return 2 * multiple;
    case UNEQUAL:
        return (uint64_t)(1 + r * 7 % 4) * multiple + rest;
    case EMPTY:
        return r % 2 ? 0 : 3 * multiple;
    default:
        return r == ranks / 2 ? 1 : 0;
    }
}

/* ---- bits ---- */

static const struct {
    uint64_t c, s;
    enum clnorm_layout layout;
    uint64_t channels;
} shapes[] = {
    {5, 49, CLNORM_CHANNELS_FIRST, 0}, {3, 1500, CLNORM_CHANNELS_FIRST, 0}, {17, 16, CLNORM_CHANNELS_LAST, 0},
    {33, 1, CLNORM_CHANNELS_LAST, 0},  {6, 64, CLNORM_CHANNELS_FIRST, 3},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* The buffers of a call, of which this rank's tensors begin `before` elements further on. */
static void args_of(const struct call *call, const struct parts *buffers, uint64_t before, struct call_args *args)
{
    clnorm_buffer b[PARTS] = {{0}};

    for (unsigned s = 0; s < PARTS; s++) {
        if (s != WORKSPACE && !(call_slots(call) & BIT(s)))
            continue;
        b[s] = (clnorm_buffer){buffers->part[s].mem, buffers->part[s].offset};
        if (s != WORKSPACE && is_tensor((enum slot)s))
            b[s].offset += before;
    }
    call_args_make(call, b, args);
}

/* Compares this rank's elements of what the call writes. */
static void compare(const struct call *call, struct parts *buffers, const struct values *want, uint64_t before,
                    uint64_t elements, const char *division)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        const uint64_t first = is_tensor((enum slot)s) ? before : 0;
        const uint64_t count = is_tensor((enum slot)s) ? elements : want->count[s];

        if (!(call_writes(call) & BIT(s)))
            continue;
        const float *is = part_read(buffers, rig.queue, (enum slot)s);
        for (uint64_t i = first; i < first + count; i++)
            if (case_bits(is[i]) != case_bits(want->slot[s][i])) {
                EXPECT(0, "%s, shape of %llu x %llu, %s[%llu] is %.9g, should be %.9g", division,
                       (unsigned long long)call->desc.c, (unsigned long long)call->desc.s,
                       slot_name(call->operation, (enum slot)s), (unsigned long long)i, (double)is[i],
                       (double)want->slot[s][i]);
                break;
            }
    }
}

static void check_call(clnorm_mpi *mpi, size_t shape, int division, int pass, int in_halves)
{
    static const char *const names[] = {"equal parts", "unequal parts", "empty parts", "one sample"};
    static const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_BACKWARD_TRAINING,
                                                       CLNORM_BACKWARD_FROZEN};
    struct call call = {.operation = operations[pass], .alias = OUT, .momentum = 0.25f};
    struct values inputs = {0}, want = {0};
    struct parts buffers = {.cl = rig.cl};
    struct call_args args;
    uint64_t multiple, before = 0, own;
    size_t bytes = 0;
    int status;

    call.desc = (clnorm_desc){.c = shapes[shape].c, .s = shapes[shape].s, .epsilon = 1e-5f};
    call.desc.layout = shapes[shape].layout;
    call.desc.group_channels = shapes[shape].channels;
    STATUS(clnorm_get_part_multiple(&call.desc, &multiple), CLNORM_SUCCESS);
    for (int r = 0; r < ranks; r++) {
        call.desc.n += samples_of(division, r, multiple);
        before += r < rank ? samples_of(division, r, multiple) : 0;
    }
    own = samples_of(division, rank, multiple);
    values_make(&inputs, &call.desc, division == UNEQUAL ? CASE_CLASSES : CASE_OFFSET_1E3);
    values_copy(&want, &inputs);
    call_model(&call, &want);

    clnorm_desc mine = call.desc;
    mine.n = own;
    STATUS(clnorm_mpi_set_samples(mpi, own), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_get_workspace_bytes(mpi, call.operation, &mine, &bytes), CLNORM_SUCCESS);
    parts_fill(&buffers, rig.queue, &call, &inputs, bytes);
    args_of(&call, &buffers, before * call.desc.c * call.desc.s, &args);
    if (in_halves) {
        clnorm_mpi_call *half = NULL;

        status = pass == 0   ? clnorm_mpi_forward_training_begin(mpi, rig.queue, &mine, &args.training, 0, NULL, &half)
                 : pass == 1 ? clnorm_mpi_backward_training_begin(mpi, rig.queue, &mine, &args.backward, 0, NULL, &half)
                             : clnorm_mpi_backward_frozen_begin(mpi, rig.queue, &mine, &args.frozen, 0, NULL, &half);
        if (status == CLNORM_SUCCESS)
            status = clnorm_mpi_end(&half, NULL);
        EXPECT(half == NULL, "an ended call is still there");
    } else {
        status = pass == 0   ? clnorm_mpi_forward_training(mpi, rig.queue, &mine, &args.training, 0, NULL, NULL)
                 : pass == 1 ? clnorm_mpi_backward_training(mpi, rig.queue, &mine, &args.backward, 0, NULL, NULL)
                             : clnorm_mpi_backward_frozen(mpi, rig.queue, &mine, &args.frozen, 0, NULL, NULL);
    }
    STATUS(status, CLNORM_SUCCESS);
    STATUS(clFinish(rig.queue), CL_SUCCESS);
    compare(&call, &buffers, &want, before * call.desc.c * call.desc.s, own * call.desc.c * call.desc.s,
            names[division]);
    agreed++;
    parts_free(&buffers);
    values_free(&inputs);
    values_free(&want);
}

/* The gradient of a layer's weights: buffers hold the whole batch, of which each rank has its samples. */
static void check_weights(clnorm_mpi *mpi, int division, int is_convolution)
{
    clnorm_block_desc whole, mine;
    clnorm_desc dst = {.c = 3, .s = is_convolution ? 64 : 1, .epsilon = 1};
    float *value[4]; /* src, the gradient of dst, that of the weights, and what comes back */
    cl_mem mem[5];
    uint64_t multiple, before = 0, n = 0;
    size_t bytes = 0;
    cl_int e;

    STATUS(clnorm_get_part_multiple(&dst, &multiple), CLNORM_SUCCESS);
    for (int r = 0; r < ranks; r++) {
        n += samples_of(division, r, multiple);
        before += r < rank ? samples_of(division, r, multiple) : 0;
    }
    STATUS(is_convolution ? clnorm_describe_convolution(n, 2, 8, 8, 3, 3, 1, 1, 1, &whole)
                          : clnorm_describe_linear(n, 7, 3, &whole),
           CLNORM_SUCCESS);
    whole.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    const uint64_t src_length = is_convolution ? 128 : 7, dst_length = 3 * dst.s, weights = is_convolution ? 54 : 21;
    const uint64_t count[4] = {n * src_length, n * dst_length, weights, weights};
    mine = whole;
    mine.n = samples_of(division, rank, multiple);
    STATUS(clnorm_mpi_set_samples(mpi, mine.n), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_get_block_workspace_bytes(mpi, &mine, &bytes), CLNORM_SUCCESS);
    for (int b = 0; b < 5; b++) {
        if (b < 4)
            value[b] = calloc(count[b] + 1, sizeof(float));
        for (uint64_t i = 0; b < 2 && i < count[b]; i++)
            value[b][i] = case_normal((uint64_t)b + 1, i);
        mem[b] = clCreateBuffer(rig.cl, b < 4 ? CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR : CL_MEM_READ_WRITE,
                                b < 4 ? (count[b] + 1) * sizeof(float) : bytes + 4, b < 4 ? value[b] : NULL, &e);
        STATUS(e, CL_SUCCESS);
    }
    model_block_diff_weights(&whole, value[1], value[0], value[2]);
    const clnorm_block_backward_args args = {.src = {mem[0], before * src_length},
                                             .diff_dst = {mem[1], before * dst_length},
                                             .diff_weights = {mem[2], 0},
                                             .workspace = {mem[4], 0}};
    STATUS(clnorm_mpi_block_backward(mpi, rig.queue, &mine, &args, 0, NULL, NULL), CLNORM_SUCCESS);
    STATUS(clEnqueueReadBuffer(rig.queue, mem[2], CL_TRUE, 0, weights * sizeof(float), value[3], 0, NULL, NULL),
           CL_SUCCESS);
    for (uint64_t i = 0; i < weights; i++)
        EXPECT(case_bits(value[3][i]) == case_bits(value[2][i]),
               "division %d, diff_weights[%llu] is %.9g, should be %.9g", division, (unsigned long long)i,
               (double)value[3][i], (double)value[2][i]);
    agreed++;
    for (int b = 0; b < 5; b++) {
        clReleaseMemObject(mem[b]);
        if (b < 4)
            free(value[b]);
    }
}

/* ---- what goes wrong ---- */

/* A small call on one buffer, which all ranks can make; with a flaw, not. */
static int make_call(clnorm_mpi *mpi, cl_mem mem, uint64_t channels, uint64_t workspace_offset)
{
    const clnorm_desc desc = {.n = 16, .c = channels, .s = 49, .epsilon = 1e-5f};
    const clnorm_forward_training_args args = {
        .src = {mem, 0}, .dst = {mem, 10000}, .workspace = {mem, workspace_offset}};
    const int status = clnorm_mpi_forward_training(mpi, rig.queue, &desc, &args, 0, NULL, NULL);

    STATUS(clFinish(rig.queue), CL_SUCCESS);
    return status;
}

/* The same of weights: a layer of 6 inputs and 4 outputs. */
static int make_weights_call(clnorm_mpi *mpi, cl_mem mem, uint64_t workspace_offset)
{
    const clnorm_block_backward_args args = {
        .src = {mem, 0}, .diff_dst = {mem, 2000}, .diff_weights = {mem, 4000}, .workspace = {mem, workspace_offset}};
    clnorm_block_desc desc;

    STATUS(clnorm_describe_linear(64, 6, 4, &desc), CLNORM_SUCCESS);
    desc.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    const int status = clnorm_mpi_block_backward(mpi, rig.queue, &desc, &args, 0, NULL, NULL);
    STATUS(clFinish(rig.queue), CL_SUCCESS);
    return status;
}

static void check_failures(clnorm_mpi *mpi)
{
    const int last = ranks - 1;
    cl_int e;
    cl_mem mem = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, 1 << 22, NULL, &e);
    const float one = 1;

    STATUS(e, CL_SUCCESS);
    STATUS(clEnqueueFillBuffer(rig.queue, mem, &one, sizeof(one), 0, 1 << 22, 0, NULL, NULL), CL_SUCCESS);
    STATUS(clnorm_mpi_set_samples(mpi, 16), CLNORM_SUCCESS);
    STATUS(make_call(mpi, mem, 4, 100000), CLNORM_SUCCESS);
    /* The last rank has no workspace to speak of. */
    STATUS(make_call(mpi, mem, 4, rank == last ? (1 << 20) - 2 : 100000),
           rank == last ? CLNORM_WORKSPACE_TOO_SMALL : CLNORM_MPI_RANK);
    /* It overlaps its own buffers. */
    STATUS(make_call(mpi, mem, 4, rank == last ? 10 : 100000), rank == last ? CLNORM_BUFFER_OVERLAP : CLNORM_MPI_RANK);
    /* The object is as good as before. */
    STATUS(make_call(mpi, mem, 4, 100000), CLNORM_SUCCESS);
    /* A division by which parts begin within leaves is refused by every rank, without a message. */
    STATUS(clnorm_mpi_set_samples(mpi, 17), CLNORM_SUCCESS);
    clnorm_desc desc = {.n = 17, .c = 4, .s = 49, .epsilon = 1e-5f};
    const clnorm_forward_training_args args = {.src = {mem, 0}, .dst = {mem, 10000}, .workspace = {mem, 100000}};
    STATUS(clnorm_mpi_forward_training(mpi, rig.queue, &desc, &args, 0, NULL, NULL),
           ranks > 1 ? CLNORM_INVALID_PARTS : CLNORM_SUCCESS);
    STATUS(clnorm_mpi_set_samples(mpi, 16), CLNORM_SUCCESS);
    /* The last rank has other samples than it said. */
    desc.n = rank == last ? 15 : 16;
    STATUS(clnorm_mpi_forward_training(mpi, rig.queue, &desc, &args, 0, NULL, NULL),
           rank == last ? CLNORM_INVALID_PARTS : CLNORM_MPI_RANK);
    STATUS(clFinish(rig.queue), CL_SUCCESS);
    /* Gradients of weights, which travel otherwise. */
    STATUS(clnorm_mpi_set_samples(mpi, 64), CLNORM_SUCCESS);
    for (int i = 0; i < 3; i++)
        STATUS(make_weights_call(mpi, mem, i == 1 && rank == last ? (1 << 20) - 2 : 100000),
               i != 1         ? CLNORM_SUCCESS
               : rank == last ? CLNORM_WORKSPACE_TOO_SMALL
                              : CLNORM_MPI_RANK);
    clReleaseMemObject(mem);
}

/* Errors that end an object: another call on one rank, with a message of another length; and a rank that does not come. */
static void check_ends(void)
{
    const clnorm_mpi_options options = {.timeout = 1};
    cl_int e;
    cl_mem mem = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, 1 << 22, NULL, &e);
    clnorm_mpi *mpi;

    STATUS(e, CL_SUCCESS);
    if (ranks == 1) {
        clReleaseMemObject(mem);
        return;
    }
    STATUS(clnorm_mpi_create(rig.context, MPI_COMM_WORLD, NULL, &mpi), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_set_samples(mpi, 16), CLNORM_SUCCESS);
    const int status = make_call(mpi, mem, rank ? 4 : 5, 100000);
    EXPECT(status == CLNORM_MPI_MISMATCH || status == CLNORM_MPI_FAILED || status == CLNORM_MPI_TIMEOUT,
           "another call: status %d (%s)", status, clnorm_status_string(status));
    MPI_Barrier(MPI_COMM_WORLD);
    STATUS(clnorm_mpi_release(&mpi), CLNORM_SUCCESS);

    STATUS(clnorm_mpi_create(rig.context, MPI_COMM_WORLD, &options, &mpi), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_set_samples(mpi, 16), CLNORM_SUCCESS);
    if (rank == ranks - 1) {
        const struct timespec pause = {4, 0};

        nanosleep(&pause, NULL);
        make_call(mpi, mem, 4, 100000); /* too late for the others, whose messages are there */
    } else {
        const double start = MPI_Wtime();

        STATUS(make_call(mpi, mem, 4, 100000), CLNORM_MPI_TIMEOUT);
        EXPECT(MPI_Wtime() - start < 3.5, "%g s until the time-out", MPI_Wtime() - start);
        STATUS(make_call(mpi, mem, 4, 100000), CLNORM_MPI_TIMEOUT);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    STATUS(clnorm_mpi_release(&mpi), CLNORM_SUCCESS);
    clReleaseMemObject(mem);
}

/* MPI without threads, which OpenCL drivers have. */
START_TEST(test_single)
{
    const clnorm_device_info info = fixture_device();
    clnorm_mpi *mpi = NULL;
    int level;

    rig_open(&rig, &info, 1);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SINGLE, &level);
    STATUS(clnorm_mpi_create(rig.context, MPI_COMM_WORLD, NULL, &mpi),
           level < MPI_THREAD_FUNNELED ? CLNORM_NO_MPI : CLNORM_SUCCESS);
    ck_assert_int_lt(level, MPI_THREAD_FUNNELED);
    STATUS(clnorm_mpi_release(&mpi), CLNORM_SUCCESS);
    rig_close(&rig);
    ck_assert_uint_eq(failures, 0);
}
END_TEST

/* One for all: of what MPI was there for, nothing is left. */
START_TEST(test_rank)
{
    const clnorm_device_info info = fixture_device();
    clnorm_mpi *mpi = NULL;
    clnorm_parts parts;
    uint64_t part, exchanges;
    unsigned all_failures;
    double seconds;
    int level;

    setenv("CLNORM_TEST_SMALL", "1", 1);
    fixture_fast_rows(&info); /* which rows make the nodes is nothing to MPI */
    rig_open(&rig, &info, 1);
    STATUS(clnorm_mpi_create(rig.context, MPI_COMM_WORLD, NULL, &mpi), CLNORM_NO_MPI);
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    STATUS(clnorm_mpi_create(rig.context, MPI_COMM_WORLD, NULL, &mpi), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_get_parts(mpi, &parts, &part), CLNORM_INVALID_PARTS);
    for (size_t shape = 0; shape < SHAPES; shape++)
        for (int division = 0; division < DIVISIONS; division++)
            for (int pass = 0; pass < 3; pass++)
                check_call(mpi, shape, division, pass, (int)shape % 2);
    for (int division = 0; division < DIVISIONS; division++)
        for (int is_convolution = 0; is_convolution < 2; is_convolution++)
            check_weights(mpi, division, is_convolution);
    check_failures(mpi);
    STATUS(clnorm_mpi_get_exchange_time(mpi, &seconds, &exchanges), CLNORM_SUCCESS);
    STATUS(clnorm_mpi_release(&mpi), CLNORM_SUCCESS);
    check_ends();
    rig_close(&rig);
    MPI_Allreduce(&failures, &all_failures, 1, MPI_UNSIGNED, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks: %u calls, %llu exchanges, %u failures\n", ranks, agreed, (unsigned long long)exchanges,
               all_failures);
    ck_assert_uint_eq(all_failures, 0);
}
END_TEST

int main(int count, char **arguments)
{
    Suite *suite = suite_create("mpi");
    TCase *tests = tcase_create("mpi");

    fixture_own_cache();
    tcase_set_timeout(tests, 0);
    if (count > 1 && strcmp(arguments[1], "single") == 0)
        tcase_add_test(tests, test_single);
    else
        tcase_add_test(tests, test_rank);
    suite_add_tcase(suite, tests);
    const int status = suite_run(suite);
    fixture_remove_folders();
    MPI_Finalize();
    return status;
}
