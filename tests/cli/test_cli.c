/* SPDX-License-Identifier: Apache-2.0 */
/* The tool as a user drives it: help, wrong usage, bad files, devices, full disks. Results: test_cli_results.c. */
#define _XOPEN_SOURCE 700 /* setenv, mkdir */
#include "cli_run.h"
#include "clnorm.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void setup(void)
{
    cli_count_files(1);
}

/* x and dy of this shape, and scale, mean and var for the channels of channels-first, all zeros. */
static void make_files(unsigned rank, const uint64_t *shape)
{
    static const float zeros[1024];

    cli_write_array("x.npy", rank, shape, zeros);
    cli_write_array("dy.npy", rank, shape, zeros);
    cli_write_array("scale.npy", 1, &shape[1], zeros);
    cli_write_array("mean.npy", 1, &shape[1], zeros);
    cli_write_array("var.npy", 1, &shape[1], zeros);
}

START_TEST(test_help)
{
    static const struct {
        const char *arguments, *expected;
    } good[] = {
        {"--help", "usage: clnorm"},
        {"--version", "clnorm 0."},
        {"--verbose --version", "numerical contract 2"},
        {"devices --help", "usage: clnorm devices"},
        {"forward --help", "--save-invstd"},
        {"backward --help", "--grad-residual"},
        {"forward --help", "--mask-out"},
        {"check --help", "--quick"},
        {"forward --help --in x.npy", "usage: clnorm forward"},
    };
    char expected[64];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        cli_assert_done(good[i].arguments);
        ck_assert_msg(strstr(cli_out, good[i].expected) != NULL, "%s: %s", good[i].arguments, cli_out);
        ck_assert_int_eq(cli_out[strlen(cli_out) - 1], '\n');
    }
    cli_assert_done("--version");
    snprintf(expected, sizeof(expected), "clnorm %d.%d.%d, numerical contract %d\n", CLNORM_VERSION_MAJOR,
             CLNORM_VERSION_MINOR, CLNORM_VERSION_PATCH, CLNORM_CONTRACT_VERSION);
    ck_assert_str_eq(cli_out, expected);
    /* Every help line fits a terminal of 120 columns. */
    for (int i = 0; i < 3; i++) {
        cli_assert_done(i == 0 ? "forward --help" : i == 1 ? "backward --help" : "check --help");
        for (char *line = strtok(cli_out, "\n"); line; line = strtok(NULL, "\n"))
            ck_assert_uint_le(strlen(line), 120);
    }
}
END_TEST

START_TEST(test_full_standard_output)
{
    cli_out_path = "/dev/full";
    ck_assert_int_eq(cli_run("--help"), 1);
    ck_assert_ptr_nonnull(strstr(cli_err, "cannot write to standard output"));
    ck_assert_int_eq(cli_run("devices"), 1);
    cli_out_path = ".stdout";
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"", "no command given; expected devices, forward, backward, fold, check, train, predict, bench or tune"},
        {"frobnicate", "unknown command 'frobnicate'; expected devices"},
        {"--frobnicate", "unknown option '--frobnicate'"},
        {"--version now", "unexpected argument 'now'"},
        {"--help me", "unexpected argument 'me'"},
        {"devices 1", "unexpected argument '1'"},
        {"devices --device 1", "unknown option '--device'"},
        {"check quick", "unexpected argument 'quick'"},
        {"check --quick=yes", "option --quick: expected no value, got 'yes'"},
        {"check --quick --quick", "option --quick is given twice"},
        {"check --type float64", "option --type: expected float32|float16|bfloat16, got 'float64'"},
        {"check --activation leaky",
         "option --activation: expected none, relu, leaky:SLOPE with a finite SLOPE, or clip:CAP"},
        {"check --residual=yes", "option --residual: expected no value, got 'yes'"},
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
        {"forward --in x.npy --out y.npy --mode infer --mean mean.npy --var var.npy --biased",
         "--biased is for --mode train"},
        {"forward --in x.npy --out y.npy --biased", "--biased is for the running variance; expected --var-out FILE"},
        {"forward --in x.npy --out y.npy --var-out v.npy --biased=1", "option --biased: expected no value"},
        {"forward --in x.npy --out y.npy --save-mean y.npy", "options --out and --save-mean both name 'y.npy'"},
        {"backward", "option --in is missing"},
        {"backward --in x.npy", "option --grad-out is missing"},
        {"backward --in x.npy --grad-out dy.npy", "expected --grad-in, --grad-scale, --grad-shift or --grad-residual"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mode infer", "expected --mean"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mode infer --mean mean.npy", "expected --var"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mean mean.npy", "--mean is for --mode infer"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --var var.npy", "--var is for --mode infer"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --saved-mean m.npy",
         "option --saved-invstd is missing"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --saved-invstd m.npy",
         "option --saved-mean is missing"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --mode infer --mean m.npy --var m.npy --saved-mean "
         "m.npy "
         "--saved-invstd m.npy",
         "--saved-mean is for --mode train"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --momentum 0.1", "unknown option '--momentum'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in o.npy --grad-scale o.npy", "both name 'o.npy'"},
    };
    static const uint64_t shape[2] = {17, 19};

    make_files(2, shape);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 2, bad[i].expected);
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
    static const float zeros[128];
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
        {"forward --in x.npy --out none/y.npy", "option --out: cannot write 'none/y.npy': folder 'none': No such "
                                                "file or directory; expected a folder that"},
        {"forward --in x.npy --out .", "option --out: cannot write '.': it is a folder"},
        {"forward --in x.npy --out /dev/full", "not a regular file"},
        {"forward --in x.npy --out x.npy/y.npy", "cannot write 'x.npy/y.npy'"},
        {"forward --in x.npy --out y.npy --save-mean none/m.npy", "option --save-mean: cannot write 'none/m.npy'"},
        {"backward --in x.npy --grad-out dy.npy --grad-in none/o.npy", "option --grad-in: cannot write"},
    };
    FILE *text = fopen("text", "wb");

    fputs("1,2,3\n", text);
    fclose(text);
    make_files(3, shape);
    cli_write_array("other.npy", 3, other, zeros);
    cli_write_array("rank1.npy", 1, &four, zeros);
    cli_write_array("zero.npy", 3, sizes, zeros);
    cli_write_array("rank6.npy", 6, sizes, zeros);
    write_raw("short.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 7), }", 419);
    write_raw("long.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (5, 3, 7), }", 421);
    write_raw("f8.npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 3, 7), }", 840);
    write_raw("fortran.npy", "{'descr': '<f4', 'fortran_order': True, 'shape': (5, 3, 7), }", 420);
    write_raw("huge.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }", 420);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 1, bad[i].expected);
}
END_TEST

START_TEST(test_unknown_device)
{
    static const uint64_t shape[2] = {17, 19};
    const char *old = getenv("CLNORM_DEVICE");
    char *kept = old ? strdup(old) : NULL;

    make_files(2, shape);
    cli_assert_fails("forward --in x.npy --out y.npy --device no-such-thing", 1,
                     "--device 'no-such-thing': no such device");
    cli_assert_fails("backward --in x.npy --grad-out dy.npy --grad-in o.npy --device 999", 1, "--device '999'");
    cli_assert_fails("check --device no-such-thing", 1, "expected a number or part of a name from `clnorm devices`");
    setenv("CLNORM_DEVICE", "no-such-thing", 1);
    cli_assert_fails("forward --in x.npy --out y.npy", 1, "CLNORM_DEVICE is 'no-such-thing': no such device");
    /* The option wins over the variable. */
    cli_assert_done("forward --in x.npy --out y.npy --device 0");
    setenv("CLNORM_DEVICE", "0", 1);
    cli_assert_done("forward --in x.npy --out y.npy");
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

    make_files(2, shape);
    cli_assert_done("devices");
    for (line = strtok_r(cli_out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), count++) {
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
        /* The name up to its first blank: cli_run() separates arguments by blanks. */
        if (count == 0) {
            fields[2][strcspn(fields[2], " ")] = '\0';
            snprintf(arguments, sizeof(arguments), "forward --in x.npy --out y.npy --device=%.100s", fields[2]);
        }
    }
    ck_assert_int_gt(count, 0);
    cli_assert_done(arguments);
}
END_TEST

/* The OpenCL loader is sent to an empty folder for its list of platforms. */
START_TEST(test_no_device)
{
    static const uint64_t shape[2] = {17, 19};
    const char *old = getenv("OCL_ICD_VENDORS");
    char *kept = old ? strdup(old) : NULL, empty[160];

    make_files(2, shape);
    snprintf(empty, sizeof(empty), "%s/empty", cli_folder);
    ck_assert_int_eq(mkdir(empty, 0700), 0);
    setenv("OCL_ICD_VENDORS", empty, 1);
    cli_assert_fails("devices", 1, "no OpenCL device");
    cli_assert_fails("check --quick", 1, "no");
    cli_assert_fails("forward --in x.npy --out y.npy", 1, "no");
    if (kept)
        setenv("OCL_ICD_VENDORS", kept, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(kept);
}
END_TEST

static void set_or_unset(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/*
 * Where PoCL cannot make its cache's folder, as in a container whose home is not writable, it shows no device: the tool says
 * why, and what helps. /proc takes no folder, from root neither. Only PoCL is asked, and then no platform at all.
 */
START_TEST(test_no_cache_for_pocl)
{
    static const char expected[] =
        "PoCL, which makes one of the CPU, is installed but cannot write its cache folder "
        "'/proc/.cache/pocl/kcache'; expected a folder that can be written in POCL_CACHE_DIR";
    static const char *const names[] = {"HOME", "XDG_CACHE_HOME", "POCL_CACHE_DIR", "OCL_ICD_VENDORS", "CLNORM_DEVICE"};
    enum { NAMES = sizeof(names) / sizeof(names[0]) };
    static const uint64_t shape[2] = {17, 19};
    char *kept[NAMES], vendors[160];

    make_files(2, shape);
    for (int i = 0; i < NAMES; i++)
        kept[i] = getenv(names[i]) ? strdup(getenv(names[i])) : NULL;
    for (int i = 1; i < NAMES; i++)
        unsetenv(names[i]);
    setenv("HOME", "/proc", 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 1);
    if (access("/etc/OpenCL/vendors/pocl.icd", R_OK) == 0) {
        cli_assert_fails("devices", 1, expected);
        cli_assert_fails("forward --in x.npy --out y.npy", 1, expected);
        cli_assert_fails("forward --in x.npy --out y.npy --device 0", 1, expected);
        setenv("XDG_CACHE_HOME", "/dev/null", 1);
        cli_assert_fails("devices", 1, "'/dev/null/pocl/kcache'");
        setenv("POCL_CACHE_DIR", "/dev/null/there", 1);
        cli_assert_fails("devices", 1, "'/dev/null/there'");
        /* What the message tells to do helps. */
        setenv("POCL_CACHE_DIR", cli_folder, 1);
        cli_assert_done("devices");
        unsetenv("POCL_CACHE_DIR");
        unsetenv("XDG_CACHE_HOME");
    } else {
        printf("no pocl.icd here: PoCL without a cache is not tested\n");
    }
    snprintf(vendors, sizeof(vendors), "%s/none", cli_folder);
    ck_assert_int_eq(mkdir(vendors, 0700), 0);
    setenv("OCL_ICD_VENDORS", vendors, 1);
    cli_assert_fails("devices", 1, "expected at least one (the package pocl-opencl-icd");
    for (int i = 0; i < NAMES; i++) {
        set_or_unset(names[i], kept[i]);
        free(kept[i]);
    }
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
    cli_write_array("x.npy", 2, shape, values);
    free(values);
    cli_assert_done("forward --in x.npy --out y.npy --save-mean m.npy");
    unlink("y.npy");
    unlink("m.npy");
    files = cli_count_files(0);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 10000000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    result = cli_run("forward --in x.npy --out y.npy --save-mean m.npy");
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    ck_assert_int_eq(result, 1);
    ck_assert_msg(strstr(cli_err, "cannot write 'y.npy': File too large; nothing was written") != NULL, "%s", cli_err);
    ck_assert_int_eq(cli_count_files(0), files);
}
END_TEST

START_TEST(test_verbose)
{
    static const uint64_t shape[2] = {17, 19};

    make_files(2, shape);
    ck_assert_int_eq(cli_run("--verbose forward --in x.npy --out y.npy"), 0);
    ck_assert_ptr_nonnull(strstr(cli_err, "clnorm: device "));
    ck_assert_int_eq(cli_run("forward --in x.npy --out y.npy --verbose"), 0);
    ck_assert_ptr_nonnull(strstr(cli_err, "clnorm: device "));
    ck_assert_str_eq(cli_out, "");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli");
    TCase *cases = tcase_create("cli");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_full_standard_output);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_bad_files);
    tcase_add_test(cases, test_unknown_device);
    tcase_add_test(cases, test_devices);
    tcase_add_test(cases, test_no_device);
    tcase_add_test(cases, test_no_cache_for_pocl);
    tcase_add_test(cases, test_full_disk);
    tcase_add_test(cases, test_verbose);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
