/* SPDX-License-Identifier: Apache-2.0 */
/* Sums LANES lanes by halves: lane j takes lane j + 32, then j + 16, ... */
FUNC float by_halves(float *lane)
{
    for (uint span = LANES / 2u; span > 0u; span /= 2u)
        for (uint j = 0u; j < span; j++)
            lane[j] += lane[j + span];
    return lane[0];
}
