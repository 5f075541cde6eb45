/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* strdup */
#include "train_run.h"

#include "cli_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *train_data;

size_t train_read_file(const char *path, char *text, size_t capacity)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    ck_assert_msg(file != NULL, "no file %s", path);
    size = fread(text, 1, capacity - 1, file);
    text[size] = '\0';
    fclose(file);
    return size;
}

void train_assert_runs(const char *format, ...)
{
    char arguments[4096];
    va_list args;
    int status;

    va_start(args, format);
    vsnprintf(arguments, sizeof(arguments), format, args);
    va_end(args);
    status = cli_run(arguments);
    ck_assert_msg(status == 0, "'%s': status %d: %s", arguments, status, cli_err);
    ck_assert_msg(strstr(cli_err, "clnorm: ") == NULL, "'%s' says: %s", arguments, cli_err);
}

void train_make_points(void)
{
    static const uint64_t shape[2] = {40, 2};
    float x[80], y[40];

    for (int i = 0; i < 40; i++) {
        y[i] = (float)(i % 2);
        x[2 * i] = (float)(i % 7) + 8 * y[i];
        x[2 * i + 1] = (float)(i % 5);
    }
    cli_write_array("x.npy", 2, shape, x);
    cli_write_array("y.npy", 1, shape, y);
}

int train_main(Suite *(*make_suite)(void))
{
    const char *folder = getenv("CLNORM_DATA_DIR");

    if (!folder) {
        fprintf(stderr, "CLNORM_DATA_DIR is not set; expected the folder of digits.npy\n");
        return EXIT_FAILURE;
    }
    train_data = strdup(folder);
    return cli_main(make_suite);
}
