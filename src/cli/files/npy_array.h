/* SPDX-License-Identifier: Apache-2.0 */
/* An array of a .npy file, and the sentence that says what is wrong with one. */
#ifndef CLNORM_CLI_NPY_ARRAY_H
#define CLNORM_CLI_NPY_ARRAY_H

#include <stdint.h>

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

#endif
