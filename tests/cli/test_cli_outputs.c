/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tool's files, whatever becomes of it: several take their names together or not at all, and a signal that ends the program
 * at any moment leaves no temporary file. outputs_shim.c makes names fail and signals come.
 */
#define _GNU_SOURCE /* setenv, O_TMPFILE */
#include "fixture/suite.h"
#include "cli_run.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char old_text[] = "as it was";

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNALS = 3, MOST_FILES = 4, MOST_MOMENTS = 200 };

/* A command, the files that it writes together, and what their names have in common and no other file's have. */
static const struct command {
    const char *arguments, *common, *files[MOST_FILES];
    int needs_model, needs_gnuplot;
} commands[] = {
    {"forward --in x.npy --out out-y.npy --mean-out out-m.npy --save-var out-v.npy",
     "out-",
     {"out-y.npy", "out-m.npy", "out-v.npy"},
     0,
     0},
    {"backward --in x.npy --grad-out x.npy --grad-in out-x.npy --grad-shift out-s.npy",
     "out-",
     {"out-x.npy", "out-s.npy"},
     0,
     0},
    {"train --reproducible --in x.npy --labels labels.npy --hidden 4 --batch 8 --epochs 1 --out out-m.npz --csv "
     "out-c.csv",
     "out-",
     {"out-m.npz", "out-c.csv"},
     1,
     0},
    {"predict --reproducible --model model.npz --in x.npy --out out-c.npy --probabilities out-p.npy",
     "out-",
     {"out-c.npy", "out-p.npy"},
     1,
     0},
    {"train --reproducible --in x.npy --labels labels.npy --hidden 4 --batch 8 --epochs 1 --seeds 1 --compare "
     "out-p.svg "
     "--csv out-c.csv",
     "out-",
     {"out-c.csv", "out-p.svg"},
     1,
     1},
    {"bench --growth --most 2e4 --op infer --layout channels-first --runs 1 --out out-b.txt --plot out-p.svg",
     "out-",
     {"out-b.txt", "out-p.svg"},
     0,
     1},
    {"bench --shape 4,3,2 --op infer --runs 1 --out out-b.txt", "out-", {"out-b.txt"}, 0, 0},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static int has_gnuplot, has_models, is_small;

/* Where runs take long: not each way to fail, and every third moment. The first command has them all. */
static int is_brief(const struct command *command)
{
    return command->needs_gnuplot || (is_small && command != commands);
}

/* ---- files ---------------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static int is_old(const char *path)
{
    char text[sizeof(old_text) + 1] = "";
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof(text), file) : 0;

    if (file)
        fclose(file);
    return size == strlen(old_text) && memcmp(text, old_text, size) == 0;
}

/* Two kinds of points in a plane. */
static void setup(void)
{
    static const uint64_t shape[2] = {40, 2};
    float x[80], labels[40];

    cli_count_files(1);
    for (int i = 0; i < 40; i++) {
        labels[i] = (float)(i % 2);
        x[2 * i] = (float)(i % 7) + 8 * labels[i];
        x[2 * i + 1] = (float)(i % 5);
    }
    cli_write_array("x.npy", 2, shape, x);
    cli_write_array("labels.npy", 1, shape, labels);
}

/* ---- runs ----------------------------------------------------------------------------------------------------- */

/*
 * Runs the tool with the shim and what the format says of its variables; returns what wait does. The shell becomes the tool.
 */
__attribute__((format(printf, 2, 3))) static int run_shimmed(const char *arguments, const char *format, ...)
{
    char command[4096], variables[512];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(variables, sizeof(variables), format, args);
    va_end(args);
    snprintf(command, sizeof(command),
             "exec env ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\" LD_PRELOAD=\"$CLNORM_SHIM\" %s "
             "\"$CLNORM_TOOL\" %s </dev/null >.stdout 2>.stderr",
             variables, arguments);
    status = system(command);
    ck_assert_int_ne(status, -1);
    return status;
}

static void read_messages(void)
{
    FILE *file = fopen(".stderr", "r");

    ck_assert_ptr_nonnull(file);
    cli_err[fread(cli_err, 1, CLI_TEXT_BYTES - 1, file)] = '\0';
    fclose(file);
}

/* Whether the command can run here; it then has what it needs. */
static int can_run(const struct command *command)
{
    if ((command->needs_gnuplot && !has_gnuplot) || (command->needs_model && !has_models)) {
        printf("not tested, for lack of %s: %s\n", command->needs_gnuplot && !has_gnuplot ? "gnuplot" : "libzip",
               command->arguments);
        return 0;
    }
    if (strstr(command->arguments, "--model"))
        ck_assert_int_eq(cli_run("train --reproducible --in x.npy --labels labels.npy --hidden 4 --batch 8 --epochs 1 "
                                 "--out model.npz"),
                         0);
    return 1;
}

static int count_of(const struct command *command)
{
    int count = 0;

    while (count < MOST_FILES && command->files[count])
        count++;
    return count;
}

/* The outputs, as they are before a run: there with an old text, or not there. */
static void prepare(const struct command *command, int are_there)
{
    for (int i = 0; i < count_of(command); i++) {
        unlink(command->files[i]);
        if (are_there)
            write_file(command->files[i], old_text);
    }
}

/* ---- all or none ---------------------------------------------------------------------------------------------- */

/* A run in which one output cannot get its name leaves all of them as they were. */
static void assert_none(const struct command *command, const char *refused, int are_there, int has_links)
{
    int files, status;

    prepare(command, are_there);
    files = cli_count_files(0);
    status = run_shimmed(command->arguments, "SHIM_REFUSE=%s %s", refused, has_links ? "" : "SHIM_NO_LINK=1");
    read_messages();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s without %s: wait's status %d: %s",
                  command->arguments, refused, status, cli_err);
    ck_assert_msg(strstr(cli_err, refused) && strstr(cli_err, "Read-only file system"), "%s", cli_err);
    for (int i = 0; i < count_of(command); i++)
        ck_assert_msg(are_there ? is_old(command->files[i]) : access(command->files[i], F_OK) != 0,
                      "%s without %s: %s is not as it was", command->arguments, refused, command->files[i]);
    ck_assert_msg(cli_count_files(0) == files, "%s without %s: %d files more", command->arguments, refused,
                  cli_count_files(0) - files);
}

START_TEST(test_all_or_none)
{
    const struct command *command = &commands[_i];
    int files, status;

    if (!can_run(command))
        return;
    for (int i = 0; i < count_of(command); i++)
        for (int are_there = 0; are_there < 2; are_there++)
            for (int has_links = is_brief(command) || !are_there; has_links < 2; has_links++)
                assert_none(command, command->files[i], are_there, has_links);
    /* And when nothing fails all are new, and nothing else is. */
    for (int has_links = 0; has_links < 2; has_links++) {
        prepare(command, 1);
        files = cli_count_files(0);
        status = run_shimmed(command->arguments, has_links ? "SHIM_AT=0" : "SHIM_NO_LINK=1");
        read_messages();
        ck_assert_msg(status == 0, "%s: wait's status %d: %s", command->arguments, status, cli_err);
        for (int i = 0; i < count_of(command); i++)
            ck_assert_msg(!is_old(command->files[i]), "%s", command->files[i]);
        ck_assert_int_eq(cli_count_files(0), files);
    }
}
END_TEST

/* ---- signals -------------------------------------------------------------------------------------------------- */

/* All outputs new or all old, and no file more. */
static void assert_tidy(const struct command *command, int files, int at)
{
    int old = 0;

    for (int i = 0; i < count_of(command); i++)
        old += is_old(command->files[i]);
    ck_assert_msg(old == 0 || old == count_of(command), "%s, at moment %d: %d of %d outputs are old",
                  command->arguments, at, old, count_of(command));
    ck_assert_msg(cli_count_files(0) == files, "%s, at moment %d: %d files more", command->arguments, at,
                  cli_count_files(0) - files);
}

enum { LEAST_MOMENTS = 5, MOST_OUTRUN = 50 };

/* A signal at each moment in turn, or at every third, until there is no such moment any more. */
START_TEST(test_signals)
{
    const struct command *command = &commands[_i];
    int at = 1, outrun = 0, files, status;

    if (!can_run(command))
        return;
    for (;; at += is_brief(command) ? 12 : is_small ? 6 : 1) {
        int number = signals[at / 3 % SIGNALS];

        ck_assert_int_le(at, MOST_MOMENTS);
        prepare(command, 1);
        files = cli_count_files(0);
        status = run_shimmed(command->arguments, "SHIM_NAME=%s SHIM_AT=%d SHIM_SIGNAL=%d", command->common, at, number);
        assert_tidy(command, files, at);
        /* Another thread, a driver's, may get the signal and wait while this one ends, which is right as well: once more. */
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && at < LEAST_MOMENTS && outrun++ < MOST_OUTRUN) {
            at -= is_brief(command) ? 12 : is_small ? 6 : 1;
            continue;
        }
        if (WIFEXITED(status))
            break;
        ck_assert_msg(WTERMSIG(status) == number, "%s, at moment %d: ended by %d, not %d", command->arguments, at,
                      WTERMSIG(status), number);
    }
    ck_assert_msg(status == 0, "%s: wait's status %d", command->arguments, status);
    /* At least a temporary file is made and gets its name. */
    ck_assert_int_ge(at, LEAST_MOMENTS);
}
END_TEST

/* A signal that is ignored, as nohup does, stays so. */
START_TEST(test_ignored)
{
    for (int i = 0; i < SIGNALS; i++) {
        void (*before)(int) = signal(signals[i], SIG_IGN);
        int status;

        prepare(&commands[0], 1);
        status = run_shimmed(commands[0].arguments, "SHIM_NAME=out- SHIM_AT=2 SHIM_SIGNAL=%d", signals[i]);
        signal(signals[i], before);
        ck_assert_int_eq(status, 0);
        assert_tidy(&commands[0], cli_count_files(0), 2);
        ck_assert(!is_old("out-y.npy"));
    }
}
END_TEST

/* Who reads the standard output has gone: that ends the program as a signal does. */
START_TEST(test_closed_pipe)
{
    int files = cli_count_files(0);

    if (!has_gnuplot)
        return;
    ck_assert_int_ne(system("\"$CLNORM_TOOL\" bench --growth --most 2e4 --op infer --layout channels-first --runs 1 "
                            "--plot out-p.svg 2>.stderr | true"),
                     -1);
    ck_assert_int_eq(cli_count_files(0), files);
}
END_TEST

/* ---- what lies elsewhere -------------------------------------------------------------------------------------- */

static int count_in(const char *folder, const char *start)
{
    DIR *directory = opendir(folder);
    int count = 0;

    for (const struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        count += strncmp(entry->d_name, start, strlen(start)) == 0;
    if (directory)
        closedir(directory);
    return count;
}

/* The library stores compiled programs; it leaves none in part, where the file system can do that. */
START_TEST(test_cache)
{
    int probe = open(".", O_TMPFILE | O_WRONLY, 0600), status, at = 1;

    if (probe < 0) {
        printf("no unnamed files on this file system: signals at the disk cache are not tested\n");
        return;
    }
    close(probe);
    setenv("CLNORM_CACHE_DIR", ".cache-here", 1);
    for (;; at++) {
        ck_assert_int_le(at, MOST_MOMENTS);
        remove_tree(".cache-here");
        status = run_shimmed("forward --in x.npy --out out-y.npy", "SHIM_NAME=.cache-here SHIM_AT=%d SHIM_SIGNAL=%d",
                             at, signals[at % SIGNALS]);
        ck_assert_msg(count_in(".cache-here", "new-") == 0, "at moment %d", at);
        if (WIFEXITED(status))
            break;
    }
    unsetenv("CLNORM_CACHE_DIR");
    remove_tree(".cache-here");
    ck_assert_int_eq(status, 0);
    ck_assert_int_ge(at, 3);
}
END_TEST

static void wait_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* The folders of bench --startup go as well, whenever the signal comes. */
START_TEST(test_startup)
{
    static const long delays[] = {0, 30, 200, 600};

    ck_assert_int_eq(mkdir(".folder", 0700), 0);
    for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        int status, number = signals[i % SIGNALS], waited = 0;
        pid_t child = fork();

        ck_assert_int_ge(child, 0);
        if (child == 0) {
            setenv("TMPDIR", ".folder", 1);
            if (!freopen(".stdout", "w", stdout) || !freopen(".stderr", "w", stderr))
                _exit(99);
            execl(getenv("CLNORM_TOOL"), "clnorm", "bench", "--startup", "--shape", "4,3,8x8", "--runs", "50", "--out",
                  "out-b.txt", (char *)NULL);
            _exit(99);
        }
        while (count_in(".folder", "clnorm-bench-") == 0 && waited++ < 20000)
            wait_ms(1);
        wait_ms(delays[i]);
        ck_assert_int_eq(kill(child, number), 0);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == number, "wait's status %d", status);
        ck_assert_msg(count_in(".folder", "clnorm-bench-") == 0, "after %ld ms a folder is left", delays[i]);
        ck_assert_int_eq(count_in(".", "out-b.txt"), 0);
    }
    remove_tree(".folder");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("cli outputs");
    TCase *cases = tcase_create("cli outputs");

    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_loop_test(cases, test_all_or_none, 0, COMMANDS);
    tcase_add_loop_test(cases, test_signals, 0, COMMANDS);
    tcase_add_test(cases, test_ignored);
    tcase_add_test(cases, test_closed_pipe);
    tcase_add_test(cases, test_cache);
    tcase_add_test(cases, test_startup);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    /* A test that runs in the background, or under nohup, finds signals ignored, and the tool would keep them so. */
    for (int i = 0; i < SIGNALS; i++)
        signal(signals[i], SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    is_small = getenv("CLNORM_TEST_SMALL") != NULL;
    has_gnuplot = system("gnuplot --version >/dev/null 2>&1") == 0;
    has_models = strcmp(getenv("CLNORM_HAS_ZIP") ? getenv("CLNORM_HAS_ZIP") : "", "1") == 0;
    return cli_main(make_suite);
}
