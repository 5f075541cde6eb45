/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of products share: kernels/README.md, "Products". */
#include "product/block_types.cl"

/* Which of a, b and c are of the tensors' type; what is not is binary32. */
#if A_TYPED
#define A_ELEM elem
#define A_GET(p) GET(p)
#else
#define A_ELEM float
#define A_GET(p) (*(p))
#endif
#if B_TYPED
#define B_ELEM elem
#define B_GET(p) GET(p)
#define B_GET_V(p) GET_V(p)
#else
#define B_ELEM float
#define B_GET(p) (*(p))
#define B_GET_V(p) VEC_LOAD(global, p)
#endif
#if C_TYPED
#define C_ELEM elem
#define C_GET(p) GET(p)
#define C_PUT(value, p) PUT(value, p)
#else
#define C_ELEM float
#define C_GET(p) (*(p))
#define C_PUT(value, p) (*(p) = (value))
#endif

/* Where number i stands: `stride` from one to the next within a run, `image` from one run to the next. */
FUNC ulong gemm_place(ulong i, ulong run, ulong stride, ulong image)
{
    return i < run ? i * stride : i / run * image + i % run * stride;
}

/* Where element (row, column) of c stands. */
FUNC ulong gemm_element(const struct clnorm_gemm *g, ulong row, ulong column)
{
    return g->c_at + row * g->c_row + gemm_place(column, g->column_run, 1u, g->c_image);
}

/* Of a launch that splits the terms, those that a work-item adds up. */
FUNC ulong gemm_terms(const struct clnorm_gemm *g)
{
    return min(g->split, g->k - get_global_id(1) * g->split);
}

/* What element (row, column) starts from, unless that is what stands in c (CLNORM_FROM_C). */
FUNC float gemm_bias(const global float *bias, const struct clnorm_gemm *g, ulong row, ulong column)
{
    switch (g->from) {
    case CLNORM_FROM_ROW_BIAS:
        return bias[g->bias_at + row];
    case CLNORM_FROM_COLUMN_BIAS:
        return bias[g->bias_at + column];
    default:
        return 0.0f;
    }
}
