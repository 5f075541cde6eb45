/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch-normalizes a matrix of samples x features, by default tests/data/digits.npy, and shows what came of it:
 *
 *   digits IN.npy OUT.npy
 *
 * It uses the public interface only. Exit status 0: done and as exact as promised; 1: not; 2: wrong usage.
 */
#define _POSIX_C_SOURCE 200809L
#include <clnorm.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli/files/npy.h"

enum { RUNS = 101 };

/* The accuracy promised of y, without a scale: 4e-7 * max(1, |y|). */
static const double promised = 4e-7;

struct job {
    clnorm_device_info device;
    clnorm_desc desc;
    size_t count; /* elements */
    float *y;
    double first, median; /* seconds */
};

/* Of one feature. */
struct statistics {
    double mean, variance;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int failed(const char *what, int status)
{
    if (status != CLNORM_SUCCESS)
        fprintf(stderr, "digits: %s: %s\n", what, clnorm_status_string(status));
    return status != CLNORM_SUCCESS;
}

static void show_message(void *user, enum clnorm_log_level level, const char *message)
{
    (void)user;
    if (level <= CLNORM_LOG_WARNING)
        fprintf(stderr, "digits: %s\n", message);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What the device holds for one job; NULL what is not there yet. */
struct objects {
    cl_context cl;
    cl_command_queue queue;
    cl_mem src, dst, workspace;
    clnorm_context *norm;
};

static void release(struct objects *o)
{
    if (o->norm)
        clnorm_release_context(&o->norm);
    if (o->workspace)
        clReleaseMemObject(o->workspace);
    if (o->dst)
        clReleaseMemObject(o->dst);
    if (o->src)
        clReleaseMemObject(o->src);
    if (o->queue)
        clReleaseCommandQueue(o->queue);
    if (o->cl)
        clReleaseContext(o->cl);
}

static int allocate(struct objects *o, const struct job *job, const float *x)
{
    size_t bytes = job->count * sizeof(float);
    int status;

    o->cl = clCreateContext(NULL, 1, &job->device.device, NULL, NULL, &status);
    if (failed("clCreateContext", status))
        return -1;
    o->queue = clCreateCommandQueue(o->cl, job->device.device, 0, &status);
    if (failed("clCreateCommandQueue", status))
        return -1;
    o->src = clCreateBuffer(o->cl, CL_MEM_READ_ONLY, bytes, NULL, &status);
    if (failed("clCreateBuffer", status))
        return -1;
    o->dst = clCreateBuffer(o->cl, CL_MEM_READ_WRITE, bytes, NULL, &status);
    if (failed("clCreateBuffer", status))
        return -1;
    return failed("clEnqueueWriteBuffer", clEnqueueWriteBuffer(o->queue, o->src, CL_TRUE, 0, bytes, x, 0, NULL, NULL));
}

/* The first call, timed from making CLNorm's context on, with its kernels compiled or loaded; then many more. */
static int normalize(struct objects *o, struct job *job)
{
    clnorm_context_options options = {.log = show_message};
    clnorm_forward_training_args args = {.src = {o->src, 0}, .dst = {o->dst, 0}};
    double start = now(), seconds[RUNS];
    size_t bytes;
    int status;

    if (failed("clnorm_create_context", clnorm_create_context(o->cl, job->device.device, &options, &o->norm)) ||
        failed("clnorm_get_workspace_bytes",
               clnorm_get_workspace_bytes(o->norm, CLNORM_FORWARD_TRAINING, &job->desc, &bytes)))
        return -1;
    o->workspace = clCreateBuffer(o->cl, CL_MEM_READ_WRITE, bytes, NULL, &status);
    if (failed("clCreateBuffer", status))
        return -1;
    args.workspace.mem = o->workspace;
    for (int i = -1; i < RUNS; i++) {
        if (i >= 0)
            start = now();
        status = clnorm_forward_training(o->norm, o->queue, &job->desc, &args, 0, NULL, NULL);
        if (failed("clnorm_forward_training", status) || failed("clFinish", clFinish(o->queue)))
            return -1;
        if (i < 0)
            job->first = now() - start;
        else
            seconds[i] = now() - start;
    }
    qsort(seconds, RUNS, sizeof *seconds, compare);
    job->median = seconds[RUNS / 2];
    return failed("clEnqueueReadBuffer",
                  clEnqueueReadBuffer(o->queue, o->dst, CL_TRUE, 0, job->count * sizeof(float), job->y, 0, NULL, NULL));
}

/* Two passes in binary64. */
static struct statistics measure(const float *values, uint64_t n, uint64_t c, uint64_t feature)
{
    struct statistics s = {0, 0};

    for (uint64_t i = 0; i < n; i++)
        s.mean += (double)values[i * c + feature];
    s.mean /= (double)n;
    for (uint64_t i = 0; i < n; i++) {
        double d = (double)values[i * c + feature] - s.mean;
        s.variance += d * d;
    }
    s.variance /= (double)n;
    return s;
}

static void show_feature(const float *x, const struct job *job, uint64_t feature)
{
    struct statistics before = measure(x, job->desc.n, job->desc.c, feature);
    struct statistics after = measure(job->y, job->desc.n, job->desc.c, feature);

    printf("%5llu %8.4f %9.1e %8.4f ", (unsigned long long)feature, before.mean, after.mean, sqrt(before.variance));
    if (before.variance > 0)
        printf("%7.4f", sqrt(after.variance));
    else
        printf("%7s", after.variance > 0 || after.mean != 0 ? "WRONG" : "const");
}

/* A line for each pair of features, the second half of them beside the first. Returns how many are constant. */
static unsigned show_features(const float *x, const struct job *job)
{
    uint64_t half = (job->desc.c + 1) / 2;
    unsigned constant = 0;

    printf("          mean                deviation              mean                deviation\n");
    printf("    #   before     after   before   after        #   before     after   before   after\n");
    for (uint64_t i = 0; i < half; i++) {
        show_feature(x, job, i);
        if (i + half < job->desc.c) {
            printf("    ");
            show_feature(x, job, i + half);
        }
        putchar('\n');
    }
    for (uint64_t i = 0; i < job->desc.c; i++)
        constant += !(measure(x, job->desc.n, job->desc.c, i).variance > 0);
    return constant;
}

/* Compares with the formula in binary64. Returns whether every element is as near as promised. */
static int show_error(const float *x, const struct job *job)
{
    uint64_t n = job->desc.n, c = job->desc.c, at = 0;
    double largest = 0, worst = 0;

    for (uint64_t feature = 0; feature < c; feature++) {
        struct statistics s = measure(x, n, c, feature);
        double invstd = 1 / sqrt(s.variance + (double)job->desc.epsilon);
        for (uint64_t i = 0; i < n; i++) {
            double y = ((double)x[i * c + feature] - s.mean) * invstd;
            double error = fabs((double)job->y[i * c + feature] - y);
            if (isnan(error))
                error = INFINITY;
            if (error / (promised * fmax(1, fabs(y))) > worst)
                worst = error / (promised * fmax(1, fabs(y))), at = i * c + feature;
            largest = fmax(largest, error);
        }
    }
    printf("error    %.1e at most, against binary64 on all %zu values\n", largest, job->count);
    printf("         promised: 4e-7 * max(1, |y|); nearest to that: %.0f%% of it, at row %llu, feature %llu: %s\n",
           100 * worst, (unsigned long long)(at / c), (unsigned long long)(at % c), worst <= 1 ? "kept" : "BROKEN");
    return worst <= 1;
}

static int show(const float *x, const struct job *job, const char *in, const char *out)
{
    static const char *const bits[] = {
        [CLNORM_BITS_NONE] = "promises no bits",
        [CLNORM_BITS_SAME_NORMAL] = "the same bits as elsewhere, short of subnormal numbers",
        [CLNORM_BITS_SAME] = "the same bits as on every such device",
    };
    unsigned constant;
    int kept;

    printf("CLNorm %s: batch normalization of %s\n\n", clnorm_version(), in);
    printf("device   %s\n", job->device.name);
    printf("         %s, driver %s: %s\n", job->device.platform_name, job->device.driver, bits[job->device.bits]);
    printf("data     %llu samples of %llu features, binary32; epsilon %g\n\n", (unsigned long long)job->desc.n,
           (unsigned long long)job->desc.c, (double)job->desc.epsilon);
    constant = show_features(x, job);
    printf("\nA deviation after is sqrt(v / (v + epsilon)) of the variance v before: below 1 where v is small.\n");
    if (constant > 0)
        printf("const: the %u features that hold one value throughout; all their values become 0.\n", constant);
    putchar('\n');
    kept = show_error(x, job);
    printf("time     %.1f ms for the first call, its kernels compiled or loaded from the cache\n", 1e3 * job->first);
    printf("         %.3f ms for a later one (median of %d)\n", 1e3 * job->median, RUNS);
    printf("output   %s\n", out);
    return kept;
}

int main(int argc, char **argv)
{
    struct npy_error error;
    struct npy_array x = {0};
    struct objects objects = {0};
    struct job job = {0};
    int good = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: digits IN.npy OUT.npy\n");
        return 2;
    }
    if (npy_read(argv[1], &x, &error)) {
        fprintf(stderr, "digits: %s\n", error.text);
        return 1;
    }
    job.count = (size_t)x.count;
    job.y = malloc(job.count * sizeof *job.y + 1);
    if (x.rank != 2 || x.count == 0)
        fprintf(stderr, "digits: %s: not a matrix of samples x features\n", argv[1]);
    else if (!job.y)
        fprintf(stderr, "digits: out of memory\n");
    else if (!failed("no device", clnorm_find_device(NULL, &job.device, NULL)) &&
             !failed("clnorm_describe", clnorm_describe(CLNORM_CHANNELS_LAST, 2, x.shape, &job.desc)) &&
             !allocate(&objects, &job, x.values) && !normalize(&objects, &job)) {
        struct npy_output output = {.path = argv[2], .rank = 2, .shape = {x.shape[0], x.shape[1]}, .values = job.y};
        if (npy_write_all(&output, 1, &error))
            fprintf(stderr, "digits: %s\n", error.text);
        else
            good = show(x.values, &job, argv[1], argv[2]);
    }
    release(&objects);
    npy_free(&x);
    free(job.y);
    return good ? 0 : 1;
}
