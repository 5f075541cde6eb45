/* SPDX-License-Identifier: Apache-2.0 */
/* Speed: operations over shapes, beside what the memory of the same device can do in the same run. */
#include "cli/bench/bench_parts.h"
#include "cli/bench/bench_device.h"
#include "cli/bench/bench_time.h"
#include "cli/commands.h"
#include "cli/gnuplot.h"
#include "cli/message.h"
#include "cli/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm bench [--set NAMES | --shapes FILE | --shape N,C,S | --random K | --growth | --startup] "
        "[OPTION...]\n"
        "\n"
        "Times operations over shapes: medians of rounds that time each operation and each copy once, in turn, each\n"
        "right after a run of itself that does not count.\n"
        "\n"
        "Columns: ms of the wall clock, from the call to the return of clFinish; ms of the device's own clock, from\n"
        "the end of a marker before the call's kernels to the end of one behind them, all of it enqueued before any\n"
        "of it may start; GB/s by the wall clock, counting one read and one write of the tensor (backward: two reads\n"
        "and one write), and the residual, its gradient and the activation's mask where the call has them; GB/s of\n"
        "three copies of a tensor as large on the same device in the same rounds (a kernel with ordinary stores, one\n"
        "with stores past the caches where the compiler has them, clEnqueueCopyBuffer);\n"
        "percent of the best of these copies, by both clocks; microseconds of the host for the call alone; and\n"
        "microseconds from the call to the return of clFinish of an empty kernel.\n"
        "\n"
        "options:\n");
    options_help(rows);
    printf("\nsets: %s\n", bench_set_names());
    return finish_output();
}

static int add_row(struct bench_rows *rows, const struct bench_row *row)
{
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 64;
        struct bench_row *list = realloc(rows->list, room * sizeof(*list));

        if (!list) {
            complain("out of memory");
            return -1;
        }
        rows->list = list;
        rows->room = room;
    }
    rows->list[rows->count++] = *row;
    return 0;
}

static int run_layout(struct bench_device *device, const struct bench_options *options, const struct bench_shape *shape,
                      enum clnorm_layout layout, struct bench_rows *rows)
{
    struct bench_times medians[BENCH_WORKS];
    int wanted[BENCH_OPS];
    unsigned runs;

    memcpy(wanted, options->ops, sizeof(wanted));
    if (bench_device_layout(device, layout) != 0)
        return -1;
    runs = bench_measure(device, wanted, options->runs, medians);
    if (runs == 0)
        return -1;
    for (unsigned op = 0; op < BENCH_OPS; op++) {
        struct bench_row row = {.shape = shape,
                                .form = &options->form,
                                .layout = layout,
                                .op = op,
                                .runs = runs,
                                .own = medians[op],
                                .exponent = NAN};

        if (options->ops[op] && !wanted[op])
            complain("passed over: %s of %llu,%llu,%llu, %s, which the variants do not fit", bench_op_name(op),
                     (unsigned long long)shape->n, (unsigned long long)shape->c, (unsigned long long)shape->s,
                     bench_layout_name(layout));
        if (!wanted[op])
            continue;
        memcpy(row.others, medians, sizeof(row.others));
        if (add_row(rows, &row) != 0)
            return -1;
    }
    return 0;
}

/* table: where rows are shown as they come, or NULL. */
static int run_shape(struct bench_device *device, const struct bench_options *options, const struct bench_shape *shape,
                     struct bench_rows *rows, FILE *table)
{
    size_t shown = rows->count;
    char reason[256];

    if (bench_too_large(device, shape, options->ops[BENCH_BACKWARD], reason, sizeof(reason))) {
        complain("passed over: %llu,%llu,%llu: %s", (unsigned long long)shape->n, (unsigned long long)shape->c,
                 (unsigned long long)shape->s, reason);
        return 0;
    }
    if (bench_device_shape(device, shape, options->ops[BENCH_BACKWARD]) != 0)
        return -1;
    for (int layout = 0; layout < BENCH_LAYOUTS; layout++) {
        if (options->layouts[layout] && run_layout(device, options, shape, (enum clnorm_layout)layout, rows) != 0)
            return -1;
        clear_progress();
        for (; shown < rows->count && table; shown++) {
            if (shown == 0)
                bench_table_head(table, &device->session, &options->form);
            bench_table_row(table, &rows->list[shown]);
        }
    }
    return 0;
}

static int run_shapes(struct bench_device *device, const struct bench_options *options, struct bench_rows *rows,
                      FILE *table)
{
    for (size_t i = 0; i < options->shapes.count; i++) {
        const struct bench_shape *shape = &options->shapes.list[i];

        show_progress("shape %zu of %zu: %s %llu,%llu,%llu", i + 1, options->shapes.count, shape->set,
                      (unsigned long long)shape->n, (unsigned long long)shape->c, (unsigned long long)shape->s);
        if (run_shape(device, options, shape, rows, table) != 0)
            return STATUS_FAILED;
    }
    clear_progress();
    if (rows->count > 0)
        return STATUS_DONE;
    complain("nothing was timed: every shape was passed over");
    return STATUS_FAILED;
}

static void print_rows(const struct bench_options *options, struct bench_device *device, struct bench_rows *rows,
                       FILE *file)
{
    if (options->is_growth)
        bench_growth_fit(rows);
    if (options->format == BENCH_CSV)
        bench_print_csv(file, &device->session, rows);
    else if (options->format == BENCH_JSON)
        bench_print_json(file, &device->session, rows);
    else if (options->is_growth)
        bench_growth_print(file, rows);
    else
        bench_table_end(file, rows);
    if (options->random && options->format == BENCH_TABLE)
        bench_random_print(file, device, rows);
}

/* Whether files can be written is found out before the time is spent. */
static int open_outputs(const struct bench_options *options, struct whole_file *results, struct whole_file *plot)
{
    if (options->plot && gnuplot_find("plot") != STATUS_DONE)
        return STATUS_FAILED;
    if (whole_file_open(options->out, results) != STATUS_DONE)
        return STATUS_FAILED;
    if (!options->plot || whole_file_open(options->plot, plot) == STATUS_DONE)
        return STATUS_DONE;
    whole_file_finish(results, 0);
    return STATUS_FAILED;
}

static int run_bench(const struct bench_options *options)
{
    struct bench_device device = {0};
    struct whole_file results, plot, *files[2] = {&results};
    struct bench_rows rows = {0};
    size_t count = 1;
    int status;

    if (open_outputs(options, &results, &plot) != STATUS_DONE)
        return STATUS_FAILED;
    status = bench_device_open(&device, options) == 0 ? STATUS_DONE : STATUS_FAILED;
    if (status == STATUS_DONE)
        status = run_shapes(&device, options, &rows, options->format == BENCH_TABLE ? results.stream : NULL);
    if (status == STATUS_DONE) {
        print_rows(options, &device, &rows, results.stream);
        if (options->plot)
            status = bench_plot(&plot, &device.session, &rows);
    }
    /* What was measured is kept even where gnuplot fails. */
    if (options->plot && status == STATUS_DONE)
        files[count++] = &plot;
    else if (options->plot)
        whole_file_finish(&plot, 0);
    if (whole_files_finish(files, count, rows.count > 0 && !device.session.is_failed) != STATUS_DONE)
        status = STATUS_FAILED;
    bench_device_close(&device);
    free(rows.list);
    return status;
}

/* ---- command line ---- */

struct texts {
    const char *sets, *file, *shape, *ops, *layouts;
    float runs, most, random, seed;
    int is_startup, is_startup_once, is_help;
};

/* Of the options that say what to time, one alone; a set may be one of a file's. */
static int check_together(const struct bench_options *options, const struct texts *texts)
{
    int is_startup = texts->is_startup || texts->is_startup_once;
    int kinds = (texts->sets || texts->file) + (texts->shape && !is_startup) + (texts->random > 0) +
                options->is_growth + is_startup;

    if (kinds > 1)
        complain(
            "expected one of --set or --shapes, --shape, --random, --growth and --startup (which takes a --shape)");
    else if (texts->is_startup && texts->is_startup_once)
        complain("expected one of --startup and --startup-once");
    else if (options->plot && !options->is_growth)
        complain("--plot shows how the time grows; expected --growth as well");
    else if (texts->most > 0 && !options->is_growth && !(texts->random > 0))
        complain("--most is for --growth and --random; expected one of them as well");
    else if (options->plot && options->out && strcmp(options->plot, options->out) == 0)
        complain("options --out and --plot both name '%s'; expected different files", options->out);
    else if (is_startup && (texts->ops || texts->layouts))
        complain("--startup times forward training, channels-first; expected no --op and no --layout");
    else if (is_startup && !form_is_plain(&options->form))
        complain("--startup times the plain call on float32; expected no --type, --activation or --residual");
    else if (texts->seed > 0 && !(texts->random > 0))
        complain("--seed is for --random; expected --random as well");
    else if (texts->runs != floorf(texts->runs))
        complain("option --runs: expected a whole number");
    else if (texts->random != floorf(texts->random) || texts->seed != floorf(texts->seed))
        complain("options --random and --seed: expected whole numbers");
    else
        return STATUS_DONE;
    return STATUS_USAGE;
}

static int read_options(struct bench_options *options, const struct texts *texts)
{
    static const char *const op_names[] = {"train", "infer", "backward"};
    static const char *const layout_names[] = {"channels-first", "channels-last"};
    int status = check_together(options, texts);

    options->runs = (unsigned)texts->runs;
    options->random = (unsigned)texts->random;
    if (status == STATUS_DONE)
        status =
            bench_read_list("op", texts->ops ? texts->ops : "train,infer,backward", op_names, BENCH_OPS, options->ops);
    if (status == STATUS_DONE)
        status = bench_read_list("layout", texts->layouts ? texts->layouts : "channels-first,channels-last",
                                 layout_names, BENCH_LAYOUTS, options->layouts);
    if (status == STATUS_DONE && options->variants)
        status = bench_check_variants(options->variants);
    if (status != STATUS_DONE)
        return status;
    if (options->is_growth)
        return bench_growth_shapes(&options->shapes, texts->most > 0 ? (double)texts->most : 1e9);
    if (options->random)
        return bench_random_shapes(&options->shapes, options->random, (uint64_t)texts->seed,
                                   texts->most > 0 ? (double)texts->most : 2e8);
    /* Large enough that kernels for real tensors are chosen, small enough that running them is nothing. */
    if ((texts->is_startup || texts->is_startup_once) && !texts->shape)
        return bench_add_shape(&options->shapes, "shape", 32, 64, 784, 1);
    return bench_read_shapes(texts->sets, texts->file, texts->shape, &options->shapes);
}

/* clang-format off */
#define ROW_TEXT(option, place, what, words, text)                                                                     \
    {.name = option, .kind = OPTION_TEXT, .target = place, .argument = what, .expected = words, .help = text}
#define ROW_NUMBER(option, place, what, from, to, words, text)                                                         \
    {.name = option, .kind = OPTION_NUMBER, .target = place, .argument = what, .least = from, .most = to,              \
     .expected = words, .help = text}
/* clang-format on */

static int parse(int count, char *const *arguments, struct bench_options *options, struct texts *texts)
{
    struct option_row rows[] = {
        ROW_TEXT("set", &texts->sets, "NAMES", "names of sets",
                 "sets of shapes, separated by commas; default: resnet50-b32,mobilenet,features"),
        OPTION_ROW_FILE("shapes", &texts->file,
                        "shapes of your own: CSV with the columns set,n,c,spatial,times_in_net,\n"
                        "spatial like 3136, 56x56 or 32x64x64"),
        ROW_TEXT("shape", &texts->shape, "N,C,S", "N,C,S", "one shape; S like 3136, 56x56 or 32x64x64"),
        ROW_NUMBER("random", &texts->random, "K", 1, 100000, "a whole number from 1 to 100000",
                   "K shapes drawn over n 1..512, c 1..4096, s 1..50000; the distribution of their speed by\n"
                   "size, and the worst of them"),
        ROW_NUMBER("seed", &texts->seed, "S", 0, 16777216, "a whole number from 0 to 16777216",
                   "with --random: what the shapes are drawn from; default: 0"),
        OPTION_ROW_FLAG("growth", &options->is_growth, "how the time grows with the elements, and with N, C, S apart"),
        ROW_NUMBER("most", &texts->most, "E", 1e4, 1e9, "a number from 1e4 to 1e9",
                   "with --growth and --random: the most elements of a tensor; default: 2.5e8 and 2e8"),
        OPTION_ROW_FILE("plot", &options->plot, "with --growth: an SVG picture as well, made by gnuplot"),
        OPTION_ROW_FLAG("startup", &texts->is_startup, "time to a first result, caches empty and filled"),
        OPTION_ROW_FLAG("startup-once", &texts->is_startup_once,
                        "what --startup starts: measures in this process and prints its numbers"),
        ROW_TEXT("op", &texts->ops, "NAMES", "operations", "of train,infer,backward; default: all"),
        ROW_TEXT("layout", &texts->layouts, "NAMES", "layouts", "of channels-first,channels-last; default: both"),
        OPTION_ROW_TYPE(&options->form.type, "of the tensors; default: float32"),
        OPTION_ROW_ACTIVATION(&options->form.activation,
                              "part of the calls; training writes its mask, and backward reads that"),
        OPTION_ROW_FLAG("residual", &options->form.has_residual,
                        "forward adds one; backward writes its gradient, where there is an activation"),
        ROW_TEXT("variant", &options->variants, "NAMES", "names of kernel variants",
                 "kernel variants to use, separated by commas; default: free choice"),
        OPTION_ROW_DEVICE(&options->device),
        ROW_NUMBER("runs", &texts->runs, "R", 1, BENCH_MOST_RUNS, "a whole number from 1 to 10000",
                   "rounds; default: 11 to 101, half a second or more (--startup: 5)"),
        {.name = "format",
         .kind = OPTION_CHOICE,
         .target = &options->format,
         .argument = "table|csv|json",
         .help = "default: table"},
        OPTION_ROW_FILE("out", &options->out, "where the results go; default: standard output"),
        OPTION_ROW_VERBOSE(&options->is_verbose),
        OPTION_ROW_HELP(&texts->is_help),
        OPTION_ROW_END,
    };

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    return texts->is_help ? print_help(rows) : STATUS_DONE;
}

int command_bench(int count, char *const *arguments, int is_verbose)
{
    struct bench_options options = {.is_verbose = is_verbose};
    struct texts texts = {0};
    int status = parse(count, arguments, &options, &texts);

    if (status != STATUS_DONE || texts.is_help)
        return status;
    status = read_options(&options, &texts);
    if (status == STATUS_DONE && texts.is_startup_once)
        status = bench_startup_once(&options);
    else if (status == STATUS_DONE && texts.is_startup)
        status = bench_startup(&options);
    else if (status == STATUS_DONE)
        status = run_bench(&options);
    free(options.shapes.list);
    return status;
}
