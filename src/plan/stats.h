/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics in two launches: stage one in blocks of leaves, and stage two. Pure: no OpenCL call. */
#ifndef CLNORM_STATS_H
#define CLNORM_STATS_H

#include "plan/launch.h"

/* Neighbouring channels that a work-item of stage one takes, channels-first. */
clnorm_u32 clnorm__channels_side(const clnorm_desc *desc, const struct clnorm__device *device);

/*
 * Fills in stats, the blocks and their trees, and but for the sizes of their launches roots and finish, or of a part nodes; adds the partials
 * to the workspace. Returns CLNORM_SUCCESS, or CLNORM_NO_VARIANT with the reason in why.
 */
int clnorm__plan_stats(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                       const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

/* The same of finish alone, from the root of each channel. */
int clnorm__plan_finish(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                        const struct clnorm__filter *filter, struct clnorm__plan *plan, char *why, size_t why_size);

/* Makes the workspace of a plan of one launch as large as that of several. */
void clnorm__reserve_partials(const clnorm_desc *desc, const struct clnorm__ask *ask,
                              const struct clnorm__device *device, const struct clnorm__filter *filter,
                              struct clnorm__plan *plan);

#endif
