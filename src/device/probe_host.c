/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled without contraction, as tests/model is; volatile keeps each operation, and each rounding, where it stands. */
#include "device/probe_host.h"

#include <math.h>

#define FUNC static
#define T float
#define FN(name) name##_f
#define ANY(x) (x)
#define fma fmaf
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function" /* of a template */
#endif
#include "common/pair.cl"
#include "common/probe_tree.cl"

void clnorm__probe_operations(const float *in, float *out)
{
    const volatile float a = in[0], b = in[1], c = in[2];
    const volatile float product = a * b;
    out[0] = a + b;
    out[1] = a - b;
    out[2] = product;
    out[3] = fmaf(a, b, c);
    out[4] = product + c;
    out[5] = product;
    out[6] = product + c;
}

void clnorm__probe_tree(const float *in, float *out)
{
    probe_tree_f(in, out);
}
