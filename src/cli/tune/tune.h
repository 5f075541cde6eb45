/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `clnorm tune` share. */
#ifndef CLNORM_CLI_TUNE_H
#define CLNORM_CLI_TUNE_H

#include "cli/bench/bench_device.h"

enum { TUNE_LINE_BYTES = 512, TUNE_TEXT_BYTES = 2048, TUNE_NAME_BYTES = 64 };

struct tune_options {
    const char *device;
    struct bench_shapes shapes;
    struct call_form form;
    int ops[BENCH_OPS], layouts[BENCH_LAYOUTS];
    double seconds; /* 0: as long as it takes */
    int is_quick, is_dry, is_reset, is_verbose;
};

/* One thing to set: a parameter's number, or of a step and layout the preferred variant's index + 1, and 0 for none. */
struct tune_knob {
    char name[TUNE_NAME_BYTES];
    const char *step; /* NULL: a number */
    uint64_t least, most, standard, value;
};

/* An operation on a shape in a layout: the unit of measuring. */
struct tune_cell {
    const struct bench_shape *shape;
    enum clnorm_layout layout;
    enum bench_work op;
    char launches[TUNE_LINE_BYTES]; /* of the best settings so far */
    int is_changed;                 /* by the candidate */
    int is_timed;                   /* by the last race, which may have ended early */
    double gain, error;             /* of that race, as natural logarithms; 0 without one */
};

enum tune_effort { TUNE_SCREEN, TUNE_FULL };

struct tune {
    const struct tune_options *options;
    struct bench_device device; /* its context is none of its own here: the one that is timed */
    clnorm_context *standard, *best, *candidate;
    struct tune_knob *knobs;
    size_t knob_count;
    struct tune_cell *cells;
    size_t cell_count;
    uint64_t workspace_bytes;
    double end; /* when to stop, by bench_now */
    unsigned tried, same, won,
        late; /* candidates: measured; that change nothing; better ones; 1 when the time was up */
    int has_other_bits;
};

/* All functions that return int give 0, or -1 after a message unless they say otherwise. */

/* ---- tune_knobs.c ---- */

int tune_make_knobs(struct tune *tune);

/* The settings that are not the defaults, as clnorm.h's text of a tuning. */
void tune_text(const struct tune *tune, char *text, size_t size);

/* A knob's value as that text has it; "free choice" for no preference. */
const char *tune_value_text(const struct tune_knob *knob, uint64_t value, char *text, size_t size);

/* A context with a tuning, on the session's cl_context; NULL after a message. */
clnorm_context *tune_context(struct tune *tune, const char *text);

/* ---- tune_race.c ---- */

/*
 * Times two contexts in turn on the cells that are changed, and sets their gains: how many times faster b is than a, as a
 * logarithm. Returns 1 when all cells were timed, 0 when it gave up: b is much slower somewhere (screening only), or time is up.
 */
int tune_race(struct tune *tune, clnorm_context *a, clnorm_context *b, enum tune_effort effort);

/* Whether b gives the bits of the defaults: on the smallest changed cell of each operation and layout. 1, 0 or -1. */
int tune_same_bits(struct tune *tune, clnorm_context *b);

/* Mean gain over the cells of the last race, and what it may be off by: three standard errors. */
double tune_gain(const struct tune *tune, double *error);

/* ---- tune_search.c ---- */

/* Marks the cells on which a context launches other work than the best so far; returns how many, or -1. */
int tune_mark(struct tune *tune, clnorm_context *context);

/* Takes over the context's launches as those of the best. */
int tune_take_launches(struct tune *tune, clnorm_context *context);

int tune_search(struct tune *tune);

#endif
