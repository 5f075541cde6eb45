/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coordinate search: one setting after the other, as far as it gets better. A candidate is measured where it changes what is
 * launched. It wins if a short race lets it pass, and each of two longer ones on its own finds it better by more than the noise;
 * and if it gives the same bits.
 */
#include "cli/tune/tune.h"

#include "cli/bench/bench_time.h"
#include "cli/message.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A gain below one percent is not worth a file; a loss of more than five on any one shape is not made good by others. */
#define LEAST_GAIN log(1.01)
#define MOST_LOSS log(1 / 1.05)

/* ---- what is launched ---- */

static int describe(struct tune *tune, clnorm_context *context, const struct tune_cell *cell, char *line)
{
    clnorm_desc desc = bench_desc(&tune->device.form, cell->shape, cell->layout);

    session_expect(&tune->device.session,
                   clnorm_describe_launches(context, (enum clnorm_operation)cell->op, &desc, TUNE_LINE_BYTES, line),
                   "cannot tell what would be launched");
    return tune->device.session.is_failed ? -1 : 0;
}

int tune_mark(struct tune *tune, clnorm_context *context)
{
    int count = 0;

    for (size_t i = 0; i < tune->cell_count; i++) {
        char line[TUNE_LINE_BYTES];

        if (describe(tune, context, &tune->cells[i], line) != 0)
            return -1;
        tune->cells[i].is_changed = strcmp(line, tune->cells[i].launches) != 0;
        count += tune->cells[i].is_changed;
    }
    return count;
}

int tune_take_launches(struct tune *tune, clnorm_context *context)
{
    for (size_t i = 0; i < tune->cell_count; i++)
        if (describe(tune, context, &tune->cells[i], tune->cells[i].launches) != 0)
            return -1;
    return 0;
}

/* ---- one candidate ---- */

/* Whether the last race says so. */
static int is_better(const struct tune *tune)
{
    double error, gain = tune_gain(tune, &error);

    for (size_t i = 0; i < tune->cell_count; i++)
        if (tune->cells[i].gain + 3 * tune->cells[i].error < MOST_LOSS)
            return 0;
    return gain > LEAST_GAIN && gain - error > 0;
}

/* What is left to hope for after a short race. */
static int is_promising(const struct tune *tune)
{
    double error, gain = tune_gain(tune, &error);

    return gain + error > LEAST_GAIN;
}

static int has_same_bits(struct tune *tune, const char *text)
{
    int same = tune_same_bits(tune, tune->candidate);

    if (same == 0) {
        complain("%s gives other bits than the defaults, which it must not; please report it", text);
        tune->has_other_bits = 1;
    }
    return same == 1;
}

/* What the last race found. */
static void tell(const struct tune *tune, const char *text, const char *verdict)
{
    double error, gain = tune_gain(tune, &error);
    unsigned timed = 0, changed = 0;

    if (!tune->options->is_verbose)
        return;
    for (size_t i = 0; i < tune->cell_count; i++) {
        timed += tune->cells[i].is_timed != 0;
        changed += tune->cells[i].is_changed != 0;
    }
    complain("%s: %s: %+.1f %% +- %.1f on %u of %u launches that it changes", text, verdict, 100 * expm1(gain),
             100 * error, timed, changed);
}

/* 1: it wins, 0: it does not. A failure is the session's. */
static int judge(struct tune *tune, const char *text)
{
    if (tune_race(tune, tune->best, tune->candidate, TUNE_SCREEN) != 1 || !is_promising(tune))
        return 0;
    for (int turn = 0; turn < 2; turn++)
        if (tune_race(tune, tune->best, tune->candidate, TUNE_FULL) != 1 || !is_better(tune))
            return 0;
    tell(tune, text, "better");
    return has_same_bits(tune, text);
}

enum verdict { SAME_LAUNCHES, NO_BETTER, BETTER, FAILED };

/* Sets the knob for good if that wins, else leaves it as it was. */
static enum verdict try_value(struct tune *tune, struct tune_knob *knob, uint64_t value)
{
    uint64_t before = knob->value;
    char text[TUNE_TEXT_BYTES];
    enum verdict verdict = FAILED;
    int changed;

    knob->value = value;
    tune_text(tune, text, sizeof(text));
    tune->candidate = tune_context(tune, text);
    changed = tune->candidate ? tune_mark(tune, tune->candidate) : -1;
    if (changed == 0) {
        verdict = SAME_LAUNCHES;
        tune->same++;
    } else if (changed > 0) {
        show_progress("candidate %u, %u better so far: %s", ++tune->tried, tune->won, text);
        verdict = judge(tune, text) ? BETTER : NO_BETTER;
        if (verdict == NO_BETTER)
            tell(tune, text, "not better");
    }
    if (tune->device.session.is_failed)
        verdict = FAILED;
    if (verdict == BETTER && tune_take_launches(tune, tune->candidate) == 0) {
        clnorm_release_context(&tune->best);
        tune->best = tune->candidate;
        tune->won++;
    } else {
        knob->value = before;
        clnorm_release_context(&tune->candidate);
    }
    tune->candidate = NULL;
    return verdict;
}

static int is_over(struct tune *tune)
{
    if (bench_now() > tune->end)
        tune->late = 1;
    return tune->late || tune->has_other_bits || tune->device.session.is_failed;
}

/* ---- one knob ---- */

static int search_variants(struct tune *tune, struct tune_knob *knob)
{
    const char *step;
    int won = 0;

    for (size_t i = 0; (step = clnorm_variant_step(i)) != NULL && !is_over(tune); i++)
        if (strcmp(step, knob->step) == 0 && knob->value != i + 1)
            won |= try_value(tune, knob, i + 1) == BETTER;
    return won;
}

/* The next value in a direction; that of the limit, and then itself. */
static uint64_t next_value(const struct tune_knob *knob, uint64_t value, int is_up)
{
    if (is_up)
        return value == 0 ? 1 : value > knob->most / 2 ? knob->most : 2 * value;
    return value / 2 < knob->least ? knob->least : value / 2;
}

/* Values that launch the same are passed by: what counts is the next one that does not. */
static int climb(struct tune *tune, struct tune_knob *knob, int is_up)
{
    int misses = tune->options->is_quick ? 1 : 2, won = 0;
    uint64_t value = knob->value, next;

    while (misses > 0 && !is_over(tune) && (next = next_value(knob, value, is_up)) != value) {
        enum verdict verdict = try_value(tune, knob, next);

        value = next;
        won |= verdict == BETTER;
        misses -= verdict == NO_BETTER;
    }
    return won;
}

int tune_search(struct tune *tune)
{
    size_t most = tune->knob_count * (tune->options->is_quick ? 1 : 3), idle = 0;

    /* Round and round, until all others have been tried since the last one that won. */
    for (size_t i = 0; i < most && idle < tune->knob_count && !is_over(tune); i++) {
        struct tune_knob *knob = &tune->knobs[i % tune->knob_count];
        int won = knob->step ? search_variants(tune, knob) : climb(tune, knob, 1) || climb(tune, knob, 0);

        idle = won ? 1 : idle + 1;
    }
    clear_progress();
    return tune->device.session.is_failed || tune->has_other_bits ? -1 : 0;
}
