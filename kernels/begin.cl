/* SPDX-License-Identifier: Apache-2.0 */
/* What every kernel file starts with. */
#pragma OPENCL FP_CONTRACT OFF
#define CLNORM_KERNEL
#define FUNC
#include "types.cl"

#define T float
#define FN(name) name##_f
#include "pair.cl"
#undef T
#undef FN

#ifdef VEC
#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
typedef PASTE(float, VEC) vec;
typedef PASTE(int, VEC) ivec;
#define vec_load PASTE(vload, VEC)
#define vec_store PASTE(vstore, VEC)
#define T vec
#define FN(name) name##_v
#include "pair.cl"
#undef T
#undef FN
#endif

/* b where the condition holds, else a; for floats and, as OpenCL's select, for vectors. */
#define SELECT(a, b, condition) select(a, b, condition)
