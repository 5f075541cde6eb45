/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files (versions 1.0, 2.0 and 3.0), little-endian and in C order: of binary32, or where said of other types.
 * Functions return 0, or -1 with a sentence in error that names the file, what was wrong and what was expected.
 */
#ifndef CLNORM_CLI_NPY_H
#define CLNORM_CLI_NPY_H

#include "cli/files/npy_array.h"

#include <stddef.h>
#include <stdio.h>

int npy_read(const char *path, struct npy_array *array, struct npy_error *error);

/* The same for whole numbers: int32, int64, uint8, or float32 values that are whole. */
int npy_read_integers(const char *path, struct npy_array *array, struct npy_error *error);

/* The same for another kind. */
int npy_read_kind(const char *path, enum npy_kind kind, struct npy_array *array, struct npy_error *error);

/* All of them from an open stream at its position; name is what messages call it. */
int npy_read_stream(FILE *stream, const char *name, enum npy_kind kind, struct npy_array *array,
                    struct npy_error *error);

/* The values, whatever their kind and type. */
const void *npy_data(const struct npy_array *array);

void npy_free(struct npy_array *array);

/* The shape as Python writes it: (), (3,), (2, 3). text has NPY_SHAPE_BYTES; returns text. */
const char *npy_shape_text(unsigned rank, const uint64_t *shape, char *text);

struct npy_output {
    const char *path;
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    const float *values;
    const int32_t *integers; /* instead of values, which is NULL then */
    const void *others;      /* instead of both: of this type */
    enum npy_type type;
};

/* The whole file's bytes; an error stays the stream's. */
void npy_write_stream(FILE *stream, const struct npy_output *output);

/*
 * Writes all outputs or none: each goes to a temporary file next to its place, and only when all are whole they take
 * their names. On failure the temporary files are removed.
 */
int npy_write_all(const struct npy_output *outputs, size_t count, struct npy_error *error);

#endif
