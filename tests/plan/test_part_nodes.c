/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch in parts, without a device: borders, the nodes of each part, and the schedule by which they are merged, over shapes and divisions
 * by chance, and at the ends of what sizes may be.
 */
#include "fixture/suite.h"

#include "plan/leaves.h"
#include "plan/parts.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_RANDOM = 50 };

static uint64_t random_below(uint64_t *seed, uint64_t end)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (*seed >> 24) % end;
}

static unsigned log2_up(uint64_t x)
{
    unsigned l = 0;

    while (((uint64_t)1 << l) < x)
        l++;
    return l;
}

/* A part's nodes: as many as are told of, no more than the bound, and where one is enough, one. */
static void check_part(const struct clnorm__part *of, uint64_t node)
{
    const uint64_t end = of->first + of->leaves;
    const unsigned bound = 2 * log2_up(of->leaves);

    ck_assert_uint_eq(of->node, node);
    ck_assert_uint_eq(of->nodes == 0, of->leaves == 0);
    if (of->leaves <= 65536)
        ck_assert_uint_le(of->nodes, bound > 1 ? bound : 1);
    if (of->leaves && (of->leaves & (of->leaves - 1)) == 0 && of->first % of->leaves == 0 && of->leaves <= 65536)
        ck_assert_uint_eq(of->nodes, 1);
    if (of->leaves && !of->is_last)
        ck_assert_uint_eq((of->first | end) & ((UINT64_C(1) << of->aligned_log2) - 1), 0);
    ck_assert_uint_le(of->most_level, of->aligned_log2 + CLNORM_TREE_LEVELS);
}

/* Every node is put on the stack once, all but the first of them are merged, and all values are in the root. */
static void check_schedule(const clnorm_desc *batch, const clnorm_parts *parts, uint64_t nodes)
{
    struct clnorm__merging merging;
    struct clnorm_schedule schedule;
    uint64_t pushes = 0, merges = 0;
    unsigned depth = 0;

    clnorm__merging_begin(batch, parts, &merging);
    while (clnorm__merging_next(&merging, &schedule)) {
        ck_assert_uint_eq(schedule.depth, depth);
        ck_assert_uint_le(schedule.count, CLNORM_SCHEDULE);
        for (unsigned i = 0; i < schedule.count; i++) {
            const int is_merge = (int)(schedule.is_merge[i / 32] >> i % 32 & 1u);

            ck_assert(!is_merge || depth > 1);
            ck_assert(!is_merge || (schedule.f[i] > 0 && schedule.f[i] < 1 && schedule.w[i] > 0));
            depth = is_merge ? depth - 1 : depth + 1;
            ck_assert_uint_le(depth, merging.most_depth);
            pushes += !is_merge;
            merges += is_merge;
        }
        ck_assert_uint_eq(merging.node, pushes);
    }
    ck_assert_uint_eq(depth, 1);
    ck_assert_uint_eq(pushes, nodes);
    ck_assert_uint_eq(merges, nodes - 1);
    ck_assert_uint_le(merging.most_depth, CLNORM_STACK);
    ck_assert_uint_eq(merging.values[0], batch->n * batch->s);
}

static void check_division(const clnorm_desc *batch, const clnorm_parts *parts)
{
    uint64_t node = 0, leaf = 0, rows, period, elements, first;
    struct clnorm__part of;
    clnorm_desc checked;
    char why[CLNORM__WHY];

    ck_assert_int_eq(clnorm__check_parts(batch, parts, 0, 0, &checked, why), CLNORM_SUCCESS);
    ck_assert_uint_eq(checked.n, batch->n);
    for (uint64_t i = 0; i < parts->count; i++) {
        clnorm__part_of(batch, parts, i, &of);
        check_part(&of, node);
        if (of.leaves && parts->merge == CLNORM_MERGE_SAME_BITS)
            ck_assert_uint_eq(of.first, leaf);
        if (of.leaves && parts->merge == CLNORM_MERGE_BY_COUNTS)
            ck_assert_uint_eq(of.nodes, 1);
        node += of.nodes;
        leaf += of.leaves;
    }
    if (parts->merge == CLNORM_MERGE_SAME_BITS)
        ck_assert_uint_eq(leaf, clnorm__count_leaves(batch, &rows, &period));
    ck_assert_int_eq(clnorm_get_part_nodes(CLNORM_BACKWARD_TRAINING, batch, parts, parts->count, &first, &elements),
                     CLNORM_SUCCESS);
    ck_assert_uint_eq(first, node * CLNORM_SUM_WORDS * batch->c);
    ck_assert_uint_eq(elements, 0);
    check_schedule(batch, parts, node);
}

START_TEST(test_random)
{
    uint64_t seed = 3, samples[MOST_RANDOM];

    for (int k = 0; k < 20000; k++) {
        static const uint64_t most_s[] = {1, 60, 1500, 200000};
        clnorm_desc batch = {.n = 1 + random_below(&seed, 3000), .c = 1 + random_below(&seed, 9), .epsilon = 1e-5f};
        clnorm_parts parts = {1 + random_below(&seed, MOST_RANDOM), samples, (unsigned)random_below(&seed, 2)};
        uint64_t multiple, left = batch.n;

        batch.s = 1 + random_below(&seed, most_s[k % 4]);
        batch.layout = (enum clnorm_layout)random_below(&seed, 2);
        ck_assert_int_eq(clnorm_get_part_multiple(&batch, &multiple), CLNORM_SUCCESS);
        if (parts.merge == CLNORM_MERGE_BY_COUNTS)
            multiple = 1;
        for (uint64_t i = 0; i < parts.count; i++) {
            samples[i] = random_below(&seed, 2 * (batch.n / multiple) / parts.count + 2) * multiple;
            if (i + 1 == parts.count || samples[i] > left)
                samples[i] = left;
            left -= samples[i];
        }
        check_division(&batch, &parts);
    }
}
END_TEST

/* The multiple is the least with which parts begin between leaves. */
START_TEST(test_multiple)
{
    static const struct {
        enum clnorm_layout layout;
        uint64_t s, multiple;
    } known[] = {{CLNORM_CHANNELS_FIRST, 5000, 1}, {CLNORM_CHANNELS_FIRST, 784, 1}, {CLNORM_CHANNELS_FIRST, 196, 4},
                 {CLNORM_CHANNELS_FIRST, 49, 16},  {CLNORM_CHANNELS_FIRST, 1, 64},  {CLNORM_CHANNELS_LAST, 49, 64},
                 {CLNORM_CHANNELS_LAST, 64, 1},    {CLNORM_CHANNELS_LAST, 196, 16}, {CLNORM_CHANNELS_LAST, 784, 4},
                 {CLNORM_CHANNELS_LAST, 1, 64},    {CLNORM_CHANNELS_FIRST, 2, 512}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const clnorm_desc desc = {.c = 3, .s = known[i].s, .layout = known[i].layout};
        uint64_t multiple;

        ck_assert_int_eq(clnorm_get_part_multiple(&desc, &multiple), CLNORM_SUCCESS);
        ck_assert_uint_eq(multiple, known[i].multiple);
    }
    ck_assert_int_eq(clnorm_get_part_multiple(NULL, NULL), CLNORM_INVALID_ARGUMENT);
}
END_TEST

/* As many parts as there may be, and as many leaves. */
START_TEST(test_ends)
{
    uint64_t *samples = malloc(CLNORM_MOST_PARTS * sizeof(*samples));
    clnorm_desc batch = {.n = UINT64_C(3) * CLNORM_MOST_PARTS, .c = 2, .s = 1000, .epsilon = 1e-5f};
    clnorm_parts parts = {CLNORM_MOST_PARTS, samples, CLNORM_MERGE_SAME_BITS};
    struct clnorm__part of;
    char why[CLNORM__WHY];

    ck_assert_ptr_nonnull(samples);
    for (uint64_t i = 0; i < parts.count; i++)
        samples[i] = 3;
    clnorm__part_of(&batch, &parts, parts.count, &of);
    ck_assert_uint_eq(of.node, 2 * parts.count); /* 3 = 2 + 1 or 1 + 2 */
    check_schedule(&batch, &parts, of.node);

    /* 2^31 leaves in parts that begin as badly as they may. */
    batch.n = UINT64_C(1) << 31;
    parts.count = 3;
    samples[0] = 1;
    samples[1] = batch.n / 2;
    samples[2] = batch.n / 2 - 1;
    check_division(&batch, &parts);
    batch.n++;
    samples[2]++;
    ck_assert_int_eq(clnorm__check_parts(&batch, &parts, 0, 0, &batch, why), CLNORM_SIZE_OVERFLOW);
    ck_assert_ptr_nonnull(strstr(why, "2^31 leaves"));
    free(samples);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("part_nodes");
    TCase *tests = tcase_create("part_nodes");

    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, test_random);
    tcase_add_test(tests, test_multiple);
    tcase_add_test(tests, test_ends);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
