/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trains a network on a data set by gradient descent with momentum, on shuffled mini-batches. One seed decides which samples
 * are held out, the weights at the start and the batches, so that two networks can be given the same ones.
 */
#ifndef CLNORM_CLI_TRAINER_H
#define CLNORM_CLI_TRAINER_H

#include "cli/train/data_set.h"
#include "cli/train/network.h"
#include "cli/train/ranks.h"
#include "cli/train/train_kernels.h"

/* What is told of a network at one time. */
struct point {
    uint64_t epoch, step;                    /* whole epochs and steps done before */
    double loss, accuracy;                   /* of the batches since the last point, each before its step */
    double held_out_loss, held_out_accuracy; /* of the samples held out */
};

struct curve {
    struct point *points;
    size_t count, room;
    uint64_t diverged; /* the epoch, from 1 on, in which a loss was not finite; 0: none */
};

struct trainer {
    const struct data_set *set;
    uint64_t seed, batch, epoch; /* epoch: how many were there before */
    float rate, momentum;
    /* Set by trainer_split: */
    uint32_t *train, *held_out, *order; /* numbers of samples; order: the epoch's */
    uint64_t train_count, held_out_count;
    /* On the device: */
    struct session *session;
    struct train_kernels *kernels;
    struct network *network;
    struct ranks *ranks; /* who train it together, each with its part of a batch; NULL: this process alone */
    clnorm_buffer values, train_order, held_out_order;
    struct train_scores train_scores, held_out_scores;
    /* Copies of scores. */
    float *sums, *margins;
    uint32_t *predicted;
};

/* Parts the samples, as the seed says, and makes room for copies. Returns 0, or -1 after a message. */
int trainer_split(struct trainer *trainer, const struct data_set *set, double held_out_fraction);
void trainer_free(struct trainer *trainer);

/* Steps an epoch has: samples that fill no whole batch are left out of it. */
uint64_t trainer_steps(const struct trainer *trainer);

/* Brings the data to the device, and makes the network's buffers there. */
void trainer_open(struct trainer *trainer, struct session *session, struct train_kernels *kernels,
                  struct network *network);

/* Runs every pass once, so that its kernels are compiled. What it leaves behind means nothing. */
void trainer_warm_up(struct trainer *trainer);

/* Called after each epoch, unless it diverged; returns 0, or -1 to stop. */
typedef int (*trainer_callback)(void *user, const struct point *point);

/*
 * Trains for so many epochs. Adds a point to the curve after every so many steps (0: never) and after each epoch, and stops
 * in the epoch whose loss is not finite. Returns 0, or -1 after a message or where the callback said so.
 */
int trainer_run(struct trainer *trainer, uint64_t epochs, uint64_t every, struct curve *curve,
                trainer_callback callback, void *user);

/* The first point with at least that accuracy on the samples held out; NULL where there is none. */
const struct point *curve_reaches(const struct curve *curve, double accuracy);

/* The point of the best accuracy, the first of equals; NULL of an empty curve. */
const struct point *curve_best(const struct curve *curve);
void curve_free(struct curve *curve);

#endif
