/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's look at a panel: a template as columns_leaf.cl, X(i, v) and DY(i, v) look at the two tensors. */
FUNC void IN(sums)(PANEL, uint rows, const struct centre_v *k, vec *g, vec *gd)
{
    vec g_half[VECS], g_pair[VECS], g_run[VECS], gd_half[VECS], gd_pair[VECS], gd_run[VECS];
    UNROLL
    for (uint r = 0u; r < 4u; r++) {
        UNROLL
        for (uint v = 0u; v < VECS; v++)
            g_run[v] = gd_run[v] = (vec)(0.0f);
        UNROLL
        for (uint i = 4u * r; i < 4u * r + 4u && i < ROWS; i++) {
            FETCH_AHEAD(i);
            UNROLL
            for (uint v = 0u; v < VECS; v++) {
                vec y = DY(i, v);
                g_run[v] += y;
                gd_run[v] = fma(y, centred(X(i, v), &k[v]), gd_run[v]);
            }
        }
        UNROLL
        for (uint v = 0u; v < VECS; v++) {
            g_pair[v] = r % 2u ? g_pair[v] + g_run[v] : g_run[v];
            gd_pair[v] = r % 2u ? gd_pair[v] + gd_run[v] : gd_run[v];
            g_half[v] = r == 1u ? g_pair[v] : g_half[v];
            gd_half[v] = r == 1u ? gd_pair[v] : gd_half[v];
        }
    }
    UNROLL
    for (uint v = 0u; v < VECS; v++) {
        g[v] = g_half[v] + g_pair[v];
        gd[v] = gd_half[v] + gd_pair[v];
    }
}
#undef IN
#undef PANEL
#undef ROWS
#undef VECS
#undef X
#undef DY
#undef FETCH_AHEAD
#undef UNROLL
