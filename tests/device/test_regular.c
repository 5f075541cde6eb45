/* SPDX-License-Identifier: Apache-2.0 */
/* What the library looks for by itself, stored programs, tunings and kernel files, is a regular file or it is not there. */
#define _XOPEN_SOURCE 700 /* mkdtemp, symlink */
#include "fixture/suite.h"
#include "device/cache.h"
#include "device/context.h"
#include "device/program.h"
#include "device/regular.h"
#include "device/stored_tuning.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64], other[128]; /* other: where the links point to */
static const char key[] = "device|options|source", text[] = "what is stored";
enum { BYTES = sizeof text };

static void setup(void)
{
    strcpy(folder, "/tmp/clnorm-regular-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(other, sizeof other, "%s/other", folder);
    alarm(60); /* the fault was a wait without end */
}

static void teardown(void)
{
    char command[128];
    alarm(0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void make_pipe(const char *path)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
}

static void make_folder(const char *path)
{
    ck_assert_int_eq(mkdir(path, 0700), 0);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_uint_lt(strlen(path), sizeof address.sun_path);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    close(descriptor);
}

static void make_zeros(const char *path)
{
    ck_assert_int_eq(symlink("/dev/zero", path), 0);
}

static void make_link_to_pipe(const char *path)
{
    make_pipe(other);
    ck_assert_int_eq(symlink(other, path), 0);
}

static void make_link_to_folder(const char *path)
{
    ck_assert_int_eq(symlink("/tmp", path), 0);
}

static void make_link_to_nothing(const char *path)
{
    ck_assert_int_eq(symlink(other, path), 0);
}

static const struct {
    const char *name;
    void (*make)(const char *path);
} kinds[] = {
    {"pipe", make_pipe},
    {"folder", make_folder},
    {"socket", make_socket},
    {"/dev/zero", make_zeros},
    {"link to a pipe", make_link_to_pipe},
    {"link to a folder", make_link_to_folder},
    {"link to nothing", make_link_to_nothing},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void unmake(const char *path)
{
    ck_assert_int_eq(remove(path), 0);
    remove(other);
}

static unsigned open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;
    while (directory && readdir(directory))
        count++;
    if (directory)
        closedir(directory);
    return count;
}

/* ---- stored programs ---- */

static int loads(void)
{
    size_t size = 0;
    unsigned char *got = clnorm__cache_load(folder, key, &size);
    int good = got && size == BYTES && memcmp(got, text, BYTES) == 0;
    ck_assert(good || !got);
    free(got);
    return good;
}

static int store(void)
{
    return clnorm__cache_store(folder, key, (const unsigned char *)text, BYTES);
}

/* No entry, and what a store puts in its place is one again; but for a folder, which stays. */
START_TEST(entries)
{
    char *path = clnorm__cache_path(folder, key);
    unsigned before = open_files();
    int is_folder = kinds[_i].make == make_folder;
    struct stat status;

    kinds[_i].make(path);
    ck_assert_msg(!loads(), "%s", kinds[_i].name);
    ck_assert_int_eq(store(), is_folder ? -1 : 0);
    ck_assert_int_eq(loads(), !is_folder);
    if (!is_folder) {
        ck_assert_int_eq(lstat(path, &status), 0);
        ck_assert(S_ISREG(status.st_mode));
    }
    unmake(path);
    ck_assert_uint_eq(open_files(), before);
    free(path);
}
END_TEST

/* A cache whose entries are links to files elsewhere works. */
START_TEST(links_to_files)
{
    char *path = clnorm__cache_path(folder, key);

    ck_assert_int_eq(store(), 0);
    ck_assert_int_eq(rename(path, other), 0);
    ck_assert(!loads());
    ck_assert_int_eq(symlink(other, path), 0);
    ck_assert(loads());
    free(path);
}
END_TEST

/* ---- tunings ---- */

START_TEST(tunings)
{
    struct clnorm__device device = {.compute_units = 2, .identity = "platform|device|driver"};
    char *path = clnorm__tuning_path(folder, &device), *got;

    kinds[_i].make(path);
    ck_assert_msg(!clnorm__tuning_load(folder, &device), "%s", kinds[_i].name);
    unmake(path);
    ck_assert_int_eq(clnorm__tuning_store(folder, &device, "fused_items=8"), 0);
    got = clnorm__tuning_load(folder, &device);
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got, "fused_items=8");
    free(got);
    free(path);
}
END_TEST

/* ---- kernel files ---- */

/* The embedded file is used, as where the folder has none. */
START_TEST(kernel_files)
{
    struct clnorm_context context = {.kernel_dir = NULL};
    char path[128], *embedded, *source;
    int is_overridden = 0;
    FILE *file;

    ck_assert_int_eq(clnorm__source_read(&context, "apply/apply_naive.cl", &embedded, &is_overridden), CLNORM_SUCCESS);
    context.kernel_dir = folder;
    snprintf(path, sizeof path, "%s/apply", folder);
    ck_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/apply/apply_naive.cl", folder);
    kinds[_i].make(path);
    ck_assert_int_eq(clnorm__source_read(&context, "apply/apply_naive.cl", &source, &is_overridden), CLNORM_SUCCESS);
    ck_assert_msg(strcmp(source, embedded) == 0, "%s", kinds[_i].name);
    free(source);
    unmake(path);
    /* The right place: a regular file there is used. */
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("nothing of the kind\n", file);
    fclose(file);
    ck_assert_int_eq(clnorm__source_read(&context, "apply/apply_naive.cl", &source, &is_overridden), CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(strstr(source, "nothing of the kind"));
    ck_assert_int_ne(is_overridden, 0);
    free(source);
    free(embedded);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("regular");
    TCase *tests = tcase_create("regular");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, entries, 0, KINDS);
    tcase_add_test(tests, links_to_files);
    tcase_add_loop_test(tests, tunings, 0, KINDS);
    tcase_add_loop_test(tests, kernel_files, 0, KINDS);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
