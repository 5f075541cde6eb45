/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLNORM_REGULAR_H
#define CLNORM_REGULAR_H

#include <stdio.h>

/*
 * Opens a file that the library looks for by itself, to read it. Whatever is not a regular file (a pipe, which would be waited for; a
 * device, which may have no end) is as good as none: NULL. A link to a regular file is one.
 */
FILE *clnorm__open_regular(const char *path);

#endif
