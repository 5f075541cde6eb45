/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compiler that takes its time holds up nobody but those who need its program; two threads that need the same one get the same.
 * clBuildProgram is wrapped (the linker's --wrap) and waits where the test tells it to.
 */
#include "fixture/suite.h"
#include "device/context.h"
#include "fixture/device_fixture.h"

#include "clnorm_parts.h"
#include "device/program.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static clnorm_device_info device;
static struct rig rig;

/* ---- a compiler that waits ---- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t change;
    unsigned inside, gathered; /* builds that wait now; as many wait for one another */
    int is_held;               /* builds of the kernel wait for this to end */
    const char *kernel;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER};

static int wait_change(unsigned seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    return pthread_cond_timedwait(&gate.change, &gate.lock, &until);
}

cl_int __real_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user);
cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user);
cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user)
{
    char *source = calloc(1, 1 << 18);

    ck_assert_int_eq(clGetProgramInfo(program, CL_PROGRAM_SOURCE, 1 << 18, source, NULL), CL_SUCCESS);
    pthread_mutex_lock(&gate.lock);
    if (gate.kernel && strstr(source, gate.kernel)) {
        gate.inside++;
        pthread_cond_broadcast(&gate.change);
        while (gate.is_held && gate.inside < gate.gathered && wait_change(120) == 0)
            continue;
        gate.is_held = gate.is_held && gate.inside < gate.gathered;
        pthread_cond_broadcast(&gate.change);
    }
    pthread_mutex_unlock(&gate.lock);
    free(source);
    return __real_clBuildProgram(program, count, ids, options, done, user);
}

/* Programs that are there. */
static int programs;

cl_program __real_clCreateProgramWithSource(cl_context cl, cl_uint count, const char **texts, const size_t *sizes,
                                            cl_int *e);
cl_program __wrap_clCreateProgramWithSource(cl_context cl, cl_uint count, const char **texts, const size_t *sizes,
                                            cl_int *e);
cl_program __wrap_clCreateProgramWithSource(cl_context cl, cl_uint count, const char **texts, const size_t *sizes,
                                            cl_int *e)
{
    __atomic_add_fetch(&programs, 1, __ATOMIC_SEQ_CST);
    return __real_clCreateProgramWithSource(cl, count, texts, sizes, e);
}

cl_int __real_clReleaseProgram(cl_program program);
cl_int __wrap_clReleaseProgram(cl_program program);
cl_int __wrap_clReleaseProgram(cl_program program)
{
    __atomic_sub_fetch(&programs, 1, __ATOMIC_SEQ_CST);
    return __real_clReleaseProgram(program);
}

static void hold(const char *kernel, unsigned gathered)
{
    pthread_mutex_lock(&gate.lock);
    gate.kernel = kernel;
    gate.is_held = kernel != NULL;
    gate.inside = 0;
    gate.gathered = gathered;
    pthread_cond_broadcast(&gate.change);
    pthread_mutex_unlock(&gate.lock);
}

/* Whether so many builds came to wait within the time. */
static int wait_inside(unsigned count, unsigned seconds)
{
    int e = 0;

    pthread_mutex_lock(&gate.lock);
    while (gate.inside < count && e == 0)
        e = wait_change(seconds);
    int are_there = gate.inside >= count;
    pthread_mutex_unlock(&gate.lock);
    return are_there;
}

/* ---- threads ---- */

/* A thread's own queue and buffers on the shared context; its call is right, or it says so. */
struct job {
    enum clnorm_operation operation;
    cl_command_queue queue;
    pthread_t thread;
    pthread_mutex_t lock;
    int is_done, status;
    struct finding finding;
};

static void *work(void *user)
{
    struct job *job = user;
    struct case_shape shape = {3, 5, 49, CLNORM_CHANNELS_FIRST};
    struct call call = {.operation = job->operation, .desc = case_desc(&shape), .alias = OUT, .momentum = 0.3f};
    struct values inputs = {0}, want = {0};
    struct parts parts = {.cl = rig.cl};

    values_make(&inputs, &call.desc, CASE_OFFSET_1E3);
    values_copy(&want, &inputs);
    call_model(&call, &want);
    job->status = call_run(rig.context, job->queue, &call, &parts, &inputs, &want, rig.info.bits, &job->finding);
    parts_free(&parts);
    values_free(&inputs);
    values_free(&want);
    pthread_mutex_lock(&job->lock);
    job->is_done = 1;
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

static void start(struct job *job, enum clnorm_operation operation)
{
    memset(job, 0, sizeof(*job));
    job->operation = operation;
    job->queue = rig_queue(&rig, 0);
    pthread_mutex_init(&job->lock, NULL);
    ck_assert_int_eq(pthread_create(&job->thread, NULL, work, job), 0);
}

static int is_done(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    int done = job->is_done;
    pthread_mutex_unlock(&job->lock);
    return done;
}

static void end(struct job *job)
{
    pthread_join(job->thread, NULL);
    ck_assert_int_eq(job->status, CLNORM_SUCCESS);
    ck_assert_msg(job->finding.differences == 0, "%s", job->finding.text);
    clReleaseCommandQueue(job->queue);
    pthread_mutex_destroy(&job->lock);
}

/* While a program of backward is being built, calls of forward go through; built or not, queries do as well. */
START_TEST(test_slow_compiler)
{
    struct job slow, quick;
    struct timespec pause = {0, 10 * 1000 * 1000};
    struct case_shape shape = {4, 6, 50, CLNORM_CHANNELS_LAST};
    clnorm_desc desc = case_desc(&shape);
    size_t bytes;
    unsigned waits = 0;

    start(&quick, CLNORM_FORWARD_TRAINING);
    end(&quick);
    hold(" diff_stats_naive(", 1000);
    start(&slow, CLNORM_BACKWARD_TRAINING);
    ck_assert(wait_inside(1, 60));
    start(&quick, CLNORM_FORWARD_TRAINING);
    while (!is_done(&quick) && waits++ < 3000)
        nanosleep(&pause, NULL);
    int went_through = is_done(&quick), was_held = !is_done(&slow);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_BACKWARD_TRAINING, &desc, &bytes), CLNORM_SUCCESS);
    hold(NULL, 0);
    end(&quick);
    end(&slow);
    ck_assert_msg(went_through, "a call whose program is built waits for another's compiler");
    ck_assert(was_held);
}
END_TEST

/* Two at one program at the same time: both are right, one program stays, and the other one's is let go. */
START_TEST(test_same_program)
{
    struct job jobs[4];
    unsigned kept = 0;

    hold(" stats_naive(", 4);
    for (unsigned i = 0; i < 4; i++)
        start(&jobs[i], CLNORM_FORWARD_TRAINING);
    int are_together = wait_inside(4, 20);
    hold(NULL, 0);
    for (unsigned i = 0; i < 4; i++)
        end(&jobs[i]);
    ck_assert(are_together);
    for (const struct clnorm__built *b = rig.context->programs; b; b = b->next)
        kept += b->program != NULL;
    ck_assert_uint_ge(kept, 2);
    ck_assert_int_eq(programs, (int)kept);
    ck_assert_int_eq(clnorm_release_context(&rig.context), CLNORM_SUCCESS);
    ck_assert_int_eq(programs, 0);
}
END_TEST

/* What is prepared needs no compiler any more, whatever calls ask for; other context, other layout, fused or in steps. */
START_TEST(test_prepared)
{
    static const struct case_shape shapes[] = {{3, 5, 49, CLNORM_CHANNELS_FIRST}, {7, 19, 9, CLNORM_CHANNELS_LAST}};
    static const struct {
        enum clnorm_operation operation;
        unsigned absent;
    } calls[] = {
        {CLNORM_FORWARD_TRAINING, 0},
        {CLNORM_FORWARD_INFERENCE, 0},
        {CLNORM_BACKWARD_TRAINING, 0},
        {CLNORM_BACKWARD_TRAINING, BIT(OUT)},
        {CLNORM_BACKWARD_TRAINING, BIT(DIFF_SCALE) | BIT(DIFF_SHIFT)},
        {CLNORM_BACKWARD_FROZEN, 0},
        {CLNORM_BACKWARD_FROZEN, BIT(OUT)},
        {CLNORM_BACKWARD_FROZEN, BIT(SRC) | BIT(MEAN) | BIT(DIFF_SCALE) | BIT(DIFF_SHIFT)},
    };
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;
    clnorm_desc none = case_desc(&shapes[0]), shape = none;

    options.cache_dir = "";
    for (unsigned is_free = 0; is_free < 2; is_free++) {
        options.variants = is_free ? NULL : "stats_naive,diff_stats_naive";
        ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
        for (unsigned i = 0; i < 2 * sizeof(calls) / sizeof(calls[0]); i++) {
            struct call call = {.operation = calls[i / 2].operation, .desc = case_desc(&shapes[i % 2]), .alias = OUT};
            struct values inputs = {0}, want = {0};
            struct parts parts = {.cl = rig.cl};
            struct finding finding;

            call.absent = calls[i / 2].absent;
            call.momentum = 0.3f;
            values_make(&inputs, &call.desc, CASE_NORMAL);
            values_copy(&want, &inputs);
            call_model(&call, &want);
            int before = programs;
            ck_assert_int_eq(clnorm_prepare(context, call.operation, &call.desc), CLNORM_SUCCESS);
            int prepared = programs;
            ck_assert(i > 1 || prepared > before);
            ck_assert_int_eq(call_run(context, rig.queue, &call, &parts, &inputs, &want, rig.info.bits, &finding),
                             CLNORM_SUCCESS);
            ck_assert_msg(finding.differences == 0, "%s", finding.text);
            ck_assert_msg(programs == prepared, "%s, absent %x: %d programs more", operation_name(call.operation),
                          call.absent, programs - prepared);
            parts_free(&parts);
            values_free(&inputs);
            values_free(&want);
        }
        none.n = 0;
        ck_assert_int_eq(clnorm_prepare_with(context, CLNORM_FORWARD_TRAINING, &shape, 64), CLNORM_INVALID_ENUM);
        ck_assert_int_eq(clnorm_prepare(context, CLNORM_FORWARD_TRAINING, &none), CLNORM_SUCCESS);
        ck_assert_int_eq(clnorm_prepare(context, (enum clnorm_operation)4, &none), CLNORM_INVALID_ENUM);
        ck_assert_int_eq(clnorm_prepare(context, CLNORM_FORWARD_TRAINING, NULL), CLNORM_INVALID_ARGUMENT);
        ck_assert_int_eq(clnorm_prepare(NULL, CLNORM_FORWARD_TRAINING, &none), CLNORM_INVALID_CONTEXT);
        ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    }
}
END_TEST

/* Of views as well: slices and others, of all tensors or of those that are written. */
START_TEST(test_prepared_views)
{
    static const clnorm_strides views[] = {{300, 49, 1}, {300, 60, 1}};
    const struct case_shape shape = {3, 5, 49, CLNORM_CHANNELS_FIRST};
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;

    options.cache_dir = "";
    options.variants = "stats_naive,diff_stats_naive,apply_naive";
    for (unsigned i = 0; i < 8; i++) {
        struct call call = {.operation = i & 1u ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING, .alias = OUT};
        struct values inputs = {0}, want = {0};
        struct parts parts = {.cl = rig.cl};
        struct finding finding;

        call.desc = case_desc(&shape);
        for (unsigned s = 0; s < SLOTS; s++)
            if (s == OUT || (i & 2u && is_tensor((enum slot)s)))
                call.strides[s] = views[i >> 2];
        ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
        values_make(&inputs, &call.desc, CASE_NORMAL);
        values_copy(&want, &inputs);
        call_model(&call, &want);
        ck_assert_int_eq(
            clnorm_prepare_with(context, call.operation, &call.desc, i & 4u ? CLNORM_WITH_VIEWS : CLNORM_WITH_SLICES),
            CLNORM_SUCCESS);
        const int prepared = programs;
        ck_assert_int_eq(call_run(context, rig.queue, &call, &parts, &inputs, &want, rig.info.bits, &finding),
                         CLNORM_SUCCESS);
        ck_assert_msg(finding.differences == 0, "%s", finding.text);
        ck_assert_msg(programs == prepared, "call %u: %d programs more", i, programs - prepared);
        parts_free(&parts);
        values_free(&inputs);
        values_free(&want);
        ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    }
}
END_TEST

/* Of the two calls of a part: with a mask, an activation and slices. */
START_TEST(test_prepared_parts)
{
    const clnorm_desc desc = {.n = 16, .c = 2, .s = 49, .epsilon = 1e-5f, .activation = CLNORM_RELU};
    const uint64_t samples[] = {16, 21};
    const clnorm_parts parts = {2, samples, CLNORM_MERGE_SAME_BITS};
    const clnorm_strides slice = {200, 49, 1};
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;
    cl_int e;
    cl_mem mem = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, 1 << 20, NULL, &e);
#define AT(offset) ((clnorm_buffer){mem, (offset)})
    const clnorm_forward_training_args forward = {.src = AT(0),
                                                  .dst = AT(10000),
                                                  .mask = AT(20000),
                                                  .workspace = AT(100000),
                                                  .save_mean = AT(21000),
                                                  .save_invstd = AT(21002),
                                                  .src_strides = slice,
                                                  .dst_strides = slice};
    const clnorm_backward_training_args backward = {.src = AT(0),
                                                    .diff_dst = AT(30000),
                                                    .diff_src = AT(40000),
                                                    .mask = AT(20000),
                                                    .save_mean = AT(21000),
                                                    .save_invstd = AT(21002),
                                                    .diff_scale = AT(21004),
                                                    .workspace = AT(100000),
                                                    .src_strides = slice,
                                                    .diff_dst_strides = slice,
                                                    .diff_src_strides = slice};

    ck_assert_int_eq(e, CL_SUCCESS);
    options.cache_dir = "";
    options.variants = "stats_naive,diff_stats_naive,apply_naive";
    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_prepare_with(context, CLNORM_FORWARD_INFERENCE, &desc, CLNORM_WITH_PARTS),
                     CLNORM_INVALID_ENUM);
    for (int is_backward = 0; is_backward < 2; is_backward++)
        ck_assert_int_eq(clnorm_prepare_with(context, is_backward ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING,
                                             &desc, CLNORM_WITH_PARTS | CLNORM_WITH_MASK | CLNORM_WITH_SLICES),
                         CLNORM_SUCCESS);
    const int prepared = programs;

    ck_assert_int_gt(prepared, 0);
    ck_assert_int_eq(
        clnorm_forward_statistics(context, rig.queue, &desc, &parts, 0, AT(50000), &forward, 0, NULL, NULL),
        CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_forward_apply(context, rig.queue, &desc, &parts, 0, AT(50000), &forward, 0, NULL, NULL),
                     CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_backward_sums(context, rig.queue, &desc, &parts, 0, AT(50000), &backward, 0, NULL, NULL),
                     CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_backward_apply(context, rig.queue, &desc, &parts, 0, AT(50000), &backward, 0, NULL, NULL),
                     CLNORM_SUCCESS);
    ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
    ck_assert_msg(programs == prepared, "%d programs more", programs - prepared);
    clReleaseMemObject(mem);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}
END_TEST

static void open_rig(void)
{
    clnorm_context_options options = messages_options(&rig.messages);

    rig_open(&rig, &device, 0);
    options.cache_dir = "";
    /* Programs of a step each, which wait for one another nowhere else. */
    options.variants = "stats_naive,diff_stats_naive";
    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &rig.context), CLNORM_SUCCESS);
}

static void close_rig(void)
{
    hold(NULL, 0);
    rig_close(&rig);
}

int main(void)
{
    Suite *suite = suite_create("build_threads");
    TCase *cases = tcase_create("build_threads");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, open_rig, close_rig);
    tcase_add_test(cases, test_slow_compiler);
    tcase_add_test(cases, test_same_program);
    tcase_add_test(cases, test_prepared);
    tcase_add_test(cases, test_prepared_views);
    tcase_add_test(cases, test_prepared_parts);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
