/* SPDX-License-Identifier: Apache-2.0 */
#include "half.h"

#include <math.h>

/* Digits behind the leading one, and the exponents of the least and of the largest normal number. */
static const struct format {
    int digits, least, most;
} binary16 = {10, -14, 15}, bfloat16 = {7, -126, 127};

static const struct format *format_of(enum clnorm_type type)
{
    return type == CLNORM_FLOAT16 ? &binary16 : &bfloat16;
}

/* The pattern of infinity: that of the number behind the largest one. */
static uint16_t infinite(const struct format *f)
{
    return (uint16_t)((f->most - f->least + 2) << f->digits);
}

/* A pattern without its sign is (exponent << digits) + fraction, and in the lowest two exponents numbers lie equally far apart. */
float half_widen(enum clnorm_type type, uint16_t bits)
{
    const struct format *f = format_of(type);
    const int size = bits & 0x7fff, exponent = size >> f->digits, whole = 1 << f->digits;
    const int fraction = size & (whole - 1);
    double value = ldexp(fraction + (exponent ? whole : 0), (exponent ? exponent - 1 : 0) + f->least - f->digits);

    if (size >= infinite(f))
        value = size > infinite(f) ? (double)NAN : (double)INFINITY;
    return (float)(bits & 0x8000 ? -value : value);
}

/* The exponent of the unit in the last place. */
static int unit_exponent(const struct format *f, double value)
{
    int exponent = f->least;

    if (value != 0 && isfinite(value))
        exponent = ilogb(value) > f->least ? ilogb(value) : f->least;
    return exponent - f->digits;
}

uint16_t half_narrow(enum clnorm_type type, float value)
{
    const struct format *f = format_of(type);
    const int sign = signbit(value) ? 0x8000 : 0, unit = unit_exponent(f, (double)value);

    if (isnan(value))
        return (uint16_t)(infinite(f) | 1 << (f->digits - 1));
    if (isinf(value))
        return (uint16_t)(sign | infinite(f));
    /* Whole units, of which there may be one too many for this exponent: that is the first number of the next one. */
    const double units = nearbyint(ldexp(fabs((double)value), -unit));
    const int size = ((unit + f->digits - f->least) << f->digits) + (int)units;

    return (uint16_t)(sign | (size < infinite(f) ? size : infinite(f)));
}

float half_round(enum clnorm_type type, float value)
{
    return type == CLNORM_FLOAT32 ? value : half_widen(type, half_narrow(type, value));
}

double half_unit(enum clnorm_type type, double value)
{
    return type == CLNORM_FLOAT32 ? 0 : ldexp(0.5, unit_exponent(format_of(type), value));
}
