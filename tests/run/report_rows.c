/* SPDX-License-Identifier: Apache-2.0 */
#include "report_rows.h"

#include <float.h>
#include <math.h>

#define FIRST CLNORM_CHANNELS_FIRST
#define LAST CLNORM_CHANNELS_LAST

/* Statistics as given with many digits; and what rounding and rsqrt may leave of them. */
#define FULL 2.5e-7

/* ---- data ---- */

static float uniform(uint64_t i, uint64_t c)
{
    return (float)((i * 2654435761u + c * 40503u + 12345u) % 1000003u) / 1000003.0f;
}

#define LIST(name, count, ...)                                                                                         \
    static float name(uint64_t i, uint64_t c, uint64_t m)                                                              \
    {                                                                                                                  \
        static const float values[] = {__VA_ARGS__};                                                                   \
        (void)c, (void)m;                                                                                              \
        return values[i % (count)];                                                                                    \
    }
LIST(small_values, 4, 1e-5f, 2e-5f, 3e-5f, 4e-5f)
LIST(large_values, 8, 1e30f, -1e30f, 2e30f, 0.0f, 1e30f, 3e30f, -2e30f, 5e29f)
LIST(tiny_22, 4, 1e-22f, 2e-22f, 3e-22f, 4e-22f)
LIST(tiny_24, 4, 1e-24f, 2e-24f, 3e-24f, 4e-24f)
LIST(tiny_30, 4, 1e-30f, 2e-30f, 3e-30f, 4e-30f)
LIST(tiny_37, 4, 1e-37f, 2e-37f, 3e-37f, 4e-37f)
LIST(least_spread, 2, -0x1p-126f, 0x1p-126f)
LIST(most_spread, 2, -0x1p126f, 0x1p126f)
LIST(tiny_6, 4, 1e-6f, 2e-6f, 3e-6f, 4e-6f)
LIST(ones, 1, 1.0f)
LIST(beyond_half, 1, 2e38f)
LIST(hundred, 1, 100.0f)
LIST(tenth, 1, 0.1f)
LIST(with_nan, 5, 1.0f, 2.0f, NAN, 3.0f, 4.0f)

/* Rows {1, 2, 0}, {3, 4, 1}, {3, 3, 3}. */
static float three_rows(uint64_t i, uint64_t c, uint64_t m)
{
    static const float rows[3][3] = {{1, 2, 0}, {3, 4, 1}, {3, 3, 3}};
    (void)m;
    return rows[i % 3][c % 3];
}

static float number_of_channel(uint64_t i, uint64_t c, uint64_t m)
{
    (void)i, (void)m;
    return (float)c;
}

/* Four samples each of 1, 2, 3 and 4; 9 positions a sample. */
static float one_to_four(uint64_t i, uint64_t c, uint64_t m)
{
    (void)c;
    return 1.0f + (float)(4 * i / m);
}

static float infinite_at_63(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return c == 1 && i == 63 ? INFINITY : 1.0f;
}

static float large_constants(uint64_t i, uint64_t c, uint64_t m)
{
    static const float values[] = {-9.7e9f, 3.3333333e9f, 1e10f, -1.2345678e9f, 7.7e7f};
    (void)i, (void)m;
    return values[c % 5];
}

/* Every third channel does not vary. */
static float some_constant(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return c % 3 ? uniform(i, c) : (float)c * 0.37f;
}

static float offset_1e4(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return 1e4f + uniform(i, c);
}

static float offset_1e6(uint64_t i, uint64_t c, uint64_t m)
{
    (void)c, (void)m;
    return 1e6f + (float)(i % 7) / 16;
}

static float offset_1e7(uint64_t i, uint64_t c, uint64_t m)
{
    (void)c, (void)m;
    return 1e7f + (float)(i % 7);
}

static float offset_5(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return (c % 2 ? 5.0f : -5.0f) + 0.1f * case_normal(c, i);
}

static float thousandths(uint64_t i, uint64_t c, uint64_t m)
{
    (void)c, (void)m;
    return (float)(i % 1000) / 1000;
}

static float million_and_bit(uint64_t i, uint64_t c, uint64_t m)
{
    (void)c, (void)m;
    return 1e6f + (float)(i % 2);
}

static float random_value(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return uniform(i, c) * 4 - 2 + (float)(c % 5);
}

/* Unix time in milliseconds, once a second of an hour, in a random order. */
static float unix_time(uint64_t i, uint64_t c, uint64_t m)
{
    return 1.7e12f + (float)((i * 997 + c * 31) % m) * (3.6e6f / (float)m);
}

/* One value, but for the first, which stands 0.01 to 30 above. */
static float floor_of(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return -20.0f + 40.0f * uniform(0, c) + (i == 0 ? 0.01f + 29.99f * uniform(1, c) : 0.0f);
}

static float two_sorted(uint64_t i, uint64_t c, uint64_t m)
{
    return 20.0f * uniform(2 * i < m, c) - 10.0f;
}

static float bimodal(uint64_t i, uint64_t c, uint64_t m)
{
    return (2 * i < m ? -20.0f : 20.0f) + (float)i * 0x1p-20f + 0.75f * (float)c;
}

/* One value, the first a unit or two in the last place above: a deviation far below what the mean's last place is worth. */
static float unit_above(uint64_t i, uint64_t c, uint64_t m)
{
    static const float floors[] = {9999999.0f, 12345678.0f, 3e9f, 1.7e12f, 1e7f, 16777215.0f};
    float floor = floors[c % 6];
    (void)m;
    return i ? floor : nextafterf(floor, INFINITY);
}

/* The same about the borders between ordinary leaves, big and tiny ones, where the smallest squares are. */
static float unit_at_border(uint64_t i, uint64_t c, uint64_t m)
{
    static const int exponents[] = {44, 45, 43, 48, -37, -36, -38, -34};
    float floor = ldexpf(1.0f + 0.37f * (float)(c / 8 % 3), exponents[c % 8]);
    (void)m;
    return i ? floor : nextafterf(floor, INFINITY);
}

/* 2^e (1 + k 2^-23), k = 0 to 7: three channels an exponent, from -126, from -103 and three exponents apart. */
static float exponent_value(uint64_t i, uint64_t c, int e)
{
    return ldexpf(1.0f + (float)((uint32_t)(uniform(i, c) * 8) % 8) * 0x1p-23f, e);
}

static float exponents_all(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return exponent_value(i, c, (int)(c / 3) - 126);
}

static float exponents_from_103(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return exponent_value(i, c, (int)(c / 3) - 103);
}

#define EXPONENT_ROW(name, e)                                                                                          \
    static float name(uint64_t i, uint64_t c, uint64_t m)                                                              \
    {                                                                                                                  \
        (void)m;                                                                                                       \
        return exponent_value(i, c, e);                                                                                \
    }
EXPONENT_ROW(exponent_40, 40)
EXPONENT_ROW(exponent_41, 41)
EXPONENT_ROW(exponent_44, 44)
EXPONENT_ROW(exponent_46, 46)
EXPONENT_ROW(exponent_m36, -36)
EXPONENT_ROW(exponent_m38, -38)
EXPONENT_ROW(exponent_m90, -90)

/*
 * Leaves of every class and every other, in turn: channel c has two of six, patches of 64 positions, and of 1024. Zeros, ordinary,
 * big, tiny, one value that is big, one that is tiny.
 */
static float classes(uint64_t i, uint64_t c, uint64_t patch)
{
    static const float sizes[] = {0.0f, 1.0f, 0x1p60f, 0x1p-70f, 0x1p44f, 0x1p-38f};
    uint64_t class = i / patch % 2 ? c / 6 % 6 : c % 6;
    return sizes[class] * (class > 3 ? 1.5f : case_normal(c, i));
}

static float classes_64(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return classes(i, c, 64);
}

static float classes_1024(uint64_t i, uint64_t c, uint64_t m)
{
    (void)m;
    return classes(i, c, 1024);
}

/* ---- rows ---- */

#define Y_OF_FOUR -1.3416407864998738, -0.4472135954999579, 0.4472135954999579, 1.3416407864998738

#define SAYS(slot, count, tolerance, ...)                                                                              \
    {                                                                                                                  \
        slot, count, tolerance,                                                                                        \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define NOTHING SAYS(SRC, EVERY, -1, 0)

/* name; n, c, s, layout, epsilon; operations and flags; the data; what is stated */
#define ROW(thread, n, c, s, layout, epsilon, operations, flags, value, ...)                                           \
    RUNNING(thread, n, c, s, layout, epsilon, operations, flags, value, 0.1f, 0, 1, __VA_ARGS__)
/* and before that the momentum, the old mean and the old variance */
#define RUNNING(thread, n, c, s, layout, epsilon, operations, flags, value, momentum, mean, variance, ...)             \
    {                                                                                                                  \
        thread, n, c, s, layout, epsilon, operations, flags, value, momentum, mean, variance,                          \
        {                                                                                                              \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

const struct report reports[] = {
    /* -- running statistics -- */
    RUNNING("pytorch/pytorch#19916", 3, 3, 1, FIRST, 1e-5f, DO_ALL, 0, three_rows, 1, 7, 9,
            SAYS(RUNNING_MEAN, 3, FULL, 7.0 / 3, 3, 4.0 / 3), SAYS(RUNNING_VARIANCE, 3, FULL, 4.0 / 3, 1, 7.0 / 3)),
    RUNNING("apache/mxnet#21111", 3, 3, 1, LAST, 1e-5f, DO_ALL, IS_BIASED, three_rows, 1, NAN, NAN,
            SAYS(RUNNING_MEAN, 3, FULL, 7.0 / 3, 3, 4.0 / 3),
            SAYS(RUNNING_VARIANCE, 3, FULL, 8.0 / 9, 2.0 / 3, 14.0 / 9)),
    RUNNING("soumith/cudnn.torch#91", 4, 1, 1, FIRST, 1e-5f, DO_ALL, IS_BIASED, small_values, 1, 1e8f, 1,
            SAYS(RUNNING_MEAN, 1, FULL, 2.5e-5), SAYS(RUNNING_VARIANCE, 1, FULL, 1.25e-10)),
    RUNNING("soumith/cudnn.torch#91, unbiased", 4, 33, 1, FIRST, 1e-5f, DO_ALL, 0, small_values, 1, 1e8f, 1,
            SAYS(RUNNING_MEAN, EVERY, FULL, 2.5e-5), SAYS(RUNNING_VARIANCE, EVERY, FULL, 5e-10 / 3)),
    RUNNING("an old mean of the other sign", 2, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, beyond_half, 0.1f, -2e38f, 1,
            SAYS(RUNNING_MEAN, EVERY, FULL, -1.6e38), SAYS(RUNNING_VARIANCE, EVERY, FULL, 0.9)),
    RUNNING("pytorch/pytorch#88474", 5, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, with_nan, 0, 3, 4,
            SAYS(RUNNING_MEAN, EVERY, 0, 3), SAYS(RUNNING_VARIANCE, EVERY, 0, 4), SAYS(OUT, EVERY, 0, NAN)),
    RUNNING("momentum 0, ordinary data", 64, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, random_value, 0, NAN, INFINITY,
            SAYS(RUNNING_MEAN, EVERY, 0, NAN), SAYS(RUNNING_VARIANCE, EVERY, 0, INFINITY)),
    RUNNING("momentum 1 after a NaN", 64, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, one_to_four, 1, NAN, INFINITY,
            SAYS(RUNNING_MEAN, EVERY, FULL, 2.5), SAYS(RUNNING_VARIANCE, EVERY, FULL, 1.25 * 64 / 63)),
    RUNNING("a running variance that is infinite", 64, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, random_value, 0.1f, 0,
            INFINITY, SAYS(RUNNING_VARIANCE, EVERY, 0, INFINITY)),
    RUNNING("momentum 1 after an infinite variance", 64, 33, 1, FIRST, 1e-5f, DO_FORWARD, 0, one_to_four, 1, 0,
            INFINITY, SAYS(RUNNING_VARIANCE, EVERY, FULL, 1.25 * 64 / 63)),
    RUNNING("tensorflow/tensorflow#34062", 1, 8, 1, LAST, 1e-3f, DO_ALL, PLAIN_SCALE, number_of_channel, 0.01f, 0, 1,
            SAYS(RUNNING_MEAN, 8, FULL, 0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07),
            SAYS(RUNNING_VARIANCE, EVERY, FULL, 0.99), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("tinygrad/tinygrad PR 807", 16, 2, 9, FIRST, 1e-5f, DO_ALL, 0, one_to_four,
        SAYS(RUNNING_MEAN, EVERY, FULL, 0.25), SAYS(RUNNING_VARIANCE, EVERY, FULL, 0.9 + 0.125 * 144 / 143),
        SAYS(VARIANCE, EVERY, FULL, 1.25)),
    ROW("tenstorrent/tt-metal#55438", 16, 2, 9, LAST, 1e-5f, DO_ALL, IS_BIASED, one_to_four,
        SAYS(RUNNING_VARIANCE, EVERY, FULL, 1.025)),
    ROW("pytorch/pytorch#90342", 1, 4, 400, FIRST, 1e-5f, DO_TRAINING, 0, infinite_at_63,
        SAYS(RUNNING_MEAN, 4, FULL, 0.1, NAN, 0.1, 0.1), SAYS(RUNNING_VARIANCE, 4, FULL, 0.9, NAN, 0.9, 0.9)),
    ROW("pytorch/pytorch#1206", 1, 4, 400, LAST, 1e-5f, DO_TRAINING, 0, infinite_at_63,
        SAYS(RUNNING_MEAN, 4, FULL, 0.1, NAN, 0.1, 0.1), SAYS(RUNNING_VARIANCE, 4, FULL, 0.9, NAN, 0.9, 0.9)),
    RUNNING("pytorch/pytorch#12013", 0, 3, 7, FIRST, 1e-5f, DO_TRAINING, 0, ones, 0.1f, 3, 4,
            SAYS(RUNNING_MEAN, EVERY, 0, 3), SAYS(RUNNING_VARIANCE, EVERY, 0, 4), SAYS(DIFF_SCALE, EVERY, 0, 0)),
    RUNNING("tensorflow/tensorflow#14657", 0, 33, 1, LAST, 1e-5f, DO_TRAINING, 0, ones, 0.1f, 3, 4,
            SAYS(RUNNING_MEAN, EVERY, 0, 3), SAYS(RUNNING_VARIANCE, EVERY, 0, 4), SAYS(DIFF_SHIFT, EVERY, 0, 0)),
    RUNNING("microsoft/onnxruntime#29790, 0", 2, 4, 3, FIRST, 1e-5f, DO_ALL, 0, random_value, 0, 0, 1, NOTHING),
    RUNNING("microsoft/onnxruntime#29790, 0.5", 2, 4, 3, FIRST, 1e-5f, DO_ALL, 0, random_value, 0.5f, 0, 1, NOTHING),
    RUNNING("microsoft/onnxruntime#29790, 1", 2, 4, 3, FIRST, 1e-5f, DO_ALL, 0, random_value, 1, 0, 1, NOTHING),

    /* -- channels of one value -- */
    ROW("BVLC/caffe#3963", 1, 1, 9, FIRST, 1e-5f, DO_ALL, PLAIN_SCALE, hundred, SAYS(MEAN, 1, 0, 100),
        SAYS(VARIANCE, 1, 0, 0), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("pytorch/pytorch#5410", 1, 5, 100, FIRST, 1e-5f, DO_ALL, PLAIN_SCALE, large_constants,
        SAYS(INVSTD, EVERY, 0, 316.2277832f), SAYS(VARIANCE, EVERY, 0, 0), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("pytorch/pytorch#5410, channels-last", 100, 5, 1, LAST, 1e-5f, DO_ALL, PLAIN_SCALE, large_constants,
        SAYS(INVSTD, EVERY, 0, 316.2277832f), SAYS(VARIANCE, EVERY, 0, 0), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("torch/nn#770", 1, 1, 1000, FIRST, 1e-5f, DO_ALL, PLAIN_SCALE, tenth, SAYS(MEAN, 1, 0, 0.1f),
        SAYS(VARIANCE, 1, 0, 0), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("torch/nn#770, rank 2", 3000, 1, 1, FIRST, 1e-5f, DO_ALL, PLAIN_SCALE, tenth, SAYS(MEAN, 1, 0, 0.1f),
        SAYS(VARIANCE, 1, 0, 0), SAYS(OUT, EVERY, 0, 0.5)),
    ROW("ROCm/MIOpen#248", 64, 512, 1, FIRST, 1e-5f, DO_TRAINING, 0, some_constant, NOTHING),
    ROW("tensorflow/tensorflow#37768", 64, 33, 1, FIRST, 0, DO_ALL, PLAIN_SCALE, tenth, SAYS(OUT, EVERY, 0, 0.5),
        SAYS(INVSTD, EVERY, 0, 0), SAYS(DIFF_SCALE, EVERY, 0, 0)),

    /* -- a large mean beside the deviation -- */
    ROW("tensorflow/tensorflow#118701", 4, 3, 256, FIRST, 1e-5f, DO_ALL, 0, offset_1e4, NOTHING),
    ROW("tensorflow/tensorflow#118701, 1e6", 4, 3, 256, FIRST, 1e-5f, DO_ALL, 0, offset_1e6, NOTHING),
    ROW("tensorflow/tensorflow#118701, 1e7", 4, 3, 256, FIRST, 1e-5f, DO_ALL, 0, offset_1e7, NOTHING),
    ROW("tensorflow/tensorflow#3290", 4, 3, 256, LAST, 1e-5f, DO_ALL, 0, offset_1e4, NOTHING),
    ROW("google/flax#1491", 4, 17, 256, LAST, 1e-5f, DO_ALL, 0, offset_1e6, NOTHING),
    ROW("openvinotoolkit/openvino PR 36587", 4, 8, 256, LAST, 1e-5f, DO_ALL, 0, offset_1e7, NOTHING),
    ROW("tenstorrent/tt-metal#45968", 2, 64, 1024, FIRST, 1e-5f, DO_TRAINING, IS_LARGE, offset_5, NOTHING),
    ROW("Unix time in milliseconds", 3600, 3, 1, FIRST, 1e-5f, DO_ALL, 0, unix_time, NOTHING),
    ROW("Unix time in milliseconds, 60 s a row", 60, 3, 60, FIRST, 1e-5f, DO_ALL, 0, unix_time, NOTHING),

    /* -- magnitudes -- */
    ROW("pytorch/pytorch#162489", 8, 1, 1, FIRST, 1e-5f, DO_ALL, NO_SCALE, large_values,
        SAYS(OUT, 8, 2e-5, 0.29397, -1.04990, 0.96591, -0.37796, 0.29397, 1.63785, -1.72184, -0.041996),
        SAYS(VARIANCE, 1, 0, INFINITY), SAYS(RUNNING_VARIANCE, 1, 0, INFINITY)),
    ROW("pytorch/pytorch PR 178123", 8, 33, 1, LAST, 1e-5f, DO_ALL, 0, large_values, SAYS(MEAN, EVERY, FULL, 5.625e29)),
    ROW("microsoft/onnxruntime PR 2680", 4, 33, 1, FIRST, 0, DO_TRAINING, NO_SCALE, tiny_22,
        SAYS(OUT, 1, 4e-7, -1.3416407864998738), SAYS(VARIANCE, EVERY, 0.06, 1.25e-44),
        SAYS(MEAN, EVERY, FULL, 2.5e-22)),
    ROW("microsoft/onnxruntime PR 2680, 1e-22", 4, 1, 1, FIRST, 0, DO_TRAINING, NO_SCALE, tiny_22,
        SAYS(OUT, 4, 4e-7, Y_OF_FOUR)),
    ROW("microsoft/onnxruntime PR 2680, 1e-24", 4, 1, 1, FIRST, 0, DO_TRAINING, NO_SCALE, tiny_24,
        SAYS(OUT, 4, 4e-7, Y_OF_FOUR)),
    ROW("microsoft/onnxruntime PR 2680, 1e-30", 1, 1, 4, FIRST, 0, DO_TRAINING, NO_SCALE, tiny_30,
        SAYS(OUT, 4, 4e-7, Y_OF_FOUR)),
    ROW("microsoft/onnxruntime PR 2680, 1e-37", 4, 1, 1, FIRST, 0, DO_TRAINING, NO_SCALE, tiny_37,
        SAYS(OUT, 4, 4e-7, Y_OF_FOUR)),
    ROW("deviations of 2^-126", 64, 33, 1, FIRST, 0, DO_FORWARD, NO_SCALE, least_spread,
        SAYS(INVSTD, EVERY, 0, 0x1p126)),
    ROW("deviations of 2^126", 1, 5, 1000, FIRST, 1e-5f, DO_ALL, NO_SCALE, most_spread,
        SAYS(INVSTD, EVERY, 0, 0x1p-126), SAYS(VARIANCE, EVERY, 0, INFINITY)),
    ROW("onnx/onnx#1820", 4, 17, 1, FIRST, 1e-12f, DO_ALL, 0, tiny_6, NOTHING),
    ROW("pytorch/pytorch#1623", 4, 17, 1, FIRST, 1e-6f, DO_ALL, 0, tiny_6, NOTHING),
    ROW("2^e (1 + k 2^-23), e from -126", 4000, 759, 1, FIRST, 1e-5f, DO_TRAINING, OF_MODEL, exponents_all, NOTHING),
    ROW("2^e (1 + k 2^-23), e from -103", 4000, 690, 1, FIRST, 0, DO_FORWARD, NO_SCALE | OF_MODEL, exponents_from_103,
        NOTHING),
    ROW("2^e (1 + k 2^-23), e from -126, n 66", 66, 759, 1, FIRST, 1e-5f, DO_TRAINING, 0, exponents_all, NOTHING),
    ROW("2^e (1 + k 2^-23), e from -103, n 66", 66, 690, 1, FIRST, 0, DO_FORWARD, NO_SCALE, exponents_from_103,
        NOTHING),
    ROW("2^40 (1 + k 2^-23)", 4000, 3, 1, FIRST, 1e-5f, DO_ALL, 0, exponent_40, NOTHING),
    ROW("2^41 (1 + k 2^-23)", 4, 3, 1000, FIRST, 1e-5f, DO_ALL, 0, exponent_41, NOTHING),
    ROW("2^44 (1 + k 2^-23)", 4000, 3, 1, FIRST, 1e-5f, DO_ALL, 0, exponent_44, NOTHING),
    ROW("2^46 (1 + k 2^-23)", 4, 3, 1000, FIRST, 1e-5f, DO_ALL, 0, exponent_46, NOTHING),
    ROW("2^-36 (1 + k 2^-23)", 4000, 3, 1, FIRST, 0, DO_TRAINING, 0, exponent_m36, NOTHING),
    ROW("2^-38 (1 + k 2^-23)", 4, 3, 1000, FIRST, 0, DO_TRAINING, 0, exponent_m38, NOTHING),
    ROW("2^-90 (1 + k 2^-23)", 4000, 3, 1, FIRST, 0, DO_TRAINING, 0, exponent_m90, NOTHING),
    ROW("leaves of all classes, channels-last", 64 * 5 + 7, 36, 1, LAST, 1e-5f, DO_TRAINING, 0, classes_64, NOTHING),
    ROW("leaves of all classes, epsilon 0", 64 * 5 + 7, 36, 1, LAST, 0, DO_TRAINING, 0, classes_64, NOTHING),
    ROW("leaves of all classes, channels-first", 1, 36, 1024 * 5 + 7, FIRST, 0, DO_TRAINING, IS_LARGE, classes_1024,
        NOTHING),
    ROW("leaves of all classes, short rows", 64, 36, 64, FIRST, 0, DO_TRAINING, 0, classes_1024, NOTHING),

    /* -- values that repeat -- */
    ROW("one outlier on a floor, n 17", 17, 257, 1, FIRST, 1e-5f, DO_TRAINING, 0, floor_of, NOTHING),
    ROW("one outlier on a floor, n 33", 33, 257, 1, FIRST, 1e-5f, DO_TRAINING, 0, floor_of, NOTHING),
    ROW("one outlier on a floor, n 64", 64, 257, 1, FIRST, 1e-5f, DO_TRAINING, 0, floor_of, NOTHING),
    ROW("one outlier on a floor, n 500", 500, 40, 1, FIRST, 1e-5f, DO_TRAINING, 0, floor_of, NOTHING),
    ROW("one outlier on a floor, n 4096", 4096, 40, 1, FIRST, 1e-5f, DO_TRAINING, IS_LARGE, floor_of, NOTHING),
    ROW("one outlier on a floor, channels-first", 1, 300, 1024, FIRST, 1e-5f, DO_TRAINING, IS_LARGE, floor_of, NOTHING),
    ROW("two sorted values", 64, 1025, 1, FIRST, 1e-5f, DO_TRAINING, 0, two_sorted, NOTHING),
    ROW("two sorted values, channels-first", 1, 100, 1000, FIRST, 1e-5f, DO_TRAINING, IS_LARGE, two_sorted, NOTHING),
    ROW("bimodal, 512 channels", 3, 512, 23, LAST, 1e-5f, DO_TRAINING, 0, bimodal, NOTHING),
    ROW("bimodal, sorted", 64, 37, 1, LAST, 1e-5f, DO_TRAINING, 0, bimodal, NOTHING),
    ROW("one value a unit above, n 33", 33, 18, 1, FIRST, 1e-5f, DO_TRAINING, 0, unit_above, NOTHING),
    ROW("one value a unit above, channels-first", 1, 18, 951, FIRST, 1e-5f, DO_TRAINING, 0, unit_above, NOTHING),
    ROW("one value a unit above, epsilon 0", 1, 18, 300, FIRST, 0, DO_TRAINING, 0, unit_above, NOTHING),
    ROW("a unit at the borders of classes", 10000, 24, 1, FIRST, 0, DO_TRAINING, IS_LARGE, unit_at_border, NOTHING),
    ROW("a unit at the borders, one leaf", 1, 24, 951, FIRST, 0, DO_TRAINING, 0, unit_at_border, NOTHING),

    /* -- shapes -- */
    ROW("pytorch/pytorch#2917", 140000, 1, 1, FIRST, 1e-5f, DO_ALL, IS_LARGE, thousandths, SAYS(MEAN, 1, FULL, 0.4995),
        SAYS(VARIANCE, 1, FULL, 0.08333325)),
    ROW("pytorch/pytorch#19911", 65537, 1, 1, FIRST, 1e-5f, DO_ALL, IS_LARGE, million_and_bit,
        SAYS(MEAN, 1, FULL, 1000000.49999), SAYS(VARIANCE, 1, FULL, 0.25)),
    ROW("ROCm/MIOpen#1109, 768", 768, 3, 1, FIRST, 1e-5f, DO_TRAINING, 0, random_value, NOTHING),
    ROW("ROCm/MIOpen#1109, 769", 769, 2, 1, FIRST, 1e-5f, DO_TRAINING, 0, random_value, NOTHING),
    ROW("ROCm/MIOpen#1109, 1024", 1024, 1, 1, FIRST, 1e-5f, DO_TRAINING, 0, random_value, NOTHING),
    ROW("ROCm/MIOpen#1109, 4096", 4096, 3, 1, FIRST, 1e-5f, DO_TRAINING, 0, random_value, NOTHING),
    ROW("torch/cunn#298", 2, 65536, 1, FIRST, 1e-5f, DO_TRAINING, IS_LARGE, random_value, NOTHING),
    ROW("ARM-software/ComputeLibrary#235", 1, 256, 169, FIRST, 1e-5f, DO_ALL, IS_LARGE, random_value, NOTHING),
    ROW("intel/torch-xpu-ops PR 4292", 4, 27, 49, LAST, 1e-5f, DO_ALL, 0, random_value, NOTHING),
    ROW("ggml-org/llama.cpp PR 27339, 1", 3, 5, 1, FIRST, 1e-5f, DO_ALL, DIFF_ONES, ones,
        SAYS(DIFF_SHIFT, EVERY, 0, 3)),
    ROW("ggml-org/llama.cpp PR 27339, 2", 16, 2, 2, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 32)),
    ROW("ggml-org/llama.cpp PR 27339, 3", 1, 2, 3, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 3)),
    ROW("ggml-org/llama.cpp PR 27339, 5", 3, 2, 5, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 15)),
    ROW("ggml-org/llama.cpp PR 27339, 31", 16, 2, 31, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 496)),
    ROW("ggml-org/llama.cpp PR 26708", 1, 2, 33, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 33)),
    ROW("ggml-org/llama.cpp PR 26708, 63", 3, 2, 63, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 189)),
    ROW("ARM-software/ComputeLibrary#473", 1, 50, 66 * 52, FIRST, 1e-5f, DO_ALL, DIFF_ONES | IS_LARGE, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 3432)),
    ROW("ARM-software/ComputeLibrary#202, 127", 1, 2, 127, LAST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 127)),
    ROW("ARM-software/ComputeLibrary#153, 129", 3, 2, 129, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 387)),
    ROW("uxlfoundation/oneDNN#1725, 1023", 3, 2, 1023, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 3069)),
    ROW("uxlfoundation/oneDNN#1725, 1025", 1, 2, 1025, FIRST, 1e-5f, DO_ALL, DIFF_ONES, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 1025)),
    ROW("uxlfoundation/oneDNN#1725, 35 x 35", 16, 3, 35 * 35, FIRST, 1e-5f, DO_TRAINING, DIFF_ONES | IS_LARGE,
        random_value, SAYS(DIFF_SHIFT, EVERY, 0, 19600)),
    ROW("ROCm/MIOpen#2024, 73 x 73", 3, 3, 73 * 73, FIRST, 1e-5f, DO_TRAINING, DIFF_ONES | IS_LARGE, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 15987)),
    ROW("ROCm/MIOpen#2024, 147 x 147", 2, 3, 147 * 147, FIRST, 1e-5f, DO_TRAINING, DIFF_ONES | IS_LARGE, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 43218)),
    ROW("ROCm/MIOpen#2024, channels-last", 2, 3, 73 * 73, LAST, 1e-5f, DO_TRAINING, DIFF_ONES | IS_LARGE, random_value,
        SAYS(DIFF_SHIFT, EVERY, 0, 10658)),
    ROW("alibaba/MNN#3010", 4, 3, 4096, FIRST, 1e-5f, DO_INFERENCE, IS_LARGE, random_value, NOTHING),
    ROW("alibaba/MNN#3010, one image", 1, 3, 4096, FIRST, 1e-5f, DO_INFERENCE, IS_LARGE, random_value, NOTHING),
    ROW("apache/mxnet#16297", 1, 3, 1, FIRST, 1e-5f, DO_ALL, DIFF_ONES, ones, SAYS(DIFF_SHIFT, EVERY, 0, 1),
        SAYS(DIFF_SCALE, EVERY, 0, 0)),
};

size_t report_count(void)
{
    return sizeof(reports) / sizeof(reports[0]);
}
