/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the memory can do: copies src on all processors, with ordinary stores or with stores past the caches; and reads src, waits
 * until every processor has, and copies it past the caches: the least that training does to a tensor no part of which stays near
 * until its statistics are known. The bare peers do what training and backward must do to memory in every way known to us: read all
 * and copy all as above, or a group of channels at a time, with ordinary stores and past the caches. Written with intrinsics because
 * a plain loop or memcpy may choose either kind by itself.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define BENCH_X86 1
#include <immintrin.h>
#endif

/*
 * What a thread goes through: rows of `length` floats at a distance of `stride`, length a multiple of 16 and pointers aligned to 64
 * bytes; of two tensors, which are added, or with b = NULL of one. What lies `ahead` floats further on is fetched meanwhile.
 */
struct piece {
    const float *a, *b;
    float *dst;
    size_t rows, length, stride, ahead;
};

typedef void copy_function(const struct piece *piece);

/* What it returns only keeps the compiler from leaving the reading out. */
typedef float read_function(const struct piece *piece);

#ifdef BENCH_X86

static void pause_a_little(void)
{
    _mm_pause();
}

#define EACH_LINE(piece)                                                                                               \
    for (size_t row = 0; row < (piece)->rows; row++)                                                                   \
        for (size_t i = row * (piece)->stride, end = i + (piece)->length; i < end; i += 16)

#define COPY(name, isa, width, add, load, store)                                                                       \
    __attribute__((target(isa))) static void name(const struct piece *piece)                                           \
    {                                                                                                                  \
        const struct piece p = *piece;                                                                                 \
        EACH_LINE(&p)                                                                                                  \
        {                                                                                                              \
            if (p.ahead) {                                                                                             \
                __builtin_prefetch(p.a + p.ahead + i);                                                                 \
                if (p.b)                                                                                               \
                    __builtin_prefetch(p.b + p.ahead + i);                                                             \
            }                                                                                                          \
            for (size_t j = i; j < i + 16; j += (width))                                                               \
                store(p.dst + j, p.b ? add(load(p.a + j), load(p.b + j)) : load(p.a + j));                             \
        }                                                                                                              \
        _mm_sfence(); /* stores past the caches are finished when they are fenced */                                   \
    }

COPY(store_512, "avx512f", 16, _mm512_add_ps, _mm512_load_ps, _mm512_store_ps)
COPY(stream_512, "avx512f", 16, _mm512_add_ps, _mm512_load_ps, _mm512_stream_ps)
COPY(store_256, "avx", 8, _mm256_add_ps, _mm256_load_ps, _mm256_store_ps)
COPY(stream_256, "avx", 8, _mm256_add_ps, _mm256_load_ps, _mm256_stream_ps)
COPY(store_128, "sse2", 4, _mm_add_ps, _mm_load_ps, _mm_store_ps)
COPY(stream_128, "sse2", 4, _mm_add_ps, _mm_load_ps, _mm_stream_ps)

/* Four sums, so that no addition waits for the one before. */
#define READ(name, isa, width, type, load, add, first)                                                                 \
    __attribute__((target(isa))) static float name(const struct piece *piece)                                          \
    {                                                                                                                  \
        const struct piece p = *piece;                                                                                 \
        type sums[4];                                                                                                  \
        for (size_t j = 0; j < 4; j++)                                                                                 \
            sums[j] = load(p.a);                                                                                       \
        EACH_LINE(&p)                                                                                                  \
        for (size_t j = i; j < i + 16; j += (width)) {                                                                 \
            sums[j / (width) % 4] = add(sums[j / (width) % 4], load(p.a + j));                                         \
            if (p.b)                                                                                                   \
                sums[j / (width) % 4] = add(sums[j / (width) % 4], load(p.b + j));                                     \
        }                                                                                                              \
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

static void pause_a_little(void) {}

static void copy_plain(const struct piece *piece)
{
    const struct piece p = *piece;
    for (size_t row = 0; row < p.rows; row++)
        for (size_t i = row * p.stride, end = i + p.length; i < end; i++)
            p.dst[i] = p.b ? p.a[i] + p.b[i] : p.a[i];
}

static copy_function *choose(bool streaming)
{
    (void)streaming;
    return copy_plain;
}

static float read_plain(const struct piece *piece)
{
    const struct piece p = *piece;
    float sums[16] = {0}, sum = 0;
    for (size_t row = 0; row < p.rows; row++)
        for (size_t i = row * p.stride, end = i + p.length; i < end; i += 16)
            for (size_t j = 0; j < 16; j++)
                sums[j] += p.b ? p.a[i + j] + p.b[i + j] : p.a[i + j];
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

/* Neighbouring channels that a thread reads and then copies, while they are in a cache: `groups` pieces. */
struct grouping {
    size_t groups, first,
        length;               /* the distance of two groups, and the length of their rows; the last may be shorter */
    size_t rows, stride, row; /* row: what the groups share */
};

/*
 * Where threads wait until all have come: for some time without giving their processors away, as OpenMP's do between two calls, and
 * asleep after that.
 */
struct meeting {
    atomic_uint arrived, round;
    pthread_mutex_t mutex;
    pthread_cond_t all;
};

static void meet(struct meeting *m, unsigned threads)
{
    enum { TURNS = 20000 };
    unsigned round = atomic_load(&m->round);
    if (atomic_fetch_add(&m->arrived, 1) + 1 == threads) {
        atomic_store(&m->arrived, 0);
        pthread_mutex_lock(&m->mutex);
        atomic_store(&m->round, round + 1);
        pthread_cond_broadcast(&m->all);
        pthread_mutex_unlock(&m->mutex);
        return;
    }
    for (int i = 0; i < TURNS && atomic_load(&m->round) == round; i++)
        pause_a_little();
    pthread_mutex_lock(&m->mutex);
    while (atomic_load(&m->round) == round)
        pthread_cond_wait(&m->all, &m->mutex);
    pthread_mutex_unlock(&m->mutex);
}

/* Threads are made once per setup. */
struct state {
    float *src, *other, *dst; /* other: NULL, or what is added */
    size_t count;             /* rounded up to whole lines */
    copy_function *copy;
    read_function *read;      /* NULL: there is one pass */
    struct grouping grouping; /* groups = 0: all of it is read before any of it is copied */
    volatile float sum;
    struct meeting meeting;
    pthread_t *threads;
    unsigned thread_count, started;
    bool stop;
};

struct worker {
    struct state *state;
    unsigned number;
};

static struct piece piece_at(const struct state *s, size_t begin)
{
    return (struct piece){
        .a = s->src + begin, .b = s->other ? s->other + begin : NULL, .dst = s->dst + begin, .rows = 1};
}

static void copy_groups(struct state *s, size_t first, size_t last)
{
    const struct grouping *k = &s->grouping;
    for (size_t g = first; g < last; g++) {
        struct piece piece = piece_at(s, g * k->first);
        piece.rows = k->rows;
        piece.stride = k->stride;
        piece.length = g * k->first + k->length <= k->row ? k->length : k->row - g * k->first;
        s->sum = s->read(&piece);
        piece.ahead = g + 1 < last ? k->first : 0;
        s->copy(&piece);
    }
}

static void copy_part(struct state *s, unsigned number)
{
    if (s->grouping.groups) {
        size_t groups = s->grouping.groups;
        copy_groups(s, groups * number / s->thread_count, groups * (number + 1) / s->thread_count);
        return;
    }
    size_t lines = s->count / 16;
    size_t first = lines * number / s->thread_count * 16, last = lines * (number + 1) / s->thread_count * 16;
    struct piece piece = piece_at(s, first);
    piece.length = last - first;
    if (s->read) {
        s->sum = s->read(&piece);
        meet(&s->meeting, s->thread_count);
    }
    s->copy(&piece);
}

static void *work(void *argument)
{
    struct worker worker = *(struct worker *)argument;
    free(argument);
    bench_bind((int)worker.number);
    for (;;) {
        meet(&worker.state->meeting, worker.state->thread_count);
        if (worker.state->stop)
            return NULL;
        copy_part(worker.state, worker.number);
        meet(&worker.state->meeting, worker.state->thread_count);
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
    meet(&s->meeting, s->thread_count);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->threads[i], NULL);
    pthread_mutex_destroy(&s->meeting.mutex);
    pthread_cond_destroy(&s->meeting.all);
    free(s->threads);
    free(s->src);
    free(s->other);
    free(s->dst);
    free(s);
}

/* What a setup makes of a problem. */
struct way {
    bool streaming, two_passes, both; /* both: backward reads two tensors */
    unsigned wide;                    /* 0: no groups; else how many times the narrowest */
};

/*
 * Channels-last, groups are columns of whole lines, 4 of them or more; channels-first, as many channels as fill about a page or more.
 * False where groups would not begin at whole lines.
 */
static bool make_groups(const struct peer_problem *p, unsigned wide, struct grouping *k)
{
    const size_t s = (size_t)(p->d * p->h * p->w), c = (size_t)p->c;
    size_t channels = 64;
    k->rows = (size_t)p->n * s;
    k->stride = k->row = c;
    if (p->layout == PEER_NCHW) {
        channels = s < 1024 ? 1024 / s : 1;
        while (channels > 1 && channels * s % 16)
            channels--;
        k->rows = (size_t)p->n;
        k->stride = k->row = c * s;
        k->first = channels * wide * s;
    } else {
        k->first = channels * wide;
    }
    k->length = k->first;
    k->groups = (k->row + k->first - 1) / k->first;
    return k->first % 16 == 0 && k->stride % 16 == 0;
}

static int setup(const struct peer_problem *problem, void **state, struct way way)
{
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return PEER_FAILED;
    size_t count = (size_t)peer_count(problem);
    if (way.wide && !make_groups(problem, way.wide, &s->grouping)) {
        free(s);
        return PEER_UNSUPPORTED;
    }
    s->count = (count + 15) / 16 * 16;
    s->copy = choose(way.streaming);
    s->read = way.two_passes ? choose_read() : NULL;
    s->thread_count = bench_threads();
    s->src = bench_alloc(s->count * sizeof(float));
    s->dst = bench_alloc(s->count * sizeof(float));
    const bool both = way.both && problem->op == PEER_BACKWARD;
    s->other = both ? bench_alloc(s->count * sizeof(float)) : NULL;
    s->threads = calloc(s->thread_count, sizeof *s->threads);
    pthread_mutex_init(&s->meeting.mutex, NULL);
    pthread_cond_init(&s->meeting.all, NULL);
    bool good = s->src && s->dst && s->threads && (s->other || !both);
    while (good && s->started + 1 < s->thread_count)
        good = start_thread(s);
    if (!good) {
        /* Threads that wait for ever cannot be joined; the program is about to end. */
        fprintf(stderr, "copy: out of memory or threads\n");
        return PEER_FAILED;
    }
    memcpy(s->src, problem->src, count * sizeof(float));
    if (both)
        memcpy(s->other, problem->diff_dst, count * sizeof(float));
    *state = s;
    return PEER_OK;
}

#define SETUP(name, streaming, two_passes, both, wide)                                                                 \
    static int name(const struct peer_problem *problem, void **state)                                                  \
    {                                                                                                                  \
        return setup(problem, state, (struct way){streaming, two_passes, both, wide});                                 \
    }

SETUP(setup_copy, false, false, false, 0)
SETUP(setup_stream, true, false, false, 0)
SETUP(setup_two_pass, true, true, false, 0)
SETUP(setup_bare, false, true, true, 0)
SETUP(setup_bare_stream, true, true, true, 0)
SETUP(setup_bare_1, false, true, true, 1)
SETUP(setup_bare_1_stream, true, true, true, 1)
SETUP(setup_bare_2, false, true, true, 2)
SETUP(setup_bare_2_stream, true, true, true, 2)
SETUP(setup_bare_4, false, true, true, 4)
SETUP(setup_bare_4_stream, true, true, true, 4)

static int run(void *state)
{
    struct state *s = state;
    meet(&s->meeting, s->thread_count);
    copy_part(s, 0);
    meet(&s->meeting, s->thread_count);
    return PEER_OK;
}

static void turn(bool begins)
{
    bench_bind(begins ? 0 : -1);
}

#define PEER(name, setup, copies)                                                                                      \
    {                                                                                                                  \
        name, version, setup, run, NULL, teardown, NULL, turn, NULL, copies                                            \
    }

const struct peer peer_copy = PEER("copy", setup_copy, true);
const struct peer peer_stream = PEER("stream", setup_stream, true);
const struct peer peer_two_pass = PEER("two-pass", setup_two_pass, true);
const struct peer peer_bare[PEER_BARE_COUNT] = {
    PEER("bare", setup_bare, false),     PEER("bare-stream", setup_bare_stream, false),
    PEER("bare-1", setup_bare_1, false), PEER("bare-1-stream", setup_bare_1_stream, false),
    PEER("bare-2", setup_bare_2, false), PEER("bare-2-stream", setup_bare_2_stream, false),
    PEER("bare-4", setup_bare_4, false), PEER("bare-4-stream", setup_bare_4_stream, false),
};
