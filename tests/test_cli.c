/* SPDX-License-Identifier: Apache-2.0 */
/* The tool as a user drives it: CLNORM_TOOL names it. Results are compared with the model bit for bit. */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "cases.h"
#include "model.h"
#include "npy.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { TEXT_BYTES = 1 << 16, MAX_ARGUMENTS = 48 };

static char folder[64];                                 /* where the tool works: the current folder of the test */
static char out_text[TEXT_BYTES], err_text[TEXT_BYTES]; /* what the last run said */
static const char *out_path = ".stdout";                /* where its standard output goes */
static int is_same_bits;                                /* whether the default device promises them */

static void read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, TEXT_BYTES - 1, file)] = '\0';
    fclose(file);
}

/* Runs the tool with arguments that are separated by single spaces; returns its exit status. */
static int run(const char *arguments)
{
    static char copy[4096], empty[] = "";
    const char *tool = getenv("CLNORM_TOOL");
    char *list[MAX_ARGUMENTS] = {NULL}, *at;
    posix_spawn_file_actions_t actions;
    int count = 1, status;
    pid_t child;

    ck_assert_uint_lt(strlen(arguments), sizeof(copy));
    strcpy(copy, arguments);
    list[0] = strdup(tool);
    for (at = strtok(copy, " "); at && count < MAX_ARGUMENTS - 1; at = strtok(NULL, " "))
        list[count++] = strcmp(at, "''") == 0 ? empty : at;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, ".stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(posix_spawn(&child, tool, &actions, NULL, list, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    free(list[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "'%s' ended by signal %d", arguments, WTERMSIG(status));
    out_text[0] = '\0';
    if (out_path[0] == '.')
        read_text(out_path, out_text);
    read_text(".stderr", err_text);
    return WEXITSTATUS(status);
}

/* Files in the folder, but for the captured texts; removes them when asked to. */
static int count_files(int remove_them)
{
    DIR *directory = opendir(".");
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (remove_them && unlink(entry->d_name) != 0)
            rmdir(entry->d_name);
    }
    closedir(directory);
    return count;
}

static void setup(void)
{
    count_files(1);
}

/* The run ends well and says nothing. */
static void assert_done(const char *arguments)
{
    int status = run(arguments);

    ck_assert_msg(status == 0, "'%s': status %d: %s", arguments, status, err_text);
    ck_assert_msg(err_text[0] == '\0', "'%s' says: %s", arguments, err_text);
}

/* The run ends with status, says expected in a message of the tool's form, prints nothing and leaves no file behind. */
static void assert_fails(const char *arguments, int status, const char *expected)
{
    int files = count_files(0), got = run(arguments);

    ck_assert_msg(got == status, "'%s': status %d, expected %d: %s", arguments, got, status, err_text);
    ck_assert_msg(strstr(err_text, expected) != NULL, "'%s': '%s' does not say '%s'", arguments, err_text, expected);
    ck_assert_msg(strncmp(err_text, "clnorm: ", 8) == 0, "'%s': %s", arguments, err_text);
    ck_assert_msg(strchr(err_text, '\033') == NULL, "'%s' shows progress to a file", arguments);
    ck_assert_msg(out_text[0] == '\0', "'%s' prints: %s", arguments, out_text);
    ck_assert_msg(count_files(0) == files, "'%s' leaves a file behind", arguments);
}

static void write_array(const char *path, unsigned rank, const uint64_t *shape, const float *values)
{
    struct npy_output output = {.path = path, .rank = rank, .values = values};
    struct npy_error error;

    memcpy(output.shape, shape, rank * sizeof(shape[0]));
    ck_assert_msg(npy_write_all(&output, 1, &error) == 0, "%s", error.text);
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
    write_array("x.npy", rank, shape, t->src);
    write_array("dy.npy", rank, shape, t->diff_dst);
    write_array("scale.npy", 1, &t->desc.c, t->scale);
    write_array("shift.npy", 1, &t->desc.c, t->shift);
    write_array("mean.npy", 1, &t->desc.c, t->mean);
    write_array("var.npy", 1, &t->desc.c, t->var);
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

/* Tensor number i of the table, and the model with every option and with none. */
START_TEST(test_forward_train)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy%s", tensors[_i].option);
    assert_done(arguments);
    model_train(t, NULL, NULL, NULL, NULL, 0.1f);
    assert_file("y.npy", t->rank, t->shape, y);
    ck_assert_int_eq(count_files(0), 7);

    snprintf(arguments, sizeof(arguments),
             "forward --in x.npy --out y.npy --mode train --scale scale.npy --shift shift.npy --mean mean.npy --var "
             "var.npy --momentum 0.25 --epsilon 1e-3 --mean-out mo.npy --var-out vo.npy --save-mean sm.npy "
             "--save-invstd si.npy --save-var sv.npy%s",
             tensors[_i].option);
    assert_done(arguments);
    tensor.desc.epsilon = 1e-3f;
    model_train(t, t->scale, t->shift, t->mean, t->var, 0.25f);
    assert_file("y.npy", t->rank, t->shape, y);
    assert_file("mo.npy", 1, &t->desc.c, mean_out);
    assert_file("vo.npy", 1, &t->desc.c, var_out);
    assert_file("sm.npy", 1, &t->desc.c, save_mean);
    assert_file("si.npy", 1, &t->desc.c, save_invstd);
    assert_file("sv.npy", 1, &t->desc.c, save_var);
    ck_assert_int_eq(count_files(0), 12);
}
END_TEST

START_TEST(test_forward_infer)
{
    char arguments[1024];
    const struct tensor *t = &tensor;

    make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    snprintf(arguments, sizeof(arguments),
             "forward --mode infer --in x.npy --out y.npy --mean mean.npy --var var.npy%s", tensors[_i].option);
    assert_done(arguments);
    ck_assert_int_eq(model_forward_inference(&t->desc, t->src, y, NULL, NULL, t->mean, t->var), 0);
    assert_file("y.npy", t->rank, t->shape, y);

    strcat(arguments, " --scale scale.npy --shift shift.npy --epsilon 0");
    assert_done(arguments);
    tensor.desc.epsilon = 0;
    ck_assert_int_eq(model_forward_inference(&t->desc, t->src, y, t->scale, t->shift, t->mean, t->var), 0);
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
        assert_done(arguments);
        model_train(t, t->scale, NULL, NULL, NULL, 0.1f);
        model_gradients(t, t->scale, is_frozen);
        assert_file("dx.npy", t->rank, t->shape, dx);
        assert_file("ds.npy", 1, &t->desc.c, dscale);
        assert_file("dh.npy", 1, &t->desc.c, dshift);
        ck_assert_int_eq(count_files(1), 9);
        make_tensor(&tensor, tensors[_i].layout, tensors[_i].rank, tensors[_i].shape);
    }
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
        assert_done(arguments);
        assert_file("g.npy", 3, shape, dx);
        snprintf(arguments, sizeof(arguments), "backward --in x.npy --grad-out dy.npy --grad-scale g.npy%s",
                 modes[is_frozen]);
        assert_done(arguments);
        assert_file("g.npy", 1, &t->desc.c, dscale);
        snprintf(arguments, sizeof(arguments), "backward --in x.npy --grad-out dy.npy --grad-shift g.npy%s",
                 modes[is_frozen]);
        assert_done(arguments);
        assert_file("g.npy", 1, &t->desc.c, dshift);
        ck_assert_int_eq(count_files(0), 7);
    }
}
END_TEST

/* Running statistics without a file to start from, an output that replaces its input, "--name=value", momentum's ends. */
START_TEST(test_forward_ways)
{
    static const uint64_t shape[2] = {17, 19};
    const struct tensor *t = &tensor;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    assert_done("forward --in=x.npy --out=y.npy --mean-out=mo.npy --var-out=vo.npy --momentum=0.5");
    model_train(t, NULL, NULL, NULL, NULL, 0.5f);
    assert_file("mo.npy", 1, &t->desc.c, mean_out);
    assert_file("vo.npy", 1, &t->desc.c, var_out);

    assert_done("forward --in x.npy --out y.npy --mean mean.npy --mean-out mean.npy --momentum 0");
    assert_file("mean.npy", 1, &t->desc.c, t->mean);
    assert_done("forward --in x.npy --out y.npy --var var.npy --var-out var.npy --momentum 1");
    model_train(t, NULL, NULL, t->mean, t->var, 1.0f);
    assert_file("var.npy", 1, &t->desc.c, var_out);

    assert_done("forward --in x.npy --out x.npy");
    assert_file("x.npy", 2, shape, y);
}
END_TEST

/* A batch of no samples has an empty result; its statistics are not numbers, and the running ones stay. */
START_TEST(test_empty_batch)
{
    static const uint64_t shape[3] = {0, 3, 5};
    static const float zeros[3] = {0, 0, 0}, nans[3] = {NAN, NAN, NAN};
    const struct tensor *t = &tensor;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 3, shape);
    assert_done("forward --in x.npy --out y.npy --mean mean.npy --mean-out mo.npy --save-mean sm.npy");
    assert_file("y.npy", 3, shape, y);
    assert_file("mo.npy", 1, &t->desc.c, t->mean);
    if (is_same_bits)
        assert_file("sm.npy", 1, &t->desc.c, nans);
    assert_done("forward --mode infer --in x.npy --out y.npy --mean mean.npy --var var.npy");
    assert_done("backward --in x.npy --grad-out dy.npy --grad-in dx.npy --grad-scale ds.npy --grad-shift dh.npy");
    assert_file("dx.npy", 3, shape, y);
    assert_file("ds.npy", 1, &t->desc.c, zeros);
    assert_file("dh.npy", 1, &t->desc.c, zeros);
}
END_TEST

START_TEST(test_help)
{
    static const struct {
        const char *arguments, *expected;
    } good[] = {
        {"--help", "usage: clnorm"},
        {"--version", "clnorm 0."},
        {"--verbose --version", "numerical contract 1"},
        {"devices --help", "usage: clnorm devices"},
        {"forward --help", "--save-invstd"},
        {"backward --help", "--grad-shift"},
        {"check --help", "--quick"},
        {"forward --help --in x.npy", "usage: clnorm forward"},
    };
    char expected[64];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_done(good[i].arguments);
        ck_assert_msg(strstr(out_text, good[i].expected) != NULL, "%s: %s", good[i].arguments, out_text);
        ck_assert_int_eq(out_text[strlen(out_text) - 1], '\n');
    }
    assert_done("--version");
    snprintf(expected, sizeof(expected), "clnorm %d.%d.%d, numerical contract %d\n", CLNORM_VERSION_MAJOR,
             CLNORM_VERSION_MINOR, CLNORM_VERSION_PATCH, CLNORM_CONTRACT_VERSION);
    ck_assert_str_eq(out_text, expected);
    /* Every help line fits a terminal of 120 columns. */
    assert_done("forward --help");
    for (char *line = strtok(out_text, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_uint_le(strlen(line), 120);
}
END_TEST

START_TEST(test_full_standard_output)
{
    out_path = "/dev/full";
    ck_assert_int_eq(run("--help"), 1);
    ck_assert_ptr_nonnull(strstr(err_text, "cannot write to standard output"));
    ck_assert_int_eq(run("devices"), 1);
    out_path = ".stdout";
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"", "no command given; expected devices, forward, backward or check"},
        {"frobnicate", "unknown command 'frobnicate'; expected devices"},
        {"--frobnicate", "unknown option '--frobnicate'"},
        {"--version now", "unexpected argument 'now'"},
        {"--help me", "unexpected argument 'me'"},
        {"devices 1", "unexpected argument '1'"},
        {"devices --device 1", "unknown option '--device'"},
        {"check quick", "unexpected argument 'quick'"},
        {"check --quick=yes", "option --quick: expected no value, got 'yes'"},
        {"check --quick --quick", "option --quick is given twice"},
        {"check --device", "option --device lacks its value"},
        {"check --device --quick", "option --device lacks its value"},
        {"check --device ''", "option --device: expected a number or part of a name"},
        {"forward", "option --in is missing"},
        {"forward --in x.npy", "option --out is missing"},
        {"forward --out y.npy", "option --in is missing"},
        {"forward --in x.npy --out", "option --out lacks its value: expected a file name"},
        {"forward --in= --out y.npy", "option --in: expected a file name, got ''"},
        {"forward --in x.npy --in x.npy --out y.npy", "option --in is given twice"},
        {"forward --in x.npy --out y.npy more", "unexpected argument 'more'"},
        {"forward --in x.npy --out y.npy -v", "unexpected argument '-v'"},
        {"forward --in x.npy --out y.npy --", "unknown option '--'"},
        {"forward --in x.npy --out y.npy --inn z.npy", "unknown option '--inn'"},
        {"forward --in x.npy --out y.npy --i z.npy", "unknown option '--i'"},
        {"forward --in x.npy --out y.npy --grad-in z.npy", "unknown option '--grad-in'"},
        {"forward --in x.npy --out y.npy --mode test", "option --mode: expected train|infer, got 'test'"},
        {"forward --in x.npy --out y.npy --mode trai", "option --mode: expected train|infer, got 'trai'"},
        {"forward --in x.npy --out y.npy --layout NCHW", "option --layout: expected channels-first|channels-last"},
        {"forward --in x.npy --out y.npy --epsilon -1", "option --epsilon: expected a finite number >= 0, got '-1'"},
        {"forward --in x.npy --out y.npy --epsilon nan", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon inf", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon 1e99", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon 0x1p-10", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon 1e-5x", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon 1e", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --epsilon ''", "option --epsilon: expected a finite number"},
        {"forward --in x.npy --out y.npy --momentum 1.5",
         "option --momentum: expected a number from 0 to 1, got '1.5'"},
        {"forward --in x.npy --out y.npy --momentum -0.1", "option --momentum: expected a number from 0 to 1"},
        {"forward --in x.npy --out y.npy --mode infer", "--mode infer needs the statistics to use; expected --mean"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy", "expected --var"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --mean-out o.npy", "--mean-out"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --var-out o.npy", "--var-out"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --save-mean o.npy", "--save-mean"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --save-invstd o.npy",
         "--save-invstd is for --mode train"},
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --save-var o.npy", "--save-var"},
        {"forward --in x.npy --out y.npy --save-mean y.npy", "options --out and --save-mean both name 'y.npy'"},
        {"backward", "option --in is missing"},
        {"backward --in x.npy", "option --grad-out is missing"},
        {"backward --in x.npy --grad-out dy.npy", "expected --grad-in, --grad-scale or --grad-shift"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mode infer", "expected --mean"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mode infer --mean mean.npy", "expected --var"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mean mean.npy", "--mean is for --mode infer"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --var var.npy", "--var is for --mode infer"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --momentum 0.1", "unknown option '--momentum'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --grad-scale o.npy", "both name 'o.npy'"},
    };
    static const uint64_t shape[2] = {17, 19};

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_fails(bad[i].arguments, 2, bad[i].expected);
}
END_TEST

/* A file of a header and some value bytes. */
static void write_raw(const char *path, const char *header, size_t value_bytes)
{
    static const unsigned char values[1024];
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)strlen(header)};
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    fwrite(start, 1, 10, file);
    fwrite(header, 1, strlen(header), file);
    fwrite(values, 1, value_bytes, file);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(test_bad_files)
{
    static const uint64_t shape[3] = {5, 3, 7}, other[3] = {5, 7, 3}, sizes[6] = {1, 2, 0, 1, 1, 1}, four = 4;
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"forward --in none.npy --out y.npy", "cannot open 'none.npy': No such file"},
        {"forward --in . --out y.npy", "cannot read '.'"},
        {"forward --in text --out y.npy", "'text' is not a .npy file"},
        {"forward --in short.npy --out y.npy", "'short.npy' is truncated: shape (5, 3, 7) needs 420 bytes"},
        {"forward --in long.npy --out y.npy", "'long.npy' goes on behind its values"},
        {"forward --in f8.npy --out y.npy", "'f8.npy': the type is '<f8'; expected '<f4'"},
        {"forward --in fortran.npy --out y.npy", "'fortran.npy': the values are in Fortran order; expected C order"},
        {"forward --in huge.npy --out y.npy", "'huge.npy': the sizes in 'shape' overflow"},
        {"forward --in rank1.npy --out y.npy", "'rank1.npy' has shape (4,), 1 axes; expected 2 to 5"},
        {"forward --in rank6.npy --out y.npy", "6 axes; expected 2 to 5"},
        {"forward --in zero.npy --out y.npy", "'zero.npy' has shape (1, 2, 0); expected sizes above 0"},
        {"forward --in x.npy --out y.npy --scale rank1.npy",
         "'rank1.npy' has shape (4,); expected (3,), a value for each channel of 'x.npy' in channels-first"},
        {"forward --in x.npy --out y.npy --shift rank1.npy", "'rank1.npy' has shape (4,); expected (3,)"},
        {"forward --in x.npy --out y.npy --mean rank1.npy", "'rank1.npy' has shape (4,); expected (3,)"},
        {"forward --in x.npy --out y.npy --var x.npy", "'x.npy' has shape (5, 3, 7); expected (3,)"},
        {"forward --in x.npy --out y.npy --scale scale.npy --layout channels-last",
         "'scale.npy' has shape (3,); expected (7,), a value for each channel of 'x.npy' in channels-last"},
        {"backward --in x.npy --grad-out other.npy --grad-in o.npy",
         "'other.npy' has shape (5, 7, 3); expected (5, 3, 7), the shape of 'x.npy'"},
        {"backward --in x.npy --grad-out none.npy --grad-in o.npy", "cannot open 'none.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --scale rank1.npy", "'rank1.npy' has shape (4,)"},
        {"forward --in x.npy --out none/y.npy",
         "option --out: cannot write 'none/y.npy': folder 'none': No such file or directory; expected a folder that"},
        {"forward --in x.npy --out .", "option --out: cannot write '.': it is a folder"},
        {"forward --in x.npy --out /dev/full", "not a regular file"},
        {"forward --in x.npy --out x.npy/y.npy", "cannot write 'x.npy/y.npy'"},
        {"forward --in x.npy --out y.npy --save-mean none/m.npy", "option --save-mean: cannot write 'none/m.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in none/o.npy", "option --grad-in: cannot write"},
    };
    FILE *text = fopen("text", "wb");

    fputs("1,2,3\n", text);
    fclose(text);
    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 3, shape);
    write_array("other.npy", 3, other, tensor.src);
    write_array("rank1.npy", 1, &four, tensor.src);
    write_array("zero.npy", 3, sizes, tensor.src);
    write_array("rank6.npy", 6, sizes, tensor.src);
    write_raw("short.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 7), }", 419);
    write_raw("long.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 7), }", 421);
    write_raw("f8.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 3, 7), }", 840);
    write_raw("fortran.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (5, 3, 7), }", 420);
    write_raw("huge.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", 420);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_fails(bad[i].arguments, 1, bad[i].expected);
}
END_TEST

START_TEST(test_unknown_device)
{
    static const uint64_t shape[2] = {17, 19};
    const char *old = getenv("CLNORM_DEVICE");
    char *kept = old ? strdup(old) : NULL;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    assert_fails("forward --in x.npy --out y.npy --device no-such-thing", 1,
                 "--device 'no-such-thing': no such device");
    assert_fails("backward --in x.npy --grad-out dy.npy --grad-in o.npy --device 999", 1, "--device '999'");
    assert_fails("check --device no-such-thing", 1, "expected a number or part of a name from `clnorm devices`");
    setenv("CLNORM_DEVICE", "no-such-thing", 1);
    assert_fails("forward --in x.npy --out y.npy", 1, "CLNORM_DEVICE is 'no-such-thing': no such device");
    /* The option wins over the variable. */
    assert_done("forward --in x.npy --out y.npy --device 0");
    setenv("CLNORM_DEVICE", "0", 1);
    assert_done("forward --in x.npy --out y.npy");
    if (kept)
        setenv("CLNORM_DEVICE", kept, 1);
    else
        unsetenv("CLNORM_DEVICE");
    free(kept);
}
END_TEST

/* A line for each device, of five fields; a device can be asked for by its name. */
START_TEST(test_devices)
{
    static const uint64_t shape[2] = {17, 19};
    char *line, *rest = NULL, arguments[256];
    int count = 0;

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    assert_done("devices");
    for (line = strtok_r(out_text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), count++) {
        char *fields[5], *tab = line;

        for (int i = 0; i < 5; i++) {
            fields[i] = tab;
            tab = strchr(tab, '\t');
            ck_assert_msg((tab != NULL) == (i < 4), "line '%s' has not five fields", line);
            if (tab)
                *tab++ = '\0';
        }
        ck_assert_int_eq(atoi(fields[0]), count);
        ck_assert_msg(strcmp(fields[4], "same bits") == 0 ||
                          strcmp(fields[4], "same bits except where subnormals arise") == 0 ||
                          strcmp(fields[4], "no promise") == 0,
                      "%s", fields[4]);
        /* The name up to its first blank: run() separates arguments by blanks. */
        if (count == 0) {
            fields[2][strcspn(fields[2], " ")] = '\0';
            snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy --device=%.100s", fields[2]);
        }
    }
    ck_assert_int_gt(count, 0);
    assert_done(arguments);
}
END_TEST

/* The OpenCL loader is sent to an empty folder for its list of platforms. */
START_TEST(test_no_device)
{
    static const uint64_t shape[2] = {17, 19};
    const char *old = getenv("OCL_ICD_VENDORS");
    char *kept = old ? strdup(old) : NULL, empty[160];

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    snprintf(empty, sizeof(empty), "%s/empty", folder);
    ck_assert_int_eq(mkdir(empty, 0700), 0);
    setenv("OCL_ICD_VENDORS", empty, 1);
    assert_fails("devices", 1, "no OpenCL device");
    assert_fails("check --quick", 1, "no");
    assert_fails("forward --in x.npy --out y.npy", 1, "no");
    if (kept)
        setenv("OCL_ICD_VENDORS", kept, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(kept);
}
END_TEST

/*
 * A disk that takes no more, as a limit on the size of files. y is too large for it and the saved mean is not: neither
 * appears. The limit lies above what OpenCL drivers write when they compile.
 */
START_TEST(test_full_disk)
{
    static const uint64_t shape[2] = {400000, 8};
    float *values = calloc(3200000, sizeof(float));
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    int result, files;

    ck_assert_ptr_nonnull(values);
    write_array("x.npy", 2, shape, values);
    free(values);
    assert_done("forward --in x.npy --out y.npy --save-mean m.npy");
    unlink("y.npy");
    unlink("m.npy");
    files = count_files(0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 10000000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    result = run("forward --in x.npy --out y.npy --save-mean m.npy");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(result, 1);
    ck_assert_msg(strstr(err_text, "cannot write 'y.npy': File too large; nothing was written") != NULL, "%s",
                  err_text);
    ck_assert_int_eq(count_files(0), files);
}
END_TEST

START_TEST(test_verbose)
{
    static const uint64_t shape[2] = {17, 19};

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    ck_assert_int_eq(run("--verbose forward --in x.npy --out y.npy"), 0);
    ck_assert_ptr_nonnull(strstr(err_text, "clnorm: device "));
    ck_assert_int_eq(run("forward --in x.npy --out y.npy --verbose"), 0);
    ck_assert_ptr_nonnull(strstr(err_text, "clnorm: device "));
    ck_assert_str_eq(out_text, "");
}
END_TEST

/* The conformance run passes, twice with the same digest. */
START_TEST(test_check)
{
    char digest[2][32];

    for (int i = 0; i < 2; i++) {
        const char *line;

        ck_assert_msg(run("check --quick") == 0, "%s%s", err_text, out_text);
        ck_assert_str_eq(err_text, "");
        ck_assert_ptr_nonnull(strstr(out_text, "free choice"));
        ck_assert_msg(strstr(out_text, "\ncheck: passed\n") != NULL, "%s", out_text);
        line = strstr(out_text, "\ndigest: ");
        ck_assert_ptr_nonnull(line);
        snprintf(digest[i], sizeof(digest[i]), "%.16s", line + 9);
        ck_assert_uint_eq(strspn(digest[i], "0123456789abcdef"), 16);
    }
    ck_assert_str_eq(digest[0], digest[1]);
}
END_TEST

/* What the default device promises, from what a verbose run says of it. */
static void learn_promise(void)
{
    static const uint64_t shape[2] = {17, 19};

    make_tensor(&tensor, CLNORM_CHANNELS_FIRST, 2, shape);
    if (run("--verbose forward --in x.npy --out y.npy") != 0)
        fprintf(stderr, "the tool does not work: %s", err_text);
    is_same_bits = strstr(err_text, ", same bits\n") != NULL;
}

/* CLNORM_TOOL may be relative to where the test starts; the tests work in a folder of their own. */
static int enter_folder(void)
{
    const char *tool = getenv("CLNORM_TOOL");
    char *absolute = tool ? realpath(tool, NULL) : NULL;

    if (!absolute) {
        fprintf(stderr, "CLNORM_TOOL is %s; expected the path of the clnorm tool\n", tool ? tool : "not set");
        return -1;
    }
    setenv("CLNORM_TOOL", absolute, 1);
    free(absolute);
    strcpy(folder, "/tmp/clnorm-cli-XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static void leave_folder(void)
{
    count_files(1);
    unlink(".stdout");
    unlink(".stderr");
    if (chdir("/") == 0)
        rmdir(folder);
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli");
    TCase *cases = tcase_create("cli");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_bad_files);
    tcase_add_test(cases, test_devices);
    tcase_add_test(cases, test_no_device);
    tcase_add_test(cases, test_unknown_device);
    tcase_add_test(cases, test_full_standard_output);
    tcase_add_loop_test(cases, test_forward_train, 0, TENSORS);
    tcase_add_loop_test(cases, test_forward_infer, 0, TENSORS);
    tcase_add_loop_test(cases, test_backward, 0, TENSORS);
    tcase_add_test(cases, test_backward_subsets);
    tcase_add_test(cases, test_forward_ways);
    tcase_add_test(cases, test_empty_batch);
    tcase_add_test(cases, test_verbose);
    tcase_add_test(cases, test_full_disk);
    tcase_add_test(cases, test_check);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    SRunner *runner;
    int failed;

    if (enter_folder() != 0)
        return EXIT_FAILURE;
    learn_promise();
    runner = srunner_create(make_suite());
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    leave_folder();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
