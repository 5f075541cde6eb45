/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/ranks.h"

#include "cli/message.h"

#include <stdlib.h>
#include <string.h>

/* How many processes a starter says that it has started: mpirun's of Open MPI, and of MPICH and its kin. */
static long started(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);

        if (text && strtol(text, NULL, 10) > 0)
            return strtol(text, NULL, 10);
    }
    return 1;
}

#ifdef CLNORM_HAS_MPI
#include "clnorm_mpi.h"

int ranks_join(struct ranks *ranks)
{
    int level;

    memset(ranks, 0, sizeof(*ranks));
    ranks->count = 1;
    if (started() < 2)
        return 0;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS || level < MPI_THREAD_FUNNELED) {
        complain("this MPI has no support for threads (MPI_THREAD_FUNNELED), which OpenCL drivers have");
        return -1;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks->count);
    return 0;
}

static void tell(void *user, enum clnorm_log_level level, const char *message)
{
    (void)user;
    (void)level;
    complain("%s", message);
}

/* The normalization of a layer, or what its product would be to one. */
static clnorm_desc norm_of(const struct network_layer *layer, uint64_t n)
{
    clnorm_desc desc = {.n = n, .c = layer->desc.dst_c, .s = layer->dst_length / layer->desc.dst_c};

    desc.layout = CLNORM_CHANNELS_FIRST;
    desc.type = layer->desc.type;
    desc.epsilon = layer->desc.epsilon;
    desc.activation = layer->desc.activation;
    return desc;
}

/* A layer without its normalization and activation, which come after it. */
static clnorm_block_desc plain_of(const struct network_layer *layer, uint64_t n)
{
    clnorm_block_desc desc = layer->desc;

    desc.n = n;
    desc.flags |= CLNORM_BLOCK_PLAIN;
    desc.activation = CLNORM_IDENTITY;
    return desc;
}

/* Samples of each rank: whole runs of `multiple`, as many for each as can be. */
static void divide(struct ranks *ranks, uint64_t batch, uint64_t multiple)
{
    const uint64_t runs = (batch + multiple - 1) / multiple, count = (uint64_t)ranks->count;
    uint64_t before = 0;

    for (uint64_t r = 0; r < count; r++) {
        const uint64_t end = runs * (r + 1) / count * multiple;

        ranks->samples[r] = (end < batch ? end : batch) - before;
        if ((int)r == ranks->rank)
            ranks->first = before;
        before += ranks->samples[r];
    }
    ranks->mine = ranks->samples[ranks->rank];
    if (runs < count && ranks->rank == 0)
        complain(
            "--batch %llu goes into %llu parts of %llu samples, fewer than the %llu ranks: some have nothing to do",
            (unsigned long long)batch, (unsigned long long)runs, (unsigned long long)multiple,
            (unsigned long long)count);
}

int ranks_divide(struct ranks *ranks, struct session *session, const struct network *network, uint64_t batch)
{
    const clnorm_mpi_options options = {.timeout = ranks->timeout, .log = tell};
    uint64_t multiple = 1;

    if (session->is_failed)
        return -1;
    for (unsigned i = 0; i < network->count; i++) {
        const clnorm_desc desc = norm_of(&network->layers[i], 1);
        uint64_t own = 1;

        session_expect(session, clnorm_get_part_multiple(&desc, &own), "cannot divide batches");
        multiple = own > multiple ? own : multiple; /* both are powers of two */
    }
    ranks->samples = calloc((size_t)ranks->count, sizeof(*ranks->samples));
    if (!ranks->samples)
        session_expect(session, CLNORM_OUT_OF_MEMORY, "cannot divide batches");
    if (session->is_failed)
        return -1;
    divide(ranks, batch, multiple);
    session_expect(session, clnorm_mpi_create(session->context, MPI_COMM_WORLD, &options, &ranks->mpi), "MPI");
    if (!session->is_failed)
        session_expect(session, clnorm_mpi_set_samples(ranks->mpi, ranks->mine), "MPI");
    ranks->start = MPI_Wtime();
    return session->is_failed ? -1 : 0;
}

/* ---- passes --------------------------------------------------------------------------------------------------- */

static clnorm_buffer part(clnorm_buffer buffer, uint64_t at)
{
    buffer.offset += at;
    return buffer;
}

void ranks_open(struct ranks *ranks, struct network *network)
{
    struct session *session = network->session;
    size_t norm_bytes = 4, weights_bytes = 4;
    uint64_t most = 0;

    for (unsigned i = 0; i < network->count && !session->is_failed; i++) {
        const struct network_layer *layer = &network->layers[i];
        clnorm_desc norm = norm_of(layer, ranks->mine);
        const clnorm_block_desc plain = plain_of(layer, ranks->mine);
        const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_BACKWARD_TRAINING,
                                                    CLNORM_BACKWARD_FROZEN};
        size_t bytes = 0;

        for (int o = 0; o < 3; o++) {
            session_expect(session, clnorm_mpi_get_workspace_bytes(ranks->mpi, operations[o], &norm, &bytes),
                           "cannot tell the size of a workspace");
            norm_bytes = bytes > norm_bytes ? bytes : norm_bytes;
        }
        session_expect(session, clnorm_mpi_get_block_workspace_bytes(ranks->mpi, &plain, &bytes),
                       "cannot tell the size of a workspace");
        weights_bytes = bytes > weights_bytes ? bytes : weights_bytes;
        most = layer->dst_length > most ? layer->dst_length : most;
    }
    ranks->norm_workspace = session_buffer(session, NULL, (norm_bytes + 3) / 4);
    ranks->weights_workspace = session_buffer(session, NULL, (weights_bytes + 3) / 4);
    ranks->diff_product = session_tensor(session, network_last(network)->desc.type, NULL, ranks->mine * most);
}

void ranks_train_forward(struct ranks *ranks, struct network *network)
{
    struct session *session = network->session;

    for (unsigned i = 0; i < network->count && !session->is_failed; i++) {
        const struct network_layer *layer = &network->layers[i];
        const int is_normalized = network_is_normalized(layer);
        const clnorm_block_desc plain = plain_of(layer, ranks->mine);
        const clnorm_desc norm = norm_of(layer, ranks->mine);
        clnorm_block_inference_args product = {.src = network_layer_src(network, i),
                                               .weights = part(network->parameters, layer->weights),
                                               .dst = is_normalized ? layer->product : layer->dst,
                                               .workspace = network->workspace};

        if (!is_normalized)
            product.bias = part(network->parameters, layer->bias);
        session_expect(
            session, clnorm_block_forward_inference(session->context, session->queue, &plain, &product, 0, NULL, NULL),
            "forward");
        if (!is_normalized || session->is_failed)
            continue;
        const clnorm_forward_training_args args = {
            .src = layer->product,
            .dst = layer->dst,
            .scale = part(network->parameters, layer->scale),
            .shift = part(network->parameters, layer->shift),
            .running_mean = part(network->statistics, layer->mean),
            .running_variance = part(network->statistics, layer->variance),
            .save_mean = layer->save_mean,
            .save_mean_low = layer->save_mean_low,
            .save_invstd = layer->save_invstd,
            .workspace = ranks->norm_workspace,
            .momentum = NETWORK_MOMENTUM,
        };
        session_expect(session, clnorm_mpi_forward_training(ranks->mpi, session->queue, &norm, &args, 0, NULL, NULL),
                       "forward");
    }
}

/* Through the normalization: to the gradient of the product. Returns a call that has yet to end. */
static clnorm_mpi_call *begin_norm(struct ranks *ranks, struct network *network, const struct network_layer *layer)
{
    struct session *session = network->session;
    const clnorm_desc norm = norm_of(layer, ranks->mine);
    const clnorm_backward_training_args args = {.src = layer->product,
                                                .diff_dst = layer->diff_dst,
                                                .dst = layer->dst,
                                                .scale = part(network->parameters, layer->scale),
                                                .save_mean = layer->save_mean,
                                                .save_mean_low = layer->save_mean_low,
                                                .save_invstd = layer->save_invstd,
                                                .diff_src = ranks->diff_product,
                                                .diff_scale = part(network->gradients, layer->scale),
                                                .diff_shift = part(network->gradients, layer->shift),
                                                .workspace = ranks->norm_workspace};
    clnorm_mpi_call *call = NULL;

    session_expect(session,
                   clnorm_mpi_backward_training_begin(ranks->mpi, session->queue, &norm, &args, 0, NULL, &call),
                   "backward");
    return call;
}

/* The gradient of a bias: a sum of what statistics that stand still have no part in, for which any variance does. */
static clnorm_mpi_call *begin_bias(struct ranks *ranks, struct network *network, const struct network_layer *layer)
{
    struct session *session = network->session;
    clnorm_desc norm = norm_of(layer, ranks->mine);
    const clnorm_backward_frozen_args args = {.diff_dst = layer->diff_dst,
                                              .variance = part(network->parameters, layer->bias),
                                              .diff_shift = part(network->gradients, layer->bias),
                                              .workspace = ranks->norm_workspace};
    clnorm_mpi_call *call = NULL;

    norm.activation = CLNORM_IDENTITY;
    session_expect(session, clnorm_mpi_backward_frozen_begin(ranks->mpi, session->queue, &norm, &args, 0, NULL, &call),
                   "backward");
    return call;
}

static clnorm_mpi_call *begin_weights(struct ranks *ranks, struct network *network, unsigned i)
{
    struct session *session = network->session;
    const struct network_layer *layer = &network->layers[i];
    const clnorm_block_desc plain = plain_of(layer, ranks->mine);
    clnorm_block_backward_args args = {.src = network_layer_src(network, i),
                                       .weights = part(network->parameters, layer->weights),
                                       .diff_dst = network_is_normalized(layer) ? ranks->diff_product : layer->diff_dst,
                                       .diff_weights = part(network->gradients, layer->weights),
                                       .workspace = ranks->weights_workspace};
    clnorm_mpi_call *call = NULL;

    if (i > 0)
        args.diff_src = network->layers[i - 1].diff_dst;
    if (!session->is_failed)
        session_expect(session,
                       clnorm_mpi_block_backward_begin(ranks->mpi, session->queue, &plain, &args, 0, NULL, &call),
                       "backward");
    return call;
}

static void end(struct session *session, clnorm_mpi_call **call)
{
    if (*call)
        session_expect(session, clnorm_mpi_end(call, NULL), "backward");
}

/* Sums of a layer's normalization are made while the gradient of the weights behind it travels. */
void ranks_backward(struct ranks *ranks, struct network *network)
{
    struct session *session = network->session;
    clnorm_mpi_call *weights = NULL;

    for (unsigned i = network->count; i-- > 0 && !session->is_failed;) {
        const struct network_layer *layer = &network->layers[i];
        clnorm_mpi_call *norm =
            network_is_normalized(layer) ? begin_norm(ranks, network, layer) : begin_bias(ranks, network, layer);

        end(session, &weights);
        end(session, &norm);
        weights = begin_weights(ranks, network, i);
    }
    end(session, &weights);
}

/* ---- what ranks tell each other ------------------------------------------------------------------------------- */

int ranks_gather(struct ranks *ranks, struct session *session, void *values, uint64_t count, uint64_t batch)
{
    const size_t bytes = (size_t)count * 4;
    char *all = malloc(bytes * (size_t)ranks->count + 1);

    if (!all)
        session_expect(session, CLNORM_OUT_OF_MEMORY, "cannot gather what ranks have");
    if (!session->is_failed)
        session_expect(session, clnorm_mpi_gather(ranks->mpi, values, bytes, all), "MPI");
    for (uint64_t first = 0; first + batch <= count && !session->is_failed; first += batch) {
        uint64_t at = first;

        for (int r = 0; r < ranks->count; at += ranks->samples[r], r++)
            memcpy((char *)values + at * 4, all + bytes * (size_t)r + at * 4, (size_t)ranks->samples[r] * 4);
    }
    free(all);
    return session->is_failed ? -1 : 0;
}

double ranks_exchange_share(struct ranks *ranks)
{
    double seconds = 0, share, now = MPI_Wtime();
    uint64_t exchanges;

    clnorm_mpi_get_exchange_time(ranks->mpi, &seconds, &exchanges);
    share = (seconds - ranks->seconds) / (now - ranks->start);
    ranks->seconds = seconds;
    ranks->start = now;
    return share;
}

void ranks_leave(struct ranks *ranks, int is_failed)
{
    free(ranks->samples);
    ranks->samples = NULL;
    if (ranks->count < 2)
        return;
    if (is_failed) /* others may wait for messages that never come: mpirun ends them, too */
        MPI_Abort(MPI_COMM_WORLD, 1);
    ranks->count = 1;
    clnorm_mpi_release(&ranks->mpi);
    MPI_Finalize();
}

#else

int ranks_join(struct ranks *ranks)
{
    memset(ranks, 0, sizeof(*ranks));
    ranks->count = 1;
    if (started() < 2)
        return 0;
    complain("%ld processes were started together, but this clnorm was built without MPI (meson setup -Dmpi=enabled)",
             started());
    return -1;
}

/* Nobody else is there to have a part of anything. */
int ranks_divide(struct ranks *ranks, struct session *session, const struct network *network, uint64_t batch)
{
    (void)ranks, (void)session, (void)network, (void)batch;
    return -1;
}

void ranks_open(struct ranks *ranks, struct network *network)
{
    (void)ranks, (void)network;
}

void ranks_train_forward(struct ranks *ranks, struct network *network)
{
    (void)ranks, (void)network;
}

void ranks_backward(struct ranks *ranks, struct network *network)
{
    (void)ranks, (void)network;
}

int ranks_gather(struct ranks *ranks, struct session *session, void *values, uint64_t count, uint64_t batch)
{
    (void)ranks, (void)session, (void)values, (void)count, (void)batch;
    return -1;
}

double ranks_exchange_share(struct ranks *ranks)
{
    (void)ranks;
    return 0;
}

void ranks_leave(struct ranks *ranks, int is_failed)
{
    (void)ranks, (void)is_failed;
}
#endif
