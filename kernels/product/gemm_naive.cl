/* SPDX-License-Identifier: Apache-2.0 */
/* A product in the fixed order: a work-item an element. */
#include "common/begin.cl"
#include "product/gemm.cl"

kernel void gemm_naive(const global A_ELEM *a, const global B_ELEM *b, global C_ELEM *c, const global float *bias,
                       struct clnorm_gemm g)
{
    ulong row = get_global_id(0) / g.n, column = get_global_id(0) % g.n;
    if (row >= g.m)
        return;
    const ulong split = get_global_id(1), k = gemm_terms(&g);
    a += g.a_at + split * g.a_split + row * g.a_row;
    b += g.b_at + split * g.b_split + gemm_place(column, g.column_run, g.b_column, g.b_image);
    c += split * g.c_split + gemm_element(&g, row, column);
    float sum = g.from == CLNORM_FROM_C ? C_GET(c) : gemm_bias(bias, &g, row, column);
    for (ulong first = 0u; first < k; first += g.term_run, a += g.a_image, b += g.b_image) {
        ulong terms = min(g.term_run, k - first);
        for (ulong t = 0u; t < terms; t++)
            sum = fma(A_GET(a + t * g.a_term), B_GET(b + t * g.b_term), sum);
    }
    C_PUT(sum, c);
}
