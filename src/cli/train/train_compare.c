/* SPDX-License-Identifier: Apache-2.0 */
/* Training with and without batch norm, side by side. */
#include "cli/train/train.h"

#include "cli/gnuplot.h"
#include "cli/message.h"
#include "cli/train/model_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rates of a sweep, as parts of --rate; COMPARED is ten times that. */
static const float factors[] = {0.1f, 0.3f, 1, 3, 10, TRAIN_MOST_FACTOR};

enum { RATES = sizeof(factors) / sizeof(factors[0]), BASE = 2, COMPARED = 4, POINTS_AN_EPOCH = 25 };

/* Trains the network, which is open, at one rate from the start. */
static int run_rate(const struct train_options *o, struct trainer *trainer, const struct model *start, int is_plain,
                    float rate, struct curve *curve)
{
    uint64_t every = (trainer_steps(trainer) + POINTS_AN_EPOCH - 1) / POINTS_AN_EPOCH;

    show_progress("%s batch norm, seed %llu, rate %g", is_plain ? "without" : "with", (unsigned long long)trainer->seed,
                  (double)rate);
    trainer->rate = rate;
    network_upload(trainer->network, start->parameters, start->statistics, NULL);
    return trainer->session->is_failed ? -1 : trainer_run(trainer, o->epochs, every, curve, NULL, NULL);
}

/* One seed of one kind of network at all rates. The weights at the start and the batches are those of the other kind. */
static int run_seed(const struct train_options *o, struct trainer *trainer, struct train_kernels *kernels,
                    struct session *session, struct model *model, struct train_result *results, uint64_t s)
{
    const struct data_set *set = trainer->set;

    trainer->seed = o->seed + s;
    if (trainer_split(trainer, set, (double)o->held_out) != 0)
        return -1;
    network_initialize(&model->network, trainer->seed, model->parameters, model->statistics);
    session_release_buffers(session);
    trainer_open(trainer, session, kernels, &model->network);
    /* The plain network's products are of the same kinds. */
    if (s == 0 && !results[0].is_plain)
        train_warm_up(o, trainer);
    else if (s == 0)
        trainer_warm_up(trainer);
    for (int i = 0; i < RATES; i++)
        if (session->is_failed ||
            run_rate(o, trainer, model, results[i].is_plain, results[i].rate, &results[i].curves[s]) != 0)
            return -1;
    return 0;
}

static int run_kind(const struct train_options *o, struct trainer *trainer, struct train_kernels *kernels,
                    struct session *session, struct train_result *results)
{
    struct network_options shape = o->network;
    struct model model = {0};
    int status = STATUS_DONE;

    shape.is_plain = results[0].is_plain;
    if (network_build(&shape, &model.network) != 0 || model_allocate(&model) != 0)
        return STATUS_FAILED;
    for (uint64_t s = 0; s < o->seeds && status == STATUS_DONE; s++)
        if (run_seed(o, trainer, kernels, session, &model, results, s) != 0)
            status = STATUS_FAILED;
    clear_progress();
    model_free(&model);
    return status;
}

/* ---- what came of it ------------------------------------------------------------------------------------------ */

/* Medians over the seeds of one kind of network at one rate. */
struct medians {
    double steps, least_steps, most_steps; /* to the target; infinite where it is not reached */
    double accuracy;                       /* after the last step; 0 where training diverged */
    uint64_t diverged;                     /* how many seeds did */
};

static int find_medians(const struct train_sweep *sweep, const struct train_result *result, struct medians *medians)
{
    double *numbers = malloc((size_t)sweep->seeds * sizeof(*numbers));

    memset(medians, 0, sizeof(*medians));
    if (!numbers) {
        complain("out of memory");
        return -1;
    }
    for (uint64_t s = 0; s < sweep->seeds; s++) {
        const struct point *reached = curve_reaches(&result->curves[s], (double)sweep->target);

        numbers[s] = reached ? (double)reached->step : INFINITY;
    }
    medians->steps = train_median(numbers, (size_t)sweep->seeds);
    medians->least_steps = numbers[0];
    medians->most_steps = numbers[sweep->seeds - 1];
    for (uint64_t s = 0; s < sweep->seeds; s++) {
        const struct curve *curve = &result->curves[s];

        medians->diverged += curve->diverged > 0;
        numbers[s] = curve->diverged ? 0 : train_accuracy(curve, curve->count - 1);
    }
    medians->accuracy = train_median(numbers, (size_t)sweep->seeds);
    free(numbers);
    return 0;
}

static void print_steps(double steps, int width)
{
    if (isinf(steps))
        printf("%*s", width, "never");
    else
        printf("%*g", width, steps);
}

static void print_medians(const struct medians *medians)
{
    print_steps(medians->steps, 10);
    print_steps(medians->least_steps, 7);
    print_steps(medians->most_steps, 7);
    printf("%9.2f %%", 100 * medians->accuracy);
}

static int print_table(const struct train_options *o, const struct trainer *trainer, const struct train_sweep *sweep)
{
    struct medians medians[2 * RATES];
    const struct medians *base = &medians[BASE], *plain = &medians[RATES + BASE];
    char head[64];

    for (int i = 0; i < 2 * RATES; i++)
        if (find_medians(sweep, &sweep->results[i], &medians[i]) != 0)
            return STATUS_FAILED;
    printf("%s\n%s: %llu samples to train with, %llu held out; %llu steps of %llu; momentum %g\n\n", sweep->title,
           data_name(trainer->set), (unsigned long long)trainer->train_count,
           (unsigned long long)trainer->held_out_count, (unsigned long long)(trainer_steps(trainer) * o->epochs),
           (unsigned long long)o->batch, (double)o->momentum);
    snprintf(head, sizeof(head), "steps to %g %%", 100 * (double)o->target);
    printf("            batch norm                          without\n");
    printf("            %-18s after the last   %-18s after the last\n", head, head);
    printf("    rate    median  least   most   accuracy    median  least   most   accuracy\n");
    for (int i = 0; i < RATES; i++) {
        printf("%8g", (double)sweep->results[i].rate);
        print_medians(&medians[i]);
        print_medians(&medians[RATES + i]);
        if (medians[i].diverged + medians[RATES + i].diverged > 0)
            printf("   diverged: %llu, %llu", (unsigned long long)medians[i].diverged,
                   (unsigned long long)medians[RATES + i].diverged);
        printf("\n");
    }
    if (!isinf(base->steps) && !isinf(plain->steps))
        printf("\nat rate %g batch norm takes %.2f times the steps to %g %%\n", (double)o->rate,
               base->steps / plain->steps, 100 * (double)o->target);
    return STATUS_DONE;
}

static int draw_picture(const struct train_options *o, const struct train_sweep *sweep, struct whole_file *picture)
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

static void write_curves(const struct train_options *o, const struct train_sweep *sweep, FILE *csv)
{
    train_csv_head(csv);
    for (int i = 0; i < 2 * RATES; i++)
        for (uint64_t s = 0; s < sweep->seeds; s++)
            train_csv_curve(csv, sweep->results[i].is_plain, sweep->results[i].rate, o->seed + s,
                            &sweep->results[i].curves[s]);
}

/* What was found out is told in any case; curves are kept even where gnuplot fails. Files take their names together. */
static int write_results(const struct train_options *o, const struct trainer *trainer, const struct train_sweep *sweep)
{
    int status = print_table(o, trainer, sweep), is_open = 1, is_drawn = 0;
    struct whole_file picture = {0}, csv = {0}, *files[2];
    size_t count = 0;

    if (o->csv) {
        is_open = whole_file_open(o->csv, &csv) == STATUS_DONE;
        if (is_open) {
            files[count++] = &csv;
            write_curves(o, sweep, csv.stream);
        }
    }
    if (is_open)
        is_open = whole_file_open(o->compare, &picture) == STATUS_DONE;
    if (is_open)
        is_drawn = draw_picture(o, sweep, &picture) == STATUS_DONE;
    if (is_drawn)
        files[count++] = &picture;
    else if (is_open)
        whole_file_finish(&picture, 0);
    if (whole_files_finish(files, count, is_open) != STATUS_DONE || !is_drawn)
        status = STATUS_FAILED;
    return finish_output() == STATUS_DONE ? status : STATUS_FAILED;
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

static int run_sweep(const struct train_options *o, struct trainer *trainer, struct train_sweep *sweep)
{
    struct train_kernels kernels;
    struct session session;
    int status;

    if (train_session_open(o, &session, &kernels) != STATUS_DONE)
        return STATUS_FAILED;
    status = run_kind(o, trainer, &kernels, &session, sweep->results);
    if (status == STATUS_DONE)
        status = run_kind(o, trainer, &kernels, &session, sweep->results + RATES);
    train_session_close(&session, &kernels);
    return status;
}

int train_compare(const struct train_options *o, struct trainer *trainer)
{
    struct curve *curves = calloc((size_t)o->seeds * 2 * RATES, sizeof(*curves));
    struct train_result results[2 * RATES];
    struct train_sweep sweep = {
        .results = results, .rates = RATES, .seeds = o->seeds, .base = BASE, .compared = COMPARED, .target = o->target};
    struct network network;
    char text[128], title[256];
    int status = STATUS_FAILED;

    if (!curves) {
        complain("out of memory");
        return STATUS_FAILED;
    }
    for (int i = 0; i < 2 * RATES; i++) {
        results[i].is_plain = i >= RATES;
        results[i].rate = factors[i % RATES] * o->rate;
        results[i].curves = curves + (size_t)i * o->seeds;
    }
    if (network_build(&o->network, &network) == 0) {
        network_text(&network, text, sizeof(text));
        snprintf(title, sizeof(title),
                 "%.*s with and without batch norm, from the same weights: median and range of %llu seed%s",
                 (int)strcspn(text, ","), text, (unsigned long long)o->seeds, o->seeds == 1 ? "" : "s");
        sweep.title = title;
        status = run_sweep(o, trainer, &sweep);
    }
    if (status == STATUS_DONE)
        status = write_results(o, trainer, &sweep);
    for (size_t i = 0; i < (size_t)o->seeds * 2 * RATES; i++)
        curve_free(&curves[i]);
    free(curves);
    return status;
}
