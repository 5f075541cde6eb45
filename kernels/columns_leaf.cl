/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two looks at a panel: up to 16 rows of VECS vectors of channels side by side. Its four runs are chains of their own, whose sums
 * stay in registers. A template: IN(x) is the name of x for it, PANEL declares what is looked at, ROWS is how many rows there are (16,
 * or the variable rows), FIRST(i, v) and SECOND(i, v) look at vector v of row i, FETCH_AHEAD(i) may fetch what will be wanted next, and
 * UNROLL stands before every loop. After leaf.cl, store.cl and tile.cl.
 */
FUNC void IN(sums)(PANEL, uint rows, vec *a)
{
    vec runs[4][VECS];
#pragma nounroll
    for (uint r = 0u; r < 4u; r++) {
        vec t[VECS];
        UNROLL
        for (uint v = 0u; v < VECS; v++)
            t[v] = (vec)(0.0f);
        UNROLL
        for (uint i = 0u; i < 4u && 4u * r + i < ROWS; i++) {
            UNROLL
            for (uint v = 0u; v < VECS; v++)
                t[v] += FIRST(4u * r + i, v);
        }
        UNROLL
        for (uint v = 0u; v < VECS; v++)
            runs[r][v] = t[v];
    }
    UNROLL
    for (uint v = 0u; v < VECS; v++)
        a[v] = (runs[0][v] + runs[1][v]) + (runs[2][v] + runs[3][v]);
}

/* Of deviations from m: their sum and that of their squares. */
FUNC void IN(squares)(PANEL, uint rows, const vec *m, vec *s, vec *q)
{
    vec s_runs[4][VECS], q_runs[4][VECS];
#pragma nounroll
    for (uint r = 0u; r < 4u; r++) {
        vec t[VECS], u[VECS];
        UNROLL
        for (uint v = 0u; v < VECS; v++)
            t[v] = u[v] = (vec)(0.0f);
        UNROLL
        for (uint i = 0u; i < 4u && 4u * r + i < ROWS; i++) {
            FETCH_AHEAD(4u * r + i);
            UNROLL
            for (uint v = 0u; v < VECS; v++) {
                vec d = SECOND(4u * r + i, v) - m[v];
                t[v] += d;
                u[v] = fma(d, d, u[v]);
            }
        }
        UNROLL
        for (uint v = 0u; v < VECS; v++) {
            s_runs[r][v] = t[v];
            q_runs[r][v] = u[v];
        }
    }
    UNROLL
    for (uint v = 0u; v < VECS; v++) {
        s[v] = (s_runs[0][v] + s_runs[1][v]) + (s_runs[2][v] + s_runs[3][v]);
        q[v] = (q_runs[0][v] + q_runs[1][v]) + (q_runs[2][v] + q_runs[3][v]);
    }
}
#undef IN
#undef PANEL
#undef ROWS
#undef VECS
#undef FIRST
#undef SECOND
#undef FETCH_AHEAD
#undef UNROLL
