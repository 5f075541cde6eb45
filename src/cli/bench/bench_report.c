/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench_parts.h"
#include "cli/session.h"

#include <math.h>
#include <string.h>

static const char *const work_names[BENCH_WORKS] = {"train", "infer", "backward", "copy", "stream", "buffer", "empty"};

const char *bench_op_name(enum bench_work op)
{
    return work_names[op];
}

const char *bench_layout_name(int layout)
{
    return layout == CLNORM_CHANNELS_LAST ? "channels-last" : "channels-first";
}

int bench_has_mask(const struct call_form *form)
{
    return activation_is_there(&form->activation);
}

int bench_has_diff_residual(const struct call_form *form)
{
    return form->has_residual && bench_has_mask(form);
}

clnorm_desc bench_desc(const struct call_form *form, const struct bench_shape *shape, enum clnorm_layout layout)
{
    return (clnorm_desc){.n = shape->n,
                         .c = shape->c,
                         .s = shape->s,
                         .layout = layout,
                         .type = (enum clnorm_type)form->type,
                         .epsilon = 1e-5f,
                         .activation = form->activation};
}

double bench_bytes(enum bench_work work, const struct call_form *form, const struct bench_shape *shape)
{
    const double tensor = (double)(bench_elements(shape) * clnorm_type_bytes((enum clnorm_type)form->type));
    const double mask = bench_has_mask(form) ? (double)((bench_elements(shape) + 31) / 32 * sizeof(cl_uint)) : 0;

    switch (work) {
    case BENCH_TRAIN:
        return (2 + form->has_residual) * tensor + mask;
    case BENCH_INFER:
        return (2 + form->has_residual) * tensor;
    case BENCH_BACKWARD:
        return (3 + bench_has_diff_residual(form)) * tensor + mask;
    default:
        return 2 * tensor;
    }
}

double bench_gbps(enum bench_work work, const struct call_form *form, const struct bench_shape *shape, double seconds)
{
    return bench_bytes(work, form, shape) / seconds * 1e-9;
}

double bench_best_copy(const struct bench_row *row, int by_device)
{
    double best = NAN;

    for (int i = BENCH_COPY; i <= BENCH_BUFFER; i++)
        best = fmax(best, bench_gbps(BENCH_COPY, row->form, row->shape,
                                     by_device ? row->others[i].device : row->others[i].wall));
    return best;
}

double bench_percent(const struct bench_row *row, int by_device)
{
    return 100 * bench_gbps(row->op, row->form, row->shape, by_device ? row->own.device : row->own.wall) /
           bench_best_copy(row, by_device);
}

/* ---- table ---- */

void bench_table_head(FILE *file, const struct session *session, const struct call_form *form)
{
    char text[FORM_TEXT_BYTES];

    fprintf(file, "device %zu: %s, %s, driver %s; clnorm %s%s\n", session->device_index, session->info.platform_name,
            session->info.name, session->info.driver, clnorm_version(), form_text(", ", form, text));
    if (*clnorm_get_tuning(session->context))
        fprintf(file, "tuning: %s\n", clnorm_get_tuning(session->context));
    fprintf(file, "%-15s %-18s %-14s %-8s %9s %9s %7s %7s %7s %7s %6s %6s %8s %8s\n", "set", "n,c,s", "layout", "op",
            "ms", "device", "GB/s", "copy", "stream", "buffer", "%copy", "device", "call us", "empty us");
}

/* A number, or a dash where there is none. */
static void print_cell(FILE *file, int width, int digits, double value)
{
    if (isnan(value))
        fprintf(file, " %*s", width, "-");
    else
        fprintf(file, " %*.*f", width, digits, value);
}

void bench_table_row(FILE *file, const struct bench_row *row)
{
    const struct bench_shape *shape = row->shape;
    char sizes[64];

    snprintf(sizes, sizeof(sizes), "%llu,%llu,%llu", (unsigned long long)shape->n, (unsigned long long)shape->c,
             (unsigned long long)shape->s);
    fprintf(file, "%-15s %-18s %-14s %-8s", shape->set, sizes, bench_layout_name(row->layout), bench_op_name(row->op));
    print_cell(file, 9, 3, 1e3 * row->own.wall);
    print_cell(file, 9, 3, 1e3 * row->own.device);
    print_cell(file, 7, 2, bench_gbps(row->op, row->form, shape, row->own.wall));
    for (int i = BENCH_COPY; i <= BENCH_BUFFER; i++)
        print_cell(file, 7, 2, bench_gbps(BENCH_COPY, row->form, shape, row->others[i].wall));
    print_cell(file, 6, 1, bench_percent(row, 0));
    print_cell(file, 6, 1, bench_percent(row, 1));
    print_cell(file, 8, 1, 1e6 * row->own.call);
    print_cell(file, 8, 1, 1e6 * row->others[BENCH_EMPTY].wall);
    fputc('\n', file);
    fflush(file);
}

/* The rows of one set, layout and operation: geometric mean of the percentages, and the time of a whole network. */
static void print_summary(FILE *file, const struct bench_rows *rows, size_t first)
{
    const struct bench_row *head = &rows->list[first];
    double sum = 0, network = 0, own = 0;
    unsigned count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];

        if (row->layout != head->layout || row->op != head->op || strcmp(row->shape->set, head->shape->set) != 0)
            continue;
        if (i < first)
            return;
        sum += log(bench_percent(row, 0));
        own += log(bench_gbps(row->op, row->form, row->shape, row->own.wall));
        network += row->own.wall * row->shape->times;
        count++;
    }
    if (count > 1)
        fprintf(file,
                "%-15s %-14s %-8s %3u shapes: %7.2f GB/s, %6.1f %% of the copy (geometric means); %.3f ms for all of a "
                "network\n",
                head->shape->set, bench_layout_name(head->layout), bench_op_name(head->op), count, exp(own / count),
                exp(sum / count), 1e3 * network);
}

void bench_table_end(FILE *file, const struct bench_rows *rows)
{
    double wall = NAN, call = NAN;

    fprintf(file, "\n");
    for (size_t i = 0; i < rows->count; i++) {
        print_summary(file, rows, i);
        wall = fmin(wall, rows->list[i].others[BENCH_EMPTY].wall);
        call = fmin(call, rows->list[i].others[BENCH_EMPTY].call);
    }
    fprintf(file,
            "an empty kernel: %.1f us until clFinish returns, %.1f us for the call alone (least of the medians)\n",
            1e6 * wall, 1e6 * call);
}

/* ---- CSV and JSON ---- */

struct column {
    const char *name;
    double (*value)(const struct bench_row *row);
};

#define COLUMN(name, expression)                                                                                       \
    static double column_##name(const struct bench_row *row)                                                           \
    {                                                                                                                  \
        return expression;                                                                                             \
    }

COLUMN(runs, (double)row->runs)
COLUMN(wall_ms, 1e3 * row->own.wall)
COLUMN(device_ms, 1e3 * row->own.device)
COLUMN(call_us, 1e6 * row->own.call)
COLUMN(empty_us, 1e6 * row->others[BENCH_EMPTY].wall)
COLUMN(empty_call_us, 1e6 * row->others[BENCH_EMPTY].call)
COLUMN(gbps, bench_gbps(row->op, row->form, row->shape, row->own.wall))
COLUMN(copy_gbps, bench_gbps(BENCH_COPY, row->form, row->shape, row->others[BENCH_COPY].wall))
COLUMN(stream_gbps, bench_gbps(BENCH_COPY, row->form, row->shape, row->others[BENCH_STREAM].wall))
COLUMN(buffer_gbps, bench_gbps(BENCH_COPY, row->form, row->shape, row->others[BENCH_BUFFER].wall))
COLUMN(percent, bench_percent(row, 0))
COLUMN(device_percent, bench_percent(row, 1))
COLUMN(exponent, row->exponent)

#define COLUMN_ROW(name)                                                                                               \
    {                                                                                                                  \
#name, column_##name                                                                                           \
    }

static const struct column columns[] = {
    COLUMN_ROW(runs),        COLUMN_ROW(wall_ms),       COLUMN_ROW(device_ms), COLUMN_ROW(call_us),
    COLUMN_ROW(empty_us),    COLUMN_ROW(empty_call_us), COLUMN_ROW(gbps),      COLUMN_ROW(copy_gbps),
    COLUMN_ROW(stream_gbps), COLUMN_ROW(buffer_gbps),   COLUMN_ROW(percent),   COLUMN_ROW(device_percent),
    COLUMN_ROW(exponent),
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

void bench_print_csv_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

void bench_print_json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

void bench_print_csv(FILE *file, const struct session *session, const struct bench_rows *rows)
{
    char text[ACTIVATION_TEXT_BYTES];

    fprintf(file, "set,n,c,s,times_in_net,layout,op,type,activation,residual");
    for (size_t k = 0; k < COLUMNS; k++)
        fprintf(file, ",%s", columns[k].name);
    fprintf(file, ",device\n");
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];

        fprintf(file, "%s,%llu,%llu,%llu,%u,%s,%s,%s,%s,%d", row->shape->set, (unsigned long long)row->shape->n,
                (unsigned long long)row->shape->c, (unsigned long long)row->shape->s, row->shape->times,
                bench_layout_name(row->layout), bench_op_name(row->op), type_name(row->form->type),
                activation_text(&row->form->activation, text), row->form->has_residual);
        for (size_t k = 0; k < COLUMNS; k++) {
            double value = columns[k].value(row);

            fprintf(file, isnan(value) ? "," : ",%.6g", value);
        }
        fputc(',', file);
        bench_print_csv_text(file, session->info.name);
        fputc('\n', file);
    }
}

void bench_print_json(FILE *file, const struct session *session, const struct bench_rows *rows)
{
    char text[ACTIVATION_TEXT_BYTES];

    fprintf(file, "{\"clnorm\": \"%s\", \"device\": ", clnorm_version());
    bench_print_json_text(file, session->info.name);
    fprintf(file, ", \"platform\": ");
    bench_print_json_text(file, session->info.platform_name);
    fprintf(file, ", \"driver\": ");
    bench_print_json_text(file, session->info.driver);
    fprintf(file, ", \"rows\": [");
    for (size_t i = 0; i < rows->count; i++) {
        const struct bench_row *row = &rows->list[i];

        fprintf(file, "%s\n  {\"set\": \"%s\", \"n\": %llu, \"c\": %llu, \"s\": %llu, \"times_in_net\": %u, ",
                i ? "," : "", row->shape->set, (unsigned long long)row->shape->n, (unsigned long long)row->shape->c,
                (unsigned long long)row->shape->s, row->shape->times);
        fprintf(file, "\"layout\": \"%s\", \"op\": \"%s\", \"type\": \"%s\", \"activation\": \"%s\", \"residual\": %s",
                bench_layout_name(row->layout), bench_op_name(row->op), type_name(row->form->type),
                activation_text(&row->form->activation, text), row->form->has_residual ? "true" : "false");
        for (size_t k = 0; k < COLUMNS; k++) {
            double value = columns[k].value(row);

            fprintf(file, isnan(value) ? ", \"%s\": null" : ", \"%s\": %.6g", columns[k].name, value);
        }
        fputc('}', file);
    }
    fprintf(file, "\n]}\n");
}
