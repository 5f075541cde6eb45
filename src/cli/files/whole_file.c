/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkstemp, realpath, fdopen, fchmod, lstat, link */
#include "cli/files/whole_file.h"

#include "cli/interrupt.h"
#include "cli/message.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY_BYTES = 1024 };

static int no_output(const char *path, int reason)
{
    complain("cannot write '%s': %s", path, strerror(reason));
    return STATUS_FAILED;
}

/* mkstemp makes a file for the owner alone; what is left has the rights that any new file has. */
static void widen_rights(int descriptor)
{
    mode_t mask = umask(0);

    umask(mask);
    (void)!fchmod(descriptor, 0666 & ~mask);
}

/* Makes the file; a signal that comes meanwhile finds it either not there or known. Returns 0 or an errno. */
static int make_temporary(char *path, int *descriptor)
{
    int reason = 0;

    interrupt_hold();
    *descriptor = mkstemp(path);
    if (*descriptor < 0) {
        reason = errno;
    } else if (interrupt_add(path) != 0) {
        reason = ENFILE;
        unlink(path);
        close(*descriptor);
    }
    interrupt_release();
    return reason;
}

int whole_file_make(const char *path, struct whole_file *file)
{
    char *real = realpath(path, NULL); /* a link stays one */
    int descriptor, reason;

    memset(file, 0, sizeof(*file));
    file->target = real ? real : strdup(path);
    file->temporary = file->target ? malloc(strlen(file->target) + sizeof(".XXXXXX")) : NULL;
    if (!file->temporary) {
        whole_file_drop(file);
        return ENOMEM;
    }
    sprintf(file->temporary, "%s.XXXXXX", file->target);
    reason = make_temporary(file->temporary, &descriptor);
    if (reason) {
        free(file->temporary); /* it is not there to be removed */
        file->temporary = NULL;
        whole_file_drop(file);
        return reason;
    }
    file->stream = fdopen(descriptor, "wb");
    if (file->stream) {
        widen_rights(descriptor);
        return 0;
    }
    reason = errno;
    close(descriptor);
    whole_file_drop(file);
    return reason;
}

/* ---- names ---------------------------------------------------------------------------------------------------- */

/*
 * Keeps what has the name now under another one as well: a link, so that the name is never without a file, or where links cannot
 * be made, by moving it away. Returns 0 or an errno; nothing is changed then.
 */
static int set_aside(struct whole_file *file)
{
    char *aside = strdup(file->temporary);
    struct stat facts;
    int reason = 0;

    if (!aside)
        return ENOMEM;
    aside[strlen(file->target)] = '~'; /* for the dot: no other program's, as the temporary name is none */
    if (lstat(file->target, &facts) != 0)
        reason = errno;
    else if (S_ISDIR(facts.st_mode))
        reason = EISDIR;
    else if (link(file->target, aside) != 0 && (errno == EEXIST || rename(file->target, aside) != 0))
        reason = errno;
    if (reason == 0)
        file->aside = aside;
    else
        free(aside);
    return reason == ENOENT ? 0 : reason;
}

/* What was there before the file had its name, or nothing. Where that cannot be done, what was set aside stays there. */
static void bring_back(struct whole_file *file, int is_named)
{
    /* Of two names of one file a rename moves none to the other. */
    if (file->aside && rename(file->aside, file->target) == 0)
        unlink(file->aside);
    else if (!file->aside && is_named)
        unlink(file->target);
}

int whole_files_name(struct whole_file *const *files, size_t count, size_t *failed)
{
    int reason = 0;
    size_t named = 0;

    interrupt_hold();
    while (named < count && reason == 0) {
        struct whole_file *file = files[named];

        /* Behind the last one nothing can fail. */
        if (named + 1 < count)
            reason = set_aside(file);
        if (reason == 0 && rename(file->temporary, file->target) != 0)
            reason = errno;
        named += reason == 0;
    }
    *failed = named;
    for (size_t i = named + (reason != 0); i-- > 0;) {
        if (reason)
            bring_back(files[i], i < named);
        else if (files[i]->aside)
            unlink(files[i]->aside);
    }
    for (size_t i = 0; i < count && reason == 0; i++) {
        interrupt_keep(files[i]->temporary);
        free(files[i]->temporary);
        files[i]->temporary = NULL;
    }
    interrupt_release();
    return reason;
}

void whole_file_drop(struct whole_file *file)
{
    if (file->temporary) {
        interrupt_hold();
        unlink(file->temporary);
        interrupt_keep(file->temporary);
        interrupt_release();
    }
    free(file->temporary);
    free(file->target);
    free(file->aside);
    memset(file, 0, sizeof(*file));
}

__attribute__((format(printf, 3, 4))) static int refuse(char *why, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, size, format, args);
    va_end(args);
    return -1;
}

int whole_file_possible(const char *path, char *why, size_t size)
{
    struct stat status;
    char *copy, *folder;
    int result = 0;

    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
        return refuse(why, size, "cannot write '%s': it is %s; expected the name of a file", path,
                      S_ISDIR(status.st_mode) ? "a folder" : "not a regular file");
    copy = strdup(path);
    if (!copy)
        return refuse(why, size, "out of memory");
    folder = dirname(copy);
    if (path[0] == '\0' || path[strlen(path) - 1] == '/')
        result = refuse(why, size, "cannot write '%s': it does not name a file", path);
    else if (stat(folder, &status) != 0)
        result = refuse(why, size, "cannot write '%s': folder '%s': %s; expected a folder that exists", path, folder,
                        strerror(errno));
    else if (!S_ISDIR(status.st_mode))
        result = refuse(why, size, "cannot write '%s': '%s' is not a folder", path, folder);
    else if (access(folder, W_OK | X_OK) != 0)
        result = refuse(why, size, "cannot write '%s': folder '%s': %s; expected one that can be written", path, folder,
                        strerror(errno));
    free(copy);
    return result;
}

/* ---- the whole way -------------------------------------------------------------------------------------------- */

int whole_file_check(const char *option, const char *path)
{
    char why[WHY_BYTES];

    if (!path || whole_file_possible(path, why, sizeof(why)) == 0)
        return STATUS_DONE;
    complain("option --%s: %s", option, why);
    return STATUS_FAILED;
}

int whole_file_open(const char *path, struct whole_file *file)
{
    char why[WHY_BYTES];
    int reason;

    memset(file, 0, sizeof(*file));
    file->stream = stdout;
    if (!path)
        return STATUS_DONE;
    /* A device or a pipe, /dev/stdout among them, would be replaced by the file. */
    if (whole_file_possible(path, why, sizeof(why)) != 0) {
        complain("%s", why);
        return STATUS_FAILED;
    }
    reason = whole_file_make(path, file);
    return reason ? no_output(path, reason) : STATUS_DONE;
}

/* Closes the file; says what was wrong with it unless it is given up anyhow. */
static int close_stream(struct whole_file *file, int is_good)
{
    int has_error;

    if (!file->temporary)
        return finish_output();
    errno = 0;
    has_error = ferror(file->stream);
    /* What was wrong then is forgotten: one byte more, of a file that is thrown away, meets it again. */
    if (has_error)
        fputc('\0', file->stream);
    if ((fclose(file->stream) != 0 || has_error) && is_good)
        return no_output(file->target, errno ? errno : EIO);
    return STATUS_DONE;
}

int whole_files_finish(struct whole_file *const *files, size_t count, int is_good)
{
    struct whole_file *named[WHOLE_FILES] = {NULL};
    size_t names = 0, failed;
    int status = STATUS_DONE, reason;

    for (size_t i = 0; i < count; i++) {
        if (close_stream(files[i], is_good && status == STATUS_DONE) != STATUS_DONE)
            status = STATUS_FAILED;
        if (files[i]->temporary)
            named[names++] = files[i];
    }
    reason = is_good && status == STATUS_DONE ? whole_files_name(named, names, &failed) : 0;
    if (reason)
        status = no_output(named[failed]->target, reason);
    for (size_t i = 0; i < count; i++)
        whole_file_drop(files[i]);
    return status;
}

int whole_file_finish(struct whole_file *file, int is_good)
{
    return whole_files_finish(&file, 1, is_good);
}
