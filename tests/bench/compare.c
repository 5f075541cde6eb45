/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLNorm against its peers in one process: for every shape, operation and pair of layouts they run in turn on the same
 * values, and the results are compared. A line has the GB/s of the medians, the ratio, and what other things than CLNorm would have made
 * of the ratio in its place: an OpenCL kernel that only copies (most; for backward it adds two tensors), and with --bare the best of
 * several ways to do what training must do to memory, by threads of their own and without arithmetic. Then what such threads reach in
 * copying as much, with ordinary stores, with stores past the caches, and so after a pass that only reads (2pass), all in the same
 * run; ~ marks a line whose median is far from its minimum, because something else ran on the machine. The last lines have the
 * geometric means of each set and its worst ratio.
 */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct peer *const others[] = {
#ifdef BENCH_ONEDNN
    &peer_onednn,
#endif
    NULL, /* ends the list, which may have nothing else */
};

/* Both are right to about 1e-6 of values below 10. */
static const double largest_difference = 1e-4;

/* The ratios of a set, an operation, a peer and a pair of layouts. */
struct summary {
    char set[32];
    enum peer_op op;
    struct bench_pair pair;
    const struct peer *peer;
    unsigned count, bares; /* bares: of those, with bare loops */
    double log_sum, worst, most_log_sum, bare_log_sum, percent_log_sum, two_pass_log_sum;
};

/* What copies reach, in GB/s. */
struct copies {
    double copy, stream, two_pass, kernel;
};

struct comparison {
    const struct bench_options *options;
    const struct bench_data *data;
    float *results[2];
    struct summary *summaries;
    size_t summary_count;
    const struct bench_shape *copied; /* the shape of the last copies, */
    bool copied_backward;             /* and whether they were backward's */
    struct copies copies;
    bool different;
};

/* ---- one line -------------------------------------------------------------------------------------------------- */

struct line {
    const struct bench_shape *shape;
    enum peer_op op;
    struct bench_pair pair;
    const struct peer *peer; /* NULL: CLNorm alone */
    unsigned rounds, calls;
    double ours, theirs, bare; /* GB/s by the medians; 0: not measured */
    struct copies copies;
    double our_best, their_best; /* GB/s by the minima: what a quiet machine would show */
    double difference;
};

static void print_head(bool csv)
{
    if (csv)
        printf("set,n,c,d,h,w,op,layout,peer,version,peer_layout,rounds,calls,clnorm_gbps,peer_gbps,ratio,"
               "clnorm_best_gbps,"
               "peer_best_gbps,copy_gbps,stream_gbps,two_pass_gbps,kernel_gbps,bare_gbps,"
               "percent_of_stream,difference\n");
    else
        printf("%-13s %6s %5s %-10s %-8s %-6s %-14s %7s %7s %6s %6s %6s %6s %6s %6s %5s\n", "set", "n", "c", "spatial",
               "op", "layout", "peer", "clnorm", "peer", "ratio", "most", "bare", "copy", "stream", "2pass", "%");
}

static void print_spatial(const struct bench_shape *shape, char *text, size_t size)
{
    if (shape->d > 1)
        snprintf(text, size, "%llux%llux%llu", (unsigned long long)shape->d, (unsigned long long)shape->h,
                 (unsigned long long)shape->w);
    else if (shape->h > 1)
        snprintf(text, size, "%llux%llu", (unsigned long long)shape->h, (unsigned long long)shape->w);
    else
        snprintf(text, size, "%llu", (unsigned long long)shape->w);
}

/* Two digits, or a dash for what was not measured. */
static void print_ratio(double ratio, char *text, size_t size)
{
    if (ratio > 0)
        snprintf(text, size, "%.2f", ratio);
    else
        snprintf(text, size, "-");
}

static void print_line(const struct line *line, bool csv)
{
    const struct bench_shape *shape = line->shape;
    const char *peer = line->peer ? line->peer->name : "-", *own = bench_layout_name(line->pair.ours);
    const char *layout = line->peer ? bench_layout_name(line->pair.theirs) : "-";
    double ratio = line->peer ? line->ours / line->theirs : 0, percent = 100 * line->ours / line->copies.stream;
    bool unsteady = line->our_best > 1.4 * line->ours || line->their_best > 1.4 * line->theirs;
    if (csv) {
        printf("%s,%llu,%llu,%llu,%llu,%llu,%s,%s,%s,%s,%s,%u,%u,%.3f,%.3f,%.4f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%.3f,%."
               "1f,%.3g\n",
               shape->set, (unsigned long long)shape->n, (unsigned long long)shape->c, (unsigned long long)shape->d,
               (unsigned long long)shape->h, (unsigned long long)shape->w, bench_op_name(line->op), own, peer,
               line->peer ? line->peer->version() : "-", layout, line->rounds, line->calls, line->ours, line->theirs,
               ratio, line->our_best, line->their_best, line->copies.copy, line->copies.stream, line->copies.two_pass,
               line->copies.kernel, line->bare, percent, line->difference);
    } else {
        char spatial[64], name[32], most[16], bare[16];
        print_ratio(line->peer ? line->copies.kernel / line->theirs : 0, most, sizeof most);
        print_ratio(line->peer ? line->bare / line->theirs : 0, bare, sizeof bare);
        print_spatial(shape, spatial, sizeof spatial);
        snprintf(name, sizeof name, "%s %s", peer, layout);
        printf("%-13s %6llu %5llu %-10s %-8s %-6s %-14s %7.2f %7.2f %6.2f %6s %6s %6.1f %6.1f %6.1f %5.0f%s\n",
               shape->set, (unsigned long long)shape->n, (unsigned long long)shape->c, spatial, bench_op_name(line->op),
               own, name, line->ours, line->theirs, ratio, most, bare, line->copies.copy, line->copies.stream,
               line->copies.two_pass, percent, unsteady ? " ~" : "");
    }
    fflush(stdout);
}

/* ---- summaries ------------------------------------------------------------------------------------------------- */

static bool add_to_summary(struct comparison *all, const struct line *line)
{
    struct summary *found = NULL;
    for (size_t i = 0; i < all->summary_count && !found; i++) {
        struct summary *s = &all->summaries[i];
        if (strcmp(s->set, line->shape->set) == 0 && s->op == line->op && s->peer == line->peer &&
            s->pair.ours == line->pair.ours && s->pair.theirs == line->pair.theirs)
            found = s;
    }
    if (!found) {
        struct summary *grown = realloc(all->summaries, (all->summary_count + 1) * sizeof *grown);
        if (!grown)
            return false;
        all->summaries = grown;
        found = &grown[all->summary_count++];
        *found = (struct summary){.op = line->op, .pair = line->pair, .peer = line->peer, .worst = INFINITY};
        memcpy(found->set, line->shape->set, sizeof found->set);
    }
    double ratio = line->peer ? line->ours / line->theirs : 1;
    found->count++;
    found->log_sum += log(ratio);
    found->most_log_sum += line->peer ? log(line->copies.kernel / line->theirs) : 0;
    found->bares += line->bare > 0;
    found->bare_log_sum += line->bare > 0 ? log(line->bare / line->theirs) : 0;
    found->percent_log_sum += log(100 * line->ours / line->copies.stream);
    found->two_pass_log_sum += log(100 * line->ours / line->copies.two_pass);
    found->worst = ratio < found->worst ? ratio : found->worst;
    return true;
}

/* In CSV the lines are comments, so that the table before them stays one. */
static void print_summaries(const struct comparison *all)
{
    const char *prefix = all->options->csv ? "# " : "";
    printf("%s\n%sgeometric means: set, op, layouts, shapes, ratio, worst, most, bare, percent of stream, of 2pass\n",
           prefix, prefix);
    for (size_t i = 0; i < all->summary_count; i++) {
        const struct summary *s = &all->summaries[i];
        const char *peer = s->peer ? s->peer->name : "-", *theirs = s->peer ? bench_layout_name(s->pair.theirs) : "-";
        char most[16], bare[16];
        print_ratio(s->peer ? exp(s->most_log_sum / s->count) : 0, most, sizeof most);
        print_ratio(s->bares == s->count ? exp(s->bare_log_sum / s->count) : 0, bare, sizeof bare);
        printf("%s%-13s %-8s %-5s %s %-8s %4u %7.2f %7.2f %7s %7s %6.0f %6.0f\n", prefix, s->set, bench_op_name(s->op),
               bench_layout_name(s->pair.ours), peer, theirs, s->count, s->peer ? exp(s->log_sum / s->count) : 0,
               s->peer ? s->worst : 0, most, bare, exp(s->percent_log_sum / s->count),
               exp(s->two_pass_log_sum / s->count));
    }
}

/* ---- measuring ------------------------------------------------------------------------------------------------- */

/* Sets up the runners, races them, compares the results of two and takes them down again. */
static unsigned race(struct comparison *all, struct bench_runner *runners, const struct peer_problem *problems,
                     size_t count, double *difference)
{
    unsigned rounds = 0;
    size_t ready = 0;
    while (ready < count && runners[ready].peer->setup(&problems[ready], &runners[ready].state) == PEER_OK)
        ready++;
    if (ready == count)
        rounds = bench_race(runners, count, all->options);
    *difference = 0;
    if (rounds && count == 2 && runners[0].peer->read && runners[1].peer->read) {
        uint64_t values = peer_count(&problems[0]);
        bool read = runners[0].peer->read(runners[0].state, all->results[0]) == PEER_OK &&
                    runners[1].peer->read(runners[1].state, all->results[1]) == PEER_OK;
        /* fmax would pass over a NaN. */
        for (uint64_t i = 0; i < values && read; i++) {
            double d = fabs((double)all->results[0][i] - (double)all->results[1][i]);
            *difference = d <= *difference ? *difference : d;
        }
        rounds = read ? rounds : 0;
    }
    while (ready-- > 0)
        runners[ready].peer->teardown(runners[ready].state);
    return rounds;
}

/* Once for each shape, and once more for backward, after the first race. Copies have two tensors; the kernels, as many as the operation. */
static bool measure_copies(struct comparison *all, struct line *line)
{
    enum { COPY, STREAM, TWO_PASS, KERNEL, KERNEL_STREAM, COPIES };
    static const struct peer *const copies[COPIES] = {&peer_copy, &peer_stream, &peer_two_pass, &peer_kernel,
                                                      &peer_kernel_stream};
    struct peer_problem problems[COPIES];
    struct bench_runner runners[COPIES] = {{NULL, NULL, 0, 0}};
    double unused, gbps[COPIES];
    const bool backward = line->op == PEER_BACKWARD;
    if (all->copied != line->shape || all->copied_backward != backward) {
        for (int i = 0; i < COPIES; i++) {
            runners[i].peer = copies[i];
            problems[i] = bench_problem(line->shape, all->data, line->op, PEER_NCHW, PEER_NCHW);
        }
        if (!race(all, runners, problems, COPIES, &unused))
            return false;
        for (int i = 0; i < COPIES; i++)
            gbps[i] = bench_gbps(i < KERNEL ? PEER_TRAIN : line->op, bench_shape_count(line->shape), runners[i].median);
        all->copied = line->shape;
        all->copied_backward = backward;
        all->copies =
            (struct copies){gbps[COPY], gbps[STREAM], gbps[TWO_PASS], fmax(gbps[KERNEL], gbps[KERNEL_STREAM])};
    }
    line->copies = all->copies;
    return true;
}

/* The best of the bare peers that know the shape; inference has a copy for that. */
static bool measure_bare(const struct comparison *all, struct line *line)
{
    struct peer_problem problem = bench_problem(line->shape, all->data, line->op, line->pair.ours, line->pair.ours);
    struct bench_runner runners[PEER_BARE_COUNT] = {{NULL, NULL, 0, 0}};
    size_t ready = 0;
    bool good = true;
    if (!all->options->bare || !line->peer || line->op == PEER_INFER)
        return true;
    for (size_t i = 0; i < PEER_BARE_COUNT && good; i++) {
        int status = peer_bare[i].setup(&problem, &runners[ready].state);
        runners[ready].peer = &peer_bare[i];
        ready += status == PEER_OK;
        good = status != PEER_FAILED;
    }
    good = good && bench_race(runners, ready, all->options) > 0;
    for (size_t i = 0; i < ready; i++) {
        double gbps = bench_gbps(line->op, bench_shape_count(line->shape), runners[i].median);
        line->bare = good ? fmax(line->bare, gbps) : 0;
        runners[i].peer->teardown(runners[i].state);
    }
    return good;
}

static bool measure_line(struct comparison *all, struct line *line)
{
    uint64_t count = bench_shape_count(line->shape);
    struct peer_problem problems[] = {
        bench_problem(line->shape, all->data, line->op, line->pair.ours, line->pair.ours),
        bench_problem(line->shape, all->data, line->op, line->pair.theirs, line->pair.ours),
    };
    struct bench_runner runners[] = {{.peer = &peer_clnorm}, {.peer = line->peer}};
    line->rounds = race(all, runners, problems, line->peer ? 2 : 1, &line->difference);
    line->bare = 0;
    if (!line->rounds || !measure_copies(all, line) || !measure_bare(all, line))
        return false;
    line->ours = bench_gbps(line->op, count, runners[0].median);
    line->theirs = line->peer ? bench_gbps(line->op, count, runners[1].median) : 0;
    line->our_best = bench_gbps(line->op, count, runners[0].minimum);
    line->their_best = line->peer ? bench_gbps(line->op, count, runners[1].minimum) : 0;
    print_line(line, all->options->csv);
    if (!(line->difference <= largest_difference)) {
        fprintf(stderr, "the results differ by %g\n", line->difference);
        all->different = true;
    }
    return add_to_summary(all, line);
}

/* Against every peer that is there; without any, CLNorm alone, once for each layout of its own. */
static bool measure_pair(struct comparison *all, const struct bench_shape *shape, enum peer_op op,
                         struct bench_pair pair)
{
    struct line line = {.shape = shape, .op = op, .pair = pair, .calls = all->options->calls};
    if (!others[0])
        return pair.ours != pair.theirs || measure_line(all, &line);
    for (size_t i = 0; others[i]; i++) {
        line.peer = others[i];
        if (!measure_line(all, &line))
            return false;
    }
    return true;
}

static bool measure_all(struct comparison *all)
{
    const struct bench_options *options = all->options;
    print_head(options->csv);
    for (size_t i = 0; i < options->shape_count; i++) {
        for (int op = 0; op < PEER_OP_COUNT; op++) {
            for (size_t pair = 0; options->ops[op] && pair < options->pair_count; pair++) {
                if (isatty(STDERR_FILENO))
                    fprintf(stderr, "\r%zu of %zu shapes, %s \r", i + 1, options->shape_count,
                            bench_op_name((enum peer_op)op));
                if (!measure_pair(all, &options->shapes[i], (enum peer_op)op, options->pairs[pair]))
                    return false;
            }
        }
    }
    print_summaries(all);
    return true;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct bench_data data = {0};
    struct comparison all = {.options = &options, .data = &data};
    bool good = bench_read_options(argc, argv, &options) && bench_make_data(&options, &data);
    for (int i = 0; i < 2 && good; i++)
        good = (all.results[i] = bench_alloc(data.count * sizeof(float))) != NULL;
    good = good && measure_all(&all);
    free(all.summaries);
    free(all.results[0]);
    free(all.results[1]);
    bench_free_data(&data);
    bench_free_options(&options);
    peer_clnorm.close();
    for (size_t i = 0; others[i]; i++)
        if (others[i]->close)
            others[i]->close();
    return good && !all.different ? EXIT_SUCCESS : EXIT_FAILURE;
}
