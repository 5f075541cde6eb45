/* SPDX-License-Identifier: Apache-2.0 */
/* `clnorm bench` as a user drives it. What it measures is not judged, only that it is there and in form. */
#define _XOPEN_SOURCE 700 /* setenv, symlink */
#include "cli_run.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char csv_header[] =
    "set,n,c,s,times_in_net,layout,op,type,activation,residual,runs,wall_ms,device_ms,call_us,empty_us,"
    "empty_call_us,gbps,copy_gbps,stream_gbps,buffer_gbps,percent,device_percent,"
    "exponent,device\n";
enum { CSV_COLUMNS = 24 };

static void setup(void)
{
    cli_count_files(1);
    cli_fast_rows();
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static size_t read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    size_t length;

    ck_assert_msg(file != NULL, "there is no %s", path);
    length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length;
}

/* Field number `field` of a line of CSV whose last field alone is quoted; 0 where it is empty. */
static double csv_number(const char *line, int field)
{
    while (field-- > 0)
        line = strchr(line, ',') + 1;
    return *line == ',' ? 0 : strtod(line, NULL);
}

/* Every line has all columns, and every number that must be there is above 0. Returns the number of rows. */
static unsigned check_csv(const char *text)
{
    unsigned rows = 0;

    ck_assert_msg(strncmp(text, csv_header, strlen(csv_header)) == 0, "%s", text);
    for (const char *line = text + strlen(csv_header); *line; rows++) {
        size_t length = strcspn(line, "\n"), commas = 0;
        const char *quote = memchr(line, '"', length);

        ck_assert_ptr_nonnull(quote);
        for (const char *at = line; at < quote; at++)
            commas += *at == ',';
        ck_assert_uint_eq(commas, CSV_COLUMNS - 1);
        ck_assert_int_eq(line[length - 1], '"');
        for (int field = 10; field <= 20; field++) {
            double value = csv_number(line, field);

            /* A device's own clock is optional. */
            ck_assert_msg(field == 12 || (value > 0 && isfinite(value)), "field %d: %s", field, line);
        }
        line += length + 1;
    }
    return rows;
}

/* A JSON value; returns what follows it, or NULL. Enough of the grammar to find what a reader would refuse. */
static const char *skip_json(const char *at);

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \n\t");
}

static const char *skip_string(const char *at)
{
    if (*at != '"')
        return NULL;
    for (at++; *at != '"'; at++) {
        if ((unsigned char)*at < ' ')
            return NULL;
        at += *at == '\\';
    }
    return at + 1;
}

/* The members of an object or the elements of an array, up to the bracket that ends it. */
static const char *skip_members(const char *at, char end)
{
    at = skip_blanks(at + 1);
    if (*at == end)
        return at + 1;
    for (;;) {
        if (end == '}') {
            at = skip_string(skip_blanks(at));
            if (!at || *(at = skip_blanks(at)) != ':')
                return NULL;
            at++;
        }
        at = skip_json(at);
        if (!at)
            return NULL;
        at = skip_blanks(at);
        if (*at == end)
            return at + 1;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *skip_json(const char *at)
{
    char *end;

    at = skip_blanks(at);
    if (*at == '{')
        return skip_members(at, '}');
    if (*at == '[')
        return skip_members(at, ']');
    if (*at == '"')
        return skip_string(at);
    if (strncmp(at, "null", 4) == 0 || strncmp(at, "true", 4) == 0)
        return at + 4;
    if (strncmp(at, "false", 5) == 0)
        return at + 5;
    /* strtod would take nan and inf as well, which JSON does not have. */
    if (!isdigit((unsigned char)*at) && *at != '-')
        return NULL;
    if (isalpha((unsigned char)at[*at == '-']))
        return NULL;
    strtod(at, &end);
    return end == at ? NULL : end;
}

static void check_json(const char *text)
{
    const char *end = skip_json(text);

    ck_assert_msg(end != NULL && *skip_blanks(end) == '\0', "not JSON: %s", text);
}

START_TEST(test_help)
{
    cli_assert_done("bench --help");
    ck_assert_ptr_nonnull(strstr(cli_out, "usage: clnorm bench"));
    ck_assert_ptr_nonnull(strstr(cli_out, "resnet50-b32"));
    for (char *line = strtok(cli_out, "\n"); line; line = strtok(NULL, "\n"))
        ck_assert_uint_le(strlen(line), 120);
}
END_TEST

START_TEST(test_formats)
{
    cli_assert_done("bench --shape 2,3,5x7 --runs 3");
    ck_assert_ptr_nonnull(strstr(cli_out, "2,3,35 "));
    ck_assert_ptr_nonnull(strstr(cli_out, "channels-last  backward"));
    cli_assert_done("bench --shape 2,3,5x7 --runs 3 --format csv");
    ck_assert_uint_eq(check_csv(cli_out), 6);
    cli_assert_done("bench --shape 2,3,1 --runs 2 --op infer --layout channels-last --format csv");
    ck_assert_uint_eq(check_csv(cli_out), 1);
    ck_assert_ptr_nonnull(strstr(cli_out, "\nshape,2,3,1,1,channels-last,infer,float32,none,0,2,"));
    cli_assert_done("bench --shape 5,4,3 --runs 3 --op infer,train --format json");
    check_json(cli_out);
    ck_assert_ptr_nonnull(strstr(cli_out, "\"op\": \"train\""));
    ck_assert_ptr_null(strstr(cli_out, "\"op\": \"backward\""));
}
END_TEST

/* Bytes that are counted: GB/s times the time. */
static double counted_bytes(const char *op)
{
    const char *line = strstr(cli_out, op);

    ck_assert_ptr_nonnull(line);
    while (line > cli_out && line[-1] != '\n')
        line--;
    return csv_number(line, 16) * csv_number(line, 11) * 1e6;
}

/* Types, activations and residuals: what is told, and the bytes of 2 * 8 * 32 elements. */
START_TEST(test_forms)
{
    static const struct {
        const char *options, *told, *head;
        double train, infer, backward;
    } forms[] = {
        {"--type float32 --activation none", "float32,none,0,", "", 4096, 4096, 6144},
        {"--type float16", "float16,none,0,", ", float16\n", 2048, 2048, 3072},
        {"--residual", "float32,none,1,", ", float32, with a residual\n", 6144, 6144, 6144},
        {"--type bfloat16 --activation leaky:0.1", "bfloat16,leaky:0.1,0,", ", bfloat16, leaky:0.1\n", 2112, 2048,
         3136},
        {"--type float16 --activation clip:6 --residual", "float16,clip:6,1,", ", float16, clip:6, with a residual\n",
         3136, 3072, 4160},
    };
    char command[160], cell[64];

    /* The small set: the last one, which has all there is. */
    for (size_t i = getenv("CLNORM_TEST_SMALL") ? 4 : 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(command, sizeof(command), "bench --shape 2,8,4x8 --runs 1 --layout channels-last --format csv %s",
                 forms[i].options);
        cli_assert_done(command);
        ck_assert_uint_eq(check_csv(cli_out), 3);
        snprintf(cell, sizeof(cell), ",train,%s1,", forms[i].told);
        ck_assert_msg(strstr(cli_out, cell) != NULL, "%s: %s", cell, cli_out);
        ck_assert_double_eq_tol(counted_bytes(",train,"), forms[i].train, 1);
        ck_assert_double_eq_tol(counted_bytes(",infer,"), forms[i].infer, 1);
        ck_assert_double_eq_tol(counted_bytes(",backward,"), forms[i].backward, 1);
        snprintf(command, sizeof(command), "bench --shape 3,5,7 --runs 1 --layout channels-first --op infer %s",
                 forms[i].options);
        cli_assert_done(command);
        ck_assert_msg(strstr(cli_out, forms[i].head) != NULL, "%s", cli_out);
    }
    cli_assert_done("bench --shape 5,4,3 --runs 1 --op train --format json --type bfloat16 --activation relu");
    check_json(cli_out);
    ck_assert_ptr_nonnull(strstr(cli_out, "\"type\": \"bfloat16\", \"activation\": \"relu\", \"residual\": false"));
}
END_TEST

START_TEST(test_shapes)
{
    cli_assert_done("bench --set small --runs 1 --op train --layout channels-first --format csv");
    ck_assert_uint_eq(check_csv(cli_out), 2);
    write_file("shapes.csv", "set,n,c,spatial,times_in_net\r\na,1,2,3,4\r\nb.1,2,3,4x5x6,1\r\n\r\nb.1,2,3,4x5,7");
    cli_assert_done("bench --shapes shapes.csv --runs 1 --op infer --layout channels-first --format csv");
    ck_assert_uint_eq(check_csv(cli_out), 3);
    ck_assert_ptr_nonnull(strstr(cli_out, "\na,1,2,3,4,"));
    ck_assert_ptr_nonnull(strstr(cli_out, "\nb.1,2,3,120,1,"));
    ck_assert_ptr_nonnull(strstr(cli_out, "\nb.1,2,3,20,7,"));
    cli_assert_done("bench --shapes shapes.csv --set b.1 --runs 1 --op train --layout channels-last");
    ck_assert_ptr_nonnull(strstr(cli_out, "2 shapes:"));
    cli_assert_fails("bench --shapes shapes.csv --set c", 2, "there is no set 'c' in 'shapes.csv'");
}
END_TEST

START_TEST(test_bad_files)
{
    static const struct {
        const char *text, *expected;
    } bad[] = {
        {"", "line 1: expected the columns set,n,c,spatial,times_in_net, got an empty file"},
        {"set,n,c,spatial\n", "line 1: expected the columns set,n,c,spatial,times_in_net, got 'set,n,c,spatial'"},
        {"set,n,c,spatial,times_in_net\n", "expected at least one shape"},
        {"set,n,c,spatial,times_in_net\na,1,2,3\n", "'bad.csv', line 2: expected a name"},
        {"set,n,c,spatial,times_in_net\na,1,2,3,1\na,1,2,3,1,\n", "line 3: expected a name"},
        {"set,n,c,spatial,times_in_net\na,1,2,3,0\n", "got 'a,1,2,3,0'"},
        {"set,n,c,spatial,times_in_net\na,0,2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,-1,2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,1, 2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,1,2,3x,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,1,2,3x4x5x6,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,1,2,3.5,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na b,1,2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\n,1,2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na23456789012345678901234567890123,1,2,3,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,1000000000,1000000000,1000000000,1\n", "line 2"},
        {"set,n,c,spatial,times_in_net\na,99999999999999999999,1,1,1\n", "line 2"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file("bad.csv", bad[i].text);
        cli_assert_fails("bench --shapes bad.csv --runs 1", 1, bad[i].expected);
    }
    cli_assert_fails("bench --shapes none.csv", 1, "cannot read 'none.csv': No such file");
    cli_assert_fails("bench --shapes .", 1, "cannot read '.'");
}
END_TEST

START_TEST(test_wrong_usage)
{
    static const struct {
        const char *arguments, *expected;
    } bad[] = {
        {"bench --set nope", "option --set: expected one or more of resnet50-b32, mobilenet"},
        {"bench --set small,", "got 'small,'"},
        {"bench --op fly",
         "option --op: expected one or more of train, infer, backward, separated by commas, got 'fly'"},
        {"bench --op train,,infer", "option --op"},
        {"bench --layout nchw", "option --layout: expected one or more of channels-first, channels-last"},
        {"bench --variant nope", "option --variant: there is no kernel variant 'nope'"},
        {"bench --shape 1,2", "option --shape: expected N,C,S"},
        {"bench --shape 1,2,3,4", "option --shape: expected N,C,S"},
        {"bench --shape 0,2,3", "option --shape: expected N,C,S"},
        {"bench --shape 1,2,3 --set small",
         "expected one of --set or --shapes, --shape, --random, --growth and --startup"},
        {"bench --random 2 --shape 1,2,3", "expected one of --set"},
        {"bench --random 0", "option --random: expected a whole number"},
        {"bench --random 1.5", "expected whole numbers"},
        {"bench --seed 3", "--seed is for --random"},
        {"bench --growth --shape 1,2,3", "expected one of --set"},
        {"bench --growth --startup", "expected one of --set"},
        {"bench --startup --op train", "expected no --op"},
        {"bench --startup --type float16", "--startup times the plain call on float32; expected no --type"},
        {"bench --startup --residual", "expected no --type, --activation or --residual"},
        {"bench --type half", "option --type: expected float32|float16|bfloat16, got 'half'"},
        {"bench --activation clip", "option --activation: expected none, relu, leaky:SLOPE with a finite SLOPE, or "
                                    "clip:CAP with a finite CAP above 0, got 'clip'"},
        {"bench --residual=r.npy", "option --residual: expected no value"},
        {"bench --runs 0", "option --runs: expected a whole number from 1 to 10000, got '0'"},
        {"bench --runs 2.5", "option --runs: expected a whole number"},
        {"bench --format xml", "option --format: expected table|csv|json, got 'xml'"},
        {"bench --plot p.svg", "--plot shows how the time grows; expected --growth"},
        {"bench --most 1e5", "--most is for --growth and --random"},
        {"bench --growth --plot o --out o", "options --out and --plot both name 'o'"},
        {"bench 5", "unexpected argument '5'"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cli_assert_fails(bad[i].arguments, 2, bad[i].expected);
    cli_assert_fails("bench --shape 1,2,3 --device nope", 1, "no such device");
}
END_TEST

/* The file is whole or as it was; nothing else stays. */
START_TEST(test_out)
{
    char text[4096];
    int ends[2];

    write_file("old.csv", "as it was");
    cli_assert_fails("bench --shape 100000,100000,100 --out old.csv --runs 1", 1, "nothing was timed");
    read_file("old.csv", text, sizeof(text));
    ck_assert_str_eq(text, "as it was");
    cli_assert_done("bench --shape 4,3,2 --op infer --runs 1 --format csv --out old.csv");
    ck_assert_str_eq(cli_out, "");
    read_file("old.csv", text, sizeof(text));
    ck_assert_uint_eq(check_csv(text), 2);
    ck_assert_int_eq(cli_count_files(0), 1);
    cli_assert_fails("bench --shape 4,3,2 --runs 1 --out none/o", 1,
                     "cannot write 'none/o': folder 'none': No such file");
    cli_assert_fails("bench --shape 4,3,2 --runs 1 --out .", 1, "cannot write '.': it is a folder");
    /* As behind /dev/stdout when it is piped: a pipe has no name, and the link to it must not become a file. */
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(text, sizeof(text), "/proc/%ld/fd/%d", (long)getpid(), ends[1]);
    ck_assert_int_eq(symlink(text, "link"), 0);
    cli_assert_fails("bench --shape 4,3,2 --runs 1 --out link", 1, "cannot write 'link': it is not a regular file");
    ck_assert_int_gt(readlink("link", text, sizeof(text)), 0);
    unlink("link");
    close(ends[0]);
    close(ends[1]);
    cli_out_path = "/dev/full";
    ck_assert_int_eq(cli_run("bench --shape 4,3,2 --op infer --runs 1 --format csv"), 1);
    cli_out_path = ".stdout";
    ck_assert_ptr_nonnull(strstr(cli_err, "cannot write to standard output"));
}
END_TEST

/* Variants of one layout do not fit the other. */
START_TEST(test_variant)
{
    ck_assert_int_eq(cli_run("bench --shape 8,4,64 --op train --runs 1 --variant stats_cf_item --format csv"), 0);
    ck_assert_uint_eq(check_csv(cli_out), 1);
    ck_assert_ptr_nonnull(
        strstr(cli_err, "passed over: train of 8,4,64, channels-last, which the variants do not fit"));
    cli_assert_fails("bench --shape 8,4,64 --op train --layout channels-last --runs 1 --variant stats_cf_item", 1,
                     "nothing was timed");
}
END_TEST

/* The same seed draws the same shapes, another one others; what is worst is told with its launches. */
START_TEST(test_random)
{
    static const char line[] = "bench --random 3 --most 2e4 --op infer --layout channels-last --runs 1 --seed";
    char first[3][64], command[128], *at;

    for (int seed = 0; seed < 3; seed++) {
        snprintf(command, sizeof(command), "%s %d --format csv", line, seed / 2);
        cli_assert_done(command);
        ck_assert_uint_eq(check_csv(cli_out), 3);
        at = strchr(cli_out, '\n') + 1;
        snprintf(first[seed], sizeof(first[seed]), "%.*s", (int)(strstr(at, ",1,channels-last") - at), at);
    }
    ck_assert_str_eq(first[0], first[1]);
    ck_assert_str_ne(first[0], first[2]);
    snprintf(command, sizeof(command), "%s 0", line);
    cli_assert_done(command);
    ck_assert_ptr_nonnull(strstr(cli_out, "below-1e5            channels-last  infer         3 "));
    ck_assert_ptr_nonnull(strstr(cli_out, "of the copy, "));
    ck_assert_ptr_nonnull(strstr(cli_out, "apply"));
}
END_TEST

START_TEST(test_growth)
{
    char text[64], *path = strdup(getenv("PATH"));
    int status;

    cli_assert_done("bench --growth --most 3e5 --op infer --layout channels-first --runs 1 --format csv");
    ck_assert_uint_eq(check_csv(cli_out), 10);
    ck_assert_ptr_nonnull(strstr(cli_out, "\ngrowth-s,"));
    cli_assert_done("bench --growth --most 3e5 --op infer --layout channels-first --runs 1");
    ck_assert_ptr_nonnull(strstr(cli_out, "exponent of the time's growth"));

    status = cli_run("bench --growth --most 2e5 --op infer --layout channels-first --runs 1 --plot p.svg");
    if (status == 0) {
        ck_assert_uint_gt(read_file("p.svg", text, sizeof(text)), 40);
        ck_assert_msg(strncmp(text, "<?xml", 5) == 0, "%s", text);
    } else {
        ck_assert_ptr_nonnull(strstr(cli_err, "--plot needs the program gnuplot"));
        printf("no gnuplot here: pictures are not tested\n");
    }
    setenv("PATH", cli_folder, 1);
    cli_assert_fails("bench --growth --most 3e4 --runs 1 --plot q.svg", 1, "--plot needs the program gnuplot");
    setenv("PATH", path, 1);
    free(path);
}
END_TEST

START_TEST(test_startup)
{
    static const char header[] = "caches,drivers_ms,context_ms,call_ms,finish_ms,total_ms,again_ms,compiled,loaded\n";
    static const char *const states[] = {"\ncold,", "\ndriver-cold,", "\nwarm,"};

    cli_assert_done("bench --startup --shape 4,3,8x8 --runs 1 --format csv");
    ck_assert_msg(strncmp(cli_out, header, strlen(header)) == 0, "%s", cli_out);
    for (int i = 0; i < 3; i++) {
        const char *line = strstr(cli_out, states[i]);

        ck_assert_msg(line != NULL, "%s", cli_out);
        for (int field = 1; field <= 6; field++)
            ck_assert_double_gt(csv_number(line + 1, field), 0);
        /* Each start makes its programs one way or the other; those that were stored are not compiled again. */
        ck_assert_double_gt(csv_number(line + 1, 7) + csv_number(line + 1, 8), 0);
        ck_assert(i > 0 ? csv_number(line + 1, 7) < csv_number(strstr(cli_out, states[0]) + 1, 7)
                        : csv_number(line + 1, 8) == 0);
    }
    if (!getenv("CLNORM_TEST_SMALL")) {
        cli_assert_done("bench --startup --shape 4,3,8x8 --runs 1 --format json");
        check_json(cli_out);
    }
    cli_assert_done("bench --startup-once --shape 4,3,8x8");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli bench");
    TCase *cases = tcase_create("cli bench");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, test_help);
    tcase_add_test(cases, test_formats);
    tcase_add_test(cases, test_forms);
    tcase_add_test(cases, test_shapes);
    tcase_add_test(cases, test_bad_files);
    tcase_add_test(cases, test_wrong_usage);
    tcase_add_test(cases, test_out);
    tcase_add_test(cases, test_variant);
    tcase_add_test(cases, test_random);
    tcase_add_test(cases, test_growth);
    if (!getenv("CLNORM_TEST_SMALL"))
        tcase_add_test(cases, test_startup);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    return cli_main(make_suite);
}
