/* SPDX-License-Identifier: Apache-2.0 */
/* How the tensors of a call lie in their buffers: their strides. Pure: no OpenCL call. */
#ifndef CLNORM_VIEW_H
#define CLNORM_VIEW_H

#include "plan/check.h"
#include "plan/variant.h"

/* The strides of a dense tensor. */
struct clnorm_view clnorm__view_dense(const clnorm_desc *desc);

/*
 * The view of a tensor that a call reads or writes, from its strides as the caller gives them; those of sizes that are 1 become what they would
 * be if dense, so that equal views are equal. Returns CLNORM_SUCCESS, or CLNORM_INVALID_STRIDES or CLNORM_SIZE_OVERFLOW with the reason.
 */
int clnorm__view_read(const char *name, const clnorm_desc *desc, const clnorm_strides *strides, int is_written,
                      struct clnorm_view *view, char why[CLNORM__WHY]);

enum clnorm__view clnorm__view_kind(const clnorm_desc *desc, const struct clnorm_view *view);

/* Tells a use how far its view reaches, and what is between its elements. */
void clnorm__view_use(const clnorm_desc *desc, const struct clnorm_view *view, struct clnorm__use *use);

#endif
