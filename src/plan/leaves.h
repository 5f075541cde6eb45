/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves of a channel, and the weights of their tree. Pure: no OpenCL call. */
#ifndef CLNORM_LEAVES_H
#define CLNORM_LEAVES_H

#include "clnorm.h"
#include "common/types.cl"

/* Whether the description is computed as channels-last, which s = 1 always is. */
int clnorm__is_last(const clnorm_desc *desc);

/* How many there are; rows and period: as in struct clnorm_shape, which does not hold as many as there may be here. */
uint64_t clnorm__count_leaves(const clnorm_desc *desc, uint64_t *rows, uint64_t *period);

/* All of a shape but its blocks and side. */
void clnorm__shape_leaves(const clnorm_desc *desc, uint64_t rows, uint64_t leaves, uint64_t period,
                          struct clnorm_shape *shape);

/* Values of a channel in leaves [0, i). */
uint64_t clnorm__values_before(const struct clnorm_shape *shape, uint64_t i);

/* The weights of merging nodes of n_a and n_b values. */
void clnorm__merge_weights(uint64_t n_a, uint64_t n_b, float *f, float *w);

/* The weights of level base and those above it. */
void clnorm__fill_tree(const struct clnorm_shape *shape, unsigned base, struct clnorm_tree *tree);

/* Those of a tree whose leaves are so many channels. */
void clnorm__fill_channel_tree(const clnorm_desc *desc, uint64_t channels, struct clnorm_tree *tree);

#endif
