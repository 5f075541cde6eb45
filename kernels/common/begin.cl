/* SPDX-License-Identifier: Apache-2.0 */
/* What every kernel file starts with. */
#pragma OPENCL FP_CONTRACT OFF
#define CLNORM_KERNEL
#define FUNC
#include "common/types.cl"

#define T float
#define FN(name) name##_f
#define ANY(x) (x)
#include "common/pair.cl"
#undef T
#undef FN
#undef ANY

#ifdef VEC
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
typedef PASTE(float, VEC) vec;
typedef PASTE(int, VEC) ivec;
/*
 * A vector at any float's address of an address space. Where the compiler has types of lesser alignment, as clang has, they make
 * one unaligned access of it: PoCL's vload16 and vstore16 are four of each.
 */
#if defined(__clang__)
typedef vec loose_vec __attribute__((aligned(4), may_alias));
#define VEC_LOAD(space, p) ((vec)(*(const space loose_vec *)(p)))
#define VEC_STORE(space, value, p) (*(space loose_vec *)(p) = (value))
#else
#define VEC_LOAD(space, p) PASTE(vload, VEC)(0, p)
#define VEC_STORE(space, value, p) PASTE(vstore, VEC)(value, 0, p)
#endif
/* The numbers of a vector's elements. */
#if VEC == 16
#define LANE_NUMBERS ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#elif VEC == 8
#define LANE_NUMBERS ((int8)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_NUMBERS ((int4)(0, 1, 2, 3))
#endif
#define T vec
#define FN(name) name##_v
#define ANY(x) any(x)
#include "common/pair.cl"
#undef T
#undef FN
#undef ANY
#endif

/* The number of the group of samples that a work-item belongs to. */
#define SAMPLE_GROUP get_global_id(1)
#define SAMPLE_GROUPS get_global_size(1)

/* b where the condition holds, else a; for floats and, as OpenCL's select, for vectors. */
#define SELECT(a, b, condition) select(a, b, condition)

#include "common/elements.cl"
#include "common/view.cl"
