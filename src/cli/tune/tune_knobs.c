/* SPDX-License-Identifier: Apache-2.0 */
/* What can be set, and how the library is told. */
#include "cli/tune/tune.h"

#include "cli/message.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct tune_knob *add_knob(struct tune *tune, const char *name, const char *suffix)
{
    struct tune_knob *list = realloc(tune->knobs, (tune->knob_count + 1) * sizeof(*list));

    session_expect(&tune->device.session, list ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot list the parameters");
    if (!list)
        return NULL;
    tune->knobs = list;
    list += tune->knob_count++;
    memset(list, 0, sizeof(*list));
    snprintf(list->name, sizeof(list->name), "%s%s", name, suffix);
    return list;
}

static int add_numbers(struct tune *tune)
{
    clnorm_parameter parameters[64];
    size_t count = 0;

    session_expect(
        &tune->device.session,
        clnorm_list_parameters(tune->standard, sizeof(parameters) / sizeof(parameters[0]), parameters, &count),
        "cannot list the parameters");
    for (size_t i = 0; i < count && i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        struct tune_knob *knob = add_knob(tune, parameters[i].name, "");

        if (!knob)
            return -1;
        knob->least = parameters[i].least;
        knob->most = parameters[i].most;
        knob->standard = knob->value = parameters[i].standard;
    }
    return tune->device.session.is_failed ? -1 : 0;
}

static int has_knob(const struct tune *tune, const char *step)
{
    for (size_t i = 0; i < tune->knob_count; i++)
        if (tune->knobs[i].step && strcmp(tune->knobs[i].step, step) == 0)
            return 1;
    return 0;
}

int tune_make_knobs(struct tune *tune)
{
    const char *step;

    /* Which kernel comes first: what a number is best at hangs on that. */
    for (size_t i = 0; (step = clnorm_variant_step(i)) != NULL; i++) {
        if (has_knob(tune, step))
            continue;
        for (int layout = 0; layout < BENCH_LAYOUTS; layout++) {
            struct tune_knob *knob = add_knob(tune, step, layout ? ".channels-last" : ".channels-first");

            if (!knob)
                return -1;
            knob->step = step;
        }
    }
    return add_numbers(tune);
}

const char *tune_value_text(const struct tune_knob *knob, uint64_t value, char *text, size_t size)
{
    if (!knob->step)
        snprintf(text, size, "%" PRIu64, value);
    else
        snprintf(text, size, "%s", value ? clnorm_variant_name(value - 1) : "free choice");
    return text;
}

void tune_text(const struct tune *tune, char *text, size_t size)
{
    size_t length = 0;

    text[0] = '\0';
    for (size_t i = 0; i < tune->knob_count && length < size; i++) {
        const struct tune_knob *knob = &tune->knobs[i];
        char value[TUNE_NAME_BYTES];

        if (knob->value != knob->standard)
            length += (size_t)snprintf(text + length, size - length, "%s%s=%s", length ? " " : "", knob->name,
                                       tune_value_text(knob, knob->value, value, sizeof(value)));
    }
}

/* Candidates are many, and a variant of the other layout is among them: what a user can do something about are errors. */
static void show_error(void *user, enum clnorm_log_level level, const char *message)
{
    (void)user;
    if (level == CLNORM_LOG_ERROR)
        complain("%s", message);
}

clnorm_context *tune_context(struct tune *tune, const char *text)
{
    clnorm_context_options options = {.log = show_error, .tuning = text};
    clnorm_context *context = NULL;

    session_expect(&tune->device.session,
                   clnorm_create_context(tune->device.session.cl, tune->device.session.info.device, &options, &context),
                   "cannot make a context");
    return context;
}
