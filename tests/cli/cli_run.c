/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "fixture/suite.h"
#include "cli_run.h"

#include "cli/files/npy.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_ARGUMENTS = 48 };

char cli_folder[64];
static char cache_folder[80];
char cli_out[CLI_TEXT_BYTES], cli_err[CLI_TEXT_BYTES];
const char *cli_out_path = ".stdout";

static void read_text(const char *path, char *text)
{
    FILE *file = fopen(path, "rb");

    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, CLI_TEXT_BYTES - 1, file)] = '\0';
    fclose(file);
}

static int run_once(const char *arguments)
{
    static char copy[4096], empty[] = "";
    const char *tool = getenv("CLNORM_TOOL");
    char *list[MAX_ARGUMENTS] = {NULL}, *at;
    posix_spawn_file_actions_t actions;
    int count = 1, status;
    pid_t child;

    ck_assert_uint_lt(strlen(arguments), sizeof(copy));
    strcpy(copy, arguments);
    list[0] = strdup(tool);
    for (at = strtok(copy, " "); at && count < MAX_ARGUMENTS - 1; at = strtok(NULL, " "))
        list[count++] = strcmp(at, "''") == 0 ? empty : at;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, cli_out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, ".stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(posix_spawn(&child, tool, &actions, NULL, list, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    free(list[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "'%s' ended by signal %d", arguments, WTERMSIG(status));
    cli_out[0] = '\0';
    if (cli_out_path[0] == '.')
        read_text(cli_out_path, cli_out);
    read_text(".stderr", cli_err);
    return WEXITSTATUS(status);
}

/*
 * Runs the tool with arguments that are separated by single spaces; returns its exit status.
 * Under LeakSanitizer, now and then its look for leaks dies of a driver's thread that is just ending: then nothing was checked,
 * and the run is repeated. Leaks that it finds are said in other words and fail the test.
 */
int cli_run(const char *arguments)
{
    int status = run_once(arguments);

    for (int again = 0; again < 2 && strstr(cli_err, "LeakSanitizer has encountered a fatal error"); again++)
        status = run_once(arguments);
    return status;
}

/* Files in the folder, but for the captured texts; removes them when asked to. */
int cli_count_files(int remove_them)
{
    DIR *directory = opendir(".");
    const struct dirent *entry;
    int count = 0;

    /* No assertion: the folder is emptied after the tests, too. */
    if (!directory)
        return -1;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (remove_them && unlink(entry->d_name) != 0)
            rmdir(entry->d_name);
    }
    closedir(directory);
    return count;
}

/* The run ends well and says nothing. */
void cli_assert_done(const char *arguments)
{
    int status = cli_run(arguments);

    ck_assert_msg(status == 0, "'%s': status %d: %s", arguments, status, cli_err);
    ck_assert_msg(cli_err[0] == '\0', "'%s' says: %s", arguments, cli_err);
}

/* The run ends with status, says expected in a message of the tool's form, prints nothing and leaves no file behind. */
void cli_assert_fails(const char *arguments, int status, const char *expected)
{
    int files = cli_count_files(0), got = cli_run(arguments);

    ck_assert_msg(got == status, "'%s': status %d, expected %d: %s", arguments, got, status, cli_err);
    ck_assert_msg(strstr(cli_err, expected) != NULL, "'%s': '%s' does not say '%s'", arguments, cli_err, expected);
    ck_assert_msg(strncmp(cli_err, "clnorm: ", 8) == 0, "'%s': %s", arguments, cli_err);
    ck_assert_msg(strchr(cli_err, '\033') == NULL, "'%s' shows progress to a file", arguments);
    ck_assert_msg(cli_out[0] == '\0', "'%s' prints: %s", arguments, cli_out);
    ck_assert_msg(cli_count_files(0) == files, "'%s' leaves a file behind", arguments);
}

void cli_write_array(const char *path, unsigned rank, const uint64_t *shape, const float *values)
{
    struct npy_output output = {.path = path, .rank = rank, .values = values};
    struct npy_error error;

    memcpy(output.shape, shape, rank * sizeof(shape[0]));
    ck_assert_msg(npy_write_all(&output, 1, &error) == 0, "%s", error.text);
}

void cli_fast_rows(void)
{
    setenv("CLNORM_VARIANT", FAST_ROWS, 1);
}

/* CLNORM_TOOL may be relative to where the test starts; the tests work in a folder of their own. */
static int enter_folder(void)
{
    const char *tool = getenv("CLNORM_TOOL");
    char *absolute = tool ? realpath(tool, NULL) : NULL;

    if (!absolute) {
        fprintf(stderr, "CLNORM_TOOL is %s; expected the path of the clnorm tool\n", tool ? tool : "not set");
        return -1;
    }
    setenv("CLNORM_TOOL", absolute, 1);
    free(absolute);
    strcpy(cli_folder, "/tmp/clnorm-cli-XXXXXX");
    if (!mkdtemp(cli_folder) || chdir(cli_folder) != 0)
        return -1;
    /* What others compiled makes no binary due here, which is dear on PoCL. */
    snprintf(cache_folder, sizeof(cache_folder), "%s/.clnorm", cli_folder);
    return setenv("CLNORM_CACHE_DIR", cache_folder, 1);
}

static void leave_folder(void)
{
    cli_count_files(1);
    unlink(".stdout");
    unlink(".stderr");
    remove_tree(cache_folder);
    if (chdir("/") == 0)
        rmdir(cli_folder);
}

int cli_main(Suite *(*make_suite)(void))
{
    if (enter_folder() != 0)
        return EXIT_FAILURE;
    int status = suite_run(make_suite());
    leave_folder();
    return status;
}
