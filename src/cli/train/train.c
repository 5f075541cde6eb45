/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/train.h"

#include "cli/commands.h"
#include "cli/form.h"
#include "cli/gnuplot.h"
#include "cli/message.h"
#include "cli/train/model_file.h"
#include "cli/check/record.h"
#include "cli/files/whole_file.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- one network ---------------------------------------------------------------------------------------------- */

/* What an epoch's end needs. */
struct progress {
    const struct train_options *options;
    struct trainer *trainer;
    struct model *model;
    const struct curve *curve;
    struct ranks *ranks; /* of several; else NULL */
    uint64_t kept;       /* the epoch whose model is in the file; 0: none of them */
    double start;        /* of the epoch */
    int has_diverged, has_head;
};

/* Adds the model's file to those of an epoch. */
static int write_model(const struct train_options *o, const struct model *model, struct whole_file *file)
{
    struct npy_error error;

    if (whole_file_open(o->out, file) != STATUS_DONE)
        return STATUS_FAILED;
    if (model_write(file->stream, o->out, model, &error) == 0)
        return STATUS_DONE;
    complain("option --out: %s", error.text);
    return STATUS_FAILED;
}

static int write_curve(const struct train_options *o, const struct curve *curve, struct whole_file *file)
{
    if (whole_file_open(o->csv, file) != STATUS_DONE)
        return STATUS_FAILED;
    train_csv_head(file->stream);
    train_csv_curve(file->stream, o->network.is_plain, o->rate, o->seed, curve);
    return STATUS_DONE;
}

/* The epoch's model, and after the last one the curve: they take their names together. Returns 0, or -1 after a message. */
static int write_files(const struct progress *p, int is_last)
{
    if (p->ranks && p->ranks->rank > 0)
        return 0;
    const struct train_options *o = p->options;
    struct whole_file model = {0}, csv = {0}, *const both[2] = {&model, &csv}, *files[2];
    int is_good = 1;
    size_t count = 0;

    if (o->out)
        is_good = write_model(o, p->model, &model) == STATUS_DONE;
    if (o->csv && is_last && is_good)
        is_good = write_curve(o, p->curve, &csv) == STATUS_DONE;
    for (int i = 0; i < 2; i++)
        if (both[i]->temporary)
            files[count++] = both[i];
    if (whole_files_finish(files, count, is_good) == STATUS_DONE && is_good)
        return 0;
    if (o->out)
        complain("option --out: '%s' is not written; a file that was there stays as it was", o->out);
    return -1;
}

static void show_epoch(const struct progress *p, const struct point *point, double seconds, double share)
{
    const double samples = (double)(trainer_steps(p->trainer) * p->trainer->batch) / seconds;

    if (!p->has_head)
        fprintf(stderr, "epoch      loss  accuracy  held-out   samples/s%s\n", p->ranks ? "  a rank  exchanges" : "");
    fprintf(stderr, "%5llu %9.4f %7.2f %% %7.2f %% %11.0f", (unsigned long long)point->epoch, point->loss,
            100 * point->accuracy, 100 * point->held_out_accuracy, samples);
    if (p->ranks)
        fprintf(stderr, " %7.0f %8.0f %%", samples / p->ranks->count, 100 * share);
    fputc('\n', stderr);
}

/* Shows the epoch and writes its model. */
static int finish_epoch(void *user, const struct point *point)
{
    struct progress *p = user;
    double seconds = now() - p->start, share = 0;

    clear_progress();
    if (p->ranks)
        share = ranks_exchange_share(p->ranks);
    if (!p->ranks || p->ranks->rank == 0)
        show_epoch(p, point, seconds, share);
    network_download(&p->model->network, p->model->parameters, p->model->statistics, p->model->velocity);
    p->model->epoch = point->epoch;
    if (p->trainer->session->is_failed)
        return -1;
    /* A last step can spoil weights after finite losses. */
    p->has_diverged = !model_is_finite(p->model);
    if (p->has_diverged)
        return -1;
    if (write_files(p, point->epoch == p->options->epochs) != 0)
        return -1;
    p->kept = point->epoch;
    p->has_head = 1;
    p->start = now();
    return 0;
}

static void tell_divergence(const struct train_options *o, const struct progress *p, uint64_t epoch)
{
    char kept[512] = "";

    if (o->out && p->kept > 0)
        snprintf(kept, sizeof(kept), "; '%.400s' holds the model of epoch %llu", o->out, (unsigned long long)p->kept);
    else if (o->out)
        snprintf(kept, sizeof(kept), "; '%.400s' was not written", o->out);
    complain("training diverged in epoch %llu at rate %g: loss or weights are not finite; expected a smaller --rate%s",
             (unsigned long long)epoch, (double)o->rate, kept);
}

static const struct train_options defaults = {.batch = 64,
                                              .epochs = 10,
                                              .seed = 1,
                                              .seeds = 5,
                                              .rate = 0.1f,
                                              .momentum = 0.9f,
                                              .held_out = 0.2f,
                                              .target = 0.95f,
                                              .timeout = 60};

/* Whether this is `clnorm train --reproducible`, whose weights are on record. */
static int is_on_record(const struct train_options *o)
{
    const struct network_options *n = &o->network;

    return n->is_reproducible && n->type == CLNORM_FLOAT32 && !o->in && !n->is_plain && n->conv_count == 0 &&
           n->hidden_count == 2 && n->hidden[0] == 128 && n->hidden[1] == 64 && o->batch == defaults.batch &&
           o->epochs == defaults.epochs && o->seed == defaults.seed && o->rate == defaults.rate &&
           o->momentum == defaults.momentum && o->held_out == defaults.held_out;
}

static void print_digest(const struct train_options *o, const struct model *model)
{
    uint64_t digest = model_digest(model);
    char words[128] = "";

    if (is_on_record(o))
        record_answer("train", digest, words, sizeof(words));
    printf("weights digest %016llx%s\n", (unsigned long long)digest, words);
}

static void print_summary(const struct train_options *o, const struct trainer *trainer, const struct model *model,
                          const struct curve *curve)
{
    const struct point *last = &curve->points[curve->count - 1], *best = curve_best(curve);
    char text[128];

    network_text(&model->network, text, sizeof(text));
    printf("network   %s, %llu weights\n", text, (unsigned long long)model->network.weight_count);
    if (o->network.type != CLNORM_FLOAT32)
        printf("storage   %s of what is kept of samples; weights float32\n", type_name(o->network.type));
    printf("data      %s: %llu samples to train with, %llu held out\n", data_name(trainer->set),
           (unsigned long long)trainer->train_count, (unsigned long long)trainer->held_out_count);
    printf("training  %llu epochs of %llu steps of %llu, rate %g, momentum %g, seed %llu\n",
           (unsigned long long)o->epochs, (unsigned long long)trainer_steps(trainer), (unsigned long long)o->batch,
           (double)o->rate, (double)o->momentum, (unsigned long long)o->seed);
    printf("held-out  %.2f %% after the last epoch; best %.2f %%, after epoch %llu\n", 100 * last->held_out_accuracy,
           100 * best->held_out_accuracy, (unsigned long long)best->epoch);
    if (o->out)
        printf("model     %s\n", o->out);
    print_digest(o, model);
}

/* Trains; the curve and the model are what came of it. */
static int run_training(const struct train_options *o, struct trainer *trainer, struct model *model,
                        struct ranks *ranks, struct curve *curve)
{
    struct progress progress = {.options = o, .trainer = trainer, .model = model, .curve = curve};
    struct train_kernels kernels;
    struct session session;
    int status = STATUS_FAILED;

    if (train_session_open(o, &session, &kernels) != STATUS_DONE)
        return STATUS_FAILED;
    if (ranks->count > 1) {
        progress.ranks = trainer->ranks = ranks;
        ranks_divide(ranks, &session, &model->network, o->batch);
    }
    trainer_open(trainer, &session, &kernels, &model->network);
    train_warm_up(o, trainer);
    if (!session.is_failed)
        network_upload(&model->network, model->parameters, model->statistics, model->velocity);
    progress.start = now();
    if (progress.ranks && !session.is_failed)
        ranks_exchange_share(ranks); /* from here on */
    if (!session.is_failed && trainer_run(trainer, o->epochs, 0, curve, finish_epoch, &progress) == 0)
        status = STATUS_DONE;
    if (curve->diverged || progress.has_diverged) {
        tell_divergence(o, &progress, curve->diverged ? curve->diverged : progress.kept + 1);
        status = STATUS_FAILED;
    }
    ranks_leave(ranks, status != STATUS_DONE);
    train_session_close(&session, &kernels);
    return status;
}

static int train_one(const struct train_options *o, struct trainer *trainer, struct model *model, struct ranks *ranks)
{
    struct curve curve = {0};
    const int is_first = ranks->rank == 0;
    int status = run_training(o, trainer, model, ranks, &curve);

    if (status == STATUS_DONE && is_first) {
        print_summary(o, trainer, model, &curve);
        status = finish_output();
    }
    curve_free(&curve);
    return status;
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

static int read_data(const struct train_options *o, struct data_set *set)
{
    if (!o->in)
        return data_read_digits(set);
    return data_read(o->in, set) || data_read_labels(o->labels, DATA_MOST_CLASSES, set) ? -1 : 0;
}

/* Goes on where a model was left. */
static int resume(const struct train_options *o, struct trainer *trainer, struct model *model)
{
    struct npy_error error;
    struct model from;
    int status = STATUS_FAILED;

    if (model_read(o->resume, &from, &error) != 0) {
        complain("option --resume: %s", error.text);
        return STATUS_FAILED;
    }
    if (from.epoch == 0)
        complain("option --resume: '%s' says nothing of its training; expected a model written by clnorm train --out",
                 o->resume);
    else if (!model_is_alike(&from.network, &model->network))
        complain(
            "option --resume: '%s' is of another network; expected the layers that --conv, --hidden and the data make",
            o->resume);
    else if (from.factor != model->factor)
        complain(
            "option --resume: '%s' multiplies samples by %.9g, these would be by %.9g; expected the same data and seed",
            o->resume, (double)from.factor, (double)model->factor);
    else if (from.epoch >= o->epochs)
        complain("option --resume: '%s' has had %llu epochs; expected more of --epochs, which is %llu", o->resume,
                 (unsigned long long)from.epoch, (unsigned long long)o->epochs);
    else
        status = STATUS_DONE;
    if (status == STATUS_DONE) {
        memcpy(model->parameters, from.parameters, (size_t)model->network.parameter_count * sizeof(float));
        memcpy(model->statistics, from.statistics, (size_t)model->network.statistic_count * sizeof(float));
        memcpy(model->velocity, from.velocity, (size_t)model->network.parameter_count * sizeof(float));
        trainer->epoch = from.epoch;
    }
    model_free(&from);
    return status;
}

static int run(struct train_options *o, struct data_set *set, struct trainer *trainer, struct ranks *ranks)
{
    struct model model = {0};
    int status = STATUS_FAILED;

    if (read_data(o, set) != 0 || trainer_split(trainer, set, (double)o->held_out) != 0 ||
        train_find_image(o, set, o->network.image) != STATUS_DONE)
        return STATUS_FAILED;
    if (set->classes < 2) {
        complain("'%s' has labels of one class alone; expected two classes or more", set->label_path);
        return STATUS_FAILED;
    }
    o->network.classes = set->classes;
    data_scale(set, data_unit_factor(set, trainer->train, trainer->train_count));
    if (o->compare)
        return train_compare(o, trainer);
    if (network_build(&o->network, &model.network) == 0 && model_allocate(&model) == 0) {
        model.factor = set->factor;
        network_initialize(&model.network, o->seed, model.parameters, model.statistics);
        status = o->resume ? resume(o, trainer, &model) : STATUS_DONE;
        if (status == STATUS_DONE)
            status = train_one(o, trainer, &model, ranks);
    }
    model_free(&model);
    return status;
}

/* What several ranks cannot do together. */
static int check_ranks(const struct train_options *o, const struct ranks *ranks)
{
    if (ranks->count < 2 || (o->network.is_reproducible && !o->network.is_plain && !o->compare))
        return STATUS_DONE;
    if (ranks->rank == 0)
        complain("train: %d ranks train one network with --reproducible, batch norm and no --compare; expected that",
                 ranks->count);
    return STATUS_FAILED;
}

int command_train(int count, char *const *arguments, int is_verbose)
{
    struct train_options o = defaults;
    struct trainer trainer = {0};
    struct data_set set = {0};
    struct npy_error error;
    struct ranks ranks;
    int status;

    o.is_verbose = is_verbose;
    status = train_read_options(count, arguments, &o);
    if (status != STATUS_DONE || o.is_help)
        return status;
    /* Whether files can be written is found out before the time is spent. */
    if (o.out && npz_check(&error) != 0) {
        complain("option --out: %s", error.text);
        return STATUS_FAILED;
    }
    if (whole_file_check("out", o.out) != STATUS_DONE || whole_file_check("csv", o.csv) != STATUS_DONE ||
        whole_file_check("compare", o.compare) != STATUS_DONE)
        return STATUS_FAILED;
    if (o.compare && gnuplot_find("compare") != STATUS_DONE)
        return STATUS_FAILED;
    trainer.seed = o.seed;
    trainer.batch = o.batch;
    trainer.momentum = o.momentum;
    trainer.rate = o.rate;
    if (ranks_join(&ranks) != 0)
        return STATUS_FAILED;
    ranks.timeout = (double)o.timeout;
    status = check_ranks(&o, &ranks);
    if (status == STATUS_DONE)
        status = run(&o, &set, &trainer, &ranks);
    if (status != STATUS_DONE) /* before others were met */
        ranks_leave(&ranks, 1);
    trainer_free(&trainer);
    data_free(&set);
    return status;
}
