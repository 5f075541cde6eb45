/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as tensors of a type hold them. Pure: no OpenCL call. */
#ifndef CLNORM_ROUNDED_H
#define CLNORM_ROUNDED_H

#include "clnorm.h"

/* Rounded to the type, to nearest even, and back. */
float clnorm__rounded(enum clnorm_type type, float value);

#endif
