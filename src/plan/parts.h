/* SPDX-License-Identifier: Apache-2.0 */
/* A batch in parts: which leaves are whose, which subtrees they make, and how these are merged. Pure: no OpenCL call. */
#ifndef CLNORM_PARTS_PLAN_H
#define CLNORM_PARTS_PLAN_H

#include "clnorm_parts.h"
#include "common/types.cl"
#include "plan/check.h"

/* A part. Numbers of leaves are the whole batch's, but where parts are merged by counts: there each is a tree of its own. */
struct clnorm__part {
    uint64_t first, leaves;
    uint64_t values;  /* of a channel */
    uint64_t samples; /* of the tree */
    unsigned
        aligned_log2;     /* its borders divide by this power of two: blocks of stage one have at most so many leaves */
    unsigned most_level;  /* of its nodes */
    int is_last;          /* nothing comes after it */
    uint64_t node, nodes; /* the number of its first node, and how many it has */
};

/* That a batch can be divided so, and where is_of_part that desc is of part number `part`. *batch: the description with all samples. */
int clnorm__check_parts(const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part, int is_of_part,
                        clnorm_desc *batch, char why[CLNORM__WHY]);

/* Whether sums of the operation are over the batch. */
int clnorm__has_parts(int operation);

/* Part number `part`, or after the last one what all have: node is then the number of all nodes. desc: of the whole batch. */
void clnorm__part_of(const clnorm_desc *batch, const clnorm_parts *parts, uint64_t part, struct clnorm__part *of);

/* The merges of a batch's nodes, as many launches as they take. */
struct clnorm__merging {
    const clnorm_desc *batch;
    const clnorm_parts *parts;
    struct clnorm_shape shape;     /* of the batch */
    uint64_t next, before;         /* the part after the one whose nodes are taken, and the samples before it */
    struct clnorm__part part;      /* that one, of which `taken` leaves are */
    uint64_t taken, node;          /* node: nodes taken of all parts */
    uint64_t position;             /* where the topmost node of the stack begins, in leaves; by counts: in parts */
    unsigned level;                /* of that node */
    unsigned depth, most_depth;    /* of the stack */
    uint64_t values[CLNORM_STACK]; /* of a channel, in each of its entries */
};

/* The batch has samples. */
void clnorm__merging_begin(const clnorm_desc *batch, const clnorm_parts *parts, struct clnorm__merging *merging);

/* Fills in the schedule of the next launch; returns 0 where there is none. */
int clnorm__merging_next(struct clnorm__merging *merging, struct clnorm_schedule *schedule);

#endif
