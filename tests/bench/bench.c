/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity, setenv */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#ifndef BENCH_SHAPES
#define BENCH_SHAPES "tests/bench/shapes.csv"
#endif

static const char *const op_names[PEER_OP_COUNT] = {"train", "infer", "backward"};
static const char *const layout_names[PEER_LAYOUT_COUNT] = {"nchw", "nhwc", "blocked"};

static const struct peer *const all_peers[] = {
#ifdef BENCH_CLNORM
    &peer_clnorm, &peer_kernel, &peer_kernel_stream,
#endif
#ifdef BENCH_ONEDNN
    &peer_onednn,
#endif
    &peer_copy,   &peer_stream, &peer_two_pass,
};

const char *bench_op_name(enum peer_op op)
{
    return op_names[op];
}

const char *bench_layout_name(enum peer_layout layout)
{
    return layout_names[layout];
}

uint64_t bench_shape_count(const struct bench_shape *shape)
{
    return shape->n * shape->c * shape->d * shape->h * shape->w;
}

static unsigned processors(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return (unsigned)CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

unsigned bench_threads(void)
{
    const char *asked = getenv("OMP_NUM_THREADS");
    unsigned threads = asked ? (unsigned)strtoul(asked, NULL, 10) : 0;
    return threads ? threads : processors();
}

/* ---- options --------------------------------------------------------------------------------------------------- */

static void usage(const char *program)
{
    printf("usage: %s [OPTION]...\n"
           "  --shapes FILE      shapes: columns set,n,c,spatial,times_in_net (default: %s)\n"
           "  --set NAME         only the shapes of this set; may be repeated by commas\n"
           "  --shape N,C,S      this shape instead of the file's; S is like 3136, 56x56 or 32x64x64; repeatable\n"
           "  --op LIST          of train,infer,backward (default: all)\n"
           "  --layout LIST      of nchw,nhwc,blocked; OURS:THEIRS where they differ\n"
           "                     (default: nchw,nhwc,nchw:blocked,nhwc:blocked)\n"
           "  --peer NAME        bench_alone: which one (default: oneDNN)\n"
           "  --runs R           rounds (default: 11 to 101, about half a second)\n"
           "  --calls K          calls one behind the other before each wait, as in a network (default: 1)\n"
           "  --threads T        threads for everybody (default: the processors this process may use)\n"
           "  --device D         OpenCL device, as in CLNORM_DEVICE\n"
           "  --bare             bench_compare: also what loops without arithmetic reach, in several ways\n"
           "  --csv              CSV instead of a table\n"
           "For steady numbers: taskset -c 0,1 %s ...\n"
           "Do not set OMP_PROC_BIND, OMP_WAIT_POLICY or GOMP_SPINCOUNT: the program sets what is fair to all.\n",
           program, BENCH_SHAPES, program);
}

static bool complain(const char *what, const char *text)
{
    fprintf(stderr, "%s: \"%s\"\n", what, text);
    return false;
}

static int index_of(const char *name, size_t length, const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == length && strncmp(names[i], name, length) == 0)
            return i;
    return -1;
}

/* Sizes separated by x: the last is the width. */
static bool read_spatial(const char *text, struct bench_shape *shape)
{
    uint64_t sizes[3] = {0};
    int rank = 0;
    for (char *end; rank < 3; text = end + 1) {
        errno = 0;
        sizes[rank] = strtoull(text, &end, 10);
        if (end == text || errno || sizes[rank] == 0)
            return false;
        rank++;
        if (*end == '\0' || *end == ',' || *end == '\n' || *end == '\r')
            break;
        if (*end != 'x' || rank == 3)
            return false;
    }
    shape->d = rank == 3 ? sizes[0] : 1;
    shape->h = rank >= 2 ? sizes[rank - 2] : 1;
    shape->w = sizes[rank - 1];
    return true;
}

/* "N,C,SPATIAL" with anything behind another comma */
static bool read_shape(const char *text, struct bench_shape *shape)
{
    unsigned long long n, c;
    int used = 0;
    if (sscanf(text, "%llu,%llu,%n", &n, &c, &used) != 2 || used == 0 || n == 0 || c == 0)
        return false;
    shape->n = n;
    shape->c = c;
    return read_spatial(text + used, shape);
}

static bool add_shape(struct bench_options *options, const struct bench_shape *shape)
{
    struct bench_shape *shapes = realloc(options->shapes, (options->shape_count + 1) * sizeof *shapes);
    if (!shapes)
        return complain("out of memory", "shapes");
    options->shapes = shapes;
    shapes[options->shape_count++] = *shape;
    return true;
}

static bool in_list(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (; list && *list; list += strcspn(list, ","), list += *list == ',')
        if (strcspn(list, ",") == length && strncmp(list, name, length) == 0)
            return true;
    return false;
}

static bool read_shapes_file(const char *path, const char *sets, struct bench_options *options)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return complain("cannot open the file of shapes", path);
    char line[256];
    bool good = fgets(line, sizeof line, file) && strncmp(line, "set,n,c,spatial", 15) == 0;
    if (!good)
        complain("the first line must be set,n,c,spatial,times_in_net", path);
    while (good && fgets(line, sizeof line, file)) {
        struct bench_shape shape = {0};
        size_t length = strcspn(line, ",\r\n");
        if (length == 0)
            continue;
        good = length < sizeof shape.set && line[length] == ',' && read_shape(line + length + 1, &shape);
        if (!good) {
            complain("not a shape", line);
            break;
        }
        memcpy(shape.set, line, length);
        if (!sets || in_list(sets, shape.set))
            good = add_shape(options, &shape);
    }
    fclose(file);
    return good;
}

static bool read_ops(const char *text, struct bench_options *options)
{
    memset(options->ops, 0, sizeof options->ops);
    for (; *text; text += strcspn(text, ","), text += *text == ',') {
        int op = index_of(text, strcspn(text, ","), op_names, PEER_OP_COUNT);
        if (op < 0)
            return complain("not one of train, infer, backward", text);
        options->ops[op] = true;
    }
    return true;
}

static bool read_pairs(const char *text, struct bench_options *options)
{
    options->pair_count = 0;
    for (; *text; text += strcspn(text, ","), text += *text == ',') {
        size_t first = strcspn(text, ":,"), length = strcspn(text, ",");
        const char *second = first < length ? text + first + 1 : text;
        int ours = index_of(text, first, layout_names, PEER_LAYOUT_COUNT);
        int theirs = index_of(second, strcspn(second, ","), layout_names, PEER_LAYOUT_COUNT);
        if (ours < 0 || theirs < 0 || options->pair_count == BENCH_MAX_PAIRS)
            return complain("not a layout or OURS:THEIRS of nchw, nhwc, blocked", text);
        /* Only one side can be in blocks: alone, the word means channels-first against blocks. */
        if (ours == PEER_BLOCKED)
            ours = PEER_NCHW;
        options->pairs[options->pair_count++] = (struct bench_pair){(enum peer_layout)ours, (enum peer_layout)theirs};
    }
    return true;
}

static bool find_peer(const char *name, struct bench_options *options)
{
    for (size_t i = 0; i < sizeof all_peers / sizeof all_peers[0]; i++)
        if (strcmp(all_peers[i]->name, name) == 0)
            options->peer = all_peers[i];
    return options->peer ? true : complain("no such peer in this build", name);
}

/* ---- threads of others ----------------------------------------------------------------------------------------- */

#if defined(__linux__)

/* The processors this process was given, as numbers with commas: a runtime may take some away before main runs. */
static void remember_processors(void)
{
    char text[4096] = "";
    cpu_set_t set;
    size_t length = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE && length + 8 < sizeof text; cpu++)
        if (CPU_ISSET(cpu, &set))
            length += (size_t)snprintf(text + length, sizeof text - length, "%s%d", length ? "," : "", cpu);
    setenv("BENCH_CPUS", text, 1);
}

void bench_bind(int number)
{
    const char *text = getenv("BENCH_CPUS");
    cpu_set_t set;
    CPU_ZERO(&set);
    for (char *end; text && *text; text = *end ? end + 1 : end) {
        long cpu = strtol(text, &end, 10);
        if (end == text)
            break;
        if (number <= 0)
            CPU_SET((size_t)cpu, &set);
        if (number-- == 0)
            break;
    }
    if (CPU_COUNT(&set))
        sched_setaffinity(0, sizeof set, &set);
}

#else

void bench_bind(int number)
{
    (void)number;
}

#endif

/*
 * What makes turns in one process fair. OpenMP's threads must spin between two runs of their own, or oneDNN loses up to
 * nine tenths of its speed on small tensors; and they must sleep when it is somebody else's turn. So they spin for some
 * milliseconds, a race pauses between turns, and every turn begins with runs that are not timed. Theirs and PoCL's are
 * bound to processors, because oneDNN has barriers of its own that spin, and waits for a whole time slice when two threads
 * happen to share a processor; PoCL's would share one for as long.
 * Runtimes read these variables before main, so the program starts itself anew. What is set already stays as it is.
 */
static void settle_environment(char **argv, const char *threads)
{
    char count[16];
    if (getenv("BENCH_CPUS")) {
        bench_bind(-1);
        return;
    }
    snprintf(count, sizeof count, "%u", processors());
    if (!threads)
        threads = getenv("OMP_NUM_THREADS") ? getenv("OMP_NUM_THREADS") : count;
    setenv("OMP_NUM_THREADS", threads, 1);
    setenv("POCL_MAX_PTHREAD_COUNT", threads, 1);
    setenv("OMP_PROC_BIND", "true", 0);
    setenv("POCL_AFFINITY", "1", 0);
    setenv("GOMP_SPINCOUNT", "100000", 0);
    setenv("KMP_BLOCKTIME", "5", 0);
#if defined(__linux__)
    remember_processors();
    execv("/proc/self/exe", argv);
    perror("cannot start anew");
#else
    (void)argv;
    fprintf(stderr, "set OMP_PROC_BIND=true, GOMP_SPINCOUNT=100000 and OMP_NUM_THREADS=%s yourself\n", threads);
#endif
}

/* ---- command line ---------------------------------------------------------------------------------------------- */

struct arguments {
    const char *file, *sets, *threads, *ops, *layouts, *peer;
};

static bool parse(int argc, char **argv, struct arguments *arguments, struct bench_options *options)
{
    static const struct option table[] = {
        {"shapes", required_argument, NULL, 'f'},  {"set", required_argument, NULL, 's'},
        {"shape", required_argument, NULL, 'n'},   {"op", required_argument, NULL, 'o'},
        {"layout", required_argument, NULL, 'l'},  {"peer", required_argument, NULL, 'p'},
        {"runs", required_argument, NULL, 'r'},    {"calls", required_argument, NULL, 'k'},
        {"threads", required_argument, NULL, 't'}, {"device", required_argument, NULL, 'd'},
        {"bare", no_argument, NULL, 'b'},          {"csv", no_argument, NULL, 'c'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    for (int option; (option = getopt_long(argc, argv, "h", table, NULL)) != -1;) {
        struct bench_shape shape = {.set = "command-line"};
        switch (option) {
        case 'f':
            arguments->file = optarg;
            break;
        case 's':
            arguments->sets = optarg;
            break;
        case 'n':
            if (!read_shape(optarg, &shape))
                return complain("not a shape N,C,S", optarg);
            if (!add_shape(options, &shape))
                return false;
            break;
        case 'o':
            arguments->ops = optarg;
            break;
        case 'l':
            arguments->layouts = optarg;
            break;
        case 'p':
            arguments->peer = optarg;
            break;
        case 'r':
            options->runs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'k':
            options->calls = (unsigned)strtoul(optarg, NULL, 10);
            if (options->calls == 0)
                return complain("not a number of calls", optarg);
            break;
        case 't':
            arguments->threads = optarg;
            break;
        case 'd':
            setenv("CLNORM_DEVICE", optarg, 1);
            break;
        case 'b':
            options->bare = true;
            break;
        case 'c':
            options->csv = true;
            break;
        case 'h':
            usage(argv[0]);
            exit(EXIT_SUCCESS);
        default:
            return false;
        }
    }
    return optind == argc ? true : complain("unknown argument", argv[optind]);
}

bool bench_read_options(int argc, char **argv, struct bench_options *options)
{
    struct arguments arguments = {
        .file = BENCH_SHAPES,
        .ops = "train,infer,backward",
        .layouts = "nchw,nhwc,nchw:blocked,nhwc:blocked",
    };
    memset(options, 0, sizeof *options);
    options->calls = 1;
    if (!parse(argc, argv, &arguments, options))
        return false;
    if (arguments.threads && strtoul(arguments.threads, NULL, 10) == 0)
        return complain("not a number of threads", arguments.threads);
    settle_environment(argv, arguments.threads);
    if (!read_ops(arguments.ops, options) || !read_pairs(arguments.layouts, options))
        return false;
    if (arguments.peer && !find_peer(arguments.peer, options))
        return false;
    if (options->shape_count == 0 && !read_shapes_file(arguments.file, arguments.sets, options))
        return false;
    return options->shape_count ? true : complain("no shapes", arguments.sets ? arguments.sets : arguments.file);
}

void bench_free_options(struct bench_options *options)
{
    free(options->shapes);
    options->shapes = NULL;
}

/* ---- data ------------------------------------------------------------------------------------------------------ */

void *bench_alloc(size_t bytes)
{
    size_t rounded = (bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, rounded ? rounded : 64);
    if (memory)
        memset(memory, 0, rounded);
    return memory;
}

/* Four uniform numbers of 16 bits out of one draw make a sum that is close enough to normal, of variance 1. */
static void fill_normal(float *values, uint64_t count, uint64_t seed)
{
    uint64_t x = seed;
    for (uint64_t i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        uint64_t sum = (x & 0xffff) + (x >> 16 & 0xffff) + (x >> 32 & 0xffff) + (x >> 48);
        values[i] = ((float)sum / 65536.0f - 2.0f) * 1.7320508f;
    }
}

bool bench_make_data(const struct bench_options *options, struct bench_data *data)
{
    memset(data, 0, sizeof *data);
    for (size_t i = 0; i < options->shape_count; i++) {
        uint64_t count = bench_shape_count(&options->shapes[i]);
        data->count = count > data->count ? count : data->count;
        data->channels = options->shapes[i].c > data->channels ? options->shapes[i].c : data->channels;
    }
    float **vectors[] = {&data->scale, &data->shift, &data->mean, &data->variance};
    data->src = bench_alloc(data->count * sizeof(float));
    data->diff_dst = bench_alloc(data->count * sizeof(float));
    bool good = data->src && data->diff_dst;
    for (size_t i = 0; i < 4; i++)
        good = (*vectors[i] = bench_alloc(data->channels * sizeof(float))) && good;
    if (!good) {
        bench_free_data(data);
        return complain("out of memory", "data");
    }
    fill_normal(data->src, data->count, 0x9e3779b97f4a7c15);
    fill_normal(data->diff_dst, data->count, 0xd1b54a32d192ed03);
    for (uint64_t i = 0; i < data->channels; i++) {
        data->scale[i] = 1.0f + 0.01f * (float)(i % 17);
        data->shift[i] = 0.02f * (float)(i % 13) - 0.1f;
        data->mean[i] = 0.01f * (float)(i % 11) - 0.05f;
        data->variance[i] = 0.9f + 0.02f * (float)(i % 7);
    }
    return true;
}

void bench_free_data(struct bench_data *data)
{
    free(data->src);
    free(data->diff_dst);
    free(data->scale);
    free(data->shift);
    free(data->mean);
    free(data->variance);
    memset(data, 0, sizeof *data);
}

struct peer_problem bench_problem(const struct bench_shape *shape, const struct bench_data *data, enum peer_op op,
                                  enum peer_layout layout, enum peer_layout arrays)
{
    return (struct peer_problem){
        .op = op,
        .layout = layout,
        .arrays = arrays,
        .n = shape->n,
        .c = shape->c,
        .d = shape->d,
        .h = shape->h,
        .w = shape->w,
        .epsilon = 1e-5f,
        .src = data->src,
        .diff_dst = data->diff_dst,
        .scale = data->scale,
        .shift = data->shift,
        .mean = data->mean,
        .variance = data->variance,
    };
}

/* ---- the clock ------------------------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* So many calls, one behind the other; seconds are one's. */
static bool run_timed(struct bench_runner *runner, unsigned calls, double *seconds)
{
    double start = now();
    int status = PEER_OK;
    for (unsigned i = 0; i < calls && status == PEER_OK; i++)
        status = runner->peer->run(runner->state);
    if (status == PEER_OK && runner->peer->wait)
        status = runner->peer->wait(runner->state);
    *seconds = (now() - start) / calls;
    if (status != PEER_OK)
        fprintf(stderr, "%s: a run failed\n", runner->peer->name);
    return status == PEER_OK;
}

/*
 * Fills the last cache with what nobody wants. Otherwise a cache that withstands streams keeps what the one before has stored by
 * ordinary stores for many of the next one's runs, and who stores past the caches never has a turn with its own data in them.
 */
static void spoil_caches(void)
{
    static const size_t bytes = (size_t)128 << 20;
    static unsigned char *scratch, value;
    if (!scratch)
        scratch = malloc(bytes);
    if (scratch)
        memset(scratch, ++value, bytes);
}

/*
 * A turn of one among several: waits until the threads of the one before sleep, wakes its own and its processors with
 * some milliseconds of runs that do not count, and times the next.
 */
static bool take_turn(struct bench_runner *runner, unsigned calls, bool alone, double *seconds)
{
    static const struct timespec pause = {.tv_nsec = 10000000};
    if (alone)
        return run_timed(runner, calls, seconds);
    nanosleep(&pause, NULL);
    spoil_caches();
    bool good = true;
    double start = now();
    do
        good = run_timed(runner, calls, seconds);
    while (good && now() - start < 3e-3);
    return good && run_timed(runner, calls, seconds);
}

static bool take_turns(struct bench_runner *runners, size_t count, unsigned calls, double *times, size_t stride)
{
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        if (runners[i].peer->turn)
            runners[i].peer->turn(true);
        good = take_turn(&runners[i], calls, count == 1, &times[i * stride]);
        if (runners[i].peer->turn)
            runners[i].peer->turn(false);
    }
    return good;
}

/* The first runs compile, fault pages in and raise clocks: some rounds that fill a tenth of a second. */
static bool warm_up(struct bench_runner *runners, size_t count, unsigned calls, double *times)
{
    double start = now();
    for (unsigned round = 0; round < 2 || (round < 50 && now() - start < 0.1); round++)
        if (!take_turns(runners, count, calls, times, 1))
            return false;
    return true;
}

unsigned bench_race(struct bench_runner *runners, size_t count, const struct bench_options *options)
{
    enum { FEWEST = 11, MOST = 101 };
    const double enough = 0.6; /* seconds */
    unsigned rounds = options->runs, calls = options->calls, most = rounds ? rounds : MOST, done = 0;
    double *times = malloc(count * most * sizeof *times);
    bool good = times && warm_up(runners, count, calls, times);
    double start = now();
    while (good && done < most && (rounds || done < FEWEST || now() - start < enough)) {
        good = take_turns(runners, count, calls, times + done, most);
        done++;
    }
    for (size_t i = 0; i < count && good; i++) {
        double *own = times + i * most;
        qsort(own, done, sizeof *own, by_value);
        runners[i].median = done % 2 ? own[done / 2] : 0.5 * (own[done / 2 - 1] + own[done / 2]);
        runners[i].minimum = own[0];
    }
    free(times);
    return good ? done : 0;
}

double bench_gbps(enum peer_op op, uint64_t count, double seconds)
{
    return (op == PEER_BACKWARD ? 3.0 : 2.0) * (double)count * sizeof(float) / seconds * 1e-9;
}
