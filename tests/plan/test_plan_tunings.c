/* SPDX-License-Identifier: Apache-2.0 */
/* Plans by every parameter's values. */
#include "fixture/suite.h"
#include "plan_cases.h"
#include "plan_right.h"

#include <string.h>

static const struct range {
    uint32_t least, most;
} ranges[CLNORM__PARAMETER_COUNT] = {
#define RANGE(NAME, name, least, most, cpu, wide, other, meaning) {least, most},
    CLNORM__PARAMETERS(RANGE)
#undef RANGE
};

static void set(struct clnorm__device *device, unsigned parameter, uint32_t value)
{
    device->tuning.value[parameter] = value;
    device->tuning.is_set[parameter] = 1;
}

/* Shapes for which every parameter matters on some device. */
static const clnorm_desc tuned_shapes[] = {
    {32, 256, 49, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {7, 33, 5000, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {3, 64, 70001, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {32, 2048, 3137, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {8, 1000, 9, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {1, 1, 1, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {2, 40000, 3, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
    {65536, 64, 1, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}},
};
enum { TUNED_SHAPES = sizeof tuned_shapes / sizeof tuned_shapes[0] };

/* Every combination of least and most values, each with one shape, device and call in turn. */
START_TEST(extreme_tunings)
{
    unsigned step = is_small() ? 13 : 1;
    for (unsigned combination = 0; combination < 1u << CLNORM__PARAMETER_COUNT; combination += step) {
        unsigned turn = combination ^ combination >> 7; /* else a shape would see few values of some parameters */
        struct clnorm__device device = devices[combination % DEVICES].device;
        const clnorm_desc *desc = &tuned_shapes[turn % TUNED_SHAPES];
        for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++)
            set(&device, p, combination >> p & 1u ? ranges[p].most : ranges[p].least);
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            if ((turn / TUNED_SHAPES + (unsigned)a) % 3)
                continue;
            ck_assert_msg(make(desc, &asks[a], &device, &plan) == CLNORM_SUCCESS, "%s", why);
            check_plan(desc, &asks[a], &device, &plan);
        }
    }
}
END_TEST

/* Values between, powers of two or not. */
START_TEST(drawn_tunings)
{
    uint64_t state = 1502;
    for (int i = 0; i < (is_small() ? 400 : 4000); i++) {
        struct clnorm__device device = devices[draw(&state) % DEVICES].device;
        const clnorm_desc *desc = &tuned_shapes[draw(&state) % TUNED_SHAPES];
        for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++) {
            uint64_t span = ranges[p].most - ranges[p].least + 1u;
            if (draw(&state) % 3)
                set(&device, p,
                    (uint32_t)(ranges[p].least + draw(&state) % (1 + (span - 1) / (1u << draw(&state) % 16))));
        }
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            ck_assert_msg(make(desc, &asks[a], &device, &plan) == CLNORM_SUCCESS, "%s", why);
            check_plan(desc, &asks[a], &device, &plan);
        }
    }
}
END_TEST

/* A parameter that moves no plan anywhere is none. */
START_TEST(every_parameter_matters)
{
    for (unsigned p = 0; p < CLNORM__PARAMETER_COUNT; p++) {
        unsigned moved = 0;
        for (unsigned k = 0; k < DEVICES * TUNED_SHAPES * ASKS; k++) {
            struct clnorm__device least_one = devices[k % DEVICES].device, most_one = least_one;
            const clnorm_desc *desc = &tuned_shapes[k / DEVICES % TUNED_SHAPES];
            struct clnorm__plan a, b;
            set(&least_one, p, ranges[p].least);
            set(&most_one, p, ranges[p].most);
            ck_assert_int_eq(make(desc, &asks[k / DEVICES / TUNED_SHAPES], &least_one, &a), CLNORM_SUCCESS);
            ck_assert_int_eq(make(desc, &asks[k / DEVICES / TUNED_SHAPES], &most_one, &b), CLNORM_SUCCESS);
            moved += memcmp(&a, &b, sizeof a) != 0;
        }
        ck_assert_msg(moved > 0, "parameter number %u changes nothing", p);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_tunings");
    TCase *tests = tcase_create("plan_tunings");
    tcase_add_test(tests, extreme_tunings);
    tcase_add_test(tests, drawn_tunings);
    tcase_add_test(tests, every_parameter_matters);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
