/* SPDX-License-Identifier: Apache-2.0 */
/* Shares of a device's cache, by which plans decide. Pure: no OpenCL call. */
#ifndef CLNORM_CACHE_SHARE_H
#define CLNORM_CACHE_SHARE_H

#include "plan/facts.h"

/* So many percent of what each compute unit has of the cache. */
uint64_t clnorm__unit_share(const struct clnorm__device *device, enum clnorm__parameter percent);

/*
 * Whether results should leave the caches alone: a call's tensors, those it reads and the one it writes, fill more than that
 * share of the cache.
 */
int clnorm__streams(const clnorm_desc *desc, int backward, const struct clnorm__device *device,
                    enum clnorm__parameter percent);

#endif
