/* SPDX-License-Identifier: Apache-2.0 */
/* Training with and without batch norm, side by side. */
#include "train.h"

#include "gnuplot.h"
#include "message.h"
#include "model_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rates of a sweep, as parts of --rate; COMPARED is ten times that. */
static const float factors[] = {0.1f, 0.3f, 1, 3, 10, 30};

enum { RATES = sizeof(factors) / sizeof(factors[0]), BASE = 2, COMPARED = 4, POINTS_AN_EPOCH = 25 };

static const char *kind_name(int is_plain)
{
    return is_plain ? "without" : "batch-norm";
}

/* Trains the network, which is open, at one rate from the start. */
static int run_rate(const struct train_options *o, struct trainer *trainer, const struct model *start,
                    struct train_result *result)
{
    uint64_t every = (trainer_steps(trainer) + POINTS_AN_EPOCH - 1) / POINTS_AN_EPOCH;
    const struct point *last;

    show_progress("training %s at rate %g", result->is_plain ? "without batch norm" : "with batch norm",
                  (double)result->rate);
    trainer->rate = result->rate;
    network_upload(trainer->network, start->parameters, start->statistics);
    if (trainer_run(trainer, o->epochs, every, &result->curve, NULL, NULL) != 0)
        return -1;
    clear_progress();
    last = result->curve.count > 0 ? &result->curve.points[result->curve.count - 1] : NULL;
    if (result->curve.diverged)
        fprintf(stderr, "%-11s rate %-8g diverged in epoch %llu\n", kind_name(result->is_plain), (double)result->rate,
                (unsigned long long)result->curve.diverged);
    else
        fprintf(stderr, "%-11s rate %-8g loss %-10.4f held-out accuracy %.2f %%\n", kind_name(result->is_plain),
                (double)result->rate, last->loss, 100 * last->held_out_accuracy);
    return 0;
}

/* All rates of one kind of network. The weights at the start are the same for both kinds. */
static int run_kind(const struct train_options *o, struct trainer *trainer, struct train_kernels *kernels,
                    struct session *session, struct model *model, struct train_result *results)
{
    int status = STATUS_FAILED;

    if (model_allocate(model) != 0)
        return STATUS_FAILED;
    network_initialize(&model->network, o->seed, model->parameters, model->statistics);
    session_release_buffers(session);
    trainer_open(trainer, session, kernels, &model->network);
    trainer_warm_up(trainer);
    for (int i = 0; i < RATES; i++) {
        if (session->is_failed || run_rate(o, trainer, model, &results[i]) != 0)
            break;
        status = i + 1 == RATES ? STATUS_DONE : STATUS_FAILED;
    }
    model_free(model);
    return status;
}

/* ---- what came of it ------------------------------------------------------------------------------------------ */

static void print_cell(const struct curve *curve, float target)
{
    const struct point *reached = curve_reaches(curve, (double)target);

    if (reached)
        printf("%12llu", (unsigned long long)reached->step);
    else
        printf("%12s", "never");
}

static void print_end(const struct curve *curve)
{
    if (curve->diverged)
        printf("%12s", "diverged");
    else
        printf("%10.2f %%", 100 * curve->points[curve->count - 1].held_out_accuracy);
}

static void print_table(const struct train_options *o, const struct trainer *trainer, const struct train_sweep *sweep)
{
    const struct curve *base[2] = {&sweep->results[BASE].curve, &sweep->results[RATES + BASE].curve};
    const struct point *normalized = curve_reaches(base[0], (double)o->target),
                       *plain = curve_reaches(base[1], (double)o->target);

    printf("%s\n", sweep->title);
    printf("%llu samples to train with, %llu held out; %llu steps of %llu; momentum %g, seed %llu\n\n",
           (unsigned long long)trainer->train_count, (unsigned long long)trainer->held_out_count,
           (unsigned long long)(trainer_steps(trainer) * o->epochs), (unsigned long long)o->batch, (double)o->momentum,
           (unsigned long long)o->seed);
    printf("            steps to %5.1f %% held-out     accuracy after the last step\n", 100 * (double)o->target);
    printf("    rate      batch norm     without      batch norm     without\n");
    for (int i = 0; i < RATES; i++) {
        printf("%8g    ", (double)sweep->results[i].rate);
        print_cell(&sweep->results[i].curve, o->target);
        print_cell(&sweep->results[RATES + i].curve, o->target);
        printf("    ");
        print_end(&sweep->results[i].curve);
        print_end(&sweep->results[RATES + i].curve);
        printf("\n");
    }
    if (normalized && plain)
        printf("\nat rate %g batch norm takes %.2f times the steps to %.1f %%\n", (double)o->rate,
               (double)normalized->step / (double)plain->step, 100 * (double)o->target);
}

static int write_picture(const struct train_options *o, const struct train_sweep *sweep, struct whole_file *picture)
{
    FILE *script = gnuplot_script();
    int status;

    if (!script)
        return STATUS_FAILED;
    train_plot_script(script, o->compare, sweep);
    status = gnuplot_run(script, picture);
    fclose(script);
    return status;
}

static int write_results(const struct train_options *o, const struct trainer *trainer, const struct train_sweep *sweep,
                         struct whole_file *csv, struct whole_file *picture)
{
    if (o->csv) {
        train_csv_head(csv->stream);
        for (size_t i = 0; i < sweep->count; i++)
            train_csv_curve(csv->stream, kind_name(sweep->results[i].is_plain), sweep->results[i].rate,
                            &sweep->results[i].curve);
    }
    print_table(o, trainer, sweep);
    return write_picture(o, sweep, picture);
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

static int run_sweep(const struct train_options *o, struct trainer *trainer, struct train_sweep *sweep)
{
    struct train_kernels kernels;
    struct session session;
    int status = STATUS_FAILED;

    if (train_session_open(o, &session, &kernels) != STATUS_DONE)
        return STATUS_FAILED;
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        struct model model = {0};
        struct network_options shape = o->network;

        shape.is_plain = is_plain;
        status = network_build(&shape, &model.network) == 0
                     ? run_kind(o, trainer, &kernels, &session, &model, sweep->results + is_plain * RATES)
                     : STATUS_FAILED;
        if (status != STATUS_DONE)
            break;
    }
    train_session_close(&session, &kernels);
    return status;
}

int train_compare(const struct train_options *o, struct trainer *trainer)
{
    struct train_result results[2 * RATES] = {{0}};
    struct train_sweep sweep = {.results = results, .count = 2 * RATES, .target = o->target};
    struct whole_file csv = {0}, picture = {0};
    struct network network;
    char text[128], title[256];
    int status;

    if (gnuplot_find("compare") != STATUS_DONE || network_build(&o->network, &network) != 0)
        return STATUS_FAILED;
    for (int i = 0; i < 2 * RATES; i++) {
        results[i].is_plain = i >= RATES;
        results[i].rate = factors[i % RATES] * o->rate;
    }
    sweep.base = results[BASE].rate;
    sweep.compared = results[COMPARED].rate;
    network_text(&network, text, sizeof(text));
    snprintf(title, sizeof(title), "%.*s: the same weights and batches, with and without batch norm",
             (int)strcspn(text, ","), text);
    sweep.title = title;
    status = whole_file_open(o->compare, &picture);
    if (status == STATUS_DONE && o->csv && whole_file_open(o->csv, &csv) != STATUS_DONE) {
        whole_file_finish(&picture, 0);
        status = STATUS_FAILED;
    }
    if (status != STATUS_DONE)
        return status;
    status = run_sweep(o, trainer, &sweep);
    if (status == STATUS_DONE)
        status = write_results(o, trainer, &sweep, &csv, &picture);
    if (o->csv && whole_file_finish(&csv, status == STATUS_DONE) != STATUS_DONE)
        status = STATUS_FAILED;
    if (whole_file_finish(&picture, status == STATUS_DONE) != STATUS_DONE)
        status = STATUS_FAILED;
    for (int i = 0; i < 2 * RATES; i++)
        curve_free(&results[i].curve);
    return status == STATUS_DONE ? finish_output() : status;
}
