/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain of blocks on a session: their parameters, activations and gradients, and the passes through them. What the device
 * refuses is told and remembered as in session.h; other functions return 0, or -1 after a message.
 */
#ifndef CLNORM_CLI_NETWORK_H
#define CLNORM_CLI_NETWORK_H

#include "clnorm_blocks.h"
#include "cli/session.h"

enum { NETWORK_MOST_LAYERS = 12 };

/* How far a running statistic moves towards a batch's. */
#define NETWORK_MOMENTUM 0.1f

struct network_layer {
    clnorm_block_desc desc; /* its n is set with each use */
    uint64_t dst_length;    /* values a sample */
    /* Where vectors start: those of parameters, and mean and variance of statistics. */
    uint64_t weights, bias, scale, shift;
    uint64_t mean, variance;
    clnorm_buffer product, dst, diff_dst;
    clnorm_buffer save_mean, save_mean_low, save_invstd;
};

struct network {
    struct network_layer layers[NETWORK_MOST_LAYERS];
    unsigned count;
    uint64_t length, classes; /* values a sample in and out */
    uint64_t parameter_count; /* weights, biases, scales and shifts, each vector filled up with zeros */
    uint64_t statistic_count; /* running means and variances, likewise */
    uint64_t weight_count;    /* of the parameters those that are not filling */
    struct session *session;
    clnorm_buffer parameters, gradients, velocity, statistics; /* the first three alike */
    clnorm_buffer src, workspace;
    uint64_t chunk; /* samples that inference takes at once */
};

/* ---- shape: no device ---- */

/* What train's options say. */
struct network_options {
    uint64_t image[3]; /* channels, height, width */
    uint64_t conv[NETWORK_MOST_LAYERS], hidden[NETWORK_MOST_LAYERS];
    unsigned conv_count, hidden_count;
    uint64_t classes;
    int is_plain, is_reproducible;
    int type; /* enum clnorm_type, of what is kept of samples: what layers read and write, and its gradients */
};

/* conv_count + hidden_count must be below NETWORK_MOST_LAYERS. */
int network_build(const struct network_options *options, struct network *network);

/* Computes the places of all vectors, from the layers' descriptions; these must form a chain, or -1 without a message. */
int network_place(struct network *network);

/* Whether a block is normalized. */
int network_is_normalized(const struct network_layer *layer);

/* Weights of one output: one for each input channel and place of the kernel. */
uint64_t network_fan_in(const struct network_layer *layer);

/* Parameters and statistics before training: He's uniform weights, scale and variance 1, all else 0. */
void network_initialize(const struct network *network, uint64_t seed, float *parameters, float *statistics);

/* Writes something like "64-128-64-10, batch norm". */
void network_text(const struct network *network, char *text, size_t capacity);

/* ---- on the device ---- */

/*
 * Makes the buffers: to train with batch samples at a time, or with batch 0 not to train, and to infer up to `samples`
 * samples, in pieces of `chunk`.
 */
void network_open(struct network *network, struct session *session, uint64_t batch, uint64_t samples);

/* Sets all parameters and statistics, and the velocity; NULL is 0, as gradients become. */
void network_upload(struct network *network, const float *parameters, const float *statistics, const float *velocity);
/* velocity may be NULL. */
void network_download(struct network *network, float *parameters, float *statistics, float *velocity);

/* Folds each normalization into its weights and bias: from now on the network is a plain one, for inference alone. */
void network_fold(struct network *network, uint64_t samples);

/* Passes for the n samples in src. Backward starts from the last layer's diff_dst. */
void network_train_forward(struct network *network, uint64_t n);
void network_backward(struct network *network, uint64_t n);
void network_infer(struct network *network, uint64_t n);

struct network_layer *network_last(struct network *network);

/* What layer number i reads. */
clnorm_buffer network_layer_src(const struct network *network, unsigned i);

#endif
