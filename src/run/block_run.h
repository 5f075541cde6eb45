/* SPDX-License-Identifier: Apache-2.0 */
/* Enqueues the steps of a block, one after another. */
#ifndef CLNORM_BLOCK_RUN_H
#define CLNORM_BLOCK_RUN_H

#include "run/block_kernels.h"
#include "run/block_plan.h"

/*
 * Steps on a queue, each of which waits for the one before: the first for the caller's wait list, the others by themselves on an
 * in-order queue and through an event on another. Once a step fails the others are not enqueued and the first status stays.
 */
struct clnorm__chain {
    clnorm_context *context;
    const clnorm_block_desc *desc;
    const struct clnorm__block_plan *plan;
    struct clnorm__stream stream; /* the caller's */
    struct clnorm__stream step;   /* the next step's */
    clnorm_buffer workspace;
    cl_mem temp;
    cl_event before, done;
    int status;
};

/* workspace: its use in the call, with the facts. The stream is the caller's. */
void clnorm__chain_begin(struct clnorm__chain *chain, const struct clnorm__use *workspace);

/* A step of the chain is one function call with chain->step as its stream: its status goes here. */
void clnorm__chain_step(struct clnorm__chain *chain, int status);

/* Hands out the event of the whole and lets go of what the chain holds. Returns the status. */
int clnorm__chain_end(struct clnorm__chain *chain);

/* out = src * weights + bias, then the activation where is_last. */
void clnorm__chain_forward(struct clnorm__chain *chain, clnorm_buffer src, clnorm_buffer weights, clnorm_buffer bias,
                           clnorm_buffer out, int is_last);

/* Gradients of the product's operands from that of the product, diff; an absent one is not computed. */
void clnorm__chain_backward(struct clnorm__chain *chain, clnorm_buffer diff, clnorm_buffer src, clnorm_buffer weights,
                            clnorm_buffer diff_src, clnorm_buffer diff_weights);

/* Whether another step may be enqueued. */
#define CLNORM__CHAIN(chain, call)                                                                                     \
    do {                                                                                                               \
        if ((chain)->status == CLNORM_SUCCESS)                                                                         \
            clnorm__chain_step(chain, call);                                                                           \
    } while (0)

#endif
