/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests on devices share: devices, contexts, guarded buffers, and calls that the model and a device both make. */
#ifndef CLNORM_TESTS_DEVICE_FIXTURE_H
#define CLNORM_TESTS_DEVICE_FIXTURE_H

#include "cases.h"
#include "clnorm.h"

#include <pthread.h>

/* ---- the environment ---- */

enum { FIXTURE_DEVICES = 16 };

/* CLNORM_TEST_SMALL asks for a smaller set of cases. */
int fixture_is_small(void);

/* The device that CLNORM_TEST_DEVICE selects, or all; returns how many. None at all is a failure. */
size_t fixture_devices(clnorm_device_info infos[FIXTURE_DEVICES]);

/* The one that CLNORM_TEST_DEVICE selects, or the library's default: for tests of host code, where one is enough. */
clnorm_device_info fixture_device(void);

/* A new folder below the system's folder for temporary files; removed, with all in it, by fixture_remove_folders. */
const char *fixture_folder(void);
void fixture_remove_folders(void);

/* Points CLNORM_CACHE_DIR to a new folder: no test touches the user's cache. Keeps one that is set, if told so. */
void fixture_own_cache(int is_kept);

/* Writes size bytes to folder/name. */
void fixture_write(const char *folder, const char *name, const void *data, size_t size);

/* ---- one device with a queue, and what the library says ---- */

/* Everything the log callback got, one message a line after its level's digit. */
struct messages {
    pthread_mutex_t lock;
    char text[1 << 16];
    size_t length;
};

void messages_clear(struct messages *messages);
int messages_have(struct messages *messages, const char *part);
clnorm_context_options messages_options(struct messages *messages);

struct rig {
    clnorm_device_info info;
    cl_context cl;
    cl_command_queue queue;
    clnorm_context *context; /* on cl, with messages as its log; NULL where rig_open was told so */
    struct messages messages;
};

void rig_open(struct rig *rig, const clnorm_device_info *info, int has_context);
void rig_close(struct rig *rig);

cl_command_queue rig_queue(const struct rig *rig, cl_command_queue_properties properties);

cl_uint references_of_context(cl_context cl);
cl_uint references_of_queue(cl_command_queue queue);
cl_uint references_of_mem(cl_mem mem);

/* ---- calls ---- */

/* Every array of any operation; OUT is dst or diff_src. */
enum slot {
    SRC,
    DIFF_DST,
    OUT,
    SCALE,
    SHIFT,
    MEAN,
    MEAN_LOW,
    INVSTD,
    VARIANCE,
    RUNNING_MEAN,
    RUNNING_VARIANCE,
    DIFF_SCALE,
    DIFF_SHIFT,
    SLOTS,
    WORKSPACE = SLOTS,
    PARTS
};

#define BIT(slot) (1u << (slot))

struct call {
    enum clnorm_operation operation;
    clnorm_desc desc;
    unsigned absent; /* BITs of the slots that are not there */
    enum slot alias; /* the slot that OUT is the same buffer as; OUT for none */
    float momentum;
    unsigned running_flags;
};

const char *operation_name(enum clnorm_operation operation);
const char *slot_name(enum clnorm_operation operation, enum slot slot);
/* Slots that the call has, and of them those it writes. */
unsigned call_slots(const struct call *call);
unsigned call_writes(const struct call *call);
/* Operation, layout, sizes and what is missing, for messages. */
const char *call_text(const struct call *call, char text[256]);

/* An array for every slot: inputs before a call, results after it. */
struct values {
    size_t count[SLOTS];
    float *slot[SLOTS];
};

/* Inputs of every operation; the statistics are the batch's own, as the model saves them. */
void values_make(struct values *values, const clnorm_desc *desc, enum case_data kind);
void values_copy(struct values *values, const struct values *from);
void values_free(struct values *values);

/* Makes the call with the model: written slots get their results. */
void call_model(const struct call *call, struct values *values);

/* Part of a larger buffer, between guard bands. */
struct part {
    cl_mem mem;
    uint64_t offset;     /* odd: nothing is aligned */
    size_t count, total; /* elements of the part, and of it with its guard bands */
    size_t capacity;     /* of mem and image */
    uint32_t *image;     /* what the buffer holds before the call */
};

struct parts {
    cl_context cl;
    struct part part[PARTS];
    uint32_t *after; /* room for any part */
    size_t after_capacity;
};

/* Prepares the buffers of a call: inputs within guard bands, outputs and guard bands full of canaries. */
void parts_fill(struct parts *parts, cl_command_queue queue, const struct call *call, const struct values *inputs,
                size_t workspace_bytes);
void parts_free(struct parts *parts);

/* Reads the buffers back; the raw bits of a part's own elements. */
const uint32_t *part_read(struct parts *parts, cl_command_queue queue, enum slot slot);

/* What a comparison found. */
struct finding {
    size_t differences;
    char text[256]; /* the first one */
};

/*
 * Compares everything in the buffers with what the call should have left: results, inputs and guard bands.
 * with_results 0: nothing was to be written at all.
 */
void parts_compare(struct parts *parts, cl_command_queue queue, const struct call *call, const struct values *want,
                   int with_results, enum clnorm_bits bits, struct finding *finding);

/* Enqueues the call on the parts' buffers. */
int call_enqueue(clnorm_context *context, cl_command_queue queue, const struct call *call, const struct parts *parts,
                 cl_uint wait_count, const cl_event *wait_list, cl_event *event);

/* All of the above: fills, runs, waits, compares. Returns the call's status. */
int call_run(clnorm_context *context, cl_command_queue queue, const struct call *call, struct parts *parts,
             const struct values *inputs, const struct values *want, enum clnorm_bits bits, struct finding *finding);

#endif
