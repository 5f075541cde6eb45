/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of blocks share: a block's arrays on the host and, between guard bands, on a device; and its calls. */
#ifndef CLNORM_TESTS_BLOCK_CASE_H
#define CLNORM_TESTS_BLOCK_CASE_H

#include "block_model.h"
#include "device_fixture.h"

/* Every array of a block. */
enum block_slot {
    B_SRC,
    B_WEIGHTS,
    B_BIAS,
    B_PRODUCT,
    B_DST,
    B_SCALE,
    B_SHIFT,
    B_RUNNING_MEAN,
    B_RUNNING_VARIANCE,
    B_MEAN,
    B_MEAN_LOW,
    B_INVSTD,
    B_VARIANCE,
    B_DIFF_DST,
    B_DIFF_SRC,
    B_DIFF_WEIGHTS,
    B_DIFF_BIAS,
    B_DIFF_SCALE,
    B_DIFF_SHIFT,
    B_FOLDED_WEIGHTS,
    B_FOLDED_BIAS,
    B_SLOTS,
    B_WORKSPACE = B_SLOTS,
    B_PARTS
};

enum block_operation { BLOCK_TRAIN, BLOCK_INFER, BLOCK_BACKWARD, BLOCK_FOLD, BLOCK_OPERATIONS };

#define GRADIENTS (BIT(B_DIFF_SRC) | BIT(B_DIFF_WEIGHTS) | BIT(B_DIFF_BIAS) | BIT(B_DIFF_SCALE) | BIT(B_DIFF_SHIFT))

struct block_case {
    clnorm_block_desc desc;
    unsigned absent; /* BITs of the slots that are not there */
    unsigned given;  /* ... of those that are, though the operation has no use for them */
    float momentum;
    size_t count[B_SLOTS];
    float *value[B_SLOTS]; /* before a call and, after block_run, what it left */
    cl_mem mem[B_PARTS];
    uint64_t offset[B_PARTS]; /* odd: nothing is aligned */
    size_t total[B_PARTS];
};

/* For every element of an array: an assertion of Check's writes to a file even when it holds. */
#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

extern const char *const block_slot_name[B_PARTS];

const char *block_text(const clnorm_block_desc *desc, char text[200]);

/* Inputs as a layer meets them: weights of variance 1 / terms, each channel's product with a mean of its own. */
void block_make(struct block_case *c, const clnorm_block_desc *desc);
void block_free(struct block_case *c);

/* Slots an operation reads and writes, absent ones left out; what plain blocks have no use for is left out as well. */
unsigned block_reads(const struct block_case *c, enum block_operation operation);
unsigned block_writes(const struct block_case *c, enum block_operation operation);

/* Makes the device's buffers of an operation from the host's arrays; what is only written is filled with canaries. */
void block_upload(struct block_case *c, const struct rig *rig, enum block_operation operation);

/* The call, on the buffers. */
int block_call(struct block_case *c, clnorm_context *context, cl_command_queue queue, enum block_operation operation,
               cl_uint wait_count, const cl_event *wait_list, cl_event *event);

/*
 * Reads what the operation wrote, and fails the test if anything else has changed: inputs, guard bands, or with has_run 0 any
 * buffer at all.
 */
void block_download(struct block_case *c, const struct rig *rig, enum block_operation operation, int has_run);

/* All of it, waiting for the end. */
void block_run(struct block_case *c, struct rig *rig, enum block_operation operation);

/* The same with the model, on the host's arrays: reproducible bits. */
void block_model(struct block_case *c, enum block_operation operation);

#endif
