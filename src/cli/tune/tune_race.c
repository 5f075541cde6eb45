/* SPDX-License-Identifier: Apache-2.0 */
/* Two contexts against each other: in turn, in one process, on the same buffers. */
#include "cli/tune/tune.h"

#include "cli/bench/bench_time.h"
#include "cli/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PAIRS = 201 };

/* How many pairs of runs a cell gets: at least so many, and more while there is time and there are fewer than the most. */
static const struct effort {
    unsigned least, most;
    double seconds;
} efforts[2][2] = {
    {{5, 51, 0.03}, {15, MOST_PAIRS, 0.15}}, /* TUNE_SCREEN, TUNE_FULL */
    {{3, 15, 0.004}, {7, 51, 0.03}},         /* --quick */
};

static int expect(struct tune *tune, int status)
{
    session_expect(&tune->device.session, status, "a timed run failed");
    return tune->device.session.is_failed ? -1 : 0;
}

/*
 * One run that does not count, so that caches and threads are as this context leaves them, and one that does: the call, and a look
 * at its result. The call alone would be fastest when it stores past the caches, where the next layer then has to wait for
 * memory.
 */
static int run_timed(struct tune *tune, clnorm_context *context, enum bench_work op, double *seconds)
{
    int status = CLNORM_SUCCESS;

    tune->device.context = context;
    for (int turn = 0; turn < 2 && status == CLNORM_SUCCESS; turn++) {
        double start = bench_now();

        status = bench_enqueue(&tune->device, tune->device.session.queue, op);
        if (status == CLNORM_SUCCESS)
            status = bench_enqueue_reader(&tune->device, tune->device.session.queue);
        if (status == CLNORM_SUCCESS)
            status = clFinish(tune->device.session.queue);
        *seconds = bench_now() - start;
    }
    return expect(tune, status);
}

/* The workspace grows to what either context needs. */
static int make_workspace(struct tune *tune, clnorm_context *a, clnorm_context *b, enum bench_work op)
{
    clnorm_context *const contexts[] = {a, b, tune->device.session.context};

    for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++) {
        for (int turn = 0; turn < 2; turn++) {
            /* The statistics are made by forward training, whatever is timed. */
            enum clnorm_operation operation = turn ? CLNORM_FORWARD_TRAINING : (enum clnorm_operation)op;
            size_t bytes = 0;

            if (expect(tune, clnorm_get_workspace_bytes(contexts[i], operation, &tune->device.desc, &bytes)) != 0)
                return -1;
            if (bytes <= tune->workspace_bytes)
                continue;
            /* Twice as much at least: a session holds so many buffers and no more. */
            tune->workspace_bytes = bytes > 2 * tune->workspace_bytes ? bytes : 2 * tune->workspace_bytes;
            tune->device.workspace = session_buffer(&tune->device.session, NULL, (tune->workspace_bytes + 3) / 4);
        }
    }
    return tune->device.session.is_failed ? -1 : 0;
}

/* Sizes, layout, workspace, and the statistics that inference and backward want. */
static int enter_cell(struct tune *tune, const struct tune_cell *cell, clnorm_context *a, clnorm_context *b)
{
    bench_device_take(&tune->device, cell->shape);
    tune->device.desc.layout = cell->layout;
    return make_workspace(tune, a, b, cell->op) == 0 ? bench_device_statistics(&tune->device) : -1;
}

/* The median, and the standard error that its deviations' median stands for in normal noise. */
static void sum_up(double *gains, unsigned count, struct tune_cell *cell)
{
    cell->gain = bench_median(gains, count);
    for (unsigned i = 0; i < count; i++)
        gains[i] = fabs(gains[i] - cell->gain);
    cell->error = 1.4826 * 1.2533 * bench_median(gains, count) / sqrt(count);
}

static int race_cell(struct tune *tune, struct tune_cell *cell, clnorm_context *a, clnorm_context *b,
                     const struct effort *effort)
{
    double gains[MOST_PAIRS], start, times[2];
    unsigned count = 0;

    if (enter_cell(tune, cell, a, b) != 0)
        return -1;
    /* Kernels are compiled, pages faulted in. */
    if (run_timed(tune, a, cell->op, &times[0]) != 0 || run_timed(tune, b, cell->op, &times[1]) != 0)
        return -1;
    start = bench_now();
    while (count < effort->most && (count < effort->least || bench_now() - start < effort->seconds)) {
        for (unsigned turn = 0; turn < 2; turn++) {
            unsigned which = (turn + count) % 2;

            if (run_timed(tune, which ? b : a, cell->op, &times[which]) != 0)
                return -1;
        }
        gains[count++] = log(times[0] / times[1]);
    }
    sum_up(gains, count, cell);
    cell->is_timed = 1;
    return 0;
}

int tune_race(struct tune *tune, clnorm_context *a, clnorm_context *b, enum tune_effort effort)
{
    const double hopeless = log(0.75);

    for (size_t i = 0; i < tune->cell_count; i++) {
        struct tune_cell *cell = &tune->cells[i];

        cell->gain = cell->error = 0;
        cell->is_timed = 0;
    }
    for (size_t i = 0; i < tune->cell_count; i++) {
        struct tune_cell *cell = &tune->cells[i];

        if (!cell->is_changed)
            continue;
        if (bench_now() > tune->end) {
            tune->late = 1;
            return 0;
        }
        if (race_cell(tune, cell, a, b, &efforts[tune->options->is_quick][effort]) != 0)
            return -1;
        if (effort == TUNE_SCREEN && cell->gain < hopeless)
            return 0;
    }
    return 1;
}

double tune_gain(const struct tune *tune, double *error)
{
    double gain = 0, square = 0, count = 0;

    for (size_t i = 0; i < tune->cell_count; i++) {
        if (!tune->cells[i].is_timed)
            continue;
        gain += tune->cells[i].gain;
        square += tune->cells[i].error * tune->cells[i].error;
        count++;
    }
    *error = count > 0 ? 3 * sqrt(square) / count : 0;
    return count > 0 ? gain / count : 0;
}

/* ---- bits ---- */

/* What the call is to write gets what it would never write, so that a result left out shows. */
static void spoil_results(struct tune *tune, enum bench_work op, float *values)
{
    static const enum bench_vector trained[] = {BENCH_MEAN, BENCH_MEAN_LOW, BENCH_INVSTD};
    struct bench_device *device = &tune->device;
    const uint64_t mask = (device->count + 31) / 32;

    for (uint64_t i = 0; i < device->words || i < mask || i < device->desc.c; i++)
        values[i] = -1e30f;
    session_upload(&device->session, device->dst, values, device->words);
    if (op == BENCH_TRAIN && device->mask.mem)
        session_upload(&device->session, device->mask, values, mask);
    if (op == BENCH_BACKWARD && device->diff_residual.mem)
        session_upload(&device->session, device->diff_residual, values, device->words);
    for (size_t i = 0; i < 3 && op == BENCH_TRAIN; i++)
        session_upload(&device->session, device->vectors[trained[i]], values, device->desc.c);
    if (op == BENCH_BACKWARD) {
        session_upload(&device->session, device->vectors[BENCH_DIFF_SCALE], values, device->desc.c);
        session_upload(&device->session, device->vectors[BENCH_DIFF_SHIFT], values, device->desc.c);
    }
}

/* Words of all results. */
static size_t result_words(const struct bench_device *device)
{
    return (size_t)(2 * device->words + BENCH_VECTORS * device->desc.c + (device->count + 31) / 32);
}

/* The tensor, every vector, the residual's gradient and the mask: those that a call may write are among them. */
static int take_results(struct tune *tune, clnorm_context *context, enum bench_work op, float *results)
{
    struct bench_device *device = &tune->device;
    uint64_t c = device->desc.c;

    spoil_results(tune, op, results);
    /* The running statistics are read and written: both contexts start from the same. */
    for (uint64_t i = 0; i < c; i++)
        results[i] = 1.0f + 0.25f * (float)(i % 7);
    session_upload(&device->session, device->vectors[BENCH_RUNNING_MEAN], results, c);
    session_upload(&device->session, device->vectors[BENCH_RUNNING_VARIANCE], results, c);
    device->context = context;
    if (device->session.is_failed || expect(tune, bench_enqueue(device, device->session.queue, op)) != 0)
        return -1;
    session_download(&device->session, device->dst, results, device->words);
    results += device->words;
    for (unsigned v = 0; v < BENCH_VECTORS; v++, results += c)
        session_download(&device->session, device->vectors[v], results, c);
    if (device->diff_residual.mem)
        session_download(&device->session, device->diff_residual, results, device->words);
    if (device->mask.mem)
        session_download(&device->session, device->mask, results + device->words, (device->count + 31) / 32);
    return device->session.is_failed ? -1 : 0;
}

/* 1, 0 or -1 */
static int compare_cell(struct tune *tune, const struct tune_cell *cell, clnorm_context *b)
{
    float *results;
    size_t count;
    int same = -1;

    bench_device_take(&tune->device, cell->shape);
    count = result_words(&tune->device);
    results = calloc(2 * count, sizeof(*results));
    session_expect(&tune->device.session, results ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot compare results");
    if (results && enter_cell(tune, cell, tune->standard, b) == 0 &&
        take_results(tune, tune->standard, cell->op, results) == 0 &&
        take_results(tune, b, cell->op, results + count) == 0)
        same = memcmp(results, results + count, count * sizeof(*results)) == 0;
    free(results);
    return same;
}

int tune_same_bits(struct tune *tune, clnorm_context *b)
{
    for (int op = 0; op < BENCH_OPS; op++) {
        for (int layout = 0; layout < BENCH_LAYOUTS; layout++) {
            const struct tune_cell *least = NULL;
            int same;

            for (size_t i = 0; i < tune->cell_count; i++) {
                const struct tune_cell *cell = &tune->cells[i];

                if (cell->is_changed && (int)cell->op == op && (int)cell->layout == layout &&
                    (!least || bench_elements(cell->shape) < bench_elements(least->shape)))
                    least = cell;
            }
            if (!least)
                continue;
            same = compare_cell(tune, least, b);
            if (same != 1)
                return same;
        }
    }
    return 1;
}
