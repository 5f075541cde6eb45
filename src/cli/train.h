/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `clnorm train` share. */
#ifndef CLNORM_CLI_TRAIN_H
#define CLNORM_CLI_TRAIN_H

#include "network.h"
#include "trainer.h"

#include <stdio.h>

struct train_options {
    const char *in, *labels, *out, *csv, *compare, *device;
    uint64_t image[3]; /* 0: from the file's shape */
    struct network_options network;
    uint64_t batch, epochs, seed;
    float rate, momentum, held_out, target;
    int is_verbose, is_help;
};

/* ---- train_options.c: 0, or an exit status after a message ---- */

/* is_help: help was asked for and printed. */
int train_read_options(int count, char *const *arguments, struct train_options *options);

/* The image that a network sees in samples, once these are known. */
int train_find_image(const struct train_options *options, const struct data_set *set, uint64_t image[3]);

/* ---- train_output.c ---- */

/* Curves as CSV: a head, and a line for each point. */
void train_csv_head(FILE *file);
void train_csv_curve(FILE *file, const char *network, float rate, const struct curve *curve);

/* A network's curve at one rate. */
struct train_result {
    int is_plain;
    float rate;
    struct curve curve;
};

/* What a sweep gave: pairs of plain and normalized network, for rising rates. */
struct train_sweep {
    struct train_result *results;
    size_t count;
    float base;     /* the rate that the sweep is around */
    float compared; /* the higher one that is shown beside it */
    float target;
    const char *title;
};

/* Writes the script of the sweep's picture; path tells its format, .png or else SVG. */
void train_plot_script(FILE *script, const char *path, const struct train_sweep *sweep);

/* ---- train.c ---- */

/* Opens the device, compiles train.cl, and says what the first step will wait for. 0, or STATUS_FAILED after a message. */
int train_session_open(const struct train_options *options, struct session *session, struct train_kernels *kernels);
void train_session_close(struct session *session, struct train_kernels *kernels);

/* ---- train_compare.c ---- */

/* Trains with and without batch norm over a sweep of rates. trainer is split, the data are scaled. Exit status. */
int train_compare(const struct train_options *options, struct trainer *trainer);

#endif
