/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of products share: kernels/README.md, "Products". */
#include "block_types.cl"

/* What element (row, column) starts from. */
FUNC float gemm_start(const global float *c, const global float *bias, const struct clnorm_gemm *g, ulong row,
                      ulong column)
{
    switch (g->from) {
    case CLNORM_FROM_C:
        return c[g->c_at + row * g->c_row + column];
    case CLNORM_FROM_ROW_BIAS:
        return bias[g->bias_at + row];
    case CLNORM_FROM_COLUMN_BIAS:
        return bias[g->bias_at + column];
    default:
        return 0.0f;
    }
}
