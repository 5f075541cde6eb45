/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/network.h"

#include "cli/message.h"
#include "cli/train/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Vectors start at multiples of this: 64 bytes, a cache line, or what a vector of 16 wants. */
enum { ALIGNMENT = 16, MOST_CHUNK = 512 };

/* Streams of random numbers: weights take one for each layer. */
enum { FIRST_WEIGHT_STREAM = 1000 };

int network_is_normalized(const struct network_layer *layer)
{
    return !(layer->desc.flags & CLNORM_BLOCK_PLAIN);
}

uint64_t network_fan_in(const struct network_layer *layer)
{
    return layer->desc.src_c * layer->desc.kernel_h * layer->desc.kernel_w;
}

struct network_layer *network_last(struct network *network)
{
    return &network->layers[network->count - 1];
}

/* ---- shape ---------------------------------------------------------------------------------------------------- */

/* Takes room for a vector in a buffer of *used values; 0, or -1 where sizes are beyond all reason. */
static int place(uint64_t *used, uint64_t count, uint64_t *at)
{
    *at = *used;
    *used += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return count > UINT32_MAX || *used > UINT32_MAX ? -1 : 0;
}

static int place_layer(struct network *network, struct network_layer *layer, uint64_t length)
{
    const clnorm_block_desc *desc = &layer->desc;
    uint64_t dst_h, dst_w, fan_in = network_fan_in(layer);
    int failed;

    if (clnorm_get_block_dst_size(desc, &dst_h, &dst_w) != CLNORM_SUCCESS)
        return -1;
    if (desc->src_c * desc->src_h * desc->src_w != length || fan_in > UINT32_MAX || desc->dst_c > UINT32_MAX)
        return -1;
    layer->dst_length = desc->dst_c * dst_h * dst_w;
    failed = layer->dst_length > UINT32_MAX || place(&network->parameter_count, desc->dst_c * fan_in, &layer->weights);
    network->weight_count += desc->dst_c * fan_in;
    if (network_is_normalized(layer)) {
        failed |= place(&network->parameter_count, desc->dst_c, &layer->scale);
        failed |= place(&network->parameter_count, desc->dst_c, &layer->shift);
        failed |= place(&network->statistic_count, desc->dst_c, &layer->mean);
        failed |= place(&network->statistic_count, desc->dst_c, &layer->variance);
        network->weight_count += 2 * desc->dst_c;
    } else {
        failed |= place(&network->parameter_count, desc->dst_c, &layer->bias);
        network->weight_count += desc->dst_c;
    }
    return failed ? -1 : 0;
}

int network_place(struct network *network)
{
    const clnorm_block_desc *first = &network->layers[0].desc;
    uint64_t length = first->src_c * first->src_h * first->src_w;

    network->length = length;
    network->parameter_count = network->statistic_count = network->weight_count = 0;
    for (unsigned i = 0; i < network->count; i++) {
        if (place_layer(network, &network->layers[i], length) != 0)
            return -1;
        length = network->layers[i].dst_length;
    }
    network->classes = length;
    return 0;
}

/* Adds a layer; status is that of its description. Returns -1 after a message. */
static int add_layer(struct network *network, const struct network_options *options, clnorm_block_desc *desc,
                     int status, int is_last)
{
    struct network_layer *layer = &network->layers[network->count];

    if (status != CLNORM_SUCCESS) {
        complain("layer %u of the network cannot be: %s", network->count + 1, clnorm_status_string(status));
        return -1;
    }
    desc->activation = is_last ? CLNORM_IDENTITY : CLNORM_RELU;
    desc->type = (enum clnorm_type)options->type;
    desc->flags = (options->is_reproducible ? CLNORM_BLOCK_REPRODUCIBLE : 0) |
                  (options->is_plain || is_last ? CLNORM_BLOCK_PLAIN : 0);
    layer->desc = *desc;
    network->count++;
    return 0;
}

int network_build(const struct network_options *options, struct network *network)
{
    uint64_t c = options->image[0], h = options->image[1], w = options->image[2];
    clnorm_block_desc desc;
    int status;

    memset(network, 0, sizeof(*network));
    for (unsigned i = 0; i < options->conv_count; i++) {
        status = clnorm_describe_convolution(1, c, h, w, options->conv[i], 3, i > 0 ? 2 : 1, 1, 1, &desc);
        if (add_layer(network, options, &desc, status, 0) != 0)
            return -1;
        c = options->conv[i];
        status = clnorm_get_block_dst_size(&desc, &h, &w);
        if (status != CLNORM_SUCCESS) {
            complain("--conv: layer %u cannot be: %s", i + 1, clnorm_status_string(status));
            return -1;
        }
    }
    c *= h * w;
    for (unsigned i = 0; i <= options->hidden_count; i++) {
        int is_last = i == options->hidden_count;
        uint64_t next = is_last ? options->classes : options->hidden[i];

        if (add_layer(network, options, &desc, clnorm_describe_linear(1, c, next, &desc), is_last) != 0)
            return -1;
        c = next;
    }
    if (network_place(network) == 0)
        return 0;
    complain("the network is too large: expected fewer than 2^32 weights and values a sample");
    return -1;
}

void network_text(const struct network *network, char *text, size_t capacity)
{
    size_t used = 0;

    for (unsigned i = 0; i < network->count && used < capacity; i++) {
        const clnorm_block_desc *desc = &network->layers[i].desc;

        if (i == 0)
            used +=
                (size_t)snprintf(text, capacity, "%llu", (unsigned long long)(desc->src_c * desc->src_h * desc->src_w));
        if (used < capacity && desc->src_h * desc->src_w > 1)
            used += (size_t)snprintf(text + used, capacity - used, "-conv%llu", (unsigned long long)desc->dst_c);
        else if (used < capacity)
            used += (size_t)snprintf(text + used, capacity - used, "-%llu", (unsigned long long)desc->dst_c);
    }
    if (used < capacity)
        snprintf(text + used, capacity - used, ", %s",
                 network->count > 1 && network_is_normalized(&network->layers[0]) ? "batch norm" : "no batch norm");
}

void network_initialize(const struct network *network, uint64_t seed, float *parameters, float *statistics)
{
    memset(parameters, 0, (size_t)network->parameter_count * sizeof(*parameters));
    memset(statistics, 0, (size_t)network->statistic_count * sizeof(*statistics));
    for (unsigned i = 0; i < network->count; i++) {
        const struct network_layer *layer = &network->layers[i];
        uint64_t fan_in = network_fan_in(layer);
        /* Uniform in [-b, b] has the variance b^2 / 3, which is to be 2 / fan_in. */
        double bound = sqrt(6 / (double)fan_in);
        struct random random;

        random_seed(&random, seed, FIRST_WEIGHT_STREAM + i);
        for (uint64_t k = 0; k < layer->desc.dst_c * fan_in; k++)
            parameters[layer->weights + k] = (float)((2 * random_unit(&random) - 1) * bound);
        for (uint64_t k = 0; k < layer->desc.dst_c && network_is_normalized(layer); k++) {
            parameters[layer->scale + k] = 1;
            statistics[layer->variance + k] = 1;
        }
    }
}

/* ---- on the device -------------------------------------------------------------------------------------------- */

static clnorm_buffer part(clnorm_buffer buffer, uint64_t at)
{
    buffer.offset += at;
    return buffer;
}

/* Raises *bytes to the workspace that an operation of all layers needs. */
static void grow_workspace(struct network *network, enum clnorm_operation operation, uint64_t n, size_t *bytes)
{
    for (unsigned i = 0; i < network->count && n > 0; i++) {
        clnorm_block_desc desc = network->layers[i].desc;
        size_t needed = 0;
        int status;

        desc.n = n;
        if (network->session->is_failed)
            return;
        status = clnorm_get_block_workspace_bytes(network->session->context, operation, &desc, &needed);
        session_expect(network->session, status,
                       status == CLNORM_NO_BLAS ? "there are no products but with --reproducible"
                                                : "cannot tell the size of a block's workspace");
        if (needed > *bytes)
            *bytes = needed;
    }
}

static void make_layer_buffers(struct session *session, struct network_layer *layer, uint64_t most, uint64_t batch)
{
    uint64_t padded = (layer->desc.dst_c + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    clnorm_buffer saved;

    layer->dst = session_tensor(session, layer->desc.type, NULL, most * layer->dst_length);
    if (batch == 0)
        return;
    layer->diff_dst = session_tensor(session, layer->desc.type, NULL, batch * layer->dst_length);
    if (!network_is_normalized(layer))
        return;
    layer->product = session_tensor(session, layer->desc.type, NULL, batch * layer->dst_length);
    saved = session_buffer(session, NULL, 3 * padded);
    layer->save_mean = saved;
    layer->save_mean_low = part(saved, padded);
    layer->save_invstd = part(saved, 2 * padded);
}

void network_open(struct network *network, struct session *session, uint64_t batch, uint64_t samples)
{
    uint64_t chunk = samples < MOST_CHUNK ? samples : MOST_CHUNK, most = batch > chunk ? batch : chunk;
    struct network_layer *last = network_last(network);
    size_t bytes = 4;

    network->session = session;
    network->chunk = chunk;
    network->parameters = session_buffer(session, NULL, network->parameter_count);
    network->statistics = session_buffer(session, NULL, network->statistic_count);
    if (batch > 0) {
        network->gradients = session_buffer(session, NULL, network->parameter_count);
        network->velocity = session_buffer(session, NULL, network->parameter_count);
        grow_workspace(network, CLNORM_FORWARD_TRAINING, batch, &bytes);
        grow_workspace(network, CLNORM_BACKWARD_TRAINING, batch, &bytes);
    }
    if (chunk > 0) {
        grow_workspace(network, CLNORM_FORWARD_INFERENCE, chunk, &bytes);
        grow_workspace(network, CLNORM_FORWARD_INFERENCE, samples % chunk, &bytes);
    }
    network->workspace = session_buffer(session, NULL, (bytes + 3) / 4);
    network->src = session_tensor(session, last->desc.type, NULL, most * network->length);
    for (unsigned i = 0; i < network->count; i++)
        make_layer_buffers(session, &network->layers[i], most, batch);
    /* The softmax writes there in inference as well. */
    if (most > batch)
        last->diff_dst = session_tensor(session, last->desc.type, NULL, most * last->dst_length);
}

void network_upload(struct network *network, const float *parameters, const float *statistics, const float *velocity)
{
    float *zeros = network->velocity.mem ? calloc((size_t)network->parameter_count, sizeof(*zeros)) : NULL;

    session_upload(network->session, network->parameters, parameters, network->parameter_count);
    session_upload(network->session, network->statistics, statistics, network->statistic_count);
    if (!network->velocity.mem)
        return;
    if (!zeros)
        session_expect(network->session, CLNORM_OUT_OF_MEMORY, "cannot clear the gradients");
    session_upload(network->session, network->gradients, zeros, network->parameter_count);
    session_upload(network->session, network->velocity, velocity ? velocity : zeros, network->parameter_count);
    free(zeros);
}

void network_download(struct network *network, float *parameters, float *statistics, float *velocity)
{
    session_download(network->session, network->parameters, parameters, network->parameter_count);
    session_download(network->session, network->statistics, statistics, network->statistic_count);
    if (velocity)
        session_download(network->session, network->velocity, velocity, network->parameter_count);
}

/* Copies count values to a place in another buffer. */
static void copy(struct session *session, clnorm_buffer from, clnorm_buffer to, uint64_t count)
{
    if (!session->is_failed)
        session_expect(session,
                       clEnqueueCopyBuffer(session->queue, from.mem, to.mem, (size_t)from.offset * sizeof(float),
                                           (size_t)to.offset * sizeof(float), (size_t)count * sizeof(float), 0, NULL,
                                           NULL),
                       "cannot copy a vector");
}

static void fold_layer(const struct network *network, const struct network_layer *layer, clnorm_buffer weights,
                       clnorm_buffer bias)
{
    clnorm_block_fold_args args = {.weights = part(network->parameters, layer->weights),
                                   .scale = part(network->parameters, layer->scale),
                                   .shift = part(network->parameters, layer->shift),
                                   .mean = part(network->statistics, layer->mean),
                                   .variance = part(network->statistics, layer->variance),
                                   .folded_weights = weights,
                                   .folded_bias = bias};

    if (!network->session->is_failed)
        session_expect(
            network->session,
            clnorm_block_fold(network->session->context, network->session->queue, &layer->desc, &args, 0, NULL, NULL),
            "fold");
}

void network_fold(struct network *network, uint64_t samples)
{
    struct network folded = *network;
    struct session *session = network->session;
    size_t bytes = 4;

    for (unsigned i = 0; i < folded.count; i++)
        folded.layers[i].desc.flags |= CLNORM_BLOCK_PLAIN;
    network_place(&folded); /* fewer and smaller vectors than those that fitted */
    folded.parameters = session_buffer(session, NULL, folded.parameter_count);
    for (unsigned i = 0; i < folded.count; i++) {
        const struct network_layer *from = &network->layers[i], *to = &folded.layers[i];
        clnorm_buffer weights = part(folded.parameters, to->weights), bias = part(folded.parameters, to->bias);

        if (network_is_normalized(from)) {
            fold_layer(network, from, weights, bias);
            continue;
        }
        copy(session, part(network->parameters, from->weights), weights, from->desc.dst_c * network_fan_in(from));
        copy(session, part(network->parameters, from->bias), bias, from->desc.dst_c);
    }
    if (folded.chunk > 0) {
        grow_workspace(&folded, CLNORM_FORWARD_INFERENCE, folded.chunk, &bytes);
        grow_workspace(&folded, CLNORM_FORWARD_INFERENCE, samples % folded.chunk, &bytes);
    }
    folded.workspace = session_buffer(session, NULL, (bytes + 3) / 4);
    *network = folded;
}

/* ---- passes --------------------------------------------------------------------------------------------------- */

clnorm_buffer network_layer_src(const struct network *network, unsigned i)
{
    return i == 0 ? network->src : network->layers[i - 1].dst;
}

void network_train_forward(struct network *network, uint64_t n)
{
    for (unsigned i = 0; i < network->count && !network->session->is_failed; i++) {
        struct network_layer *layer = &network->layers[i];
        clnorm_block_training_args args = {.src = network_layer_src(network, i),
                                           .weights = part(network->parameters, layer->weights),
                                           .dst = layer->dst,
                                           .workspace = network->workspace,
                                           .momentum = NETWORK_MOMENTUM};

        layer->desc.n = n;
        if (network_is_normalized(layer)) {
            args.product = layer->product;
            args.scale = part(network->parameters, layer->scale);
            args.shift = part(network->parameters, layer->shift);
            args.running_mean = part(network->statistics, layer->mean);
            args.running_variance = part(network->statistics, layer->variance);
            args.save_mean = layer->save_mean;
            args.save_mean_low = layer->save_mean_low;
            args.save_invstd = layer->save_invstd;
        } else {
            args.bias = part(network->parameters, layer->bias);
        }
        session_expect(network->session,
                       clnorm_block_forward_training(network->session->context, network->session->queue, &layer->desc,
                                                     &args, 0, NULL, NULL),
                       "forward");
    }
}

void network_backward(struct network *network, uint64_t n)
{
    for (unsigned i = network->count; i-- > 0 && !network->session->is_failed;) {
        struct network_layer *layer = &network->layers[i];
        clnorm_block_backward_args args = {.src = network_layer_src(network, i),
                                           .weights = part(network->parameters, layer->weights),
                                           .dst = layer->dst,
                                           .diff_dst = layer->diff_dst,
                                           .diff_weights = part(network->gradients, layer->weights),
                                           .workspace = network->workspace};

        layer->desc.n = n;
        if (i > 0)
            args.diff_src = network->layers[i - 1].diff_dst;
        if (network_is_normalized(layer)) {
            args.product = layer->product;
            args.scale = part(network->parameters, layer->scale);
            args.save_mean = layer->save_mean;
            args.save_mean_low = layer->save_mean_low;
            args.save_invstd = layer->save_invstd;
            args.diff_scale = part(network->gradients, layer->scale);
            args.diff_shift = part(network->gradients, layer->shift);
        } else {
            args.diff_bias = part(network->gradients, layer->bias);
        }
        session_expect(network->session,
                       clnorm_block_backward(network->session->context, network->session->queue, &layer->desc, &args, 0,
                                             NULL, NULL),
                       "backward");
    }
}

void network_infer(struct network *network, uint64_t n)
{
    for (unsigned i = 0; i < network->count && !network->session->is_failed; i++) {
        struct network_layer *layer = &network->layers[i];
        clnorm_block_inference_args args = {.src = network_layer_src(network, i),
                                            .weights = part(network->parameters, layer->weights),
                                            .dst = layer->dst,
                                            .workspace = network->workspace};

        layer->desc.n = n;
        if (network_is_normalized(layer)) {
            args.scale = part(network->parameters, layer->scale);
            args.shift = part(network->parameters, layer->shift);
            args.mean = part(network->statistics, layer->mean);
            args.variance = part(network->statistics, layer->variance);
        } else {
            args.bias = part(network->parameters, layer->bias);
        }
        session_expect(network->session,
                       clnorm_block_forward_inference(network->session->context, network->session->queue, &layer->desc,
                                                      &args, 0, NULL, NULL),
                       "inference");
    }
}
