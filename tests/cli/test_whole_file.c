/* SPDX-License-Identifier: Apache-2.0 */
/* Files that take their names when they are whole: several together, and with signals that come at any moment, to any thread. */
#define _XOPEN_SOURCE 700 /* mkdtemp, nanosleep */
#include "fixture/suite.h"
#include "cli/interrupt.h"
#include "cli/files/whole_file.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 3 };
static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU, SIGXFSZ};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static char folder[64], paths[FILES][96];

/*
 * Of what children do as well: Check has one file for what is to be told, which a child shares, and one that ends while it writes
 * there would spoil it.
 */
static void need(int is_good)
{
    static pid_t parent;

    if (!parent)
        parent = getpid();
    if (getpid() == parent)
        ck_assert(is_good);
    else if (!is_good)
        _exit(93);
}

static int count_files(int remove_them)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    char path[512];
    int count = 0;

    need(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (remove_them)
            need(remove(path) == 0);
    }
    closedir(directory);
    return count;
}

static void setup(void)
{
    need(1); /* which remembers who the parent is */
    /* In memory where that is to be had: a disk writes each file out that takes another one's name. */
    strcpy(folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/clnorm-whole-XXXXXX" : "/tmp/clnorm-whole-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < FILES; i++)
        snprintf(paths[i], sizeof(paths[i]), "%s/%d", folder, i);
}

static void teardown(void)
{
    count_files(1);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    need(file != NULL);
    fputs(text, file);
    fclose(file);
}

/* What stands in the file; "" where it is not there. */
static const char *text_of(const char *path)
{
    static char text[64];
    FILE *file = fopen(path, "r");

    text[file ? fread(text, 1, sizeof(text) - 1, file) : 0] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* Makes the files and writes their texts; their streams are closed. */
static void make(struct whole_file *files, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        need(whole_file_make(paths[i], &files[i]) == 0);
        fputs(text, files[i].stream);
        fclose(files[i].stream);
    }
}

static int name(struct whole_file *files, size_t count, size_t *failed)
{
    struct whole_file *list[FILES];

    for (size_t i = 0; i < count; i++)
        list[i] = &files[i];
    return whole_files_name(list, count, failed);
}

static void drop(struct whole_file *files, int count)
{
    for (int i = 0; i < count; i++)
        whole_file_drop(&files[i]);
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

START_TEST(test_names)
{
    struct whole_file files[FILES];
    size_t failed;

    write_text(paths[1], "old");
    make(files, FILES, "new");
    ck_assert_int_eq(count_files(0), FILES + 1);
    ck_assert_str_eq(text_of(paths[1]), "old");
    ck_assert_int_eq(name(files, FILES, &failed), 0);
    drop(files, FILES);
    for (int i = 0; i < FILES; i++)
        ck_assert_str_eq(text_of(paths[i]), "new");
    ck_assert_int_eq(count_files(0), FILES);
}
END_TEST

/* A folder comes to the place of file number _i: the others are as they were, the very same files. */
START_TEST(test_folder_in_the_way)
{
    for (int are_there = 0; are_there < 2; are_there++) {
        struct whole_file files[FILES];
        struct stat before[FILES], after;
        size_t failed;

        count_files(1);
        for (int i = 0; i < FILES && are_there; i++) {
            write_text(paths[i], "old");
            ck_assert_int_eq(chmod(paths[i], 0640), 0);
            ck_assert_int_eq(stat(paths[i], &before[i]), 0);
        }
        make(files, FILES, "new");
        unlink(paths[_i]);
        ck_assert_int_eq(mkdir(paths[_i], 0700), 0);
        ck_assert_int_eq(name(files, FILES, &failed), EISDIR);
        ck_assert_uint_eq(failed, (size_t)_i);
        drop(files, FILES);
        for (int i = 0; i < FILES; i++) {
            if (i == _i)
                continue;
            ck_assert_str_eq(text_of(paths[i]), are_there ? "old" : "");
            if (!are_there)
                continue;
            ck_assert_int_eq(stat(paths[i], &after), 0);
            ck_assert(after.st_ino == before[i].st_ino && after.st_mode == before[i].st_mode && after.st_nlink == 1);
        }
        ck_assert_int_eq(count_files(0), are_there ? FILES : 1);
    }
}
END_TEST

/* The folder of one goes meanwhile. */
START_TEST(test_folder_gone)
{
    struct whole_file files[FILES];
    char below[96], path[128];
    size_t failed;

    snprintf(below, sizeof(below), "%s/below", folder);
    snprintf(path, sizeof(path), "%s/2", below);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    write_text(paths[0], "old");
    make(files, 2, "new");
    ck_assert_int_eq(whole_file_make(path, &files[2]), 0);
    fclose(files[2].stream);
    ck_assert_int_eq(unlink(files[2].temporary), 0);
    ck_assert_int_eq(rmdir(below), 0);
    ck_assert_int_eq(name(files, FILES, &failed), ENOENT);
    ck_assert_uint_eq(failed, 2);
    drop(files, FILES);
    ck_assert_str_eq(text_of(paths[0]), "old");
    ck_assert_int_eq(count_files(0), 1);
}
END_TEST

/* More files than are kept count of: refused, and nothing stays. */
START_TEST(test_too_many)
{
    static struct whole_file files[100];
    int count = 0, reason = 0;

    while (count < 100 && (reason = whole_file_make(paths[0], &files[count])) == 0)
        fclose(files[count++].stream);
    ck_assert_int_eq(reason, ENFILE);
    ck_assert_int_eq(count_files(0), count);
    drop(files, count);
    ck_assert_int_eq(count_files(0), 0);
    make(files, 1, "new");
    drop(files, 1);
}
END_TEST

/* ---- signals -------------------------------------------------------------------------------------------------- */

static void *wait_forever(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* As a driver has them: a thread to which signals may come while the main one is busy. */
static void start_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, wait_forever, NULL) != 0)
        _exit(99);
}

static int wait_for(pid_t child)
{
    int status;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* Each signal takes the files with it, those that have their names stay. */
START_TEST(test_each_signal)
{
    struct whole_file files[FILES];
    size_t failed;
    pid_t child = fork();
    int status;

    if (child == 0) {
        signal(signals[_i], SIG_DFL);
        interrupt_watch();
        start_thread();
        make(files, FILES, "new");
        name(files, 1, &failed);
        kill(getpid(), signals[_i]);
        _exit(98);
    }
    status = wait_for(child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == signals[_i], "wait's status %d", status);
    ck_assert_int_eq(count_files(0), 1);
    ck_assert_str_eq(text_of(paths[0]), "new");
}
END_TEST

/* One that was ignored is ignored. */
START_TEST(test_ignored)
{
    struct whole_file files[FILES];
    pid_t child = fork();

    if (child == 0) {
        signal(signals[_i], SIG_IGN);
        interrupt_watch();
        make(files, FILES, "new");
        kill(getpid(), signals[_i]);
        _exit(count_files(0) == FILES ? 98 : 99);
    }
    ck_assert_int_eq(WEXITSTATUS(wait_for(child)), 98);
    ck_assert_int_eq(count_files(0), FILES);
}
END_TEST

/* Makes, names and drops files until it is ended; all of one round have the same text. */
static void work(void)
{
    for (unsigned round = 0;; round++) {
        struct whole_file files[FILES];
        char text[32];
        size_t failed;

        snprintf(text, sizeof(text), "round %u", round);
        make(files, FILES, text);
        if (round % 3 != 0 && name(files, FILES, &failed) != 0)
            _exit(98);
        drop(files, FILES);
    }
}

/* At any moment: after it there are all three of one round, or none, and nothing else. */
START_TEST(test_any_moment)
{
    enum { TIMES = 300 };
    unsigned long state = 1;

    for (int i = 0; i < TIMES; i++) {
        struct timespec delay = {0, 0};
        int number = signals[i % SIGNALS], status, ends[2];
        char first[64];
        pid_t child;

        ck_assert_int_eq(pipe(ends), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            signal(number, SIG_DFL);
            interrupt_watch();
            if (i % 2)
                start_thread();
            close(ends[1]); /* ready: until now the signal would have come to Check's own handler */
            work();
        }
        close(ends[1]);
        ck_assert_int_eq(read(ends[0], first, 1), 0);
        close(ends[0]);
        state = state * 6364136223846793005u + 1442695040888963407u;
        delay.tv_nsec = (long)(state >> 33) % 4000000;
        nanosleep(&delay, NULL);
        kill(child, number);
        status = wait_for(child);
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == number, "wait's status %d", status);
        snprintf(first, sizeof(first), "%s", text_of(paths[0]));
        for (int k = 1; k < FILES; k++)
            ck_assert_msg(strcmp(text_of(paths[k]), first) == 0, "'%s' and '%s'", first, text_of(paths[k]));
        ck_assert_msg(count_files(1) == (first[0] ? FILES : 0), "time %d: a file too many is left", i);
    }
}
END_TEST

/* Put off, a signal reaches the child at once, and the process when its work is done. */
START_TEST(test_deferred)
{
    struct whole_file files[1];
    int status;
    pid_t child = fork();

    if (child == 0) {
        int ended = 0;
        pid_t own;

        signal(SIGTERM, SIG_DFL);
        own = fork();
        if (own == 0)
            wait_forever(NULL);
        interrupt_watch();
        make(files, 1, "new");
        interrupt_defer();
        if (interrupt_came())
            _exit(97);
        kill(getpid(), SIGTERM);
        if (!interrupt_came())
            _exit(96);
        interrupt_child(own);
        if (waitpid(own, &ended, 0) != own || !WIFSIGNALED(ended) || WTERMSIG(ended) != SIGTERM)
            _exit(95);
        write_text(paths[1], "tidy");
        interrupt_deliver();
        _exit(94);
    }
    status = wait_for(child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "wait's status %d", status);
    ck_assert_str_eq(text_of(paths[1]), "tidy");
    ck_assert_int_eq(count_files(0), 1);
}
END_TEST

int main(void)
{
    const struct rlimit none = {0, 0};
    Suite *suite = suite_create("whole file");
    TCase *cases = tcase_create("whole file");

    setrlimit(RLIMIT_CORE, &none); /* some of the signals would leave a core file */
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 100);
    tcase_add_test(cases, test_names);
    tcase_add_loop_test(cases, test_folder_in_the_way, 0, FILES);
    tcase_add_test(cases, test_folder_gone);
    tcase_add_test(cases, test_too_many);
    tcase_add_loop_test(cases, test_each_signal, 0, SIGNALS);
    tcase_add_loop_test(cases, test_ignored, 0, SIGNALS);
    tcase_add_test(cases, test_any_moment);
    tcase_add_test(cases, test_deferred);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
