/* SPDX-License-Identifier: Apache-2.0 */
/* CLBlast: the only place that knows it. Without it every function but the check returns CLNORM_NO_BLAS. */
#ifndef CLNORM_BLAS_H
#define CLNORM_BLAS_H

#include "plan/check.h"
#include "run/run.h"

/*
 * c = a * b, or c += a * b: row-major, m rows, n columns, k terms. a is m x k, or k x m where transposed; b is k x n, or n x k
 * where transposed. The strides are from one row as it lies in memory to the next.
 */
struct clnorm__product {
    int transpose_a, transpose_b, accumulate;
    uint64_t m, n, k;
    uint64_t a_stride, b_stride, c_stride;
    uint64_t column_run, term_run, a_image, b_image, c_image; /* as in struct clnorm_gemm; CLBlast knows no images */
    uint64_t split, a_split, b_split, c_split;                /* the same; 0 where all terms are summed together */
    clnorm_buffer a, b, c;
    unsigned form; /* in the fixed order: the type, and which operands are of it; they count elements of it */
};

/* Whether the library was built with CLBlast. */
int clnorm__blas_is_there(void);

/*
 * Whether the numbers fit into the ints that CLBlast narrows them to. Pure. Refuses with CLNORM_BLAS_SIZE. temp: elements of
 * the workspace.
 */
int clnorm__blas_check(const struct clnorm__product *product, uint64_t temp, char why[CLNORM__WHY]);

/* Elements of workspace that CLBlast needs for the product on the queue's device, wherever its operands start. */
int clnorm__blas_temp(cl_command_queue queue, const struct clnorm__product *product, uint64_t *temp,
                      char why[CLNORM__WHY]);

/* Enqueues the product. temp is a buffer, or part of one, that starts at an address CLBlast may use; its offset is 0. */
int clnorm__blas_gemm(const struct clnorm__stream *stream, const struct clnorm__product *product, cl_mem temp);

#endif
