/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product in the fixed order for CPU-like devices: a work-item computes a tile of c, rows_per_item rows of COLUMNS columns.
 * Of b it packs DEPTH terms at a time, whatever way b lies, and all rows of the tile go over them, ROWS at a time: sums stay in
 * registers, and leave them for the tile, which changes no bit, between one pack and the next.
 */
#include "begin.cl"
#include "gemm.cl"

#define COLUMNS (2u * VEC)
#define DEPTH 128u
#if VEC == 16
#define ROWS 8u
#else
#define ROWS 4u
#endif

/* Terms [0, depth) of b's columns [0, columns): a row of pack for each term, 0 in columns that are not there. */
FUNC void pack_terms(const global float *b, ulong b_term, ulong b_column, uint depth, uint columns, float *pack)
{
    if (b_column == 1u && columns == COLUMNS) {
        for (uint t = 0u; t < depth; t++) {
            VEC_STORE(private, VEC_LOAD(global, b + t * b_term), pack + t * COLUMNS);
            VEC_STORE(private, VEC_LOAD(global, b + t * b_term + VEC), pack + t * COLUMNS + VEC);
        }
        return;
    }
    for (uint j = 0u; j < columns; j++)
        for (uint t = 0u; t < depth; t++)
            pack[t * COLUMNS + j] = b[j * b_column + t * b_term];
    for (uint j = columns; j < COLUMNS; j++)
        for (uint t = 0u; t < depth; t++)
            pack[t * COLUMNS + j] = 0.0f;
}

/* ROWS rows of the tile take depth terms. The rows of a that are not there are the last one again. */
FUNC void add_terms(const global float *a, ulong a_row, ulong a_term, uint rows, const float *pack, uint depth,
                    float *tile)
{
    vec left[ROWS], right[ROWS];
    const global float *row[ROWS];
#pragma unroll
    for (uint r = 0u; r < ROWS; r++) {
        left[r] = VEC_LOAD(private, tile + r * COLUMNS);
        right[r] = VEC_LOAD(private, tile + r * COLUMNS + VEC);
        row[r] = a + min(r, rows - 1u) * a_row;
    }
    for (uint t = 0u; t < depth; t++) {
        vec b_left = VEC_LOAD(private, pack + t * COLUMNS), b_right = VEC_LOAD(private, pack + t * COLUMNS + VEC);
#pragma unroll
        for (uint r = 0u; r < ROWS; r++) {
            vec value = (vec)(row[r][t * a_term]);
            left[r] = fma(value, b_left, left[r]);
            right[r] = fma(value, b_right, right[r]);
        }
    }
#pragma unroll
    for (uint r = 0u; r < ROWS; r++) {
        VEC_STORE(private, left[r], tile + r * COLUMNS);
        VEC_STORE(private, right[r], tile + r * COLUMNS + VEC);
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_item(const global float *a, const global float *b, global float *c, const global float *bias, struct clnorm_gemm g)
{
    float pack[DEPTH * COLUMNS], tile[CLNORM_GEMM_TILE * COLUMNS];
    ulong tiles = (g.m + g.rows_per_item - 1u) / g.rows_per_item;
    ulong first = get_global_id(0) % tiles * g.rows_per_item, left = get_global_id(0) / tiles * COLUMNS;
    uint rows = (uint)min(g.rows_per_item, g.m - first), columns = (uint)min((ulong)COLUMNS, g.n - left);
    for (uint r = 0u; r < CLNORM_GEMM_TILE; r++)
        for (uint j = 0u; j < COLUMNS; j++)
            tile[r * COLUMNS + j] = r < rows && j < columns ? gemm_start(c, bias, &g, first + r, left + j) : 0.0f;
    a += g.a_at + first * g.a_row;
    b += g.b_at + left * g.b_column;
    for (ulong t = 0u; t < g.k; t += DEPTH) {
        uint depth = (uint)min((ulong)DEPTH, g.k - t);
        pack_terms(b + t * g.b_term, g.b_term, g.b_column, depth, columns, pack);
        for (uint r = 0u; r < rows; r += ROWS)
            add_terms(a + r * g.a_row + t * g.a_term, g.a_row, g.a_term, rows - r, pack, depth, tile + r * COLUMNS);
    }
    c += g.c_at + first * g.c_row + left;
    for (uint r = 0u; r < rows; r++)
        for (uint j = 0u; j < columns; j++)
            c[r * g.c_row + j] = tile[r * COLUMNS + j];
}
