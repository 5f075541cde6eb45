/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include "cli/message.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct option_row *find_row(struct option_row *rows, const char *name, size_t length)
{
    for (; rows->name; rows++)
        if (strlen(rows->name) == length && memcmp(rows->name, name, length) == 0)
            return rows;
    return NULL;
}

int options_given(const struct option_row *rows, const char *name)
{
    for (; rows->name; rows++)
        if (strcmp(rows->name, name) == 0)
            return rows->is_given;
    return 0;
}

static const char *expected_value(const struct option_row *row)
{
    if (row->expected)
        return row->expected;
    switch (row->kind) {
    case OPTION_CHOICE:
        return row->argument;
    case OPTION_NUMBER:
        return "a number";
    case OPTION_WHOLE:
        return "a whole number";
    default:
        return "a file name";
    }
}

static int refuse(const struct option_row *row, const char *value)
{
    complain("option --%s: expected %s, got '%s'", row->name, expected_value(row), value);
    return -1;
}

int options_number(const char *value, float *number)
{
    char *end;

    /* strtof would also take leading blanks, "nan", "infinity" and hexadecimal: more than anyone means. */
    if (value[0] == '\0' || strspn(value, "0123456789.eE+-") != strlen(value))
        return -1;
    *number = strtof(value, &end);
    return *end == '\0' && isfinite(*number) ? 0 : -1;
}

static int parse_number(const struct option_row *row, const char *value)
{
    float number;

    if (options_number(value, &number) != 0 || (double)number < row->least || (double)number > row->most)
        return refuse(row, value);
    *(float *)row->target = number;
    return 0;
}

static int parse_whole(const struct option_row *row, const char *value)
{
    unsigned long long number;
    char *end;

    if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value))
        return refuse(row, value);
    errno = 0;
    number = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0' || (double)number < row->least || (double)number > row->most)
        return refuse(row, value);
    *(uint64_t *)row->target = number;
    return 0;
}

static int parse_choice(const struct option_row *row, const char *value)
{
    const char *choice = row->argument;
    size_t length = strlen(value);

    for (int place = 0; choice; place++) {
        size_t size = strcspn(choice, "|");

        if (size == length && memcmp(choice, value, size) == 0) {
            *(int *)row->target = place;
            return 0;
        }
        choice = choice[size] ? choice + size + 1 : NULL;
    }
    return refuse(row, value);
}

static int store_value(struct option_row *row, const char *value)
{
    switch (row->kind) {
    case OPTION_FLAG:
        *(int *)row->target = 1;
        return 0;
    case OPTION_NUMBER:
        return parse_number(row, value);
    case OPTION_WHOLE:
        return parse_whole(row, value);
    case OPTION_CHOICE:
        return parse_choice(row, value);
    case OPTION_PARSED:
        return row->parse(value, row->target) == 0 ? 0 : refuse(row, value);
    default:
        if (value[0] == '\0')
            return refuse(row, value);
        *(const char **)row->target = value;
        return 0;
    }
}

int options_parse(struct option_row *rows, int count, char *const *arguments)
{
    for (int i = 0; i < count; i++) {
        const char *name = arguments[i] + 2, *value = NULL;
        struct option_row *row;
        size_t length;

        if (strncmp(arguments[i], "--", 2) != 0) {
            complain("unexpected argument '%s'; expected an option that starts with --", arguments[i]);
            return -1;
        }
        length = strcspn(name, "=");
        row = find_row(rows, name, length);
        if (!row) {
            complain("unknown option '%.*s'; --help lists the options", (int)length + 2, arguments[i]);
            return -1;
        }
        if (row->is_given) {
            complain("option --%s is given twice; expected it once", row->name);
            return -1;
        }
        if (name[length] == '=')
            value = name + length + 1;
        if (row->kind == OPTION_FLAG && value) {
            complain("option --%s: expected no value, got '%s'", row->name, value);
            return -1;
        }
        /* A file whose name starts with -- can be given as --in=--file. */
        if (row->kind != OPTION_FLAG && !value && (i + 1 == count || strncmp(arguments[i + 1], "--", 2) == 0)) {
            complain("option --%s lacks its value: expected %s", row->name, expected_value(row));
            return -1;
        }
        if (row->kind != OPTION_FLAG && !value)
            value = arguments[++i];
        row->is_given = 1;
        if (store_value(row, value) != 0)
            return -1;
    }
    return 0;
}

int options_files_differ(const char *const *names, const char *const *paths, size_t inputs, size_t count)
{
    for (size_t i = inputs; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!paths[i] || !paths[k] || strcmp(paths[i], paths[k]) != 0)
                continue;
            complain("options --%s and --%s both name '%s'; expected a file for each", names[k], names[i], paths[i]);
            return -1;
        }
    }
    return 0;
}

/* Help stands in a column of its own; newlines in it go on in that column. */
void options_help(const struct option_row *rows)
{
    enum { COLUMN = 24 };

    for (; rows->name; rows++) {
        const char *text = rows->help;
        int width = printf("  --%s%s%s", rows->name, rows->argument ? " " : "", rows->argument ? rows->argument : "");

        if (width >= COLUMN)
            printf("\n%*s", COLUMN, "");
        else
            printf("%*s", COLUMN - width, "");
        for (; *text; text++) {
            putchar(*text);
            if (*text == '\n')
                printf("%*s", COLUMN, "");
        }
        putchar('\n');
    }
}
