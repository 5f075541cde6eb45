/* SPDX-License-Identifier: Apache-2.0 */
/* Sums within a lane and over the lanes, by the letter. */

/* Runs combine pairwise, level by level, an odd one passing up. */
FUNC float by_pairs(float *runs, uint count)
{
    for (; count > 1u; count = (count + 1u) / 2u)
        for (uint r = 0u; r < count; r += 2u)
            runs[r / 2u] = r + 1u < count ? runs[r] + runs[r + 1u] : runs[r];
    return runs[0];
}

/* Sums LANES lanes by halves: lane j takes lane j + 32, then j + 16, ... */
FUNC float by_halves(float *lane)
{
    for (uint span = LANES / 2u; span > 0u; span /= 2u)
        for (uint j = 0u; j < span; j++)
            lane[j] += lane[j + span];
    return lane[0];
}
