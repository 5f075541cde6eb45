/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass's sums over a leaf of n consecutive values. A template like leaf_lanes.cl. */
FUNC sums_f IN(diff_leaf)(const SPACE float *src, const SPACE float *diff_dst, uint n, struct centre k)
{
    vec g[LANE_VECS], gd[LANE_VECS];
    uint whole = n / CLNORM_LANES, rest = n % CLNORM_LANES;
#pragma unroll
    for (int l = 0; l < LANE_VECS; l++)
        g[l] = gd[l] = (vec)(0.0f);
    for (uint i = 0u; i < whole; i++) {
#pragma unroll
        for (int l = 0; l < LANE_VECS; l++) {
            vec dy = VEC_LOAD(SPACE, diff_dst + (i * LANE_VECS + l) * VEC);
            vec d = mul_v((VEC_LOAD(SPACE, src + (i * LANE_VECS + l) * VEC) - k.hi) - k.lo, (vec)(k.down));
            g[l] += dy;
            gd[l] = fma(dy, d, gd[l]);
        }
    }
    for (uint j = 0u; j < rest; j++) {
        float dy = diff_dst[whole * CLNORM_LANES + j];
        ((float *)g)[j] += dy;
        ((float *)gd)[j] = fma(dy, diff_centred(src[whole * CLNORM_LANES + j], k), ((float *)gd)[j]);
    }
    float sum = lanes_sum(g);
    return diff_node(sum, lanes_sum(gd));
}
