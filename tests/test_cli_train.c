/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `clnorm train` and `clnorm predict` as a user drives them. Products are in the fixed order, so that no test waits for
 * CLBlast's kernels; CLNORM_DATA_DIR names the folder of the digits.
 */
#define _XOPEN_SOURCE 700 /* setenv */
#include "cli_run.h"
#include "npy.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *data; /* CLNORM_DATA_DIR */

static void setup(void)
{
    cli_count_files(1);
}

static size_t read_file(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    ck_assert_msg(file != NULL, "no file %s", path);
    size = fread(text, 1, capacity - 1, file);
    text[size] = '\0';
    fclose(file);
    return size;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* The run ends well; what it says on the way is progress. */
static void assert_runs(const char *format, ...)
{
    char arguments[4096];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    status = cli_run(arguments);
    ck_assert_msg(status == 0, "'%s': status %d: %s", arguments, status, cli_err);
    ck_assert_msg(strstr(cli_err, "clnorm: ") == NULL, "'%s' says: %s", arguments, cli_err);
}

/* The number behind a text in what was printed. */
static double number_behind(const char *text)
{
    const char *at = strstr(cli_out, text);

    ck_assert_msg(at != NULL, "no '%s' in: %s", text, cli_out);
    return strtod(at + strlen(text), NULL);
}

static const char *find_digest(char digest[17])
{
    const char *at = strstr(cli_out, "weights digest ");

    ck_assert_msg(at != NULL, "%s", cli_out);
    snprintf(digest, 17, "%.16s", at + 15);
    ck_assert_uint_eq(strspn(digest, "0123456789abcdef"), 16);
    return digest;
}

/* Two kinds of points in a plane, 40 of them, as x.npy and y.npy. */
static void make_points(void)
{
    static const uint64_t shape[2] = {40, 2};
    float x[80], y[40];

    for (int i = 0; i < 40; i++) {
        y[i] = (float)(i % 2);
        x[2 * i] = (float)(i % 7) + 8 * y[i];
        x[2 * i + 1] = (float)(i % 5);
    }
    cli_write_array("x.npy", 2, shape, x);
    cli_write_array("y.npy", 1, shape, y);
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

START_TEST(test_help)
{
    static const char *const commands[] = {"train", "predict"};

    for (int i = 0; i < 2; i++) {
        char arguments[64], expected[64];

        snprintf(arguments, sizeof(arguments), "%s --help", commands[i]);
        snprintf(expected, sizeof(expected), "usage: clnorm %s", commands[i]);
        cli_assert_done(arguments);
        ck_assert_msg(strstr(cli_out, expected) == cli_out, "%s", cli_out);
        for (char *line = strtok(cli_out, "\n"); line; line = strtok(NULL, "\n"))
            ck_assert_msg(strlen(line) <= 120, "%s", line);
    }
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"train more", "unexpected argument 'more'"},
        {"train --in x.npy", "option --labels is missing; --in x.npy and --labels y.npy go together"},
        {"train --labels y.npy", "option --in is missing; --in x.npy and --labels y.npy go together"},
        {"train --hidden 0", "option --hidden: expected none, or 1 to 11 whole numbers from 1 to 1048576"},
        {"train --hidden 12,", "got '12,'"},
        {"train --hidden 12x3", "got '12x3'"},
        {"train --hidden 1,2,3,4,5,6,7,8,9,10,11,12", "option --hidden: expected none, or 1 to 11"},
        {"train --conv 8,1048577", "option --conv: expected none, or 1 to 11"},
        {"train --hidden 1,2,3,4,5,6 --conv 1,2,3,4,5,6", "--conv and --hidden ask for 12 layers; expected at most 11"},
        {"train --image 8,8", "option --image: expected C,H,W"},
        {"train --batch 0", "option --batch: expected a whole number from 1 to 16777216, got '0'"},
        {"train --batch 1.5", "option --batch: expected a whole number"},
        {"train --batch 1",
         "option --batch: one sample has no variance to normalize by; expected 2 or more, or --no-norm"},
        {"train --batch 99999999999999999999999", "option --batch: expected a whole number"},
        {"train --rate 0", "option --rate: expected a number above 0, got '0'"},
        {"train --rate -1", "option --rate: expected a number above 0"},
        {"train --momentum 1", "option --momentum: expected a number from 0 to 0.9999, got '1'"},
        {"train --epochs 0", "option --epochs: expected a whole number from 1 to 1000000"},
        {"train --seed -1", "option --seed: expected a whole number below 1.8e19, got '-1'"},
        {"train --test-fraction 2", "option --test-fraction: expected a number from 0 to 1"},
        {"train --hidden none", "with neither --hidden nor --conv there is nothing to normalize; expected --no-norm"},
        {"train --compare p.svg --out m.npz", "--compare trains many networks and keeps none; expected no --out"},
        {"train --compare p.svg --no-norm", "--compare trains with and without batch norm; expected no --no-norm"},
        {"train --compare p --csv p", "options --csv and --compare both name 'p'; expected a file for each"},
        {"train --out p --csv p", "options --out and --csv both name 'p'; expected a file for each"},
        {"train --seeds 3", "option --seeds is for --compare; expected that as well"},
        {"train --target 0.9", "option --target is for --compare; expected that as well"},
        {"predict", "option --model is missing; expected --model model.npz"},
        {"predict --model m.npz", "option --in is missing; expected --in x.npy"},
        {"predict --model m.npz --in x.npy --out o --probabilities o",
         "options --out and --probabilities both name 'o'"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 2, bad[i].expected);
}
END_TEST

START_TEST(test_bad_data)
{
    static const uint64_t three[1] = {3}, forty[1] = {40}, tall[3] = {40, 1, 2}, deep[5] = {2, 1, 1, 1, 1},
                          six[2] = {40, 6};
    static float nans[240], labels[40];
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"--in none.npy --labels y.npy", "cannot open 'none.npy'"},
        {"--in y.npy --labels y.npy", "'y.npy' has shape (40,); expected samples: (N, F), (N, H, W) or (N, C, H, W)"},
        {"--in deep.npy --labels y.npy", "'deep.npy' has shape (2, 1, 1, 1, 1); expected samples"},
        {"--in x.npy --labels three.npy",
         "'three.npy' has shape (3,); expected (40,), a label for each sample of 'x.npy'"},
        {"--in x.npy --labels x.npy", "'x.npy' has shape (40, 2); expected (40,)"},
        {"--in nan.npy --labels y.npy", "'nan.npy': sample 16, value 1 is nan; expected finite numbers"},
        {"--in x.npy --labels half.npy", "'half.npy': value number 7 is 0.5; expected whole numbers"},
        {"--in x.npy --labels minus.npy", "'minus.npy': label of sample 5 is -1; expected 0 to 65535"},
        {"--in x.npy --labels many.npy", "'many.npy': label of sample 9 is 65536; expected 0 to 65535"},
        {"--in x.npy --labels one.npy", "'one.npy' has labels of one class alone; expected two classes or more"},
        {"--in x.npy --labels y.npy --batch 33",
         "--batch 33: 'x.npy' has 32 samples to train with, besides 8 held out"},
        {"--in x.npy --labels y.npy --test-fraction 0", "--test-fraction 0 holds out 0 of the 40 samples"},
        {"--in x.npy --labels y.npy --test-fraction 1", "--test-fraction 1 holds out 40 of the 40 samples"},
        {"--in x.npy --labels y.npy --conv 3", "have 2 values, which are no square image; expected --image C,H,W"},
        {"--in x.npy --labels y.npy --conv 3 --image 1,1,3",
         "option --image: 1 x 1 x 3 values, but samples of 'x.npy' have 2"},
        {"--in x.npy --labels y.npy --device nope", "--device 'nope': no such device"},
        {"--in x.npy --labels y.npy --out none/m.npz", "option --out: cannot write 'none/m.npz': folder 'none'"},
        {"--in x.npy --labels y.npy --out .", "option --out: cannot write '.': it is a folder"},
        {"--in x.npy --labels y.npy --csv none/c.csv", "cannot write 'none/c.csv': No such file"},
    };
    char arguments[256];

    make_points();
    for (int i = 0; i < 240; i++)
        nans[i] = i == 97 ? NAN : 1;
    cli_write_array("nan.npy", 2, six, nans);
    cli_write_array("deep.npy", 5, deep, labels);
    cli_write_array("tall.npy", 3, tall, nans);
    cli_write_array("three.npy", 1, three, labels);
    cli_write_array("one.npy", 1, forty, labels);
    labels[7] = 0.5f;
    cli_write_array("half.npy", 1, forty, labels);
    labels[7] = 0;
    labels[5] = -1;
    cli_write_array("minus.npy", 1, forty, labels);
    labels[5] = 0;
    labels[9] = 65536;
    cli_write_array("many.npy", 1, forty, labels);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(arguments, sizeof(arguments), "train --reproducible %s%s", bad[i].arguments,
                 strstr(bad[i].arguments, "--batch") ? "" : " --batch 8");
        cli_assert_fails(arguments, 1, bad[i].expected);
    }
}
END_TEST

START_TEST(test_no_digits)
{
    setenv("CLNORM_DATA_DIR", "/nowhere", 1);
    cli_assert_fails("train --reproducible", 1,
                     "cannot find the digits, digits.npy and digits-labels.npy, in /nowhere; "
                     "expected --in and --labels, or the environment variable");
    setenv("CLNORM_DATA_DIR", data, 1);
}
END_TEST

/* ---- learning ------------------------------------------------------------------------------------------------- */

/* The digits are those of their README, by how many there are of each. */
START_TEST(test_digits)
{
    static const char counts[] = "    0        178        178         178\n";
    static const int labelled[10] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
    const char *line;

    assert_runs("train --reproducible --out m.npz");
    ck_assert_ptr_nonnull(strstr(cli_out, "network   64-128-64-10, batch norm, 17418 weights\n"));
    ck_assert_ptr_nonnull(strstr(cli_out, "1438 samples to train with, 359 held out\n"));
    ck_assert_ptr_nonnull(strstr(cli_err, "epoch      loss  accuracy  held-out   samples/s\n    1 "));
    ck_assert_ptr_nonnull(strstr(cli_err, "\n   10 "));
    assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --labels %s/digits-labels.npy", data, data);
    ck_assert_double_ge(number_behind("accuracy "), 98);
    line = strchr(cli_out, '\n') + 1;
    for (int k = 0; k < 10; k++, line += strlen(counts)) {
        int got[4];

        ck_assert_int_eq(sscanf(line, "%d %d %d %d", &got[0], &got[1], &got[2], &got[3]), 4);
        ck_assert_int_eq(got[0], k);
        ck_assert_int_eq(got[3], labelled[k]);
    }
}
END_TEST

/* 97 % of samples it has never seen, within 10 epochs, whatever the seed; convolutions as well. */
START_TEST(test_learns)
{
    static const char *const options[] = {"", "--seed 2", "--seed 3", "--seed 4", "--seed 5", "--conv 8,16"};

    assert_runs("train --reproducible %s", options[_i]);
    ck_assert_double_ge(number_behind("held-out  "), 97);
}
END_TEST

/* The same seed gives the same weights, files and curves; another one others. */
START_TEST(test_same_bits)
{
    static char first[1 << 17], second[1 << 17];
    char digests[2][17];
    size_t size;

    assert_runs("train --reproducible --epochs 2 --out a.npz --csv a.csv");
    find_digest(digests[0]);
    assert_runs("train --reproducible --epochs 2 --out b.npz --csv b.csv");
    ck_assert_str_eq(find_digest(digests[1]), digests[0]);
    size = read_file("a.npz", first, sizeof(first));
    ck_assert_uint_eq(read_file("b.npz", second, sizeof(second)), size);
    ck_assert_mem_eq(first, second, size);
    read_file("a.csv", first, sizeof(first));
    read_file("b.csv", second, sizeof(second));
    ck_assert_str_eq(first, second);
    ck_assert_msg(strncmp(first,
                          "network,rate,seed,epoch,step,loss,accuracy,held_out_loss,held_out_accuracy\n"
                          "batch-norm,0.1",
                          60) == 0,
                  "%s", first);
    assert_runs("train --reproducible --epochs 2 --seed 2");
    ck_assert_str_ne(find_digest(digests[1]), digests[0]);
    ck_assert_int_eq(cli_count_files(0), 4);
}
END_TEST

/* Other data, of other forms: float32 labels, images of rank 3, a plain network, a whole batch. */
START_TEST(test_other_data)
{
    static const uint64_t shape[3] = {40, 1, 2};
    struct npy_array x;
    struct npy_error error;

    make_points();
    assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 32 --epochs 60 --out m.npz");
    ck_assert_double_ge(number_behind("held-out  "), 99);
    assert_runs("predict --reproducible --model m.npz --in x.npy --labels y.npy");
    ck_assert_ptr_nonnull(strstr(cli_out, "accuracy 100.00 %: 40 of 40\n"));
    assert_runs(
        "train --reproducible --in x.npy --labels y.npy --hidden none --no-norm --batch 1 --epochs 40 --rate 0.03");
    ck_assert_double_ge(number_behind("held-out  "), 99);
    ck_assert_ptr_nonnull(strstr(cli_out, "network   2-2, no batch norm, 6 weights\n"));
    ck_assert_int_eq(npy_read("x.npy", &x, &error), 0);
    cli_write_array("x3.npy", 3, shape, x.values);
    npy_free(&x);
    assert_runs("train --reproducible --in x3.npy --labels y.npy --conv 4,4 --hidden none --batch 8 --epochs 20");
    ck_assert_ptr_nonnull(strstr(cli_out, "network   2-conv4-conv4-2, batch norm"));
    ck_assert_double_ge(number_behind("held-out  "), 99);
}
END_TEST

/* Training that diverges keeps the last good model: here that of before. */
START_TEST(test_diverges)
{
    char text[64];

    write_text("old.npz", "as it was");
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        ck_assert_int_eq(cli_run(is_plain ? "train --reproducible --rate 1e20 --out old.npz --csv c.csv --no-norm"
                                          : "train --reproducible --rate 1e20 --out old.npz --csv c.csv"),
                         1);
        ck_assert_msg(strstr(cli_err,
                             "clnorm: training diverged in epoch 1 at rate 1e+20: loss or weights are not finite; "
                             "expected a smaller --rate; 'old.npz' was not written\n") != NULL,
                      "%s", cli_err);
        ck_assert_str_eq(cli_out, "");
        ck_assert_int_eq(cli_count_files(0), 1);
    }
    read_file("old.npz", text, sizeof(text));
    ck_assert_str_eq(text, "as it was");
}
END_TEST

/* ... and here that of an earlier epoch: momentum carries weights that are huge from the start beyond what a float holds. */
START_TEST(test_diverges_later)
{
    unsigned long epoch;
    const char *at;

    make_points();
    ck_assert_int_eq(cli_run("train --reproducible --in x.npy --labels y.npy --hidden none --no-norm --batch 8 "
                             "--rate 1e37 --momentum 0.9999 --epochs 1000 --out m.npz"),
                     1);
    at = strstr(cli_err, "clnorm: training diverged in epoch ");
    ck_assert_msg(at != NULL, "%s", cli_err);
    epoch = strtoul(at + 35, NULL, 10);
    at = strstr(at, "'m.npz' holds the model of epoch ");
    ck_assert_msg(at != NULL, "%s", cli_err);
    ck_assert_uint_eq(strtoul(at + 33, NULL, 10), epoch - 1);
    assert_runs("predict --reproducible --model m.npz --in x.npy");
}
END_TEST

/* ---- predicting ----------------------------------------------------------------------------------------------- */

START_TEST(test_predict)
{
    struct npy_array classes, probabilities, folded;
    struct npy_error error;
    double worst = 0;

    assert_runs("train --reproducible --epochs 3 --conv 4 --out m.npz");
    cli_assert_done("predict --help");
    assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --out c.npy --probabilities p.npy", data);
    ck_assert_ptr_null(strstr(cli_out, "accuracy"));
    assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --probabilities f.npy --fold", data);
    ck_assert_msg(npy_read_integers("c.npy", &classes, &error) == 0, "%s", error.text);
    ck_assert_msg(npy_read("p.npy", &probabilities, &error) == 0, "%s", error.text);
    ck_assert_msg(npy_read("f.npy", &folded, &error) == 0, "%s", error.text);
    ck_assert_int_eq(classes.type, NPY_INT32);
    ck_assert_uint_eq(classes.count, 1797);
    ck_assert_uint_eq(probabilities.shape[1], 10);
    for (uint64_t i = 0; i < 1797; i++) {
        const float *p = probabilities.values + 10 * i;
        double sum = 0;

        for (int k = 0; k < 10; k++) {
            sum += (double)p[k];
            ck_assert(p[k] <= p[classes.integers[i]]);
            worst = fmax(worst, fabs((double)(p[k] - folded.values[10 * i + (uint64_t)k])));
        }
        ck_assert_double_eq_tol(sum, 1, 2e-6);
    }
    ck_assert_msg(worst > 0 && worst < 1e-5, "folded probabilities differ by %g", worst);
    npy_free(&classes);
    npy_free(&probabilities);
    npy_free(&folded);
}
END_TEST

START_TEST(test_bad_models)
{
    static char model[1 << 17];
    size_t size;
    FILE *file;

    make_points();
    assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    size = read_file("m.npz", model, sizeof(model));
    file = fopen("short.npz", "wb");
    fwrite(model, 1, size / 2, file);
    fclose(file);
    model[size / 2] ^= 1;
    file = fopen("flipped.npz", "wb");
    fwrite(model, 1, size, file);
    fclose(file);
    cli_assert_fails("predict --model none.npz --in x.npy", 1, "option --model: cannot open 'none.npz': No such file");
    cli_assert_fails("predict --model x.npy --in x.npy", 1, "option --model: 'x.npy' is not a .npz file");
    cli_assert_fails("predict --model short.npz --in x.npy", 1,
                     "option --model: 'short.npz' is not a .npz file, or a "
                     "truncated one; expected one written by clnorm train");
    cli_assert_fails("predict --model flipped.npz --in x.npy", 1, "option --model: 'flipped.npz'");
    cli_assert_fails("predict --model m.npz --in none.npy", 1, "cannot open 'none.npy'");
    cli_assert_fails("predict --model m.npz --in x.npy --out none/o.npy", 1, "option --out: cannot write 'none/o.npy'");
    cli_assert_fails("predict --model m.npz --in x.npy --probabilities .", 1,
                     "option --probabilities: cannot write '.'");
    cli_assert_fails("predict --model m.npz --in x.npy --labels m.npz", 1, "'m.npz' is not a .npy file");
    snprintf(model, sizeof(model), "predict --model m.npz --in %s/digits.npy", data);
    cli_assert_fails(model, 1, "digits.npy' has samples of 64 values; expected 2, as the model 'm.npz' takes them");
}
END_TEST

START_TEST(test_labels_of_more_classes)
{
    static const uint64_t shape[1] = {40};
    float labels[40] = {0};

    make_points();
    labels[11] = 2;
    cli_write_array("y3.npy", 1, shape, labels);
    assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    cli_assert_fails("predict --model m.npz --in x.npy --labels y3.npy", 1,
                     "'y3.npy': label of sample 11 is 2; expected 0 to 1");
}
END_TEST

/* ---- comparing ------------------------------------------------------------------------------------------------ */

/* The table's numbers of one rate. */
struct row {
    double steps[2], accuracy[2]; /* with batch norm, without; INFINITY: never */
};

static struct row find_row(const char *rate)
{
    char start[16], words[8][16];
    const char *at;
    struct row row;

    snprintf(start, sizeof(start), "\n%8s ", rate);
    at = strstr(cli_out, start);
    ck_assert_msg(at != NULL, "no rate %s in: %s", rate, cli_out);
    ck_assert_int_eq(sscanf(at, "%*s %15s %15s %15s %15s %% %15s %15s %15s %15s", words[0], words[1], words[2],
                            words[3], words[4], words[5], words[6], words[7]),
                     8);
    for (int i = 0; i < 2; i++) {
        row.steps[i] = strcmp(words[4 * i], "never") == 0 ? INFINITY : strtod(words[4 * i], NULL);
        row.accuracy[i] = strtod(words[4 * i + 3], NULL);
    }
    return row;
}

static int has_gnuplot(void)
{
    return system("gnuplot --version >/dev/null 2>&1") == 0;
}

/*
 * What batch norm is for. Of three seeds, at the rate at which the plain network learns fastest batch norm takes fewer steps;
 * at three times that rate at most half as many; and at ten times it learns where the plain one does not.
 */
START_TEST(test_compare)
{
    static char csv[1 << 20];
    char picture[64];
    struct row row;
    size_t lines = 0;

    if (!has_gnuplot()) {
        printf("no gnuplot here: clnorm train --compare is not tested\n");
        return;
    }
    assert_runs("train --reproducible --compare p.svg --csv c.csv --seeds 3");
    row = find_row("0.1");
    ck_assert_double_lt(row.steps[0], 0.8 * row.steps[1]);
    ck_assert_double_ge(row.accuracy[0], 97);
    ck_assert_double_ge(row.accuracy[1], 95);
    row = find_row("0.3");
    ck_assert_double_le(row.steps[0], 0.5 * row.steps[1]);
    row = find_row("1");
    ck_assert_double_ge(row.accuracy[0], 90);
    ck_assert_double_le(row.accuracy[1], 30);
    ck_assert_double_lt(row.steps[0], 110);
    ck_assert(isinf(row.steps[1]));
    ck_assert_uint_gt(read_file("p.svg", picture, sizeof(picture)), 60);
    ck_assert_msg(strncmp(picture, "<?xml", 5) == 0, "%s", picture);
    read_file("c.csv", csv, sizeof(csv));
    for (const char *at = csv; *at; at++)
        lines += *at == '\n';
    /* A head, and 220 steps of 3 seeds at 6 rates of 2 networks. */
    ck_assert_uint_eq(lines, 1 + 220 * 3 * 6 * 2);
    ck_assert_int_eq(cli_count_files(0), 2);
}
END_TEST

START_TEST(test_compare_outputs)
{
    char *path = strdup(getenv("PATH")), picture[16];

    make_points();
    if (has_gnuplot()) {
        assert_runs(
            "train --reproducible --in x.npy --labels y.npy --hidden 4 --batch 8 --epochs 1 --seeds 1 --compare p.png");
        read_file("p.png", picture, sizeof(picture));
        ck_assert_mem_eq(picture, "\x89PNG", 4);
        /* All rates diverge at once; a picture there is all the same. */
        assert_runs(
            "train --reproducible --in x.npy --labels y.npy --hidden 4 --batch 8 --epochs 1 --seeds 2 --rate 1e25 "
            "--compare q.svg");
        ck_assert_ptr_nonnull(strstr(cli_out, "diverged: "));
        cli_assert_fails("train --reproducible --in x.npy --labels y.npy --batch 8 --compare none/p.svg", 1,
                         "cannot write 'none/p.svg': No such file");
        cli_assert_fails("train --reproducible --in x.npy --labels y.npy --batch 8 --compare r.svg --csv none/c", 1,
                         "cannot write 'none/c': No such file");
    }
    setenv("PATH", cli_folder, 1);
    cli_assert_fails("train --reproducible --in x.npy --labels y.npy --batch 8 --compare r.svg", 1,
                     "--compare needs the program gnuplot");
    setenv("PATH", path, 1);
    free(path);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli train");
    TCase *cases = tcase_create("cli train");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_bad_data);
    tcase_add_test(cases, test_no_digits);
    tcase_add_loop_test(cases, test_learns, 0, 6);
    tcase_add_test(cases, test_same_bits);
    tcase_add_test(cases, test_diverges);
    tcase_add_test(cases, test_diverges_later);
    tcase_add_test(cases, test_digits);
    tcase_add_test(cases, test_other_data);
    tcase_add_test(cases, test_predict);
    tcase_add_test(cases, test_bad_models);
    tcase_add_test(cases, test_labels_of_more_classes);
    tcase_add_test(cases, test_compare);
    tcase_add_test(cases, test_compare_outputs);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    data = getenv("CLNORM_DATA_DIR") ? strdup(getenv("CLNORM_DATA_DIR")) : NULL;
    if (!data) {
        fprintf(stderr, "CLNORM_DATA_DIR is not set; expected the folder of digits.npy\n");
        return EXIT_FAILURE;
    }
    return cli_main(make_suite);
}
