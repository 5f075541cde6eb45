/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkstemp, realpath, fdopen, fchmod */
#include "bench.h"
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

int bench_open_output(const char *path, struct bench_output *output)
{
    char *real = path ? realpath(path, NULL) : NULL;
    struct stat facts;
    int descriptor;

    memset(output, 0, sizeof(*output));
    output->file = stdout;
    if (!path)
        return STATUS_DONE;
    /* A link stays one. A device or a pipe has no place to put a file next to. */
    if (real && stat(real, &facts) == 0 && !S_ISREG(facts.st_mode)) {
        free(real);
        complain("cannot write '%s': expected a file's name", path);
        return STATUS_FAILED;
    }
    output->target = real ? real : strdup(path);
    output->temporary = output->target ? malloc(strlen(output->target) + sizeof(".XXXXXX")) : NULL;
    if (!output->temporary)
        return no_output(path, ENOMEM);
    sprintf(output->temporary, "%s.XXXXXX", output->target);
    descriptor = mkstemp(output->temporary);
    output->file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (output->file) {
        widen_rights(descriptor);
        return STATUS_DONE;
    }
    no_output(path, errno);
    if (descriptor >= 0) {
        close(descriptor);
        unlink(output->temporary);
    }
    free(output->temporary);
    free(output->target);
    memset(output, 0, sizeof(*output));
    return STATUS_FAILED;
}

int bench_finish_output(struct bench_output *output, int is_good)
{
    int status = STATUS_DONE, has_error;

    if (!output->temporary)
        return finish_output();
    errno = 0;
    has_error = ferror(output->file);
    if ((fclose(output->file) != 0 || has_error) && is_good)
        status = no_output(output->target, errno ? errno : EIO);
    if (!is_good || status != STATUS_DONE)
        unlink(output->temporary);
    else if (rename(output->temporary, output->target) != 0) {
        status = no_output(output->target, errno);
        unlink(output->temporary);
    }
    free(output->temporary);
    free(output->target);
    memset(output, 0, sizeof(*output));
    return status;
}
