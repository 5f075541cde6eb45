/* SPDX-License-Identifier: Apache-2.0 */
/* A file that takes its name only when it is whole: until then it has a temporary one next to its place. */
#ifndef CLNORM_CLI_WHOLE_FILE_H
#define CLNORM_CLI_WHOLE_FILE_H

#include <stdio.h>

struct whole_file {
    FILE *stream;
    char *target, *temporary; /* NULL: standard output */
};

/* ---- the parts, which print nothing and return 0 or an errno ---- */

/* Makes the temporary file and opens it; path is not NULL. */
int whole_file_make(const char *path, struct whole_file *file);

/* Gives the file its name; its stream is closed. */
int whole_file_name(struct whole_file *file);

/* Removes the temporary file, unless it has its name, and frees what the file holds; its stream is closed. */
void whole_file_drop(struct whole_file *file);

/* ---- the whole way, for the tool's commands ---- */

/* path NULL: standard output. All return 0, or STATUS_FAILED after a message. */

/* Whether the file that an option names can be written: before time is spent on what is to go there. */
int whole_file_check(const char *option, const char *path);

/*
 * Who ends the program meanwhile leaves the temporary file behind: open it when what goes there is known, where that takes
 * long.
 */
int whole_file_open(const char *path, struct whole_file *file);

/* Gives the file its name, or removes what there is of it unless is_good. */
int whole_file_finish(struct whole_file *file, int is_good);

#endif
