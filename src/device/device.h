/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the facts of a device from OpenCL. */
#ifndef CLNORM_DEVICE_H
#define CLNORM_DEVICE_H

#include "clnorm.h"
#include "plan/facts.h"

/* Whether part stands in text; case is ignored. */
int clnorm__text_has(const char *text, const char *part);

/* clnorm__device.large_buffers of a device of that platform and type, with so much global memory. */
int clnorm__large_buffers(const char *platform_name, cl_device_type type, uint64_t memory_bytes);

/* How often a program was compiled when its binary is worth being asked for, which is dear on some platforms; 1 to 255. */
unsigned clnorm__compiles_to_store(const char *platform_name);

/* clnorm__device.loop_limit of a device of that name. */
unsigned clnorm__loop_limit(const char *device_name);

int clnorm__device_read(cl_device_id id, struct clnorm__device *device);

#endif
