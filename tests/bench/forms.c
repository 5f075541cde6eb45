/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What types, activations, residuals, masks, groups and slices (half of the channels of all tensors) cost: each in turn with the plain
 * float32 call, in one process.
 *
 *   bench_forms [N C S [ROUNDS]]      default 32 256 3136 9: tensors of 103 MB
 *
 * A line for each layout and operation: medians over the plain call's, and what the same takes in passes: a normalization, and kernels that
 * add and cut off, or backward one that gates.
 */
#include "try.h"

#include <string.h>

enum { TRAIN, INFER, BACKWARD, OPERATIONS };
enum { SRC, DST, RESIDUAL, DIFF_DST, DIFF_SRC, DIFF_RESIDUAL, TENSORS };
enum { MOST_ROUNDS = 101, CHUNK = 8192, VECTORS = 12 };

static const struct form {
    const char *name;
    enum clnorm_type type;
    int is_active, has_residual, has_mask, in_passes, is_slice;
    uint64_t group, channels;
} forms[] = {
    {.name = "float32"},
    {.name = "float16", .type = CLNORM_FLOAT16},
    {.name = "bfloat16", .type = CLNORM_BFLOAT16},
    {.name = "relu", .is_active = 1},
    {.name = "relu+mask", .is_active = 1, .has_mask = 1},
    {.name = "add+relu", .is_active = 1, .has_residual = 1},
    {.name = "add+relu+mask", .is_active = 1, .has_residual = 1, .has_mask = 1},
    {.name = "in passes", .in_passes = 1},
    {.name = "groups of 1", .group = 1},
    {.name = "groups of 4", .group = 4},
    {.name = "32 groups of channels", .group = 1, .channels = 32},
    {.name = "slices", .is_slice = 1},
    {.name = "float16 add+relu+mask", .type = CLNORM_FLOAT16, .is_active = 1, .has_residual = 1, .has_mask = 1},
};
enum { FORMS = sizeof forms / sizeof *forms };

static const char passes[] =
    "#define FOR for (size_t i = get_global_id(0) * CHUNK, end = i + CHUNK; i < end; i += 8)\n"
    "kernel void add(global float *y, global const float *r) { FOR vstore8(vload8(0, y + i) + vload8(0, r + i), 0, y + "
    "i); }\n"
    "kernel void relu(global float *y) { FOR vstore8(fmax(vload8(0, y + i), 0.0f), 0, y + i); }\n"
    "kernel void gate(global const float *d, global const float *y, global float *out)\n"
    "{ FOR vstore8(select((float8)(0.0f), vload8(0, d + i), vload8(0, y + i) > 0.0f), 0, out + i); }\n";

static cl_command_queue queue;
static clnorm_context *context;
static cl_mem tensors[TENSORS], mask, vectors, workspace;
static cl_kernel add, relu, gate;
static uint64_t n, channels, positions;

static clnorm_buffer whole(cl_mem mem)
{
    clnorm_buffer buffer = {mem, 0};
    return buffer;
}

/* Vectors have room for the statistics of a group of each sample. */
static clnorm_buffer vector(unsigned number)
{
    clnorm_buffer buffer = {vectors, number * n * channels};
    return buffer;
}

static void launch(cl_kernel kernel, unsigned count, const int *arguments)
{
    const size_t items = n * channels * positions / CHUNK, one = 1;
    for (unsigned i = 0; i < count; i++)
        TRY(clSetKernelArg(kernel, i, sizeof(cl_mem), &tensors[arguments[i]]));
    TRY(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &one, 0, NULL, NULL));
}

static void run(const struct form *f, int operation, clnorm_desc desc)
{
    const clnorm_buffer none = {NULL, 0};
    const uint64_t pitch = 2 * channels;
    clnorm_strides strides = {0, 0, 0};
    if (f->is_slice)
        strides = desc.layout == CLNORM_CHANNELS_LAST ? (clnorm_strides){positions * pitch, 1, pitch}
                                                      : (clnorm_strides){positions * pitch, positions, 1};
    desc.type = f->type;
    desc.group_samples = f->group;
    desc.group_channels = f->channels ? channels / f->channels : 0;
    if (f->is_active)
        desc.activation = CLNORM_RELU;
    if (operation == TRAIN) {
        clnorm_forward_training_args a = {
            .src = whole(tensors[SRC]), .dst = whole(tensors[DST]), .workspace = whole(workspace)};
        a.scale = vector(0), a.shift = vector(1);
        a.save_mean = vector(2), a.save_mean_low = vector(3), a.save_invstd = vector(4);
        a.residual = f->has_residual ? whole(tensors[RESIDUAL]) : none;
        a.mask = f->has_mask ? whole(mask) : none;
        a.src_strides = a.dst_strides = strides;
        TRY(clnorm_forward_training(context, queue, &desc, &a, 0, NULL, NULL));
    } else if (operation == INFER) {
        clnorm_forward_inference_args a = {
            .src = whole(tensors[SRC]), .dst = whole(tensors[DST]), .workspace = whole(workspace)};
        a.scale = vector(0), a.shift = vector(1), a.mean = vector(5), a.variance = vector(6);
        a.residual = f->has_residual ? whole(tensors[RESIDUAL]) : none;
        a.src_strides = a.dst_strides = strides;
        TRY(clnorm_forward_inference(context, queue, &desc, &a, 0, NULL, NULL));
    } else {
        clnorm_backward_training_args a = {
            .src = whole(tensors[SRC]), .diff_src = whole(tensors[DIFF_SRC]), .workspace = whole(workspace)};
        if (f->in_passes)
            launch(gate, 3, (const int[]){DIFF_DST, DST, DIFF_RESIDUAL});
        a.diff_dst = whole(tensors[f->in_passes ? DIFF_RESIDUAL : DIFF_DST]);
        a.scale = vector(0);
        a.save_mean = vector(2), a.save_mean_low = vector(3), a.save_invstd = vector(4);
        a.diff_scale = vector(7), a.diff_shift = vector(8);
        a.mask = f->has_mask ? whole(mask) : none;
        a.dst = f->is_active && !f->has_mask ? whole(tensors[DST]) : none;
        a.diff_residual = f->has_residual ? whole(tensors[DIFF_RESIDUAL]) : none;
        a.src_strides = a.diff_dst_strides = a.diff_src_strides = strides;
        TRY(clnorm_backward_training(context, queue, &desc, &a, 0, NULL, NULL));
    }
    if (f->in_passes && operation != BACKWARD) {
        launch(add, 2, (const int[]){DST, RESIDUAL});
        launch(relu, 1, (const int[]){DST});
    }
    TRY(clFinish(queue));
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int has_form(const struct form *f, int operation)
{
    return (operation != INFER || (!f->group && !f->has_mask)) && (!f->channels || channels % f->channels == 0);
}

static void measure(enum clnorm_layout layout, int rounds)
{
    static const char *const names[OPERATIONS] = {"training", "inference", "backward"};
    static double times[OPERATIONS][FORMS][MOST_ROUNDS];
    const clnorm_desc desc = {.n = n, .c = channels, .s = positions, .layout = layout, .epsilon = 1e-5f};
    for (int round = -1; round < rounds; round++) { /* the first one compiles */
        for (int o = 0; o < OPERATIONS; o++) {
            for (unsigned f = 0; f < FORMS; f++) {
                const double start = milliseconds();
                if (has_form(&forms[f], o))
                    run(&forms[f], o, desc);
                if (round >= 0)
                    times[o][f][round] = milliseconds() - start;
            }
        }
    }
    for (int o = 0; o < OPERATIONS; o++) {
        printf("%s, %s:", layout == CLNORM_CHANNELS_LAST ? "channels-last" : "channels-first", names[o]);
        for (unsigned f = 0; f < FORMS; f++) {
            qsort(times[o][f], (size_t)rounds, sizeof(double), by_size);
            if (has_form(&forms[f], o))
                printf("%s %s %.2f", f ? "," : "", forms[f].name, times[o][f][rounds / 2] / times[o][0][rounds / 2]);
        }
        printf("\n");
        fflush(stdout);
    }
}

/* Words that are two binary16 numbers from 1 to 2 in magnitude, and a binary32 or two bfloat16 that are normal. */
static void fill(uint64_t elements)
{
    uint32_t *words = malloc(elements * sizeof *words), state = 1;
    const cl_float one = 1;
    if (!words)
        exit(1);
    for (uint64_t i = 0; i < elements; i++) {
        state = state * 1664525u + 1013904223u;
        words[i] = 0x3c003c00u + (state & 0x83ff83ffu);
    }
    for (int t = 0; t < TENSORS; t++)
        for (uint64_t half = 0; half < 2; half++) /* a slice's buffer is twice as large */
            TRY(clEnqueueWriteBuffer(queue, tensors[t], CL_TRUE, half * elements * 4, elements * 4, words, 0, NULL,
                                     NULL));
    TRY(clEnqueueWriteBuffer(queue, mask, CL_TRUE, 0, elements / 8, words, 0, NULL, NULL));
    TRY(clEnqueueFillBuffer(queue, vectors, &one, sizeof one, 0, VECTORS * n * channels * 4, 0, NULL, NULL));
    TRY(clFinish(queue));
    free(words);
}

int main(int count, char **arguments)
{
    const int rounds = count > 4 ? atoi(arguments[4]) : 9;
    clnorm_device_info info;
    cl_int e;
    n = count > 3 ? strtoull(arguments[1], NULL, 10) : 32;
    channels = count > 3 ? strtoull(arguments[2], NULL, 10) : 256;
    positions = count > 3 ? strtoull(arguments[3], NULL, 10) : 3136;
    const uint64_t elements = n * channels * positions;
    if (rounds < 1 || rounds > MOST_ROUNDS || elements == 0 || elements % CHUNK) {
        fprintf(stderr, "usage: bench_forms [N C S [ROUNDS]]     N * C * S a multiple of %d, 1 to %d rounds\n", CHUNK,
                MOST_ROUNDS);
        return 2;
    }
    TRY(clnorm_find_device(NULL, &info, NULL));
    cl_context cl = clCreateContext(NULL, 1, &info.device, NULL, NULL, &e);
    TRY(e);
    queue = clCreateCommandQueue(cl, info.device, 0, &e);
    TRY(e);
    TRY(clnorm_create_context(cl, info.device, NULL, &context));
    for (int t = 0; t < TENSORS; t++)
        tensors[t] = clCreateBuffer(cl, CL_MEM_READ_WRITE, 2 * elements * 4, NULL, &e);
    mask = clCreateBuffer(cl, CL_MEM_READ_WRITE, elements / 8, NULL, &e);
    vectors = clCreateBuffer(cl, CL_MEM_READ_WRITE, VECTORS * n * channels * 4, NULL, &e);
    size_t most = 4;
    for (int l = 0; l < 2; l++) {
        for (int o = 0; o < OPERATIONS; o++) {
            for (uint64_t g = 0; g < 6; g++) { /* the last one: of all channels */
                size_t bytes;
                const clnorm_desc desc = {.n = n,
                                          .c = channels,
                                          .s = positions,
                                          .layout = (enum clnorm_layout)l,
                                          .group_samples = g == 5  ? 1
                                                           : g < n ? g
                                                                   : 0,
                                          .group_channels =
                                              g == 5 && channels <= CLNORM_MOST_GROUP_CHANNELS ? channels : 0};
                TRY(clnorm_get_workspace_bytes(context, (enum clnorm_operation)o, &desc, &bytes));
                most = bytes > most ? bytes : most;
            }
        }
    }
    workspace = clCreateBuffer(cl, CL_MEM_READ_WRITE, most, NULL, &e);
    TRY(e);
    cl_program program = clCreateProgramWithSource(cl, 1, (const char *[]){passes}, NULL, &e);
    TRY(e);
    char options[32];
    snprintf(options, sizeof options, "-DCHUNK=%d", CHUNK);
    TRY(clBuildProgram(program, 1, &info.device, options, NULL, NULL));
    add = clCreateKernel(program, "add", &e);
    relu = clCreateKernel(program, "relu", &e);
    gate = clCreateKernel(program, "gate", &e);
    TRY(e);
    fill(elements);
    printf("%llu x %llu x %llu, medians of %d rounds in turn, by the time of the plain float32 call\n",
           (unsigned long long)n, (unsigned long long)channels, (unsigned long long)positions, rounds);
    for (int l = 0; l < 2; l++)
        measure((enum clnorm_layout)l, rounds);
    return 0;
}
