/* SPDX-License-Identifier: Apache-2.0 */
/* A file that takes its name only when it is whole: until then it has a temporary one next to its place. */
#ifndef CLNORM_CLI_WHOLE_FILE_H
#define CLNORM_CLI_WHOLE_FILE_H

#include <stdio.h>

enum { WHOLE_FILES = 8 }; /* that take their names together */

struct whole_file {
    FILE *stream;
    char *target, *temporary; /* NULL: standard output */
    char *aside;              /* where what had the name before waits until all have theirs; NULL: there was nothing */
};

/* ---- the parts, which print nothing and return 0 or an errno ---- */

/* Makes the temporary file and opens it; path is not NULL. A signal that ends the program removes it. */
int whole_file_make(const char *path, struct whole_file *file);

/*
 * Gives all the files their names, or none: what was there before is there again then. Their streams are closed. failed
 * becomes the place of the one whose name could not be given.
 */
int whole_files_name(struct whole_file *const *files, size_t count, size_t *failed);

/* Removes the temporary file, unless it has its name, and frees what the file holds; its stream is closed. */
void whole_file_drop(struct whole_file *file);

/* Whether path can be written, as far as can be seen before there is anything to write; -1 and a sentence where not. */
int whole_file_possible(const char *path, char *why, size_t size);

/* ---- the whole way, for the tool's commands ---- */

/* path NULL: standard output. All return 0, or STATUS_FAILED after a message. */

/* Whether the file that an option names can be written: before time is spent on what is to go there. */
int whole_file_check(const char *option, const char *path);

int whole_file_open(const char *path, struct whole_file *file);

/* Gives all the files, WHOLE_FILES at most, their names or none, or removes what there is of them unless is_good. */
int whole_files_finish(struct whole_file *const *files, size_t count, int is_good);
int whole_file_finish(struct whole_file *file, int is_good);

#endif
