/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of many shapes, on every device. */
#include "fixture/suite.h"
#include "plan_cases.h"
#include "plan_right.h"

#include <string.h>

static void check_everywhere(const clnorm_desc *desc)
{
    for (int d = 0; d < DEVICES; d++) {
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            int status = make(desc, &asks[a], &devices[d].device, &plan);
            ck_assert_msg(status == CLNORM_SUCCESS, "%s: %d: %s", devices[d].name, status, why);
            check_plan(desc, &asks[a], &devices[d].device, &plan);
        }
    }
}

START_TEST(listed_shapes)
{
    static const uint64_t n[] = {1, 2, 3, 17, 64, 65, 1025}, c[] = {1, 3, 257};
    static const uint64_t s[] = {1,    2,    49,   63,   196,  512,  513,  1023, 1024,
                                 1025, 2047, 2048, 2049, 3072, 3136, 5000, 40000};
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        for (size_t j = 0; j < sizeof c / sizeof c[0]; j++)
            for (size_t k = 0; k < sizeof s / sizeof s[0]; k++)
                for (unsigned layout = 0; layout < 2; layout++) {
                    clnorm_desc desc = describe(n[i], c[j], s[k], layout);
                    if (!is_small() || (i + j + k + layout) % 3 == 0)
                        check_everywhere(&desc);
                }
}
END_TEST

/* Rows of K segments, the last one short: the four ways of merging. K = 3 has every kind of run. */
START_TEST(short_segments)
{
    for (uint64_t k = 2; k <= 40; k++) {
        static const uint64_t rest[] = {1, 511, 1023, 1024};
        for (size_t r = 0; r < 4; r++) {
            clnorm_desc desc = describe(37 + k % 5, 2, (k - 1) * 1024 + rest[r], CLNORM_CHANNELS_FIRST);
            check_everywhere(&desc);
        }
    }
    clnorm_desc desc = describe(300000, 1, 2 * 1024 + 7, CLNORM_CHANNELS_FIRST);
    check_everywhere(&desc);
}
END_TEST

START_TEST(drawn_shapes)
{
    uint64_t state = 2015;
    for (int i = 0; i < 300; i++) {
        uint64_t n = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 16);
        uint64_t c = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 12);
        uint64_t s = 1 + draw(&state) % ((uint64_t)1 << draw(&state) % 20);
        clnorm_desc desc = describe(n, c, s, i % 2);
        check_everywhere(&desc);
    }
}
END_TEST

START_TEST(most_leaves)
{
    const uint64_t one = 1;
    const clnorm_desc most[] = {
        describe(one << 37, 1, 1, CLNORM_CHANNELS_FIRST),
        describe(one << 20, 3, one << 17, CLNORM_CHANNELS_LAST),
        describe(1, one << 20, one << 41, CLNORM_CHANNELS_FIRST), /* 2^61 elements; the launch is beyond 32 bits */
        describe(one << 30, 1, 1025, CLNORM_CHANNELS_FIRST),
        describe((one << 31) / 3, 5, 2 * 1024 + 1, CLNORM_CHANNELS_FIRST),
        describe((one << 31) / 3, 5, 2 * 1024 + 1023, CLNORM_CHANNELS_FIRST),
        describe((one << 31) * 4 - 1, 1, 256, CLNORM_CHANNELS_FIRST),
    };
    for (size_t i = 0; i < sizeof most / sizeof most[0]; i++)
        check_everywhere(&most[i]);
    const clnorm_desc more[] = {
        describe((one << 37) + 1, 1, 1, CLNORM_CHANNELS_FIRST),
        describe((one << 37) + 1, 7, 1, CLNORM_CHANNELS_LAST),
        describe(1, 1, (one << 41) + 1, CLNORM_CHANNELS_FIRST),
        describe((one << 30) + 1, 1, 1025, CLNORM_CHANNELS_FIRST),
        describe((one << 31) * 4 + 1, 1, 256, CLNORM_CHANNELS_FIRST),
        describe(one << 61, 1, 1, CLNORM_CHANNELS_LAST),
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        for (int a = 0; a < ASKS; a++) {
            struct clnorm__plan plan;
            ck_assert_int_eq(make(&more[i], &asks[a], &devices[0].device, &plan), CLNORM_SIZE_OVERFLOW);
            ck_assert_ptr_nonnull(strstr(why, "2^31 leaves"));
        }
    }
}
END_TEST

/* So many channels that the workspace's bytes, or a launch's work-items, may be beyond 64 bits: right, or refused. */
START_TEST(most_channels)
{
    for (unsigned log2 = 30; log2 <= 54; log2++) {
        for (int d = 0; d < DEVICES; d++) {
            for (int a = 0; a < ASKS; a++) {
                clnorm_desc desc = describe(1, (uint64_t)1 << log2, 1, CLNORM_CHANNELS_FIRST);
                struct clnorm__plan plan;
                int status = make(&desc, &asks[a], &devices[d].device, &plan);
                if (status == CLNORM_SUCCESS)
                    check_plan(&desc, &asks[a], &devices[d].device, &plan);
                else
                    ck_assert_msg(status == CLNORM_SIZE_OVERFLOW && log2 > 50, "2^%u channels: %d: %s", log2, status,
                                  why);
            }
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_test(tests, listed_shapes);
    tcase_add_test(tests, short_segments);
    tcase_add_test(tests, drawn_shapes);
    tcase_add_test(tests, most_leaves);
    tcase_add_test(tests, most_channels);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
