/* SPDX-License-Identifier: Apache-2.0 */
/* The shapes to time: the sets that are built in, a file's, or one from the command line. */
#define _XOPEN_SOURCE 700 /* getline */
#include "cli/bench/bench_parts.h"
#include "cli/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

static const char file_header[] = "set,n,c,spatial,times_in_net";
static const char default_sets[] = "resnet50-b32,mobilenet,features";
static const char name_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/* Batch normalization's inputs in ResNet-50 and MobileNetV2 at 32 images, in fully connected networks, and others. */
static const struct bench_shape built_in[] = {
    {"resnet50-b32", 32, 64, 112 * 112, 1},
    {"resnet50-b32", 32, 256, 56 * 56, 4},
    {"resnet50-b32", 32, 64, 56 * 56, 6},
    {"resnet50-b32", 32, 128, 56 * 56, 1},
    {"resnet50-b32", 32, 512, 28 * 28, 5},
    {"resnet50-b32", 32, 128, 28 * 28, 7},
    {"resnet50-b32", 32, 256, 28 * 28, 1},
    {"resnet50-b32", 32, 1024, 14 * 14, 7},
    {"resnet50-b32", 32, 256, 14 * 14, 11},
    {"resnet50-b32", 32, 512, 14 * 14, 1},
    {"resnet50-b32", 32, 2048, 7 * 7, 4},
    {"resnet50-b32", 32, 512, 7 * 7, 5},
    {"mobilenet", 32, 96, 56 * 56, 1},
    {"mobilenet", 32, 144, 56 * 56, 3},
    {"mobilenet", 32, 192, 28 * 28, 5},
    {"mobilenet", 32, 576, 14 * 14, 5},
    {"mobilenet", 32, 960, 7 * 7, 5},
    {"mobilenet", 32, 1280, 7 * 7, 1},
    {"features", 128, 1024, 1, 1},
    {"features", 4096, 1024, 1, 1},
    {"features", 65536, 64, 1, 1},
    {"features", 1797, 64, 1, 1},
    {"small", 8, 64, 8 * 8, 1},
    {"small", 1, 256, 14 * 14, 1},
    {"odd", 32, 19, 33 * 27, 1},
    {"odd", 17, 257, 13 * 11, 1},
    {"volume", 2, 32, 32 * 64 * 64, 1},
    {"sequence", 16, 512, 861, 1},
};

enum { BUILT_IN = sizeof(built_in) / sizeof(built_in[0]) };

const char *bench_set_names(void)
{
    return "resnet50-b32, mobilenet, features, small, odd, volume, sequence";
}

uint64_t bench_elements(const struct bench_shape *shape)
{
    return shape->n * shape->c * shape->s;
}

int bench_add_shape(struct bench_shapes *shapes, const char *set, uint64_t n, uint64_t c, uint64_t s, unsigned times)
{
    struct bench_shape *list = realloc(shapes->list, (shapes->count + 1) * sizeof(*list));

    if (!list) {
        complain("out of memory");
        return STATUS_FAILED;
    }
    shapes->list = list;
    list[shapes->count] = (struct bench_shape){.n = n, .c = c, .s = s, .times = times};
    snprintf(list[shapes->count].set, BENCH_SET_BYTES, "%s", set);
    shapes->count++;
    return STATUS_DONE;
}

/* ---- text ---- */

/* A size from 1 to 2^40 in digits alone; returns what follows it, or NULL. */
static const char *read_size(const char *text, uint64_t *size)
{
    const uint64_t most = (uint64_t)1 << 40;
    uint64_t value = 0;

    if (*text < '0' || *text > '9')
        return NULL;
    for (; *text >= '0' && *text <= '9' && value <= most; text++)
        value = 10 * value + (uint64_t)(*text - '0');
    *size = value;
    return value > 0 && value <= most ? text : NULL;
}

/* One to three sizes with x between them; their product. */
static const char *read_spatial(const char *text, uint64_t *product)
{
    uint64_t size;

    *product = 1;
    for (int i = 0; i < 3; i++) {
        text = read_size(text, &size);
        if (!text || __builtin_mul_overflow(*product, size, product) || *text != 'x')
            return text;
        text++;
    }
    return NULL;
}

/* N,C,SPATIAL; returns what follows, or NULL. The count of bytes has to fit in 64 bits as well. */
static const char *read_sizes(const char *text, struct bench_shape *shape)
{
    uint64_t product;

    text = read_size(text, &shape->n);
    if (!text || *text++ != ',')
        return NULL;
    text = read_size(text, &shape->c);
    if (!text || *text++ != ',')
        return NULL;
    text = read_spatial(text, &shape->s);
    if (!text || __builtin_mul_overflow(shape->n, shape->c, &product) ||
        __builtin_mul_overflow(product, shape->s, &product) || product > UINT64_MAX / 64)
        return NULL;
    return text;
}

static int has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (list && *list) {
        size_t size = strcspn(list, ",");

        if (size == length && memcmp(list, word, size) == 0)
            return 1;
        list += size + (list[size] == ',');
    }
    return 0;
}

int bench_read_list(const char *option, const char *list, const char *const *names, int count, int *chosen)
{
    const char *at = list;

    memset(chosen, 0, (size_t)count * sizeof(*chosen));
    for (;;) {
        size_t size = strcspn(at, ",");
        int i = 0;

        while (i < count && (strlen(names[i]) != size || memcmp(names[i], at, size) != 0))
            i++;
        if (i == count) {
            complain("option --%s: expected one or more of %s%s%s%s%s, separated by commas, got '%s'", option, names[0],
                     count > 1 ? ", " : "", count > 1 ? names[1] : "", count > 2 ? ", " : "", count > 2 ? names[2] : "",
                     list);
            return STATUS_USAGE;
        }
        chosen[i] = 1;
        if (at[size] == '\0')
            return STATUS_DONE;
        at += size + 1;
    }
}

int bench_check_variants(const char *list)
{
    for (const char *at = list;; at++) {
        size_t size = strcspn(at, ","), i = 0;
        const char *name;

        while ((name = clnorm_variant_name(i)) != NULL && (strlen(name) != size || memcmp(name, at, size) != 0))
            i++;
        if (!name) {
            complain(
                "option --variant: there is no kernel variant '%.*s'; expected names from `clnorm check`, separated "
                "by commas",
                (int)size, at);
            return STATUS_USAGE;
        }
        at += size;
        if (*at == '\0')
            return STATUS_DONE;
    }
}

/* ---- files ---- */

static int read_line(const char *text, struct bench_shape *shape)
{
    size_t length = strspn(text, name_characters);
    uint64_t times;

    if (length == 0 || length >= BENCH_SET_BYTES || text[length] != ',')
        return -1;
    memcpy(shape->set, text, length);
    shape->set[length] = '\0';
    text = read_sizes(text + length + 1, shape);
    if (!text || *text++ != ',')
        return -1;
    text = read_size(text, &times);
    if (!text || *text != '\0' || times > 1000000)
        return -1;
    shape->times = (unsigned)times;
    return 0;
}

static int take_line(const char *path, size_t number, const char *line, const char *sets, struct bench_shapes *shapes)
{
    struct bench_shape shape;

    if (number == 1) {
        if (strcmp(line, file_header) == 0)
            return STATUS_DONE;
        complain("'%s', line 1: expected the columns %s, got '%.80s'", path, file_header, line);
        return STATUS_FAILED;
    }
    if (read_line(line, &shape) != 0) {
        complain("'%s', line %zu: expected a name of letters, digits, '-', '_' and '.' (31 at most), two sizes, one to "
                 "three sizes with x between them, and a count, as in resnet50-b32,32,256,56x56,4, got '%.80s'",
                 path, number, line);
        return STATUS_FAILED;
    }
    if (sets && !has_word(sets, shape.set))
        return STATUS_DONE;
    return bench_add_shape(shapes, shape.set, shape.n, shape.c, shape.s, shape.times);
}

static int read_file(const char *path, const char *sets, struct bench_shapes *shapes)
{
    FILE *file = fopen(path, "r");
    size_t room = 0, number = 0;
    int status = STATUS_DONE;
    char *line = NULL;
    ssize_t length;

    if (!file) {
        complain("cannot read '%s': %s", path, strerror(errno));
        return STATUS_FAILED;
    }
    errno = 0;
    while (status == STATUS_DONE && (length = getline(&line, &room, file)) > 0) {
        number++;
        if (strlen(line) != (size_t)length) {
            complain("'%s', line %zu: expected text, got a zero byte", path, number);
            status = STATUS_FAILED;
            break;
        }
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\0')
            status = take_line(path, number, line, sets, shapes);
    }
    if (status == STATUS_DONE && ferror(file)) {
        complain("cannot read '%s': %s", path, strerror(errno));
        status = STATUS_FAILED;
    }
    if (status == STATUS_DONE && number == 0) {
        complain("'%s', line 1: expected the columns %s, got an empty file", path, file_header);
        status = STATUS_FAILED;
    }
    free(line);
    fclose(file);
    return status;
}

/* Every set that is asked for must be there. */
static int check_sets(const char *sets, const char *path, const struct bench_shapes *shapes)
{
    for (const char *at = sets;; at++) {
        size_t size = strcspn(at, ","), i = 0;

        while (i < shapes->count && (strlen(shapes->list[i].set) != size || memcmp(shapes->list[i].set, at, size) != 0))
            i++;
        if (i == shapes->count && path)
            complain("option --set: there is no set '%.*s' in '%s'", (int)size, at, path);
        else if (i == shapes->count)
            complain("option --set: expected one or more of %s, separated by commas, got '%s'", bench_set_names(),
                     sets);
        if (i == shapes->count)
            return STATUS_USAGE;
        at += size;
        if (*at == '\0')
            return STATUS_DONE;
    }
}

int bench_read_shapes(const char *sets, const char *file, const char *shape, struct bench_shapes *shapes)
{
    struct bench_shape one;
    int status = STATUS_DONE;

    if (shape) {
        const char *end = read_sizes(shape, &one);

        if (end && *end == '\0')
            return bench_add_shape(shapes, "shape", one.n, one.c, one.s, 1);
        complain("option --shape: expected N,C,S with sizes >= 1, S like 3136, 56x56 or 32x64x64, got '%s'", shape);
        return STATUS_USAGE;
    }
    if (file)
        status = read_file(file, sets, shapes);
    else if (!sets)
        sets = default_sets;
    for (size_t i = 0; i < BUILT_IN && !file && status == STATUS_DONE; i++)
        if (has_word(sets, built_in[i].set))
            status = bench_add_shape(shapes, built_in[i].set, built_in[i].n, built_in[i].c, built_in[i].s,
                                     built_in[i].times);
    if (status == STATUS_DONE && sets)
        status = check_sets(sets, file, shapes);
    if (status == STATUS_DONE && shapes->count == 0) {
        complain("'%s': expected at least one shape below the line of columns", file);
        status = STATUS_FAILED;
    }
    return status;
}
