/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* posix_spawnp, environ, fileno */
#include "cli/gnuplot.h"

#include "cli/message.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs gnuplot; in or out -1: nothing. Returns its exit status, or -1 where there is none. */
static int run_gnuplot(const char *argument, int in, int out)
{
    char *arguments[] = {(char[]){"gnuplot"}, (char *)argument, NULL};
    posix_spawn_file_actions_t actions;
    int status = 0, error;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int gnuplot_find(const char *option)
{
    if (run_gnuplot("--version", -1, -1) == 0)
        return STATUS_DONE;
    complain("--%s needs the program gnuplot, which cannot be run; expected it in PATH (the package gnuplot-nox)",
             option);
    return STATUS_FAILED;
}

FILE *gnuplot_script(void)
{
    FILE *script = tmpfile();

    if (!script)
        complain("cannot make a temporary file: %s", strerror(errno));
    return script;
}

void gnuplot_text(FILE *script, const char *text)
{
    for (; *text; text++)
        fputc(strchr("\"\\`_^{}@&~\n", *text) ? ' ' : *text, script);
}

int gnuplot_run(FILE *script, struct whole_file *picture)
{
    struct stat facts;
    int result;

    rewind(script);
    result = run_gnuplot("-", fileno(script), fileno(picture->stream));
    if (result == 0 && fstat(fileno(picture->stream), &facts) == 0 && facts.st_size > 0)
        return STATUS_DONE;
    complain("gnuplot failed (exit status %d) or drew nothing; '%s' is not written", result, picture->target);
    return STATUS_FAILED;
}
