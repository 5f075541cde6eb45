/* SPDX-License-Identifier: Apache-2.0 */
/* Long options from a table: "--name value", "--name=value" or a bare "--name" for flags. */
#ifndef CLNORM_CLI_OPTIONS_H
#define CLNORM_CLI_OPTIONS_H

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,   /* target is int *: becomes 1 */
    OPTION_TEXT,   /* target is const char ** */
    OPTION_NUMBER, /* target is float *: a finite number from least to most */
    OPTION_WHOLE,  /* target is uint64_t *: a whole number from least to most */
    OPTION_CHOICE, /* target is int *: the value's place in choices, which are separated by '|' */
    OPTION_PARSED  /* target is what parse says */
};

struct option_row {
    const char *name; /* without the dashes; a row with name NULL ends a table */
    enum option_kind kind;
    void *target;
    const char *argument; /* as help shows the value; for a choice the choices themselves */
    const char *help;
    double least, most;
    int (*parse)(const char *value, void *target); /* 0, or -1: the value is not what expected says */
    const char *expected;                          /* what a value has to be, for messages; NULL: from the kind */
    int is_given;                                  /* set by options_parse */
};

/* Returns 0, or -1 after a message that names the option and says what was expected. */
int options_parse(struct option_row *rows, int count, char *const *arguments);

/* A finite number in decimal digits, the whole of value. Returns 0, or -1. */
int options_number(const char *value, float *number);

/* Whether the option was on the command line. */
int options_given(const struct option_row *rows, const char *name);

/*
 * Of files that options name, the first `inputs` are read and the others written: whether those differ from each other and from what
 * is read. A path may be NULL. Returns 0, or -1 after a message.
 */
int options_files_differ(const char *const *names, const char *const *paths, size_t inputs, size_t count);

/* Prints one line or more for each option, on standard output. */
void options_help(const struct option_row *rows);

#endif
