/* SPDX-License-Identifier: Apache-2.0 */
/* Asks OpenCL about the caller's queue and buffers. */
#ifndef CLNORM_BUFFERS_H
#define CLNORM_BUFFERS_H

#include "plan/check.h"
#include "device/context.h"

/* Fills in the facts of every use that has a buffer. */
int clnorm__buffer_facts(const clnorm_context *context, struct clnorm__uses *uses, char why[CLNORM__WHY]);

/* The queue is one of the context's cl_context and device. *ordered: whether it runs commands in order. */
int clnorm__queue_facts(const clnorm_context *context, cl_command_queue queue, int *ordered, char why[CLNORM__WHY]);

#endif
