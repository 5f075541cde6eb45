/* SPDX-License-Identifier: Apache-2.0 */
#define COLUMNS_AHEAD 16u /* rows that are fetched ahead: no processor foresees pieces of rows by itself */

/*
 * The last step on channels-last columns, by one work-item: `channels` channels, whole vectors or fewer than VEC, from where the tensors
 * begin. After apply_args.cl.
 */
FUNC void apply_columns(const struct tensors all, const struct clnorm_shape *shape, uint channels, const coefs_v *coefs,
                        int stream)
{
    struct tensors t = all;
    ulong rows = shape->n * shape->s, ahead = BLOCKS(COLUMNS_AHEAD, shape->c);
    outcome_v y;
#if MASK && !IS_BACKWARD
    /* Then nobody writes to a part of a byte, and the last word is everybody's. */
    t.to = VEC >= 8 && shape->c % VEC == 0u ? (t.total - 1u) / 32u * 32u : 0u;
#endif
    for (ulong row = 0u; row < rows; row++, t = tensors_at(t, BLOCKS(1u, shape->c))) {
        if (channels < VEC) {
            for (uint j = 0u; j < channels; j++)
                leave_f(t, j, step_f(t, j, coefs_of(&coefs[0], j)));
            continue;
        }
        for (uint v = 0u; v * VEC < channels; v++) {
            TENSORS_FETCH(t, ahead + v * VEC);
            y = step_v(t, v * VEC, coefs[v]);
            LEAVE_V(t, v * VEC, y, stream);
        }
    }
}
