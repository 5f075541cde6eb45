/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and their labels, from files. Functions return 0, or -1 after a message that says what was expected. */
#ifndef CLNORM_CLI_DATA_SET_H
#define CLNORM_CLI_DATA_SET_H

#include <stdint.h>

enum { DATA_MOST_CLASSES = 65536 };

struct data_set {
    uint64_t count;          /* samples */
    uint64_t length;         /* values a sample */
    uint64_t image[3];       /* channels, height and width as the file's shape tells them, 0 where it does not */
    float *values;           /* count * length */
    uint32_t *labels;        /* count, or NULL */
    uint64_t classes;        /* 1 + the largest label */
    float factor;            /* what the values were multiplied by */
    char *path, *label_path; /* where they come from, for messages */
};

/* Reads samples, (N, F), (N, H, W) or (N, C, H, W), all finite; they stay as they are. */
int data_read(const char *path, struct data_set *set);

/* The digits that come with CLNorm, samples and labels. */
int data_read_digits(struct data_set *set);

/* Reads the samples' labels, 0 up to below most. */
int data_read_labels(const char *path, uint64_t most, struct data_set *set);

/* The name of the samples' file without its folder. */
const char *data_name(const struct data_set *set);

/* Multiplies the values. */
void data_scale(struct data_set *set, float factor);

/* The factor that brings the largest magnitude of these samples to 1; 1 where all of them are 0. */
float data_unit_factor(const struct data_set *set, const uint32_t *samples, uint64_t count);

void data_free(struct data_set *set);

#endif
