/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are one launch: whether that is the better way, and how it is cut. Pure: no OpenCL call. */
#ifndef CLNORM_FUSED_H
#define CLNORM_FUSED_H

#include "plan/launch.h"

/* Training, which reads one tensor, and backward training, which reads two. Returns 1, or 0 where several launches are to do it. */
int clnorm__plan_fused(const clnorm_desc *desc, int tensors, unsigned extras, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan);

/* The same of inference; the plan has the rows of the last step. */
int clnorm__plan_infer(const clnorm_desc *desc, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan);

#endif
