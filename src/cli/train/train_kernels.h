/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of train.cl on a session's queue. What fails is told and remembered as in session.h. */
#ifndef CLNORM_CLI_TRAIN_KERNELS_H
#define CLNORM_CLI_TRAIN_KERNELS_H

#include "cli/session.h"

/* train.cl, embedded by kernels/embed.py. */
struct train_file {
    const char *name;
    const unsigned char *text;
    size_t size;
};
extern const struct train_file train_files[];

enum train_kernel { TRAIN_GATHER, TRAIN_SOFTMAX, TRAIN_DESCEND, TRAIN_KERNELS };

struct train_kernels {
    cl_program program;
    cl_kernel kernels[TRAIN_KERNELS];
};

/* Compiles them, for what is kept of samples of a type (enum clnorm_type). Returns 0 or -1. */
int train_kernels_open(struct session *session, struct train_kernels *kernels, int type);
void train_kernels_close(struct train_kernels *kernels);

/* Samples in a certain order: sample number order[first + i] is number i, for i below count. */
struct train_rows {
    clnorm_buffer order; /* uint32 */
    uint64_t first, count;
};

/* The kernels; buffers' offsets must be 0. See train.cl. */
void train_gather(struct session *session, struct train_kernels *kernels, const struct train_rows *rows,
                  uint64_t length, clnorm_buffer src, clnorm_buffer dst);

/* What softmax reads and writes besides the gradient. */
struct train_scores {
    clnorm_buffer labels;                   /* uint32 */
    clnorm_buffer sums, margins, predicted; /* predicted: uint32 */
};

void train_softmax(struct session *session, struct train_kernels *kernels, const struct train_rows *rows,
                   uint64_t classes, float factor, clnorm_buffer logits, clnorm_buffer gradient,
                   const struct train_scores *scores);

void train_descend(struct session *session, struct train_kernels *kernels, uint64_t count, float rate, float momentum,
                   clnorm_buffer gradient, clnorm_buffer velocity, clnorm_buffer parameter);

#endif
