/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/launch.h"

#include <stdio.h>

#include "plan/arithmetic.h"

uint64_t clnorm__free_group(const struct clnorm__device *device)
{
    return least(least(clnorm__tuned(device, CLNORM__GROUP_ITEMS), device->max_work_group),
                 clnorm__most_items(device, 0));
}

int clnorm__plan_refuse(const struct clnorm__device *device, char *why, size_t size, const char *step)
{
    int length = snprintf(why, size, "no variant of step %s fits this shape, device and choice of variants", step);
    if (device->loop_limit && length > 0 && (size_t)length < size)
        snprintf(why + length, size - (size_t)length,
                 "; this driver ends a work-item's loops after %u turns, so that a channel may have fewer values than "
                 "elsewhere",
                 device->loop_limit);
    return CLNORM_NO_VARIANT;
}
