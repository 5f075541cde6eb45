/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of a device, read once, and its tuning. */
#ifndef CLNORM_DEVICE_H
#define CLNORM_DEVICE_H

#include "clnorm.h"
#include "tuning.h"

struct clnorm__device {
    clnorm_device_info info;
    int cpu_like;           /* few fast cores with caches: a work-item should take a lot of consecutive work */
    int hints;              /* its compiler takes clang's prefetches and streaming stores */
    unsigned compute_units; /* at least 1 */
    unsigned vector;        /* floats a vector of item variants holds: 4, 8 or 16 */
    int large_buffers;      /* its compiler must be told of buffers beyond 4 GB */
    unsigned loop_limit;    /* turns after which the driver ends a work-item's loops, see turns.h; 0: none */
    int small_code; /* its compiler makes hundreds of instructions of every fma: kernels have one way to do each thing */
    uint64_t max_work_group;
    uint64_t max_items[2]; /* of a work-group along its first two dimensions; 0: not known, so max_work_group holds */
    uint64_t local_bytes;
    uint64_t base_align;          /* bytes: what a part of a buffer may start at a multiple of; at least 4 */
    uint64_t cache_bytes;         /* of global memory's last cache */
    char identity[768];           /* tells this device and driver from every other: part of the disk cache's key */
    struct clnorm__tuning tuning; /* set before the first plan, and not after */
};

/* Whether part stands in text; case is ignored. */
int clnorm__text_has(const char *text, const char *part);

/* clnorm__device.large_buffers of a device of that platform and type, with so much global memory. */
int clnorm__large_buffers(const char *platform_name, cl_device_type type, uint64_t memory_bytes);

/* clnorm__device.loop_limit of a device of that name. */
unsigned clnorm__loop_limit(const char *device_name);

int clnorm__device_read(cl_device_id id, struct clnorm__device *device);

#endif
