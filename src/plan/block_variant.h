/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the kernels of blocks, beside that of variant.h. Pure: no OpenCL call. */
#ifndef CLNORM_BLOCK_VARIANT_H
#define CLNORM_BLOCK_VARIANT_H

#include "plan/variant.h"

enum clnorm__block_kernel {
    CLNORM__GEMM_ITEM,
    CLNORM__GEMM_GROUP,
    CLNORM__GEMM_NAIVE,
    CLNORM__MOVE_ROWS,
    CLNORM__MASK,
    CLNORM__FOLD,
    CLNORM__IM2COL,
    CLNORM__COL2IM,
    CLNORM__SUM_TREE,
    CLNORM__SUM_NODES,
    CLNORM__BLOCK_KERNELS
};

/* Of a row, step and layouts have no meaning. */
extern const struct clnorm__variant clnorm__block_kernels[CLNORM__BLOCK_KERNELS];

/* The kernel of products in the fixed order that suits a device. */
enum clnorm__block_kernel clnorm__gemm_kernel(const struct clnorm__device *device);

#endif
