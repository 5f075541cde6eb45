/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmark programs share: options, shapes, data and the clock. */
#ifndef CLNORM_BENCH_BENCH_H
#define CLNORM_BENCH_BENCH_H

#include "peer.h"

#include <stdbool.h>
#include <stdio.h>

struct bench_shape {
    char set[32];
    uint64_t n, c, d, h, w;
};

/* Our layout and the peer's. */
struct bench_pair {
    enum peer_layout ours, theirs;
};

enum { BENCH_MAX_PAIRS = 8 };

struct bench_options {
    struct bench_shape *shapes;
    size_t shape_count;
    bool ops[PEER_OP_COUNT];
    struct bench_pair pairs[BENCH_MAX_PAIRS];
    size_t pair_count;
    const struct peer *peer; /* bench_alone: the one to time */
    unsigned runs;           /* rounds; 0: as many as the time of a round makes sensible */
    unsigned calls;          /* one behind the other before each wait, at least 1 */
    bool bare;               /* bench_compare: times bare loops too */
    bool csv;
};

/*
 * Reads the command line. It starts the program anew, with an environment that makes turns in one process fair; so call
 * it first, and with argv unchanged. Returns false after an error, which it has printed. --help exits.
 */
bool bench_read_options(int argc, char **argv, struct bench_options *options);
void bench_free_options(struct bench_options *options);

const char *bench_op_name(enum peer_op op);
const char *bench_layout_name(enum peer_layout layout);
uint64_t bench_shape_count(const struct bench_shape *shape);

/* The threads everything uses: the processors this process may run on, or --threads. */
unsigned bench_threads(void);

/*
 * Binds the calling thread to processor `number` of those this process was given, counted from 0, or with -1 lets it use all again.
 * For a runtime that has bound its other threads, or threads that spin while they wait for each other.
 */
void bench_bind(int number);

/* 64-byte aligned, every page written. NULL when memory is short; freed with free. */
void *bench_alloc(size_t bytes);

/* Normally distributed values, as activations are: no denormals, which cost some processors a hundred times more. */
struct bench_data {
    uint64_t count, channels;
    float *src, *diff_dst;
    float *scale, *shift, *mean, *variance;
};
/* Big enough for every shape; false when memory is short. */
bool bench_make_data(const struct bench_options *options, struct bench_data *data);
void bench_free_data(struct bench_data *data);
struct peer_problem bench_problem(const struct bench_shape *shape, const struct bench_data *data, enum peer_op op,
                                  enum peer_layout layout, enum peer_layout arrays);

/* One that is set up and takes part in a race. */
struct bench_runner {
    const struct peer *peer;
    void *state;
    double median, minimum; /* seconds */
};

/*
 * Lets the runners run in turn, A B A B ..., so that whatever happens to the machine happens to all, and sets median
 * and minimum of each: of a call, in a run of options->calls. Returns the number of rounds, 0 after a failure.
 */
unsigned bench_race(struct bench_runner *runners, size_t count, const struct bench_options *options);

/* GB/s of the operation on n elements, counting each tensor once: two of them, for backward three. */
double bench_gbps(enum peer_op op, uint64_t count, double seconds);

#endif
