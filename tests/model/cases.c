/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#include <math.h>
#include <string.h>

#define BOTH_LAYOUTS(n, c, s)                                                                                          \
    {n, c, s, CLNORM_CHANNELS_FIRST},                                                                                  \
    {                                                                                                                  \
        n, c, s, CLNORM_CHANNELS_LAST                                                                                  \
    }

/* Each size that hurts stands next to several others; the largest tensors stay below half a million values. */
static const struct case_shape full_shapes[] = {
    BOTH_LAYOUTS(1, 1, 1),     BOTH_LAYOUTS(2, 1, 1),      BOTH_LAYOUTS(1, 3, 1),     BOTH_LAYOUTS(17, 1, 1),
    BOTH_LAYOUTS(2, 19, 1),    BOTH_LAYOUTS(17, 33, 1),    BOTH_LAYOUTS(17, 257, 1),  BOTH_LAYOUTS(64, 19, 1),
    BOTH_LAYOUTS(65, 3, 1),    BOTH_LAYOUTS(1025, 33, 1),  BOTH_LAYOUTS(1, 1, 49),    BOTH_LAYOUTS(2, 3, 49),
    BOTH_LAYOUTS(17, 19, 49),  BOTH_LAYOUTS(33, 33, 49),   BOTH_LAYOUTS(17, 257, 49), BOTH_LAYOUTS(1, 257, 196),
    BOTH_LAYOUTS(2, 33, 196),  BOTH_LAYOUTS(17, 3, 196),   BOTH_LAYOUTS(2, 3, 513),   BOTH_LAYOUTS(1, 3, 1023),
    BOTH_LAYOUTS(2, 19, 1023), BOTH_LAYOUTS(17, 1, 1023),  BOTH_LAYOUTS(1, 33, 1024), BOTH_LAYOUTS(2, 3, 1024),
    BOTH_LAYOUTS(17, 1, 1024), BOTH_LAYOUTS(1, 257, 1025), BOTH_LAYOUTS(2, 19, 1025), BOTH_LAYOUTS(17, 3, 1025),
    BOTH_LAYOUTS(1, 1, 3136),  BOTH_LAYOUTS(2, 19, 3136),  BOTH_LAYOUTS(17, 3, 3136), BOTH_LAYOUTS(1, 33, 3136),
    BOTH_LAYOUTS(2, 1, 40000), BOTH_LAYOUTS(2, 512, 130),
};

static const struct case_shape quick_shapes[] = {
    BOTH_LAYOUTS(1, 1, 1),   BOTH_LAYOUTS(17, 33, 1),  BOTH_LAYOUTS(2, 19, 49),
    BOTH_LAYOUTS(17, 3, 49), BOTH_LAYOUTS(1, 3, 1023), BOTH_LAYOUTS(2, 1, 1025),
};

const struct case_shape *case_shapes(int quick, size_t *count)
{
    *count = quick ? sizeof(quick_shapes) / sizeof(quick_shapes[0]) : sizeof(full_shapes) / sizeof(full_shapes[0]);
    return quick ? quick_shapes : full_shapes;
}

clnorm_desc case_desc(const struct case_shape *shape)
{
    clnorm_desc desc = {
        .n = shape->n, .c = shape->c, .s = shape->s, .layout = shape->layout, .type = CLNORM_FLOAT32, .epsilon = 1e-5f};

    return desc;
}

const char *case_data_name(enum case_data kind)
{
    static const char *const names[CASE_DATA_COUNT] = {
        "normal",  "offset-1e3", "offset-1e4", "offset-1e6", "constant",  "huge",     "bimodal",
        "outlier", "mixed",      "floor",      "one-hot",    "steps",     "integers", "sorted",
        "relu",    "exponents",  "tiny",       "classes",    "subnormal", "special",
    };

    return (unsigned)kind < CASE_DATA_COUNT ? names[kind] : "unknown";
}

const char *case_layout_name(enum clnorm_layout layout)
{
    return layout == CLNORM_CHANNELS_LAST ? "channels-last" : "channels-first";
}

float case_epsilon(enum case_data kind)
{
    return kind == CASE_EXPONENTS || kind == CASE_TINY ? 0.0f : 1e-5f;
}

int case_data_is_finite(enum case_data kind)
{
    return kind != CASE_SPECIAL;
}

/* splitmix64's output function: any two inputs give unrelated outputs. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The sum of twelve 16-bit integers, centred: deviation 65536 to within 1e-9. */
static int32_t normal_integer(uint64_t seed, uint64_t index)
{
    int32_t sum = -6 * 65535;

    for (uint64_t draw = 0; draw < 3; draw++) {
        uint64_t r = mix(mix(seed) ^ (3 * index + draw));

        sum += (int32_t)(r & 0xffff) + (int32_t)(r >> 16 & 0xffff) + (int32_t)(r >> 32 & 0xffff) + (int32_t)(r >> 48);
    }
    return sum;
}

/*
 * A 20-bit integer times a 24-bit constant: exact as a double, so adding an offset to it gives the same bits with or
 * without a fused multiply-add. The constant is not a power of two: rounded data has no trailing zeros to make sums
 * exact.
 */
static double normal_double(uint64_t seed, uint64_t index)
{
    return (double)normal_integer(seed, index) * (16767217.0 / 16777216.0 / 65536.0);
}

float case_normal(uint64_t seed, uint64_t index)
{
    return (float)normal_double(seed, index);
}

/* A multiple of 1/4096 within [-limit, limit]. */
static double uniform(uint64_t seed, uint64_t index, int limit)
{
    uint64_t span = (uint64_t)limit * 8192 + 1;

    return (double)((int64_t)(mix(mix(seed) ^ index) % span) - (int64_t)limit * 4096) / 4096.0;
}

uint64_t case_index(const clnorm_desc *desc, uint64_t n, uint64_t c, uint64_t s)
{
    return desc->layout == CLNORM_CHANNELS_LAST ? (n * desc->s + s) * desc->c + c : (n * desc->c + c) * desc->s + s;
}

/* Where value number i of m of a channel of CASE_SPECIAL is not a number; channel 0 and every fourth stay clean. */
static double special_value(uint64_t c, uint64_t i, uint64_t m, double ordinary)
{
    if (c % 4 == 0 || i != (c * 7) % m)
        return ordinary;
    return c % 4 == 1 ? (double)NAN : c % 4 == 2 ? (double)INFINITY : -(double)INFINITY;
}

/* A number of 24 bits within [-20, 20]. */
static double level(uint64_t seed, uint64_t index)
{
    return (double)((int64_t)(mix(mix(seed) ^ index) >> 39) - ((int64_t)1 << 24)) * (20.0 / 16777216.0);
}

/* Kinds whose values repeat: sums of equal terms all round the same way. */
static double repeated_value(enum case_data kind, uint64_t seed, uint64_t c, uint64_t i, uint64_t m, uint64_t index)
{
    uint64_t r = mix(mix(seed) ^ index);

    switch (kind) {
    case CASE_FLOOR:
        return level(seed + 5, c) + (i == 0 ? 0.01 + fabs(level(seed + 6, c)) : 0);
    case CASE_ONE_HOT:
        return i == 0 || r % (c % 31 + 2) == 0 ? 1.0 : 0.0;
    case CASE_STEPS:
        return level(seed + 7, 4 * c + 4 * i / m);
    case CASE_INTEGERS:
        return (double)((int64_t)(r % 16) - 5) * (155611.0 * 0x1p-22) + 2.5 * (double)(c % 8);
    case CASE_SORTED:
        return (double)i * (16767217.0 * 0x1p-34) + level(seed + 8, c);
    default:
        return 0;
    }
}

/* Kinds of extreme magnitudes. */
static double extreme_value(enum case_data kind, uint64_t seed, uint64_t c, uint64_t i, uint64_t index)
{
    static const int classes[] = {0, 60, -60, 0, -60};
    uint64_t r = mix(mix(seed) ^ index);
    double z = normal_double(seed, index);

    switch (kind) {
    case CASE_EXPONENTS:
        return ldexp(1.0 + (double)(r % 8) * 0x1p-23, (int)(c * 37 % 223) - 96);
    case CASE_TINY:
        return ldexp(z + 0.25 * (double)(c % 8), -60 - (int)(c * 7 % 51));
    default:
        return ldexp(z + 0.25 * (double)(c % 8), classes[(i / 64 + c) % 5]);
    }
}

/* Value number i of the m of channel c; index is the value's number in the stream. */
static double case_value(enum case_data kind, uint64_t seed, uint64_t c, uint64_t i, uint64_t m, uint64_t index)
{
    double z = normal_double(seed, index), offset = 0.75 * (double)c;

    switch (kind) {
    case CASE_OFFSET_1E3:
        return z + (1e3 + offset);
    case CASE_OFFSET_1E4:
        return z + (1e4 + offset);
    case CASE_OFFSET_1E6:
        return z + (1e6 + offset);
    case CASE_CONSTANT:
        return 3.3 + offset;
    case CASE_HUGE:
        return (z + 0.25 * offset) * 0x1p98;
    case CASE_BIMODAL:
        return (2 * i < m ? -20.0 : 20.0) + (double)i * 0x1p-20 + offset;
    case CASE_OUTLIER:
        return i == 0 ? 1e6 : z + offset;
    case CASE_MIXED:
        return z * ldexp(1.0, (int)(c * 37 % 101) - 20);
    case CASE_FLOOR:
    case CASE_ONE_HOT:
    case CASE_STEPS:
    case CASE_INTEGERS:
    case CASE_SORTED:
        return repeated_value(kind, seed, c, i, m, index);
    case CASE_RELU:
        return fmax(z + 0.5 * (double)(c % 8) - 2, 0.0) * (c % 11 != 10);
    case CASE_EXPONENTS:
    case CASE_TINY:
    case CASE_CLASSES:
        return extreme_value(kind, seed, c, i, index);
    case CASE_SUBNORMAL:
        return (z + offset / 64) * 0x1p-133;
    case CASE_SPECIAL:
        return special_value(c, i, m, z + offset);
    default:
        return z + offset;
    }
}

void case_fill(enum case_data kind, const clnorm_desc *desc, uint64_t seed, float *src)
{
    uint64_t m = desc->n * desc->s;

    for (uint64_t n = 0; n < desc->n; n++)
        for (uint64_t c = 0; c < desc->c; c++)
            for (uint64_t s = 0; s < desc->s; s++)
                src[case_index(desc, n, c, s)] =
                    (float)case_value(kind, seed, c, n * desc->s + s, m, (n * desc->c + c) * desc->s + s);
}

void case_fill_diff(const clnorm_desc *desc, uint64_t seed, float *diff_dst)
{
    for (uint64_t n = 0; n < desc->n; n++)
        for (uint64_t c = 0; c < desc->c; c++)
            for (uint64_t s = 0; s < desc->s; s++)
                diff_dst[case_index(desc, n, c, s)] =
                    (float)(normal_double(~seed, (n * desc->c + c) * desc->s + s) + 0.25);
}

void case_fill_params(const clnorm_desc *desc, uint64_t seed, float *scale, float *shift)
{
    for (uint64_t c = 0; c < desc->c; c++) {
        scale[c] = c % 13 == 12 ? 0.0f : (float)uniform(seed + 1, c, 3);
        shift[c] = (float)uniform(seed + 2, c, 2);
    }
}

void case_fill_running(const clnorm_desc *desc, uint64_t seed, float *mean, float *variance)
{
    for (uint64_t c = 0; c < desc->c; c++) {
        mean[c] = (float)uniform(seed + 3, c, 5);
        variance[c] = (float)(uniform(seed + 4, c, 1) + 1.125);
    }
}

uint32_t case_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits;
}

uint64_t case_hash(uint64_t hash, const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = case_bits(values[i]);

        if ((bits & 0x7f800000) == 0)
            bits = 0;
        for (int byte = 0; byte < 4; byte++, bits >>= 8)
            hash = (hash ^ (bits & 0xff)) * UINT64_C(0x100000001b3);
    }
    return hash;
}
