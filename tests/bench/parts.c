/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a batch in parts costs on one device (clnorm_parts.h): the two steps of a pass for one part, and for four one after another, in turn
 * with the whole call as the device chooses it, and as separate launches of the same kernels as the steps have.
 *
 *   bench_parts [N C S [ROUNDS]]      default 32 256 3136 15: tensors of 103 MB
 *
 * A line for each layout and pass: medians over the whole call's.
 */
#include "try.h"

#include "clnorm_parts.h"

enum { FORWARD, BACKWARD, PASSES };
enum { WHOLE, LAUNCHES, ONE_PART, FOUR_PARTS, WAYS };
enum { MOST_ROUNDS = 101, VECTORS = 8 };

static cl_command_queue queue;
static clnorm_context *contexts[2]; /* of free choice; and of separate launches */
static cl_mem tensors[4], vectors, nodes, workspace;
static uint64_t n, channels, positions;

static clnorm_buffer at(cl_mem mem, uint64_t offset)
{
    const clnorm_buffer buffer = {mem, offset};
    return buffer;
}

static clnorm_buffer vector(unsigned number)
{
    return at(vectors, number * channels);
}

static clnorm_forward_training_args forward_args(uint64_t first)
{
    const clnorm_forward_training_args a = {.src = at(tensors[0], first),
                                            .dst = at(tensors[1], first),
                                            .scale = vector(0),
                                            .shift = vector(1),
                                            .save_mean = vector(2),
                                            .save_mean_low = vector(3),
                                            .save_invstd = vector(4),
                                            .workspace = at(workspace, 0)};
    return a;
}

static clnorm_backward_training_args backward_args(uint64_t first)
{
    const clnorm_backward_training_args a = {.src = at(tensors[0], first),
                                             .diff_dst = at(tensors[2], first),
                                             .scale = vector(0),
                                             .save_mean = vector(2),
                                             .save_mean_low = vector(3),
                                             .save_invstd = vector(4),
                                             .diff_src = at(tensors[3], first),
                                             .diff_scale = vector(5),
                                             .diff_shift = vector(6),
                                             .workspace = at(workspace, 0)};
    return a;
}

static void run_steps(const clnorm_desc *desc, int pass, uint64_t count)
{
    uint64_t samples[4];
    const clnorm_parts parts = {count, samples, CLNORM_MERGE_SAME_BITS};
    clnorm_desc part = *desc;
    part.n = n / count;
    for (uint64_t i = 0; i < count; i++)
        samples[i] = n / count;
    for (uint64_t step = 0; step < 2; step++) {
        for (uint64_t i = 0; i < count; i++) {
            const uint64_t first = i * part.n * channels * positions;
            const clnorm_forward_training_args f = forward_args(first);
            const clnorm_backward_training_args b = backward_args(first);
            if (pass == FORWARD)
                TRY((step ? clnorm_forward_apply : clnorm_forward_statistics)(contexts[0], queue, &part, &parts, i,
                                                                              at(nodes, 0), &f, 0, NULL, NULL));
            else
                TRY((step ? clnorm_backward_apply : clnorm_backward_sums)(contexts[0], queue, &part, &parts, i,
                                                                          at(nodes, 0), &b, 0, NULL, NULL));
        }
    }
}

static void run(const clnorm_desc *desc, int pass, int way)
{
    const clnorm_forward_training_args f = forward_args(0);
    const clnorm_backward_training_args b = backward_args(0);
    if (way == ONE_PART || way == FOUR_PARTS)
        run_steps(desc, pass, way == ONE_PART ? 1 : 4);
    else if (pass == FORWARD)
        TRY(clnorm_forward_training(contexts[way], queue, desc, &f, 0, NULL, NULL));
    else
        TRY(clnorm_backward_training(contexts[way], queue, desc, &b, 0, NULL, NULL));
    TRY(clFinish(queue));
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(enum clnorm_layout layout, int rounds)
{
    static const char *const names[WAYS] = {"", "separate launches", "one part", "four parts"};
    static double times[PASSES][WAYS][MOST_ROUNDS];
    const clnorm_desc desc = {.n = n, .c = channels, .s = positions, .layout = layout, .epsilon = 1e-5f};
    for (int round = -1; round < rounds; round++) { /* the first one compiles */
        for (int pass = 0; pass < PASSES; pass++) {
            for (int way = 0; way < WAYS; way++) {
                const double start = milliseconds();
                run(&desc, pass, way);
                if (round >= 0)
                    times[pass][way][round] = milliseconds() - start;
            }
        }
    }
    for (int pass = 0; pass < PASSES; pass++) {
        for (int way = 0; way < WAYS; way++)
            qsort(times[pass][way], (size_t)rounds, sizeof(double), by_size);
        printf("%s, %s:", layout == CLNORM_CHANNELS_LAST ? "channels-last" : "channels-first",
               pass == FORWARD ? "forward" : "backward");
        for (int way = 1; way < WAYS; way++)
            printf("%s %s %.2f", way > 1 ? "," : "", names[way],
                   times[pass][way][rounds / 2] / times[pass][WHOLE][rounds / 2]);
        printf("\n");
        fflush(stdout);
    }
}

/* Room for what calls need, as one part or as four. */
static size_t most_workspace(void)
{
    size_t most = 4;
    for (int l = 0; l < 2; l++) {
        for (int o = 0; o < 2; o++) {
            const enum clnorm_operation operation = o ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING;
            clnorm_desc desc = {.n = n, .c = channels, .s = positions, .layout = (enum clnorm_layout)l};
            size_t bytes[4];
            for (int i = 0; i < 2; i++)
                TRY(clnorm_get_workspace_bytes(contexts[i], operation, &desc, &bytes[i]));
            for (uint64_t count = 1; count <= 4; count += 3) {
                const uint64_t samples[4] = {n / count, n / 4, n / 4, n / 4};
                const clnorm_parts parts = {count, samples, CLNORM_MERGE_SAME_BITS};
                desc.n = n / count;
                TRY(clnorm_get_part_workspace_bytes(contexts[0], operation, &desc, &parts, 0, &bytes[2 + count / 4]));
            }
            for (int i = 0; i < 4; i++)
                most = bytes[i] > most ? bytes[i] : most;
        }
    }
    return most;
}

static void fill(void)
{
    const uint64_t elements = n * channels * positions;
    const cl_float one = 1;
    float *values = malloc(elements * sizeof *values);
    uint32_t state = 1;
    if (!values)
        exit(1);
    for (uint64_t i = 0; i < elements; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = (float)(state >> 8) * 0x1p-23f - 1.0f;
    }
    for (int t = 0; t < 4; t++)
        TRY(clEnqueueWriteBuffer(queue, tensors[t], CL_TRUE, 0, elements * 4, values, 0, NULL, NULL));
    TRY(clEnqueueFillBuffer(queue, vectors, &one, sizeof one, 0, VECTORS * channels * 4, 0, NULL, NULL));
    TRY(clFinish(queue));
    free(values);
}

int main(int count, char **arguments)
{
    const int rounds = count > 4 ? atoi(arguments[4]) : 15;
    clnorm_context_options launches = {0};
    clnorm_device_info info;
    cl_int e;
    n = count > 3 ? strtoull(arguments[1], NULL, 10) : 32;
    channels = count > 3 ? strtoull(arguments[2], NULL, 10) : 256;
    positions = count > 3 ? strtoull(arguments[3], NULL, 10) : 3136;
    if (rounds < 1 || rounds > MOST_ROUNDS || n == 0 || n % 4 || channels == 0 || positions == 0) {
        fprintf(stderr, "usage: bench_parts [N C S [ROUNDS]]     N a multiple of 4, 1 to %d rounds\n", MOST_ROUNDS);
        return 2;
    }
    TRY(clnorm_find_device(NULL, &info, NULL));
    if (info.type & CL_DEVICE_TYPE_CPU) /* naming any variant keeps a call from being one launch, which GPUs' are not */
        launches.variants = "apply_item";
    cl_context cl = clCreateContext(NULL, 1, &info.device, NULL, NULL, &e);
    TRY(e);
    queue = clCreateCommandQueue(cl, info.device, 0, &e);
    TRY(e);
    TRY(clnorm_create_context(cl, info.device, NULL, &contexts[0]));
    TRY(clnorm_create_context(cl, info.device, &launches, &contexts[1]));
    for (int t = 0; t < 4; t++)
        tensors[t] = clCreateBuffer(cl, CL_MEM_READ_WRITE, n * channels * positions * 4, NULL, &e);
    vectors = clCreateBuffer(cl, CL_MEM_READ_WRITE, VECTORS * channels * 4, NULL, &e);
    nodes = clCreateBuffer(cl, CL_MEM_READ_WRITE, 1000 * channels * 4, NULL, &e);
    workspace = clCreateBuffer(cl, CL_MEM_READ_WRITE, most_workspace(), NULL, &e);
    TRY(e);
    fill();
    printf("%llu x %llu x %llu, medians of %d rounds in turn, by the time of the whole call\n", (unsigned long long)n,
           (unsigned long long)channels, (unsigned long long)positions, rounds);
    for (int l = 0; l < 2; l++)
        measure((enum clnorm_layout)l, rounds);
    return 0;
}
