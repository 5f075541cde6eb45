/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time to a first result. Drivers and compilers keep much in the process and more in files, so each start is a process of
 * its own, and the caches are in folders that are made for it.
 */
#define _GNU_SOURCE /* mkdtemp, nftw, environ */
#include "cli/bench/bench_time.h"
#include "cli/interrupt.h"
#include "cli/message.h"

#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum start_number { DRIVERS, CONTEXT, CALL, FINISH, TOTAL, AGAIN, COMPILED, LOADED, NUMBERS };
enum start_state { COLD, DRIVER_COLD, WARM, STATES };
enum { DEFAULT_RUNS = 5, PATH_BYTES = 512, MOST_WARM = 20 };

static const char *const number_names[NUMBERS] = {"drivers_ms", "context_ms", "call_ms",  "finish_ms",
                                                  "total_ms",   "again_ms",   "compiled", "loaded"};
static const char *const state_names[STATES] = {"cold", "driver-cold", "warm"};

/* ---- one start ---- */

struct programs {
    unsigned compiled, loaded;
};

/* The library tells which programs it makes; nothing else in its interface counts them. */
static void count_program(void *user, enum clnorm_log_level level, const char *message)
{
    struct programs *programs = user;

    if (level == CLNORM_LOG_ERROR)
        complain("%s", message);
    programs->compiled += strstr(message, ": compiling ") != NULL;
    programs->loaded += strstr(message, ": from the disk cache") != NULL;
}

static void open_session(struct session *session, const struct bench_options *options, struct programs *programs,
                         double *numbers)
{
    clnorm_context_options chosen = {.log = count_program, .log_user = programs, .variants = options->variants};
    double start = bench_now();
    cl_int status;

    session_expect(session, clnorm_find_device(options->device, &session->info, &session->device_index),
                   "no device; expected a number or part of a name from `clnorm devices`");
    numbers[DRIVERS] = bench_now() - start;
    start = bench_now();
    if (!session->is_failed)
        session_expect(session, clnorm_create_context(NULL, session->info.device, &chosen, &session->context),
                       session->info.name);
    if (!session->is_failed)
        session_expect(session, clnorm_get_cl_context(session->context, &session->cl), session->info.name);
    if (!session->is_failed) {
        session->queue = clCreateCommandQueue(session->cl, session->info.device, 0, &status);
        session_expect(session, status, "cannot make a command queue");
    }
    numbers[CONTEXT] = bench_now() - start;
}

/* Runs twice: the second call shows what the first one cost beyond its work. */
static void run_forward(struct session *session, const struct bench_shape *shape, float *values, double begin,
                        double *numbers)
{
    clnorm_desc desc = {.n = shape->n, .c = shape->c, .s = shape->s, .epsilon = 1e-5f};
    clnorm_forward_training_args args = {
        .src = session_buffer(session, values, bench_elements(shape)),
        .dst = session_buffer(session, NULL, bench_elements(shape)),
        .workspace = session_workspace(session, CLNORM_FORWARD_TRAINING, &desc),
    };

    for (int i = 0; i < 2 && !session->is_failed; i++) {
        double start = bench_now(), called;

        session_expect(session, clnorm_forward_training(session->context, session->queue, &desc, &args, 0, NULL, NULL),
                       "forward training");
        called = bench_now();
        if (!session->is_failed)
            session_expect(session, clFinish(session->queue), "the device failed");
        if (i == 1) {
            numbers[AGAIN] = bench_now() - start;
            break;
        }
        numbers[CALL] = called - start;
        session_download(session, args.dst, values, 1);
        numbers[FINISH] = bench_now() - called;
        numbers[TOTAL] = bench_now() - begin;
    }
}

int bench_startup_once(const struct bench_options *options)
{
    const struct bench_shape *shape = &options->shapes.list[0];
    uint64_t count = bench_elements(shape);
    struct session session = {0};
    struct programs programs = {0};
    double numbers[NUMBERS] = {0}, begin;
    float *values = count <= SIZE_MAX / sizeof(float) ? malloc((size_t)count * sizeof(float)) : NULL;

    if (!values) {
        complain("out of memory");
        return STATUS_FAILED;
    }
    for (uint64_t i = 0; i < count; i++)
        values[i] = (float)(i % 101) * 0.03f - 1.5f;
    begin = bench_now();
    open_session(&session, options, &programs, numbers);
    if (!session.is_failed)
        run_forward(&session, shape, values, begin, numbers);
    free(values);
    session_close(&session);
    if (session.is_failed)
        return STATUS_FAILED;
    for (int i = 0; i < COMPILED; i++)
        printf("%.6f ", 1e3 * numbers[i]);
    printf("%u %u\n", programs.compiled, programs.loaded);
    return finish_output();
}

/* ---- many starts ---- */

/* Where drivers keep what they compiled; those that are not listed follow XDG_CACHE_HOME or keep nothing. */
static const char *const driver_caches[] = {"POCL_CACHE_DIR", "CUDA_CACHE_PATH", "MESA_SHADER_CACHE_DIR",
                                            "NEO_CACHE_DIR", "XDG_CACHE_HOME"};

static int set_caches(const char *folder, const char *driver)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "%s/clnorm", folder);
    if (setenv("CLNORM_CACHE_DIR", path, 1) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/%s", folder, driver);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    for (size_t i = 0; i < sizeof(driver_caches) / sizeof(driver_caches[0]); i++)
        if (setenv(driver_caches[i], path, 1) != 0)
            return -1;
    return 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *place)
{
    (void)facts;
    (void)kind;
    (void)place;
    return remove(path);
}

static int wait_for(pid_t child)
{
    int status = -1;
    pid_t ended;

    interrupt_child(child);
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    interrupt_child(0);
    return ended == child ? status : -1;
}

/* Starts this program with its output in a temporary file, and reads the numbers there. */
static int start_once(const struct bench_options *options, double *numbers)
{
    const struct bench_shape *shape = &options->shapes.list[0];
    char sizes[80], program[] = "clnorm", command[] = "bench", once[] = "--startup-once", shape_option[] = "--shape";
    char device[] = "--device", variant[] = "--variant";
    char *arguments[10] = {program, command, once, shape_option, sizes};
    FILE *answer = tmpfile();
    posix_spawn_file_actions_t actions;
    int count = 5, status = -1, error;
    pid_t child;

    if (!answer)
        return -1;
    snprintf(sizes, sizeof(sizes), "%llu,%llu,%llu", (unsigned long long)shape->n, (unsigned long long)shape->c,
             (unsigned long long)shape->s);
    if (options->device) {
        arguments[count++] = device;
        arguments[count++] = (char *)options->device;
    }
    if (options->variants) {
        arguments[count++] = variant;
        arguments[count++] = (char *)options->variants;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(answer), STDOUT_FILENO);
    error = posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        complain("cannot start this program again: %s", strerror(error));
    else
        status = wait_for(child);
    rewind(answer);
    for (int i = 0; i < NUMBERS && status == 0; i++)
        if (fscanf(answer, "%lf", &numbers[i]) != 1)
            status = -1;
    fclose(answer);
    return status == 0 ? 0 : -1;
}

/* Starts until nothing is compiled, so often at most. */
static int start_until(const struct bench_options *options, unsigned most, double *numbers)
{
    int result;

    do
        result = start_once(options, numbers);
    while (result == 0 && numbers[COMPILED] > 0 && --most > 0 && !interrupt_came());
    if (result != 0 && !interrupt_came())
        complain("a start failed");
    return result;
}

/*
 * The three states in order, in a folder of their own. The first start fills what the others find, and warm ones follow until one compiles
 * nothing: some binaries are stored only then. No signal handler can remove a folder with all that drivers put there, so signals wait until
 * that is done.
 */
static int start_all(const struct bench_options *options, double (*numbers)[NUMBERS])
{
    static const struct {
        enum start_state state;
        const char *driver;
    } order[] = {{COLD, "driver"}, {WARM, "driver"}, {DRIVER_COLD, "driver-2"}};
    const char *temporary = getenv("TMPDIR");
    char folder[PATH_BYTES / 2];
    int length, result = 0;

    length = snprintf(folder, sizeof(folder), "%s/clnorm-bench-XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    interrupt_defer();
    if (length < 0 || (size_t)length >= sizeof(folder) || !mkdtemp(folder)) {
        complain("cannot make a temporary folder: %s", strerror(errno));
        interrupt_deliver();
        return -1;
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && result == 0 && !interrupt_came(); i++) {
        result = set_caches(folder, order[i].driver);
        if (result != 0)
            complain("cannot make a temporary cache: %s", strerror(errno));
        else
            result = start_until(options, order[i].state == WARM ? MOST_WARM : 1, numbers[order[i].state]);
    }
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    interrupt_deliver();
    return result;
}

static void print_table(FILE *file, double (*medians)[NUMBERS])
{
    fprintf(file, "%-12s %10s %10s %10s %10s %10s %10s %9s %7s\n", "caches", "drivers", "context", "call", "finish",
            "total ms", "again", "compiled", "loaded");
    for (int state = 0; state < STATES; state++) {
        fprintf(file, "%-12s", state_names[state]);
        for (int i = 0; i < COMPILED; i++)
            fprintf(file, " %10.3f", medians[state][i]);
        fprintf(file, " %9.0f %7.0f\n", medians[state][COMPILED], medians[state][LOADED]);
    }
    fprintf(file,
            "\nMedians of new processes until the first result is read, in ms. cold: the caches of CLNorm and of the\n"
            "driver are empty (its folder moves by POCL_CACHE_DIR, CUDA_CACHE_PATH and the like); driver-cold: the\n"
            "driver's alone; warm: neither. drivers: loading them and finding the\n"
            "device; context: making it and a queue; call: the first call, which compiles programs or loads them;\n"
            "finish: waiting for it, where some drivers compile the rest; again: a second call with its wait, so\n"
            "call + finish - again is what building the programs costs (cold: %.3f ms).\n",
            medians[COLD][CALL] + medians[COLD][FINISH] - medians[COLD][AGAIN]);
}

static void print_medians(FILE *file, int format, double (*medians)[NUMBERS])
{
    if (format == BENCH_TABLE) {
        print_table(file, medians);
        return;
    }
    fprintf(file, format == BENCH_CSV ? "caches" : "{\"startup\": [");
    for (int i = 0; i < NUMBERS && format == BENCH_CSV; i++)
        fprintf(file, ",%s", number_names[i]);
    for (int state = 0; state < STATES; state++) {
        if (format == BENCH_CSV)
            fprintf(file, "\n%s", state_names[state]);
        else
            fprintf(file, "%s\n  {\"caches\": \"%s\"", state ? "," : "", state_names[state]);
        for (int i = 0; i < NUMBERS; i++) {
            if (format == BENCH_CSV)
                fprintf(file, ",%.6g", medians[state][i]);
            else
                fprintf(file, ", \"%s\": %.6g", number_names[i], medians[state][i]);
        }
        if (format == BENCH_JSON)
            fputc('}', file);
    }
    fprintf(file, format == BENCH_CSV ? "\n" : "\n]}\n");
}

int bench_startup(const struct bench_options *options)
{
    unsigned runs = options->runs ? options->runs : DEFAULT_RUNS;
    double(*numbers)[STATES][NUMBERS] = calloc(runs, sizeof(*numbers)), *column = calloc(runs, sizeof(*column));
    double medians[STATES][NUMBERS];
    struct whole_file output;
    int is_good = numbers && column, status;

    if (!is_good)
        complain("out of memory");
    if (!is_good || whole_file_open(options->out, &output) != STATUS_DONE) {
        free(numbers);
        free(column);
        return STATUS_FAILED;
    }
    for (unsigned i = 0; i < runs && is_good; i++) {
        show_progress("start %u of %u", i + 1, runs);
        is_good = start_all(options, numbers[i]) == 0;
    }
    clear_progress();
    for (int state = 0; state < STATES && is_good; state++)
        for (int k = 0; k < NUMBERS; k++) {
            for (unsigned i = 0; i < runs; i++)
                column[i] = numbers[i][state][k];
            medians[state][k] = bench_median(column, runs);
        }
    if (is_good)
        print_medians(output.stream, options->format, medians);
    status = whole_file_finish(&output, is_good);
    free(numbers);
    free(column);
    return is_good ? status : STATUS_FAILED;
}
