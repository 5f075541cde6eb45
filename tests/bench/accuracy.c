/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far forward training is from float64 as the mean grows beside the deviation, as CSV:
 *
 *   bench_accuracy [--data FILE]
 *
 * Each line is one normalizer on one tensor of 16 x 8 x 28 x 28, channels-first, of deviation 1. The error is the largest of an
 * element, as a part of max(1, |y|). With --data the tensors are written to FILE, float32, one behind the other in the order of the
 * lines, so that others can be measured on the same numbers (pictures.py does it with PyTorch).
 */
#include "bench.h"

#include <clnorm.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 16, C = 8, SIDE = 28, S = SIDE * SIDE, COUNT = N * C * S, STEPS = 29 };

static const float epsilon = 1e-5F;

/* Element i of channel c. */
static size_t at(int c, int i)
{
    return ((size_t)(i / S) * C + (size_t)c) * S + (size_t)(i % S);
}

/* Close enough to normal: twelve uniform numbers less their mean. Channels differ a little, so that one unlucky mean is not all. */
static void fill(float *x, double ratio)
{
    uint64_t state = 0x9e3779b97f4a7c15;

    for (int c = 0; c < C; c++)
        for (int i = 0; i < N * S; i++) {
            double sum = -6;
            for (int draw = 0; draw < 12; draw++) {
                state ^= state << 13, state ^= state >> 7, state ^= state << 17;
                sum += (double)(state >> 11) * 0x1p-53;
            }
            x[at(c, i)] = (float)(ratio * (1 + 0.01 * c) + sum);
        }
}

/* Of the float32 values as they are: what rounding did to them is no error of a normalizer. */
static double largest_error(const float *x, const float *y)
{
    double worst = 0;

    for (int c = 0; c < C; c++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N * S; i++)
            mean += (double)x[at(c, i)] / (N * S);
        double rest = 0; /* what the sum has lost, at a mean of 1e7 */
        for (int i = 0; i < N * S; i++)
            rest += ((double)x[at(c, i)] - mean) / (N * S);
        mean += rest;
        for (int i = 0; i < N * S; i++)
            variance += ((double)x[at(c, i)] - mean) * ((double)x[at(c, i)] - mean) / (N * S);
        for (int i = 0; i < N * S; i++) {
            double right = ((double)x[at(c, i)] - mean) / sqrt(variance + (double)epsilon);
            double error = fabs((double)y[at(c, i)] - right) / fmax(1, fabs(right));
            worst = fmax(worst, isnan(error) ? INFINITY : error);
        }
    }
    return worst;
}

/* The textbook's one pass in float32, its variance kept from below 0: what many an OpenCL kernel does. */
static void one_pass(const float *x, float *y)
{
    for (int c = 0; c < C; c++) {
        volatile float sum = 0, squares = 0; /* volatile: neither reordered nor kept in more bits */
        for (int i = 0; i < N * S; i++) {
            float value = x[at(c, i)];
            sum += value;
            squares += value * value;
        }
        float mean = sum / (N * S), variance = fmaxf(squares / (N * S) - mean * mean, 0);
        float invstd = 1 / sqrtf(variance + epsilon);
        for (int i = 0; i < N * S; i++)
            y[at(c, i)] = (x[at(c, i)] - mean) * invstd;
    }
}

/* One of bench_compare's peers; layout is what it works in. False after a failure, which it has told about. */
static bool run_peer(const struct peer *peer, enum peer_layout layout, const float *x, float *y)
{
    float scale[C], shift[C] = {0}, zeros[C] = {0};
    for (int c = 0; c < C; c++)
        scale[c] = 1;
    struct peer_problem problem = {.op = PEER_TRAIN,
                                   .layout = layout,
                                   .arrays = PEER_NCHW,
                                   .n = N,
                                   .c = C,
                                   .d = 1,
                                   .h = SIDE,
                                   .w = SIDE,
                                   .epsilon = epsilon,
                                   .src = x,
                                   .scale = scale,
                                   .shift = shift,
                                   .mean = zeros,
                                   .variance = scale};
    void *state;
    if (peer->setup(&problem, &state) != PEER_OK)
        return false;
    bool good =
        peer->run(state) == PEER_OK && (!peer->wait || peer->wait(state) == PEER_OK) && peer->read(state, y) == PEER_OK;
    peer->teardown(state);
    return good;
}

static void print(const char *name, const char *version, double ratio, const float *x, const float *y)
{
    printf("%s,%s,%d,%d,%d,%.9g,%.9g\n", name, version, N, C, S, ratio, largest_error(x, y));
}

static bool measure(double ratio, float *x, float *y, FILE *data)
{
    fill(x, ratio);
    if (data && fwrite(x, sizeof *x, COUNT, data) != COUNT)
        return false;
    one_pass(x, y);
    print("one pass in float32", "-", ratio, x, y);
    if (!run_peer(&peer_clnorm, PEER_NCHW, x, y))
        return false;
    print("CLNorm", peer_clnorm.version(), ratio, x, y);
#ifdef BENCH_ONEDNN
    if (!run_peer(&peer_onednn, PEER_NCHW, x, y))
        return false;
    print("oneDNN", peer_onednn.version(), ratio, x, y);
    if (!run_peer(&peer_onednn, PEER_BLOCKED, x, y))
        return false;
    print("oneDNN blocked", peer_onednn.version(), ratio, x, y);
#endif
    return true;
}

int main(int argc, char **argv)
{
    bool has_data = argc == 3 && !strcmp(argv[1], "--data");
    if (argc != 1 && !has_data) {
        fprintf(stderr, "usage: bench_accuracy [--data FILE]\n");
        return 2;
    }
    FILE *data = has_data ? fopen(argv[2], "wb") : NULL;
    float *x = bench_alloc(COUNT * sizeof *x), *y = bench_alloc(COUNT * sizeof *y);
    bool good = x && y && (data || !has_data);

    if (good)
        printf("peer,version,n,c,s,ratio,error\n");
    for (int step = 0; good && step < STEPS; step++)
        good = measure(pow(10, step / 4.0), x, y, data);
    if (data && fclose(data))
        good = false;
    if (has_data && !good)
        perror(argv[2]);
    free(x);
    free(y);
    if (peer_clnorm.close)
        peer_clnorm.close();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
