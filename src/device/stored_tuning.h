/* SPDX-License-Identifier: Apache-2.0 */
/* The tuning of a device on disk. */
#ifndef CLNORM_STORED_TUNING_H
#define CLNORM_STORED_TUNING_H

#include "plan/facts.h"

/* The stored text of a device, or NULL; the caller frees it. folder as in cache.h, not NULL. */
char *clnorm__tuning_load(const char *folder, const struct clnorm__device *device);

/* Stores a text whole or not at all; an empty one takes away what is stored. Returns 0, or -1 when it could not. */
int clnorm__tuning_store(const char *folder, const struct clnorm__device *device, const char *text);

/* Name of the file; the caller frees it. NULL: out of memory. */
char *clnorm__tuning_path(const char *folder, const struct clnorm__device *device);

#endif
