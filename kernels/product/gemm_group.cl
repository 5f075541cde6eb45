/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product in the fixed order for GPU-like devices: a work-group of SIDE * SIDE work-items computes a tile of c, and keeps the
 * tiles of a and b it needs next in local memory; a work-item has every SIDE-th row and column of the tile.
 */
#include "common/begin.cl"
#include "product/gemm.cl"

#define SIDE 16u
#define EACH (CLNORM_GEMM_TILE / SIDE)
#define DEPTH 16u
#define WIDE (CLNORM_GEMM_TILE + 1u) /* neighbours fall into different banks, whichever way a tile is filled */

#define FETCHES (DEPTH * CLNORM_GEMM_TILE / (SIDE * SIDE)) /* of a work-item, for a tile of a or b */
#define NOWHERE (~(ulong)0)

/* Lines are the rows of a, or the columns of b. Of a tile's, number `fetch` of the work-item's is this one: neighbours read neighbours. */
FUNC uint fetched_line(uint fetch, int along_terms)
{
    uint i = (uint)get_local_id(0) + fetch * SIDE * SIDE;
    return along_terms ? i / DEPTH : i % CLNORM_GEMM_TILE;
}

FUNC uint fetched_term(uint fetch, int along_terms)
{
    uint i = (uint)get_local_id(0) + fetch * SIDE * SIDE;
    return along_terms ? i % DEPTH : i / CLNORM_GEMM_TILE;
}

/* Where the lines that a work-item fetches begin: the same for all terms. */
FUNC void find_lines(ulong first, ulong lines, ulong run, ulong stride, ulong image, int along_terms, ulong *at)
{
    for (uint f = 0u; f < FETCHES; f++) {
        ulong line = first + fetched_line(f, along_terms);
        at[f] = line < lines ? gemm_place(line, run, stride, image) : NOWHERE;
    }
}

/* `terms` terms of the tile's lines: out[term * WIDE + line]. p: the image of the first one, its number there: place. */
FUNC void fetch_tile(const global float *p, const ulong *at, ulong place, ulong run, ulong stride, ulong image,
                     uint terms, local float *out)
{
    int along_terms = stride == 1u;
    for (uint f = 0u; f < FETCHES; f++) {
        uint line = fetched_line(f, along_terms), term = fetched_term(f, along_terms);
        ulong from = at[f], t = place + term;
        for (; t >= run && term < terms; t -= run)
            from += image;
        out[term * WIDE + line] = at[f] != NOWHERE && term < terms ? p[from + t * stride] : 0.0f;
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
    ulong a_lines[FETCHES], b_lines[FETCHES], place = 0u;
    find_lines(first, g.m, g.m, g.a_row, 0u, g.a_term == 1u, a_lines);
    find_lines(left, g.n, g.column_run, g.b_column, g.b_image, g.b_term == 1u, b_lines);
    a += g.a_at;
    b += g.b_at;
    for (ulong t = 0u; t < g.k; t += DEPTH, place += DEPTH) {
        uint depth = (uint)min((ulong)DEPTH, g.k - t);
        for (; place >= g.term_run; place -= g.term_run) {
            a += g.a_image;
            b += g.b_image;
        }
        fetch_tile(a, a_lines, place, g.term_run, g.a_term, g.a_image, depth, a_tile);
        fetch_tile(b, b_lines, place, g.term_run, g.b_term, g.b_image, depth, b_tile);
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
                c[gemm_element(&g, row, column)] = sum[i][j];
        }
}
