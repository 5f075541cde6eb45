/* SPDX-License-Identifier: Apache-2.0 */
/* activate.cl for floats and, where VEC is set, for vectors. After begin.cl. */
#define T float
#define FN(name) name##_f
#include "common/activate.cl"
#undef T
#undef FN
#ifdef VEC
#define T vec
#define FN(name) name##_v
#include "common/activate.cl"
#undef T
#undef FN
#endif
