/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/trainer.h"

#include "cli/message.h"
#include "cli/train/random.h"
#include "cli/train/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Streams of random numbers. */
enum { SPLIT_STREAM = 0, FIRST_EPOCH_STREAM = 1000000 };

uint64_t trainer_steps(const struct trainer *trainer)
{
    return trainer->train_count / trainer->batch;
}

static int split(struct trainer *trainer, uint64_t held_out)
{
    uint64_t count = trainer->set->count;
    struct random random;
    uint32_t *all;

    trainer->train = all = malloc((size_t)count * sizeof(*all));
    trainer->order = malloc((size_t)count * sizeof(*all));
    trainer->sums = malloc((size_t)count * sizeof(float));
    trainer->margins = malloc((size_t)count * sizeof(float));
    trainer->predicted = malloc((size_t)count * sizeof(*all));
    if (!all || !trainer->order || !trainer->sums || !trainer->margins || !trainer->predicted)
        return -1;
    for (uint64_t i = 0; i < count; i++)
        all[i] = (uint32_t)i;
    random_seed(&random, trainer->seed, SPLIT_STREAM);
    random_shuffle(&random, all, (size_t)count);
    trainer->train_count = count - held_out;
    trainer->held_out_count = held_out;
    trainer->held_out = all + trainer->train_count;
    return 0;
}

int trainer_split(struct trainer *trainer, const struct data_set *set, double held_out_fraction)
{
    uint64_t held_out = (uint64_t)((double)set->count * held_out_fraction + 0.5);

    trainer_free(trainer);
    trainer->set = set;
    if (held_out == 0 || held_out >= set->count) {
        complain(
            "--test-fraction %g holds out %llu of the %llu samples of '%s'; expected at least one to train with and "
            "one to hold out",
            held_out_fraction, (unsigned long long)held_out, (unsigned long long)set->count, set->path);
        return -1;
    }
    if (trainer->batch > set->count - held_out) {
        complain(
            "--batch %llu: '%s' has %llu samples to train with, besides %llu held out; expected a batch of no more",
            (unsigned long long)trainer->batch, set->path, (unsigned long long)(set->count - held_out),
            (unsigned long long)held_out);
        return -1;
    }
    if (split(trainer, held_out) == 0)
        return 0;
    complain("out of memory");
    return -1;
}

void trainer_free(struct trainer *trainer)
{
    free(trainer->train);
    free(trainer->order);
    free(trainer->sums);
    free(trainer->margins);
    free(trainer->predicted);
    trainer->train = trainer->order = trainer->predicted = NULL;
    trainer->sums = trainer->margins = NULL;
}

static void make_scores(struct trainer *trainer, struct train_scores *scores, clnorm_buffer labels, uint64_t count)
{
    scores->labels = labels;
    scores->sums = session_buffer(trainer->session, NULL, count);
    scores->margins = session_buffer(trainer->session, NULL, count);
    scores->predicted = session_buffer(trainer->session, NULL, count);
}

void trainer_open(struct trainer *trainer, struct session *session, struct train_kernels *kernels,
                  struct network *network)
{
    const struct data_set *set = trainer->set;
    clnorm_buffer labels;

    trainer->session = session;
    trainer->kernels = kernels;
    trainer->network = network;
    trainer->values = session_buffer(session, set->values, set->count * set->length);
    labels = session_buffer(session, set->labels, set->count);
    trainer->train_order = session_buffer(session, trainer->train, trainer->train_count);
    trainer->held_out_order = session_buffer(session, trainer->held_out, trainer->held_out_count);
    make_scores(trainer, &trainer->train_scores, labels, trainer->train_count);
    make_scores(trainer, &trainer->held_out_scores, labels, trainer->held_out_count);
    network_open(network, session, trainer->ranks ? trainer->ranks->mine + (trainer->ranks->mine == 0) : trainer->batch,
                 trainer->held_out_count);
    if (trainer->ranks)
        ranks_open(trainer->ranks, network);
}

/* ---- steps ---------------------------------------------------------------------------------------------------- */

static void take_gradients(struct trainer *trainer, const struct train_rows *batch)
{
    struct network *network = trainer->network;
    struct network_layer *last = network_last(network);
    struct train_rows mine = *batch, *rows = &mine;

    if (trainer->ranks) {
        mine.first += trainer->ranks->first;
        mine.count = trainer->ranks->mine;
    }

    train_gather(trainer->session, trainer->kernels, rows, network->length, trainer->values, network->src);
    if (trainer->ranks)
        ranks_train_forward(trainer->ranks, network);
    else
        network_train_forward(network, rows->count);
    train_softmax(trainer->session, trainer->kernels, rows, network->classes, 1.0f / (float)batch->count, last->dst,
                  last->diff_dst, &trainer->train_scores);
    if (trainer->ranks)
        ranks_backward(trainer->ranks, network);
    else
        network_backward(network, rows->count);
}

/* Step number `step` of the epoch. */
static void take_step(struct trainer *trainer, uint64_t step)
{
    struct network *network = trainer->network;
    struct train_rows rows = {trainer->train_order, step * trainer->batch, trainer->batch};

    take_gradients(trainer, &rows);
    train_descend(trainer->session, trainer->kernels, network->parameter_count, trainer->rate, trainer->momentum,
                  network->gradients, network->velocity, network->parameters);
}

static void infer_held_out(struct trainer *trainer)
{
    struct network *network = trainer->network;
    struct network_layer *last = network_last(network);

    for (uint64_t first = 0; first < trainer->held_out_count; first += network->chunk) {
        uint64_t left = trainer->held_out_count - first;
        struct train_rows rows = {trainer->held_out_order, first, left < network->chunk ? left : network->chunk};

        train_gather(trainer->session, trainer->kernels, &rows, network->length, trainer->values, network->src);
        network_infer(network, rows.count);
        train_softmax(trainer->session, trainer->kernels, &rows, network->classes, 1, last->dst, last->diff_dst,
                      &trainer->held_out_scores);
    }
}

void trainer_warm_up(struct trainer *trainer)
{
    struct train_rows rows = {trainer->train_order, 0, trainer->batch};

    take_gradients(trainer, &rows);
    infer_held_out(trainer);
    if (!trainer->session->is_failed)
        session_expect(trainer->session, clFinish(trainer->session->queue), "the device failed");
}

/* ---- what came of them ---------------------------------------------------------------------------------------- */

/* Mean loss and accuracy of count samples from number first on, in the order of `order`; is_divided: each rank has those of its own. */
static void take_scores(struct trainer *trainer, const struct train_scores *scores, const uint32_t *order,
                        uint64_t first, uint64_t count, int is_divided, double *loss, double *accuracy)
{
    clnorm_buffer sums = scores->sums, margins = scores->margins, predicted = scores->predicted;
    uint64_t correct = 0;
    double sum = 0;

    sums.offset = margins.offset = predicted.offset = first;
    session_download(trainer->session, sums, trainer->sums, count);
    session_download(trainer->session, margins, trainer->margins, count);
    session_download(trainer->session, predicted, trainer->predicted, count);
    if (is_divided) {
        ranks_gather(trainer->ranks, trainer->session, trainer->sums, count, trainer->batch);
        ranks_gather(trainer->ranks, trainer->session, trainer->margins, count, trainer->batch);
        ranks_gather(trainer->ranks, trainer->session, trainer->predicted, count, trainer->batch);
    }
    if (trainer->session->is_failed)
        return;
    for (uint64_t i = 0; i < count; i++) {
        sum += log((double)trainer->sums[i]) - (double)trainer->margins[i];
        correct += trainer->predicted[i] == trainer->set->labels[order[first + i]];
    }
    *loss = sum / (double)count;
    *accuracy = (double)correct / (double)count;
}

static int add_point(struct curve *curve, const struct point *point)
{
    if (curve->count == curve->room) {
        size_t room = curve->room ? 2 * curve->room : 64;
        struct point *points = realloc(curve->points, room * sizeof(*points));

        if (!points) {
            complain("out of memory");
            return -1;
        }
        curve->points = points;
        curve->room = room;
    }
    curve->points[curve->count++] = *point;
    return 0;
}

/* Adds a point after the steps [from, to) of epoch number epoch, from 0 on. */
static int take_point(struct trainer *trainer, uint64_t epoch, uint64_t from, uint64_t to, struct curve *curve)
{
    uint64_t steps = trainer_steps(trainer);
    struct point point = {.epoch = epoch + (to == steps), .step = epoch * steps + to};

    take_scores(trainer, &trainer->train_scores, trainer->order, from * trainer->batch, (to - from) * trainer->batch,
                trainer->ranks != NULL, &point.loss, &point.accuracy);
    infer_held_out(trainer);
    take_scores(trainer, &trainer->held_out_scores, trainer->held_out, 0, trainer->held_out_count, 0,
                &point.held_out_loss, &point.held_out_accuracy);
    if (trainer->session->is_failed)
        return -1;
    if (!isfinite(point.loss) || !isfinite(point.held_out_loss)) {
        curve->diverged = epoch + 1;
        return 0;
    }
    return add_point(curve, &point);
}

static int run_epoch(struct trainer *trainer, uint64_t epoch, uint64_t every, struct curve *curve)
{
    uint64_t steps = trainer_steps(trainer), from = 0;
    struct random random;

    memcpy(trainer->order, trainer->train, (size_t)trainer->train_count * sizeof(*trainer->order));
    random_seed(&random, trainer->seed, FIRST_EPOCH_STREAM + epoch);
    random_shuffle(&random, trainer->order, (size_t)trainer->train_count);
    session_upload(trainer->session, trainer->train_order, trainer->order, trainer->train_count);
    for (uint64_t step = 1; step <= steps && !curve->diverged; step++) {
        take_step(trainer, step - 1);
        if (step < steps && (every == 0 || step % every != 0))
            continue;
        if (take_point(trainer, epoch, from, step, curve) != 0)
            return -1;
        from = step;
    }
    return 0;
}

int trainer_run(struct trainer *trainer, uint64_t epochs, uint64_t every, struct curve *curve,
                trainer_callback callback, void *user)
{
    for (uint64_t epoch = trainer->epoch; epoch < epochs; epoch++) {
        if (run_epoch(trainer, epoch, every, curve) != 0)
            return -1;
        if (curve->diverged)
            return 0;
        if (callback && callback(user, &curve->points[curve->count - 1]) != 0)
            return -1;
    }
    return 0;
}

/* ---- curves --------------------------------------------------------------------------------------------------- */

const struct point *curve_reaches(const struct curve *curve, double accuracy)
{
    for (size_t i = 0; i < curve->count; i++)
        if (curve->points[i].held_out_accuracy >= accuracy)
            return &curve->points[i];
    return NULL;
}

const struct point *curve_best(const struct curve *curve)
{
    const struct point *best = NULL;

    for (size_t i = 0; i < curve->count; i++)
        if (!best || curve->points[i].held_out_accuracy > best->held_out_accuracy)
            best = &curve->points[i];
    return best;
}

void curve_free(struct curve *curve)
{
    free(curve->points);
    memset(curve, 0, sizeof(*curve));
}
