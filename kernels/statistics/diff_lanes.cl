/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backward pass's sums over a leaf of n values, by one work-item. A template like leaf_lanes.cl: LEAVES declares the two
 * tensors' leaves, X(i) and DIFF_DST(i) look at values i to i + VEC - 1, in rising order alone if IN_ORDER; X_REST(i, rest) and
 * DIFF_DST_REST(i, rest) at the last.
 */
FUNC sums_f IN(diff_leaf)(LEAVES, uint n, const struct centre k)
{
    vec g[LANE_VECS], gd[LANE_VECS], g_half[LANE_VECS], gd_half[LANE_VECS];
    vec x_tail[LANE_VECS], dy_tail[LANE_VECS];
    const uint rows = n / CLNORM_LANES, rest = n % CLNORM_LANES;
    const uint runs = (n + RUN - 1u) / RUN;
    const vec magnify = (vec)(k.magnify);

#define ADD(x, dy, g, gd)                                                                                              \
    {                                                                                                                  \
        vec y_ = dy, d_ = mul_v((x - k.hi) - k.lo, magnify);                                                           \
        g += y_;                                                                                                       \
        gd = fma(y_, d_, gd);                                                                                          \
    }
    for (uint run = 0u; run < runs; run++) {
        const uint here = min(rows - 4u * run, 4u);
        const int is_second = run & 1u, has_tail = here < 4u && rest > 0u;
#if IN_ORDER
        vec g_run[LANE_VECS], gd_run[LANE_VECS];
        LANE_LOOP
        g_run[l] = gd_run[l] = (vec)(0.0f);
        for (uint r = 0u; r < here; r++) {
            LANE_LOOP
            ADD(X(run * RUN + r * CLNORM_LANES + l * VEC), DIFF_DST(run * RUN + r * CLNORM_LANES + l * VEC), g_run[l],
                gd_run[l])
        }
#endif
        if (has_tail) {
            LANE_LOOP
            x_tail[l] = dy_tail[l] = (vec)(0.0f);
            for (uint l = 0u; l < rest / VEC; l++) {
                x_tail[l] = X(n - rest + l * VEC);
                dy_tail[l] = DIFF_DST(n - rest + l * VEC);
            }
            if (rest % VEC) {
                x_tail[rest / VEC] = X_REST(n - rest + rest / VEC * VEC, rest % VEC);
                dy_tail[rest / VEC] = DIFF_DST_REST(n - rest + rest / VEC * VEC, rest % VEC);
            }
        }
#pragma nounroll
        for (ulong l = 0u; l < LANE_VECS; l++) {
#if IN_ORDER
            vec t = g_run[l], u = gd_run[l];
#else
            const ulong i = (ulong)run * RUN + l * VEC; /* as wide as an address, to be part of one */
            vec t = (vec)(0.0f), u = (vec)(0.0f);
#ifndef SMALL_CODE
            if (here == 4u) {
                FETCH_AHEAD((ulong)run * RUN + RUN + l * (4u * VEC))
                ADD(X(i), DIFF_DST(i), t, u)
                ADD(X(i + 64u), DIFF_DST(i + 64u), t, u)
                ADD(X(i + 128u), DIFF_DST(i + 128u), t, u)
                ADD(X(i + 192u), DIFF_DST(i + 192u), t, u)
            } else
#endif
            {
                for (ulong r = 0u; r < here; r++)
                    ADD(X(i + r * CLNORM_LANES), DIFF_DST(i + r * CLNORM_LANES), t, u)
            }
#endif
            if (has_tail &&
                l * VEC < rest) { /* absent gradients are 0, which adds nothing; the mean may be no number */
                vec before = u;
                ADD(x_tail[l], dy_tail[l], t, u)
                u = LANE_NUMBERS + (ivec)((int)(l * VEC)) < (ivec)((int)rest) ? u : before;
            }
            /* Runs 0 and 1, 2 and 3 pair up, then the pairs. */
            if (is_second) {
                t = g_half[l] + t;
                u = gd_half[l] + u;
            } else if (run + 1u < runs) {
                g_half[l] = t;
                gd_half[l] = u;
                continue;
            }
            g[l] = run < 2u ? t : g[l] + t;
            gd[l] = run < 2u ? u : gd[l] + u;
        }
    }
#undef ADD
    float sum = lanes_sum(g);
    return diff_node(sum, lanes_sum(gd));
}
#undef IN
#undef IN_ORDER
#undef FETCH_AHEAD
#undef LEAVES
#undef X
#undef X_REST
#undef DIFF_DST
#undef DIFF_DST_REST
