/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/facts.h"

uint64_t clnorm__standard(const struct clnorm__device *device, enum clnorm__parameter parameter)
{
    enum clnorm__class class = !device->cpu_like      ? CLNORM__CLASS_OTHER
                               : device->vector >= 16 ? CLNORM__CLASS_WIDE_CPU
                                                      : CLNORM__CLASS_CPU;
    return clnorm__parameters[parameter].defaults[class];
}

uint64_t clnorm__tuned(const struct clnorm__device *device, enum clnorm__parameter parameter)
{
    return device->tuning.is_set[parameter] ? device->tuning.value[parameter] : clnorm__standard(device, parameter);
}
