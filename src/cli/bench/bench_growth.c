/* SPDX-License-Identifier: Apache-2.0 */
/* How the cost grows: sweeps over the number of elements, and over n, c and s apart. */
#include "cli/bench/bench_parts.h"
#include "cli/gnuplot.h"
#include "cli/message.h"
#include "cli/session.h"

#include <math.h>
#include <string.h>

enum { SWEEPS = 4 };

static const char *const sweep_names[SWEEPS] = {"growth-elements", "growth-n", "growth-c", "growth-s"};

static int add_shape(struct bench_shapes *shapes, int sweep, double most, uint64_t n, uint64_t c, uint64_t s)
{
    return (double)(n * c * s) > most ? STATUS_DONE : bench_add_shape(shapes, sweep_names[sweep], n, c, s, 1);
}

int bench_growth_shapes(struct bench_shapes *shapes, double most)
{
    static const double elements[] = {1e4, 3e4, 1e5, 3e5, 1e6, 3e6, 1e7, 3e7, 1e8, 2.5e8};
    int status = STATUS_DONE;

    /* 256 channels, and as many samples as positions */
    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]) && status == STATUS_DONE; i++) {
        uint64_t side = (uint64_t)(sqrt(elements[i] / 256) + 0.5);

        status = add_shape(shapes, 0, most, side, 256, side);
    }
    /* Each of these ends at about 1e8, so that their last decade lies beyond most caches. */
    for (int sweep = 1; sweep < SWEEPS; sweep++) {
        uint64_t factor = 1;

        for (int i = 0; i < 8 && status == STATUS_DONE; i++, factor *= 3) {
            if (sweep == 1)
                status = add_shape(shapes, sweep, most, factor, 64, 784);
            else if (sweep == 2)
                status = add_shape(shapes, sweep, most, 32, 8 * factor, 196);
            else
                status = add_shape(shapes, sweep, most, 32, 64, 24 * factor);
        }
    }
    return status;
}

static int is_same_line(const struct bench_row *a, const struct bench_row *b)
{
    return a->layout == b->layout && a->op == b->op && strcmp(a->shape->set, b->shape->set) == 0;
}

/* Seconds of a row, or of the best copy of as many elements. */
static double seconds(const struct bench_row *row, int is_copy)
{
    return is_copy ? 1e-9 * bench_bytes(BENCH_COPY, row->form, row->shape) / bench_best_copy(row, 0) : row->own.wall;
}

/* Least squares of log time against log elements, over the last decade of the line that row belongs to. */
static double fit(const struct bench_rows *rows, const struct bench_row *line, int is_copy)
{
    double most = 0, n = 0, x = 0, y = 0, xx = 0, xy = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (is_same_line(&rows->list[i], line))
            most = fmax(most, (double)bench_elements(rows->list[i].shape));
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];
        double lx = log((double)bench_elements(row->shape)), ly = log(seconds(row, is_copy));

        if (!is_same_line(row, line) || (double)bench_elements(row->shape) < 0.099 * most)
            continue;
        n++;
        x += lx;
        y += ly;
        xx += lx * lx;
        xy += lx * ly;
    }
    return n > 1 ? (n * xy - x * y) / (n * xx - x * x) : NAN;
}

void bench_growth_fit(struct bench_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        rows->list[i].exponent = fit(rows, &rows->list[i], 0);
}

void bench_growth_print(FILE *file, const struct bench_rows *rows)
{
    fprintf(file, "\nexponent of the time's growth over the last decade, and of the best copy's there: 1 is linear\n");
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];
        int is_first = 1;

        for (size_t k = 0; k < i; k++)
            is_first = is_first && !is_same_line(&rows->list[k], row);
        if (is_first && !isnan(row->exponent))
            fprintf(file, "%-15s %-14s %-8s %6.3f  copy %6.3f\n", row->shape->set, bench_layout_name(row->layout),
                    bench_op_name(row->op), row->exponent, fit(rows, row, 1));
    }
}

/* ---- picture ---- */

/* The points of one line as gnuplot takes them from its input. */
static void write_points(FILE *script, const struct bench_rows *rows, const struct bench_row *line, int is_copy)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];
        uint64_t elements = bench_elements(row->shape);

        if (is_same_line(row, line))
            fprintf(script, "%llu %.9g\n", (unsigned long long)elements, 1e3 * seconds(row, is_copy));
    }
    fprintf(script, "e\n");
}

/* A picture of one operation and layout: a line for each sweep, and the copy at the sizes of the first of them. */
static void write_panel(FILE *script, const struct bench_rows *rows, int layout, enum bench_work op)
{
    const struct bench_row *lines[SWEEPS], *copy = NULL;
    unsigned count = 0;

    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t i = 0; i < rows->count; i++) {
            const struct bench_row *row = &rows->list[i];

            if ((int)row->layout != layout || row->op != op || strcmp(row->shape->set, sweep_names[sweep]) != 0)
                continue;
            lines[count++] = row;
            copy = copy ? copy : row;
            break;
        }
    if (!copy)
        return;
    fprintf(script, "set title \"%s, %s\"\nplot ", bench_op_name(op), bench_layout_name(layout));
    for (unsigned i = 0; i < count; i++) {
        fprintf(script, "'-' with linespoints linewidth 2 pointtype %u title \"%s", i + 5,
                lines[i]->shape->set + strlen("growth-"));
        /* One point alone has no exponent. */
        if (!isnan(lines[i]->exponent))
            fprintf(script, ", exponent %.2f", lines[i]->exponent);
        fprintf(script, "\", ");
    }
    fprintf(script, "'-' with lines linewidth 2 dashtype 2 linecolor \"#808080\" title \"copy\"\n");
    for (unsigned i = 0; i < count; i++)
        write_points(script, rows, lines[i], 0);
    write_points(script, rows, copy, 1);
}

static void write_script(FILE *script, const struct session *session, const struct bench_rows *rows)
{
    char text[FORM_TEXT_BYTES];
    int has[BENCH_LAYOUTS][BENCH_OPS] = {{0}}, across = 0, down = 0;

    for (size_t i = 0; i < rows->count; i++)
        has[rows->list[i].layout][rows->list[i].op] = 1;
    for (int layout = 0; layout < BENCH_LAYOUTS; layout++)
        across += has[layout][0] || has[layout][1] || has[layout][2];
    for (int op = 0; op < BENCH_OPS; op++)
        down += has[0][op] || has[1][op];
    fprintf(script, "set terminal svg size %d,%d background \"white\" font \"sans-serif,13\"\n", across * 560,
            40 + down * 380);
    fprintf(script, "set multiplot layout %d,%d title \"", down, across);
    gnuplot_text(script, session->info.name);
    fprintf(script, "%s", rows->count ? form_text(", ", rows->list[0].form, text) : "");
    fprintf(script, ": time of a call\"\n"
                    "set logscale xy\n"
                    "set format xy \"10^{%%T}\"\n"
                    "set grid\n"
                    "set key left top\n"
                    "set xlabel \"elements\"\n"
                    "set ylabel \"ms\"\n");
    for (int op = 0; op < BENCH_OPS; op++)
        for (int layout = 0; layout < BENCH_LAYOUTS; layout++)
            write_panel(script, rows, layout, op);
    fprintf(script, "unset multiplot\n");
}

int bench_plot(struct whole_file *output, const struct session *session, const struct bench_rows *rows)
{
    FILE *script = gnuplot_script();
    int status;

    if (!script)
        return STATUS_FAILED;
    write_script(script, session, rows);
    status = gnuplot_run(script, output);
    fclose(script);
    return status;
}
