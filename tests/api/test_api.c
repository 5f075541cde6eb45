/* SPDX-License-Identifier: Apache-2.0 */
/* The library as a program uses it: contexts, queues, events and threads. */
#define _XOPEN_SOURCE 700
#include "fixture/suite.h"
#include "fixture/device_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static clnorm_device_info device;

/* A call on its buffers with the results it should have. */
struct job {
    struct call call;
    struct values inputs, want;
    struct parts parts;
};

static void job_make(struct job *job, const struct rig *rig, cl_command_queue queue, struct call call)
{
    size_t bytes = 0;

    memset(job, 0, sizeof(*job));
    job->call = call;
    job->parts.cl = rig->cl;
    values_make(&job->inputs, &call.desc, CASE_OFFSET_1E3);
    values_copy(&job->want, &job->inputs);
    if (call.desc.n > 0)
        call_model(&call, &job->want);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig->context, call.operation, &call.desc, &bytes), CLNORM_SUCCESS);
    parts_fill(&job->parts, queue, &call, &job->inputs, bytes);
}

static void job_free(struct job *job)
{
    parts_free(&job->parts);
    values_free(&job->inputs);
    values_free(&job->want);
}

/* Through another queue, so that it does not wait for one that is held up. */
static void job_check(struct job *job, const struct rig *rig, int with_results)
{
    struct finding finding;
    char text[320];

    parts_compare(&job->parts, rig->queue, &job->call, &job->want, with_results, rig->info.bits, &finding);
    ck_assert_msg(finding.differences == 0, "%s, data offset-1e3: %s; %zu in all", call_text(&job->call, text),
                  finding.text, finding.differences);
}

static struct call make_call(enum clnorm_operation operation, uint64_t n, uint64_t c, uint64_t s,
                             enum clnorm_layout layout)
{
    struct case_shape shape = {n, c, s, layout};
    struct call call = {.operation = operation, .desc = case_desc(&shape), .alias = OUT, .momentum = 0.3f};

    return call;
}

static int forward_with(clnorm_context *context, const struct rig *rig)
{
    struct job job;
    int status;

    job_make(&job, rig, rig->queue, make_call(CLNORM_FORWARD_TRAINING, 3, 5, 49, CLNORM_CHANNELS_FIRST));
    status = call_enqueue(context, rig->queue, &job.call, &job.parts, 0, NULL, NULL);
    ck_assert_int_eq(clFinish(rig->queue), CL_SUCCESS);
    job_check(&job, rig, status == CLNORM_SUCCESS);
    job_free(&job);
    return status;
}

/* ---- contexts ---- */

START_TEST(test_contexts)
{
    struct rig rig;
    clnorm_context *context = NULL;
    clnorm_device_info info;
    cl_context cl = NULL;

    rig_open(&rig, &device, 1);
    ck_assert_int_eq(clnorm_create_context(rig.cl, device.device, NULL, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_cl_context(context, &cl), CLNORM_SUCCESS);
    ck_assert_ptr_eq(cl, rig.cl);
    ck_assert_int_eq(clnorm_get_device(context, &info), CLNORM_SUCCESS);
    ck_assert_ptr_eq(info.device, device.device);
    ck_assert_str_eq(info.name, device.name);
    ck_assert_int_eq(forward_with(context, &rig), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    ck_assert_ptr_null(context);
    /* cl with one device names it. */
    ck_assert_int_eq(clnorm_create_context(rig.cl, NULL, NULL, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_device(context, &info), CLNORM_SUCCESS);
    ck_assert_ptr_eq(info.device, device.device);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    rig_close(&rig);
}
END_TEST

START_TEST(test_own_cl_context)
{
    struct rig rig;
    clnorm_context *context = NULL;
    clnorm_device_info best, info;
    cl_context cl = NULL, user;

    ck_assert_int_eq(clnorm_create_context(NULL, device.device, NULL, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_cl_context(context, &cl), CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(cl);
    /* A rig on the library's cl_context computes with it. */
    rig_open(&rig, &device, 1);
    clReleaseCommandQueue(rig.queue);
    user = rig.cl;
    rig.cl = cl;
    rig.queue = rig_queue(&rig, 0);
    ck_assert_int_eq(forward_with(context, &rig), CLNORM_SUCCESS);
    clReleaseCommandQueue(rig.queue);
    rig.cl = user;
    rig.queue = rig_queue(&rig, 0);
    rig_close(&rig);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);

    ck_assert_int_eq(clnorm_find_device(NULL, &best, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_create_context(NULL, NULL, NULL, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_device(context, &info), CLNORM_SUCCESS);
    ck_assert_ptr_eq(info.device, best.device);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}
END_TEST

START_TEST(test_workspace_query)
{
    struct rig rig;
    struct call call = make_call(CLNORM_FORWARD_TRAINING, 4, 6, 100, CLNORM_CHANNELS_FIRST);
    size_t bytes;

    rig_open(&rig, &device, 1);
    for (unsigned o = 0; o < 4; o++) {
        bytes = 0;
        ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, (enum clnorm_operation)o, &call.desc, &bytes),
                         CLNORM_SUCCESS);
        /* The coefficients of every channel, at least; never near the tensor for long channels. */
        ck_assert_uint_ge(bytes, 6 * sizeof(float));
        ck_assert_uint_eq(bytes % sizeof(float), 0);
    }
    call.desc.n = 0;
    bytes = 1;
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &call.desc, &bytes),
                     CLNORM_SUCCESS);
    ck_assert_uint_eq(bytes, 0);
    rig_close(&rig);
}
END_TEST

/* What is no description: a status of its own, and desc as it was. */
START_TEST(test_describe)
{
    const uint64_t sizes[6] = {2, 3, 4, 5, 6, 7}, zero[3] = {2, 3, 0}, no_channels[3] = {2, 0, 3};
    const uint64_t huge[4] = {2, 3, UINT64_C(1) << 40, UINT64_C(1) << 40};
    clnorm_desc desc, kept;

    memset(&desc, 0x5a, sizeof(desc));
    kept = desc;
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, NULL, &desc), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, sizes, NULL), CLNORM_INVALID_ARGUMENT);
    for (unsigned rank = 0; rank < 8; rank++)
        if (rank < 2 || rank > 5)
            ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_LAST, rank, sizes, &desc), CLNORM_INVALID_RANK);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 3, zero, &desc), CLNORM_INVALID_SIZE);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_LAST, 3, zero, &desc), CLNORM_INVALID_SIZE);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 3, no_channels, &desc), CLNORM_INVALID_SIZE);
    ck_assert_int_eq(clnorm_describe(CLNORM_CHANNELS_FIRST, 4, huge, &desc), CLNORM_SIZE_OVERFLOW);
    ck_assert_int_eq(clnorm_describe((enum clnorm_layout)9, 4, sizes, &desc), CLNORM_INVALID_ENUM);
    ck_assert_mem_eq(&desc, &kept, sizeof(desc));
}
END_TEST

/* ---- queues and events ---- */

static void pause_ms(long ms)
{
    struct timespec time = {0, ms * 1000000};

    nanosleep(&time, NULL);
}

static cl_int event_status(cl_event event)
{
    cl_int status = CL_COMPLETE;

    ck_assert_int_eq(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL),
                     CL_SUCCESS);
    return status;
}

/* Oclgrind runs a queue's commands within clFlush, and waits there for ever for a user event; and it runs one kernel at a time. */
static int is_oclgrind(void)
{
    return strcmp(device.platform_name, "Oclgrind") == 0;
}

/* A call held up by a user event: nothing may run before the event is set, and the call's own event comes last. */
static void run_gated(struct rig *rig, cl_command_queue queue, struct call call)
{
    struct job job;
    cl_event gates[2], event = NULL;
    cl_ulong queued = 0, end = 0;
    cl_int e;

    job_make(&job, rig, rig->queue, call);
    for (unsigned i = 0; i < 2; i++) {
        gates[i] = clCreateUserEvent(rig->cl, &e);
        ck_assert_int_eq(e, CL_SUCCESS);
    }
    ck_assert_int_eq(call_enqueue(rig->context, queue, &call, &job.parts, 2, gates, &event), CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(event);
    ck_assert(is_oclgrind() || clFlush(queue) == CL_SUCCESS);
    ck_assert_int_eq(clSetUserEventStatus(gates[0], CL_COMPLETE), CL_SUCCESS);
    pause_ms(30);
    ck_assert_int_gt(event_status(event), CL_COMPLETE);
    job_check(&job, rig, 0);
    ck_assert_int_eq(clSetUserEventStatus(gates[1], CL_COMPLETE), CL_SUCCESS);
    ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
    /* Not clFinish: the event alone says that all is done. */
    job_check(&job, rig, 1);
    ck_assert_int_eq(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_QUEUED, sizeof(queued), &queued, NULL),
                     CL_SUCCESS);
    ck_assert_int_eq(clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL), CL_SUCCESS);
    ck_assert_uint_ge(end, queued);
    ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
    clReleaseEvent(event);
    clReleaseEvent(gates[0]);
    clReleaseEvent(gates[1]);
    job_free(&job);
}

/* The properties, less those that the device lacks; says so. */
static cl_command_queue_properties supported(cl_command_queue_properties wanted)
{
    cl_command_queue_properties have = 0;
    static int is_told;

    ck_assert_int_eq(clGetDeviceInfo(device.device, CL_DEVICE_QUEUE_PROPERTIES, sizeof(have), &have, NULL), CL_SUCCESS);
    if (wanted & ~have & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE && !is_told++)
        printf("in order only, as %s has no out-of-order queues\n", device.name);
    return wanted & have;
}

static void run_gated_calls(cl_command_queue_properties properties)
{
    struct rig rig;
    cl_command_queue queue;

    rig_open(&rig, &device, 1);
    queue = rig_queue(&rig, supported(properties));
    for (unsigned o = 0; o < 4; o++)
        for (unsigned layout = 0; layout < 2; layout++)
            run_gated(
                &rig, queue,
                make_call((enum clnorm_operation)o, 4, 33, 196, layout ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST));
    clReleaseCommandQueue(queue);
    rig_close(&rig);
}

START_TEST(test_in_order_events)
{
    run_gated_calls(CL_QUEUE_PROFILING_ENABLE);
}
END_TEST

START_TEST(test_out_of_order_events)
{
    run_gated_calls(CL_QUEUE_PROFILING_ENABLE | CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
}
END_TEST

/* A chain of calls on an out-of-order queue, tied by events alone: forward into backward on the same buffers. */
START_TEST(test_chain)
{
    struct rig rig;
    cl_command_queue queue;
    struct job forward, backward;
    cl_event done[2];

    rig_open(&rig, &device, 1);
    queue = rig_queue(&rig, supported(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE));
    for (unsigned turn = 0; turn < 20; turn++) {
        job_make(&forward, &rig, rig.queue, make_call(CLNORM_FORWARD_TRAINING, 8, 19, 196, CLNORM_CHANNELS_FIRST));
        job_make(&backward, &rig, rig.queue, make_call(CLNORM_BACKWARD_TRAINING, 8, 19, 196, CLNORM_CHANNELS_FIRST));
        /* What backward needs comes from forward's own outputs, which are not there yet. */
        struct parts saved = backward.parts;
        for (unsigned s = MEAN; s <= INVSTD; s++)
            backward.parts.part[s] = forward.parts.part[s];
        ck_assert_int_eq(call_enqueue(rig.context, queue, &forward.call, &forward.parts, 0, NULL, &done[0]),
                         CLNORM_SUCCESS);
        ck_assert_int_eq(call_enqueue(rig.context, queue, &backward.call, &backward.parts, 1, &done[0], &done[1]),
                         CLNORM_SUCCESS);
        ck_assert_int_eq(clWaitForEvents(1, &done[1]), CL_SUCCESS);
        backward.parts.part[MEAN] = saved.part[MEAN];
        backward.parts.part[MEAN_LOW] = saved.part[MEAN_LOW];
        backward.parts.part[INVSTD] = saved.part[INVSTD];
        job_check(&forward, &rig, 1);
        job_check(&backward, &rig, 1);
        clReleaseEvent(done[0]);
        clReleaseEvent(done[1]);
        job_free(&forward);
        job_free(&backward);
    }
    clReleaseCommandQueue(queue);
    rig_close(&rig);
}
END_TEST

/* An empty batch: forward writes nothing, backward gives zeroes, and the event comes after the wait list. */
START_TEST(test_empty_batch)
{
    struct rig rig;
    cl_command_queue queue;

    rig_open(&rig, &device, 1);
    for (unsigned k = 0; k < 8; k++) {
        struct job job;
        cl_event gate, event = NULL;
        cl_int e;
        int is_backward = k / 2 >= CLNORM_BACKWARD_TRAINING;

        queue = rig_queue(&rig, k % 2 ? supported(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) : 0);
        job_make(&job, &rig, rig.queue, make_call((enum clnorm_operation)(k / 2), 0, 7, 5, CLNORM_CHANNELS_FIRST));
        memset(job.want.slot[DIFF_SCALE], 0, 7 * sizeof(float));
        memset(job.want.slot[DIFF_SHIFT], 0, 7 * sizeof(float));
        gate = clCreateUserEvent(rig.cl, &e);
        ck_assert_int_eq(e, CL_SUCCESS);
        ck_assert_int_eq(call_enqueue(rig.context, queue, &job.call, &job.parts, 1, &gate, &event), CLNORM_SUCCESS);
        ck_assert(is_oclgrind() || clFlush(queue) == CL_SUCCESS);
        pause_ms(10);
        ck_assert_int_gt(event_status(event), CL_COMPLETE);
        job_check(&job, &rig, 0);
        ck_assert_int_eq(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
        ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
        job_check(&job, &rig, is_backward);
        ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
        clReleaseEvent(event);
        clReleaseEvent(gate);
        job_free(&job);
        clReleaseCommandQueue(queue);
    }
    rig_close(&rig);
}
END_TEST

/* Every subset of the gradients gives the bits that all of them give. */
START_TEST(test_gradient_subsets)
{
    struct rig rig;
    static const enum slot gradients[3] = {OUT, DIFF_SCALE, DIFF_SHIFT};

    rig_open(&rig, &device, 1);
    for (unsigned o = CLNORM_BACKWARD_TRAINING; o <= CLNORM_BACKWARD_FROZEN; o++) {
        for (unsigned subset = 1; subset < 8; subset++) {
            struct job job;
            struct call call = make_call((enum clnorm_operation)o, 5, 9, 130, CLNORM_CHANNELS_LAST);

            for (unsigned g = 0; g < 3; g++)
                if (!(subset >> g & 1))
                    call.absent |= BIT(gradients[g]);
            job_make(&job, &rig, rig.queue, call);
            ck_assert_int_eq(call_enqueue(rig.context, rig.queue, &call, &job.parts, 0, NULL, NULL), CLNORM_SUCCESS);
            ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
            job_check(&job, &rig, 1);
            job_free(&job);
        }
    }
    rig_close(&rig);
}
END_TEST

/* ---- threads ---- */

struct worker {
    struct rig *rig;
    struct call call;
    pthread_t thread;
    unsigned iterations, bad; /* Check's own assertions belong to the main thread */
};

static void *work(void *data)
{
    struct worker *w = data;
    cl_int e;
    cl_command_queue queue = clCreateCommandQueue(w->rig->cl, w->rig->info.device, 0, &e);
    struct values inputs = {0}, want = {0};
    struct parts parts = {.cl = w->rig->cl};

    values_make(&inputs, &w->call.desc, CASE_NORMAL);
    values_copy(&want, &inputs);
    call_model(&w->call, &want);
    for (unsigned i = 0; i < w->iterations && e == CL_SUCCESS; i++) {
        struct finding finding;
        int status = call_run(w->rig->context, queue, &w->call, &parts, &inputs, &want, w->rig->info.bits, &finding);

        w->bad += status != CLNORM_SUCCESS || finding.differences;
    }
    w->bad += e != CL_SUCCESS;
    parts_free(&parts);
    values_free(&inputs);
    values_free(&want);
    if (e == CL_SUCCESS)
        clReleaseCommandQueue(queue);
    return NULL;
}

START_TEST(test_threads)
{
    static struct rig rig;
    struct worker workers[4];
    unsigned iterations = fixture_is_small() ? 10 : 60;

    if (is_oclgrind()) {
        printf("not tested: Oclgrind is not for threads\n");
        return;
    }
    /* The context is fresh: the threads also compete for building its programs. */
    rig_open(&rig, &device, 1);
    for (unsigned i = 0; i < 4; i++) {
        struct worker w = {.rig = &rig, .iterations = iterations};

        w.call = make_call(i < 2 ? CLNORM_FORWARD_TRAINING : CLNORM_BACKWARD_TRAINING, 3 + i, 11 + 6 * i, 49 + i,
                           i % 2 ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST);
        workers[i] = w;
    }
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_msg(workers[i].bad == 0, "thread %u: %u of %u calls went wrong", i, workers[i].bad, iterations);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api");
    TCase *cases = tcase_create("api");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_contexts);
    tcase_add_test(cases, test_own_cl_context);
    tcase_add_test(cases, test_workspace_query);
    tcase_add_test(cases, test_describe);
    tcase_add_test(cases, test_in_order_events);
    tcase_add_test(cases, test_out_of_order_events);
    tcase_add_test(cases, test_chain);
    tcase_add_test(cases, test_empty_batch);
    tcase_add_test(cases, test_gradient_subsets);
    tcase_add_test(cases, test_threads);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
