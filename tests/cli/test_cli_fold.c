/* SPDX-License-Identifier: Apache-2.0 */
/* clnorm fold: a layer with its normalization folded in gives what the two gave; and what is wrong is told. */
#include "cli_run.h"
#include "cli/files/npy.h"

#include <math.h>
#include <string.h>

enum { OUTPUTS = 5, INPUTS = 3, KERNEL = 2, LENGTH = INPUTS * KERNEL * KERNEL };

static const uint64_t weights_shape[] = {OUTPUTS, INPUTS, KERNEL, KERNEL}, outputs_shape[] = {OUTPUTS};
static float weights[OUTPUTS * LENGTH], vectors[5][OUTPUTS];
static const char *const names[5] = {"bias.npy", "mean.npy", "var.npy", "scale.npy", "shift.npy"};

static void setup(void)
{
    cli_count_files(1);
    for (int i = 0; i < OUTPUTS * LENGTH; i++)
        weights[i] = (float)((i * 37) % 101 - 50) * 0.02f;
    for (int v = 0; v < 5; v++)
        for (int c = 0; c < OUTPUTS; c++)
            vectors[v][c] = (float)((c * 13 + v * 7) % 11 - (v == 2 ? 0 : 5)) * 0.3f + (v == 2 ? 0.1f : 0.0f);
    cli_write_array("w.npy", 4, weights_shape, weights);
    for (int v = 0; v < 5; v++)
        cli_write_array(names[v], 1, outputs_shape, vectors[v]);
}

static struct npy_array read(const char *path, unsigned rank, const uint64_t *shape)
{
    struct npy_array array;
    struct npy_error error;

    ck_assert_msg(npy_read(path, &array, &error) == 0, "%s", error.text);
    ck_assert_uint_eq(array.rank, rank);
    ck_assert_mem_eq(array.shape, shape, rank * sizeof(shape[0]));
    return array;
}

/* bias, scale and shift as given or, where not, as the tool says. */
static void check(int given, double epsilon)
{
    struct npy_array w = read("W.npy", 4, weights_shape), b = read("B.npy", 1, outputs_shape);

    for (int c = 0; c < OUTPUTS; c++) {
        double factor = (given ? (double)vectors[3][c] : 1.0) / sqrt((double)vectors[2][c] + epsilon);
        double bias = ((given ? (double)vectors[0][c] : 0.0) - (double)vectors[1][c]) * factor +
                      (given ? (double)vectors[4][c] : 0.0);

        for (int i = 0; i < LENGTH; i++)
            ck_assert_double_le(fabs((double)w.values[c * LENGTH + i] - (double)weights[c * LENGTH + i] * factor),
                                1e-6 * fabs(factor));
        ck_assert_double_le(fabs((double)b.values[c] - bias), 1e-6 * (1.0 + fabs(bias) + fabs(factor)));
    }
    npy_free(&w);
    npy_free(&b);
}

START_TEST(test_folds)
{
    cli_assert_done("fold --weights w.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out B.npy");
    check(0, 1e-5);
    cli_assert_done("fold --weights w.npy --bias bias.npy --mean mean.npy --var var.npy --scale scale.npy --shift "
                    "shift.npy --epsilon 0.25 --weights-out W.npy --bias-out B.npy");
    check(1, 0.25);
}
END_TEST

/* A layer's files may be written over: they are read before. */
START_TEST(test_over_itself)
{
    cli_assert_done("fold --weights w.npy --bias bias.npy --mean mean.npy --var var.npy --scale scale.npy --shift "
                    "shift.npy --weights-out w.npy --bias-out bias.npy");
    struct npy_array w = read("w.npy", 4, weights_shape);
    ck_assert_float_ne(w.values[1], weights[1]);
    npy_free(&w);
}
END_TEST

START_TEST(test_wrong)
{
    static const struct {
        const char *arguments;
        int status;
        const char *expected;
    } cases[] = {
        {"fold", 2, "fold: option --weights is missing"},
        {"fold --weights w.npy --mean mean.npy --var var.npy --weights-out W.npy", 2, "option --bias-out is missing"},
        {"fold --weights w.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out W.npy", 2, "W.npy"},
        {"fold --weights w.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out B.npy --epsilon -1", 2,
         "expected a finite number >= 0"},
        {"fold --weights bias.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out B.npy", 1,
         "'bias.npy' has shape (5,); expected 2 axes or more, outputs first"},
        {"fold --weights w.npy --mean w.npy --var var.npy --weights-out W.npy --bias-out B.npy", 1,
         "'w.npy' has shape (5, 3, 2, 2); expected (5,), a value for each output of 'w.npy'"},
        {"fold --weights gone.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out B.npy", 1, "gone.npy"},
        {"fold --weights w.npy --mean mean.npy --var var.npy --weights-out none/W.npy --bias-out B.npy", 1,
         "folder 'none'"},
        {"fold --weights w.npy --mean mean.npy --var var.npy --weights-out W.npy --bias-out B.npy --device nope", 1,
         "no such device"},
    };
    int before = cli_count_files(0);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(cli_run(cases[i].arguments), cases[i].status);
        ck_assert_msg(strstr(cli_err, cases[i].expected) != NULL, "%s: %s", cases[i].arguments, cli_err);
        ck_assert_str_eq(cli_out, "");
        ck_assert_int_eq(cli_count_files(0), before);
    }
    ck_assert_int_eq(cli_run("fold --help"), 0);
    ck_assert_ptr_nonnull(strstr(cli_out, "--weights-out FILE"));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli fold");
    TCase *cases = tcase_create("cli fold");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_folds);
    tcase_add_test(cases, test_over_itself);
    tcase_add_test(cases, test_wrong);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
