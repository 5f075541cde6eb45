/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into the tool by test_cli_outputs: between it and the C library, at the calls that make, name and remove files, a
 * signal comes or a name is refused. By the environment:
 *   SHIM_NAME     calls count whose path has this text in it; each has two moments, before it and behind it
 *   SHIM_AT       the number of the moment, from 1 on, at which the process gets
 *   SHIM_SIGNAL   this signal
 *   SHIM_REFUSE   a temporary file cannot get this name
 *   SHIM_NO_LINK  set: the file system has no links
 */
#define _GNU_SOURCE      /* RTLD_NEXT */
#undef _FILE_OFFSET_BITS /* with which mkstemp is a name for mkstemp64 */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int mkstemp64(char *path);

static int number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text ? atoi(text) : 0;
}

static void moment(const char *path)
{
    static int count;
    const char *name = getenv("SHIM_NAME");

    if (name && strstr(path, name) && __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST) == number_of("SHIM_AT"))
        kill(getpid(), number_of("SHIM_SIGNAL"));
}

/* Before the call and behind it; errno is the call's. */
#define AROUND(path, call)                                                                                             \
    do {                                                                                                               \
        int result, error;                                                                                             \
        moment(path);                                                                                                  \
        result = (call);                                                                                               \
        error = errno;                                                                                                 \
        moment(path);                                                                                                  \
        errno = error;                                                                                                 \
        return result;                                                                                                 \
    } while (0)

static int (*find(const char *name))(char *)
{
    return (int (*)(char *))dlsym(RTLD_NEXT, name);
}

int mkstemp(char *path)
{
    AROUND(path, find("mkstemp")(path));
}

int mkstemp64(char *path)
{
    AROUND(path, find("mkstemp64")(path));
}

int unlink(const char *path)
{
    int (*next)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");

    AROUND(path, next(path));
}

static int is_refused(const char *from, const char *to)
{
    const char *refused = getenv("SHIM_REFUSE");
    size_t length = strlen(to), size = refused ? strlen(refused) : 0;

    return refused && length >= size && strcmp(to + length - size, refused) == 0 && strlen(from) == length + 7 &&
           memcmp(from, to, length) == 0 && from[length] == '.';
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

int rename(const char *from, const char *to)
{
    int (*next)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");

    AROUND(to, is_refused(from, to) ? refuse(EROFS) : next(from, to));
}

int link(const char *from, const char *to)
{
    int (*next)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "link");

    AROUND(to, getenv("SHIM_NO_LINK") ? refuse(EPERM) : next(from, to));
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    int (*next)(int, const char *, int, const char *, int) =
        (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");

    AROUND(to, next(from_folder, from, to_folder, to, flags));
}
