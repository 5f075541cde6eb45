/* SPDX-License-Identifier: Apache-2.0 */
/* The facts of a device by which plans decide, and its tuning: plain data, which device.h fills in. Pure: no OpenCL call. */
#ifndef CLNORM_FACTS_H
#define CLNORM_FACTS_H

#include "clnorm.h"
#include "plan/parameters.h"

struct clnorm__device {
    clnorm_device_info info;
    int cpu_like;            /* few fast cores with caches: a work-item should take a lot of consecutive work */
    int hints;               /* its compiler takes clang's prefetches and streaming stores */
    unsigned compute_units;  /* at least 1 */
    unsigned vector;         /* floats a vector of item variants holds: 4, 8 or 16 */
    int large_buffers;       /* its compiler must be told of buffers beyond 4 GB */
    unsigned loop_limit;     /* turns after which the driver ends a work-item's loops, see turns.h; 0: none */
    uint64_t group_elements; /* of what blocks gather or add up at a time, in the workspace; 0: the usual */
    int small_code; /* its compiler makes hundreds of instructions of every fma: kernels have one way to do each thing */
    uint64_t max_work_group;
    uint64_t max_items[2]; /* of a work-group along its first two dimensions; 0: not known, so max_work_group holds */
    uint64_t local_bytes;
    uint64_t base_align;          /* bytes: what a part of a buffer may start at a multiple of; at least 4 */
    uint64_t cache_bytes;         /* of global memory's last cache */
    char identity[768];           /* tells this device and driver from every other: part of the disk cache's key */
    struct clnorm__tuning tuning; /* set before the first plan, and not after */
};

/* What a parameter is on this device without a tuning; and what its plans work with. */
uint64_t clnorm__standard(const struct clnorm__device *device, enum clnorm__parameter parameter);
uint64_t clnorm__tuned(const struct clnorm__device *device, enum clnorm__parameter parameter);

#endif
