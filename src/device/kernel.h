/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of a context's programs. Making one is dear on some drivers (Mesa's rusticl compiles then, 30 ms and more), so that those that
 * are not in use are kept. A kernel's arguments are of one call at a time: it is taken, set, enqueued and given back.
 */
#ifndef CLNORM_KERNEL_H
#define CLNORM_KERNEL_H

#include "device/context.h"

/* A kernel of a variant in one form, whose program is built when it is asked for first. All arguments are to be set. */
int clnorm__kernel_take(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                        struct clnorm__kernel *kernel);

/* Gives it back, zeroed, and none of its buffers is kept. What was not taken may be given as well. */
void clnorm__kernel_give(clnorm_context *context, struct clnorm__kernel *kernel);

/* Releases a list of programs with their kernels. */
void clnorm__built_free(struct clnorm__built *list);

#endif
