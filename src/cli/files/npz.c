/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* fmemopen, open_memstream */
#include "cli/files/npz.h"

#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int set_error(struct npy_error *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

#ifdef CLNORM_HAS_ZIP
#include <zip.h>

enum { MOST_HEADER_BYTES = 1 << 17 };

struct npz {
    zip_t *zip;
    char *path;
};

int npz_check(struct npy_error *error)
{
    (void)error;
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

int npz_open(const char *path, struct npz **npz, struct npy_error *error)
{
    struct npz *made = calloc(1, sizeof(*made));
    int code = 0, reason;

    *npz = NULL;
    if (!made || !(made->path = strdup(path))) {
        free(made);
        return set_error(error, "out of memory");
    }
    errno = 0;
    made->zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    reason = errno;
    if (made->zip && zip_get_num_entries(made->zip, 0) <= NPZ_MOST_ARRAYS) {
        *npz = made;
        return 0;
    }
    if (made->zip)
        set_error(error, "'%s' has %lld files in it; expected at most %d", path,
                  (long long)zip_get_num_entries(made->zip, 0), NPZ_MOST_ARRAYS);
    else if (code == ZIP_ER_NOENT || code == ZIP_ER_OPEN || code == ZIP_ER_READ)
        set_error(error, "cannot open '%s': %s", path, strerror(reason ? reason : ENOENT));
    else if (code == ZIP_ER_OPNOTSUPP)
        set_error(error, "cannot open '%s': it is not a regular file", path);
    else if (code == ZIP_ER_NOZIP)
        set_error(error, "'%s' is not a .npz file, or a truncated one; expected one written by clnorm train", path);
    else
        set_error(error, "'%s' is a damaged .npz file (libzip's code %d); expected one written by clnorm train", path,
                  code);
    npz_close(made);
    return -1;
}

void npz_close(struct npz *npz)
{
    if (!npz)
        return;
    if (npz->zip)
        zip_discard(npz->zip);
    free(npz->path);
    free(npz);
}

size_t npz_count(const struct npz *npz)
{
    return (size_t)zip_get_num_entries(npz->zip, 0);
}

/* Unpacks a file in memory. Its directory entry tells the size, and must not lie about it by much more than is there. */
static char *unpack(struct npz *npz, const char *name, const char *file, size_t *size, struct npy_error *error)
{
    struct zip_stat facts;
    zip_file_t *member;
    zip_int64_t have;
    char *bytes;

    zip_stat_init(&facts);
    if (zip_stat(npz->zip, file, 0, &facts) != 0 || !(facts.valid & ZIP_STAT_SIZE)) {
        set_error(error, "'%s' has no array '%s'", npz->path, name);
        return NULL;
    }
    /* Deflate packs to a thousandth at best: more than that is a size made up. */
    if (facts.valid & ZIP_STAT_COMP_SIZE && facts.size / 2048 > facts.comp_size) {
        set_error(error, "'%s', array '%s': %llu bytes cannot come of %llu packed ones", npz->path, name,
                  (unsigned long long)facts.size, (unsigned long long)facts.comp_size);
        return NULL;
    }
    bytes = facts.size < SIZE_MAX ? malloc((size_t)facts.size + 1) : NULL;
    member = bytes ? zip_fopen(npz->zip, file, 0) : NULL;
    have = member ? zip_fread(member, bytes, facts.size) : -1;
    /* The checksum is looked at where the file ends. */
    if (have >= 0 && ((zip_uint64_t)have != facts.size || zip_fread(member, bytes + have, 1) != 0))
        have = -1;
    if (!bytes)
        set_error(error, "out of memory for array '%s' of '%s'", name, npz->path);
    else if (have < 0)
        set_error(error, "'%s', array '%s' is damaged: %s", npz->path, name,
                  member ? zip_file_strerror(member) : zip_strerror(npz->zip));
    if (member)
        zip_fclose(member);
    if (have < 0) {
        free(bytes);
        return NULL;
    }
    *size = (size_t)have;
    return bytes;
}

int npz_read(struct npz *npz, const char *name, int is_integers, struct npy_array *array, struct npy_error *error)
{
    char file[NPZ_NAME_BYTES + 4], shown[256], *bytes;
    FILE *stream;
    size_t size;
    int result;

    memset(array, 0, sizeof(*array));
    snprintf(file, sizeof(file), "%s.npy", name);
    snprintf(shown, sizeof(shown), "%.180s:%s", npz->path, name);
    bytes = unpack(npz, name, file, &size, error);
    if (!bytes)
        return -1;
    /* Not every fmemopen takes no bytes at all. */
    stream = size > 0 ? fmemopen(bytes, size, "rb") : NULL;
    if (stream)
        result = npy_read_stream(stream, shown, is_integers ? NPY_INTEGERS : NPY_REALS, array, error);
    else
        result = set_error(error, "'%s' is empty; expected a .npy file", shown);
    if (stream)
        fclose(stream);
    free(bytes);
    return result;
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

/* Adds one array. Stored as it is, with a fixed date, so that equal arrays make equal files. */
static int add_array(zip_t *zip, const struct npy_output *array)
{
    char file[NPZ_NAME_BYTES + 4], *bytes = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&bytes, &size);
    zip_source_t *source;
    zip_int64_t index;
    int failed;

    if (!stream)
        return -1;
    npy_write_stream(stream, array);
    failed = ferror(stream);
    failed |= fclose(stream) != 0;
    source = failed ? NULL : zip_source_buffer(zip, bytes, size, 1); /* frees the bytes */
    if (!source) {
        free(bytes);
        return -1;
    }
    snprintf(file, sizeof(file), "%s.npy", array->path);
    index = zip_file_add(zip, file, source, 0);
    if (index < 0) {
        zip_source_free(source);
        return -1;
    }
    if (zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0) != 0)
        return -1;
    return zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 1 << 5 | 1, 0);
}

/* Copies the archive out of memory. What is wrong with the stream is for whoever closes it to say. */
static int copy_out(zip_source_t *archive, FILE *stream)
{
    char chunk[4096];
    zip_int64_t have = 0;

    if (zip_source_open(archive) != 0)
        return -1;
    while (!ferror(stream) && (have = zip_source_read(archive, chunk, sizeof(chunk))) > 0)
        fwrite(chunk, 1, (size_t)have, stream);
    zip_source_close(archive);
    return have < 0 ? -1 : 0;
}

int npz_write(FILE *stream, const char *name, const struct npy_output *arrays, size_t count, struct npy_error *error)
{
    zip_source_t *archive = zip_source_buffer_create(NULL, 0, 0, NULL);
    zip_t *zip = NULL;
    int failed;

    if (archive) {
        zip_source_keep(archive); /* closing the archive gives back one hold on it */
        zip = zip_open_from_source(archive, ZIP_TRUNCATE, NULL);
        if (!zip)
            zip_source_free(archive);
    }
    failed = !zip;
    for (size_t i = 0; i < count && !failed; i++)
        failed = add_array(zip, &arrays[i]) != 0;
    if (zip && (failed || zip_close(zip) != 0)) {
        failed = 1;
        zip_discard(zip);
    }
    if (!failed)
        failed = copy_out(archive, stream) != 0;
    zip_source_free(archive);
    return failed ? set_error(error, "cannot make the archive '%s': out of memory", name) : 0;
}

#else

int npz_check(struct npy_error *error)
{
    return set_error(error, "this clnorm was built without libzip (package libzip-dev), which .npz files need");
}

int npz_write(FILE *stream, const char *name, const struct npy_output *arrays, size_t count, struct npy_error *error)
{
    (void)stream, (void)name, (void)arrays, (void)count;
    return npz_check(error);
}

int npz_open(const char *path, struct npz **npz, struct npy_error *error)
{
    (void)path;
    *npz = NULL;
    return npz_check(error);
}

void npz_close(struct npz *npz)
{
    (void)npz;
}

size_t npz_count(const struct npz *npz)
{
    (void)npz;
    return 0;
}

int npz_read(struct npz *npz, const char *name, int is_integers, struct npy_array *array, struct npy_error *error)
{
    (void)npz, (void)name, (void)is_integers;
    memset(array, 0, sizeof(*array));
    return npz_check(error);
}
#endif
