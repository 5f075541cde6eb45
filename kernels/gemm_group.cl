/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product in the fixed order for GPU-like devices: a work-group of SIDE * SIDE work-items computes a tile of c, and keeps the
 * tiles of a and b it needs next in local memory; a work-item has every SIDE-th row and column of the tile.
 */
#include "begin.cl"
#include "gemm.cl"

#define SIDE 16u
#define EACH (CLNORM_GEMM_TILE / SIDE)
#define DEPTH 16u
#define WIDE (CLNORM_GEMM_TILE + 1u) /* neighbours fall into different banks, whichever way a tile is filled */

/* DEPTH terms of the tile's rows of a, or columns of b: out[term * WIDE + line]. Neighbours read neighbours. */
FUNC void fetch_tile(const global float *p, ulong line_stride, ulong term_stride, ulong lines, ulong terms,
                     local float *out)
{
    uint id = (uint)get_local_id(0);
    for (uint i = id; i < DEPTH * CLNORM_GEMM_TILE; i += SIDE * SIDE) {
        uint line = term_stride == 1u ? i / DEPTH : i % CLNORM_GEMM_TILE;
        uint term = term_stride == 1u ? i % DEPTH : i / CLNORM_GEMM_TILE;
        out[term * WIDE + line] = line < lines && term < terms ? p[line * line_stride + term * term_stride] : 0.0f;
    }
}

kernel __attribute__((reqd_work_group_size(SIDE * SIDE, 1, 1))) void gemm_group(const global float *a,
                                                                                const global float *b, global float *c,
                                                                                const global float *bias,
                                                                                struct clnorm_gemm g)
{
    local float a_tile[DEPTH * WIDE], b_tile[DEPTH * WIDE];
    ulong tiles = (g.m + CLNORM_GEMM_TILE - 1u) / CLNORM_GEMM_TILE;
    ulong first = get_group_id(0) % tiles * CLNORM_GEMM_TILE, left = get_group_id(0) / tiles * CLNORM_GEMM_TILE;
    uint y = (uint)get_local_id(0) / SIDE, x = (uint)get_local_id(0) % SIDE;
    float sum[EACH][EACH];
    for (uint i = 0u; i < EACH; i++)
        for (uint j = 0u; j < EACH; j++) {
            ulong row = first + i * SIDE + y, column = left + j * SIDE + x;
            sum[i][j] = row < g.m && column < g.n ? gemm_start(c, bias, &g, row, column) : 0.0f;
        }
    a += g.a_at + first * g.a_row;
    b += g.b_at + left * g.b_column;
    for (ulong t = 0u; t < g.k; t += DEPTH) {
        uint depth = (uint)min((ulong)DEPTH, g.k - t);
        fetch_tile(a + t * g.a_term, g.a_row, g.a_term, g.m - first, depth, a_tile);
        fetch_tile(b + t * g.b_term, g.b_column, g.b_term, g.n - left, depth, b_tile);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (uint s = 0u; s < depth; s++)
            for (uint i = 0u; i < EACH; i++)
                for (uint j = 0u; j < EACH; j++)
                    sum[i][j] = fma(a_tile[s * WIDE + i * SIDE + y], b_tile[s * WIDE + j * SIDE + x], sum[i][j]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (uint i = 0u; i < EACH; i++)
        for (uint j = 0u; j < EACH; j++) {
            ulong row = first + i * SIDE + y, column = left + j * SIDE + x;
            if (row < g.m && column < g.n)
                c[g.c_at + row * g.c_row + column] = sum[i][j];
        }
}
