/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files (versions 1.0, 2.0 and 3.0), little-endian and in C order: of binary32, or where said of integers.
 * Functions return 0, or -1 with a sentence in error that names the file, what was wrong and what was expected.
 */
#ifndef CLNORM_CLI_NPY_H
#define CLNORM_CLI_NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { NPY_MAX_RANK = 8, NPY_ERROR_BYTES = 1024, NPY_SHAPE_BYTES = 200 };

struct npy_error {
    char text[NPY_ERROR_BYTES];
};

enum npy_type { NPY_FLOAT32, NPY_INT32, NPY_INT64, NPY_UINT8, NPY_TYPES };

struct npy_array {
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    uint64_t count;     /* product of the shape, 1 for rank 0 */
    enum npy_type type; /* in the file */
    float *values;      /* of npy_read, and */
    int64_t *integers;  /* of npy_read_integers: never NULL after a successful read; npy_free frees it */
};

int npy_read(const char *path, struct npy_array *array, struct npy_error *error);

/* The same for whole numbers: int32, int64, uint8, or float32 values that are whole. */
int npy_read_integers(const char *path, struct npy_array *array, struct npy_error *error);

/* Both from an open stream at its position; name is what messages call it. */
int npy_read_stream(FILE *stream, const char *name, int is_integers, struct npy_array *array, struct npy_error *error);

void npy_free(struct npy_array *array);

/* The shape as Python writes it: (), (3,), (2, 3). text has NPY_SHAPE_BYTES; returns text. */
const char *npy_shape_text(unsigned rank, const uint64_t *shape, char *text);

struct npy_output {
    const char *path;
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    const float *values;
    const int32_t *integers; /* instead of values, which is NULL then */
};

/* The whole file's bytes; an error stays the stream's. */
void npy_write_stream(FILE *stream, const struct npy_output *output);

/*
 * Writes all outputs or none: each goes to a temporary file next to its place, and only when all are whole they take
 * their names. On failure the temporary files are removed.
 */
int npy_write_all(const struct npy_output *outputs, size_t count, struct npy_error *error);

#endif
