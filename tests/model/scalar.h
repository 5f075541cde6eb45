/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels' arithmetic of pairs, of merges and of the finish as C: it stands once, for kernels, the model and tests of it. */
#ifndef CLNORM_SCALAR_H
#define CLNORM_SCALAR_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define fma fmaf
#define FUNC static __attribute__((unused))
#define T float
#define FN(name) name##_f
#define ANY(x) (x)
#include "common/types.cl"
#include "common/pair.cl"

static inline uint32_t clnorm_bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float clnorm_float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#include "statistics/finish.cl"
#undef fma

#endif
