/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the memory can do: copies src on all processors, with ordinary stores or with stores past the caches; and reads src, waits
 * until every processor has, and copies it past the caches: the least that training does to a tensor no part of which stays near
 * until its statistics are known. Written with intrinsics because a plain loop or memcpy may choose either kind by itself.
 */
#define _GNU_SOURCE /* pthread_barrier_t */
#include "bench.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define BENCH_X86 1
#include <immintrin.h>
#endif

/* Copies count floats, a multiple of 16; both pointers are aligned to 64 bytes. */
typedef void copy_function(float *dst, const float *src, size_t count);

/* Reads as many: what it returns only keeps the compiler from leaving the reading out. */
typedef float read_function(const float *src, size_t count);

#ifdef BENCH_X86

#define COPY(name, isa, width, load, store)                                                                            \
    __attribute__((target(isa))) static void name(float *dst, const float *src, size_t count)                          \
    {                                                                                                                  \
        for (size_t i = 0; i < count; i += 16)                                                                         \
            for (size_t j = i; j < i + 16; j += (width))                                                               \
                store(dst + j, load(src + j));                                                                         \
        _mm_sfence(); /* stores past the caches are finished when they are fenced */                                   \
    }

COPY(store_512, "avx512f", 16, _mm512_load_ps, _mm512_store_ps)
COPY(stream_512, "avx512f", 16, _mm512_load_ps, _mm512_stream_ps)
COPY(store_256, "avx", 8, _mm256_load_ps, _mm256_store_ps)
COPY(stream_256, "avx", 8, _mm256_load_ps, _mm256_stream_ps)
COPY(store_128, "sse2", 4, _mm_load_ps, _mm_store_ps)
COPY(stream_128, "sse2", 4, _mm_load_ps, _mm_stream_ps)

/* Four sums, so that no addition waits for the one before. */
#define READ(name, isa, width, type, load, add, first)                                                                 \
    __attribute__((target(isa))) static float name(const float *src, size_t count)                                     \
    {                                                                                                                  \
        type sums[4];                                                                                                  \
        for (size_t j = 0; j < 4; j++)                                                                                 \
            sums[j] = load(src);                                                                                       \
        for (size_t i = 0; i < count; i += 16)                                                                         \
            for (size_t j = i; j < i + 16; j += (width))                                                               \
                sums[j / (width) % 4] = add(sums[j / (width) % 4], load(src + j));                                     \
        return first(add(add(sums[0], sums[1]), add(sums[2], sums[3])));                                               \
    }

READ(read_512, "avx512f", 16, __m512, _mm512_load_ps, _mm512_add_ps, _mm512_cvtss_f32)
READ(read_256, "avx", 8, __m256, _mm256_load_ps, _mm256_add_ps, _mm256_cvtss_f32)
READ(read_128, "sse2", 4, __m128, _mm_load_ps, _mm_add_ps, _mm_cvtss_f32)

static read_function *choose_read(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return read_512;
    return __builtin_cpu_supports("avx") ? read_256 : read_128;
}

static copy_function *choose(bool streaming)
{
    if (__builtin_cpu_supports("avx512f"))
        return streaming ? stream_512 : store_512;
    if (__builtin_cpu_supports("avx"))
        return streaming ? stream_256 : store_256;
    return streaming ? stream_128 : store_128;
}

static const char *version(void)
{
    return __builtin_cpu_supports("avx512f") ? "avx512" : __builtin_cpu_supports("avx") ? "avx" : "sse";
}

#else

static void copy_plain(float *dst, const float *src, size_t count)
{
    memcpy(dst, src, count * sizeof(float));
}

static copy_function *choose(bool streaming)
{
    (void)streaming;
    return copy_plain;
}

static float read_plain(const float *src, size_t count)
{
    float sums[16] = {0}, sum = 0;
    for (size_t i = 0; i < count; i += 16)
        for (size_t j = 0; j < 16; j++)
            sums[j] += src[i + j];
    for (size_t j = 0; j < 16; j++)
        sum += sums[j];
    return sum;
}

static read_function *choose_read(void)
{
    return read_plain;
}

static const char *version(void)
{
    return "memcpy";
}

#endif

/* Threads that wait at a barrier: made once per setup, so that a run costs a wake-up and no creation. */
struct state {
    float *src, *dst;
    size_t count; /* rounded up to whole lines */
    copy_function *copy;
    read_function *read; /* NULL: there is one pass */
    volatile float sum;
    pthread_barrier_t start, middle, end;
    pthread_t *threads;
    unsigned thread_count, started;
    bool stop;
};

struct worker {
    struct state *state;
    unsigned number;
};

static void copy_part(struct state *s, unsigned number)
{
    size_t lines = s->count / 16;
    size_t first = lines * number / s->thread_count * 16, last = lines * (number + 1) / s->thread_count * 16;
    if (s->read) {
        s->sum = s->read(s->src + first, last - first);
        pthread_barrier_wait(&s->middle);
    }
    s->copy(s->dst + first, s->src + first, last - first);
}

static void *work(void *argument)
{
    struct worker worker = *(struct worker *)argument;
    free(argument);
    for (;;) {
        pthread_barrier_wait(&worker.state->start);
        if (worker.state->stop)
            return NULL;
        copy_part(worker.state, worker.number);
        pthread_barrier_wait(&worker.state->end);
    }
}

/* The caller is a worker too, number 0. */
static bool start_thread(struct state *s)
{
    struct worker *worker = malloc(sizeof *worker);
    if (!worker)
        return false;
    *worker = (struct worker){s, s->started + 1};
    if (pthread_create(&s->threads[s->started], NULL, work, worker) != 0) {
        free(worker);
        return false;
    }
    s->started++;
    return true;
}

static void teardown(void *state)
{
    struct state *s = state;
    s->stop = true;
    pthread_barrier_wait(&s->start);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->threads[i], NULL);
    pthread_barrier_destroy(&s->start);
    pthread_barrier_destroy(&s->middle);
    pthread_barrier_destroy(&s->end);
    free(s->threads);
    free(s->src);
    free(s->dst);
    free(s);
}

static int setup(const struct peer_problem *problem, void **state, bool streaming, bool two_passes)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return PEER_FAILED;
    size_t count = (size_t)peer_count(problem);
    s->count = (count + 15) / 16 * 16;
    s->copy = choose(streaming);
    s->read = two_passes ? choose_read() : NULL;
    s->thread_count = bench_threads();
    s->src = bench_alloc(s->count * sizeof(float));
    s->dst = bench_alloc(s->count * sizeof(float));
    s->threads = calloc(s->thread_count, sizeof *s->threads);
    pthread_barrier_init(&s->start, NULL, s->thread_count);
    pthread_barrier_init(&s->middle, NULL, s->thread_count);
    pthread_barrier_init(&s->end, NULL, s->thread_count);
    bool good = s->src && s->dst && s->threads;
    while (good && s->started + 1 < s->thread_count)
        good = start_thread(s);
    if (!good) {
        /* Threads that wait for ever at a barrier cannot be joined; the program is about to end. */
        fprintf(stderr, "copy: out of memory or threads\n");
        return PEER_FAILED;
    }
    memcpy(s->src, problem->src, count * sizeof(float));
    *state = s;
    return PEER_OK;
}

static int setup_copy(const struct peer_problem *problem, void **state)
{
    return setup(problem, state, false, false);
}

static int setup_stream(const struct peer_problem *problem, void **state)
{
    return setup(problem, state, true, false);
}

static int setup_two_pass(const struct peer_problem *problem, void **state)
{
    return setup(problem, state, true, true);
}

static int run(void *state)
{
    struct state *s = state;
    pthread_barrier_wait(&s->start);
    copy_part(s, 0);
    pthread_barrier_wait(&s->end);
    return PEER_OK;
}

const struct peer peer_copy = {"copy", version, setup_copy, run, NULL, teardown, NULL, NULL, NULL};
const struct peer peer_stream = {"stream", version, setup_stream, run, NULL, teardown, NULL, NULL, NULL};
const struct peer peer_two_pass = {"two-pass", version, setup_two_pass, run, NULL, teardown, NULL, NULL, NULL};
