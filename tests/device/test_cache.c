/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled programs on disk: what was stored comes back whole, and whatever is not what was stored does not. */
#define _XOPEN_SOURCE 700 /* mkdtemp, setenv */
#include "fixture/suite.h"
#include "device/cache.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64], folder[128];
static const char key[] = "device|options|source";
static unsigned char binary[100];

static void setup(void)
{
    strcpy(base, "/tmp/clnorm-cache-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(folder, sizeof folder, "%s/a/b", base); /* made when missing, with what is above it */
    for (size_t i = 0; i < sizeof binary; i++)
        binary[i] = (unsigned char)(i * i + 7 * i);
}

static void teardown(void)
{
    ck_assert_int_eq(remove_tree(base), 0);
}

static int loads(const char *with_key, const unsigned char *expected, size_t size)
{
    size_t got = 12345;
    unsigned char *loaded = clnorm__cache_load(folder, with_key, &got);
    int same = loaded && got == size && memcmp(loaded, expected, size) == 0;
    ck_assert_msg(!loaded || same, "what came back is not what was stored");
    free(loaded);
    return same;
}

/* Entries in the folder; path gets the last one's. */
static int entries(char *path, size_t path_size)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    int count = 0;
    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (path)
            snprintf(path, path_size, "%s/%s", folder, entry->d_name);
    }
    closedir(directory);
    return count;
}

static size_t read_whole(const char *path, unsigned char *data, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(data, 1, capacity, file);
    fclose(file);
    return size;
}

static void write_whole(const char *path, const unsigned char *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(round_trip)
{
    size_t size;
    ck_assert_ptr_null(clnorm__cache_load(folder, key, &size)); /* no folder yet */
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), 0);
    ck_assert(loads(key, binary, sizeof binary));
    ck_assert_ptr_null(clnorm__cache_load(folder, "another key", &size));
    ck_assert_int_eq(clnorm__cache_store(folder, "another key", binary, 1), 0);
    ck_assert(loads("another key", binary, 1));
    ck_assert(loads(key, binary, sizeof binary));
    ck_assert_int_eq(entries(NULL, 0), 2);                                 /* no temporary file stays */
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary + 1, 50), 0); /* the later one wins */
    ck_assert(loads(key, binary + 1, 50));
    ck_assert_int_eq(entries(NULL, 0), 2);
    clnorm__cache_remove(folder, key);
    ck_assert_ptr_null(clnorm__cache_load(folder, key, &size));
    ck_assert(loads("another key", binary, 1));
    clnorm__cache_remove(folder, key); /* what is not there is no error */
}
END_TEST

START_TEST(long_keys_and_empty_binaries)
{
    static char longer[100001];
    memset(longer, 'k', sizeof longer - 1);
    ck_assert_int_eq(clnorm__cache_store(folder, longer, binary, 0), 0);
    ck_assert(loads(longer, binary, 0));
    longer[50000] = 'K';
    ck_assert(!loads(longer, binary, 0));
    ck_assert_int_eq(clnorm__cache_store(folder, "", binary, 10), 0);
    ck_assert(loads("", binary, 10));
}
END_TEST

START_TEST(truncated_or_longer)
{
    static unsigned char file[4096];
    char path[512];
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), 0);
    ck_assert_int_eq(entries(path, sizeof path), 1);
    size_t whole = read_whole(path, file, sizeof file), got;
    ck_assert_uint_gt(whole, sizeof binary);
    ck_assert_uint_lt(whole, sizeof file);
    for (size_t size = 0; size < whole; size++) {
        write_whole(path, file, size);
        ck_assert_msg(!clnorm__cache_load(folder, key, &got), "an entry cut to %zu of %zu bytes loads", size, whole);
    }
    write_whole(path, file, whole + 1);
    ck_assert_ptr_null(clnorm__cache_load(folder, key, &got));
    write_whole(path, file, whole);
    ck_assert(loads(key, binary, sizeof binary));
}
END_TEST

/* Any one bit: of the header, the key, the binary. */
START_TEST(flipped_bit)
{
    static unsigned char file[4096];
    char path[512];
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), 0);
    ck_assert_int_eq(entries(path, sizeof path), 1);
    size_t whole = read_whole(path, file, sizeof file), got;
    for (size_t bit = 0; bit < whole * 8; bit++) {
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
        write_whole(path, file, whole);
        ck_assert_msg(!clnorm__cache_load(folder, key, &got), "an entry with bit %zu of byte %zu flipped loads",
                      bit % 8, bit / 8);
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}
END_TEST

/* The file of one key under the name of another, as if their hashes were the same: the key in the file decides. */
START_TEST(other_key_same_file)
{
    static const char other[] = "device|options|sourcf"; /* as long as key */
    unsigned char file[4096];
    char first[512], second[512];
    size_t size;
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), 0);
    ck_assert_int_eq(entries(first, sizeof first), 1);
    size_t whole = read_whole(first, file, sizeof file);
    clnorm__cache_remove(folder, key);
    ck_assert_int_eq(clnorm__cache_store(folder, other, binary, 3), 0);
    ck_assert_int_eq(entries(second, sizeof second), 1);
    ck_assert_str_ne(first, second);
    write_whole(second, file, whole);
    ck_assert_ptr_null(clnorm__cache_load(folder, other, &size));
    ck_assert_int_eq(clnorm__cache_store(folder, other, binary, 3), 0);
    ck_assert(loads(other, binary, 3));
}
END_TEST

START_TEST(folder_that_cannot_be_written)
{
    char file[256], below[300];
    size_t size;
    snprintf(file, sizeof file, "%s/file", base);
    snprintf(below, sizeof below, "%s/folder", file);
    write_whole(file, binary, 1);
    /* A file in the place of the folder, or above it: even for root, whom permissions do not stop. */
    ck_assert_int_eq(clnorm__cache_store(file, key, binary, sizeof binary), -1);
    ck_assert_int_eq(clnorm__cache_store(below, key, binary, sizeof binary), -1);
    ck_assert_ptr_null(clnorm__cache_load(file, key, &size));
    ck_assert_ptr_null(clnorm__cache_load(below, key, &size));
    clnorm__cache_remove(below, key);
    ck_assert_int_eq(clnorm__cache_store("/proc/clnorm", key, binary, sizeof binary), -1);
}
END_TEST

/* Permissions do not stop root, for whom folder_that_cannot_be_written is all there is to see. */
START_TEST(read_only_folder)
{
    ck_assert_int_eq(chmod(base, 0500), 0);
    int stored = clnorm__cache_store(folder, key, binary, sizeof binary);
    ck_assert_int_eq(chmod(base, 0700), 0);
    ck_assert_int_eq(stored, geteuid() == 0 ? 0 : -1);
}
END_TEST

/* A folder in the entry's place: the rename fails, and the temporary file goes. */
START_TEST(failed_store_leaves_nothing)
{
    char path[512];
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), 0);
    ck_assert_int_eq(entries(path, sizeof path), 1);
    clnorm__cache_remove(folder, key);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(clnorm__cache_store(folder, key, binary, sizeof binary), -1);
    ck_assert_int_eq(entries(NULL, 0), 1);
}
END_TEST

/* ---- where the folder is ---- */

static void environment(const char *name, const char *value)
{
    ck_assert_int_eq(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

/* expected NULL: no disk cache */
static void folder_is(const char *option, const char *dir, const char *xdg, const char *home, const char *expected)
{
    environment("CLNORM_CACHE_DIR", dir);
    environment("XDG_CACHE_HOME", xdg);
    environment("HOME", home);
    char *got = clnorm__cache_folder(option);
    if (expected) {
        ck_assert_ptr_nonnull(got);
        ck_assert_str_eq(got, expected);
    } else {
        ck_assert_ptr_null(got);
    }
    free(got);
}

START_TEST(folder_rules)
{
    folder_is(NULL, NULL, NULL, "/home/u", "/home/u/.cache/clnorm");
    folder_is(NULL, NULL, "/xdg", "/home/u", "/xdg/clnorm");
    folder_is(NULL, NULL, "", "/home/u", "/home/u/.cache/clnorm");
    folder_is(NULL, NULL, "relative", "/home/u", "/home/u/.cache/clnorm"); /* the XDG specification: ignored */
    folder_is(NULL, "/mine", "/xdg", "/home/u", "/mine");
    folder_is(NULL, "mine", "/xdg", "/home/u", "mine");
    folder_is(NULL, "", "/xdg", "/home/u", NULL);
    folder_is("/option", "/mine", "/xdg", "/home/u", "/option");
    folder_is("/option", "", "/xdg", "/home/u", "/option");
    folder_is("", "/mine", "/xdg", "/home/u", NULL);
    folder_is(NULL, NULL, NULL, NULL, NULL);
    folder_is(NULL, NULL, NULL, "", NULL);
    folder_is(NULL, NULL, "/xdg", NULL, "/xdg/clnorm");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *tests = tcase_create("cache");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, round_trip);
    tcase_add_test(tests, long_keys_and_empty_binaries);
    tcase_add_test(tests, truncated_or_longer);
    tcase_add_test(tests, flipped_bit);
    tcase_add_test(tests, other_key_same_file);
    tcase_add_test(tests, folder_that_cannot_be_written);
    tcase_add_test(tests, read_only_folder);
    tcase_add_test(tests, failed_store_leaves_nothing);
    tcase_add_test(tests, folder_rules);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
