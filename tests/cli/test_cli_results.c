/* SPDX-License-Identifier: Apache-2.0 */
/* The results of the tool's forward and backward, compared with the model bit for bit, and its conformance run. */
#define _XOPEN_SOURCE 700 /* setenv, mkdir */
#include "cases.h"
#include "cli_run.h"
#include "model.h"
#include "cli/files/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_same_bits; /* whether the default device promises them */

static void setup(void)
{
    cli_count_files(1);
    cli_fast_rows();
}

/* The file has this shape and these values; bit for bit where the device promises it. */
static void assert_file(const char *path, unsigned rank, const uint64_t *shape, const float *expected)
{
    struct npy_array array;
    struct npy_error error;

    ck_assert_msg(npy_read(path, &array, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(array.rank, rank);
    ck_assert_mem_eq(array.shape, shape, rank * sizeof(shape[0]));
    for (uint64_t i = 0; i < array.count; i++) {
        float close = 1e-4f * fmaxf(1.0f, fabsf(expected[i]));
        int is_equal = is_same_bits ? case_bits(array.values[i]) == case_bits(expected[i])
                                    : fabsf(array.values[i] - expected[i]) <= close;

        ck_assert_msg(is_equal, "%s[%llu] is %a, expected %a", path, (unsigned long long)i, (double)array.values[i],
                      (double)expected[i]);
    }
    npy_free(&array);
}

/* ---- a tensor and its files ----------------------------------------------------------------------------------- */

enum { MAX_VALUES = 8192, MAX_CHANNELS = 64 };

struct tensor {
    unsigned rank;
    uint64_t shape[5];
    clnorm_desc desc;
    float src[MAX_VALUES], diff_dst[MAX_VALUES];
    float scale[MAX_CHANNELS], shift[MAX_CHANNELS], mean[MAX_CHANNELS], var[MAX_CHANNELS];
};

/* What the model gives. */
static float y[MAX_VALUES], dx[MAX_VALUES];
static float mean_out[MAX_CHANNELS], var_out[MAX_CHANNELS], save_mean[MAX_CHANNELS], save_low[MAX_CHANNELS],
    save_invstd[MAX_CHANNELS], save_var[MAX_CHANNELS], dscale[MAX_CHANNELS], dshift[MAX_CHANNELS];

/* Fills a tensor, and writes x, dy, scale, shift, mean and var as .npy files. */
static void make_tensor(struct tensor *t, enum clnorm_layout layout, unsigned rank, const uint64_t *shape)
{
    t->rank = rank;
    memcpy(t->shape, shape, rank * sizeof(shape[0]));
    ck_assert_int_eq(clnorm_describe(layout, rank, shape, &t->desc), CLNORM_SUCCESS);
    ck_assert_uint_le(t->desc.n * t->desc.c * t->desc.s, MAX_VALUES);
    ck_assert_uint_le(t->desc.c, MAX_CHANNELS);
    case_fill(CASE_NORMAL, &t->desc, 1, t->src);
    case_fill_diff(&t->desc, 2, t->diff_dst);
    case_fill_params(&t->desc, 3, t->scale, t->shift);
    case_fill_running(&t->desc, 4, t->mean, t->var);
    cli_write_array("x.npy", rank, shape, t->src);
    cli_write_array("dy.npy", rank, shape, t->diff_dst);
    cli_write_array("scale.npy", 1, &t->desc.c, t->scale);
    cli_write_array("shift.npy", 1, &t->desc.c, t->shift);
    cli_write_array("mean.npy", 1, &t->desc.c, t->mean);
    cli_write_array("var.npy", 1, &t->desc.c, t->var);
}

/* scale, shift, mean and var may be NULL: mean and var then start as the tool says. */
static void model_train(const struct tensor *t, const float *scale, const float *shift, const float *mean,
                        const float *var, float momentum)
{
    struct model_forward args = {.src = t->src,
                                 .dst = y,
                                 .scale = scale,
                                 .shift = shift,
                                 .running_mean = mean_out,
                                 .running_variance = var_out,
                                 .save_mean = save_mean,
                                 .save_mean_low = save_low,
                                 .save_invstd = save_invstd,
                                 .save_variance = save_var,
                                 .momentum = momentum};

    for (uint64_t c = 0; c < t->desc.c; c++) {
        mean_out[c] = mean ? mean[c] : 0.0f;
        var_out[c] = var ? var[c] : 1.0f;
    }
    ck_assert_int_eq(model_forward_training(&t->desc, &args), 0);
}

static void model_gradients(const struct tensor *t, const float *scale, int is_frozen)
{
    struct model_backward args = {.src = t->src,
                                  .diff_dst = t->diff_dst,
                                  .scale = scale,
                                  .mean = is_frozen ? t->mean : save_mean,
                                  .mean_low = is_frozen ? NULL : save_low,
                                  .invstd = is_frozen ? NULL : save_invstd,
                                  .variance = is_frozen ? t->var : NULL,
                                  .diff_src = dx,
                                  .diff_scale = dscale,
                                  .diff_shift = dshift};

    ck_assert_int_eq((is_frozen ? model_backward_frozen : model_backward_training)(&t->desc, &args), 0);
}

static struct tensor tensor;

static const struct {
    const char *option;
    enum clnorm_layout layout;
    unsigned rank;
    uint64_t shape[5];
} tensors[] = {
    {"", CLNORM_CHANNELS_FIRST, 2, {17, 19}},
    {" --layout channels-last", CLNORM_CHANNELS_LAST, 2, {17, 19}},
    {" --layout channels-first", CLNORM_CHANNELS_FIRST, 3, {2, 3, 1025}},
    {" --layout=channels-last", CLNORM_CHANNELS_LAST, 3, {2, 49, 33}},
    {"", CLNORM_CHANNELS_FIRST, 4, {5, 3, 7, 7}},
    {" --layout channels-last", CLNORM_CHANNELS_LAST, 4, {5, 7, 7, 3}},
    {"", CLNORM_CHANNELS_FIRST, 5, {2, 4, 3, 5, 7}},
    {" --layout channels-last", CLNORM_CHANNELS_LAST, 5, {2, 3, 5, 7, 4}},
};

enum { TENSORS = sizeof(tensors) / sizeof(tensors[0]) };

/* What the default device promises, from what a verbose run says of it. Runs first. */
START_TEST(test_promise)
{
    static const uint64_t shape[2] = {17, 19};

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    ck_assert_msg(cli_run("--verbose forward --in x.npy --out y.npy") == 0, "%s", cli_err);
    is_same_bits = strstr(cli_err, ", same bits\n") != NULL;
}
END_TEST

/* Every option and none, on tensor number _i of the table. */
START_TEST(test_forward_train)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy%s", tensors[_i].option);
    cli_assert_done(arguments);
    model_train(t, NULL, NULL, NULL, NULL, 0.1f);
    assert_file("y.npy", t->rank, t->shape, y);
    ck_assert_int_eq(cli_count_files(0), 7);

    snprintf(arguments, sizeof(arguments),
             "forward --in x.npy --out y.npy --mode train --scale scale.npy --shift shift.npy --mean mean.npy --var "
             "var.npy --momentum 0.25 --epsilon 1e-3 --mean-out mo.npy --var-out vo.npy --save-mean sm.npy "
             "--save-invstd si.npy --save-var sv.npy%s",
             tensors[_i].option);
    cli_assert_done(arguments);
    tensor.desc.epsilon = 1e-3f;
    model_train(t, t->scale, t->shift, t->mean, t->var, 0.25f);
    assert_file("y.npy", t->rank, t->shape, y);
    assert_file("mo.npy", 1, &t->desc.c, mean_out);
    assert_file("vo.npy", 1, &t->desc.c, var_out);
    assert_file("sm.npy", 1, &t->desc.c, save_mean);
    assert_file("si.npy", 1, &t->desc.c, save_invstd);
    assert_file("sv.npy", 1, &t->desc.c, save_var);
    ck_assert_int_eq(cli_count_files(0), 12);
}
END_TEST

START_TEST(test_forward_infer)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    snprintf(arguments, sizeof(arguments),
             "forward --mode infer --in x.npy --out y.npy --mean mean.npy --var var.npy%s", tensors[_i].option);
    struct model_inference args = {.src = t->src, .dst = y, .mean = t->mean, .variance = t->var};
    cli_assert_done(arguments);
    ck_assert_int_eq(model_forward_inference(&t->desc, &args), 0);
    assert_file("y.npy", t->rank, t->shape, y);

    strcat(arguments, " --scale scale.npy --shift shift.npy --epsilon 0");
    cli_assert_done(arguments);
    tensor.desc.epsilon = 0;
    args.scale = t->scale, args.shift = t->shift;
    ck_assert_int_eq(model_forward_inference(&t->desc, &args), 0);
    assert_file("y.npy", t->rank, t->shape, y);
}
END_TEST

START_TEST(test_backward)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
        snprintf(arguments, sizeof(arguments),
                 "backward --in x.npy --grad-out dy.npy --grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy "
                 "--scale scale.npy --epsilon 1e-5 --mode %s%s",
                 is_frozen ? "infer --mean mean.npy --var var.npy" : "train", tensors[_i].option);
        cli_assert_done(arguments);
        model_train(t, t->scale, NULL, NULL, NULL, 0.1f);
        model_gradients(t, t->scale, is_frozen);
        assert_file("dx.npy", t->rank, t->shape, dx);
        assert_file("ds.npy", 1, &t->desc.c, dscale);
        assert_file("dh.npy", 1, &t->desc.c, dshift);
        ck_assert_int_eq(cli_count_files(1), 9);
        make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    }
}
END_TEST

/* Statistics that forward has saved: without the part of the mean that float32 does not hold. */
START_TEST(test_backward_saved)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy --save-mean sm.npy --save-invstd si.npy%s",
             tensors[_i].option);
    cli_assert_done(arguments);
    snprintf(arguments, sizeof(arguments),
             "backward --in x.npy --grad-out dy.npy --grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy "
             "--scale scale.npy --saved-mean sm.npy --saved-invstd si.npy%s",
             tensors[_i].option);
    cli_assert_done(arguments);
    model_train(t, t->scale, NULL, NULL, NULL, 0.1f);
    memset(save_low, 0, sizeof(save_low));
    model_gradients(t, t->scale, 0);
    assert_file("dx.npy", t->rank, t->shape, dx);
    assert_file("ds.npy", 1, &t->desc.c, dscale);
    assert_file("dh.npy", 1, &t->desc.c, dshift);
}
END_TEST

/* Each gradient alone, without scale. */
START_TEST(test_backward_subsets)
{
    static const uint64_t shape[3] = {5, 3, 49};
    static const char *const modes[] = {"", " --mode infer --mean mean.npy --var var.npy"};
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 3, shape);
    model_train(t, NULL, NULL, NULL, NULL, 0.1f);
    for (int is_frozen = 0; is_frozen < 2; is_frozen++) {
        model_gradients(t, NULL, is_frozen);
        snprintf(arguments, sizeof(arguments), "backward --in x.npy --grad-out dy.npy --grad-in g.npy%s",
                 modes[is_frozen]);
        cli_assert_done(arguments);
        assert_file("g.npy", 3, shape, dx);
        snprintf(arguments, sizeof(arguments), "backward --in x.npy --grad-out dy.npy --grad-scale g.npy%s",
                 modes[is_frozen]);
        cli_assert_done(arguments);
        assert_file("g.npy", 1, &t->desc.c, dscale);
        snprintf(arguments, sizeof(arguments), "backward --in x.npy --grad-out dy.npy --grad-shift g.npy%s",
                 modes[is_frozen]);
        cli_assert_done(arguments);
        assert_file("g.npy", 1, &t->desc.c, dshift);
        ck_assert_int_eq(cli_count_files(0), 7);
    }
}
END_TEST

/* Groups of samples, of channels, and of both: forward, its statistics into backward, and backward by itself; what is given is of groups. */
START_TEST(test_groups)
{
    static const uint64_t shape[3] = {5, 6, 7};
    static const struct {
        const char *option;
        uint64_t samples, channels;
        unsigned rank;
        uint64_t statistics[2];
    } ways[] = {{" --group-samples 2", 2, 0, 2, {3, 6}},
                {" --group-channels 3", 0, 3, 1, {2}},
                {" --group-samples 1 --group-channels=6", 1, 6, 2, {5, 1}}};
    const struct tensor *t = &tensor;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const uint64_t each = 6 / (ways[i].channels ? ways[i].channels : 1);
        char arguments[1024];

        make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 3, shape);
        tensor.desc.group_samples = ways[i].samples;
        tensor.desc.group_channels = ways[i].channels;
        cli_write_array("mean.npy", 1, &each, t->mean);
        cli_write_array("var.npy", 1, &each, t->var);
        snprintf(arguments, sizeof(arguments),
                 "forward --in x.npy --out y.npy --scale scale.npy --shift shift.npy --mean mean.npy --mean-out mo.npy "
                 "--var-out vo.npy --save-mean sm.npy --save-invstd si.npy%s",
                 ways[i].option);
        cli_assert_done(arguments);
        model_train(t, t->scale, t->shift, t->mean, NULL, 0.1f);
        assert_file("y.npy", 3, shape, y);
        assert_file("mo.npy", 1, &each, mean_out);
        assert_file("vo.npy", 1, &each, var_out);
        assert_file("sm.npy", ways[i].rank, ways[i].statistics, save_mean);
        assert_file("si.npy", ways[i].rank, ways[i].statistics, save_invstd);
        for (int is_saved = 0; is_saved < 2; is_saved++) {
            snprintf(arguments, sizeof(arguments),
                     "backward --in x.npy --grad-out dy.npy --grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy "
                     "--scale scale.npy%s%s",
                     is_saved ? " --saved-mean sm.npy --saved-invstd si.npy" : "", ways[i].option);
            cli_assert_done(arguments);
            if (is_saved)
                memset(save_low, 0, sizeof(save_low));
            model_gradients(t, t->scale, 0);
            assert_file("dx.npy", 3, shape, dx);
            assert_file("ds.npy", 1, &t->desc.c, dscale);
            assert_file("dh.npy", 1, &t->desc.c, dshift);
        }
    }
    cli_assert_done("forward --mode infer --in x.npy --out y.npy --mean mean.npy --var var.npy --group-channels 6");
    struct model_inference args = {.src = t->src, .dst = y, .mean = t->mean, .variance = t->var};
    ck_assert_int_eq(model_forward_inference(&t->desc, &args), 0);
    assert_file("y.npy", 3, shape, y);
    ck_assert_int_eq(cli_run("forward --in x.npy --out y.npy --group-channels 4"), 1);
    ck_assert_ptr_nonnull(strstr(cli_err, "expected channels, which are 6, that the 4 of --group-channels divide"));
    ck_assert_int_eq(cli_run("forward --in x.npy --out y.npy --group-samples 6"), 1);
    ck_assert_ptr_nonnull(strstr(cli_err, "expected at least the 6 samples of --group-samples"));
    ck_assert_int_eq(cli_run("forward --in x.npy --out y.npy --group-channels 0"), 2);
    ck_assert_ptr_nonnull(strstr(cli_err, "a whole number from 1 to 65536"));
    ck_assert_int_eq(cli_run("forward --mode infer --in x.npy --out y.npy --mean scale.npy --var var.npy "
                             "--group-channels 3"),
                     1);
    ck_assert_ptr_nonnull(strstr(cli_err, "expected (2,), a value for each group of channels of 'x.npy'"));
}
END_TEST

/* Running statistics without a file to start from, an output that replaces its input, "--name=value", momentum's ends. */
START_TEST(test_forward_ways)
{
    static const uint64_t shape[2] = {17, 19};
    const struct tensor *t = &tensor;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    cli_assert_done("forward --in=x.npy --out=y.npy --mean-out=mo.npy --var-out=vo.npy --momentum=0.5");
    model_train(t, NULL, NULL, NULL, NULL, 0.5f);
    assert_file("mo.npy", 1, &t->desc.c, mean_out);
    assert_file("vo.npy", 1, &t->desc.c, var_out);

    cli_assert_done("forward --in x.npy --out y.npy --mean mean.npy --mean-out mean.npy --momentum 0");
    assert_file("mean.npy", 1, &t->desc.c, t->mean);
    cli_assert_done("forward --in x.npy --out y.npy --var var.npy --var-out var.npy --momentum 1");
    model_train(t, NULL, NULL, t->mean, t->var, 1.0f);
    assert_file("var.npy", 1, &t->desc.c, var_out);

    cli_assert_done("forward --in x.npy --out x.npy");
    assert_file("x.npy", 2, shape, y);
}
END_TEST

/* The running variance takes the batch's unbiased variance, or with --biased the biased one; by hand. */
START_TEST(test_biased)
{
    static const uint64_t shape[2] = {3, 3}, channels[1] = {3};
    static const float x[9] = {1, 2, 0, 3, 4, 1, 3, 3, 3}, zeros[3] = {0, 0, 0};
    static const double variances[2][3] = {{4.0 / 3, 1, 7.0 / 3}, {8.0 / 9, 2.0 / 3, 14.0 / 9}};

    cli_write_array("x.npy", 2, shape, x);
    cli_write_array("zeros.npy", 1, channels, zeros);
    for (int is_biased = 0; is_biased < 2; is_biased++) {
        struct npy_array var;
        struct npy_error error;

        cli_assert_done(is_biased
                            ? "forward --in x.npy --out y.npy --var zeros.npy --momentum 1 --var-out v.npy --biased"
                            : "forward --in x.npy --out y.npy --var zeros.npy --momentum 1 --var-out v.npy");
        ck_assert_msg(npy_read("v.npy", &var, &error) == 0, "%s", error.text);
        ck_assert_uint_eq(var.count, 3);
        for (int c = 0; c < 3; c++)
            ck_assert_double_eq_tol((double)var.values[c], variances[is_biased][c], 1e-6);
        npy_free(&var);
    }
}
END_TEST

/* A batch of no samples has an empty result; its statistics are not numbers, and the running ones stay. */
START_TEST(test_empty_batch)
{
    static const uint64_t shape[3] = {0, 3, 5};
    static const float zeros[3] = {0, 0, 0}, nans[3] = {NAN, NAN, NAN};
    const struct tensor *t = &tensor;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 3, shape);
    cli_assert_done("forward --in x.npy --out y.npy --mean mean.npy --mean-out mo.npy --save-mean sm.npy");
    assert_file("y.npy", 3, shape, y);
    assert_file("mo.npy", 1, &t->desc.c, t->mean);
    if (is_same_bits)
        assert_file("sm.npy", 1, &t->desc.c, nans);
    cli_assert_done("forward --mode infer --in x.npy --out y.npy --mean mean.npy --var var.npy");
    cli_assert_done("backward --in x.npy --grad-out dy.npy --grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy");
    assert_file("dx.npy", 3, shape, y);
    assert_file("ds.npy", 1, &t->desc.c, zeros);
    assert_file("dh.npy", 1, &t->desc.c, zeros);
}
END_TEST

/*
 * The conformance run passes, twice with the same digest, whatever is tried beside the free choice: here one row and another, in cli_record all
 * of them.
 */
START_TEST(test_check)
{
    char digest[2][32];

    unsetenv("CLNORM_VARIANT");
    for (int i = 0; i < 2; i++) {
        const char *line;

        ck_assert_msg(cli_run(i ? "check --quick --variant apply_naive" : "check --quick --variant finish_item") == 0,
                      "%s%s", cli_err, cli_out);
        ck_assert_str_eq(cli_err, "");
        ck_assert_ptr_nonnull(strstr(cli_out, "free choice"));
        ck_assert_msg(strstr(cli_out, "\ncheck: passed\n") != NULL, "%s", cli_out);
        line = strstr(cli_out, "\ndigest: ");
        ck_assert_ptr_nonnull(line);
        snprintf(digest[i], sizeof(digest[i]), "%.16s", line + 9);
        ck_assert_uint_eq(strspn(digest[i], "0123456789abcdef"), 16);
    }
    ck_assert_str_eq(digest[0], digest[1]);
}
END_TEST

/*
 * It passes in another form, whose digest is not on record; and a kernel that leaves one bit of a mask wrong, or one number of the
 * residual's gradient, is found.
 */
START_TEST(test_check_form)
{
    static const char arguments[] =
        "check --quick --variant apply_naive,apply_item --type bfloat16 --activation leaky:0.25 --residual",
                      begin[] = "    APPLY_BEGIN(t);\n",
                      wrong[] = "    if (get_global_id(0) == 40u) {\n#if MASK && APPLY == APPLY_FORWARD\n"
                                "        atomic_xor(t.mask, 2u);\n#elif RESIDUAL && APPLY != APPLY_FORWARD\n"
                                "        t.residual++;\n#endif\n    }\n";
    static char text[1 << 14];
    const char *kernels = getenv("CLNORM_TEST_KERNELS");
    char path[1024], *at;
    FILE *file;

    unsetenv("CLNORM_VARIANT");
    ck_assert_msg(cli_run(arguments) == 0, "%s%s", cli_err, cli_out);
    ck_assert_str_eq(cli_err, "");
    ck_assert_ptr_nonnull(strstr(cli_out, "\ncalls: bfloat16, leaky:0.25, with a residual\n"));
    ck_assert_ptr_nonnull(strstr(cli_out, " (quick)\ncheck: passed\n"));
    ck_assert_ptr_nonnull(strstr(cli_out, "\napply_item "));
    ck_assert_ptr_null(strstr(cli_out, "\napply_flat "));
    ck_assert_int_eq(cli_run("check --quick --variant apply_naive,apply_nave"), 2);
    ck_assert_ptr_nonnull(strstr(cli_err, "option --variant has 'apply_nave'; expected names of kernel variants"));

    ck_assert_msg(kernels != NULL, "CLNORM_TEST_KERNELS is not set; expected the folder of the kernel files");
    snprintf(path, sizeof(path), "%s/apply/apply_naive.cl", kernels);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot read %s", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    at = strstr(text, begin);
    ck_assert_ptr_nonnull(at);
    at += strlen(begin);
    ck_assert_int_eq(mkdir("apply", 0700), 0);
    file = fopen("apply/apply_naive.cl", "w");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "%.*s%s%s", (int)(at - text), text, wrong, at);
    ck_assert_int_eq(fclose(file), 0);
    setenv("CLNORM_KERNEL_DIR", cli_folder, 1);
    ck_assert_int_eq(cli_run(arguments), 1);
    unsetenv("CLNORM_KERNEL_DIR");
    unlink("apply/apply_naive.cl");
    ck_assert_msg(strstr(cli_out, ", apply_naive, mask[0] is ") != NULL, "%.2000s", cli_out);
    ck_assert_msg(strstr(cli_out, ", apply_naive, diff_residual[40] is ") != NULL, "%.2000s", cli_out);
    ck_assert_ptr_null(strstr(cli_out, "free choice, "));
    ck_assert_ptr_nonnull(strstr(cli_out, "\ncheck: FAILED ("));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli_results");
    TCase *cases = tcase_create("cli_results");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_promise);
    tcase_add_loop_test(cases, test_forward_train, 0, TENSORS);
    tcase_add_loop_test(cases, test_forward_infer, 0, TENSORS);
    tcase_add_loop_test(cases, test_backward, 0, TENSORS);
    tcase_add_loop_test(cases, test_backward_saved, 0, TENSORS);
    tcase_add_test(cases, test_backward_subsets);
    tcase_add_test(cases, test_groups);
    tcase_add_test(cases, test_forward_ways);
    tcase_add_test(cases, test_biased);
    tcase_add_test(cases, test_empty_batch);
    tcase_add_test(cases, test_check);
    tcase_add_test(cases, test_check_form);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
