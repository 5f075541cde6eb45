/* SPDX-License-Identifier: Apache-2.0 */
/* The model of 16-bit types: every pattern, and of rounding every boundary between two numbers. */
#include "fixture/suite.h"
#include "cases.h"
#include "half.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const enum clnorm_type types[] = {CLNORM_FLOAT16, CLNORM_BFLOAT16};
static const uint16_t infinities[] = {0x7c00, 0x7f80};

static float float_of(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static int is_nan(enum clnorm_type type, uint16_t bits)
{
    return (bits & 0x7fff) > infinities[type == CLNORM_BFLOAT16];
}

/* An assertion of Check's costs more than what it asserts. */
#define EXPECT(condition, ...)                                                                                         \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            ck_abort_msg(__VA_ARGS__);                                                                                 \
    } while (0)

static void expect(enum clnorm_type type, float value, uint16_t want)
{
    const uint16_t got = half_narrow(type, value);

    EXPECT(got == want, "type %d: %a (0x%08x) becomes 0x%04x, should be 0x%04x", (int)type, (double)value,
           bits_of(value), got, want);
}

/* Widened and narrowed again, a pattern is what it was; the numbers rise with the patterns. */
START_TEST(test_patterns)
{
    const enum clnorm_type type = types[_i];
    const uint16_t infinity = infinities[_i];

    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        const float value = half_widen(type, (uint16_t)bits);

        if (is_nan(type, (uint16_t)bits)) {
            EXPECT(isnan(value), "0x%04x is %a", bits, (double)value);
            EXPECT(is_nan(type, half_narrow(type, value)), "0x%04x does not stay a NaN", bits);
            continue;
        }
        expect(type, value, (uint16_t)bits);
        EXPECT((signbit(value) != 0) == (bits >= 0x8000), "0x%04x is %a", bits, (double)value);
        EXPECT((isinf(value) != 0) == ((bits & 0x7fff) == infinity), "0x%04x is %a", bits, (double)value);
        if (bits & 0x7fff)
            EXPECT(fabsf(value) > fabsf(half_widen(type, (uint16_t)(bits - 1))), "0x%04x is %a", bits, (double)value);
    }
}
END_TEST

/* bfloat16 is the upper half of binary32. */
START_TEST(test_upper_half)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++)
        if (!is_nan(CLNORM_BFLOAT16, (uint16_t)bits))
            EXPECT(bits_of(half_widen(CLNORM_BFLOAT16, (uint16_t)bits)) == bits << 16, "0x%04x", bits);
}
END_TEST

/* Between every two neighbours: the middle goes to the even one, and what is one binary32 off it to the nearer one. */
START_TEST(test_ties)
{
    const enum clnorm_type type = types[_i];

    for (uint16_t bits = 0; bits < infinities[_i]; bits++) {
        const double low = (double)half_widen(type, bits);
        /* Behind the largest number stands, for rounding, what would be the next. */
        const double high = bits + 1 < infinities[_i] ? (double)half_widen(type, (uint16_t)(bits + 1))
                                                      : 2 * low - (double)half_widen(type, (uint16_t)(bits - 1));
        const float middle = (float)((low + high) / 2);

        EXPECT((double)middle == (low + high) / 2, "0x%04x: the middle is no binary32", bits);
        for (int sign = 0; sign < 2; sign++) {
            const uint16_t flag = sign ? 0x8000 : 0;
            const float side = sign ? -1.0f : 1.0f;

            expect(type, side * middle, (uint16_t)(flag | (bits + (bits & 1))));
            expect(type, side * nextafterf(middle, 0), flag | bits);
            expect(type, side * nextafterf(middle, INFINITY), (uint16_t)(flag | (bits + 1)));
        }
    }
}
END_TEST

START_TEST(test_boundaries)
{
    expect(CLNORM_FLOAT16, 65504.0f, 0x7bff);
    expect(CLNORM_FLOAT16, 65519.996f, 0x7bff);
    expect(CLNORM_FLOAT16, 65520.0f, 0x7c00);
    expect(CLNORM_FLOAT16, -65520.0f, 0xfc00);
    expect(CLNORM_FLOAT16, FLT_MAX, 0x7c00);
    expect(CLNORM_FLOAT16, INFINITY, 0x7c00);
    expect(CLNORM_FLOAT16, 0x1p-14f, 0x0400);
    expect(CLNORM_FLOAT16, 0x1.ff8p-15f, 0x03ff);
    expect(CLNORM_FLOAT16, 0x1.ffcp-15f, 0x0400);
    expect(CLNORM_FLOAT16, 0x1p-24f, 0x0001);
    expect(CLNORM_FLOAT16, 0x1p-25f, 0x0000);
    expect(CLNORM_FLOAT16, 0x1.000002p-25f, 0x0001);
    expect(CLNORM_FLOAT16, -0x1p-149f, 0x8000);
    expect(CLNORM_FLOAT16, -0.0f, 0x8000);
    expect(CLNORM_FLOAT16, 1.0f, 0x3c00);
    expect(CLNORM_BFLOAT16, FLT_MAX, 0x7f80);
    expect(CLNORM_BFLOAT16, float_of(0x7f7f7fff), 0x7f7f);
    expect(CLNORM_BFLOAT16, float_of(0x7f7f8000), 0x7f80);
    expect(CLNORM_BFLOAT16, -INFINITY, 0xff80);
    expect(CLNORM_BFLOAT16, float_of(0x00008000), 0x0000);
    expect(CLNORM_BFLOAT16, float_of(0x00008001), 0x0001);
    expect(CLNORM_BFLOAT16, float_of(0x00018000), 0x0002);
    expect(CLNORM_BFLOAT16, float_of(0x007fffff), 0x0080);
    expect(CLNORM_BFLOAT16, 1.0f, 0x3f80);
    for (uint32_t payload = 1; payload < 0x00800000; payload = payload * 3 + 1) {
        ck_assert(is_nan(CLNORM_FLOAT16, half_narrow(CLNORM_FLOAT16, float_of(0x7f800000 | payload))));
        ck_assert(is_nan(CLNORM_BFLOAT16, half_narrow(CLNORM_BFLOAT16, float_of(0xff800000 | payload))));
    }
    ck_assert(bits_of(half_round(CLNORM_FLOAT32, 0x1.fffffep-3f)) == bits_of(0x1.fffffep-3f));
}
END_TEST

/* Any number is moved by half a unit at most. */
START_TEST(test_units)
{
    const enum clnorm_type type = types[_i];

    for (uint64_t i = 0; i < 200000; i++) {
        const float value = ldexpf(case_normal(5, i), (int)(i % 30) - 20);

        EXPECT(fabs((double)half_round(type, value) - (double)value) <= half_unit(type, (double)value),
               "type %d: %a becomes %a", (int)type, (double)value, (double)half_round(type, value));
    }
    ck_assert(half_unit(CLNORM_FLOAT16, 1.5) == 0x1p-11 && half_unit(CLNORM_BFLOAT16, -3) == 0x1p-7);
    ck_assert(half_unit(CLNORM_FLOAT16, 0) == 0x1p-25 && half_unit(CLNORM_FLOAT32, 1) == 0);
}
END_TEST

/* The compiler's binary16, where it has one. */
#if defined(__FLT16_MANT_DIG__)
START_TEST(test_compiler)
{
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 1031) {
        const float value = float_of((uint32_t)bits);
        const _Float16 narrow = (_Float16)value;
        uint16_t want;

        memcpy(&want, &narrow, sizeof(want));
        if (!isnan(value))
            expect(CLNORM_FLOAT16, value, want);
    }
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("half");
    TCase *tests = tcase_create("half");

    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, test_patterns, 0, 2);
    tcase_add_test(tests, test_upper_half);
    tcase_add_loop_test(tests, test_ties, 0, 2);
    tcase_add_test(tests, test_boundaries);
    tcase_add_loop_test(tests, test_units, 0, 2);
#if defined(__FLT16_MANT_DIG__)
    tcase_add_test(tests, test_compiler);
#endif
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
