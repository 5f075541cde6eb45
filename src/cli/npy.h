/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npy files (versions 1.0, 2.0 and 3.0) of little-endian binary32 in C order. Functions return 0, or -1 with a
 * sentence in error that names the file, what was wrong and what was expected.
 */
#ifndef CLNORM_CLI_NPY_H
#define CLNORM_CLI_NPY_H

#include <stddef.h>
#include <stdint.h>

enum { NPY_MAX_RANK = 8, NPY_ERROR_BYTES = 1024, NPY_SHAPE_BYTES = 200 };

struct npy_error {
    char text[NPY_ERROR_BYTES];
};

struct npy_array {
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    uint64_t count; /* product of the shape, 1 for rank 0 */
    float *values;  /* never NULL after a successful read; npy_free frees it */
};

int npy_read(const char *path, struct npy_array *array, struct npy_error *error);
void npy_free(struct npy_array *array);

/* The shape as Python writes it: (), (3,), (2, 3). text has NPY_SHAPE_BYTES; returns text. */
const char *npy_shape_text(unsigned rank, const uint64_t *shape, char *text);

struct npy_output {
    const char *path;
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    const float *values;
};

/* Whether path can be written, as far as can be seen before there is anything to write. */
int npy_check_output(const char *path, struct npy_error *error);

/*
 * Writes all outputs or none: each goes to a temporary file next to its place, and only when all are whole they take
 * their names. On failure the temporary files are removed.
 */
int npy_write_all(const struct npy_output *outputs, size_t count, struct npy_error *error);

#endif
