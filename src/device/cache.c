/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_TMPFILE */
#include "device/cache.h"
#include "device/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "CLNORM01"

/* FNV-1a (Fowler, Noll, Vo), 64 bits: names files and finds damage. The key itself is stored and compared. */
static uint64_t fnv(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}
#define FNV_START 0xcbf29ce484222325u

struct header {
    char magic[8];
    uint64_t key_size, binary_size, check;
};

static char *join(const char *a, const char *b)
{
    size_t size = strlen(a) + strlen(b) + 1;
    char *text = malloc(size);
    if (text)
        snprintf(text, size, "%s%s", a, b);
    return text;
}

static char *copy(const char *text)
{
    return join(text, "");
}

char *clnorm__cache_folder(const char *option)
{
    const char *folder = option ? option : getenv("CLNORM_CACHE_DIR");
    if (folder)
        return *folder ? copy(folder) : NULL;
    const char *base = getenv("XDG_CACHE_HOME");
    if (base && *base == '/') /* the XDG specification: relative paths are to be ignored */
        return join(base, "/clnorm");
    base = getenv("HOME");
    return base && *base ? join(base, "/.cache/clnorm") : NULL;
}

char *clnorm__cache_path(const char *folder, const char *key)
{
    char name[32];
    snprintf(name, sizeof name, "/%016llx.bin", (unsigned long long)fnv(FNV_START, key, strlen(key)));
    return join(folder, name);
}

static unsigned char *read_entry(FILE *file, const char *key, size_t *size)
{
    struct header header;
    size_t key_size = strlen(key);
    struct stat status;
    if (fread(&header, sizeof header, 1, file) != 1 || memcmp(header.magic, MAGIC, sizeof header.magic) != 0 ||
        header.key_size != key_size || fstat(fileno(file), &status) != 0 ||
        (uint64_t)status.st_size != sizeof header + key_size + header.binary_size)
        return NULL;
    char *stored = malloc(key_size + 1);
    unsigned char *binary = malloc(header.binary_size ? (size_t)header.binary_size : 1);
    int good = stored && binary && fread(stored, 1, key_size, file) == key_size && memcmp(stored, key, key_size) == 0 &&
               fread(binary, 1, (size_t)header.binary_size, file) == header.binary_size &&
               fnv(FNV_START, binary, (size_t)header.binary_size) == header.check;
    free(stored);
    if (!good) {
        free(binary);
        return NULL;
    }
    *size = (size_t)header.binary_size;
    return binary;
}

unsigned char *clnorm__cache_load(const char *folder, const char *key, size_t *size)
{
    char *path = clnorm__cache_path(folder, key);
    FILE *file = path ? clnorm__open_regular(path) : NULL;
    free(path);
    if (!file)
        return NULL;
    unsigned char *binary = read_entry(file, key, size);
    fclose(file);
    return binary;
}

/* Makes the folder and those above it. */
static int make_folder(const char *folder)
{
    char *path = copy(folder);
    if (!path)
        return -1;
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    int made = mkdir(path, 0700) == 0 || errno == EEXIST;
    free(path);
    return made ? 0 : -1;
}

static int write_entry(FILE *file, const char *key, const unsigned char *binary, size_t size)
{
    struct header header = {MAGIC, strlen(key), size, fnv(FNV_START, binary, size)};
    return fwrite(&header, sizeof header, 1, file) == 1 &&
                   fwrite(key, 1, (size_t)header.key_size, file) == header.key_size &&
                   fwrite(binary, 1, size, file) == size && fflush(file) == 0
               ? 0
               : -1;
}

static FILE *open_descriptor(int descriptor)
{
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "wb") : NULL;
    if (!file && descriptor >= 0)
        close(descriptor);
    return file;
}

/*
 * A file without a name until it is whole: whoever ends the program leaves nothing behind, which a library cannot tidy up after.
 * A name that is taken is given up first; without an entry for that moment, others make their own.
 */
static int store_unnamed(const char *folder, const char *path, const char *key, const unsigned char *binary,
                         size_t size)
{
    char own[64];
    FILE *file = open_descriptor(open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
    if (!file)
        return -1;
    int written = write_entry(file, key, binary, size), linked = -1;
    snprintf(own, sizeof own, "/proc/self/fd/%d", fileno(file));
    for (int tries = 0; tries < 8 && written == 0 && linked != 0; tries++) {
        linked = linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
        if (linked != 0 && (errno != EEXIST || (unlink(path) != 0 && errno != ENOENT)))
            break;
    }
    fclose(file);
    return linked;
}

/* Where the file system has no such files. */
static int store_named(const char *folder, const char *path, const char *key, const unsigned char *binary, size_t size)
{
    char *temporary = join(folder, "/new-XXXXXX");
    int descriptor = temporary ? mkstemp(temporary) : -1, result = -1;
    FILE *file = open_descriptor(descriptor);
    if (file) {
        result = write_entry(file, key, binary, size);
        result = fclose(file) == 0 && result == 0 ? rename(temporary, path) : -1;
    }
    if (descriptor >= 0 && result != 0)
        remove(temporary);
    free(temporary);
    return result;
}

int clnorm__cache_store(const char *folder, const char *key, const unsigned char *binary, size_t size)
{
    char *path = clnorm__cache_path(folder, key);
    int result = -1;
    if (path && make_folder(folder) == 0 && (result = store_unnamed(folder, path, key, binary, size)) != 0)
        result = store_named(folder, path, key, binary, size);
    free(path);
    return result;
}

int clnorm__cache_remove(const char *folder, const char *key)
{
    char *path = clnorm__cache_path(folder, key);
    int gone = path && (remove(path) == 0 || errno == ENOENT || errno == ENOTDIR);
    free(path);
    return gone ? 0 : -1;
}
