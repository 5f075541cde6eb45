/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training step of ResNet-50's 53 batch normalizations, with their activations and residuals: how many programs it meets, and what they cost.
 *
 *   bench_network [float32|float16|bfloat16 [channels-first|channels-last [N]]]      default: float16 channels-last 32
 *
 * Calls alone, of the network's shapes, forward with masks and then backward; nothing is convolved. CLNorm's disk cache is off. A driver's own
 * cache is the caller's business: POCL_CACHE_DIR=$(mktemp -d), say, for a first start.
 */
#include "try.h"

#include <string.h>

enum kind { PLAIN, RELU, ADD_RELU };
enum { SRC, DST, RESIDUAL, DIFF_DST, DIFF_SRC, DIFF_RESIDUAL, TENSORS };
enum { SCALE, SHIFT, MEAN, MEAN_LOW, INVSTD, DIFF_SCALE, DIFF_SHIFT, VECTORS };
enum { MOST_LAYERS = 64, MOST_CHANNELS = 2048, STEPS = 6 };

static struct layer {
    uint64_t c, s;
    enum kind kind;
} layers[MOST_LAYERS];
static unsigned layer_count, compiled;

static void add_layer(uint64_t c, uint64_t size, enum kind kind)
{
    layers[layer_count++] = (struct layer){c, size * size, kind};
}

/* He et al., 2016, table 1: bottlenecks 3, 4, 6, 3; the 3 x 3 convolution of a stage's first one halves the image. */
static void make_network(void)
{
    static const unsigned blocks[] = {3, 4, 6, 3};
    uint64_t c = 64, size = 56;

    add_layer(64, 112, RELU);
    for (unsigned stage = 0; stage < 4; stage++, c *= 2, size /= 2)
        for (unsigned b = 0; b < blocks[stage]; b++) {
            add_layer(c, b == 0 && stage > 0 ? 2 * size : size, RELU);
            add_layer(c, size, RELU);
            if (b == 0)
                add_layer(4 * c, size, PLAIN); /* of the shortcut */
            add_layer(4 * c, size, ADD_RELU);
        }
}

static void count_program(void *user, enum clnorm_log_level level, const char *message)
{
    (void)user;
    if (level == CLNORM_LOG_INFO)
        compiled += strstr(message, ": compiling ") != NULL;
    else if (level <= CLNORM_LOG_WARNING)
        fprintf(stderr, "%s\n", message);
}

static clnorm_context *context;
static cl_command_queue queue;
static cl_mem tensors[TENSORS], mask, vectors, workspace;

static clnorm_buffer whole(cl_mem mem)
{
    clnorm_buffer buffer = {mem, 0};
    return buffer;
}

static clnorm_buffer vector(unsigned number)
{
    clnorm_buffer buffer = {vectors, (uint64_t)number * MOST_CHANNELS};
    return buffer;
}

static clnorm_desc desc_of(const struct layer *layer, const clnorm_desc *common)
{
    clnorm_desc desc = *common;
    desc.c = layer->c;
    desc.s = layer->s;
    if (layer->kind != PLAIN)
        desc.activation = CLNORM_RELU;
    return desc;
}

static void forward(const struct layer *layer, const clnorm_desc *common)
{
    const clnorm_desc desc = desc_of(layer, common);
    clnorm_forward_training_args a = {
        .src = whole(tensors[SRC]), .dst = whole(tensors[DST]), .workspace = whole(workspace)};
    a.scale = vector(SCALE), a.shift = vector(SHIFT);
    a.save_mean = vector(MEAN), a.save_mean_low = vector(MEAN_LOW), a.save_invstd = vector(INVSTD);
    if (layer->kind == ADD_RELU)
        a.residual = whole(tensors[RESIDUAL]);
    if (layer->kind != PLAIN)
        a.mask = whole(mask);
    TRY(clnorm_forward_training(context, queue, &desc, &a, 0, NULL, NULL));
}

static void backward(const struct layer *layer, const clnorm_desc *common)
{
    const clnorm_desc desc = desc_of(layer, common);
    clnorm_backward_training_args a = {.src = whole(tensors[SRC]),
                                       .diff_dst = whole(tensors[DIFF_DST]),
                                       .diff_src = whole(tensors[DIFF_SRC]),
                                       .workspace = whole(workspace)};
    a.scale = vector(SCALE);
    a.save_mean = vector(MEAN), a.save_mean_low = vector(MEAN_LOW), a.save_invstd = vector(INVSTD);
    a.diff_scale = vector(DIFF_SCALE), a.diff_shift = vector(DIFF_SHIFT);
    if (layer->kind != PLAIN)
        a.mask = whole(mask);
    if (layer->kind == ADD_RELU)
        a.diff_residual = whole(tensors[DIFF_RESIDUAL]);
    TRY(clnorm_backward_training(context, queue, &desc, &a, 0, NULL, NULL));
}

static double step(const clnorm_desc *common)
{
    const double start = milliseconds();
    for (unsigned i = 0; i < layer_count; i++)
        forward(&layers[i], common);
    for (unsigned i = layer_count; i-- > 0;)
        backward(&layers[i], common);
    TRY(clFinish(queue));
    return milliseconds() - start;
}

static void open_device(const clnorm_desc *common)
{
    const clnorm_context_options options = {.log = count_program, .cache_dir = ""};
    size_t most = 0, bytes, size;
    uint64_t elements = 0;
    cl_context cl;
    clnorm_device_info info;

    TRY(clnorm_create_context(NULL, NULL, &options, &context));
    TRY(clnorm_get_cl_context(context, &cl));
    TRY(clnorm_get_device(context, &info));
    printf("device: %s, %s\n", info.platform_name, info.name);
    for (unsigned i = 0; i < layer_count; i++) {
        const clnorm_desc desc = desc_of(&layers[i], common);
        for (int o = 0; o < 2; o++) {
            TRY(clnorm_get_workspace_bytes(context, o ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING, &desc,
                                           &size));
            most = size > most ? size : most;
        }
        elements = desc.n * desc.c * desc.s > elements ? desc.n * desc.c * desc.s : elements;
    }
    bytes = (size_t)elements * (common->type == CLNORM_FLOAT32 ? 4 : 2);
    cl_int e = CL_SUCCESS;
    const cl_uint zero = 0;
    queue = clCreateCommandQueue(cl, info.device, 0, &e);
    TRY(e);
    for (unsigned t = 0; t < TENSORS; t++) {
        tensors[t] = clCreateBuffer(cl, CL_MEM_READ_WRITE, bytes, NULL, &e);
        TRY(e);
        TRY(clEnqueueFillBuffer(queue, tensors[t], &zero, sizeof zero, 0, bytes, 0, NULL, NULL));
    }
    mask = clCreateBuffer(cl, CL_MEM_READ_WRITE, (size_t)(elements / 8 + 8), NULL, &e);
    TRY(e);
    workspace = clCreateBuffer(cl, CL_MEM_READ_WRITE, most, NULL, &e);
    TRY(e);
    vectors = clCreateBuffer(cl, CL_MEM_READ_WRITE, VECTORS * MOST_CHANNELS * sizeof(float), NULL, &e);
    TRY(e);
    TRY(clEnqueueFillBuffer(queue, vectors, &zero, sizeof zero, 0, VECTORS * MOST_CHANNELS * sizeof(float), 0, NULL,
                            NULL));
    TRY(clFinish(queue));
}

/* The word's number in the list, or -1. */
static int find(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

int main(int count, char **words)
{
    static const char *const types[] = {"float32", "float16", "bfloat16"};
    static const char *const layouts[] = {"channels-first", "channels-last"};
    const int type = find(count > 1 ? words[1] : "float16", types, 3);
    const int layout = find(count > 2 ? words[2] : "channels-last", layouts, 2);
    clnorm_desc common = {.n = count > 3 ? strtoull(words[3], NULL, 10) : 32, .epsilon = 1e-5f};
    double first, later[STEPS];

    if (count > 4 || type < 0 || layout < 0 || common.n == 0) {
        fprintf(stderr, "usage: bench_network [float32|float16|bfloat16 [channels-first|channels-last [N]]]\n");
        return 2;
    }
    common.type = (enum clnorm_type)type;
    common.layout = (enum clnorm_layout)layout;
    make_network();
    open_device(&common);
    compiled = 0; /* the probe's is not the network's */
    first = step(&common);
    const unsigned programs = compiled;
    for (int i = 0; i < STEPS; i++)
        later[i] = step(&common);
    for (int i = 1; i < STEPS; i++) /* the least comes first */
        if (later[i] < later[0])
            later[0] = later[i];
    printf(
        "ResNet-50, %s, %s, n %llu: %u normalizations, %u programs; first step %.0f ms, later ones %.0f ms at least\n",
        types[type], layouts[layout], (unsigned long long)common.n, layer_count, programs, first, later[0]);
    printf("building the programs: %.0f ms; %u more in later steps\n", first - later[0], compiled - programs);
    return 0;
}
