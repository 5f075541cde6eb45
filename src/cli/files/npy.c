/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* fileno, ftello */
#include "cli/files/npy.h"
#include "cli/files/npy_header.h"
#include "cli/files/whole_file.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    MAX_HEADER_BYTES = 1 << 16, /* far above any real one; NumPy itself refuses 10,000 by default */
    FIRST_READ = 1 << 20        /* values; a pipe that lies about its shape gets no more memory than it fills */
};

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

__attribute__((format(printf, 2, 3))) static int set_error(struct npy_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

const char *npy_shape_text(unsigned rank, const uint64_t *shape, char *text)
{
    size_t used = 1;

    strcpy(text, "(");
    for (unsigned i = 0; i < rank; i++)
        used += (size_t)snprintf(text + used, NPY_SHAPE_BYTES - used, i == 0 ? "%llu" : ", %llu",
                                 (unsigned long long)shape[i]);
    snprintf(text + used, NPY_SHAPE_BYTES - used, rank == 1 ? ",)" : ")");
    return text;
}

void npy_free(struct npy_array *array)
{
    free(array->values);
    free(array->integers);
    free(array->halves);
    free(array->words);
    array->values = NULL;
    array->integers = NULL;
    array->halves = NULL;
    array->words = NULL;
}

const void *npy_data(const struct npy_array *array)
{
    return array->values     ? (const void *)array->values
           : array->integers ? (const void *)array->integers
           : array->halves   ? (const void *)array->halves
                             : (const void *)array->words;
}

/* The file's byte order is little-endian; on such a host this does nothing. */
static void swap_on_big_endian(void *values, size_t count, size_t size)
{
    const uint16_t one = 1;
    unsigned char *bytes = values;

    if (*(const unsigned char *)&one == 1)
        return;
    for (size_t i = 0; i < count; i++, bytes += size) {
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char first = bytes[k];

            bytes[k] = bytes[size - 1 - k];
            bytes[size - 1 - k] = first;
        }
    }
}

/* Says why fread gave less than it should. */
static int short_read(FILE *file, const char *path, const char *where, struct npy_error *error)
{
    if (ferror(file))
        return set_error(error, "cannot read '%s': %s", path, strerror(errno));
    return set_error(error, "'%s' is truncated: it ends in its %s", path, where);
}

static int read_header(FILE *file, const char *path, enum npy_kind kind, struct npy_array *array,
                       struct npy_error *error)
{
    unsigned char start[8], size[4] = {0};
    size_t size_bytes, length;
    const char *problem;
    char *header;

    size_bytes = fread(start, 1, sizeof(start), file);
    if (ferror(file))
        return short_read(file, path, "first bytes", error);
    if (size_bytes < sizeof(magic) || memcmp(start, magic, sizeof(magic)) != 0)
        return set_error(error, "'%s' is not a .npy file; expected one written by numpy.save", path);
    if (size_bytes < sizeof(start))
        return short_read(file, path, "first bytes", error);
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return set_error(error, "'%s' is a .npy file of version %u.%u; expected 1.0, 2.0 or 3.0", path, start[6],
                         start[7]);
    size_bytes = start[6] == 1 ? 2 : 4;
    if (fread(size, 1, size_bytes, file) != size_bytes)
        return short_read(file, path, "header", error);
    length = (size_t)size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    if (length > MAX_HEADER_BYTES)
        return set_error(error, "'%s' has a header of %zu bytes; expected at most %d", path, length, MAX_HEADER_BYTES);

    header = malloc(length + 1);
    if (!header)
        return set_error(error, "out of memory for the header of '%s'", path);
    if (fread(header, 1, length, file) != length) {
        free(header);
        return short_read(file, path, "header", error);
    }
    problem = npy_parse_header(header, length, kind, array, error);
    free(header);
    if (problem) {
        char copy[NPY_ERROR_BYTES];

        snprintf(copy, sizeof(copy), "%s", problem);
        return set_error(error, "'%s': %.400s", path, copy);
    }
    return 0;
}

/* A regular file's size tells at once whether its shape is true, before any memory is spent on it. */
static int check_size(FILE *file, const char *path, const struct npy_array *array, int *is_sized,
                      struct npy_error *error)
{
    char shape[NPY_SHAPE_BYTES];
    uint64_t wanted = array->count * npy_type_bytes(array->type), there;
    struct stat status;
    off_t at = ftello(file);

    *is_sized = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && at >= 0 && status.st_size >= at;
    if (!*is_sized)
        return 0;
    there = (uint64_t)(status.st_size - at);
    if (there == wanted)
        return 0;
    return set_error(error, "'%s' %s: shape %s needs %llu bytes of values, the file has %llu", path,
                     there < wanted ? "is truncated" : "goes on behind its values",
                     npy_shape_text(array->rank, array->shape, shape), (unsigned long long)wanted,
                     (unsigned long long)there);
}

/* The values as they stand in the file; the caller frees them, also after an error. */
static int read_values(FILE *file, const char *path, const struct npy_array *array, unsigned char **values,
                       struct npy_error *error)
{
    size_t size = npy_type_bytes(array->type);
    uint64_t capacity, have = 0;
    int is_sized;

    if (check_size(file, path, array, &is_sized, error) != 0)
        return -1;
    capacity = is_sized || array->count < FIRST_READ ? array->count : FIRST_READ;
    do {
        unsigned char *grown = realloc(*values, (size_t)(capacity ? capacity : 1) * size);

        if (!grown)
            return set_error(error, "out of memory for the %llu values of '%s'", (unsigned long long)array->count,
                             path);
        *values = grown;
        if (fread(grown + have * size, size, (size_t)(capacity - have), file) != capacity - have)
            return short_read(file, path, "values", error);
        have = capacity;
        capacity = capacity > array->count / 2 ? array->count : capacity * 2;
    } while (have < array->count);

    if (fgetc(file) != EOF)
        return set_error(error, "'%s' goes on behind its values", path);
    if (ferror(file))
        return short_read(file, path, "values", error);
    swap_on_big_endian(*values, (size_t)array->count, size);
    return 0;
}

/* Value number i of a file's type as an integer; -1 where a float is not whole or beyond what a float counts one by one. */
static int integer_at(const unsigned char *values, enum npy_type type, uint64_t i, int64_t *integer)
{
    const unsigned char *at = values + i * npy_type_bytes(type);
    int32_t narrow;
    float real;

    switch (type) {
    case NPY_INT64:
        memcpy(integer, at, sizeof(*integer));
        return 0;
    case NPY_INT32:
        memcpy(&narrow, at, sizeof(narrow));
        *integer = narrow;
        return 0;
    case NPY_UINT8:
        *integer = *at;
        return 0;
    default:
        memcpy(&real, at, sizeof(real));
        if (!(real >= -16777216.0f && real <= 16777216.0f) || (float)(int32_t)real != real)
            return -1;
        *integer = (int64_t)real;
        return 0;
    }
}

static int make_integers(const unsigned char *values, const char *path, struct npy_array *array,
                         struct npy_error *error)
{
    array->integers = malloc((size_t)(array->count ? array->count : 1) * sizeof(*array->integers));
    if (!array->integers)
        return set_error(error, "out of memory for the %llu values of '%s'", (unsigned long long)array->count, path);
    for (uint64_t i = 0; i < array->count; i++) {
        float real;

        if (integer_at(values, array->type, i, &array->integers[i]) == 0)
            continue;
        memcpy(&real, values + i * sizeof(real), sizeof(real));
        return set_error(error, "'%s': value number %llu is %g; expected whole numbers up to 2^24 in magnitude", path,
                         (unsigned long long)i, (double)real);
    }
    return 0;
}

/* Gives the values, as the file has them, to the array. */
static void keep_values(unsigned char *values, enum npy_kind kind, struct npy_array *array)
{
    void *all = values;

    if (kind == NPY_WORDS)
        array->words = all;
    else if (array->type == NPY_FLOAT32)
        array->values = all;
    else
        array->halves = all;
}

int npy_read_stream(FILE *stream, const char *name, enum npy_kind kind, struct npy_array *array,
                    struct npy_error *error)
{
    unsigned char *values = NULL;
    int result;

    memset(array, 0, sizeof(*array));
    result = read_header(stream, name, kind, array, error);
    if (result == 0)
        result = read_values(stream, name, array, &values, error);
    if (result == 0 && kind == NPY_INTEGERS)
        result = make_integers(values, name, array, error);
    if (result == 0 && kind != NPY_INTEGERS)
        keep_values(values, kind, array);
    else
        free(values);
    if (result != 0)
        npy_free(array);
    return result;
}

int npy_read_kind(const char *path, enum npy_kind kind, struct npy_array *array, struct npy_error *error)
{
    FILE *file = fopen(path, "rb");
    int result;

    memset(array, 0, sizeof(*array));
    if (!file)
        return set_error(error, "cannot open '%s': %s", path, strerror(errno));
    result = npy_read_stream(file, path, kind, array, error);
    fclose(file);
    return result;
}

int npy_read(const char *path, struct npy_array *array, struct npy_error *error)
{
    return npy_read_kind(path, NPY_REALS, array, error);
}

int npy_read_integers(const char *path, struct npy_array *array, struct npy_error *error)
{
    return npy_read_kind(path, NPY_INTEGERS, array, error);
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

static enum npy_type output_type(const struct npy_output *output)
{
    return output->integers ? NPY_INT32 : output->others ? output->type : NPY_FLOAT32;
}

/* Bytes of the whole header, a multiple of 64, so that the values are aligned in the file as NumPy wants. */
static size_t make_header(const struct npy_output *output, unsigned char *header, size_t capacity)
{
    char shape[NPY_SHAPE_BYTES];
    size_t used, total;

    memcpy(header, magic, sizeof(magic));
    header[6] = 1;
    header[7] = 0;
    used = 10 + (size_t)snprintf(
                    (char *)header + 10, capacity - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                    npy_type_descr(output_type(output)), npy_shape_text(output->rank, output->shape, shape));
    total = (used + 1 + 63) / 64 * 64;
    memset(header + used, ' ', total - used);
    header[total - 1] = '\n';
    header[8] = (unsigned char)((total - 10) & 0xff);
    header[9] = (unsigned char)((total - 10) >> 8);
    return total;
}

static void write_values(FILE *stream, const struct npy_output *output)
{
    const void *values = output->integers ? (const void *)output->integers
                         : output->others ? output->others
                                          : (const void *)output->values;
    const size_t size = npy_type_bytes(output_type(output));
    unsigned char chunk[1024 * sizeof(int64_t)];
    uint64_t count = 1;

    for (unsigned i = 0; i < output->rank; i++)
        count *= output->shape[i];
    for (uint64_t done = 0; done < count && !ferror(stream);) {
        size_t step = count - done < 1024 ? (size_t)(count - done) : 1024;

        memcpy(chunk, (const char *)values + done * size, step * size);
        swap_on_big_endian(chunk, step, size);
        fwrite(chunk, size, step, stream);
        done += step;
    }
}

void npy_write_stream(FILE *stream, const struct npy_output *output)
{
    unsigned char header[512];
    size_t length = make_header(output, header, sizeof(header));

    fwrite(header, 1, length, stream);
    write_values(stream, output);
}

static int write_temporary(const struct npy_output *output, struct whole_file *file, struct npy_error *error)
{
    int failed, reason = whole_file_make(output->path, file);

    if (reason)
        return set_error(error, "cannot write '%s': %s", output->path, strerror(reason));
    errno = 0;
    npy_write_stream(file->stream, output);
    failed = ferror(file->stream);
    reason = errno;
    if (fclose(file->stream) != 0 && !failed) {
        failed = 1;
        reason = errno;
    }
    if (failed)
        return set_error(error, "cannot write '%s': %s; nothing was written", output->path, strerror(reason));
    return 0;
}

int npy_write_all(const struct npy_output *outputs, size_t count, struct npy_error *error)
{
    struct whole_file *files = calloc(count ? count : 1, sizeof(*files)),
                      **list = calloc(count ? count : 1, sizeof(*list));
    size_t failed = 0;
    int result = files && list ? 0 : set_error(error, "out of memory"), reason;

    for (size_t i = 0; i < count && result == 0; i++)
        result = whole_file_possible(outputs[i].path, error->text, sizeof(error->text));
    for (size_t i = 0; i < count && result == 0; i++) {
        list[i] = &files[i];
        result = write_temporary(&outputs[i], &files[i], error);
    }
    reason = result == 0 ? whole_files_name(list, count, &failed) : 0;
    if (reason)
        result = set_error(error, "cannot give '%s' its name: %s", outputs[failed].path, strerror(reason));
    for (size_t i = 0; i < count && files; i++)
        whole_file_drop(&files[i]);
    free(files);
    free(list);
    return result;
}
