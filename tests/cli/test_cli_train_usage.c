/* SPDX-License-Identifier: Apache-2.0 */
/* Help, wrong usage, and data and models that are not as they should be, of `clnorm train` and `clnorm predict`. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "cli_run.h"
#include "train_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    cli_count_files(1);
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
        {"train --type float16", "CLBlast's products are of float32 alone; expected --reproducible as well"},
        {"train --type half", "option --type: expected float32|float16|bfloat16, got 'half'"},
        {"train --compare p.svg --out m.npz", "--compare trains many networks and keeps none; expected no --out"},
        {"train --compare p.svg --no-norm", "--compare trains with and without batch norm; expected no --no-norm"},
        {"train --compare p.svg --rate 2e37", "--compare goes up to 30 times --rate 2e+37, which is beyond float32"},
        {"train --compare p --csv p", "options --csv and --compare both name 'p'; expected a file for each"},
        {"train --out p --csv p", "options --out and --csv both name 'p'; expected a file for each"},
        {"train --in p --labels q --out p", "options --in and --out both name 'p'; expected a file for each"},
        {"train --in p --labels q --csv q", "options --labels and --csv both name 'q'; expected a file for each"},
        {"train --seeds 3", "option --seeds is for --compare; expected that as well"},
        {"train --target 0.9", "option --target is for --compare; expected that as well"},
        {"predict", "option --model is missing; expected --model model.npz"},
        {"predict --model m.npz", "option --in is missing; expected --in x.npy"},
        {"predict --model m.npz --in x.npy --out o --probabilities o",
         "options --out and --probabilities both name 'o'"},
        {"predict --model m.npz --in x.npy --probabilities m.npz",
         "options --model and --probabilities both name 'm.npz'; expected a file for each"},
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
        {"--in x.npy --labels y.npy --csv none/c.csv",
         "option --csv: cannot write 'none/c.csv': folder 'none': No such file"},
        {"--in x.npy --labels y.npy --csv /dev/full",
         "option --csv: cannot write '/dev/full': it is not a regular file"},
    };
    char arguments[256];

    train_make_points();
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
    setenv("CLNORM_DATA_DIR", train_data, 1);
}
END_TEST

START_TEST(test_bad_models)
{
    static char model[1 << 17];
    size_t size;
    FILE *file;

    train_make_points();
    train_assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    size = train_read_file("m.npz", model, sizeof(model));
    file = fopen("short.npz", "wb");
    fwrite(model, 1, size / 2, file);
    fclose(file);
    model[size / 2] ^= 1;
    file = fopen("flipped.npz", "wb");
    fwrite(model, 1, size, file);
    fclose(file);
    cli_assert_fails("predict --model . --in x.npy", 1, "option --model: cannot open '.': it is not a regular file");
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
    snprintf(model, sizeof(model), "predict --model m.npz --in %s/digits.npy", train_data);
    cli_assert_fails(model, 1, "digits.npy' has samples of 64 values; expected 2, as the model 'm.npz' takes them");
}
END_TEST

/* Samples far beyond those to train with: no class comes of what is no number. */
START_TEST(test_too_large)
{
    static const uint64_t shape[2] = {40, 2};
    float values[80];

    train_make_points();
    for (int i = 0; i < 80; i++)
        values[i] = 0.001f * (float)(i % 7);
    cli_write_array("small.npy", 2, shape, values);
    values[17] = 3e38f;
    cli_write_array("large.npy", 2, shape, values);
    train_assert_runs("train --reproducible --in small.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    train_assert_runs("predict --reproducible --model m.npz --in small.npy");
    cli_assert_fails("predict --reproducible --model m.npz --in large.npy --out c.npy --probabilities p.npy", 1,
                     "'large.npy': sample 8 goes beyond float32 in the network; expected values about as large as "
                     "those that it was trained with, whose largest was 0.006");
}
END_TEST

START_TEST(test_labels_of_more_classes)
{
    static const uint64_t shape[1] = {40};
    float labels[40] = {0};

    train_make_points();
    labels[11] = 2;
    cli_write_array("y3.npy", 1, shape, labels);
    train_assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    cli_assert_fails("predict --model m.npz --in x.npy --labels y3.npy", 1,
                     "'y3.npy': label of sample 11 is 2; expected 0 to 1");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli train usage");
    TCase *cases = tcase_create("cli train usage");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_bad_data);
    tcase_add_test(cases, test_no_digits);
    tcase_add_test(cases, test_bad_models);
    tcase_add_test(cases, test_too_large);
    tcase_add_test(cases, test_labels_of_more_classes);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return train_main(make_suite);
}
