/* SPDX-License-Identifier: Apache-2.0 */
/* The tool's forward and backward with a residual, an activation and its mask, and on tensors of 16 bits. */
#include "cases.h"
#include "cli_run.h"
#include "cli/files/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ELEMENTS = 5 * 3 * 49, CHANNELS = 3, WORDS = (ELEMENTS + 31) / 32 };
static const uint64_t shape[4] = {5, CHANNELS, 7, 7};

static int is_same_bits; /* whether the default device promises them */

static void setup(void)
{
    cli_count_files(1);
    cli_fast_rows();
}

/* ---- numbers of 16 bits ---- */

static float from_half(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float value = exponent ? ldexpf((float)(1024 + fraction), exponent - 25) : ldexpf((float)fraction, -24);

    return half & 0x8000 ? -value : value;
}

/* To nearest even; of values that do not overflow. */
static uint16_t to_half(float value)
{
    int exponent, fraction;

    frexpf(value, &exponent);
    exponent = value == 0 || exponent - 1 < -14 ? -14 : exponent - 1;
    fraction = (int)rintf(ldexpf(fabsf(value), 10 - exponent));
    /* A fraction of 2048 carries into the exponent, one below 1024 is subnormal: both by the sum alone. */
    return (uint16_t)((signbit(value) ? 0x8000 : 0) + ((exponent + 14) << 10) + fraction);
}

static float from_bfloat(uint16_t bfloat)
{
    uint32_t bits = (uint32_t)bfloat << 16;
    float value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint16_t to_bfloat(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static const struct narrow {
    const char *name, *option;
    enum npy_type type;
    float (*widen)(uint16_t);
    uint16_t (*narrow)(float);
    float step; /* of the last place, relative */
} narrows[] = {
    {"float16", "", NPY_FLOAT16, from_half, to_half, 0x1p-10f},
    {"bfloat16", " --bfloat16", NPY_UINT16, from_bfloat, to_bfloat, 0x1p-7f},
};

/* ---- files ---- */

static float x[ELEMENTS], r[ELEMENTS], dy[ELEMENTS];

static void write_others(const char *path, unsigned rank, const uint64_t *sizes, enum npy_type type, const void *values)
{
    struct npy_output output = {.path = path, .rank = rank, .others = values, .type = type};
    struct npy_error error;

    memcpy(output.shape, sizes, rank * sizeof(sizes[0]));
    ck_assert_msg(npy_write_all(&output, 1, &error) == 0, "%s", error.text);
}

/* x, r and dy, scale and shift, mean and var. */
static void make_files(void)
{
    clnorm_desc desc;
    float scale[CHANNELS], shift[CHANNELS], mean[CHANNELS], var[CHANNELS];
    uint64_t channels = CHANNELS;

    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, shape, &desc), CLNORM_SUCCESS);
    case_fill(CASE_NORMAL, &desc, 1, x);
    case_fill(CASE_NORMAL, &desc, 2, r);
    case_fill_diff(&desc, 3, dy);
    case_fill_params(&desc, 4, scale, shift);
    case_fill_running(&desc, 5, mean, var);
    cli_write_array("x.npy", 4, shape, x);
    cli_write_array("r.npy", 4, shape, r);
    cli_write_array("dy.npy", 4, shape, dy);
    cli_write_array("scale.npy", 1, &channels, scale);
    cli_write_array("shift.npy", 1, &channels, shift);
    cli_write_array("mean.npy", 1, &channels, mean);
    cli_write_array("var.npy", 1, &channels, var);
}

static struct npy_array read_kind(const char *path, enum npy_kind kind)
{
    struct npy_array array;
    struct npy_error error;

    ck_assert_msg(npy_read_kind(path, kind, &array, &error) == 0, "%s", error.text);
    return array;
}

/* The values of a file of float32. */
static void read_floats(const char *path, uint64_t count, float *values)
{
    struct npy_array array = read_kind(path, NPY_REALS);

    ck_assert_uint_eq(array.count, count);
    memcpy(values, array.values, count * sizeof(*values));
    npy_free(&array);
}

static void read_words(const char *path, uint32_t *words)
{
    struct npy_array array = read_kind(path, NPY_WORDS);

    ck_assert_uint_eq(array.rank, 1);
    ck_assert_uint_eq(array.count, WORDS);
    memcpy(words, array.words, sizeof(*words) * WORDS);
    npy_free(&array);
}

/* Two files of float32 have the same bits. */
static void assert_same(const char *a, const char *b)
{
    struct npy_array one = read_kind(a, NPY_REALS), other = read_kind(b, NPY_REALS);

    ck_assert_uint_eq(one.count, other.count);
    for (uint64_t i = 0; i < one.count; i++)
        ck_assert_msg(case_bits(one.values[i]) == case_bits(other.values[i]), "%s[%llu] is %a, and %a in %s", a,
                      (unsigned long long)i, (double)one.values[i], (double)other.values[i], b);
    npy_free(&one);
    npy_free(&other);
}

/* ---- tests ---- */

/* What the default device promises, from what a verbose run says of it. Runs first. */
START_TEST(test_promise)
{
    make_files();
    ck_assert_msg(cli_run("--verbose forward --in x.npy --out y.npy") == 0, "%s", cli_err);
    is_same_bits = strstr(cli_err, ", same bits\n") != NULL;
}
END_TEST

static const struct {
    const char *text;
    float slope, cap;
} activations[] = {{"relu", 0, INFINITY}, {"leaky:0.125", 0.125f, INFINITY}, {"clip:1.5", 0, 1.5f}};

enum { ACTIVATIONS = sizeof(activations) / sizeof(activations[0]) };

#define FORWARD "forward --in x.npy --residual r.npy --scale scale.npy --shift shift.npy"

static float v[ELEMENTS], y[ELEMENTS], plain[ELEMENTS], residual_gradient[ELEMENTS];
static uint32_t mask[WORDS];

/* Forward training with activation number _i: against the same without it, and that against one without the residual. */
START_TEST(test_forward)
{
    float slope = activations[_i].slope, cap = activations[_i].cap;
    char arguments[512];

    make_files();
    cli_assert_done("forward --in x.npy --scale scale.npy --shift shift.npy --out plain.npy");
    cli_assert_done(FORWARD " --activation none --out v.npy");
    snprintf(arguments, sizeof(arguments), FORWARD " --activation %s --out y.npy --mask-out m.npy",
             activations[_i].text);
    cli_assert_done(arguments);
    read_floats("plain.npy", ELEMENTS, plain);
    read_floats("v.npy", ELEMENTS, v);
    read_floats("y.npy", ELEMENTS, y);
    read_words("m.npy", mask);
    for (unsigned i = 0; i < ELEMENTS; i++) {
        float expected = v[i] <= 0 ? v[i] * slope : fminf(v[i], cap);
        unsigned bit = mask[i / 32] >> i % 32 & 1;

        ck_assert_float_eq_tol(v[i], plain[i] + r[i], 1e-5f);
        ck_assert_msg(y[i] == expected, "y[%u] is %a, expected %a", i, (double)y[i], (double)expected);
        ck_assert_msg(bit == (v[i] > 0 && v[i] < cap), "bit %u is %u of %a", i, bit, (double)v[i]);
    }
    ck_assert_uint_eq(mask[WORDS - 1] >> ELEMENTS % 32, 0);
}
END_TEST

/* Inference has a residual and an activation as well. */
START_TEST(test_infer)
{
    static const char infer[] = " --mode infer --mean mean.npy --var var.npy";
    float slope = activations[_i].slope, cap = activations[_i].cap;
    char arguments[512];

    make_files();
    snprintf(arguments, sizeof(arguments), FORWARD "%s --out v.npy", infer);
    cli_assert_done(arguments);
    snprintf(arguments, sizeof(arguments), FORWARD "%s --out y.npy --activation %s", infer, activations[_i].text);
    cli_assert_done(arguments);
    read_floats("v.npy", ELEMENTS, v);
    read_floats("y.npy", ELEMENTS, y);
    for (unsigned i = 0; i < ELEMENTS; i++)
        ck_assert_float_eq(y[i], v[i] <= 0 ? v[i] * slope : fminf(v[i], cap));
}
END_TEST

/* By the mask and by y the gradients are the same, and those of the plain call from the residual's gradient. */
START_TEST(test_backward)
{
    static const char *const outputs[] = {"dx", "ds", "dh", "dr"}, *const modes[] = {
                                                                       "",
                                                                       " --mode infer --mean mean.npy --var var.npy"};
    const char *activation = activations[_i].text;
    char arguments[512];

    for (int mode = 0; mode < 2; mode++) {
        make_files();
        snprintf(arguments, sizeof(arguments), FORWARD " --activation %s --out y.npy --mask-out m.npy", activation);
        cli_assert_done(arguments);
        for (int by_dst = 0; by_dst < 2; by_dst++) {
            snprintf(arguments, sizeof(arguments),
                     "backward --in x.npy --grad-out dy.npy --scale scale.npy --activation %s %s%s --grad-in dx%d.npy "
                     "--grad-scale ds%d.npy --grad-shift dh%d.npy --grad-residual dr%d.npy",
                     activation, by_dst ? "--dst y.npy" : "--mask m.npy", modes[mode], by_dst, by_dst, by_dst, by_dst);
            cli_assert_done(arguments);
        }
        for (int i = 0; i < 4; i++) {
            char one[16], other[16];

            snprintf(one, sizeof(one), "%s0.npy", outputs[i]);
            snprintf(other, sizeof(other), "%s1.npy", outputs[i]);
            assert_same(one, other);
        }
        read_floats("dr0.npy", ELEMENTS, residual_gradient);
        read_words("m.npy", mask);
        for (unsigned i = 0; i < ELEMENTS; i++) {
            float factor = mask[i / 32] >> i % 32 & 1 ? 1.0f : activations[_i].slope;

            ck_assert_float_eq(residual_gradient[i], dy[i] * factor);
        }
        snprintf(arguments, sizeof(arguments),
                 "backward --in x.npy --grad-out dr0.npy --scale scale.npy%s --grad-in dx1.npy --grad-scale ds1.npy "
                 "--grad-shift dh1.npy",
                 modes[mode]);
        cli_assert_done(arguments);
        assert_same("dx0.npy", "dx1.npy");
        assert_same("ds0.npy", "ds1.npy");
        assert_same("dh0.npy", "dh1.npy");
        /* The residual's gradient alone, too. */
        snprintf(arguments, sizeof(arguments),
                 "backward --in x.npy --grad-out dy.npy --activation %s --mask m.npy%s --grad-residual dr1.npy",
                 activation, modes[mode]);
        cli_assert_done(arguments);
        assert_same("dr0.npy", "dr1.npy");
        cli_count_files(1);
    }
}
END_TEST

/* Writes values as 16-bit numbers to path, and what these are as float32 to wide. */
static void write_narrow(const struct narrow *narrow, const char *path, const char *wide, const float *values)
{
    static uint16_t halves[ELEMENTS];
    static float widened[ELEMENTS];

    for (unsigned i = 0; i < ELEMENTS; i++) {
        halves[i] = narrow->narrow(values[i]);
        widened[i] = narrow->widen(halves[i]);
    }
    write_others(path, 4, shape, narrow->type, halves);
    cli_write_array(wide, 4, shape, widened);
}

/* The file has the type, and its values are those of wide, rounded once. */
static void assert_narrow(const struct narrow *narrow, const char *path, const char *wide)
{
    struct npy_array array = read_kind(path, NPY_TENSOR), floats = read_kind(wide, NPY_REALS);

    ck_assert_int_eq(array.type, narrow->type);
    ck_assert_uint_eq(array.rank, 4);
    ck_assert_mem_eq(array.shape, shape, sizeof(shape));
    for (unsigned i = 0; i < ELEMENTS; i++) {
        float value = narrow->widen(array.halves[i]), expected = narrow->widen(narrow->narrow(floats.values[i]));
        int is_equal = is_same_bits ? case_bits(value) == case_bits(expected)
                                    : fabsf(value - expected) <= narrow->step * fmaxf(1.0f, fabsf(expected));

        ck_assert_msg(is_equal, "%s: %s[%u] is %a, expected %a", narrow->name, path, i, (double)value,
                      (double)expected);
    }
    npy_free(&array);
    npy_free(&floats);
}

/* Tensors of 16 bits: what float32 gives on the same numbers, rounded once; vectors and masks are the same. */
START_TEST(test_narrow)
{
    const struct narrow *narrow = &narrows[_i];
    char arguments[512];

    make_files();
    write_narrow(narrow, "xn.npy", "x.npy", x);
    write_narrow(narrow, "rn.npy", "r.npy", r);
    write_narrow(narrow, "dyn.npy", "dy.npy", dy);

    snprintf(arguments, sizeof(arguments), "forward --in xn.npy --out yn.npy%s", narrow->option);
    cli_assert_done(arguments);
    cli_assert_done("forward --in x.npy --out y.npy");
    assert_narrow(narrow, "yn.npy", "y.npy");

    snprintf(arguments, sizeof(arguments),
             "forward --in xn.npy --residual rn.npy --scale scale.npy --shift shift.npy --activation relu --out "
             "yn.npy --mask-out mn.npy --save-mean sn.npy --var-out vn.npy --biased%s",
             narrow->option);
    cli_assert_done(arguments);
    cli_assert_done(FORWARD " --activation relu --out y.npy --mask-out m.npy --save-mean s.npy --var-out v.npy "
                            "--biased");
    assert_narrow(narrow, "yn.npy", "y.npy");
    if (is_same_bits) {
        uint32_t other[WORDS];

        read_words("mn.npy", mask);
        read_words("m.npy", other);
        ck_assert_mem_eq(mask, other, sizeof(mask));
        assert_same("sn.npy", "s.npy");
        assert_same("vn.npy", "v.npy");
    }
    for (int by_dst = 0; by_dst < 2; by_dst++) {
        snprintf(arguments, sizeof(arguments),
                 "backward --in xn.npy --grad-out dyn.npy --scale scale.npy --activation relu %s --grad-in dxn.npy "
                 "--grad-scale dsn.npy --grad-shift dhn.npy --grad-residual drn.npy%s",
                 by_dst ? "--dst yn.npy" : "--mask mn.npy", narrow->option);
        cli_assert_done(arguments);
        cli_assert_done("backward --in x.npy --grad-out dy.npy --scale scale.npy --activation relu --mask m.npy "
                        "--grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy --grad-residual dr.npy");
        assert_narrow(narrow, "dxn.npy", "dx.npy");
        assert_narrow(narrow, "drn.npy", "dr.npy");
        if (is_same_bits) {
            assert_same("dsn.npy", "ds.npy");
            assert_same("dhn.npy", "dh.npy");
        }
    }
}
END_TEST

/* Of no samples the mask has no words, and backward takes it. */
START_TEST(test_empty_batch)
{
    static const uint64_t none[3] = {0, 3, 5}, three = 3;
    static const float zeros[3];
    struct npy_array array;

    cli_write_array("x.npy", 3, none, zeros);
    cli_write_array("zeros.npy", 1, &three, zeros);
    cli_assert_done("forward --in x.npy --residual x.npy --activation relu --out y.npy --mask-out m.npy");
    array = read_kind("m.npy", NPY_WORDS);
    ck_assert_uint_eq(array.rank, 1);
    ck_assert_uint_eq(array.count, 0);
    npy_free(&array);
    cli_assert_done("backward --in x.npy --grad-out y.npy --activation relu --mask m.npy --grad-in dx.npy "
                    "--grad-residual dr.npy --grad-scale ds.npy");
    assert_same("dx.npy", "x.npy");
    assert_same("dr.npy", "x.npy");
    assert_same("ds.npy", "zeros.npy");
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const char activation[] =
        "option --activation: expected none, relu, leaky:SLOPE with a finite SLOPE, or clip:CAP with a finite CAP "
        "above 0, got '";
    static const char *const bad_activations[] = {"''",         "RELU",       "relu6",  "leaky",   "leaky:", "leaky:x",
                                                  "leaky:inf",  "leaky:1e99", "clip:0", "clip:-1", "clip:",  "clip:inf",
                                                  "clip:1e-60", "clip:nan",   "none:1", "relu:0"};
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"forward --in x.npy --out y.npy --mask-out m.npy",
         "--mask-out keeps what an activation lets through; expected --activation relu, leaky:SLOPE or clip:CAP"},
        {"forward --in x.npy --out y.npy --mask-out m.npy --activation none", "expected --activation relu"},
        {"forward --in x.npy --out y.npy --mask-out y.npy --activation relu", "--out and --mask-out both name 'y.npy'"},
        {"forward --in x.npy --out y.npy --mask-out m.npy --activation relu --mode infer --mean m.npy --var m.npy",
         "--mask-out is for --mode train; after --mode infer, backward takes --dst"},
        {"forward --in x.npy --out y.npy --residual", "option --residual lacks its value: expected a file name"},
        {"forward --in x.npy --out y.npy --mask m.npy", "unknown option '--mask'"},
        {"forward --in x.npy --out y.npy --bfloat16=1", "option --bfloat16: expected no value"},
        {"backward --in x.npy --grad-out dy.npy --activation relu --mask m.npy",
         "expected --grad-in, --grad-scale, --grad-shift or --grad-residual"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu",
         "--activation needs what forward made of it; expected --mask m.npy (forward's --mask-out) or --dst y.npy"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask m.npy --dst y.npy",
         "options --mask and --dst are given; expected one of them"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mask m.npy --dst y.npy", "expected one of them"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mask m.npy",
         "option --mask is for an activation's gradient; expected --activation as forward had it"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --dst y.npy --activation none",
         "option --dst is for an activation's gradient"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --grad-residual o.npy", "both name 'o.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --residual r.npy", "unknown option '--residual'"},
    };
    char arguments[256];

    make_files();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 2, bad[i].expected);
    for (size_t i = 0; i < sizeof(bad_activations) / sizeof(bad_activations[0]); i++) {
        snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy --activation %s", bad_activations[i]);
        cli_assert_fails(arguments, 2, activation);
    }
}
END_TEST

START_TEST(test_bad_files)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"forward --in xb.npy --out y.npy",
         "'xb.npy': the type is '<u2'; expected '<f4' or '<f2', or --bfloat16 as well where it holds bfloat16"},
        {"forward --in x.npy --out y.npy --bfloat16",
         "'x.npy': the type is '<f4'; expected '<u2', in which --bfloat16 finds bfloat16"},
        {"forward --in xh.npy --out y.npy --bfloat16", "'xh.npy': the type is '<f2'; expected '<u2'"},
        {"forward --in m.npy --out y.npy",
         "'m.npy': the type is '<u4'; expected '<f4', '<f2', or '<u2' for bfloat16, all little-endian"},
        {"forward --in x.npy --residual xh.npy --out y.npy",
         "'xh.npy': the type is '<f2'; expected '<f4', the type of 'x.npy'"},
        {"forward --in xh.npy --residual x.npy --out y.npy",
         "'x.npy': the type is '<f4'; expected '<f2', the type of 'xh.npy'"},
        {"forward --in xb.npy --residual xh.npy --out y.npy --bfloat16",
         "'xh.npy': the type is '<f2'; expected '<u2', the type of 'xb.npy'"},
        {"forward --in x.npy --residual scale.npy --out y.npy",
         "'scale.npy' has shape (3,); expected (5, 3, 7, 7), the shape of 'x.npy'"},
        {"forward --in xh.npy --scale xh.npy --out y.npy", "'xh.npy': the type is '<f2'; expected '<f4'"},
        {"forward --in x.npy --out y.npy --activation relu --mask-out none/m.npy",
         "option --mask-out: cannot write 'none/m.npy'"},
        {"backward --in xh.npy --grad-out dy.npy --grad-in o.npy",
         "'dy.npy': the type is '<f4'; expected '<f2', the type of 'xh.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --dst xh.npy",
         "'xh.npy': the type is '<f2'; expected '<f4', the type of 'x.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --dst scale.npy",
         "'scale.npy' has shape (3,); expected (5, 3, 7, 7)"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask scale.npy",
         "'scale.npy': the type is '<f4'; expected '<u4', little-endian words of 32 bits"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask m.npy",
         "'m.npy' has shape (22,); expected (23,), a mask's word for each 32 values of 'x.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask long.npy",
         "'long.npy' has shape (24,); expected (23,)"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask rank2.npy",
         "'rank2.npy' has shape (1, 23); expected (23,)"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --activation relu --mask none.npy",
         "cannot open 'none.npy'"},
    };
    static const uint64_t sizes[3][2] = {{WORDS - 1}, {WORDS + 1}, {1, WORDS}};
    static const uint32_t zeros[WORDS + 1];

    make_files();
    write_narrow(&narrows[0], "xh.npy", "wide.npy", x);
    write_narrow(&narrows[1], "xb.npy", "wide.npy", x);
    write_others("m.npy", 1, sizes[0], NPY_UINT32, zeros);
    write_others("long.npy", 1, sizes[1], NPY_UINT32, zeros);
    write_others("rank2.npy", 2, sizes[2], NPY_UINT32, zeros);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 1, bad[i].expected);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_types");
    TCase *cases = tcase_create("cli_types");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_promise);
    tcase_add_loop_test(cases, test_forward, 0, ACTIVATIONS);
    tcase_add_loop_test(cases, test_infer, 0, ACTIVATIONS);
    tcase_add_loop_test(cases, test_backward, 0, ACTIVATIONS);
    tcase_add_loop_test(cases, test_narrow, 0, 2);
    tcase_add_test(cases, test_empty_batch);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_bad_files);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
