/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what is fastest on a device, and stores it for every later context there. */
#define _XOPEN_SOURCE 700 /* access, strdup */
#include "cli/tune/tune.h"

#include "cli/bench/bench_time.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const op_names[] = {"train", "infer", "backward"};
static const char *const layout_names[] = {"channels-first", "channels-last"};

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm tune [--set NAMES | --shapes FILE | --shape N,C,S] [OPTION...]\n"
        "       clnorm tune --reset [--device D]\n"
        "\n"
        "Measures kernel variants and the parameters by which work is cut, and stores what is clearly faster than the\n"
        "defaults in a file of the disk cache, for this device, driver and version. Every program that uses the\n"
        "library with that cache uses it from then on. Results keep their bits; each candidate that wins has shown "
        "it.\n"
        "\n"
        "One setting is changed after the other. A candidate and the best so far run in turn on the same buffers, on\n"
        "the shapes for which it changes anything, and it wins if in two races on their own the medians of the ratios\n"
        "of their times are better by one percent or more, and by more than three standard errors; and if it is on no\n"
        "shape more than five percent worse. What a run finds takes the place of what was stored, so give one run all\n"
        "the operations and shapes that matter. It counts for all types, so measure the one that matters most.\n"
        "\n"
        "options:\n");
    options_help(rows);
    printf("\nsets: %s\n", bench_set_names());
    return finish_output();
}

/* ---- what is measured ---- */

/* With one position a sample both layouts are the same work. */
static int is_twin(const struct tune_options *options, const struct bench_shape *shape, int layout)
{
    return shape->s == 1 && layout == CLNORM_CHANNELS_FIRST && options->layouts[CLNORM_CHANNELS_LAST];
}

static int is_repeated(const struct bench_shapes *shapes, size_t which)
{
    const struct bench_shape *list = shapes->list;

    for (size_t i = 0; i < which; i++)
        if (list[i].n == list[which].n && list[i].c == list[which].c && list[i].s == list[which].s)
            return 1;
    return 0;
}

static void add_cells(struct tune *tune, const struct bench_shape *shape)
{
    const struct tune_options *options = tune->options;

    for (int layout = 0; layout < BENCH_LAYOUTS; layout++)
        for (int op = 0; op < BENCH_OPS; op++)
            if (options->layouts[layout] && options->ops[op] && !is_twin(options, shape, layout))
                tune->cells[tune->cell_count++] =
                    (struct tune_cell){.shape = shape, .layout = (enum clnorm_layout)layout, .op = (enum bench_work)op};
}

/* Lists the cells, and makes room for the largest shape. */
static int make_cells(struct tune *tune)
{
    const struct bench_shapes *shapes = &tune->options->shapes;
    int has_backward = tune->options->ops[BENCH_BACKWARD];
    uint64_t elements = 0, channels = 0;

    tune->cells = calloc(shapes->count * BENCH_LAYOUTS * BENCH_OPS, sizeof(*tune->cells));
    session_expect(&tune->device.session, tune->cells ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot list the work");
    for (size_t i = 0; i < shapes->count && tune->cells; i++) {
        const struct bench_shape *shape = &shapes->list[i];
        char reason[256];

        if (is_repeated(shapes, i))
            continue;
        if (bench_too_large(&tune->device, shape, has_backward, reason, sizeof(reason))) {
            complain("passed over: %llu,%llu,%llu: %s", (unsigned long long)shape->n, (unsigned long long)shape->c,
                     (unsigned long long)shape->s, reason);
            continue;
        }
        elements = bench_elements(shape) > elements ? bench_elements(shape) : elements;
        channels = shape->c > channels ? shape->c : channels;
        add_cells(tune, shape);
    }
    if (!tune->device.session.is_failed && tune->cell_count == 0) {
        complain("nothing is to be measured: every shape was passed over");
        return -1;
    }
    return tune->device.session.is_failed ? -1 : bench_device_room(&tune->device, elements, channels, has_backward);
}

/* ---- what comes of it ---- */

static void print_changes(const struct tune *tune)
{
    printf("\n%-28s %-24s %s\n", "setting", "default", "chosen");
    for (size_t i = 0; i < tune->knob_count; i++) {
        const struct tune_knob *knob = &tune->knobs[i];
        char standard[TUNE_NAME_BYTES], chosen[TUNE_NAME_BYTES];

        if (knob->value != knob->standard)
            printf("%-28s %-24s %s\n", knob->name, tune_value_text(knob, knob->standard, standard, sizeof(standard)),
                   tune_value_text(knob, knob->value, chosen, sizeof(chosen)));
    }
}

/* Geometric means over all shapes, those that nothing changes for among them. */
static void print_gains(const struct tune *tune)
{
    printf("\n%-16s", "times faster");
    for (int op = 0; op < BENCH_OPS; op++)
        if (tune->options->ops[op])
            printf(" %20s", op_names[op]);
    printf("\n");
    for (int layout = 0; layout < BENCH_LAYOUTS; layout++) {
        if (!tune->options->layouts[layout])
            continue;
        printf("%-16s", layout_names[layout]);
        for (int op = 0; op < BENCH_OPS; op++) {
            double gain = 0;
            int count = 0, changed = 0;

            for (size_t i = 0; i < tune->cell_count; i++) {
                const struct tune_cell *cell = &tune->cells[i];

                if ((int)cell->op != op || (int)cell->layout != layout)
                    continue;
                gain += cell->gain;
                changed += cell->is_changed;
                count++;
            }
            if (count > 0)
                printf("  %6.3f (%3d of %3d)", exp(gain / count), changed, count);
            else if (tune->options->ops[op])
                printf(" %20s", "-");
        }
        printf("\n");
    }
    printf("(call and a read of the result; geometric means over the shapes, measured anew against the defaults;\n"
           "in brackets, on how many of the shapes anything changes)\n");
}

/* Races the whole of what was found against the defaults: 1 when that is clearly better, 0 when not, -1 on failure. */
static int confirm(struct tune *tune, const char *text)
{
    double error, gain;
    int done;

    show_progress("measuring all of it against the defaults");
    tune->end = INFINITY;
    if (tune_take_launches(tune, tune->standard) != 0 || tune_mark(tune, tune->best) < 0)
        return -1;
    done = tune_race(tune, tune->standard, tune->best, TUNE_FULL);
    clear_progress();
    if (done != 1 || tune->device.session.is_failed)
        return -1;
    gain = tune_gain(tune, &error);
    print_changes(tune);
    print_gains(tune);
    printf("\ntuning: %s\n", text);
    return gain - error > 0;
}

/* text "": the defaults are best. */
static int store(struct tune *tune, const char *text)
{
    const char *file = clnorm_get_tuning_file(tune->standard);
    int was_there = file && access(file, F_OK) == 0;

    if (tune->options->is_dry) {
        printf("nothing stored: a dry run\n");
        return STATUS_DONE;
    }
    if (clnorm_store_tuning(tune->standard, text) != CLNORM_SUCCESS)
        return STATUS_FAILED;
    if (*text)
        printf("stored in %s\n", file);
    else
        printf("%s\n", was_there ? "what was stored is removed" : "nothing stored");
    return STATUS_DONE;
}

static int finish(struct tune *tune)
{
    char text[TUNE_TEXT_BYTES];
    int better = 0, status;

    tune_text(tune, text, sizeof(text));
    printf("%s, %s, %s\n%u candidates measured on up to %zu launches, %u more change none of them, %u won%s\n",
           tune->device.session.info.platform_name, tune->device.session.info.name, tune->device.session.info.driver,
           tune->tried, tune->cell_count, tune->same, tune->won, tune->late ? "; the time was up before the end" : "");
    if (*text)
        better = confirm(tune, text);
    if (better < 0)
        return STATUS_FAILED;
    if (!better) {
        printf("\nnothing is clearly better than the defaults\n");
        text[0] = '\0';
    }
    status = store(tune, text);
    return finish_output() == STATUS_DONE ? status : STATUS_FAILED;
}

/* ---- the run ---- */

static void close_tune(struct tune *tune)
{
    tune->device.context = NULL;
    clnorm_release_context(&tune->candidate);
    clnorm_release_context(&tune->best);
    clnorm_release_context(&tune->standard);
    bench_device_close(&tune->device);
    free(tune->knobs);
    free(tune->cells);
}

/* Whether the folder of a file, or where that is not there the nearest one above it, can be written. */
static int can_write(const char *file)
{
    char *folder = strdup(file), *slash;
    int can = 0;

    while (folder && (slash = strrchr(folder, '/')) != NULL) {
        struct stat facts;

        slash[slash == folder] = '\0';
        if (stat(folder, &facts) == 0) {
            can = S_ISDIR(facts.st_mode) && access(folder, W_OK | X_OK) == 0;
            break;
        }
        if (errno != ENOENT || slash == folder)
            break;
    }
    if (folder && !slash)
        can = access(".", W_OK | X_OK) == 0;
    free(folder);
    return can;
}

/* Whether what is found can be stored: before the time is spent. */
static int has_cache(const struct tune *tune)
{
    const char *file = clnorm_get_tuning_file(tune->standard);

    if (tune->options->is_dry || (file && can_write(file)))
        return 1;
    if (file)
        complain("the tuning's file %s cannot be written; expected a folder that can be in CLNORM_CACHE_DIR, or "
                 "--dry-run",
                 file);
    else
        complain("the disk cache is switched off, so nothing can be stored; expected a folder in CLNORM_CACHE_DIR, or "
                 "--dry-run");
    return 0;
}

static int run_tune(const struct tune_options *options)
{
    struct bench_options bench = {.device = options->device, .form = options->form, .is_verbose = options->is_verbose};
    struct tune tune = {.options = options};
    int status = STATUS_FAILED;

    if (bench_device_open(&tune.device, &bench) != 0)
        return STATUS_FAILED;
    clnorm_release_context(&tune.device.context);
    tune.standard = tune_context(&tune, "");
    tune.best = tune.standard ? tune_context(&tune, "") : NULL;
    tune.end = options->seconds > 0 ? bench_now() + options->seconds : INFINITY;
    if (tune.best && has_cache(&tune) && make_cells(&tune) == 0 && tune_make_knobs(&tune) == 0 &&
        tune_take_launches(&tune, tune.best) == 0 && tune_search(&tune) == 0)
        status = finish(&tune);
    close_tune(&tune);
    return status;
}

static int run_reset(const struct tune_options *options)
{
    struct session session;
    const char *file;
    int status = STATUS_FAILED;

    if (session_open(&session, options->device, options->is_verbose) != 0)
        return STATUS_FAILED;
    file = clnorm_get_tuning_file(session.context);
    if (file && access(file, F_OK) != 0) {
        printf("nothing is stored for %s\n", session.info.name);
        status = finish_output();
    } else if (clnorm_store_tuning(session.context, NULL) == CLNORM_SUCCESS) {
        printf("removed %s\n", file);
        status = finish_output();
    }
    session_close(&session);
    return status;
}

/* ---- command line ---- */

struct texts {
    const char *sets, *file, *shape, *ops, *layouts;
    float seconds;
    int is_help;
};

static int read_options(struct tune_options *options, const struct texts *texts)
{
    int is_more = texts->sets || texts->file || texts->shape || texts->ops || texts->layouts || texts->seconds > 0 ||
                  options->is_quick || options->is_dry || !form_is_plain(&options->form);
    int status = STATUS_DONE;

    options->seconds = (double)texts->seconds;
    if (options->is_reset && is_more) {
        complain("--reset measures nothing; expected no other option than --device");
        return STATUS_USAGE;
    }
    if (options->is_reset)
        return STATUS_DONE;
    if (texts->shape && (texts->sets || texts->file)) {
        complain("expected one of --set or --shapes, and --shape");
        return STATUS_USAGE;
    }
    status = bench_read_list("op", texts->ops ? texts->ops : "train,infer,backward", op_names, BENCH_OPS, options->ops);
    if (status == STATUS_DONE)
        status = bench_read_list("layout", texts->layouts ? texts->layouts : "channels-first,channels-last",
                                 layout_names, BENCH_LAYOUTS, options->layouts);
    if (status == STATUS_DONE)
        status = bench_read_shapes(texts->sets, texts->file, texts->shape, &options->shapes);
    return status;
}

static int parse(int count, char *const *arguments, struct tune_options *options, struct texts *texts)
{
    /* clang-format off */
#define ROW_TEXT(option, place, words, wanted, explained)                                                              \
    {.name = option, .kind = OPTION_TEXT, .target = place, .argument = words, .expected = wanted, .help = explained}
    /* clang-format on */
    struct option_row rows[] = {
        ROW_TEXT("set", &texts->sets, "NAMES", "names of sets of shapes",
                 "sets of shapes, separated by commas; default: resnet50-b32,mobilenet,features"),
        OPTION_ROW_FILE("shapes", &texts->file, "shapes of your own: see clnorm bench --help"),
        ROW_TEXT("shape", &texts->shape, "N,C,S", "N,C,S", "one shape; S like 3136, 56x56 or 32x64x64"),
        ROW_TEXT("op", &texts->ops, "NAMES", "operations", "of train,infer,backward; default: all"),
        ROW_TEXT("layout", &texts->layouts, "NAMES", "layouts", "of channels-first,channels-last; default: both"),
        OPTION_ROW_TYPE(&options->form.type, "of the tensors that are measured; default: float32"),
        OPTION_ROW_ACTIVATION(&options->form.activation, "part of the calls, as in clnorm bench; default: none"),
        OPTION_ROW_FLAG("residual", &options->form.has_residual, "part of the calls, as in clnorm bench"),
        OPTION_ROW_DEVICE(&options->device),
        OPTION_ROW_FLAG("quick", &options->is_quick, "fewer runs and candidates: a first impression"),
        {.name = "seconds",
         .kind = OPTION_NUMBER,
         .target = &texts->seconds,
         .argument = "S",
         .least = 1e-3,
         .most = 1e6,
         .expected = "a number from 0.001 to 1000000",
         .help = "end the search after so long, with what was found until then"},
        OPTION_ROW_FLAG("dry-run", &options->is_dry, "store nothing"),
        OPTION_ROW_FLAG("reset", &options->is_reset, "remove what is stored for the device"),
        OPTION_ROW_FLAG("verbose", &options->is_verbose, "tell of every candidate and every message of the library"),
        OPTION_ROW_HELP(&texts->is_help),
        OPTION_ROW_END,
    };

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    return texts->is_help ? print_help(rows) : STATUS_DONE;
}

int command_tune(int count, char *const *arguments, int is_verbose)
{
    struct tune_options options = {.is_verbose = is_verbose};
    struct texts texts = {0};
    int status = parse(count, arguments, &options, &texts);

    if (status != STATUS_DONE || texts.is_help)
        return status;
    status = read_options(&options, &texts);
    if (status == STATUS_DONE)
        status = options.is_reset ? run_reset(&options) : run_tune(&options);
    free(options.shapes.list);
    return status;
}
