/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/rounded.h"

#include <string.h>

#include "common/types.cl"

static float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t as_uint(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#define FUNC static
#define T float
#define U uint32_t
#define AS_T(x) as_float(x)
#define AS_U(x) as_uint(x)
#define SELECT(a, b, condition) ((condition) ? (b) : (a))

#define TYPE CLNORM_TYPE_FLOAT16
#define FN(name) name##_float16
#include "common/element.cl"
#undef TYPE
#undef FN
#define TYPE CLNORM_TYPE_BFLOAT16
#define FN(name) name##_bfloat16
#include "common/element.cl"

float clnorm__rounded(enum clnorm_type type, float value)
{
    switch (type) {
    case CLNORM_FLOAT16:
        return widen_float16(narrow_float16(value));
    case CLNORM_BFLOAT16:
        return widen_bfloat16(narrow_bfloat16(value));
    default:
        return value;
    }
}
