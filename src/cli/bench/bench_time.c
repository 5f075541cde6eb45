/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* clock_gettime */
#include "cli/bench/bench_time.h"

#include "cli/message.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FEWEST = 11, MOST = 101, PROFILED = 15 };

/* What one round runs, in order, and the times of all rounds: one column for each. */
struct race {
    enum bench_work order[BENCH_WORKS];
    unsigned count;
    unsigned room;
    double *wall, *call, *device;
};

double bench_now(void)
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

double bench_median(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof(*values), by_value);
    return count % 2 ? values[count / 2] : 0.5 * (values[count / 2 - 1] + values[count / 2]);
}

static int expect(struct bench_device *device, int status)
{
    session_expect(&device->session, status, "a timed run failed");
    return device->session.is_failed ? -1 : 0;
}

static int run_timed(struct bench_device *device, enum bench_work work, double *wall, double *call)
{
    double start = bench_now();
    int status = bench_enqueue(device, device->session.queue, work);

    *call = bench_now() - start;
    if (status == CLNORM_SUCCESS)
        status = clFinish(device->session.queue);
    *wall = bench_now() - start;
    return expect(device, status);
}

static double nanoseconds(cl_event event)
{
    cl_ulong time = 0;

    return clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(time), &time, NULL) == CL_SUCCESS && time
               ? (double)time
               : NAN;
}

/*
 * A call may be several kernels, so two markers stand around it, and the time is from the end of one to the end of the
 * other. The first waits for an event that is set when everything is enqueued: the host's work does not count.
 */
static int run_profiled(struct bench_device *device, enum bench_work work, double *seconds)
{
    cl_event gate = NULL, first = NULL, last = NULL;
    cl_int status;
    int is_open;

    *seconds = NAN;
    gate = clCreateUserEvent(device->session.cl, &status);
    if (status != CL_SUCCESS)
        return expect(device, status);
    status = clEnqueueMarkerWithWaitList(device->profiled, 1, &gate, &first);
    if (status == CL_SUCCESS)
        status = bench_enqueue(device, device->profiled, work);
    if (status == CL_SUCCESS)
        status = clEnqueueMarkerWithWaitList(device->profiled, 0, NULL, &last);
    /*
     * Without a clFlush before, in which some devices would wait for what is set only here; and even after an error: what
     * waits at the gate must not wait for ever.
     */
    is_open = clSetUserEventStatus(gate, CL_COMPLETE);
    if (status == CL_SUCCESS)
        status = is_open;
    if (is_open == CL_SUCCESS && clFinish(device->profiled) == CL_SUCCESS && status == CL_SUCCESS)
        *seconds = 1e-9 * (nanoseconds(last) - nanoseconds(first));
    /* Some drivers give markers no times of their own. */
    if (!(*seconds > 0))
        *seconds = NAN;
    clReleaseEvent(gate);
    if (first)
        clReleaseEvent(first);
    if (last)
        clReleaseEvent(last);
    return expect(device, status);
}

/* Operations and copies in turn, then the empty kernel. */
static void make_order(struct race *race, const int *wanted)
{
    unsigned copy = BENCH_COPY;

    for (unsigned op = 0; op < BENCH_OPS; op++) {
        if (!wanted[op])
            continue;
        race->order[race->count++] = op;
        race->order[race->count++] = copy++;
    }
    while (copy < BENCH_EMPTY)
        race->order[race->count++] = copy++;
    race->order[race->count++] = BENCH_EMPTY;
}

/* Runs everything once, which compiles kernels, and finds which operations the variants do not fit. */
static int find_unfit(struct bench_device *device, int *wanted)
{
    for (unsigned op = 0; op < BENCH_OPS; op++) {
        int status;

        if (!wanted[op])
            continue;
        status = bench_enqueue(device, device->session.queue, op);
        if (status == CLNORM_NO_VARIANT)
            wanted[op] = 0;
        else if (expect(device, status ? status : clFinish(device->session.queue)) != 0)
            return -1;
    }
    return 0;
}

/* The better of the two ways to cut each copy, by the shortest of some runs in turn. */
static int choose_chunks(struct bench_device *device)
{
    enum { TRIES = 4 };

    for (unsigned work = BENCH_COPY; work <= BENCH_STREAM; work++) {
        double best[2] = {INFINITY, INFINITY}, wall, call;

        for (int i = 0; i < 2 * TRIES; i++) {
            device->chunk[work] = bench_chunk(device, i % 2);
            if (run_timed(device, work, &wall, &call) != 0)
                return -1;
            /* The first runs fault pages in and compile. */
            if (i >= 2 && wall < best[i % 2])
                best[i % 2] = wall;
        }
        device->chunk[work] = bench_chunk(device, best[1] < best[0]);
    }
    return 0;
}

/*
 * Each timed run follows one of the same work that does not count: what the one before left in the caches, and whose
 * threads are awake, would favour some.
 */
static int run_round(struct bench_device *device, struct race *race, unsigned round)
{
    double wall, call;

    for (unsigned i = 0; i < race->count; i++) {
        size_t at = (size_t)i * race->room + round;

        if (run_timed(device, race->order[i], &wall, &call) != 0 ||
            run_timed(device, race->order[i], &race->wall[at], &race->call[at]) != 0)
            return -1;
    }
    return 0;
}

/* Returns the number of rounds, or 0. */
static unsigned run_rounds(struct bench_device *device, struct race *race, unsigned runs)
{
    const double enough = 0.5;
    double start = bench_now();
    unsigned done = 0;

    /* Clocks rise and pages are faulted in: this one does not count. */
    if (run_round(device, race, 0) != 0)
        return 0;
    while (done < race->room && (runs || done < FEWEST || bench_now() - start < enough))
        if (run_round(device, race, done++) != 0)
            return 0;
    return done;
}

static int run_profiled_rounds(struct bench_device *device, struct race *race, unsigned rounds)
{
    double warm;

    for (unsigned round = 0; round < rounds; round++)
        for (unsigned i = 0; i < race->count; i++)
            if (run_profiled(device, race->order[i], &warm) != 0 ||
                run_profiled(device, race->order[i], &race->device[(size_t)i * race->room + round]) != 0)
                return -1;
    return 0;
}

unsigned bench_measure(struct bench_device *device, int *wanted, unsigned runs, struct bench_times *medians)
{
    struct race race = {.room = runs ? runs : MOST};
    unsigned done = 0, profiled = 0;

    for (unsigned i = 0; i < BENCH_WORKS; i++)
        medians[i] = (struct bench_times){NAN, NAN, NAN};
    if (find_unfit(device, wanted) != 0 || choose_chunks(device) != 0)
        return 0;
    make_order(&race, wanted);
    race.wall = calloc(3 * (size_t)race.count * race.room, sizeof(*race.wall));
    session_expect(&device->session, race.wall ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot keep the times");
    if (race.wall) {
        race.call = race.wall + (size_t)race.count * race.room;
        race.device = race.call + (size_t)race.count * race.room;
        done = run_rounds(device, &race, runs);
    }
    if (done) {
        profiled = done < PROFILED ? done : PROFILED;
        if (run_profiled_rounds(device, &race, profiled) != 0)
            done = 0;
    }
    for (unsigned i = 0; i < race.count && done; i++) {
        size_t at = (size_t)i * race.room;
        struct bench_times *median = &medians[race.order[i]];

        median->wall = bench_median(race.wall + at, done);
        median->call = bench_median(race.call + at, done);
        /* One NaN would put the order of all in doubt. */
        for (unsigned r = 0; r < profiled; r++)
            if (isnan(race.device[at + r]))
                race.device[at] = NAN;
        median->device = isnan(race.device[at]) ? NAN : bench_median(race.device + at, profiled);
    }
    free(race.wall);
    return done;
}
