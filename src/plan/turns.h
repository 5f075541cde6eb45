/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Some drivers end a work-item's loops after so many iterations (here: turns), without a word: what is computed then is wrong. The
 * bounds by which plans stay below that. Pure: no OpenCL call.
 */
#ifndef CLNORM_TURNS_H
#define CLNORM_TURNS_H

#include "plan/facts.h"
#include "common/types.cl"

/* Most turns of a work-item for a channels-first leaf: rows of two values gathered one by one, then all the rules. */
#define CLNORM__LEAF_TURNS 5200u

/* Of sum_tree, for each of the sums that it adds up, and of sum_nodes. */
#define CLNORM__SUM_TURNS 16u

/* Turns that a work-item may take in all its loops together; UINT64_MAX where the driver sets no limit. */
uint64_t clnorm__turns_most(const struct clnorm__device *device);

/* So many pieces of work, each of so many turns, may a work-item take; 0 where one is too much. */
uint64_t clnorm__turns_pieces(const struct clnorm__device *device, uint64_t turns);

/* Turns of a fused variant's work-item with `channels` channels, at most. */
uint64_t clnorm__turns_fused(const struct clnorm_shape *shape, int last, unsigned vector, uint64_t channels);

/* Turns that col2im takes for one element of an image, at most. */
uint64_t clnorm__turns_of_image(uint64_t kernel_h, uint64_t kernel_w);

/* Terms that one launch of a product may add up; 0 where there is no limit. */
uint64_t clnorm__turns_terms(const struct clnorm__device *device);

/* CLNORM_NO_VARIANT, and in why a sentence about what is asked for, where a work-item cannot take so many turns. */
int clnorm__turns_check(const struct clnorm__device *device, uint64_t turns, char *why, size_t size, const char *what);

#endif
