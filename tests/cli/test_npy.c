/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "fixture/suite.h"
#include "cli/files/npy.h"
#include "cli/files/npy_header.h"
#include "cli/files/whole_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"

static char folder[64];
static char path[128];
static struct npy_error error;

static void setup(void)
{
    strcpy(folder, "/tmp/clnorm-npy-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/x.npy", folder);
    error.text[0] = '\0';
}

/* Files in the folder; removes them when asked to. */
static int count_files(int remove_them)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    int count = 0;

    ck_assert_ptr_nonnull(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (remove_them)
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    closedir(directory);
    return count;
}

static void teardown(void)
{
    count_files(1);
    rmdir(folder);
}

/* A file of this version, header and number of value bytes, without the padding that NumPy adds. */
static void write_file(int major, const char *header, size_t value_bytes)
{
    static const unsigned char values[4096] = {0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0}; /* 1, -2.5, 0, ... */
    size_t length = strlen(header);
    unsigned char start[12] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)major, 0};
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 4; i++)
        start[8 + i] = (unsigned char)(length >> 8 * i);
    fwrite(start, 1, major == 1 ? 10 : 12, file);
    fwrite(header, 1, length, file);
    fwrite(values, 1, value_bytes, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_bytes(const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    ck_assert_ptr_nonnull(file);
    fwrite(bytes, 1, count, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* The file is refused with a message that names it and says expected. */
static void assert_refused(const char *expected)
{
    struct npy_array array;

    ck_assert_int_eq(npy_read(path, &array, &error), -1);
    ck_assert_ptr_null(array.values);
    ck_assert_msg(strstr(error.text, path) != NULL, "'%s' does not name %s", error.text, path);
    ck_assert_msg(strstr(error.text, expected) != NULL, "'%s' does not say '%s'", error.text, expected);
}

START_TEST(test_reads_versions)
{
    for (int major = 1; major <= 3; major++) {
        struct npy_array array;

        write_file(major, GOOD, 24);
        ck_assert_msg(npy_read(path, &array, &error) == 0, "%s", error.text);
        ck_assert_uint_eq(array.rank, 2);
        ck_assert_uint_eq(array.shape[0], 2);
        ck_assert_uint_eq(array.shape[1], 3);
        ck_assert_uint_eq(array.count, 6);
        ck_assert(array.values[0] == 1.0f && array.values[1] == -2.5f && array.values[5] == 0.0f);
        npy_free(&array);
        ck_assert_ptr_null(array.values);
    }
}
END_TEST

/* Headers that are Python all the same. */
START_TEST(test_reads_headers)
{
    static const struct {
        const char *header;
        unsigned rank;
        uint64_t count;
    } good[] = {
        {"{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}   \n", 2, 6},
        {"{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2,3,)}", 2, 6},
        {" { 'descr' : '<f4' , 'fortran_order' : False , 'shape' : ( 7 , ) , } ", 1, 7},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 0, 1},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }", 2, 6},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 2, 1, 1, 3), }", 8, 6},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", 2, 0},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999999999, 0, 9999999999999999999), }", 3, 0},
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct npy_array array;

        write_file(1, good[i].header, (size_t)good[i].count * 4);
        ck_assert_msg(npy_read(path, &array, &error) == 0, "%s: %s", good[i].header, error.text);
        ck_assert_uint_eq(array.rank, good[i].rank);
        ck_assert_uint_eq(array.count, good[i].count);
        ck_assert_ptr_nonnull(array.values);
        npy_free(&array);
    }
}
END_TEST

START_TEST(test_refuses_headers)
{
    static const struct {
        const char *header, *expected;
    } bad[] = {
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", "'<f8'; expected '<f4'"},
        {"{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }", "expected '<f4'"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }", "expected '<f4'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "big-endian"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", "expected '<f4'"},
        {"{'descr': '\x01\x80', 'fortran_order': False, 'shape': (2, 3), }", "'?\?'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", "expected '<f4'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "Fortran order; expected C order"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3), }", "neither True nor False"},
        {"{'descr': '<f4', 'fortran_order': Falsetto, 'shape': (2, 3), }", "comma"},
        {"{'descr': '<f4', 'fortran_order': False}", "lacks a key"},
        {"{}", "lacks a key"},
        {"", "dict"},
        {"   ", "dict"},
        {"[1]", "dict"},
        {"{", "dict"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3),", "dict"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape':", "tuple"},
        {"{'descr': '<f4", "expected '<f4'"},
        {"{'descr", "dict"},
        {GOOD " import os", "behind its dict"},
        {GOOD GOOD, "behind its dict"},
        {"{,}", "dict"},
        {"{'descr': '<f4' 'fortran_order': False, 'shape': (2, 3), }", "comma"},
        {"{'descr': '<f4',, 'fortran_order': False, 'shape': (2, 3), }", "dict"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", "repeated key"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", "unknown"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6)}", "comma behind it"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (,)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,,3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0x2, 3)}", "tuple"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (02, 3)}", "starts with 0"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}", "64 bits"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 3)}", "64 bits"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "overflow"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 1)}", "overflow"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 6)}", "more than 8 axes"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_file(1, bad[i].header, 24);
        assert_refused(bad[i].expected);
    }
}
END_TEST

/* Every beginning of a good header is refused, and no byte behind it is read. */
START_TEST(test_refuses_every_prefix)
{
    for (size_t length = 0; length < strlen(GOOD); length++) {
        char *exact = malloc(length ? length : 1);
        struct npy_array array;

        ck_assert_ptr_nonnull(exact);
        memcpy(exact, GOOD, length);
        ck_assert_ptr_nonnull(npy_parse_header(exact, length, 0, &array, &error));
        free(exact);
    }
}
END_TEST

START_TEST(test_refuses_files)
{
    static const char huge_header[] = "\x93NUMPY\x02\x00\xff\xff\xff\xff{";
    static const char long_header[] = "\x93NUMPY\x02\x00\x01\x00\x01\x00{";
    struct npy_array array;

    ck_assert_int_eq(npy_read(path, &array, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "No such file"));
    ck_assert_ptr_nonnull(strstr(error.text, path));

    write_bytes("", 0);
    assert_refused("not a .npy file");
    write_bytes("\x93NUMP", 5);
    assert_refused("not a .npy file");
    write_bytes("PK\x03\x04 an .npz file", 16);
    assert_refused("not a .npy file");
    write_bytes("\x93NUMPY", 6);
    assert_refused("truncated");
    write_bytes("\x93NUMPY\x01\x00\x10", 9);
    assert_refused("truncated");
    write_bytes("\x93NUMPY\x04\x00\x10\x00", 10);
    assert_refused("version 4.0; expected 1.0, 2.0 or 3.0");
    write_bytes("\x93NUMPY\x01\x01\x10\x00", 10);
    assert_refused("version 1.1");
    write_bytes("\x93NUMPY\x01\x00\xff\xff{'descr'", 18);
    assert_refused("truncated");
    write_bytes(huge_header, sizeof(huge_header) - 1);
    assert_refused("4294967295 bytes; expected at most");
    write_bytes(long_header, sizeof(long_header) - 1);
    assert_refused("65537 bytes; expected at most 65536");

    write_file(1, GOOD, 23);
    assert_refused("truncated: shape (2, 3) needs 24 bytes of values, the file has 23");
    write_file(1, GOOD, 0);
    assert_refused("truncated");
    write_file(1, GOOD, 25);
    assert_refused("goes on behind its values");
    write_file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3), }", 24);
    assert_refused("truncated");
}
END_TEST

START_TEST(test_refuses_folder)
{
    struct npy_array array;

    ck_assert_int_eq(npy_read(folder, &array, &error), -1);
    ck_assert_msg(strstr(error.text, "Is a directory") != NULL, "%s", error.text);
}
END_TEST

/* A pipe cannot tell its size: values are counted as they come. */
static int read_through_pipe(const char *header, size_t value_bytes, struct npy_array *array)
{
    char command[300], fifo[128];
    int result;

    write_file(1, header, value_bytes);
    snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    snprintf(command, sizeof(command), "cat %s > %s &", path, fifo);
    ck_assert_int_eq(system(command), 0);
    result = npy_read(fifo, array, &error);
    unlink(fifo);
    return result;
}

START_TEST(test_reads_pipe)
{
    struct npy_array array;

    ck_assert_int_eq(read_through_pipe(GOOD, 24, &array), 0);
    ck_assert_uint_eq(array.count, 6);
    ck_assert(array.values[1] == -2.5f);
    npy_free(&array);
    ck_assert_int_eq(read_through_pipe(GOOD, 20, &array), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "truncated"));
    ck_assert_int_eq(read_through_pipe(GOOD, 28, &array), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "goes on"));
    /* Four terabytes are promised: memory is taken for what comes. */
    ck_assert_int_eq(
        read_through_pipe("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }", 24, &array), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "truncated"));
}
END_TEST

static struct npy_output output(const char *name, unsigned rank, const uint64_t *shape, const float *values)
{
    struct npy_output one = {.path = name, .rank = rank, .values = values};

    memcpy(one.shape, shape, rank * sizeof(shape[0]));
    return one;
}

START_TEST(test_writes_what_it_reads)
{
    static const uint64_t shape[8] = {3, 1, 2, 1, 1, 1, 1, 700};
    static float values[4200];

    for (int i = 0; i < 4200; i++)
        values[i] = (float)i * 0.37f - 5.0f;
    for (unsigned rank = 0; rank <= 8; rank++) {
        struct npy_output one = output(path, rank, shape, values);
        struct npy_array array;
        unsigned char start[10];
        FILE *file;

        ck_assert_msg(npy_write_all(&one, 1, &error) == 0, "%s", error.text);
        ck_assert_int_eq(count_files(0), 1);
        ck_assert_msg(npy_read(path, &array, &error) == 0, "%s", error.text);
        ck_assert_uint_eq(array.rank, rank);
        ck_assert_mem_eq(array.shape, shape, rank * sizeof(shape[0]));
        ck_assert_mem_eq(array.values, values, (size_t)array.count * sizeof(float));
        npy_free(&array);

        /* Version 1.0, and values that start at a multiple of 64 bytes. */
        file = fopen(path, "rb");
        ck_assert_uint_eq(fread(start, 1, 10, file), 10);
        ck_assert_mem_eq(start, "\x93NUMPY\x01\x00", 8);
        ck_assert_int_eq((10 + start[8] + 256 * start[9]) % 64, 0);
        fclose(file);
    }
}
END_TEST

/* What is written as another type is read as the kind that has it, and refused as those that have not. */
START_TEST(test_kinds)
{
    static const struct {
        enum npy_type type;
        enum npy_kind kind;
        const char *refused; /* as a tensor (t), words (w), reals (r) */
    } good[] = {{NPY_FLOAT16, NPY_TENSOR, "wr"},
                {NPY_UINT16, NPY_TENSOR, "wr"},
                {NPY_FLOAT32, NPY_TENSOR, "w"},
                {NPY_FLOAT32, NPY_REALS, "w"},
                {NPY_UINT32, NPY_WORDS, "tr"}};
    static const char *const expected[] = {[NPY_REALS] = "expected '<f4'",
                                           [NPY_TENSOR] = "expected '<f4', '<f2', or '<u2' for bfloat16",
                                           [NPY_WORDS] = "expected '<u4'"};
    static const uint64_t shape[2] = {3, 700};
    static unsigned char values[4 * 2100];

    for (size_t i = 0; i < sizeof(values); i++)
        values[i] = (unsigned char)(i * 37 + i / 256);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct npy_output one = output(path, 2, shape, NULL);
        struct npy_array array;

        one.others = values;
        one.type = good[i].type;
        ck_assert_msg(npy_write_all(&one, 1, &error) == 0, "%s", error.text);
        ck_assert_msg(npy_read_kind(path, good[i].kind, &array, &error) == 0, "%s", error.text);
        ck_assert_int_eq(array.type, good[i].type);
        ck_assert_uint_eq(array.count, 2100);
        ck_assert_mem_eq(npy_data(&array), values, 2100 * npy_type_bytes(array.type));
        ck_assert_int_eq(array.values != NULL, good[i].type == NPY_FLOAT32);
        ck_assert_int_eq(array.words != NULL, good[i].kind == NPY_WORDS);
        npy_free(&array);
        ck_assert_ptr_null(npy_data(&array));
        for (const char *kind = good[i].refused; *kind; kind++) {
            enum npy_kind other = *kind == 't' ? NPY_TENSOR : *kind == 'w' ? NPY_WORDS : NPY_REALS;

            ck_assert_int_eq(npy_read_kind(path, other, &array, &error), -1);
            ck_assert_ptr_null(npy_data(&array));
            ck_assert_msg(strstr(error.text, expected[other]) != NULL, "%s", error.text);
        }
    }
}
END_TEST

START_TEST(test_writes_empty)
{
    static const uint64_t shape[2] = {0, 3};
    struct npy_output one = output(path, 2, shape, NULL);
    struct npy_array array;
    float nothing = 0;

    one.values = &nothing;
    ck_assert_int_eq(npy_write_all(&one, 1, &error), 0);
    ck_assert_int_eq(npy_read(path, &array, &error), 0);
    ck_assert_uint_eq(array.count, 0);
    npy_free(&array);
}
END_TEST

/* The rights of a new file, and a link that stays a link. */
START_TEST(test_keeps_rights_and_links)
{
    static const uint64_t shape[1] = {1};
    float value = 2.0f;
    char link[128];
    struct npy_output one = output(path, 1, shape, &value);
    struct stat status;
    struct npy_array array;
    mode_t mask = umask(027);

    ck_assert_int_eq(npy_write_all(&one, 1, &error), 0);
    umask(mask);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq(status.st_mode & 0777, 0640);

    snprintf(link, sizeof(link), "%s/link.npy", folder);
    ck_assert_int_eq(symlink("x.npy", link), 0);
    value = 3.0f;
    one.path = link;
    ck_assert_int_eq(npy_write_all(&one, 1, &error), 0);
    ck_assert_int_eq(lstat(link, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(npy_read(path, &array, &error), 0);
    ck_assert(array.values[0] == 3.0f);
    npy_free(&array);
}
END_TEST

START_TEST(test_refuses_outputs)
{
    static const uint64_t shape[1] = {1};
    float value = 2.0f;
    char missing[128], below[160];
    struct npy_output two[2];

    ck_assert_int_eq(whole_file_possible(path, error.text, sizeof(error.text)), 0);
    ck_assert_int_eq(whole_file_possible("", error.text, sizeof(error.text)), -1);
    ck_assert_int_eq(whole_file_possible(folder, error.text, sizeof(error.text)), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "it is a folder"));
    ck_assert_int_eq(whole_file_possible("/dev/full", error.text, sizeof(error.text)), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "not a regular file"));
    snprintf(missing, sizeof(missing), "%s/none/y.npy", folder);
    ck_assert_int_eq(whole_file_possible(missing, error.text, sizeof(error.text)), -1);
    ck_assert_ptr_nonnull(strstr(error.text, missing));
    ck_assert_ptr_nonnull(strstr(error.text, "expected a folder that exists"));
    write_bytes("x", 1);
    snprintf(below, sizeof(below), "%s/y.npy", path);
    ck_assert_int_eq(whole_file_possible(below, error.text, sizeof(error.text)), -1);
    unlink(path);

    /* The second has no folder: the first is not written either. */
    two[0] = output(path, 1, shape, &value);
    two[1] = output(missing, 1, shape, &value);
    ck_assert_int_eq(npy_write_all(two, 2, &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, missing));
    ck_assert_int_eq(count_files(0), 0);
}
END_TEST

/* A disk that takes no more, as a limit on the size of files: the second of three outputs is too large. */
START_TEST(test_full_disk)
{
    static float values[100000];
    static const uint64_t small[1] = {10}, large[1] = {100000};
    struct rlimit before, limit;
    struct npy_output three[3];
    char names[3][128];
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    float old = 7.0f;
    struct npy_array array;
    int result;

    for (int i = 0; i < 3; i++) {
        snprintf(names[i], sizeof(names[i]), "%s/%d.npy", folder, i);
        three[i] = output(names[i], 1, i == 1 ? large : small, values);
    }
    /* What was there before stays as it was. */
    three[0].shape[0] = 1;
    three[0].values = &old;
    ck_assert_int_eq(npy_write_all(three, 1, &error), 0);
    three[0].shape[0] = 10;
    three[0].values = values;

    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 100000;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    result = npy_write_all(three, 3, &error);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);

    ck_assert_int_eq(result, -1);
    ck_assert_msg(strstr(error.text, names[1]) != NULL, "%s", error.text);
    ck_assert_msg(strstr(error.text, "File too large") != NULL, "%s", error.text);
    ck_assert_int_eq(count_files(0), 1);
    ck_assert_int_eq(npy_read(names[0], &array, &error), 0);
    ck_assert(array.count == 1 && array.values[0] == 7.0f);
    npy_free(&array);
}
END_TEST

START_TEST(test_shape_text)
{
    static const uint64_t shape[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                      UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    char text[NPY_SHAPE_BYTES];

    ck_assert_str_eq(npy_shape_text(0, shape, text), "()");
    ck_assert_str_eq(npy_shape_text(1, shape, text), "(18446744073709551615,)");
    ck_assert_str_eq(npy_shape_text(2, shape, text), "(18446744073709551615, 18446744073709551615)");
    ck_assert_uint_eq(strlen(npy_shape_text(8, shape, text)), 2 + 8 * 20 + 7 * 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy");
    TCase *cases = tcase_create("npy");

    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, test_reads_versions);
    tcase_add_test(cases, test_reads_headers);
    tcase_add_test(cases, test_refuses_headers);
    tcase_add_test(cases, test_refuses_every_prefix);
    tcase_add_test(cases, test_refuses_files);
    tcase_add_test(cases, test_refuses_folder);
    tcase_add_test(cases, test_reads_pipe);
    tcase_add_test(cases, test_writes_what_it_reads);
    tcase_add_test(cases, test_kinds);
    tcase_add_test(cases, test_writes_empty);
    tcase_add_test(cases, test_keeps_rights_and_links);
    tcase_add_test(cases, test_refuses_outputs);
    tcase_add_test(cases, test_full_disk);
    tcase_add_test(cases, test_shape_text);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
