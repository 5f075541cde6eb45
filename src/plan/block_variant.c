/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/block_variant.h"

#define ROW(name_, kind_, group_)                                                                                      \
    {                                                                                                                  \
        name_, "product/" name_ ".cl", name_, CLNORM__STEPS, kind_, CLNORM__BOTH, group_, 0, 0, 0                      \
    }

/* Kernels of the kind CPU-like and work-group 1 are compiled with vectors; but for gemm_item they serve every device. */
const struct clnorm__variant clnorm__block_kernels[CLNORM__BLOCK_KERNELS] = {
    [CLNORM__GEMM_ITEM] = ROW("gemm_item", CLNORM__CPU_LIKE, 1),
    [CLNORM__GEMM_GROUP] = ROW("gemm_group", CLNORM__GPU_LIKE, 256),
    [CLNORM__GEMM_NAIVE] = ROW("gemm_naive", CLNORM__ANY, 0),
    [CLNORM__MOVE_ROWS] = ROW("move_rows", CLNORM__CPU_LIKE, 1),
    [CLNORM__MASK] = ROW("mask", CLNORM__CPU_LIKE, 1),
    [CLNORM__IM2COL] = ROW("im2col", CLNORM__CPU_LIKE, 1),
    [CLNORM__COL2IM] = ROW("col2im", CLNORM__CPU_LIKE, 1),
    [CLNORM__SUM_TREE] = ROW("sum_tree", CLNORM__ANY, 0),
    [CLNORM__SUM_NODES] = ROW("sum_nodes", CLNORM__ANY, 0),
    [CLNORM__FOLD] = ROW("fold", CLNORM__ANY, 0),
};

enum clnorm__block_kernel clnorm__gemm_kernel(const struct clnorm__device *device)
{
    if (device->cpu_like)
        return CLNORM__GEMM_ITEM;
    uint64_t group = clnorm__block_kernels[CLNORM__GEMM_GROUP].work_group;
    return device->max_work_group >= group && clnorm__most_items(device, 0) >= group && device->local_bytes >= 16384
               ? CLNORM__GEMM_GROUP
               : CLNORM__GEMM_NAIVE;
}
