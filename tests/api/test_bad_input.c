/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a caller can get wrong: each mistake has its own status and a sentence that names it; nothing is enqueued,
 * no buffer is touched and nothing is held on to.
 */
#define _DEFAULT_SOURCE
#include "fixture/suite.h"
#include "device/context.h"
#include "fixture/device_fixture.h"
#include "plan/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static clnorm_device_info device;
static struct rig rig;

static struct foreign foreign;

/* A cl_context on two devices, where there are two; the queue is the second's, made is to be released. */
static struct {
    cl_context cl;
    cl_command_queue queue;
    cl_device_id second, made;
} pair;

/* One valid call, and what is about to be made wrong in it. */
struct attempt {
    clnorm_context *context;
    cl_command_queue queue;
    clnorm_desc desc;
    clnorm_buffer b[PARTS];
    clnorm_strides strides[SLOTS];
    float momentum;
    unsigned flags, accumulate;
    int no_desc, no_args;
};

static struct parts parts;
static struct values values;
static struct call base;

static int make(const struct attempt *a, enum clnorm_operation operation, cl_event *event)
{
    struct call call = {.momentum = a->momentum, .running_flags = a->flags, .accumulate = a->accumulate, .alias = OUT};
    struct call_args args;

    memcpy(call.strides, a->strides, sizeof(call.strides));

    call_args_make(&call, a->b, &args);
    return call_make(a->context, a->queue, operation, a->no_desc ? NULL : &a->desc, a->no_args ? NULL : &args, 0, NULL,
                     event);
}

/* Elements of workspace that this very call needs: the query's answer serves every choice of gradients. */
static uint64_t workspace_need(const clnorm_desc *desc)
{
    struct clnorm__ask ask = {base.operation, base.operation != CLNORM_FORWARD_INFERENCE, 1, 0};
    ask.extras = (base.extras & (BIT(RESIDUAL) | BIT(DIFF_RESIDUAL)) ? CLNORM__HAS_RESIDUAL : 0u) |
                 (base.extras & BIT(MASK) ? CLNORM__HAS_MASK : 0u);
    struct clnorm__plan plan;
    char why[320];

    ck_assert_int_eq(clnorm__plan_make(desc, &ask, &rig.context->device, &rig.context->filter, &plan, why, sizeof(why)),
                     0);
    return plan.workspace;
}

/* Calls: the four operations; the same with all that is beside the normalization; and all of it with elements of 2 bytes. */
enum { CALLS = 4, ACTIVE_CALLS = 8, ALL_CALLS = 12 };

/* The buffers of a call, and how it would be right. */
static void prepare(struct attempt *a, int number)
{
    struct case_shape shape = {4, 6, 30, CLNORM_CHANNELS_FIRST};
    size_t bytes = 0;

    memset(a, 0, sizeof(*a));
    base = (struct call){.desc = case_desc(&shape), .alias = OUT, .momentum = 0.5f};
    base.operation = (enum clnorm_operation)(number % CALLS);
    if (number >= CALLS) {
        base.extras = BIT(RESIDUAL) | BIT(MASK) | BIT(GATE) | BIT(DIFF_RESIDUAL);
        base.desc.activation = CLNORM_RELU;
        base.desc.type = number >= ACTIVE_CALLS ? CLNORM_BFLOAT16 : CLNORM_FLOAT32;
    }
    const enum clnorm_operation operation = base.operation;
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, operation, &base.desc, &bytes), CLNORM_SUCCESS);
    parts_fill(&parts, rig.queue, &base, &values, bytes);
    a->context = rig.context;
    a->queue = rig.queue;
    a->desc = base.desc;
    a->momentum = base.momentum;
    for (unsigned s = 0; s < PARTS; s++)
        if (s == WORKSPACE || call_slots(&base) & BIT(s))
            a->b[s] = (clnorm_buffer){parts.part[s].mem, parts.part[s].offset};
}

static unsigned total_references(void)
{
    unsigned total = references_of_context(rig.cl) + references_of_queue(rig.queue);

    for (unsigned s = 0; s < PARTS; s++)
        if (parts.part[s].mem)
            total += references_of_mem(parts.part[s].mem);
    return total;
}

/* The attempt is refused with this status and a sentence that has this part, and nothing else happens. */
static void refuse(const struct attempt *a, int status, const char *part)
{
    unsigned before = total_references();
    cl_event event = (cl_event)&before;
    struct finding finding;
    const char *name = operation_name(base.operation);

    messages_clear(&rig.messages);
    int got = make(a, base.operation, &event);
    ck_assert_msg(got == status, "%s, '%s': status %d (%s), not %d", name, part, got, clnorm_status_string(got),
                  status);
    ck_assert_msg(event == (cl_event)&before, "%s, '%s': the event was written", name, part);
    if (a->context)
        ck_assert_msg(messages_have(&rig.messages, "0 ") && messages_have(&rig.messages, part),
                      "%s: the log does not say '%s': %s", name, part, rig.messages.text);
    ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
    parts_compare(&parts, rig.queue, &base, &values, 0, CLNORM_BITS_SAME, &finding);
    ck_assert_msg(finding.differences == 0, "%s, '%s': %s", name, part, finding.text);
    /* Some drivers let go on a thread of their own. */
    for (unsigned wait = 0; wait < 100 && total_references() > before; wait++)
        usleep(10000);
    ck_assert_msg(total_references() <= before, "%s, '%s': references leak", name, part);
}

static void open_pair(void)
{
    cl_device_id ids[FIXTURE_DEVICES], two[2] = {device.device, NULL};
    const cl_device_partition_property halves[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
    cl_uint count = 0, most = 0;
    cl_int e = CL_SUCCESS;

    clGetDeviceIDs(device.platform, CL_DEVICE_TYPE_ALL, FIXTURE_DEVICES, ids, &count);
    for (cl_uint i = 0; i < count && i < FIXTURE_DEVICES && !pair.second; i++)
        if (ids[i] != device.device)
            pair.second = ids[i];
    clGetDeviceInfo(device.device, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof(most), &most, NULL);
    if (!pair.second && most > 1 &&
        clCreateSubDevices(device.device, halves, FIXTURE_DEVICES, ids, &count) == CL_SUCCESS) {
        pair.second = pair.made = ids[0];
        for (cl_uint i = 1; i < count && i < FIXTURE_DEVICES; i++)
            clReleaseDevice(ids[i]);
    }
    two[1] = pair.second;
    if (pair.second)
        pair.cl = clCreateContext(NULL, 2, two, NULL, NULL, &e);
    if (pair.cl)
        pair.queue = clCreateCommandQueue(pair.cl, pair.second, 0, &e);
    if (!pair.queue)
        printf("not tested, as %s has no second device to share a cl_context: queues of another device\n",
               device.platform_name);
}

static void close_pair(void)
{
    if (pair.queue) {
        clReleaseCommandQueue(pair.queue);
        clReleaseContext(pair.cl);
    }
    if (pair.made)
        clReleaseDevice(pair.made);
}

static void setup(void)
{
    struct case_shape shape = {4, 6, 30, CLNORM_CHANNELS_FIRST};
    clnorm_desc desc = case_desc(&shape);

    rig_open(&rig, &device, 1);
    parts.cl = rig.cl;
    values_make(&values, &desc, CASE_NORMAL);
    foreign_open(&foreign, &device);
}

static void teardown(void)
{
    foreign_close(&foreign);
    values_free(&values);
    parts_free(&parts);
    rig_close(&rig);
}

/* That the attempts below start from a call that is right: else they could be refused for another reason. */
START_TEST(test_valid)
{
    struct attempt a;
    struct finding finding;
    struct values want = {0};

    prepare(&a, _i);
    values_copy(&want, &values);
    call_model(&base, &want);
    ck_assert_int_eq(make(&a, base.operation, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
    /* These values are no numbers of 16 bits: of those calls, only that they are made and write nothing else. */
    parts_compare(&parts, rig.queue, &base, &want, 1, _i < ACTIVE_CALLS ? device.bits : CLNORM_BITS_NONE, &finding);
    ck_assert_msg(finding.differences == 0, "%s", finding.text);
    values_free(&want);
}
END_TEST

START_TEST(test_handles)
{
    struct attempt a;

    prepare(&a, _i);
    a.context = NULL;
    refuse(&a, CLNORM_INVALID_CONTEXT, "");
    clnorm_context *released = NULL;
    ck_assert_int_eq(clnorm_create_context(rig.cl, device.device, NULL, &released), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&released), CLNORM_SUCCESS);
    a.context = released;
    refuse(&a, CLNORM_INVALID_CONTEXT, "");
    a.context = rig.context;
    a.queue = NULL;
    refuse(&a, CLNORM_INVALID_QUEUE, "queue is NULL");
    a.queue = foreign.queue;
    refuse(&a, CLNORM_FOREIGN_QUEUE, "another cl_context");
    a.queue = rig.queue;
    a.no_desc = 1;
    refuse(&a, CLNORM_INVALID_ARGUMENT, "desc is NULL");
    a.no_desc = 0, a.no_args = 1;
    refuse(&a, CLNORM_INVALID_ARGUMENT, "args is NULL");
}
END_TEST

START_TEST(test_descriptions)
{
    const uint64_t huge = UINT64_C(1) << 40;
    static const float epsilons[] = {-1e-5f, NAN, INFINITY, -INFINITY};
    struct attempt a, good;

    prepare(&good, _i);
    a = good, a.desc.c = 0;
    refuse(&a, CLNORM_INVALID_SIZE, "c is 0");
    a = good, a.desc.s = 0;
    refuse(&a, CLNORM_INVALID_SIZE, "s is 0");
    a = good, a.desc.n = a.desc.s = huge;
    refuse(&a, CLNORM_SIZE_OVERFLOW, "overflows");
    a = good, a.desc.c = UINT64_MAX;
    refuse(&a, CLNORM_SIZE_OVERFLOW, "18446744073709551615");
    a = good, a.desc.layout = (enum clnorm_layout)7;
    refuse(&a, CLNORM_INVALID_ENUM, "layout is 7");
    a = good, a.desc.type = (enum clnorm_type)3;
    refuse(&a, CLNORM_INVALID_ENUM, "type is 3");
    for (unsigned i = 0; i < sizeof(epsilons) / sizeof(epsilons[0]); i++) {
        a = good, a.desc.epsilon = epsilons[i];
        refuse(&a, CLNORM_INVALID_EPSILON, "epsilon is");
    }
}
END_TEST

/* Strides of a tensor of 4 samples, 6 channels and 30 positions that is there. */
START_TEST(test_strides)
{
    static const clnorm_strides meeting[] = {{0, 30, 1},   {180, 0, 1},  {180, 30, 0},
                                             {180, 29, 1}, {179, 30, 1}, {1, 1, 1}};
    struct attempt a, good;
    char part[64];

    prepare(&good, _i);
    for (unsigned s = 0; s < SLOTS; s++) {
        const char *name = slot_name(base.operation, (enum slot)s);
        const int is_written = (int)(call_writes(&base) >> s & 1u);

        if (!good.b[s].mem || !is_tensor((enum slot)s))
            continue;
        a = good, a.strides[s] = (clnorm_strides){1000, 30, 1};
        snprintf(part, sizeof(part), "%s holds", name);
        refuse(&a, CLNORM_BUFFER_TOO_SMALL, part);
        a = good, a.strides[s] = (clnorm_strides){UINT64_C(1) << 60, 30, 1};
        snprintf(part, sizeof(part), "%s_strides are {1152921504606846976, 30, 1}", name);
        refuse(&a, CLNORM_SIZE_OVERFLOW, part);
        snprintf(part, sizeof(part), "; %s is written", name);
        for (size_t i = 0; is_written && i < sizeof(meeting) / sizeof(*meeting); i++) {
            a = good, a.strides[s] = meeting[i];
            refuse(&a, CLNORM_INVALID_STRIDES, part);
        }
    }
    if (!good.b[OUT].mem || !good.b[SRC].mem)
        return;
    /* In place with other strides, which span as much. */
    a = good, a.b[OUT] = a.b[SRC];
    a.strides[OUT] = (clnorm_strides){180, 1, 6};
    refuse(&a, CLNORM_BUFFER_OVERLAP, "strides too");
}
END_TEST

START_TEST(test_momentum)
{
    static const float momenta[] = {-0.001f, 1.001f, NAN, INFINITY, -INFINITY};
    struct attempt a;

    prepare(&a, CLNORM_FORWARD_TRAINING);
    for (unsigned i = 0; i < sizeof(momenta) / sizeof(momenta[0]); i++) {
        a.momentum = momenta[i];
        refuse(&a, CLNORM_INVALID_MOMENTUM, "momentum is");
    }
    a.momentum = 0.5f, a.flags = 2;
    refuse(&a, CLNORM_INVALID_ENUM, "running_flags is 2");
}
END_TEST

/* The slots an operation cannot do without. */
static unsigned required(enum clnorm_operation operation)
{
    static const unsigned slots[] = {BIT(SRC) | BIT(OUT), BIT(SRC) | BIT(OUT) | BIT(MEAN) | BIT(VARIANCE),
                                     BIT(SRC) | BIT(DIFF_DST) | BIT(MEAN) | BIT(INVSTD),
                                     BIT(SRC) | BIT(DIFF_DST) | BIT(MEAN) | BIT(VARIANCE)};

    return slots[operation];
}

START_TEST(test_buffers)
{
    struct attempt a, good;
    char part[64];

    prepare(&good, _i);
    for (unsigned s = 0; s < PARTS; s++) {
        const char *name = slot_name(base.operation, (enum slot)s);
        int is_workspace = s == WORKSPACE;

        if (!good.b[s].mem)
            continue;
        if (is_workspace || required(base.operation) & BIT(s)) {
            a = good, a.b[s].mem = NULL;
            snprintf(part, sizeof(part), "%s is NULL", name);
            refuse(&a, is_workspace ? CLNORM_MISSING_WORKSPACE : CLNORM_MISSING_BUFFER, part);
        }
        snprintf(part, sizeof(part), "%s ", name);
        a = good, a.b[s].mem = foreign.mem;
        refuse(&a, CLNORM_FOREIGN_BUFFER, part);
        /* One element past the end; beyond it; and where the sum wraps round. */
        const uint64_t need = is_workspace ? workspace_need(&good.desc) : parts.part[s].count;
        const uint64_t room = parts.part[s].capacity / parts.part[s].bytes;
        const uint64_t offsets[] = {room - need + 1, room + 1, UINT64_MAX - 1, UINT64_MAX / 4 - 1, UINT64_MAX / 2 - 1};
        for (unsigned i = 0; i < 5; i++) {
            a = good, a.b[s].offset = offsets[i];
            refuse(&a, is_workspace ? CLNORM_WORKSPACE_TOO_SMALL : CLNORM_BUFFER_TOO_SMALL, part);
        }
    }
    a = good, a.b[OUT].mem = a.b[DIFF_SCALE].mem = a.b[DIFF_SHIFT].mem = a.b[DIFF_RESIDUAL].mem = NULL;
    refuse(&a, CLNORM_MISSING_BUFFER,
           base.operation <= CLNORM_FORWARD_INFERENCE ? "dst is NULL" : "diff_shift and diff_residual are all");
}
END_TEST

/* Every pair of which one is written: exactly the same, one element on, and through two sub-buffers of one buffer. */
START_TEST(test_overlap)
{
    struct attempt a, good;
    cl_buffer_region low = {0, 8192}, high = {4096, 8192};
    cl_mem whole, sub[2];
    cl_int e[3];

    prepare(&good, _i);
    whole = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, 1 << 15, NULL, &e[0]);
    sub[0] = clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &low, &e[1]);
    sub[1] = clCreateSubBuffer(whole, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &high, &e[2]);
    ck_assert(e[0] == CL_SUCCESS && e[1] == CL_SUCCESS && e[2] == CL_SUCCESS);
    for (unsigned s = 0; s < PARTS; s++) {
        for (unsigned t = 0; t < s; t++) {
            unsigned written = call_writes(&base) | BIT(WORKSPACE);
            int may = (s == OUT && (t == SRC || t == DIFF_DST)) || (s == RESIDUAL && t == OUT) ||
                      (s == DIFF_RESIDUAL && t == DIFF_DST);

            if (!good.b[s].mem || !good.b[t].mem || !(written & (BIT(s) | BIT(t))))
                continue;
            a = good;
            a.b[s].mem = a.b[t].mem = whole;
            a.b[s].offset = a.b[t].offset = 3;
            if (!may)
                refuse(&a, CLNORM_BUFFER_OVERLAP, slot_name(base.operation, (enum slot)s));
            a.b[t].offset = 4;
            refuse(&a, CLNORM_BUFFER_OVERLAP, slot_name(base.operation, (enum slot)t));
            /* The sub-buffers start 1024 elements apart: these are the same 1024 + 5 of the whole, and one aside. */
            a.b[s] = (clnorm_buffer){sub[0], 1024 + 5};
            a.b[t] = (clnorm_buffer){sub[1], 5};
            if (!may)
                refuse(&a, CLNORM_BUFFER_OVERLAP, slot_name(base.operation, (enum slot)s));
            a.b[t].offset = 6;
            refuse(&a, CLNORM_BUFFER_OVERLAP, slot_name(base.operation, (enum slot)t));
        }
    }
    clReleaseMemObject(sub[0]);
    clReleaseMemObject(sub[1]);
    clReleaseMemObject(whole);
}
END_TEST

/* What comes after the normalization: numbers of an activation, flags, and buffers that have no use or miss another one. */
START_TEST(test_extras)
{
    const clnorm_activation wrong[] = {{NAN, 1}, {INFINITY, 1}, {0, -1}, {0.5f, 0}, {0, NAN}};
    struct attempt a, good;
    const int is_backward = _i % CALLS >= CLNORM_BACKWARD_TRAINING;

    prepare(&good, _i);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        a = good, a.desc.activation = wrong[i];
        refuse(&a, CLNORM_INVALID_ACTIVATION, "slope is");
    }
    if (good.b[MASK].mem) {
        a = good, a.desc.activation = CLNORM_IDENTITY, a.b[GATE].mem = NULL;
        refuse(&a, CLNORM_UNEXPECTED_BUFFER, "mask is given, which belongs to an activation");
        a = good, a.desc.activation = CLNORM_ACTIVATION(0.25f, 6);
        refuse(&a, CLNORM_UNEXPECTED_BUFFER, "slope 0.25 and cap 6");
    }
    if (!is_backward)
        return;
    a = good, a.desc.activation = CLNORM_IDENTITY, a.b[MASK].mem = NULL;
    refuse(&a, CLNORM_UNEXPECTED_BUFFER, "dst is given, which belongs to an activation");
    a = good, a.b[MASK].mem = a.b[GATE].mem = NULL;
    refuse(&a, CLNORM_MISSING_BUFFER, "dst is NULL; it is required, a buffer of 720 elements, unless mask is given");
    a = good, a.b[OUT].mem = NULL;
    refuse(&a, CLNORM_MISSING_BUFFER, "diff_src is NULL; diff_residual is given");
    a.b[DIFF_SCALE].mem = a.b[DIFF_SHIFT].mem = NULL;
    refuse(&a, CLNORM_MISSING_BUFFER, "diff_src is NULL; diff_residual is given");
    a = good, a.accumulate = 8;
    refuse(&a, CLNORM_INVALID_ENUM, "accumulate is 8");
    a.accumulate = UINT32_MAX;
    refuse(&a, CLNORM_INVALID_ENUM, "accumulate is 4294967295");
    for (unsigned s = SRC; s <= DIFF_DST; s++) {
        a = good, a.accumulate = CLNORM_ACCUMULATE_DIFF_SRC, a.b[OUT] = a.b[s];
        refuse(&a, CLNORM_BUFFER_OVERLAP, "must be apart");
    }
    a = good, a.b[OUT] = a.b[DIFF_RESIDUAL] = a.b[DIFF_DST];
    refuse(&a, CLNORM_BUFFER_OVERLAP, "diff_residual");
}
END_TEST

/* A cl_mem that is an image; the smallest workspace is enough, and one element fewer is not. */
START_TEST(test_kinds_and_workspace)
{
    const cl_image_format format = {CL_RGBA, CL_FLOAT};
    const cl_image_desc shape = {.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 64, .image_height = 64};
    struct attempt a;
    cl_int e;
    cl_mem image = clCreateImage(rig.cl, CL_MEM_READ_WRITE, &format, &shape, NULL, &e), little;

    prepare(&a, _i);
    if (e == CL_SUCCESS) {
        clnorm_buffer was = a.b[SRC];

        a.b[SRC].mem = image;
        refuse(&a, CLNORM_INVALID_BUFFER, "src is no OpenCL buffer");
        a.b[SRC] = was;
        clReleaseMemObject(image);
    }
    little = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, workspace_need(&a.desc) * sizeof(float) - 1, NULL, &e);
    ck_assert_int_eq(e, CL_SUCCESS);
    a.b[WORKSPACE] = (clnorm_buffer){little, 0};
    refuse(&a, CLNORM_WORKSPACE_TOO_SMALL, "workspace holds");
    clReleaseMemObject(little);
}
END_TEST

/* ---- what takes no queue ---- */

START_TEST(test_queries)
{
    struct attempt a;
    size_t bytes = 77;
    clnorm_context *none = NULL;
    clnorm_device_info info;

    prepare(&a, CLNORM_FORWARD_TRAINING);
    ck_assert_int_eq(clnorm_get_workspace_bytes(NULL, CLNORM_FORWARD_TRAINING, &a.desc, &bytes),
                     CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, NULL, &bytes),
                     CLNORM_INVALID_ARGUMENT);
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, (enum clnorm_operation)11, &a.desc, &bytes),
                     CLNORM_INVALID_ENUM);
    ck_assert(messages_have(&rig.messages, "operation is 11"));
    a.desc.c = 0;
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &a.desc, &bytes),
                     CLNORM_INVALID_SIZE);
    ck_assert_uint_eq(bytes, 77);
    ck_assert_int_eq(clnorm_release_context(NULL), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_release_context(&none), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_get_cl_context(NULL, &rig.cl), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_get_cl_context(rig.context, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_get_device(NULL, &info), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_find_device("no device has this name", &info, NULL), CLNORM_NO_DEVICE);
    ck_assert_int_eq(clnorm_list_devices(0, NULL, NULL), CLNORM_INVALID_ARGUMENT);
}
END_TEST

/* Devices and queues that are not the cl_context's. */
START_TEST(test_devices)
{
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context = (clnorm_context *)&options;
    struct attempt a;
    cl_uint before = references_of_context(rig.cl);

    ck_assert_int_eq(clnorm_create_context(rig.cl, device.device, &options, NULL), CLNORM_INVALID_ARGUMENT);
    if (!pair.queue)
        return;
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_create_context(rig.cl, pair.second, &options, &context), CLNORM_INVALID_DEVICE);
    ck_assert_ptr_null(context);
    ck_assert(messages_have(&rig.messages, "not among the 1 devices"));
    ck_assert_uint_eq(references_of_context(rig.cl), before);
    ck_assert_int_eq(clnorm_create_context(pair.cl, NULL, &options, &context), CLNORM_INVALID_DEVICE);
    ck_assert(messages_have(&rig.messages, "has 2 devices; name one"));

    prepare(&a, CLNORM_FORWARD_TRAINING);
    ck_assert_int_eq(clnorm_create_context(pair.cl, device.device, &options, &context), CLNORM_SUCCESS);
    a.context = context, a.queue = pair.queue;
    refuse(&a, CLNORM_FOREIGN_QUEUE, "another device");
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bad_input");
    TCase *cases = tcase_create("bad_input");

    /* PoCL then has two devices, which can share a cl_context. */
    setenv("POCL_DEVICES", "pthread basic", 0);
    fixture_own_cache();
    device = fixture_device();
    open_pair();
    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_loop_test(cases, test_valid, 0, ALL_CALLS);
    tcase_add_loop_test(cases, test_handles, 0, 4);
    tcase_add_loop_test(cases, test_strides, 0, ALL_CALLS);
    tcase_add_loop_test(cases, test_descriptions, 0, 4);
    tcase_add_test(cases, test_momentum);
    tcase_add_loop_test(cases, test_buffers, 0, ALL_CALLS);
    tcase_add_loop_test(cases, test_overlap, 0, ACTIVE_CALLS);
    tcase_add_loop_test(cases, test_extras, CALLS, ALL_CALLS);
    tcase_add_loop_test(cases, test_kinds_and_workspace, 0, 4);
    tcase_add_test(cases, test_queries);
    tcase_add_test(cases, test_devices);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    close_pair();
    fixture_remove_folders();
    return status;
}
