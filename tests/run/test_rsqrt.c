/* SPDX-License-Identifier: Apache-2.0 */
/*
 * invstd = 1/sqrt(t), correctly rounded: shown by running through t, with whole numbers as the judge. The judge has nothing in
 * common with the routine: y is right when (y - half a unit)^2 t < 1 < (y + half a unit)^2 t, and t is a float, so that both
 * products fit 128 bits. Neither can be 1: the borders' numerators are odd and not 1.
 *
 * t 4^k has the root of t, shifted by k: all mantissas of two neighbouring exponents, all subnormal numbers and a sample of every other
 * exponent are tested by default. --all takes every positive finite float.
 *
 * On every device the same values go through each kernel that takes the root, as the variances of a layer of as many channels.
 */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"
#include "scalar.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, INFINITE = 0x7f800000, NORMAL = 0x00800000, ONE = 0x3f800000, EXPONENT = 0x00800000 };

static int is_all;

/* A float as mantissa 2^exponent, the mantissa as it stands: for positive finite numbers. */
static uint64_t take_apart(uint32_t bits, int *exponent)
{
    *exponent = bits < NORMAL ? -149 : (int)(bits >> 23) - 150;
    return bits < NORMAL ? bits : (bits & 0x7fffff) | 0x800000;
}

/* Whether y is 1/sqrt(t), correctly rounded. Roots of floats lie far inside the normal numbers. */
static int is_right(uint32_t t_bits, uint32_t y_bits)
{
    int t_exponent, y_exponent, power;
    uint64_t t = take_apart(t_bits, &t_exponent), y = take_apart(y_bits, &y_exponent), below, above;

    if (y_bits < NORMAL || y_bits >= INFINITE)
        return 0;
    /* In quarters of y's unit; below a power of two floats stand half as far apart. */
    below = 4 * y - (y == 0x800000 ? 1 : 2);
    above = 4 * y + 2;
    power = -2 * (y_exponent - 2) - t_exponent; /* 1 in units of border^2 t */
    if (power < 0 || power > 100)
        return 0;
    return (unsigned __int128)below * below * t < (unsigned __int128)1 << power &&
           (unsigned __int128)above * above * t > (unsigned __int128)1 << power;
}

/* ---- the routine itself, in C ---- */

struct part_of_all {
    uint32_t first, end, step;
    uint64_t count, wrong;
    uint32_t wrong_bits;
};

static void *run_part(void *user)
{
    struct part_of_all *part = user;

    for (uint64_t bits = part->first; bits < part->end; bits += part->step, part->count++) {
        float root = clnorm_rsqrt(clnorm_float_of((uint32_t)bits));

        if (!is_right((uint32_t)bits, clnorm_bits_of(root)) && part->wrong++ == 0)
            part->wrong_bits = (uint32_t)bits;
    }
    return NULL;
}

/* Every step-th float from first on, below end; returns how many there were. */
static uint64_t run_through(uint32_t first, uint32_t end, uint32_t step)
{
    struct part_of_all parts[THREADS];
    pthread_t threads[THREADS];
    uint64_t count = 0;

    for (unsigned i = 0; i < THREADS; i++) {
        parts[i] = (struct part_of_all){.first = first + i * step, .end = end, .step = THREADS * step};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_part, &parts[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        count += parts[i].count;
        ck_assert_msg(parts[i].wrong == 0, "%llu wrong ones, 1/sqrt(%a) the first", (unsigned long long)parts[i].wrong,
                      (double)clnorm_float_of(parts[i].wrong_bits));
    }
    return count;
}

START_TEST(test_routine)
{
    uint64_t count = 0;

    if (is_all) {
        count = run_through(1, INFINITE, 1);
    } else {
        count += run_through(1, NORMAL, 1);                               /* subnormal */
        count += run_through(ONE, ONE + 2 * EXPONENT, 1);                 /* [1, 4) */
        count += run_through(NORMAL, INFINITE, 257);                      /* odd: other mantissas in each exponent */
        for (uint32_t edge = EXPONENT; edge < INFINITE; edge += EXPONENT) /* both ends of every exponent */
            count += run_through(edge - 64, edge + 64, 1);
        count += run_through(INFINITE - 64, INFINITE, 1);
    }
    printf("1/sqrt is correctly rounded for %llu floats%s\n", (unsigned long long)count,
           is_all ? ": all that are positive and finite" : "");
    if (is_all)
        ck_assert_uint_eq(count, INFINITE - 1);
}
END_TEST

/* One unit off, either way, is seen: also beside a power of two. */
START_TEST(test_judge)
{
    static const float values[] = {3.0f, 1.0f, 4.0f, 0x1p-149f, 0x1.8p-140f, FLT_MIN, FLT_MAX, 0x1.fffffep-1f, 1e-5f};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint32_t t = clnorm_bits_of(values[i]), y = clnorm_bits_of((float)(1 / sqrt((double)values[i])));

        ck_assert(is_right(t, y));
        ck_assert(!is_right(t, y - 1) && !is_right(t, y + 1));
    }
    ck_assert(!is_right(ONE, 0) && !is_right(ONE, INFINITE) && !is_right(ONE, NORMAL));
}
END_TEST

/* ---- the kernels ---- */

enum { CHANNELS = 1 << 20 };

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

struct kernel_of_root {
    enum clnorm_operation operation;
    const char *variant;
};

/* Everything that takes the root of what a caller gives. */
static const struct kernel_of_root kernels[] = {{CLNORM_FORWARD_INFERENCE, "coefficients_item"},
                                                {CLNORM_FORWARD_INFERENCE, "coefficients"},
                                                {CLNORM_BACKWARD_FROZEN, "diff_finish_item"},
                                                {CLNORM_BACKWARD_FROZEN, "diff_finish_group"}};
enum { KERNELS = sizeof(kernels) / sizeof(kernels[0]) };

/* One sample of ones: with mean 0, and with gradients of 1, the result is invstd. */
static void make_inputs(struct values *values, const clnorm_desc *desc)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        values->count[s] = desc->c;
        ck_assert_ptr_nonnull(values->slot[s] = calloc(desc->c, sizeof(float)));
    }
    for (uint64_t c = 0; c < desc->c; c++)
        values->slot[SRC][c] = values->slot[DIFF_DST][c] = 1.0f;
}

static void run_kernel(struct rig *rig, struct parts *parts, clnorm_context *context, const struct kernel_of_root *row,
                       struct values *values, const clnorm_desc *desc, uint32_t first, uint32_t step)
{
    struct call call = {.operation = row->operation, .desc = *desc, .alias = OUT};
    struct finding finding;

    call.absent = BIT(SCALE) | BIT(SHIFT) | BIT(DIFF_SCALE);
    for (uint64_t c = 0; c < desc->c; c++)
        values->slot[VARIANCE][c] = clnorm_float_of(first + step * (uint32_t)c);
    ck_assert_int_eq(call_run(context, rig->queue, &call, parts, values, values, CLNORM_BITS_NONE, &finding),
                     CLNORM_SUCCESS);
    ck_assert_msg(finding.differences == 0, "%s: %s", row->variant, finding.text);
    const uint32_t *roots = part_read(parts, rig->queue, OUT);

    for (uint64_t c = 0; c < desc->c; c++)
        if (!is_right(first + step * (uint32_t)c, roots[c]))
            ck_abort_msg("%s: 1/sqrt(%a) is not %a", row->variant, (double)values->slot[VARIANCE][c],
                         (double)clnorm_float_of(roots[c]));
}

START_TEST(test_kernels)
{
    static struct rig rig;
    static struct parts parts;
    clnorm_desc desc = {1,     fixture_is_small() ? 4096 + 5 : CHANNELS, 1, CLNORM_CHANNELS_LAST, CLNORM_FLOAT32, 0,
                        {0, 0}};
    struct values values = {0};
    uint32_t dense = fixture_is_small() ? 0 : 2 * EXPONENT / CHANNELS;

    rig_open(&rig, &devices[_i], 0);
    parts.cl = rig.cl;
    make_inputs(&values, &desc);
    for (unsigned k = 0; k < KERNELS; k++) {
        clnorm_context_options options = messages_options(&rig.messages);
        clnorm_context *context;
        uint32_t step = (INFINITE - NORMAL) / (uint32_t)desc.c;

        options.variants = kernels[k].variant;
        ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
        for (uint32_t i = k; i < dense; i += KERNELS) /* [1, 4), each mantissa by one of them */
            run_kernel(&rig, &parts, context, &kernels[k], &values, &desc, ONE + i * CHANNELS, 1);
        run_kernel(&rig, &parts, context, &kernels[k], &values, &desc, NORMAL, step - 1 + step % 2);
        if (rig.info.bits == CLNORM_BITS_SAME)
            run_kernel(&rig, &parts, context, &kernels[k], &values, &desc, 1, NORMAL / (uint32_t)desc.c);
        ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    }
    values_free(&values);
    parts_free(&parts);
    rig_close(&rig);
}
END_TEST

int main(int count, char **words)
{
    Suite *suite = suite_create("rsqrt");
    TCase *cases = tcase_create("rsqrt");

    is_all = count == 2 && strcmp(words[1], "--all") == 0;
    if (count > 1 && !is_all) {
        fprintf(stderr, "usage: test_rsqrt [--all]\n");
        return 2;
    }
    fixture_own_cache();
    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_judge);
    tcase_add_test(cases, test_routine);
    if (!is_all) {
        device_count = fixture_devices(devices);
        tcase_add_loop_test(cases, test_kernels, 0, (int)device_count);
    }
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
