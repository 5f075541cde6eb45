/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkstemp, realpath, fdopen, fchmod */
#include "whole_file.h"

#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    fchmod(descriptor, 0666 & ~mask);
}

int whole_file_open(const char *path, struct whole_file *file)
{
    char *real = path ? realpath(path, NULL) : NULL;
    struct stat facts;
    int descriptor;

    memset(file, 0, sizeof(*file));
    file->stream = stdout;
    if (!path)
        return STATUS_DONE;
    /* A link stays one. A device or a pipe has no place to put a file next to. */
    if (real && stat(real, &facts) == 0 && !S_ISREG(facts.st_mode)) {
        free(real);
        complain("cannot write '%s': expected a file's name", path);
        return STATUS_FAILED;
    }
    file->target = real ? real : strdup(path);
    file->temporary = file->target ? malloc(strlen(file->target) + sizeof(".XXXXXX")) : NULL;
    if (!file->temporary)
        return no_output(path, ENOMEM);
    sprintf(file->temporary, "%s.XXXXXX", file->target);
    descriptor = mkstemp(file->temporary);
    file->stream = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (file->stream) {
        widen_rights(descriptor);
        return STATUS_DONE;
    }
    no_output(path, errno);
    if (descriptor >= 0) {
        close(descriptor);
        unlink(file->temporary);
    }
    free(file->temporary);
    free(file->target);
    memset(file, 0, sizeof(*file));
    return STATUS_FAILED;
}

int whole_file_finish(struct whole_file *file, int is_good)
{
    int status = STATUS_DONE, has_error;

    if (!file->temporary)
        return finish_output();
    errno = 0;
    has_error = ferror(file->stream);
    if ((fclose(file->stream) != 0 || has_error) && is_good)
        status = no_output(file->target, errno ? errno : EIO);
    if (!is_good || status != STATUS_DONE)
        unlink(file->temporary);
    else if (rename(file->temporary, file->target) != 0) {
        status = no_output(file->target, errno);
        unlink(file->temporary);
    }
    free(file->temporary);
    free(file->target);
    memset(file, 0, sizeof(*file));
    return status;
}
