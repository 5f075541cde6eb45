/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/model_file.h"

#include "cli/message.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTORS = 6, FIXED_ARRAYS = 4, LAYER_NUMBERS = 9, VELOCITIES = 3 };

__attribute__((format(printf, 2, 3))) static int set_error(struct npy_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

int model_allocate(struct model *model)
{
    model->parameters = calloc((size_t)model->network.parameter_count + 1, sizeof(float));
    model->statistics = calloc((size_t)model->network.statistic_count + 1, sizeof(float));
    model->velocity = calloc((size_t)model->network.parameter_count + 1, sizeof(float));
    if (model->parameters && model->statistics && model->velocity)
        return 0;
    model_free(model);
    complain("out of memory for the %llu weights of the network", (unsigned long long)model->network.weight_count);
    return -1;
}

void model_free(struct model *model)
{
    free(model->parameters);
    free(model->statistics);
    free(model->velocity);
    model->parameters = model->statistics = model->velocity = NULL;
}

int model_is_finite(const struct model *model)
{
    for (uint64_t i = 0; i < model->network.parameter_count; i++)
        if (!isfinite(model->parameters[i]))
            return 0;
    for (uint64_t i = 0; i < model->network.statistic_count; i++)
        if (!isfinite(model->statistics[i]))
            return 0;
    for (unsigned i = 0; i < model->network.count; i++) {
        const struct network_layer *layer = &model->network.layers[i];

        for (uint64_t c = 0; c < layer->desc.dst_c && network_is_normalized(layer); c++)
            if (model->statistics[layer->variance + c] < 0)
                return 0;
    }
    return 1;
}

static uint64_t hash(uint64_t state, const float *values, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint32_t bits;

        memcpy(&bits, &values[i], sizeof(bits));
        if ((bits & 0x7f800000) == 0)
            bits = 0;
        for (int byte = 0; byte < 4; byte++)
            state = (state ^ (bits >> 8 * byte & 0xff)) * UINT64_C(0x100000001b3);
    }
    return state;
}

/* ---- a layer's vectors ---------------------------------------------------------------------------------------- */

/* One vector of a layer: its name, shape, and where it stands in the model. */
struct vector {
    char name[NPZ_NAME_BYTES];
    unsigned rank;
    uint64_t shape[4], count;
    float *values;
};

static void set_vector(struct vector *vector, unsigned layer, const char *name, uint64_t count, float *values)
{
    snprintf(vector->name, sizeof(vector->name), "layer%u.%s", layer, name);
    vector->rank = 1;
    vector->shape[0] = vector->count = count;
    vector->values = values;
}

/* The vectors that layer number i has; returns how many. */
static unsigned list_vectors(const struct model *model, unsigned i, struct vector vectors[VECTORS])
{
    const struct network_layer *layer = &model->network.layers[i];
    const clnorm_block_desc *desc = &layer->desc;
    unsigned count = 0;

    set_vector(&vectors[count], i, "weights", desc->dst_c * network_fan_in(layer), model->parameters + layer->weights);
    vectors[count].rank = desc->kernel_h * desc->kernel_w * desc->src_h * desc->src_w == 1 ? 2 : 4;
    vectors[count].shape[0] = desc->dst_c;
    vectors[count].shape[1] = desc->src_c;
    vectors[count].shape[2] = desc->kernel_h;
    vectors[count].shape[3] = desc->kernel_w;
    count++;
    if (!network_is_normalized(layer)) {
        set_vector(&vectors[count++], i, "bias", desc->dst_c, model->parameters + layer->bias);
        return count;
    }
    set_vector(&vectors[count++], i, "scale", desc->dst_c, model->parameters + layer->scale);
    set_vector(&vectors[count++], i, "shift", desc->dst_c, model->parameters + layer->shift);
    set_vector(&vectors[count++], i, "mean", desc->dst_c, model->statistics + layer->mean);
    set_vector(&vectors[count++], i, "variance", desc->dst_c, model->statistics + layer->variance);
    return count;
}

/* The same of what descent adds to parameters. */
static unsigned list_velocities(const struct model *model, unsigned i, struct vector vectors[VECTORS])
{
    struct vector all[VECTORS];
    const unsigned count = list_vectors(model, i, all);
    unsigned kept = 0;

    for (unsigned k = 0; k < count; k++) {
        const char *name = strchr(all[k].name, '.') + 1;

        if (strcmp(name, "mean") == 0 || strcmp(name, "variance") == 0)
            continue;
        vectors[kept] = all[k];
        snprintf(vectors[kept].name, sizeof(vectors[kept].name), "layer%u.velocity.%s", i, name);
        vectors[kept++].values = model->velocity + (all[k].values - model->parameters);
    }
    return kept;
}

uint64_t model_digest(const struct model *model)
{
    uint64_t state = UINT64_C(0xcbf29ce484222325);

    for (unsigned i = 0; i < model->network.count; i++) {
        struct vector vectors[VECTORS];
        unsigned count = list_vectors(model, i, vectors);

        for (unsigned k = 0; k < count; k++)
            state = hash(state, vectors[k].values, vectors[k].count);
    }
    return state;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

static void describe_layer(const clnorm_block_desc *desc, int32_t numbers[LAYER_NUMBERS])
{
    numbers[0] = (int32_t)desc->src_c;
    numbers[1] = (int32_t)desc->src_h;
    numbers[2] = (int32_t)desc->src_w;
    numbers[3] = (int32_t)desc->dst_c;
    numbers[4] = (int32_t)desc->kernel_h;
    numbers[5] = (int32_t)desc->stride_h;
    numbers[6] = (int32_t)desc->pad_h;
    numbers[7] = !(desc->flags & CLNORM_BLOCK_PLAIN);
    numbers[8] = desc->activation.cap > 0;
}

int model_write(FILE *stream, const char *name, const struct model *model, struct npy_error *error)
{
    const struct network *network = &model->network;
    struct npy_output arrays[FIXED_ARRAYS + 1 + NETWORK_MOST_LAYERS * (VECTORS + VELOCITIES)];
    struct vector vectors[2 * NETWORK_MOST_LAYERS][VECTORS];
    int32_t numbers[NETWORK_MOST_LAYERS * LAYER_NUMBERS];
    const int32_t format = MODEL_FORMAT, epoch = (int32_t)model->epoch;
    float epsilon[NETWORK_MOST_LAYERS];
    size_t count = FIXED_ARRAYS;

    memset(arrays, 0, sizeof(arrays));
    for (unsigned i = 0; i < network->count; i++) {
        describe_layer(&network->layers[i].desc, numbers + (size_t)i * LAYER_NUMBERS);
        epsilon[i] = network->layers[i].desc.epsilon;
    }
    for (unsigned i = 0; i < network->count * (model->epoch > 0 ? 2 : 1); i++) {
        const unsigned own = i < network->count ? list_vectors(model, i, vectors[i])
                                                : list_velocities(model, i - network->count, vectors[i]);

        for (unsigned k = 0; k < own; k++, count++) {
            arrays[count].path = vectors[i][k].name;
            arrays[count].rank = vectors[i][k].rank;
            memcpy(arrays[count].shape, vectors[i][k].shape, sizeof(vectors[i][k].shape));
            arrays[count].values = vectors[i][k].values;
        }
    }
    arrays[0] = (struct npy_output){.path = "format", .rank = 1, .shape = {1}, .integers = &format};
    arrays[1] = (struct npy_output){.path = "factor", .rank = 1, .shape = {1}, .values = &model->factor};
    arrays[2] =
        (struct npy_output){.path = "layers", .rank = 2, .shape = {network->count, LAYER_NUMBERS}, .integers = numbers};
    arrays[3] = (struct npy_output){.path = "epsilon", .rank = 1, .shape = {network->count}, .values = epsilon};
    if (model->epoch > 0)
        arrays[count++] = (struct npy_output){.path = "epoch", .rank = 1, .shape = {1}, .integers = &epoch};
    return npz_write(stream, name, arrays, count, error);
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

/* The array must be there and have this shape. */
static int read_array(struct npz *npz, const char *path, const char *name, int is_integers, unsigned rank,
                      const uint64_t *shape, struct npy_array *array, struct npy_error *error)
{
    char got[NPY_SHAPE_BYTES], expected[NPY_SHAPE_BYTES];

    if (npz_read(npz, name, is_integers, array, error) != 0)
        return -1;
    if (array->rank == rank && memcmp(array->shape, shape, rank * sizeof(shape[0])) == 0)
        return 0;
    set_error(error, "'%s': array '%s' has shape %s; expected %s", path, name,
              npy_shape_text(array->rank, array->shape, got), npy_shape_text(rank, shape, expected));
    npy_free(array);
    return -1;
}

static int read_format(struct npz *npz, const char *path, struct npy_error *error)
{
    static const uint64_t one[1] = {1};
    struct npy_array array;
    int64_t format;

    if (read_array(npz, path, "format", 1, 1, one, &array, error) != 0) {
        char reason[NPY_ERROR_BYTES];

        snprintf(reason, sizeof(reason), "%s", error->text);
        return set_error(error, "%.900s; expected a model written by clnorm train", reason);
    }
    format = array.integers[0];
    npy_free(&array);
    if (format == MODEL_FORMAT)
        return 0;
    return set_error(error, "'%s' is a model of format %lld; expected %d, the one this clnorm knows", path,
                     (long long)format, MODEL_FORMAT);
}

static int take_layer(const int64_t *numbers, float epsilon, struct network_layer *layer)
{
    clnorm_block_desc *desc = &layer->desc;
    int status;

    for (int i = 0; i < LAYER_NUMBERS; i++)
        if (numbers[i] < (i < 6 ? 1 : 0) || numbers[i] > (i < 7 ? INT32_MAX : 1))
            return -1;
    status = clnorm_describe_convolution(1, (uint64_t)numbers[0], (uint64_t)numbers[1], (uint64_t)numbers[2],
                                         (uint64_t)numbers[3], (uint64_t)numbers[4], (uint64_t)numbers[5],
                                         (uint64_t)numbers[6], 1, desc);
    desc->flags = numbers[7] ? 0 : CLNORM_BLOCK_PLAIN;
    desc->activation = numbers[8] ? CLNORM_RELU : CLNORM_IDENTITY;
    desc->epsilon = epsilon;
    return status == CLNORM_SUCCESS && epsilon >= 0 && isfinite(epsilon) ? 0 : -1;
}

static int read_layers(struct npz *npz, const char *path, struct network *network, struct npy_error *error)
{
    uint64_t shape[2] = {0, LAYER_NUMBERS};
    struct npy_array layers, epsilon;
    int result = 0;

    if (npz_read(npz, "layers", 1, &layers, error) != 0)
        return -1;
    if (layers.rank != 2 || layers.shape[1] != LAYER_NUMBERS || layers.shape[0] < 1 ||
        layers.shape[0] > NETWORK_MOST_LAYERS) {
        npy_free(&layers);
        return set_error(error, "'%s': array 'layers' is no list of 1 to %d layers of %d numbers each", path,
                         NETWORK_MOST_LAYERS, LAYER_NUMBERS);
    }
    network->count = (unsigned)layers.shape[0];
    shape[0] = network->count;
    if (read_array(npz, path, "epsilon", 0, 1, shape, &epsilon, error) != 0) {
        npy_free(&layers);
        return -1;
    }
    for (unsigned i = 0; i < network->count && result == 0; i++)
        if (take_layer(layers.integers + (size_t)i * LAYER_NUMBERS, epsilon.values[i], &network->layers[i]) != 0)
            result = set_error(error, "'%s': array 'layers' or 'epsilon': layer %u is none that can be", path, i);
    npy_free(&layers);
    npy_free(&epsilon);
    if (result == 0 && network_place(network) != 0)
        result = set_error(error, "'%s': array 'layers': the layers do not form a chain", path);
    return result;
}

static int read_list(struct npz *npz, const char *path, const struct vector *vectors, unsigned count,
                     struct npy_error *error)
{
    for (unsigned k = 0; k < count; k++) {
        struct npy_array array;

        if (read_array(npz, path, vectors[k].name, 0, vectors[k].rank, vectors[k].shape, &array, error) != 0)
            return -1;
        memcpy(vectors[k].values, array.values, (size_t)vectors[k].count * sizeof(float));
        npy_free(&array);
    }
    return 0;
}

/* What training goes on from, if the file has it. */
static int read_training(struct npz *npz, const char *path, struct model *model, size_t *expected,
                         struct npy_error *error)
{
    struct npy_array array;
    int64_t epoch = 0;

    if (npz_read(npz, "epoch", 1, &array, error) != 0)
        return 0;
    if (array.rank == 1 && array.shape[0] == 1)
        epoch = array.integers[0];
    npy_free(&array);
    if (epoch < 1)
        return set_error(error, "'%s': array 'epoch' is not one number from 1 on", path);
    model->epoch = (uint64_t)epoch;
    *expected += 1;
    for (unsigned i = 0; i < model->network.count; i++) {
        struct vector vectors[VECTORS];
        const unsigned count = list_velocities(model, i, vectors);

        *expected += count;
        if (read_list(npz, path, vectors, count, error) != 0)
            return -1;
    }
    for (uint64_t i = 0; i < model->network.parameter_count; i++)
        if (!isfinite(model->velocity[i]))
            return set_error(error, "'%s' has a velocity that is not finite", path);
    return 0;
}

static int read_vectors(struct npz *npz, const char *path, struct model *model, struct npy_error *error)
{
    size_t expected = FIXED_ARRAYS;

    for (unsigned i = 0; i < model->network.count; i++) {
        struct vector vectors[VECTORS];
        const unsigned count = list_vectors(model, i, vectors);

        expected += count;
        if (read_list(npz, path, vectors, count, error) != 0)
            return -1;
    }
    if (npz_count(npz) > expected && read_training(npz, path, model, &expected, error) != 0)
        return -1;
    if (npz_count(npz) != expected)
        return set_error(error, "'%s' has %zu arrays; expected the %zu of its layers", path, npz_count(npz), expected);
    if (!model_is_finite(model))
        return set_error(error, "'%s' has a weight that is not finite, or a negative variance", path);
    return 0;
}

int model_is_alike(const struct network *a, const struct network *b)
{
    if (a->count != b->count)
        return 0;
    for (unsigned i = 0; i < a->count; i++) {
        int32_t first[LAYER_NUMBERS], second[LAYER_NUMBERS];

        describe_layer(&a->layers[i].desc, first);
        describe_layer(&b->layers[i].desc, second);
        if (memcmp(first, second, sizeof(first)) != 0 || a->layers[i].desc.epsilon != b->layers[i].desc.epsilon)
            return 0;
    }
    return 1;
}

int model_read(const char *path, struct model *model, struct npy_error *error)
{
    static const uint64_t one[1] = {1};
    struct npy_array factor;
    struct npz *npz;
    int result;

    memset(model, 0, sizeof(*model));
    if (npz_open(path, &npz, error) != 0)
        return -1;
    result = read_format(npz, path, error);
    if (result == 0)
        result = read_array(npz, path, "factor", 0, 1, one, &factor, error);
    if (result == 0) {
        model->factor = factor.values[0];
        npy_free(&factor);
        if (!isfinite(model->factor))
            result = set_error(error, "'%s': array 'factor' is not a finite number", path);
    }
    if (result == 0)
        result = read_layers(npz, path, &model->network, error);
    if (result == 0 && model_allocate(model) != 0)
        result = set_error(error, "'%s' cannot be loaded", path);
    if (result == 0)
        result = read_vectors(npz, path, model, error);
    npz_close(npz);
    if (result != 0)
        model_free(model);
    return result;
}
