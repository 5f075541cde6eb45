/* SPDX-License-Identifier: Apache-2.0 */
/* From a description and the facts of a device to what is launched. Pure: no OpenCL call. */
#ifndef CLNORM_PLAN_H
#define CLNORM_PLAN_H

#include "plan/launch.h"

/*
 * desc has passed clnorm__check_desc and n > 0. Returns CLNORM_SUCCESS, or CLNORM_NO_VARIANT or CLNORM_SIZE_OVERFLOW with
 * the reason in why.
 */
/* The plan of what comes after those of all groups of samples. */
int clnorm__plan_join(uint64_t channels, int backward, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

/* That of the merges of a batch in parts, whose schedule the caller fills in. *plan is that of what follows, or zeroed. */
int clnorm__plan_merge(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

int clnorm__plan_make(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                      const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

#endif
