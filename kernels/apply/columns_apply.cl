/* SPDX-License-Identifier: Apache-2.0 */
#define COLUMNS_AHEAD 16u /* rows that are fetched ahead: no processor foresees pieces of rows by itself */

/*
 * The last step on channels-last columns, by one work-item: `channels` channels, whole vectors or fewer than VEC. src, diff_dst
 * and dst point to the first; the one that the step does not read may be any. After coef.cl, store.cl and tile.cl.
 */
FUNC void apply_columns(const global float *src, const global float *diff_dst, global float *dst,
                        const struct clnorm_shape *shape, uint channels, const coefs_v *coefs, int stream)
{
    ulong rows = shape->n * shape->s, ahead = COLUMNS_AHEAD * shape->c;
    for (ulong row = 0u; row < rows; row++, src += shape->c, diff_dst += shape->c, dst += shape->c) {
        if (channels < VEC) {
            vec x, dy;
            gather_tile(&x, src, 0u, 1u, channels);
            gather_tile(&dy, diff_dst, 0u, 1u, channels);
            vec y = apply_v(x, dy, coefs[0]);
            for (uint j = 0u; j < channels; j++)
                dst[j] = ((float *)&y)[j];
            continue;
        }
        for (uint v = 0u; v * VEC < channels; v++) {
            PREFETCH(src + ahead + v * VEC);
#if BACKWARD
            PREFETCH(diff_dst + ahead + v * VEC);
#endif
            vec y = apply_v(VEC_LOAD(global, src + v * VEC), VEC_LOAD(global, diff_dst + v * VEC), coefs[v]);
            STORE_PAST(stream, y, dst + v * VEC);
        }
    }
}
