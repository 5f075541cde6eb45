/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product in the fixed order for GPU-like devices: a work-group of SIDE * SIDE work-items computes a tile of c, a work-item EACH rows and
 * columns that stand together. Tiles of a and b lie in local memory by terms, so that a work-item reads its rows and its columns of a term as
 * one vector of 128 bits each; while it adds, the next tiles are on their way into its registers.
 */
#include "common/begin.cl"
#include "product/gemm.cl"

#define SIDE 16u
#define EACH 4u /* CLNORM_GEMM_TILE / SIDE; the length of a float4 */
#define DEPTH 16u
#define WIDE (CLNORM_GEMM_TILE / EACH + 1u) /* vectors of a term: the terms of a line begin in other banks */

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

/*
 * Where a tile's line number `ahead` begins, whose first is number `first` of its run and has `runs` runs before it, as gemm_place has
 * them: without a division, which takes a GPU a hundred instructions.
 */
FUNC ulong line_at(ulong first, ulong runs, ulong run, uint ahead, ulong stride, ulong image)
{
    ulong i = first + ahead;
    for (; i >= run; i -= run)
        runs++;
    return runs * image + i * stride;
}

/* What a work-item fetches of `terms` terms. p: the image of the first one, its number there: place. */
#define FETCH_TILE(name, ELEMENT, GET_ONE)                                                                             \
    FUNC void name(const global ELEMENT *p, const ulong *at, ulong place, ulong run, ulong stride, ulong image,        \
                   uint terms, float *out)                                                                             \
    {                                                                                                                  \
        int along_terms = stride == 1u;                                                                                \
        for (uint f = 0u; f < FETCHES; f++) {                                                                          \
            uint term = fetched_term(f, along_terms);                                                                  \
            ulong from = at[f], t = place + term;                                                                      \
            for (; t >= run && term < terms; t -= run)                                                                 \
                from += image;                                                                                         \
            out[f] = at[f] != NOWHERE && term < terms ? GET_ONE(p + (from + t * stride)) : 0.0f;                       \
        }                                                                                                              \
    }
FETCH_TILE(fetch_a, A_ELEM, A_GET)
FETCH_TILE(fetch_b, B_ELEM, B_GET)

FUNC void put_tile(const float *in, int along_terms, local float *tile)
{
    for (uint f = 0u; f < FETCHES; f++)
        tile[fetched_term(f, along_terms) * WIDE * EACH + fetched_line(f, along_terms)] = in[f];
}

kernel __attribute__((reqd_work_group_size(SIDE * SIDE, 1, 1))) void
gemm_group(const global A_ELEM *a, const global B_ELEM *b, global C_ELEM *c, const global float *bias,
           struct clnorm_gemm g)
{
    local float4 a_tile[DEPTH * WIDE], b_tile[DEPTH * WIDE];
    uint tiles = (uint)((g.m + CLNORM_GEMM_TILE - 1u) / CLNORM_GEMM_TILE), group = (uint)get_group_id(0);
    ulong first = (ulong)(group % tiles) * CLNORM_GEMM_TILE, left = (ulong)(group / tiles) * CLNORM_GEMM_TILE;
    const ulong split = get_global_id(1), k = gemm_terms(&g);
    c += split * g.c_split;
    uint y = (uint)get_local_id(0) / SIDE, x = (uint)get_local_id(0) % SIDE;
    ulong runs = left < g.column_run ? 0u : left / g.column_run, in_run = left - runs * g.column_run;
    /* Of the work-item's columns, which stand side by side in c but where a run ends. */
    ulong to[EACH], run = runs, at = in_run + x * EACH;
    for (; at >= g.column_run; at -= g.column_run)
        run++;
    for (uint j = 0u; j < EACH; j++) {
        to[j] = g.c_at + run * g.c_image + at;
        at = at + 1u < g.column_run ? at + 1u : 0u;
        run += at == 0u;
    }
    float sum[EACH][EACH];
    for (uint i = 0u; i < EACH; i++)
        for (uint j = 0u; j < EACH; j++) {
            ulong row = first + y * EACH + i, column = left + x * EACH + j;
            sum[i][j] = row >= g.m || column >= g.n ? 0.0f
                        : g.from == CLNORM_FROM_C   ? C_GET(c + (to[j] + row * g.c_row))
                                                    : gemm_bias(bias, &g, row, column);
        }
    int a_along = g.a_term == 1u, b_along = g.b_term == 1u;
    ulong a_lines[FETCHES], b_lines[FETCHES], place = 0u;
    float a_next[FETCHES], b_next[FETCHES];
    for (uint f = 0u; f < FETCHES; f++) {
        uint row = fetched_line(f, a_along), column = fetched_line(f, b_along);
        a_lines[f] = row < g.m - first ? (first + row) * g.a_row : NOWHERE;
        b_lines[f] = column < g.n - left ? line_at(in_run, runs, g.column_run, column, g.b_column, g.b_image) : NOWHERE;
    }
    a += g.a_at + split * g.a_split;
    b += g.b_at + split * g.b_split;
    uint next = (uint)min((ulong)DEPTH, k);
    fetch_a(a, a_lines, place, g.term_run, g.a_term, g.a_image, next, a_next);
    fetch_b(b, b_lines, place, g.term_run, g.b_term, g.b_image, next, b_next);
    for (ulong t = 0u; t < k; t += DEPTH) {
        uint terms = next;
        barrier(CLK_LOCAL_MEM_FENCE);
        put_tile(a_next, a_along, (local float *)a_tile);
        put_tile(b_next, b_along, (local float *)b_tile);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k - t > DEPTH) {
            next = (uint)min((ulong)DEPTH, k - t - DEPTH);
            for (place += DEPTH; place >= g.term_run; place -= g.term_run) {
                a += g.a_image;
                b += g.b_image;
            }
            fetch_a(a, a_lines, place, g.term_run, g.a_term, g.a_image, next, a_next);
            fetch_b(b, b_lines, place, g.term_run, g.b_term, g.b_image, next, b_next);
        }
        for (uint s = 0u; s < terms; s++) {
            const float4 row = a_tile[s * WIDE + y], column = b_tile[s * WIDE + x];
            const float a_rows[EACH] = {row.x, row.y, row.z, row.w};
            const float b_columns[EACH] = {column.x, column.y, column.z, column.w};
            for (uint i = 0u; i < EACH; i++)
                for (uint j = 0u; j < EACH; j++)
                    sum[i][j] = fma(a_rows[i], b_columns[j], sum[i][j]);
        }
    }
    for (uint j = 0u; j < EACH; j++)
        for (uint i = 0u; i < EACH; i++) {
            ulong row = first + y * EACH + i;
            if (row < g.m && left + x * EACH + j < g.n)
                C_PUT(sum[i][j], c + (to[j] + row * g.c_row));
        }
}
