/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture/suite.h"
#include "cli/train/random.h"

#include <stdlib.h>

/* The first numbers of xoshiro256** from the state 1, 2, 3, 4, worked out by hand from its definition. */
START_TEST(test_generator)
{
    static const uint64_t expected[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    struct random random = {.state = {1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        ck_assert_uint_eq(random_bits(&random), expected[i]);
}
END_TEST

/* Seeds and streams of one seed differ; the same ones are the same, on every host. */
START_TEST(test_seeds)
{
    struct random a, b, c, d;
    uint64_t first;

    random_seed(&a, 1, 0);
    random_seed(&b, 1, 0);
    random_seed(&c, 1, 1);
    random_seed(&d, 2, 0);
    first = random_bits(&a);
    ck_assert_uint_eq(first, UINT64_C(0xee127fe613436e33));
    ck_assert_uint_eq(random_bits(&b), first);
    ck_assert_uint_ne(random_bits(&c), first);
    ck_assert_uint_ne(random_bits(&d), first);
}
END_TEST

/* Every number below the bound comes about as often; 5 deviations are more than these fixed draws have. */
START_TEST(test_below)
{
    enum { BOUND = 7, DRAWS = 70000 };
    int counts[BOUND] = {0};
    struct random random;

    random_seed(&random, 3, 0);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t number = random_below(&random, BOUND);

        ck_assert_uint_lt(number, BOUND);
        counts[number]++;
    }
    for (int i = 0; i < BOUND; i++)
        ck_assert_msg(abs(counts[i] - DRAWS / BOUND) < 465, "%d came %d times", i, counts[i]);
    ck_assert_uint_eq(random_below(&random, 1), 0);
}
END_TEST

START_TEST(test_unit)
{
    double sum = 0, squares = 0;
    struct random random;

    random_seed(&random, 4, 0);
    for (int i = 0; i < 100000; i++) {
        double x = random_unit(&random);

        ck_assert(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
    }
    ck_assert_double_eq_tol(sum / 100000, 0.5, 5 * 0.2887 / 316.2);
    ck_assert_double_eq_tol(squares / 100000, 1.0 / 3, 5 * 0.2981 / 316.2);
}
END_TEST

/* A shuffle loses nothing, and brings each number to each place about as often. */
START_TEST(test_shuffle)
{
    enum { COUNT = 5, ROUNDS = 50000 };
    int counts[COUNT][COUNT] = {{0}};
    struct random random;

    random_seed(&random, 5, 0);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t list[COUNT] = {0, 1, 2, 3, 4}, seen = 0;

        random_shuffle(&random, list, COUNT);
        for (int i = 0; i < COUNT; i++) {
            seen |= 1u << list[i];
            counts[i][list[i]]++;
        }
        ck_assert_uint_eq(seen, 31);
    }
    for (int i = 0; i < COUNT * COUNT; i++)
        ck_assert_msg(abs(counts[i / COUNT][i % COUNT] - ROUNDS / COUNT) < 450, "%d at %d: %d times", i % COUNT,
                      i / COUNT, counts[i / COUNT][i % COUNT]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *cases = tcase_create("random");

    tcase_add_test(cases, test_generator);
    tcase_add_test(cases, test_seeds);
    tcase_add_test(cases, test_below);
    tcase_add_test(cases, test_unit);
    tcase_add_test(cases, test_shuffle);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
