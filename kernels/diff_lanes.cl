/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backward pass's sums over a leaf of n values, by one work-item. A template like leaf_lanes.cl: LEAVES declares the two
 * tensors' leaves, SRC(i) and DIFF_DST(i) look at values i to i + VEC - 1, SRC_REST(i, rest) and DIFF_DST_REST(i, rest) at the last.
 */
FUNC sums_f IN(diff_leaf)(LEAVES, uint n, struct centre k)
{
    vec g[LANE_VECS], gd[LANE_VECS], x_tail[LANE_VECS], dy_tail[LANE_VECS];
    uint whole = n / CLNORM_LANES * CLNORM_LANES, rest = n % CLNORM_LANES;
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        g[l] = gd[l] = x_tail[l] = dy_tail[l] = (vec)(0.0f);
    for (uint i = 0u; i < whole; i += CLNORM_LANES) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            vec dy = DIFF_DST(i + l * VEC);
            vec d = mul_v((SRC(i + l * VEC) - k.hi) - k.lo, (vec)(k.down));
            g[l] += dy;
            gd[l] = fma(dy, d, gd[l]);
        }
    }
    if (rest > 0u) {
        for (uint l = 0u; l < rest / VEC; l++) {
            x_tail[l] = SRC(whole + l * VEC);
            dy_tail[l] = DIFF_DST(whole + l * VEC);
        }
        if (rest % VEC) {
            x_tail[rest / VEC] = SRC_REST(whole + rest / VEC * VEC, rest % VEC);
            dy_tail[rest / VEC] = DIFF_DST_REST(whole + rest / VEC * VEC, rest % VEC);
        }
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            ivec here = LANE_NUMBERS + l * VEC < (ivec)((int)rest);
            vec d = mul_v((x_tail[l] - k.hi) - k.lo, (vec)(k.down));
            g[l] += dy_tail[l];
            gd[l] = here ? fma(dy_tail[l], d, gd[l]) : gd[l];
        }
    }
    float sum = lanes_sum(g);
    return diff_node(sum, lanes_sum(gd));
}
#undef IN
#undef LEAVES
#undef SRC
#undef SRC_REST
#undef DIFF_DST
#undef DIFF_DST_REST
