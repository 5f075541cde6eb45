/* SPDX-License-Identifier: Apache-2.0 */
/* What is legal, and the sentence that says why something is not. Pure: no OpenCL call. */
#ifndef CLNORM_CHECK_H
#define CLNORM_CHECK_H

#include "clnorm.h"

#define CLNORM__WHY 320
#define CLNORM__USES 20

/* One buffer of a call, and what buffers.c found out about it. */
struct clnorm__use {
    const char *name;
    clnorm_buffer buffer;
    uint64_t elements; /* that the call reads or writes from the offset on */
    unsigned bytes;    /* of an element */
    int required, written;
    const char *spare; /* of one that is required: what may be given instead, or "" */
    unsigned alias;    /* bit i: may be exactly the same as use number i */
    /* Of a view: its strides; the largest of those that count, 0 for none; and what elements the others span. */
    uint64_t strides[3], pitch, inner;
    /* Facts: */
    int foreign;          /* it belongs to another cl_context */
    cl_mem root;          /* the buffer itself, or the one it is a part of */
    uint64_t start_bytes; /* where it starts in root */
    uint64_t size_bytes;
};

struct clnorm__uses {
    unsigned count;
    const char *query; /* the function that tells the workspace's size; NULL: clnorm_get_workspace_bytes */
    struct clnorm__use use[CLNORM__USES];
};

int clnorm__check_desc(const clnorm_desc *desc, char why[CLNORM__WHY]);
/* Channels that have their statistics together: 1 where each has its own. */
uint64_t clnorm__channel_group(const clnorm_desc *desc);
int clnorm__check_activation(const clnorm_activation *activation, char why[CLNORM__WHY]);
int clnorm__is_active(const clnorm_activation *activation);
/* That one bit says what the gradient is multiplied by. */
int clnorm__check_mask(const clnorm_activation *activation, char why[CLNORM__WHY]);
/* That dst does. */
int clnorm__check_gate(const clnorm_activation *activation, char why[CLNORM__WHY]);
int clnorm__check_with(enum clnorm_operation operation, const clnorm_activation *activation, unsigned with,
                       char why[CLNORM__WHY]);
int clnorm__check_accumulate(unsigned flags, char why[CLNORM__WHY]);
int clnorm__check_operation(int operation, char why[CLNORM__WHY]);
int clnorm__check_momentum(float momentum, unsigned flags, char why[CLNORM__WHY]);

/* Adds the nodes of a batch in parts to the uses of a call, before the workspace, which stays the last. */
void clnorm__use_nodes(struct clnorm__uses *uses, clnorm_buffer nodes, uint64_t elements, int is_written);

/* Missing buffers; before the facts are known. */
int clnorm__check_present(const struct clnorm__uses *uses, char why[CLNORM__WHY]);
/* Sizes and overlap; the last use is the workspace. */
int clnorm__check_buffers(const struct clnorm__uses *uses, char why[CLNORM__WHY]);

#endif
