/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A product in the fixed order for CPU-like devices: a work-item computes a tile of c, rows_per_item rows of COLUMNS columns.
 * Of b it packs DEPTH terms at a time, whatever way b lies, and all rows of the tile go over them, ROWS at a time: sums stay in
 * registers, and leave them for the tile, which changes no bit, between one pack and the next.
 */
#include "common/begin.cl"
#include "product/gemm.cl"

#define COLUMNS (2u * VEC)
#define DEPTH 128u
#if VEC == 16
#define ROWS 8u
#else
#define ROWS 4u
#endif

/*
 * Terms [0, depth) of a tile's VEC columns from number `from` on, of `columns` that are there: in every row of pack, and 0 in
 * columns that are not. left: the tile's first column. Where they belong to two images, those of the second and what lies before
 * them are read as one vector, and so are those of the first and what follows: with runs of VEC or more, all of it is within the
 * images.
 */
FUNC void pack_columns(const global B_ELEM *b, const struct clnorm_gemm *g, ulong left, uint from, uint columns,
                       uint depth, float *pack)
{
    ulong column = left + from, place = column % g->column_run;
    ulong room = g->b_image == g->column_run ? VEC : g->column_run - place;
    const global B_ELEM *p = b + column / g->column_run * g->b_image + place * g->b_column;
    int is_whole = g->b_column == 1u && columns >= from + VEC;
    if (is_whole && room >= VEC) {
        for (uint t = 0u; t < depth; t++)
            VEC_STORE(private, B_GET_V(p + t * g->b_term), pack + t * COLUMNS + from);
    } else if (is_whole && g->column_run >= VEC) {
        const global B_ELEM *next = p + (g->b_image - g->column_run); /* of the second image, as far on as p */
        float number[VEC];
        for (uint j = 0u; j < VEC; j++)
            number[j] = (float)j;
        ivec is_next = VEC_LOAD(private, number) >= (vec)((float)room);
        for (uint t = 0u; t < depth; t++)
            VEC_STORE(private, SELECT(B_GET_V(p + t * g->b_term), B_GET_V(next + t * g->b_term), is_next),
                      pack + t * COLUMNS + from);
    } else {
        uint j = from;
        for (; j < min(columns, from + VEC); j++) {
            const global B_ELEM *q = b + gemm_place(left + j, g->column_run, g->b_column, g->b_image);
            for (uint t = 0u; t < depth; t++)
                pack[t * COLUMNS + j] = B_GET(q + t * g->b_term);
        }
        for (; j < from + VEC; j++)
            for (uint t = 0u; t < depth; t++)
                pack[t * COLUMNS + j] = 0.0f;
    }
}

/* Terms [first, first + depth) of COLUMNS columns of b. */
FUNC void pack_terms(const global B_ELEM *b, const struct clnorm_gemm *g, ulong left, uint columns, ulong first,
                     uint depth, float *pack)
{
    /* Images that follow each other without a gap are one. */
    ulong run = g->b_image == g->term_run * g->b_term ? g->k : g->term_run, place = first % run;
    b += first / run * g->b_image;
    for (uint t = 0u; t < depth; place = 0u, b += g->b_image) {
        uint terms = (uint)min((ulong)(depth - t), run - place);
        const global B_ELEM *p = b + place * g->b_term;
        pack_columns(p, g, left, 0u, columns, terms, pack + t * COLUMNS);
        pack_columns(p, g, left, VEC, columns, terms, pack + t * COLUMNS);
        t += terms;
    }
}

/*
 * ROWS rows of the tile take depth terms, the first of them number `place` of a's image. The rows of a that are not there are the
 * last one again.
 */
FUNC void add_terms(const global A_ELEM *a, const struct clnorm_gemm *g, ulong place, uint rows, const float *pack,
                    uint depth, float *tile)
{
    vec left[ROWS], right[ROWS];
    const global A_ELEM *row[ROWS];
#pragma unroll
    for (uint r = 0u; r < ROWS; r++) {
        left[r] = VEC_LOAD(private, tile + r * COLUMNS);
        right[r] = VEC_LOAD(private, tile + r * COLUMNS + VEC);
        row[r] = a + min(r, rows - 1u) * g->a_row;
    }
    ulong image = 0u;
    for (uint t = 0u; t < depth; place = 0u, image += g->a_image) {
        ulong at = image + place * g->a_term;
        uint end = (uint)min((ulong)depth, t + (g->term_run - place));
        for (; t < end; t++, at += g->a_term) {
            vec b_left = VEC_LOAD(private, pack + t * COLUMNS), b_right = VEC_LOAD(private, pack + t * COLUMNS + VEC);
#pragma unroll
            for (uint r = 0u; r < ROWS; r++) {
                vec value = (vec)(A_GET(row[r] + at));
                left[r] = fma(value, b_left, left[r]);
                right[r] = fma(value, b_right, right[r]);
            }
        }
    }
#pragma unroll
    for (uint r = 0u; r < ROWS; r++) {
        VEC_STORE(private, left[r], tile + r * COLUMNS);
        VEC_STORE(private, right[r], tile + r * COLUMNS + VEC);
    }
}

/* The columns of an image at a time: they are next to each other. */
FUNC void store_tile(const float *tile, const struct clnorm_gemm *g, ulong first, uint rows, ulong left, uint columns,
                     global C_ELEM *c)
{
    for (uint j = 0u; j < columns;) {
        ulong column = left + j;
        uint end = (uint)min((ulong)columns, j + (g->column_run - column % g->column_run));
        global C_ELEM *out = c + gemm_element(g, first, column) - j;
        for (uint r = 0u; r < rows; r++)
            for (uint i = j; i < end; i++)
                C_PUT(tile[r * COLUMNS + i], out + (r * g->c_row + i));
        j = end;
    }
}

kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_item(const global A_ELEM *a, const global B_ELEM *b,
                                                                     global C_ELEM *c, const global float *bias,
                                                                     struct clnorm_gemm g)
{
    float pack[DEPTH * COLUMNS], tile[CLNORM_GEMM_TILE * COLUMNS];
    ulong tiles = (g.m + g.rows_per_item - 1u) / g.rows_per_item;
    ulong first = get_global_id(0) % tiles * g.rows_per_item, left = get_global_id(0) / tiles * COLUMNS;
    uint rows = (uint)min(g.rows_per_item, g.m - first), columns = (uint)min((ulong)COLUMNS, g.n - left);
    const ulong split = get_global_id(1), k = gemm_terms(&g);
    c += split * g.c_split;
    for (uint r = 0u; r < CLNORM_GEMM_TILE; r++)
        for (uint j = 0u; j < COLUMNS; j++)
            tile[r * COLUMNS + j] = r >= rows || j >= columns ? 0.0f
                                    : g.from == CLNORM_FROM_C ? C_GET(c + gemm_element(&g, first + r, left + j))
                                                              : gemm_bias(bias, &g, first + r, left + j);
    a += g.a_at + split * g.a_split + first * g.a_row;
    b += g.b_at + split * g.b_split;
    for (ulong t = 0u; t < k; t += DEPTH) {
        uint depth = (uint)min((ulong)DEPTH, k - t);
        pack_terms(b, &g, left, columns, t, depth, pack);
        for (uint r = 0u; r < rows; r += ROWS)
            add_terms(a + t / g.term_run * g.a_image + r * g.a_row, &g, t % g.term_run, rows - r, pack, depth,
                      tile + r * COLUMNS);
    }
    store_tile(tile, &g, first, rows, left, columns, c);
}
