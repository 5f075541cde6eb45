/* SPDX-License-Identifier: Apache-2.0 */
/* What the exported compute calls have in common: check, plan, run. */
#ifndef CLNORM_CALL_H
#define CLNORM_CALL_H

#include "device/context.h"
#include "plan/operand.h"
#include "plan/plan.h"
#include "run/run.h"

/* Everything about one call. */
struct call {
    clnorm_context *context;
    const clnorm_desc *desc;
    clnorm_desc part; /* what is planned: a group of samples, or all */
    struct clnorm__ask ask;
    struct clnorm__stream stream;
    struct clnorm__buffers buffers;
    struct clnorm_finish finish;
    struct clnorm__filter filter;
    int is_preparing; /* programs alone */
    uint64_t samples; /* of the batch */
    /* Of a batch in parts: elements of all nodes, which its first call writes; and the function that tells its workspace's size. */
    uint64_t nodes;
    const char *query;
    char why[CLNORM__WHY];
};

/* How samples come in groups: so many equal ones, and the samples of a last one that has fewer. */
struct division {
    uint64_t equal, each, rest;
};

struct division clnorm__divide(const clnorm_desc *desc, enum clnorm_operation operation);
uint64_t clnorm__groups_of(const struct division *d);

/* Logs the reason; returns the status. */
int clnorm__call_refused(const struct call *call, int status);

/* What does not depend on the operation; on success the call may be filled in. */
int clnorm__call_begin(struct call *call, clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                       const void *args, enum clnorm_operation operation);

/* What a call of forward training says of running statistics. */
int clnorm__call_running(struct call *call, float momentum, unsigned flags);

/* The flags of a backward call. */
int clnorm__call_accumulate(struct call *call, unsigned flags);

/* What begin has let through: its buffers and their views, and what the call asks for. */
int clnorm__call_place(struct call *call, const void *args);

/* That the buffers will do, after call_place. */
int clnorm__call_check(struct call *call, const void *args, uint64_t workspace);

/* One call of several in a row: waits for the one before, whose event *before is, and sets it; the last one has the event of `whole`. */
int clnorm__call_run_step(struct call *call, const struct clnorm__stream *whole, int is_last, cl_event *before,
                          struct clnorm__plan *plan);

/* All of it: places the buffers, plans, checks and enqueues. */
int clnorm__call_finish(struct call *call, const void *args, cl_uint wait_count, const cl_event *wait_list,
                        cl_event *event);

/* Makes the equal groups what is planned, or the last one. */
void clnorm__call_part(struct call *call, const struct division *d, int is_rest);

/*
 * Plans what there is; the last group's plan is that of the equal ones where it is not there. *workspace: elements, *groups_at: where those
 * for the statistics of groups begin.
 */
int clnorm__call_plan(struct call *call, const struct division *d, struct clnorm__plan plans[2], uint64_t *groups_at,
                      uint64_t *workspace);

/* Enqueues a plan of what clnorm__call_part has made it, or builds what it needs. */
int clnorm__call_run(struct call *call, struct clnorm__plan *plan);
int clnorm__call_run_part(struct call *call, struct clnorm__plan *plan);

/* Elements of the vectors that groups of samples have in common. */
uint64_t clnorm__call_joined(const struct call *call);

/* Several groups: enqueues their plans, and what joins them. */
int clnorm__call_run_groups(struct call *call, const struct division *d, struct clnorm__plan plans[2],
                            uint64_t groups_at);

/* Builds what plans need, and what joins groups. */
int clnorm__call_prepare(struct call *call, const struct division *d, struct clnorm__plan plans[2]);
/* Builds what both calls of a part need. */
int clnorm__call_prepare_parts(struct call *call);

#endif
