/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: the leaves, the weights of their tree, blocks, launches and workspace, against what a walk over the leaves says. */
#ifndef CLNORM_TESTS_PLAN_RIGHT_H
#define CLNORM_TESTS_PLAN_RIGHT_H

#include "plan/plan.h"

/* Whether fewer of the tunings and shapes are to do, as under sanitizers. */
int is_small(void);

uint64_t draw(uint64_t *state);

/* Fails the test where a plan is not what it must be. */
void check_plan(const clnorm_desc *desc, const struct clnorm__ask *ask, const struct clnorm__device *device,
                const struct clnorm__plan *plan);

/* ---- plan_leaves.c ---- */

int is_last(const clnorm_desc *desc);
uint64_t leaves_of(const clnorm_desc *desc);

void check_geometry(const clnorm_desc *desc, const struct clnorm_shape *shape);

/* Every merge of levels [from, to); of large levels both ends and many others. */
void check_tree(const clnorm_desc *desc, const struct clnorm_tree *tree, unsigned from, unsigned to);

#endif
