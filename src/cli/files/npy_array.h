/* SPDX-License-Identifier: Apache-2.0 */
/* An array of a .npy file, and the sentence that says what is wrong with one. */
#ifndef CLNORM_CLI_NPY_ARRAY_H
#define CLNORM_CLI_NPY_ARRAY_H

#include <stdint.h>

enum { NPY_MAX_RANK = 8, NPY_ERROR_BYTES = 1024, NPY_SHAPE_BYTES = 200 };

struct npy_error {
    char text[NPY_ERROR_BYTES];
};

enum npy_type { NPY_FLOAT32, NPY_INT32, NPY_INT64, NPY_UINT8, NPY_FLOAT16, NPY_UINT16, NPY_UINT32, NPY_TYPES };

/* What is wanted of a file, and so which types it may have and where its values go. */
enum npy_kind {
    NPY_REALS,    /* float32: values */
    NPY_INTEGERS, /* int32, int64, uint8, or float32 that are whole: integers */
    NPY_TENSOR,   /* float32, float16, or uint16 that hold bfloat16: values, or halves */
    NPY_WORDS     /* uint32: words */
};

struct npy_array {
    unsigned rank;
    uint64_t shape[NPY_MAX_RANK];
    uint64_t count;     /* product of the shape, 1 for rank 0 */
    enum npy_type type; /* in the file */
    /* The one that its kind and type name is never NULL after a successful read; npy_free frees it. */
    float *values;
    int64_t *integers;
    uint16_t *halves;
    uint32_t *words;
};

#endif
