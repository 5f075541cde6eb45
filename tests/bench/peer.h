/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way to run any batch normalization, so that one process can time several of them in turn. A peer takes host
 * arrays, keeps its own copies in its own layout and memory, and does one operation per run.
 */
#ifndef CLNORM_BENCH_PEER_H
#define CLNORM_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_op { PEER_TRAIN, PEER_INFER, PEER_BACKWARD, PEER_OP_COUNT };

/* PEER_BLOCKED is oneDNN's own: channels in blocks of 16 or 8, the block innermost. */
enum peer_layout { PEER_NCHW, PEER_NHWC, PEER_BLOCKED, PEER_LAYOUT_COUNT };

struct peer_problem {
    enum peer_op op;
    enum peer_layout layout; /* what the peer works in */
    enum peer_layout arrays; /* what src, diff_dst and the result are in: PEER_NCHW or PEER_NHWC */
    uint64_t n, c, d, h, w;
    float epsilon;
    const float *src, *diff_dst;  /* n * c * d * h * w; diff_dst for PEER_BACKWARD only */
    const float *scale, *shift;   /* c */
    const float *mean, *variance; /* c; for PEER_INFER only: the others take them from the batch */
};

enum peer_status { PEER_OK = 0, PEER_UNSUPPORTED = 1, PEER_FAILED = 2 };

struct peer {
    const char *name;
    const char *(*version)(void);
    /* Copies what it needs, so that the arrays may go. When it does not return PEER_OK it has said why on stderr. */
    int (*setup)(const struct peer_problem *problem, void **state);
    /* One whole operation, finished on return or after wait. This is what is timed. */
    int (*run)(void *state);
    /* The result (dst or diff_src) of the last run, in the layout of problem->arrays. NULL: there is none to compare.
     */
    int (*read)(void *state, float *result);
    void (*teardown)(void *state);
    /* Returns when all runs have finished; timed with them. NULL: run has waited. */
    int (*wait)(void *state);
    /* Called, untimed, before (begins) and after each turn of this peer. May be NULL. */
    void (*turn)(bool begins);
    /* Frees what setups share; no setup may follow. May be NULL. */
    void (*close)(void);
    bool copies; /* moves two tensors, whatever the operation */
};

extern const struct peer peer_clnorm;
extern const struct peer peer_onednn;
extern const struct peer peer_copy;     /* ordinary stores */
extern const struct peer peer_two_pass; /* the same as peer_stream, after a pass that only reads */
extern const struct peer peer_stream;   /* non-temporal stores; ordinary ones where the processor has none we know */
/* What the operation must do to memory in its layout, in several ways, without its arithmetic. */
enum { PEER_BARE_COUNT = 8 };
extern const struct peer peer_bare[PEER_BARE_COUNT];
/* A copy in OpenCL, on CLNorm's device, for backward of the sum of two tensors: the least that a launch in its place takes. */
extern const struct peer peer_kernel;        /* ordinary stores */
extern const struct peer peer_kernel_stream; /* non-temporal stores, where the device's compiler has them */

static inline uint64_t peer_count(const struct peer_problem *problem)
{
    return problem->n * problem->c * problem->d * problem->h * problem->w;
}

#endif
