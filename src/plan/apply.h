/* SPDX-License-Identifier: Apache-2.0 */
/* The last step: how its rows are cut. Pure: no OpenCL call. */
#ifndef CLNORM_APPLY_H
#define CLNORM_APPLY_H

#include "plan/launch.h"

/* Turns of an elementwise kernel for a row, beside at most one for each of its elements. */
#define CLNORM__ROW_TURNS 8u

/* The rows of the last step. */
void clnorm__cut_rows(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                      struct clnorm__plan *plan);

/* How work-items share them, and the size of the launch; apply's variant and the rows are there. */
void clnorm__launch_apply(const clnorm_desc *desc, unsigned extras, const struct clnorm__device *device,
                          struct clnorm__plan *plan);

#endif
