/* SPDX-License-Identifier: Apache-2.0 */
/* What the exported calls of blocks have in common: check, plan, run. */
#ifndef CLNORM_BLOCK_CALL_H
#define CLNORM_BLOCK_CALL_H

#include "clnorm_parts.h"
#include "plan/operand.h"
#include "run/block_run.h"

/* Everything about one call. */
struct block_call {
    clnorm_context *context;
    const clnorm_block_desc *desc;
    struct clnorm__block_plan plan;
    struct clnorm__uses uses;
    struct clnorm__chain chain;
    struct clnorm__part part; /* of a batch in parts, in runs of samples */
    clnorm_desc batch;        /* whose leaves are those runs */
    clnorm_buffer nodes;      /* of all parts, if there are any; and how many elements */
    uint64_t node_elements;
    char why[CLNORM__WHY];
};

/* Logs the reason; returns the status. */
int clnorm__block_refused(const struct block_call *call, int status);

/*
 * What does not depend on the operation; on success the uses may be filled in. parts: NULL, or how the batch is divided, the call being
 * one of part number `part`.
 */
int clnorm__block_begin(struct block_call *call, clnorm_context *context, cl_command_queue queue,
                        const clnorm_block_desc *desc, const void *args, enum clnorm_operation operation,
                        const clnorm_parts *parts, uint64_t part);

/* Lists the call's buffers and checks them; on success the chain has begun. */
int clnorm__block_check(struct block_call *call, enum clnorm__call which, const void *args, cl_uint wait_count,
                        const cl_event *wait_list, cl_event *event);

int clnorm__block_end(struct block_call *call);

/* That a block may be in parts, and which runs of samples are the part's. desc has passed its check into call->plan.g. */
int clnorm__block_part(struct block_call *call, const clnorm_parts *parts, uint64_t part, int is_of_part);

#endif
