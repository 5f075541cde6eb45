/* SPDX-License-Identifier: Apache-2.0 */
#include "run/blas.h"

#include <limits.h>
#include <stdio.h>

#include "clnorm_blocks.h"
#include "status.h"

#ifdef CLNORM_CLBLAST
#include <clblast_c.h>
#endif

static int fits(uint64_t x)
{
    return x <= (uint64_t)INT_MAX;
}

/* Whether every element of a matrix has a number that is an int. (Those of padded copies lie in temp.) */
static int matrix_fits(uint64_t rows, uint64_t columns, uint64_t stride, uint64_t offset)
{
    return fits(rows) && fits(columns) && fits(stride) && fits(offset) && fits(offset + rows * stride);
}

int clnorm__blas_check(const struct clnorm__product *p, uint64_t temp, char why[CLNORM__WHY])
{
    uint64_t a_rows = p->transpose_a ? p->k : p->m, a_columns = p->transpose_a ? p->m : p->k;
    uint64_t b_rows = p->transpose_b ? p->n : p->k, b_columns = p->transpose_b ? p->k : p->n;
    if (matrix_fits(a_rows, a_columns, p->a_stride, p->a.offset) &&
        matrix_fits(b_rows, b_columns, p->b_stride, p->b.offset) && matrix_fits(p->m, p->n, p->c_stride, p->c.offset) &&
        fits(temp))
        return CLNORM_SUCCESS;
    snprintf(
        why, CLNORM__WHY,
        "a product of %llu rows, %llu columns and %llu terms, its offsets included, is beyond the 2^31 - 1 elements "
        "that CLBlast can count; take fewer samples at a time, smaller offsets, or CLNORM_BLOCK_REPRODUCIBLE",
        (unsigned long long)p->m, (unsigned long long)p->n, (unsigned long long)p->k);
    return CLNORM_BLAS_SIZE;
}

#ifdef CLNORM_CLBLAST

#define CHECK_VALUE(name, value, text) _Static_assert((int)name == (value), "the code is another: " text);
CLNORM__BLAS_STATUSES(CHECK_VALUE)

int clnorm__blas_is_there(void)
{
    return 1;
}

static CLBlastTranspose way(int transpose)
{
    return transpose ? CLBlastTransposeYes : CLBlastTransposeNo;
}

int clnorm__blas_temp(cl_command_queue queue, const struct clnorm__product *p, uint64_t *temp, char why[CLNORM__WHY])
{
    size_t bytes = 0;
    int status = clnorm__blas_check(p, 0, why);
    if (status != CLNORM_SUCCESS)
        return status;
    /* A matrix that starts at an offset is copied: with offsets of 1 the answer is the largest. */
    status =
        (int)CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, way(p->transpose_a), way(p->transpose_b), p->m, p->n,
                                        p->k, 1, p->a_stride, 1, p->b_stride, 1, p->c_stride, &queue, &bytes);
    *temp = (bytes + 3) / 4;
    if (status != CLNORM_SUCCESS) {
        snprintf(why, CLNORM__WHY, "CLBlast cannot tell what a product needs: %s", clnorm_status_string(status));
        return status;
    }
    return clnorm__blas_check(p, *temp, why);
}

int clnorm__blas_gemm(const struct clnorm__stream *stream, const struct clnorm__product *p, cl_mem temp)
{
    cl_command_queue queue = stream->queue;
    cl_int e = CL_SUCCESS;
    /* CLBlast takes no wait list: what is enqueued after a barrier waits for it. */
    if (stream->wait_count)
        e = clEnqueueBarrierWithWaitList(queue, stream->wait_count, stream->wait_list, NULL);
    if (e != CL_SUCCESS)
        return e;
    return (int)CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, way(p->transpose_a), way(p->transpose_b), p->m, p->n,
                                           p->k, 1.0f, p->a.mem, p->a.offset, p->a_stride, p->b.mem, p->b.offset,
                                           p->b_stride, p->accumulate ? 1.0f : 0.0f, p->c.mem, p->c.offset, p->c_stride,
                                           &queue, stream->event, temp);
}

int clnorm_clear_blas_cache(void)
{
    return (int)CLBlastClearCache();
}

#else

int clnorm__blas_is_there(void)
{
    return 0;
}

int clnorm__blas_temp(cl_command_queue queue, const struct clnorm__product *product, uint64_t *temp,
                      char why[CLNORM__WHY])
{
    (void)queue;
    (void)product;
    *temp = 0;
    snprintf(why, CLNORM__WHY, "the library was built without CLBlast; CLNORM_BLOCK_REPRODUCIBLE needs none");
    return CLNORM_NO_BLAS;
}

int clnorm__blas_gemm(const struct clnorm__stream *stream, const struct clnorm__product *product, cl_mem temp)
{
    (void)stream;
    (void)product;
    (void)temp;
    return CLNORM_NO_BLAS;
}

int clnorm_clear_blas_cache(void)
{
    return CLNORM_NO_BLAS;
}

#endif
