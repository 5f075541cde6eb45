/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the text form of a tuning, which clnorm.h describes. Pure: no OpenCL call. */
#ifndef CLNORM_TUNING_H
#define CLNORM_TUNING_H

#include "plan/variant.h"

/* Gets a sentence for each entry that is not taken. */
typedef void (*clnorm__tuning_complaint)(void *user, const char *why);

/*
 * Reads a text form into tuning and the filter's preferences, on top of what is there. Entries that are unknown or out of range are
 * left out; returns how many. complaint may be NULL.
 */
unsigned clnorm__tuning_read(const char *text, struct clnorm__tuning *tuning, struct clnorm__filter *filter,
                             clnorm__tuning_complaint complaint, void *user);

#endif
