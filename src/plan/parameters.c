/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/parameters.h"

const struct clnorm__parameter_row clnorm__parameters[CLNORM__PARAMETER_COUNT] = {
#define PARAMETER_ROW(NAME, name, least, most, cpu, wide, other, meaning)                                              \
    {#name, meaning, least, most, {cpu, wide, other}},
    CLNORM__PARAMETERS(PARAMETER_ROW)
#undef PARAMETER_ROW
};
