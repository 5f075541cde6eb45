/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/cache_share.h"

/* So many percent, rounded down once. */
static uint64_t share(uint64_t bytes, uint64_t percent)
{
    return bytes / 100 * percent + bytes % 100 * percent / 100;
}

static uint64_t cache_share(const struct clnorm__device *device, enum clnorm__parameter percent)
{
    return share(device->cache_bytes, clnorm__tuned(device, percent));
}

uint64_t clnorm__unit_share(const struct clnorm__device *device, enum clnorm__parameter percent)
{
    return share(device->cache_bytes / device->compute_units, clnorm__tuned(device, percent));
}

int clnorm__streams(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                    enum clnorm__parameter percent)
{
    return desc->n * desc->c * desc->s * clnorm_type_bytes(desc->type) >
           cache_share(device, percent) / (backward ? 3 : 2);
}
