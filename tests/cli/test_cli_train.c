/* SPDX-License-Identifier: Apache-2.0 */
/* What `clnorm train` and `clnorm predict` learn, write and tell. Wrong usage and bad files: test_cli_train_usage.c. */
#define _XOPEN_SOURCE 700 /* setenv */
#include "cli_run.h"
#include "cli/files/npy.h"
#include "train_run.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void setup(void)
{
    cli_count_files(1);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
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

/* ---- learning ------------------------------------------------------------------------------------------------- */

/* The digits are those of their README, by how many there are of each. */
START_TEST(test_digits)
{
    static const char counts[] = "    0        178        178         178\n";
    static const int labelled[10] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
    const char *line;

    train_assert_runs("train --reproducible --out m.npz");
    ck_assert_ptr_nonnull(strstr(cli_out, "network   64-128-64-10, batch norm, 17418 weights\n"));
    ck_assert_ptr_nonnull(strstr(cli_out, "1438 samples to train with, 359 held out\n"));
    ck_assert_ptr_nonnull(strstr(cli_err, "epoch      loss  accuracy  held-out   samples/s\n    1 "));
    ck_assert_ptr_nonnull(strstr(cli_err, "\n   10 "));
    train_assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --labels %s/digits-labels.npy",
                      train_data, train_data);
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

/* 97 % of samples it has never seen, within 10 epochs, whatever the seed; convolutions as well, and with less kept of samples. */
START_TEST(test_learns)
{
    static const char *const options[] = {"", "--seed 2", "--conv 8,16", "--type float16",
                                          "--type bfloat16 --conv 8,16"};

    train_assert_runs("train --reproducible %s", options[_i]);
    ck_assert_double_ge(number_behind("held-out  "), 97);
}
END_TEST

/* The same seed gives the same weights, files and curves; another one others. */
START_TEST(test_same_bits)
{
    static char first[1 << 17], second[1 << 17];
    char digests[2][17];
    size_t size;

    train_assert_runs("train --reproducible --epochs 2 --out a.npz --csv a.csv");
    find_digest(digests[0]);
    train_assert_runs("train --reproducible --epochs 2 --out b.npz --csv b.csv");
    ck_assert_str_eq(find_digest(digests[1]), digests[0]);
    size = train_read_file("a.npz", first, sizeof(first));
    ck_assert_uint_eq(train_read_file("b.npz", second, sizeof(second)), size);
    ck_assert_mem_eq(first, second, size);
    train_read_file("a.csv", first, sizeof(first));
    train_read_file("b.csv", second, sizeof(second));
    ck_assert_str_eq(first, second);
    ck_assert_msg(strncmp(first,
                          "network,rate,seed,epoch,step,loss,accuracy,held_out_loss,held_out_accuracy\n"
                          "batch-norm,0.1",
                          60) == 0,
                  "%s", first);
    train_assert_runs("train --reproducible --epochs 2 --seed 2");
    ck_assert_str_ne(find_digest(digests[1]), digests[0]);
    ck_assert_int_eq(cli_count_files(0), 4);
}
END_TEST

/* Other data, of other forms: float32 labels, images of rank 3, a plain network, batches of one, as many layers as may be. */
START_TEST(test_other_data)
{
    static const uint64_t shape[3] = {40, 1, 2};
    struct npy_array x;
    struct npy_error error;

    train_make_points();
    train_assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 32 --epochs 60 --out m.npz");
    ck_assert_double_ge(number_behind("held-out  "), 99);
    train_assert_runs("predict --reproducible --model m.npz --in x.npy --labels y.npy");
    ck_assert_ptr_nonnull(strstr(cli_out, "accuracy 100.00 %: 40 of 40\n"));
    train_assert_runs(
        "train --reproducible --in x.npy --labels y.npy --hidden none --no-norm --batch 1 --epochs 40 --rate 0.03");
    ck_assert_double_ge(number_behind("held-out  "), 99);
    ck_assert_ptr_nonnull(strstr(cli_out, "network   2-2, no batch norm, 6 weights\n"));
    train_assert_runs(
        "train --reproducible --in x.npy --labels y.npy --hidden 3,3,3,3,3,3,3,3,3,3,3 --batch 2 --epochs 1 "
        "--out m.npz");
    train_assert_runs("predict --reproducible --model m.npz --in x.npy --fold");
    ck_assert_int_eq(npy_read("x.npy", &x, &error), 0);
    cli_write_array("x3.npy", 3, shape, x.values);
    npy_free(&x);
    train_assert_runs("train --reproducible --in x3.npy --labels y.npy --conv 4,4 --hidden none --batch 8 --epochs 20");
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
    train_read_file("old.npz", text, sizeof(text));
    ck_assert_str_eq(text, "as it was");
}
END_TEST

/* ... and here that of an earlier epoch: momentum carries weights that are huge from the start beyond what a float holds. */
START_TEST(test_diverges_later)
{
    unsigned long epoch;
    const char *at;

    train_make_points();
    ck_assert_int_eq(cli_run("train --reproducible --in x.npy --labels y.npy --hidden none --no-norm --batch 8 "
                             "--rate 1e37 --momentum 0.9999 --epochs 1000 --out m.npz"),
                     1);
    at = strstr(cli_err, "clnorm: training diverged in epoch ");
    ck_assert_msg(at != NULL, "%s", cli_err);
    epoch = strtoul(at + 35, NULL, 10);
    at = strstr(at, "'m.npz' holds the model of epoch ");
    ck_assert_msg(at != NULL, "%s", cli_err);
    ck_assert_uint_eq(strtoul(at + 33, NULL, 10), epoch - 1);
    train_assert_runs("predict --reproducible --model m.npz --in x.npy");
}
END_TEST

/* Whoever ends the training has the model of the last epoch, whole, and no other file. */
START_TEST(test_interrupted)
{
    train_make_points();
    train_assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 8 --batch 8 --epochs 1 --out m.npz");
    ck_assert_int_ne(system("timeout -s INT 1 \"$CLNORM_TOOL\" train --reproducible --in x.npy --labels y.npy "
                            "--hidden 8 --batch 8 --epochs 1000000 --out m.npz --csv c.csv >.stdout 2>.stderr"),
                     0);
    ck_assert_int_eq(cli_count_files(0), 3);
    train_assert_runs("predict --reproducible --model m.npz --in x.npy --labels y.npy");
}
END_TEST

/* As where the disk is full: the model of before stays, and the reason is told. The limit is above what drivers write. */
START_TEST(test_full_disk)
{
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    int result, files;

    train_make_points();
    train_assert_runs("train --reproducible --in x.npy --labels y.npy --hidden 1600,1600 --batch 32 --epochs 1");
    write_text("m.npz", "as it was");
    files = cli_count_files(0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 10000000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    result =
        cli_run("train --reproducible --in x.npy --labels y.npy --hidden 1600,1600 --batch 32 --epochs 1 --out m.npz");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(result, 1);
    ck_assert_msg(strstr(cli_err, "m.npz': File too large\n") != NULL, "%s", cli_err);
    ck_assert_msg(strstr(cli_err, "'m.npz' is not written; a file that was there stays as it was\n") != NULL, "%s",
                  cli_err);
    ck_assert_int_eq(cli_count_files(0), files);
}
END_TEST

/* ---- predicting ----------------------------------------------------------------------------------------------- */

START_TEST(test_predict)
{
    struct npy_array classes, probabilities, folded;
    struct npy_error error;
    double worst = 0;

    train_assert_runs("train --reproducible --epochs 3 --conv 4 --out m.npz");
    cli_assert_done("predict --help");
    train_assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --out c.npy --probabilities p.npy",
                      train_data);
    ck_assert_ptr_null(strstr(cli_out, "accuracy"));
    train_assert_runs("predict --reproducible --model m.npz --in %s/digits.npy --probabilities f.npy --fold",
                      train_data);
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
    train_assert_runs("train --reproducible --compare p.svg --csv c.csv --seeds 3");
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
    ck_assert_uint_gt(train_read_file("p.svg", picture, sizeof(picture)), 60);
    ck_assert_msg(strncmp(picture, "<?xml", 5) == 0, "%s", picture);
    train_read_file("c.csv", csv, sizeof(csv));
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

    train_make_points();
    if (has_gnuplot()) {
        train_assert_runs(
            "train --reproducible --in x.npy --labels y.npy --hidden 4 --batch 8 --epochs 1 --seeds 1 --compare p.png");
        train_read_file("p.png", picture, sizeof(picture));
        ck_assert_mem_eq(picture, "\x89PNG", 4);
        /* All rates diverge at once; a picture there is all the same. */
        train_assert_runs(
            "train --reproducible --in x.npy --labels y.npy --hidden 4 --batch 8 --epochs 1 --seeds 2 --rate 1e25 "
            "--compare q.svg");
        ck_assert_ptr_nonnull(strstr(cli_out, "diverged: "));
        cli_assert_fails("train --reproducible --in x.npy --labels y.npy --batch 8 --compare none/p.svg", 1,
                         "option --compare: cannot write 'none/p.svg': folder 'none': No such file");
        cli_assert_fails("train --reproducible --in x.npy --labels y.npy --batch 8 --compare r.svg --csv none/c", 1,
                         "option --csv: cannot write 'none/c': folder 'none': No such file");
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
    int is_small = getenv("CLNORM_TEST_SMALL") != NULL;

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    if (is_small) {
        tcase_add_loop_test(cases, test_learns, 2, 3);
    } else { /* other weights, and more of what test_compare_outputs runs as well */
        tcase_add_loop_test(cases, test_learns, 0, 5);
        tcase_add_test(cases, test_compare);
    }
    tcase_add_test(cases, test_same_bits);
    tcase_add_test(cases, test_diverges);
    tcase_add_test(cases, test_diverges_later);
    tcase_add_test(cases, test_interrupted);
    tcase_add_test(cases, test_full_disk);
    tcase_add_test(cases, test_digits);
    tcase_add_test(cases, test_other_data);
    tcase_add_test(cases, test_predict);
    tcase_add_test(cases, test_compare_outputs);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return train_main(make_suite);
}
