/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of `clnorm train` share. */
#ifndef CLNORM_CLI_TRAIN_H
#define CLNORM_CLI_TRAIN_H

#include "cli/train/network.h"
#include "cli/train/ranks.h"
#include "cli/train/trainer.h"

#include <stdio.h>

/* The largest rate of --compare, as a part of --rate. */
#define TRAIN_MOST_FACTOR 30.0f

struct train_options {
    const char *in, *labels, *out, *csv, *compare, *resume, *device;
    uint64_t image[3]; /* 0: from the file's shape */
    struct network_options network;
    uint64_t batch, epochs, seed, seeds;
    float rate, momentum, held_out, target, timeout;
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
void train_csv_curve(FILE *file, int is_plain, float rate, uint64_t seed, const struct curve *curve);

/* One kind of network at one rate, trained with each seed. */
struct train_result {
    int is_plain;
    float rate;
    struct curve *curves; /* one for each seed */
};

/* What a sweep gave. */
struct train_sweep {
    struct train_result *results; /* rates of the normalized network in rising order, then those of the plain one */
    size_t rates;
    uint64_t seeds;
    size_t base, compared; /* the rate the sweep is around, and the higher one that is shown beside it */
    float target;
    const char *title;
};

/* Of count numbers, the middle one, or the mean of the two in the middle; sorts them. */
double train_median(double *numbers, size_t count);

/* Accuracy of a curve on the samples held out, at point number i; 0 where it has diverged before. */
double train_accuracy(const struct curve *curve, size_t i);

/* Writes the script of the sweep's picture; path tells its format, .png or else SVG. */
void train_plot_script(FILE *script, const char *path, const struct train_sweep *sweep);

/* ---- train_session.c ---- */

/* Opens the device and compiles train.cl. 0, or STATUS_FAILED after a message. */
int train_session_open(const struct train_options *options, struct session *session, struct train_kernels *kernels);
void train_session_close(struct session *session, struct train_kernels *kernels);

/* Runs every pass once, and says before what that will wait for. */
void train_warm_up(const struct train_options *options, struct trainer *trainer);

/* ---- train_compare.c ---- */

/* Trains with and without batch norm over a sweep of rates. trainer is split, the data are scaled. Exit status. */
int train_compare(const struct train_options *options, struct trainer *trainer);

#endif
