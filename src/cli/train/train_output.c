/* SPDX-License-Identifier: Apache-2.0 */
/* Learning curves as CSV and as a picture. */
#include "cli/train/train.h"

#include "cli/gnuplot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void train_csv_head(FILE *file)
{
    fprintf(file, "network,rate,seed,epoch,step,loss,accuracy,held_out_loss,held_out_accuracy\n");
}

void train_csv_curve(FILE *file, int is_plain, float rate, uint64_t seed, const struct curve *curve)
{
    for (size_t i = 0; i < curve->count; i++) {
        const struct point *point = &curve->points[i];

        fprintf(file, "%s,%.9g,%llu,%llu,%llu,%.9g,%.9g,%.9g,%.9g\n", is_plain ? "without" : "batch-norm", (double)rate,
                (unsigned long long)seed, (unsigned long long)point->epoch, (unsigned long long)point->step,
                point->loss, point->accuracy, point->held_out_loss, point->held_out_accuracy);
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double train_median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof(*numbers), compare);
    return count % 2 ? numbers[count / 2] : (numbers[count / 2 - 1] + numbers[count / 2]) / 2;
}

double train_accuracy(const struct curve *curve, size_t i)
{
    return i < curve->count ? curve->points[i].held_out_accuracy : 0;
}

/* ---- picture -------------------------------------------------------------------------------------------------- */

/* Blue and vermilion, which every kind of colour vision tells apart; and full and dashed. */
static const char colors[2][8] = {"#0072B2", "#D55E00"};
static const char styles[2][16] = {"", " dashtype 2"};
static const char names[2][12] = {"batch norm", "without"};

static int ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);

    return length >= size && strcmp(text + length - size, end) == 0;
}

/* Points that every curve of a sweep has, unless it diverged. */
static size_t most_points(const struct train_sweep *sweep, const struct curve **longest)
{
    size_t most = 0;

    *longest = NULL;
    for (size_t i = 0; i < 2 * sweep->rates; i++) {
        for (uint64_t s = 0; s < sweep->seeds; s++) {
            const struct curve *curve = &sweep->results[i].curves[s];

            if (curve->count <= most)
                continue;
            most = curve->count;
            *longest = curve;
        }
    }
    return most;
}

/* A line of a block of data: where, and of the accuracies in percent the median, the least and the most. */
static void write_spread(FILE *script, double x, double *accuracies, uint64_t count)
{
    double median = train_median(accuracies, (size_t)count);

    fprintf(script, "%.6g %.6g %.6g %.6g\n", x, 100 * median, 100 * accuracies[0], 100 * accuracies[count - 1]);
}

/* Named blocks of data: curves at the rate number `rate`, of both kinds. */
static void write_curves(FILE *script, const struct train_sweep *sweep, size_t rate, const char *name,
                         double *accuracies)
{
    const struct curve *longest;
    size_t points = most_points(sweep, &longest);

    for (int kind = 0; kind < 2; kind++) {
        const struct curve *curves = sweep->results[(size_t)kind * sweep->rates + rate].curves;

        fprintf(script, "$%s%d << EOD\n", name, kind);
        for (size_t i = 0; i < points; i++) {
            for (uint64_t s = 0; s < sweep->seeds; s++)
                accuracies[s] = train_accuracy(&curves[s], i);
            write_spread(script, (double)longest->points[i].step, accuracies, sweep->seeds);
        }
        fprintf(script, "EOD\n");
    }
}

/* The same of the accuracy after the last step, over the rates. */
static void write_ends(FILE *script, const struct train_sweep *sweep, double *accuracies)
{
    const struct curve *longest;
    size_t points = most_points(sweep, &longest);

    for (int kind = 0; kind < 2; kind++) {
        fprintf(script, "$end%d << EOD\n", kind);
        for (size_t i = 0; i < sweep->rates; i++) {
            const struct train_result *result = &sweep->results[(size_t)kind * sweep->rates + i];

            for (uint64_t s = 0; s < sweep->seeds; s++)
                accuracies[s] = points > 0 ? train_accuracy(&result->curves[s], points - 1) : 0;
            write_spread(script, (double)result->rate, accuracies, sweep->seeds);
        }
        fprintf(script, "EOD\n");
    }
}

/* Bands from the least to the most, below lines of the medians. */
static void write_plot(FILE *script, const char *name, const char *lines, const char *more)
{
    fprintf(script, "plot ");
    for (int kind = 1; kind >= 0; kind--)
        fprintf(script,
                "$%s%d using 1:3:4 with filledcurves fillcolor \"%s\" fillstyle transparent solid 0.2 noborder "
                "notitle, ",
                name, kind, colors[kind]);
    for (int kind = 0; kind < 2; kind++)
        fprintf(script, "$%s%d using 1:2 with %s linewidth 2.5%s linecolor \"%s\" title \"%s\"%s", name, kind, lines,
                styles[kind], colors[kind], names[kind], kind == 0 ? ", " : "");
    fprintf(script, "%s\n", more);
}

static void write_panels(FILE *script, const struct train_sweep *sweep, uint64_t steps)
{
    const size_t rates[2] = {sweep->base, sweep->compared};
    char target[128];

    snprintf(target, sizeof(target), ", %.6g with lines linewidth 1 dashtype 3 linecolor \"#404040\" title \"%.6g %%\"",
             100 * (double)sweep->target, 100 * (double)sweep->target);
    fprintf(script,
            "set xlabel \"steps\"\nset xrange [0:%llu]\nset key right center samplen 2\n"
            "set ylabel \"accuracy on held-out samples, %%\"\n",
            (unsigned long long)(steps + 1) / 2);
    for (int i = 0; i < 2; i++) {
        fprintf(script, "set title \"learning rate %g\"\n", (double)sweep->results[rates[i]].rate);
        write_plot(script, i == 0 ? "low" : "high", "lines", target);
        fprintf(script, "set ylabel \" \"\n");
    }
    fprintf(script,
            "set title \"accuracy after %llu steps\"\nset xlabel \"learning rate\"\nset logscale x\n"
            "set xrange [%.6g:%.6g]\nset key left center\nset xtics (",
            (unsigned long long)steps, (double)sweep->results[0].rate / 1.3,
            (double)sweep->results[sweep->rates - 1].rate * 1.3);
    for (size_t i = 0; i < sweep->rates; i++)
        fprintf(script, "%s%g", i > 0 ? ", " : "", (double)sweep->results[i].rate);
    fprintf(script, ")\n");
    write_plot(script, "end", "linespoints pointtype 7 pointsize 0.5", "");
}

void train_plot_script(FILE *script, const char *path, const struct train_sweep *sweep)
{
    double *accuracies = malloc((size_t)sweep->seeds * sizeof(*accuracies));
    const struct curve *longest;
    size_t points = most_points(sweep, &longest);

    if (!accuracies)
        return; /* gnuplot then draws nothing, which is found out */
    write_curves(script, sweep, sweep->base, "low", accuracies);
    write_curves(script, sweep, sweep->compared, "high", accuracies);
    write_ends(script, sweep, accuracies);
    free(accuracies);
    fprintf(script, "set terminal %s size 1000,340 background \"white\" font \"sans-serif,%s\"\n",
            ends_in(path, ".png") ? "pngcairo" : "svg", ends_in(path, ".png") ? "10" : "13");
    fprintf(script, "set multiplot layout 1,3 title \"");
    gnuplot_text(script, sweep->title);
    fprintf(script, "\"\nset grid linecolor \"#e0e0e0\"\nset border 3\nset tics nomirror out\nset yrange [0:100]\n"
                    "set ytics 20\nset xtics autofreq\n");
    write_panels(script, sweep, points > 0 ? longest->points[points - 1].step : 1);
    fprintf(script, "unset multiplot\n");
}
