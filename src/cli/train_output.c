/* SPDX-License-Identifier: Apache-2.0 */
/* Learning curves as CSV and as a picture. */
#include "train.h"

#include "gnuplot.h"

#include <stdio.h>
#include <string.h>

void train_csv_head(FILE *file)
{
    fprintf(file, "network,rate,epoch,step,loss,accuracy,held_out_loss,held_out_accuracy\n");
}

void train_csv_curve(FILE *file, const char *network, float rate, const struct curve *curve)
{
    for (size_t i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];

        fprintf(file, "%s,%.9g,%llu,%llu,%.9g,%.9g,%.9g,%.9g\n", network, (double)rate,
                (unsigned long long)point->epoch, (unsigned long long)point->step, point->loss, point->accuracy,
                point->held_out_loss, point->held_out_accuracy);
    }
}

/* ---- picture -------------------------------------------------------------------------------------------------- */

/* Blue and vermilion, which every kind of colour vision tells apart; and full and dashed. */
static const char normalized_line[] = "linewidth 2.5 linecolor \"#0072B2\"";
static const char plain_line[] = "linewidth 2.5 dashtype 2 linecolor \"#D55E00\"";

static int ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);

    return length >= size && strcmp(text + length - size, end) == 0;
}

static const struct train_result *find_result(const struct train_sweep *sweep, float rate, int is_plain)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->results[i].is_plain == is_plain && sweep->results[i].rate == rate)
            return &sweep->results[i];
    return NULL;
}

/* Step and percent held out; a curve starts where nothing has been learnt, which is not measured, so at its first point. */
static void write_curve(FILE *script, const struct train_result *result)
{
    for (size_t i = 0; result && i < result->curve.count; i++)
        fprintf(script, "%llu %.6g\n", (unsigned long long)result->curve.points[i].step,
                100 * result->curve.points[i].held_out_accuracy);
    /* gnuplot wants a point of every line; one below the range is not seen. */
    if (!result || result->curve.count == 0)
        fprintf(script, "0 -100\n");
    fprintf(script, "e\n");
}

static void write_steps_panel(FILE *script, const struct train_sweep *sweep, float rate)
{
    const struct train_result *normalized = find_result(sweep, rate, 0), *plain = find_result(sweep, rate, 1);

    fprintf(script, "set title \"learning rate %g\"\n", (double)rate);
    fprintf(script, "set xlabel \"steps\"\nset xrange [0:*]\nunset logscale x\nset xtics autofreq\n");
    fprintf(script,
            "plot %.6g with lines linewidth 1 linecolor \"#808080\" notitle, "
            "'-' with lines %s title \"batch norm\", '-' with lines %s title \"without%s\"\n",
            100 * (double)sweep->target, normalized_line, plain_line,
            plain && plain->curve.diverged ? ", diverged" : "");
    write_curve(script, normalized);
    write_curve(script, plain);
}

/* Accuracy at the end over the rate; a diverged network has none, and is drawn at 0. */
static void write_rates(FILE *script, const struct train_sweep *sweep, int is_plain)
{
    for (size_t i = 0; i < sweep->count; i++) {
        const struct train_result *result = &sweep->results[i];
        const struct curve *curve = &result->curve;

        if (result->is_plain == is_plain)
            fprintf(script, "%.6g %.6g\n", (double)result->rate,
                    curve->diverged || curve->count == 0 ? 0 : 100 * curve->points[curve->count - 1].held_out_accuracy);
    }
    fprintf(script, "e\n");
}

void train_plot_script(FILE *script, const char *path, const struct train_sweep *sweep)
{
    fprintf(script, "set terminal %s size 1000,360 background \"white\" font \"sans-serif,%s\"\n",
            ends_in(path, ".png") ? "pngcairo" : "svg", ends_in(path, ".png") ? "10" : "13");
    fprintf(script, "set multiplot layout 1,3 title \"");
    gnuplot_text(script, sweep->title);
    fprintf(script, "\"\n"
                    "set grid linecolor \"#e0e0e0\"\n"
                    "set border 3\n"
                    "set tics nomirror out\n"
                    "set yrange [0:100]\n"
                    "set ytics 20\n"
                    "set key right bottom samplen 2\n"
                    "set ylabel \"accuracy on held-out samples, %%\"\n");
    write_steps_panel(script, sweep, sweep->base);
    fprintf(script, "set ylabel \"\"\n");
    write_steps_panel(script, sweep, sweep->compared);
    fprintf(script,
            "set title \"after the last step\"\n"
            "set xlabel \"learning rate\"\nset logscale x\nset xrange [*:*]\nset xtics autofreq\nset format x \"%%g\"\n"
            "set key left bottom\n"
            "plot '-' with linespoints pointtype 7 pointsize 0.6 %s title \"batch norm\", "
            "'-' with linespoints pointtype 5 pointsize 0.6 %s title \"without\"\n",
            normalized_line, plain_line);
    write_rates(script, sweep, 0);
    write_rates(script, sweep, 1);
    fprintf(script, "unset multiplot\n");
}
