/* SPDX-License-Identifier: Apache-2.0 */
#include "device/regular.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *clnorm__open_regular(const char *path)
{
    struct stat status;
    /* Not waiting for a pipe's other end; on a regular file the flag does nothing. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    FILE *file = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) ? fdopen(descriptor, "rb") : NULL;
    if (!file)
        close(descriptor);
    return file;
}
