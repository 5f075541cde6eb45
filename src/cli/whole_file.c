/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkstemp, realpath, fdopen, fchmod */
#include "whole_file.h"

#include "message.h"
#include "npy.h"

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
    (void)!fchmod(descriptor, 0666 & ~mask);
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
    descriptor = mkstemp(file->temporary);
    file->stream = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (file->stream) {
        widen_rights(descriptor);
        return 0;
    }
    reason = errno;
    if (descriptor >= 0) {
        close(descriptor);
        unlink(file->temporary);
    }
    free(file->temporary); /* it is not there to be removed */
    file->temporary = NULL;
    whole_file_drop(file);
    return reason;
}

int whole_file_name(struct whole_file *file)
{
    if (rename(file->temporary, file->target) != 0)
        return errno;
    free(file->temporary);
    file->temporary = NULL;
    return 0;
}

void whole_file_drop(struct whole_file *file)
{
    if (file->temporary)
        unlink(file->temporary);
    free(file->temporary);
    free(file->target);
    memset(file, 0, sizeof(*file));
}

int whole_file_check(const char *option, const char *path)
{
    struct npy_error error;

    if (!path || npy_check_output(path, &error) == 0)
        return STATUS_DONE;
    complain("option --%s: %s", option, error.text);
    return STATUS_FAILED;
}

int whole_file_open(const char *path, struct whole_file *file)
{
    struct npy_error error;
    int reason;

    memset(file, 0, sizeof(*file));
    file->stream = stdout;
    if (!path)
        return STATUS_DONE;
    /* A device or a pipe, /dev/stdout among them, would be replaced by the file. */
    if (npy_check_output(path, &error) != 0) {
        complain("%s", error.text);
        return STATUS_FAILED;
    }
    reason = whole_file_make(path, file);
    return reason ? no_output(path, reason) : STATUS_DONE;
}

int whole_file_finish(struct whole_file *file, int is_good)
{
    int status = STATUS_DONE, has_error;

    if (!file->temporary)
        return finish_output();
    errno = 0;
    has_error = ferror(file->stream);
    /* What was wrong then is forgotten: one byte more, of a file that is thrown away, meets it again. */
    if (has_error)
        fputc('\0', file->stream);
    if ((fclose(file->stream) != 0 || has_error) && is_good)
        status = no_output(file->target, errno ? errno : EIO);
    if (is_good && status == STATUS_DONE) {
        int reason = whole_file_name(file);

        if (reason)
            status = no_output(file->target, reason);
    }
    whole_file_drop(file);
    return status;
}
