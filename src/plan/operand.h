/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operands: every buffer of every call, one row each. Checks, flags, kernel arguments and messages go by it. Pure: no
 * OpenCL call.
 */
#ifndef CLNORM_OPERAND_H
#define CLNORM_OPERAND_H

#include "clnorm_blocks.h"
#include "plan/check.h"
#include "plan/variant.h"

/* What kernels take; an absent one is {NULL, 0}. */
struct clnorm__buffers {
    clnorm_buffer src, diff_dst, dst; /* dst: or diff_src */
    clnorm_buffer scale, shift;
    clnorm_buffer mean, mean_low;
    clnorm_buffer spread; /* invstd; with frozen statistics the variance */
    clnorm_buffer variance, running_mean, running_variance;
    clnorm_buffer diff_scale, diff_shift;
    clnorm_buffer residual; /* or diff_residual */
    clnorm_buffer mask;
    clnorm_buffer gate; /* backward: dst of the forward pass */
    clnorm_buffer workspace;
    clnorm_buffer nodes; /* of all parts of a batch */
    uint64_t groups;     /* of the launch that joins those of samples; and the factor of its last one's variance */
    float last_factor;
    uint64_t first; /* the number of the first element of src and dst, for its bit of the mask */
    struct clnorm_views views;
};

/* What an operand has an element for; a call says how many that are. */
enum clnorm__size {
    CLNORM__OF_TENSOR,     /* n * c * s, of the description's type: all others are of 4 bytes */
    CLNORM__OF_CHANNELS,   /* c; of a block, output channels */
    CLNORM__OF_STATISTICS, /* c, or one for each group of channels */
    CLNORM__OF_GROUPS,     /* those for each group of samples */
    CLNORM__OF_SRC,        /* of a block: its images, of its type as well */
    CLNORM__OF_DST,        /* the same of what it makes */
    CLNORM__OF_WEIGHTS,
    CLNORM__OF_FOLDED, /* weights of the type */
    CLNORM__OF_MASK,   /* words of a bit for each element */
    CLNORM__OF_WORKSPACE,
    CLNORM__SIZES
};

/* When an operand is required, and facts of a call by which that is decided. */
#define CLNORM__OPTIONAL 0u
#define CLNORM__ALWAYS 1u
#define CLNORM__NOT_EMPTY 2u /* n > 0 */
#define CLNORM__ACTIVATED 4u /* there is an activation */
#define CLNORM__ADDED 16u    /* what is in diff_src counts */
#define CLNORM__PLAIN 8u     /* the block has no normalization: what belongs to that must be absent */

struct clnorm__operand {
    const char *name; /* its member of the argument struct */
    size_t member;    /* and that member's place */
    size_t place;     /* in struct clnorm__buffers, or CLNORM__NO_PLACE */
    size_t strides; /* of a tensor: the member with its strides, and the place of its view in struct clnorm__buffers */
    size_t view;
    enum clnorm__size size;
    unsigned when;           /* required */
    size_t wanted_by;        /* another member without which it is not required; 0: none, as the first member is none */
    size_t spared_by;        /* another member with which it is not required */
    int is_written, is_norm; /* is_norm: of a block, part of the normalization */
    int is_activation;       /* it belongs to an activation, and must be absent without one */
    unsigned alias;          /* bit i: it may be exactly the same as row i */
    unsigned flag;           /* CLNORM_HAS_: told to kernels where it is given */
};
#define CLNORM__NO_PLACE ((size_t)-1)

/* The four operations first, in the order of enum clnorm_operation. */
enum clnorm__call {
    CLNORM__CALL_BLOCK_TRAINING = CLNORM_BACKWARD_FROZEN + 1,
    CLNORM__CALL_BLOCK_INFERENCE,
    CLNORM__CALL_BLOCK_FOLD,
    CLNORM__CALL_BLOCK_BACKWARD,
    CLNORM__CALL_BLOCK_BACKWARD_FROZEN,
    CLNORM__CALLS
};

struct clnorm__operands {
    const char *args; /* the argument struct's name */
    size_t bytes;     /* and its size */
    unsigned count;
    const struct clnorm__operand *list; /* the workspace last, where there is one */
};
extern const struct clnorm__operands clnorm__operands[CLNORM__CALLS];

/* The buffer of a row. */
clnorm_buffer clnorm__operand_of(const struct clnorm__operand *row, const void *args);

/* Puts buffers into their places; returns the flags of those that are given. */
unsigned clnorm__operands_place(const struct clnorm__operands *of, const void *args, struct clnorm__buffers *buffers);

/*
 * The views of a call's tensors, into their places, and of each step the kind that it meets. Returns what clnorm__view_read does. n > 0.
 */
int clnorm__operands_view(const struct clnorm__operands *of, const clnorm_desc *desc, const void *args,
                          struct clnorm__buffers *buffers, unsigned char kinds[CLNORM__STEPS], char why[CLNORM__WHY]);

/* Tells the uses of a call how its tensors lie. */
void clnorm__operands_use_views(const struct clnorm__operands *of, const clnorm_desc *desc,
                                const struct clnorm__buffers *buffers, struct clnorm__uses *uses);

/* Of a backward call: that some gradient is asked for. */
int clnorm__check_gradients(const struct clnorm__operands *of, const void *args, char why[CLNORM__WHY]);

/*
 * Lists the buffers of a call as uses, the workspace last. facts: of the call, of those above. type_bytes: of a tensor's element. Returns
 * CLNORM_SUCCESS, or CLNORM_UNEXPECTED_BUFFER.
 */
int clnorm__operands_use(const struct clnorm__operands *of, const void *args, const uint64_t size[CLNORM__SIZES],
                         unsigned facts, unsigned type_bytes, struct clnorm__uses *uses, char why[CLNORM__WHY]);

#endif
