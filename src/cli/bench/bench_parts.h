/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `clnorm bench` share: shapes, options and results. */
#ifndef CLNORM_CLI_BENCH_PARTS_H
#define CLNORM_CLI_BENCH_PARTS_H

#include "clnorm.h"
#include "cli/form.h"
#include "cli/files/whole_file.h"

#include <stdint.h>
#include <stdio.h>

/* What is timed: operations first, then what they are compared with. */
enum bench_work {
    BENCH_TRAIN,
    BENCH_INFER,
    BENCH_BACKWARD,
    BENCH_COPY,   /* a kernel with ordinary stores */
    BENCH_STREAM, /* a kernel with stores past the caches */
    BENCH_BUFFER, /* clEnqueueCopyBuffer */
    BENCH_EMPTY,  /* a kernel that does nothing */
    BENCH_WORKS,
    BENCH_OPS = BENCH_COPY
};

enum { BENCH_LAYOUTS = 2, BENCH_SET_BYTES = 32 };

enum bench_format { BENCH_TABLE, BENCH_CSV, BENCH_JSON };

struct bench_shape {
    char set[BENCH_SET_BYTES];
    uint64_t n, c, s;
    unsigned times; /* how often a network has it */
};

struct bench_shapes {
    struct bench_shape *list;
    size_t count;
};

struct bench_options {
    const char *device, *variants, *out, *plot;
    struct bench_shapes shapes;
    struct call_form form;
    int ops[BENCH_OPS], layouts[BENCH_LAYOUTS];
    unsigned runs, random; /* 0: enough; no shapes at random */
    int format, is_growth, is_verbose;
};

/* Medians, in seconds. What cannot be told is a NaN. */
struct bench_times {
    double wall;   /* from the call to the return of clFinish */
    double device; /* by event profiling */
    double call;   /* the call alone, without waiting */
};

struct bench_row {
    const struct bench_shape *shape;
    const struct call_form *form;
    enum clnorm_layout layout;
    enum bench_work op;
    unsigned runs;
    struct bench_times own;
    struct bench_times others[BENCH_WORKS]; /* from BENCH_COPY on */
    double exponent;                        /* of its sweep; a NaN when it is part of none */
};

struct bench_rows {
    struct bench_row *list;
    size_t count, room;
};

const char *bench_op_name(enum bench_work op);
const char *bench_layout_name(int layout);

uint64_t bench_elements(const struct bench_shape *shape);

/* The calls are those of an activation, forward with a mask to write and backward with one to read. */
int bench_has_mask(const struct call_form *form);

/* Backward has a gradient of the residual to write: it is diff_dst itself where there is no activation. */
int bench_has_diff_residual(const struct call_form *form);

/* A description of a shape in a layout. */
clnorm_desc bench_desc(const struct call_form *form, const struct bench_shape *shape, enum clnorm_layout layout);

/* What a call has to read and to write at the least: each tensor once. Of a copy: the tensor twice. */
double bench_bytes(enum bench_work work, const struct call_form *form, const struct bench_shape *shape);
double bench_gbps(enum bench_work work, const struct call_form *form, const struct bench_shape *shape, double seconds);

/* The best bandwidth of the three copies, by wall clock or by the device's. */
double bench_best_copy(const struct bench_row *row, int by_device);

/* Of that, the operation's own, in percent. */
double bench_percent(const struct bench_row *row, int by_device);

/* ---- bench_shapes.c: 0, or an exit status after a message ---- */

/* What the options say: sets is a list or NULL, as are file and shape. */
int bench_read_shapes(const char *sets, const char *file, const char *shape, struct bench_shapes *shapes);

/* Adds a shape; returns 0 or STATUS_FAILED. */
int bench_add_shape(struct bench_shapes *shapes, const char *set, uint64_t n, uint64_t c, uint64_t s, unsigned times);

/* Sets chosen[i] for each of count names that stand in the list, which a comma separates. */
int bench_read_list(const char *option, const char *list, const char *const *names, int count, int *chosen);

/* Whether every name of the list is a variant's. */
int bench_check_variants(const char *list);

/* Names of the built-in sets, separated by commas and blanks. */
const char *bench_set_names(void);

/* ---- bench_report.c ---- */

struct session;

void bench_table_head(FILE *file, const struct session *session, const struct call_form *form);
void bench_table_row(FILE *file, const struct bench_row *row);
void bench_table_end(FILE *file, const struct bench_rows *rows);
void bench_print_csv(FILE *file, const struct session *session, const struct bench_rows *rows);
void bench_print_json(FILE *file, const struct session *session, const struct bench_rows *rows);

/* A text in quotes, as JSON and as CSV want it. */
void bench_print_json_text(FILE *file, const char *text);
void bench_print_csv_text(FILE *file, const char *text);

/* ---- bench_growth.c ---- */

/* The sweeps' shapes of at most so many elements: over elements, and over n, c and s apart. */
int bench_growth_shapes(struct bench_shapes *shapes, double most);

/* Fills in the exponents of the rows. */
void bench_growth_fit(struct bench_rows *rows);
void bench_growth_print(FILE *file, const struct bench_rows *rows);

/* The picture, made by gnuplot. 0, or STATUS_FAILED after a message. */
int bench_plot(struct whole_file *output, const struct session *session, const struct bench_rows *rows);

/* ---- bench_random.c ---- */

struct bench_device;

/* Draws so many shapes of at most `most` elements. 0, or STATUS_FAILED. */
int bench_random_shapes(struct bench_shapes *shapes, unsigned count, uint64_t seed, double most);

/* The distribution of the percentages of the copy, and the worst of them with what was launched. */
void bench_random_print(FILE *file, struct bench_device *device, const struct bench_rows *rows);

/* ---- bench_startup.c ---- */

/* Starts this program again and again with empty and with filled caches. Returns an exit status. */
int bench_startup(const struct bench_options *options);

/* What it starts: measures in this process and prints one line of numbers. */
int bench_startup_once(const struct bench_options *options);

#endif
