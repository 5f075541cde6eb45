/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes at random: what a list of known ones would not show, slow corners. */
#include "cli/bench/bench_parts.h"
#include "cli/bench/bench_device.h"
#include "cli/message.h"

#include <math.h>
#include <stdlib.h>

enum { CLASSES = 4, WORST = 10 };

static const char *const class_names[CLASSES] = {"below-1e5", "1e5-to-1e6", "1e6-to-1e7", "from-1e7"};

static int class_of(double elements)
{
    return elements < 1e5 ? 0 : elements < 1e6 ? 1 : elements < 1e7 ? 2 : 3;
}

/* splitmix64 (Steele, Lea and Flood, 2014), as a number from 0 to below 1. */
static double draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* From 1 to most, every magnitude as likely. */
static uint64_t draw_size(uint64_t *state, double most)
{
    return (uint64_t)exp(log(most + 1) * draw(state));
}

int bench_random_shapes(struct bench_shapes *shapes, unsigned count, uint64_t seed, double most)
{
    uint64_t state = seed;
    int status = 0;

    while (shapes->count < count && status == 0) {
        uint64_t n = draw_size(&state, 512), c = draw_size(&state, 4096), s = draw_size(&state, 50000);
        double elements = (double)n * (double)c * (double)s;

        if (elements <= most)
            status = bench_add_shape(shapes, class_names[class_of(elements)], n, c, s, 1);
    }
    return status;
}

/* ---- what came of them ---- */

static int is_of(const struct bench_row *row, int class, int op, int layout)
{
    return class_of((double)bench_elements(row->shape)) == class && (int)row->op == op && (int)row->layout == layout;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The percentages of the copy of a class, sorted into list; returns how many. */
static size_t percents(const struct bench_rows *rows, int class, int op, int layout, double *list)
{
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (is_of(&rows->list[i], class, op, layout))
            list[count++] = bench_percent(&rows->list[i], 0);
    qsort(list, count, sizeof(*list), by_value);
    return count;
}

static void print_worst(FILE *file, struct bench_device *device, const struct bench_row *row, double median)
{
    const struct bench_shape *shape = row->shape;
    clnorm_desc desc = bench_desc(row->form, shape, row->layout);
    char launches[512] = "";

    clnorm_describe_launches(device->context, (enum clnorm_operation)row->op, &desc, sizeof(launches), launches);
    fprintf(file, "%5.2f  %llu,%llu,%llu %s %s: %.1f %% of the copy, %.3f ms; %s\n", bench_percent(row, 0) / median,
            (unsigned long long)shape->n, (unsigned long long)shape->c, (unsigned long long)shape->s,
            bench_layout_name(row->layout), bench_op_name(row->op), bench_percent(row, 0), 1e3 * row->own.wall,
            launches);
}

void bench_random_print(FILE *file, struct bench_device *device, const struct bench_rows *rows)
{
    double *list = malloc(rows->count * sizeof(*list)), median[CLASSES][BENCH_OPS][BENCH_LAYOUTS];
    char *is_shown = calloc(rows->count, 1);

    if (!list || !is_shown) {
        complain("out of memory");
        free(list);
        free(is_shown);
        return;
    }
    fprintf(file, "\npercent of the copy  %-14s %-8s %6s %7s %9s %7s %9s %9s\n", "layout", "op", "shapes", "least",
            "quarter", "median", "quarter", "greatest");
    for (int class = 0; class < CLASSES; class ++)
        for (int layout = 0; layout < BENCH_LAYOUTS; layout++)
            for (int op = 0; op < BENCH_OPS; op++) {
                size_t count = percents(rows, class, op, layout, list);

                if (count == 0)
                    continue;
                median[class][op][layout] = list[count / 2];
                fprintf(file, "%-20s %-14s %-8s %6zu %7.1f %9.1f %7.1f %9.1f %9.1f\n", class_names[class],
                        bench_layout_name(layout), bench_op_name((enum bench_work)op), count, list[0], list[count / 4],
                        list[count / 2], list[count * 3 / 4], list[count - 1]);
            }
    fprintf(file, "\nthe worst, as shares of their class's median:\n");
    for (int i = 0; i < WORST; i++) {
        const struct bench_row *worst = NULL;
        double least = INFINITY, of_class = 1;

        for (size_t k = 0; k < rows->count; k++) {
            const struct bench_row *row = &rows->list[k];
            double m = median[class_of((double)bench_elements(row->shape))][row->op][row->layout];

            if (!is_shown[k] && bench_percent(row, 0) / m < least) {
                least = bench_percent(row, 0) / m;
                of_class = m;
                worst = row;
            }
        }
        if (!worst)
            break;
        is_shown[worst - rows->list] = 1;
        print_worst(file, device, worst, of_class);
    }
    free(list);
    free(is_shown);
}
