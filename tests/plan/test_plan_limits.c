/* SPDX-License-Identifier: Apache-2.0 */
/* What plans promise on shapes that are met in earnest: workspace, work for every unit, arguments that fit. */
#include "fixture/suite.h"
#include "plan_cases.h"
#include "plan/leaves.h"

#include <stdlib.h>
#include <string.h>

/* The benchmark's shapes (tests/bench/shapes.csv). */
static const uint64_t real_shapes[][3] = {
    {32, 64, 12544}, {32, 256, 3136}, {32, 64, 3136}, {32, 128, 3136}, {32, 512, 784}, {32, 128, 784},  {32, 256, 784},
    {32, 1024, 196}, {32, 256, 196},  {32, 512, 196}, {32, 2048, 49},  {32, 512, 49},  {32, 96, 3136},  {32, 144, 3136},
    {32, 192, 784},  {32, 576, 196},  {32, 960, 49},  {32, 1280, 49},  {128, 1024, 1}, {4096, 1024, 1}, {65536, 64, 1},
    {1797, 64, 1},   {8, 64, 64},     {1, 256, 196},  {32, 19, 891},   {17, 257, 143}, {2, 32, 131072}, {16, 512, 861},
};

START_TEST(workspace_is_small)
{
    for (size_t i = 0; i < sizeof real_shapes / sizeof real_shapes[0]; i++) {
        for (int layout = 0; layout < 2; layout++) {
            clnorm_desc desc = describe(real_shapes[i][0], real_shapes[i][1], real_shapes[i][2], layout);
            uint64_t tensor = 4 * desc.n * desc.c * desc.s;
            for (int d = 0; d < DEVICES; d++) {
                for (int a = 0; a < ASKS; a++) {
                    struct clnorm__plan plan;
                    ck_assert_int_eq(make(&desc, &asks[a], &devices[d].device, &plan), CLNORM_SUCCESS);
                    ck_assert_msg(4 * plan.workspace <= tensor / 100 + 65536,
                                  "%s, n %llu c %llu s %llu layout %d: %llu bytes of workspace for %llu",
                                  devices[d].name, (unsigned long long)desc.n, (unsigned long long)desc.c,
                                  (unsigned long long)desc.s, layout, 4 * (unsigned long long)plan.workspace,
                                  (unsigned long long)tensor);
                }
            }
        }
    }
}
END_TEST

/* A shape that has work for everyone leaves no compute unit idle. */
START_TEST(every_unit_has_work)
{
    for (size_t i = 0; i < sizeof real_shapes / sizeof real_shapes[0]; i++) {
        clnorm_desc desc = describe(real_shapes[i][0], real_shapes[i][1], real_shapes[i][2], CLNORM_CHANNELS_FIRST);
        if (desc.n * desc.c * desc.s < 4000000 || desc.s == 1)
            continue;
        for (int d = 0; d < DEVICES; d++) {
            struct clnorm__plan plan;
            ck_assert_int_eq(make(&desc, &asks[0], &devices[d].device, &plan), CLNORM_SUCCESS);
            const struct clnorm__launch *l = plan.fused.variant ? &plan.fused : &plan.stats;
            ck_assert_uint_ge(l->global[0] / l->local[0], devices[d].device.compute_units);
        }
    }
}
END_TEST

/* Without padding, host and device see the same bytes. */
START_TEST(arguments_have_no_padding)
{
    ck_assert_uint_eq(sizeof(struct clnorm_shape), 3 * 8 + 7 * 4 + 2 * 4 + 4);
    ck_assert_uint_eq(sizeof(struct clnorm_tree), 4 * 4 + 2 * 4 * CLNORM_TREE_LEVELS * CLNORM_TREE_WAYS);
    ck_assert_uint_eq(sizeof(struct clnorm_finish), 6 * 4);
    ck_assert_uint_eq(sizeof(struct clnorm_offsets), 10 * 8);
    ck_assert_uint_eq(sizeof(struct clnorm_cut), 7 * 8);
    ck_assert_uint_eq(sizeof(struct clnorm_extras), 2 * 4 + 3 * 8);
}
END_TEST

/* The least CL_DEVICE_MAX_PARAMETER_SIZE of OpenCL 1.2. Which kernel takes what: src/run/run.c. */
START_TEST(arguments_fit)
{
    size_t finish = sizeof(struct clnorm_shape) + sizeof(struct clnorm_tree) + sizeof(struct clnorm_finish) +
                    sizeof(struct clnorm_offsets) + 2 * 8 + 10 * 8;
    size_t stats = sizeof(struct clnorm_shape) + sizeof(struct clnorm_tree) + 2 * (8 + 8);
    size_t fused = finish - 2 * 8 - 10 * 8 + sizeof(struct clnorm_cut) + 2 * (8 + 8) + 8 * 8 + 2 * 8 +
                   sizeof(struct clnorm_extras);
    ck_assert_uint_le(finish, 1024);
    ck_assert_uint_le(fused, 1024);
    ck_assert_uint_le(stats, 1024);
}
END_TEST

START_TEST(choice_that_leaves_nothing)
{
    static const char *const names[][2] = {{"stats_cl_item", "stats"},
                                           {"finish_group", "finish"},
                                           {"apply_group", NULL},
                                           {"coefficients", NULL},
                                           {"fused_cf_item", NULL}};
    clnorm_desc desc = describe(2, 3, 4, CLNORM_CHANNELS_FIRST);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct clnorm__filter filter;
        struct clnorm__plan plan;
        ck_assert_ptr_null(clnorm__filter_read(names[i][0], &filter));
        int status = clnorm__plan_make(&desc, &asks[0], &devices[DEVICES - 1].device, &filter, &plan, why, sizeof why);
        ck_assert_int_eq(status, names[i][1] ? CLNORM_NO_VARIANT : CLNORM_SUCCESS);
        if (names[i][1])
            ck_assert_ptr_nonnull(strstr(why, names[i][1]));
    }
}
END_TEST

/* Iterations of loops of a work-item of stage one for a leaf, counted in the kernels: on the least favourable data, and no less. */
static uint64_t leaf_iterations(const struct clnorm__variant *v, int last)
{
    if (v->work_group > 1)
        return last ? 64 * 5 / (v->work_group / v->width) : 150 / (v->work_group / 64);
    return v->kind == CLNORM__ANY ? (last ? 64 * 3 : 1024 + 2 * 64 * 17) : last ? 16 * 64 * 4 : 512 * 3 + 2 * 1024;
}

/* Where a driver ends loops after 65535 iterations, no work-item of a plan takes as many; or there is no plan, and a reason. */
START_TEST(loops_are_limited)
{
    uint64_t state = 5, planned = 0, refused = 0;
    for (unsigned k = 0; k < 40000; k++) {
        struct clnorm__device device = devices[k % DEVICES].device;
        uint64_t size[3];
        for (int i = 0; i < 3; i++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            size[i] = 1 + (state >> 33) % ((uint64_t)1 << (state >> 20) % (i == 1 ? 12 : 22));
        }
        clnorm_desc desc = describe(size[0], size[1], size[2], (enum clnorm_layout)(k / 7 % 2));
        int last = clnorm__is_last(&desc);
        const struct clnorm__ask *ask = &asks[k / 16 % ASKS];
        struct clnorm__plan plan;
        device.loop_limit = 65535;
        device.tuning.is_set[CLNORM__ITEM_ELEMENTS] = k % 3 == 0;
        device.tuning.value[CLNORM__ITEM_ELEMENTS] = 1 << 20;
        int status = make(&desc, ask, &device, &plan);
        if (status == CLNORM_SIZE_OVERFLOW) /* as on any device */
            continue;
        if (status != CLNORM_SUCCESS) {
            ck_assert_int_eq(status, CLNORM_NO_VARIANT);
            ck_assert_ptr_nonnull(strstr(why, "65535 turns"));
            refused++;
            continue;
        }
        planned++;
        uint64_t leaves = plan.shape.leaves;
        if (plan.fused.variant && plan.fused.variant->step == CLNORM__INFER)
            ck_assert_uint_lt(plan.cut.rows_per_item * (plan.cut.chunk / 16 + 5), 65535);
        else if (plan.fused.variant)
            ck_assert_uint_lt(plan.cut.rows_per_item * leaves * (last ? 4 * 64 / device.vector : 64), 65535);
        if (plan.stats.variant) {
            uint64_t block = (uint64_t)1 << plan.shape.block_log2;
            block = block < leaves ? block : leaves;
            ck_assert_uint_lt(block * leaf_iterations(plan.stats.variant, last), 65535);
            ck_assert_uint_lt(plan.shape.blocks * 3 / plan.finish.variant->work_group, 65535);
        }
        if (!plan.apply.variant)
            continue;
        if (plan.apply.variant->kind == CLNORM__CPU_LIKE)
            ck_assert_uint_lt(plan.cut.rows_per_item * (plan.cut.chunk / 16 + 5), 65535);
        else if (plan.apply.variant->width)
            ck_assert_uint_lt(plan.cut.rows * plan.cut.length / plan.apply.variant->width / plan.cut.rows_per_item + 8,
                              65535);
        else if (plan.apply.dims == 2)
            ck_assert_uint_lt(
                plan.cut.rows / plan.apply.global[1] * (last ? 1 : plan.cut.length / plan.apply.global[0] + 2), 65535);
    }
    ck_assert_uint_gt(planned, 10000);
    ck_assert_uint_gt(refused, 10);
}
END_TEST

static const struct clnorm__variant *chosen(const struct clnorm__plan *plan, enum clnorm__step step)
{
    const struct clnorm__launch *launches[] = {&plan->spread, &plan->fused,  &plan->stats,
                                               &plan->roots,  &plan->finish, &plan->apply};
    for (size_t i = 0; i < sizeof launches / sizeof launches[0]; i++)
        if (launches[i]->variant && launches[i]->variant->step == step)
            return launches[i]->variant;
    return NULL;
}

/* A variant that is preferred runs wherever it fits and its step is there, on devices of the other kind as well. */
START_TEST(preferences)
{
    unsigned followed[CLNORM__VARIANTS] = {0};
    for (unsigned k = 0; k < CLNORM__VARIANTS * DEVICES * ASKS * 4; k++) {
        const struct clnorm__variant *v = &clnorm__variants[k % CLNORM__VARIANTS];
        const struct clnorm__device *device = &devices[k / CLNORM__VARIANTS % DEVICES].device;
        const struct clnorm__ask *ask = &asks[k / CLNORM__VARIANTS / DEVICES % ASKS];
        unsigned which = k / CLNORM__VARIANTS / DEVICES / ASKS;
        clnorm_desc desc = describe(32, which / 2 ? 2048 : 300, 49, which % 2);
        int last = (int)(which % 2);
        struct clnorm__filter filter = {.preferred = {{0}}};
        struct clnorm__plan plan;
        if (v->layouts == (last ? CLNORM__FIRST : CLNORM__LAST))
            continue;
        desc.group_channels = v->step >= CLNORM__SPREAD ? 4 : 0; /* the steps of groups of channels */
        filter.preferred[v->step][last] = (unsigned char)(k % CLNORM__VARIANTS + 1);
        ck_assert_int_eq(clnorm__plan_make(&desc, ask, device, &filter, &plan, why, sizeof why), CLNORM_SUCCESS);
        const struct clnorm__variant *got = chosen(&plan, v->step);
        if (got && !clnorm__variant_refusal(v, device, last, plan.shape.leaves))
            ck_assert_str_eq(got->name, v->name);
        followed[k % CLNORM__VARIANTS] +=
            got == v && (v->kind == CLNORM__ANY || (v->kind == CLNORM__CPU_LIKE) != device->cpu_like);
    }
    /*
     * No device of the other kind here has a cache to fuse in, inference is one launch of less than this, one group needs no join, and
     * these are no parts of a batch.
     */
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
        if (clnorm__variants[i].step != CLNORM__FUSED && clnorm__variants[i].step != CLNORM__DIFF_FUSED &&
            clnorm__variants[i].step != CLNORM__INFER && clnorm__variants[i].step != CLNORM__JOIN &&
            clnorm__variants[i].step != CLNORM__DIFF_JOIN && clnorm__variants[i].step < CLNORM__NODES)
            ck_assert_msg(followed[i] > 0, "%s", clnorm__variants[i].name);
    /* On a GPU with a cache, one launch is possible, but only when it is preferred. */
    struct clnorm__device gpu = {.compute_units = 4, .vector = 4, .max_work_group = 256, .local_bytes = 32 << 10};
    gpu.cache_bytes = 64 << 20;
    clnorm_desc desc = describe(32, 64, 49, CLNORM_CHANNELS_FIRST);
    struct clnorm__filter filter = {.preferred = {{0}}};
    struct clnorm__plan plan;
    for (int ask = 0; ask < 2; ask++) {
        const enum clnorm__step step = ask ? CLNORM__INFER : CLNORM__FUSED;
        for (int turn = 0; turn < 2; turn++) {
            ck_assert_int_eq(clnorm__plan_make(&desc, &asks[ask], &gpu, &filter, &plan, why, sizeof why),
                             CLNORM_SUCCESS);
            ck_assert_int_eq(plan.fused.variant != NULL, turn);
            for (unsigned i = 0; i < CLNORM__VARIANTS; i++)
                if (clnorm__variants[i].step == step && clnorm__variants[i].layouts != CLNORM__LAST)
                    filter.preferred[step][0] = (unsigned char)(i + 1);
        }
    }
}
END_TEST

static struct clnorm_cut fused_cut(uint64_t n, uint64_t c, uint64_t s, enum clnorm_layout layout, int backward)
{
    clnorm_desc desc = describe(n, c, s, layout);
    struct clnorm__plan plan;
    ck_assert_int_eq(make(&desc, &asks[backward ? 2 : 0], &devices[2].device, &plan), CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(plan.fused.variant);
    return plan.cut;
}

/* What is stored late fits near a core, with all the tensors that are read; beyond the cache the widest columns take more of it. */
START_TEST(fused_groups)
{
    static const uint64_t near = 1 << 17;
    ck_assert_str_eq(devices[2].name, "cpu with a cache");
    for (int backward = 0; backward < 2; backward++) {
        struct clnorm_cut cut = fused_cut(32, 1024, 196, CLNORM_CHANNELS_FIRST, backward);
        ck_assert_uint_eq(cut.chunk, backward ? 2 : 4);
        ck_assert_uint_le(cut.chunk * 32 * 196 * 4 * (uint64_t)(1 + backward), near);
        ck_assert_uint_eq(cut.overlap, 1);
        cut = fused_cut(32, 64, 784, CLNORM_CHANNELS_FIRST, backward);
        ck_assert_uint_eq(cut.chunk, 1);
        ck_assert_uint_eq(cut.overlap, !backward);
        ck_assert_uint_eq(fused_cut(32, 64, 3136, CLNORM_CHANNELS_FIRST, backward).overlap, 0);
    }
    /* Very short rows of many samples: to runs of 128 floats, while they take no more than a quarter of a unit's cache. */
    ck_assert_uint_eq(fused_cut(1024, 256, 49, CLNORM_CHANNELS_FIRST, 0).chunk, 4);
    ck_assert_uint_eq(fused_cut(1024, 256, 49, CLNORM_CHANNELS_FIRST, 0).overlap, 0);
    ck_assert_uint_eq(fused_cut(4096, 256, 9, CLNORM_CHANNELS_FIRST, 0).chunk, 16);
    ck_assert_uint_eq(fused_cut(4096, 256, 9, CLNORM_CHANNELS_FIRST, 1).chunk, 8);
    ck_assert_uint_eq(fused_cut(8192, 256, 49, CLNORM_CHANNELS_FIRST, 0).chunk, 2);
    ck_assert_uint_eq(fused_cut(51, 512, 196, CLNORM_CHANNELS_LAST, 0).chunk, 4 * 8);
    ck_assert_uint_eq(fused_cut(51, 2048, 196, CLNORM_CHANNELS_LAST, 0).chunk, 8 * 8);
    ck_assert_uint_eq(fused_cut(64, 1024, 196, CLNORM_CHANNELS_LAST, 1).chunk, 8 * 8);
    for (int backward = 0; backward < 2; backward++)
        ck_assert_uint_eq(fused_cut(8, 35, 19, CLNORM_CHANNELS_LAST, backward).chunk, 8);
}
END_TEST

/* One launch or several: where the wrong choice took up to ten times as long. */
START_TEST(one_launch_or_several)
{
    static const struct {
        uint64_t n, c, s;
        enum clnorm_layout layout;
        int training, inference; /* in one launch */
    } cases[] = {
        /* Channels that fill no vector are gathered one by one: of few positions alone. */
        {8, 513, 196, CLNORM_CHANNELS_LAST, 0, 0},
        {8, 35, 19, CLNORM_CHANNELS_LAST, 1, 1},
        {100000, 1, 1, CLNORM_CHANNELS_LAST, 0, 1},
        {30000, 3, 1, CLNORM_CHANNELS_LAST, 0, 1},
        {512, 30, 1, CLNORM_CHANNELS_LAST, 1, 1},
        {513, 30, 1, CLNORM_CHANNELS_LAST, 0, 1},
        {513, 32, 1, CLNORM_CHANNELS_LAST, 1, 1},
        {8, 1024, 1, CLNORM_CHANNELS_LAST, 1, 1},
        /* Narrow samples of rows shorter than a vector, unless they are few. */
        {24000, 64, 2, CLNORM_CHANNELS_FIRST, 0, 0},
        {12000, 64, 4, CLNORM_CHANNELS_FIRST, 0, 0},
        {100, 64, 4, CLNORM_CHANNELS_FIRST, 1, 1},
        {1000, 1024, 7, CLNORM_CHANNELS_FIRST, 1, 0},
        {3000, 64, 16, CLNORM_CHANNELS_FIRST, 1, 0},
        /* Coefficients that each work-item would make again. */
        {1797, 64, 1, CLNORM_CHANNELS_LAST, 1, 1},
        {128, 1024, 1, CLNORM_CHANNELS_LAST, 1, 0},
        {1, 256, 196, CLNORM_CHANNELS_FIRST, 1, 1},
        {1, 4096, 9, CLNORM_CHANNELS_FIRST, 1, 0},
    };
    struct clnorm__device device = devices[2].device;
    device.compute_units = 2;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int a = 0; a < 3; a++) {
            clnorm_desc desc = describe(cases[i].n, cases[i].c, cases[i].s, cases[i].layout);
            struct clnorm__plan plan;
            ck_assert_int_eq(make(&desc, &asks[a], &device, &plan), CLNORM_SUCCESS);
            ck_assert_msg((plan.fused.variant != NULL) == (a == 1 ? cases[i].inference : cases[i].training),
                          "case %zu, ask %d", i, a);
        }
    }
}
END_TEST

/* The unit that has most to do has at most a ninth more than its share of the groups. */
START_TEST(fused_work_is_even)
{
    const uint64_t units = devices[2].device.compute_units;
    for (uint64_t c = 512; c <= 4096; c += 64) {
        for (int last = 0; last < 2; last++) {
            struct clnorm_cut cut = fused_cut(64, c, 49, last ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST, 0);
            uint64_t groups = (c + cut.chunk - 1) / cut.chunk;
            uint64_t items = (c + cut.rows_per_item - 1) / cut.rows_per_item, even = (groups + units - 1) / units;
            uint64_t most = (items + units - 1) / units * cut.rows_per_item / cut.chunk;
            ck_assert_uint_ge(cut.chunk, 8);
            ck_assert_msg(9 * most <= 10 * even, "c %llu last %d: %llu of %llu", (unsigned long long)c, last,
                          (unsigned long long)most, (unsigned long long)even);
        }
    }
}
END_TEST

/* Results pass the caches where the tensors of a call fill too much of them: two forward, three backward. */
START_TEST(stores_past_the_caches)
{
    static const struct {
        unsigned ask;
        int fused;
        unsigned tensors, percent;
    } cases[] = {{0, 0, 2, 80}, {1, 0, 2, 80}, {2, 0, 3, 80}, {4, 0, 3, 80}, {0, 1, 2, 45}, {2, 1, 3, 45}};
    const struct clnorm__device *device = &devices[2].device;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const uint64_t row = 64 * 64, most = device->cache_bytes * cases[i].percent / 100 / cases[i].tensors / 4 / row;
        for (uint64_t more = 0; more < 2; more++) {
            clnorm_desc desc =
                describe(most + more, 64, 64, cases[i].fused ? CLNORM_CHANNELS_FIRST : CLNORM_CHANNELS_LAST);
            struct clnorm__plan plan;
            ck_assert_int_eq(make(&desc, &asks[cases[i].ask], device, &plan), CLNORM_SUCCESS);
            ck_assert_int_eq(plan.fused.variant != NULL, cases[i].fused);
            ck_assert_uint_eq(plan.cut.stream, more);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("plan_limits");
    TCase *tests = tcase_create("plan_limits");
    tcase_add_test(tests, workspace_is_small);
    tcase_add_test(tests, every_unit_has_work);
    tcase_add_test(tests, arguments_have_no_padding);
    tcase_add_test(tests, arguments_fit);
    tcase_add_test(tests, choice_that_leaves_nothing);
    tcase_add_test(tests, loops_are_limited);
    tcase_add_test(tests, preferences);
    tcase_add_test(tests, fused_groups);
    tcase_add_test(tests, one_launch_or_several);
    tcase_add_test(tests, fused_work_is_even);
    tcase_add_test(tests, stores_past_the_caches);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
