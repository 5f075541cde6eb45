/* SPDX-License-Identifier: Apache-2.0 */
/* Times one peer by itself, as CSV: bench_alone --peer onednn --set resnet50-b32 --op train --layout nhwc */
#include "bench.h"

#include <stdlib.h>

static bool time_one(const struct peer *peer, const struct bench_shape *shape, const struct bench_data *data,
                     enum peer_op op, struct bench_pair pair, const struct bench_options *options)
{
    struct peer_problem problem = bench_problem(shape, data, op, pair.theirs, pair.ours);
    struct bench_runner runner = {.peer = peer};
    int status = peer->setup(&problem, &runner.state);
    if (status != PEER_OK)
        return status == PEER_UNSUPPORTED;
    bool good = bench_race(&runner, 1, options) > 0;
    uint64_t s = shape->d * shape->h * shape->w;
    enum peer_op bytes = peer->copies ? PEER_TRAIN : op;
    if (good)
        printf("%s,%s,%s,%s,%s,%llu,%llu,%llu,%.9f,%.9f,%.2f\n", peer->name, peer->version(), bench_op_name(op),
               bench_layout_name(pair.theirs), shape->set, (unsigned long long)shape->n, (unsigned long long)shape->c,
               (unsigned long long)s, runner.median, runner.minimum,
               bench_gbps(bytes, bench_shape_count(shape), runner.median));
    fflush(stdout);
    peer->teardown(runner.state);
    return good;
}

/* A layout of the peer's is timed once, however many of ours it is to be compared with. */
static bool is_repeated(const struct bench_options *options, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (options->pairs[i].theirs == options->pairs[index].theirs)
            return true;
    return false;
}

static bool time_all(const struct bench_options *options, const struct peer *peer, const struct bench_data *data)
{
    printf("peer,version,op,layout,set,n,c,s,median_seconds,min_seconds,gbps\n");
    for (size_t i = 0; i < options->shape_count; i++)
        for (int op = 0; op < PEER_OP_COUNT; op++)
            for (size_t pair = 0; pair < options->pair_count; pair++)
                if (options->ops[op] && !is_repeated(options, pair) &&
                    !time_one(peer, &options->shapes[i], data, (enum peer_op)op, options->pairs[pair], options))
                    return false;
    return true;
}

int main(int argc, char **argv)
{
    struct bench_options options;
    struct bench_data data = {0};
    bool good = bench_read_options(argc, argv, &options);
    const struct peer *peer = &peer_copy;
#ifdef BENCH_ONEDNN
    peer = &peer_onednn;
#endif
    if (good && options.peer)
        peer = options.peer;
    good = good && bench_make_data(&options, &data) && time_all(&options, peer, &data);
    bench_free_data(&data);
    bench_free_options(&options);
    if (peer->close)
        peer->close();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
