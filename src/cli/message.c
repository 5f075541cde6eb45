/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* fileno */
#include "cli/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

void complain(const char *format, ...)
{
    va_list args;

    clear_progress();
    va_start(args, format);
    fputs("clnorm: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void show_progress(const char *format, ...)
{
    va_list args;

    if (!isatty(STDERR_FILENO))
        return;
    clear_progress();
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
}

int finish_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_DONE;
    complain("cannot write to standard output: %s", strerror(errno));
    return STATUS_FAILED;
}
