/* SPDX-License-Identifier: Apache-2.0 */
/* Reading channels-last columns: a template, as read_rows.cl. Part of tile.cl. */

/* n rows of at most VEC channels, so far apart; absent channels are 0. */
FUNC void ON(gather_tile)(vec *tile, SOURCE_IN first, ulong distance, uint n, uint channels)
{
    SOURCE p = first;
    for (uint i = 0u; i < n; i++, p = SOURCE_AT(p, distance)) {
        if (channels >= VEC) {
            tile[i] = SOURCE_V(p);
            continue;
        }
        tile[i] = (vec)(0.0f);
        for (uint j = 0u; j < channels; j++)
            ((float *)&tile[i])[j] = SOURCE_F(SOURCE_ALONG(p, j));
    }
}

#if !defined(SMALL_CODE) && !VIEW
/* VEC whole leaves of c channels: vector i * c + j has value i of channel j of each. */
FUNC void ON(gather_leaves)(vec *tile, SOURCE_IN p, uint c)
{
    const uint size = CLNORM_LANES * c;
    for (uint i = 0u; i < size; i += VEC) {
        for (uint leaf = 0u; leaf < VEC; leaf++) {
            SOURCE_FETCH(p, (VEC + leaf) * size + i);
            tile[i + leaf] = SOURCE_V(SOURCE_AT(p, leaf * size + i));
        }
        transpose(tile + i);
    }
}
#endif
#undef ON
#undef SOURCE
#undef SOURCE_IN
#undef SOURCE_AT
#undef SOURCE_ALONG
#undef SOURCE_F
#undef SOURCE_V
#undef SOURCE_FETCH
