/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/facts.h"

uint64_t clnorm__standard(const struct clnorm__device *device, enum clnorm__parameter parameter)
{
    return device->cpu_like ? clnorm__parameters[parameter].cpu_default : clnorm__parameters[parameter].other_default;
}

uint64_t clnorm__tuned(const struct clnorm__device *device, enum clnorm__parameter parameter)
{
    return device->tuning.is_set[parameter] ? device->tuning.value[parameter] : clnorm__standard(device, parameter);
}
