/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices are believed by their arithmetic. The kernel that tries it is replaced, by files of the context's kernel folder, with ones
 * that compute as bad devices do: then bits go down, and a context that demands them is refused.
 */
#define _DEFAULT_SOURCE
#include "fixture/suite.h"
#include "device/cache.h"
#include "device/context.h"
#include "fixture/device_fixture.h"
#include "device/probe.h"
#include "device/program.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

static clnorm_device_info device;
static struct rig rig;
static struct clnorm__probe expected;

/* ---- judgement, without a device ---- */

START_TEST(test_judge)
{
    static float out[CLNORM__PROBE_WORDS];
    unsigned tiny = 0, large = 0;
    char why[256];

    memcpy(out, expected.out, sizeof(out));
    ck_assert_int_eq(clnorm__probe_judge(&expected, out, why, sizeof(why)), CLNORM_BITS_SAME);
    ck_assert_str_eq(why, "");
    /* The last bit of any one word. */
    for (unsigned i = 0; i < CLNORM__PROBE_WORDS; i++) {
        uint32_t bits = case_bits(out[i]) ^ 1u;

        if (isnan(out[i]) || isinf(out[i]))
            continue;
        memcpy(&out[i], &bits, sizeof(bits));
        ck_assert_int_eq(clnorm__probe_judge(&expected, out, why, sizeof(why)),
                         expected.is_tiny[i] ? CLNORM_BITS_SAME_NORMAL : CLNORM_BITS_NONE);
        ck_assert_ptr_nonnull(strstr(why, "should be"));
        out[i] = expected.out[i];
        tiny += expected.is_tiny[i];
        large += !expected.is_tiny[i];
    }
    ck_assert_uint_ge(tiny, 40);
    ck_assert_uint_ge(large, 500);
    /* A NaN is a NaN; a zero of the other sign is as a flushed number. */
    for (unsigned i = 0; i < CLNORM__PROBE_WORDS; i++) {
        if (!isnan(out[i]) && out[i] != 0)
            continue;
        out[i] = -out[i];
        ck_assert_int_eq(clnorm__probe_judge(&expected, out, why, sizeof(why)),
                         isnan(out[i]) ? CLNORM_BITS_SAME : CLNORM_BITS_SAME_NORMAL);
        out[i] = expected.out[i];
    }
}
END_TEST

/* What is right does not depend on how the program has set its processor. */
START_TEST(test_environment)
{
    static struct clnorm__probe other;

    fesetround(FE_UPWARD);
#if defined(__SSE__)
    _mm_setcsr(_mm_getcsr() | 0x8040); /* flush results and operands */
#endif
    clnorm__probe_expect(&other);
#if defined(__SSE__)
    ck_assert_uint_eq(_mm_getcsr() & 0x8040, 0x8040);
    _mm_setcsr(_mm_getcsr() & ~0x8040u);
#endif
    ck_assert_int_eq(fegetround(), FE_UPWARD);
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(memcmp(&other, &expected, sizeof(other)), 0);
}
END_TEST

/*
 * The cases tell apart what they are there for: a fused multiply-add from two roundings, and from one that goes by binary64, which
 * rounds twice; a flush of operands or results from none. By the host, so that no device is needed that is bad in this way.
 */
START_TEST(test_cases_discriminate)
{
    unsigned twice = 0, by_double = 0, zeros = 0, flushed = 0;

    for (unsigned i = 0; i < CLNORM__PROBE_TRIPLES; i++) {
        const float *in = &expected.in[3 * i], *out = &expected.out[7 * i];
        volatile double product = (double)in[0] * in[1], sum = product + in[2];

        twice += !expected.is_tiny[7 * i + 3] && case_bits(out[3]) != case_bits(out[4]);
        by_double += !expected.is_tiny[7 * i + 3] && case_bits(out[3]) != case_bits((float)sum);
        for (unsigned k = 0; k < 7; k++) {
            zeros += out[k] == 0 && signbit(out[k]);
            flushed += out[k] != 0 && fabsf(out[k]) < FLT_MIN && expected.is_tiny[7 * i + k];
            ck_assert(expected.is_tiny[7 * i + k] || out[k] == 0 || fabsf(out[k]) >= FLT_MIN);
        }
    }
    ck_assert_uint_ge(twice, 20);
    ck_assert_uint_ge(by_double, 3);
    ck_assert_uint_ge(zeros, 8);
    ck_assert_uint_ge(flushed, 20);
}
END_TEST

/* ---- sabotage ---- */

static void replace(char *text, size_t size, const char *from, const char *to)
{
    char *at = strstr(text, from);
    size_t tail;

    ck_assert_msg(at != NULL, "probe.cl has no %s", from);
    tail = strlen(at + strlen(from)) + 1;
    ck_assert_uint_lt((size_t)(at - text) + strlen(to) + tail, size);
    memmove(at + strlen(to), at + strlen(from), tail);
    memcpy(at, to, strlen(to));
}

/* A folder with one embedded file, changed in one place. */
static const char *changed_folder(const char *name, const char *from, const char *to)
{
    static char text[1 << 16];
    const char *folder = fixture_folder();
    const struct clnorm__file *f = clnorm__files;

    while (strcmp(f->name, name) != 0)
        f++;
    memcpy(text, f->text, f->size);
    text[f->size] = '\0';
    replace(text, sizeof(text), from, to);
    fixture_write(folder, name, text, strlen(text));
    return folder;
}

/* A context's bits with these kernel files; with `least` more than that it is refused. */
static enum clnorm_bits found(const char *kernel_dir)
{
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;
    clnorm_device_info info;

    messages_clear(&rig.messages);
    options.kernel_dir = kernel_dir;
    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_device(context, &info), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    for (int least = CLNORM_BITS_NONE; least <= CLNORM_BITS_SAME; least++) {
        options.least_bits = (enum clnorm_bits)least;
        int status = clnorm_create_context(rig.cl, rig.info.device, &options, &context);
        ck_assert_int_eq(status, least <= (int)info.bits ? CLNORM_SUCCESS : CLNORM_DEVICE_BITS);
        if (status == CLNORM_SUCCESS)
            ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
        else
            ck_assert_ptr_null(context);
    }
    return info.bits;
}

static const struct sabotage {
    const char *name, *file, *from, *to;
    enum clnorm_bits most;
    const char *told;
} sabotages[] = {
    {"contraction", "common/probe.cl", "out[4] = a * b + c", "out[4] = fma(a, b, c)", CLNORM_BITS_NONE,
     "a * b + c with"},
    {"contraction in spite of fma", "common/probe.cl", "out[6] = mul_f(a, b) + c", "out[6] = fma(a, b, c)",
     CLNORM_BITS_NONE, "fma(a, b, -0) + c with"},
    {"an fma of two roundings", "common/probe.cl", "out[3] = fma(a, b, c)", "out[3] = a * b + c", CLNORM_BITS_NONE,
     "fma(a, b, c) with"},
    {"a product with +0", "common/pair.cl", "return fma(a, b, (T)(-0.0f))", "return fma(a, b, (T)(0.0f))",
     CLNORM_BITS_SAME_NORMAL, "fma(a, b, -0) with"},
    {"rounding to zero", "common/probe.cl", "out[0] = a + b",
     "out[0] = fabs(a) > fabs(b) && fabs(a + b - a) > fabs(b) ? as_float(as_uint(a + b) - 1u) : a + b",
     CLNORM_BITS_NONE, "a + b with"},
    {"no sign of zero", "common/probe.cl", "out[2] = a * b", "out[2] = a * b == 0 ? 0.0f : a * b",
     CLNORM_BITS_SAME_NORMAL, "a * b with"},
    {"flushed results", "common/probe.cl", "out[2] = a * b",
     "out[2] = fabs(a * b) < 0x1p-126f ? copysign(0.0f, a * b) : a * b", CLNORM_BITS_SAME_NORMAL, "a * b with"},
    {"flushed operands", "common/probe.cl", "float a = in[3 * i]",
     "float a = fabs(in[3 * i]) < 0x1p-126f ? copysign(0.0f, in[3 * i]) : in[3 * i]", CLNORM_BITS_SAME_NORMAL,
     "with a = "},
    {"a tree that drops low parts", "common/pair.cl", "r.lo = (a - (r.hi - t)) + (b - t);", "r.lo = 0.0f * t;",
     CLNORM_BITS_NONE, "trees of pairs"},
    {"it does not compile", "common/probe.cl", "float a", "this is no type", CLNORM_BITS_NONE, "does not run"},
    {"no such kernel", "common/probe.cl", "kernel void probe", "kernel void other", CLNORM_BITS_NONE, "does not run"},
};

START_TEST(test_sabotage)
{
    const struct sabotage *s = &sabotages[_i];
    const char *folder = changed_folder(s->file, s->from, s->to);
    enum clnorm_bits most = s->most < device.bits ? s->most : device.bits;
    char warning[256];

    /* The second time from the disk cache. */
    for (unsigned turn = 0; turn < 2; turn++) {
        ck_assert_msg(found(folder) == most, "%s", s->name);
        ck_assert_msg(most == device.bits || messages_have(&rig.messages, s->told), "%s: %s", s->name,
                      rig.messages.text);
        snprintf(warning, sizeof(warning), "1 %s does not compute as its driver says", device.name);
        ck_assert(most == device.bits || messages_have(&rig.messages, warning));
    }
    /* The device itself is as it was. */
    ck_assert_int_eq(found(NULL), device.bits);
}
END_TEST

/* ---- what is kept ---- */

static enum clnorm_bits found_in(const char *cache_dir, int *is_run)
{
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;
    clnorm_device_info info;

    messages_clear(&rig.messages);
    options.cache_dir = cache_dir;
    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_device(context, &info), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    *is_run = messages_have(&rig.messages, "compiling common/probe.cl");
    return info.bits;
}

START_TEST(test_kept)
{
    const char *folder = fixture_folder();
    char command[600];
    int is_run;

    ck_assert_int_eq(found_in("", &is_run), device.bits);
    ck_assert(is_run);
    ck_assert_int_eq(found_in("", &is_run), device.bits);
    ck_assert(is_run);
    ck_assert_int_eq(found_in(folder, &is_run), device.bits);
    ck_assert(is_run);
    ck_assert_int_eq(found_in(folder, &is_run), device.bits);
    ck_assert(!is_run);
    /* Damaged in its last byte, cut off, empty: it is not believed, and made again. */
    static const char *const damages[] = {
        "printf X | dd bs=1 conv=notrunc seek=$(($(stat -c %s \"$f\") - 1)) of=\"$f\"", "truncate -s -1 \"$f\"",
        ": > \"$f\"", "rm \"$f\"; mkdir \"$f\""};
    for (unsigned i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        snprintf(command, sizeof(command), "for f in %s/*.bin; do %s; done 2>/dev/null", folder, damages[i]);
        ck_assert_int_eq(system(command), 0);
        ck_assert_int_eq(found_in(folder, &is_run), device.bits);
        ck_assert(is_run);
        ck_assert_int_eq(found_in(folder, &is_run), device.bits);
        ck_assert_int_eq(is_run, i == 3); /* what cannot be stored is run each time */
    }
}
END_TEST

START_TEST(test_options)
{
    clnorm_context_options options = {.least_bits = (enum clnorm_bits)3};
    clnorm_context *context;

    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_INVALID_ENUM);
    ck_assert_ptr_null(context);
}
END_TEST

static void open_rig(void)
{
    rig_open(&rig, &device, 0);
}

static void close_rig(void)
{
    rig_close(&rig);
}

int main(void)
{
    Suite *suite = suite_create("probe");
    TCase *cases = tcase_create("probe");

    fixture_own_cache();
    device = fixture_device();
    clnorm__probe_expect(&expected);
    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, open_rig, close_rig);
    tcase_add_test(cases, test_judge);
    tcase_add_test(cases, test_environment);
    tcase_add_test(cases, test_cases_discriminate);
    tcase_add_loop_test(cases, test_sabotage, 0, (int)(sizeof(sabotages) / sizeof(sabotages[0])));
    tcase_add_test(cases, test_kept);
    tcase_add_test(cases, test_options);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
