/* SPDX-License-Identifier: Apache-2.0 */
/* How blocks are called: on any queue, with wait lists and events, with parts of buffers, in parts, and with nothing to do. */
#define _DEFAULT_SOURCE
#include "fixture/suite.h"
#include "fixture/block_case.h"

#include "device/context.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static clnorm_device_info device;
static int has_blas;
static struct rig rig;

/* A linear block and a convolution of two groups of samples. */
static clnorm_block_desc desc_of(int is_convolution, unsigned flags)
{
    clnorm_block_desc d;
    int status = is_convolution ? clnorm_describe_convolution(9, 3, 24, 25, 6, 3, 1, 1, 1, &d)
                                : clnorm_describe_linear(17, 30, 21, &d);

    ck_assert_int_eq(status, CLNORM_SUCCESS);
    d.activation = CLNORM_RELU;
    d.flags = flags;
    return d;
}

static const char *operation_text(enum block_operation operation)
{
    static const char *const names[] = {"training", "inference", "backward", "fold"};

    return names[operation];
}

/* A case whose forward pass has been run, and what the operation leaves on a plain in-order queue. */
static void prepare(struct block_case *c, struct block_case *want, const clnorm_block_desc *d,
                    enum block_operation operation)
{
    block_make(c, d);
    if (operation == BLOCK_BACKWARD)
        block_run(c, &rig, BLOCK_TRAIN);
    block_make(want, d);
    for (unsigned s = 0; s < B_SLOTS; s++)
        memcpy(want->value[s], c->value[s], c->count[s] * sizeof(float));
    block_run(want, &rig, operation);
}

static void same(const struct block_case *c, const struct block_case *want, unsigned slots, const char *what)
{
    char text[200];

    for (unsigned s = 0; s < B_SLOTS; s++)
        if (slots & BIT(s))
            for (size_t i = 0; i < c->count[s]; i++)
                EXPECT(case_bits(c->value[s][i]) == case_bits(want->value[s][i]), "%s, %s: %s[%zu] is %a, not %a", what,
                       block_text(&c->desc, text), block_slot_name[s], i, (double)c->value[s][i],
                       (double)want->value[s][i]);
}

/* ---- queues ---- */

/* On the queue, held back by an event of the user's: nothing runs before it, all has run when the call's event has. */
static void check_queue(cl_command_queue queue, const clnorm_block_desc *d, enum block_operation operation)
{
    struct block_case c, want;
    cl_event gate, done = NULL;
    cl_int e, state = CL_COMPLETE;

    prepare(&c, &want, d, operation);
    block_upload(&c, &rig, operation);
    gate = clCreateUserEvent(rig.cl, &e);
    ck_assert_int_eq(e, CL_SUCCESS);
    ck_assert_int_eq(block_call(&c, rig.context, queue, operation, 1, &gate, &done), CLNORM_SUCCESS);
    ck_assert_ptr_nonnull(done);
    ck_assert_int_eq(clFlush(queue), CL_SUCCESS);
    usleep(20000);
    ck_assert_int_eq(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL), CL_SUCCESS);
    ck_assert_msg(state > CL_COMPLETE, "%s: over before what it waits for", operation_text(operation));
    ck_assert_int_eq(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    ck_assert_int_eq(clWaitForEvents(1, &done), CL_SUCCESS);
    /* The download's own queue waits for nothing but the event. */
    block_download(&c, &rig, operation, 1);
    same(&c, &want, block_writes(&c, operation), operation_text(operation));
    ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
    clReleaseEvent(done);
    clReleaseEvent(gate);
    block_free(&c);
    block_free(&want);
}

START_TEST(test_queues)
{
    for (unsigned out_of_order = 0; out_of_order < 2; out_of_order++) {
        cl_command_queue_properties can = 0;

        clGetDeviceInfo(device.device, CL_DEVICE_QUEUE_PROPERTIES, sizeof(can), &can, NULL);
        if (out_of_order && !(can & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)) {
            printf("not tested, as %s has none: out-of-order queues\n", device.name);
            continue;
        }
        cl_command_queue queue = rig_queue(&rig, out_of_order ? CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE : 0);

        for (unsigned form = has_blas ? 0 : 2; form < 4; form++) {
            clnorm_block_desc d = desc_of(form & 1, form & 2 ? CLNORM_BLOCK_REPRODUCIBLE : 0);

            for (int operation = 0; operation < BLOCK_OPERATIONS; operation++)
                check_queue(queue, &d, (enum block_operation)operation);
        }
        clReleaseCommandQueue(queue);
    }
}
END_TEST

/* ---- CLBlast's part of the workspace ---- */

/* So large that CLBlast copies its operands: with the workspace at an odd place, at its buffer's start, in part of a buffer. */
START_TEST(test_large_products)
{
    struct block_case c, fixed;
    clnorm_block_desc d;
    size_t bytes = 0, fixed_bytes = 0;
    cl_int e;

    ck_assert_int_eq(clnorm_describe_linear(1024, 1050, 1030, &d), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_INFERENCE, &d, &bytes), 0);
    d.flags = CLNORM_BLOCK_REPRODUCIBLE;
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_INFERENCE, &d, &fixed_bytes), 0);
    block_make(&fixed, &d);
    fixed.absent = BIT(B_BIAS);
    block_run(&fixed, &rig, BLOCK_INFER);
    d.flags = 0;
    block_make(&c, &d);
    c.absent = fixed.absent;
    if (bytes <= fixed_bytes + 4096)
        printf("not tested, as CLBlast copies no operands on %s: its part of the workspace\n", device.name);
    cl_command_queue free_queue = rig_queue(&rig, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    for (unsigned place = 0; place < 4; place++) {
        cl_mem whole = NULL;

        block_upload(&c, &rig, BLOCK_INFER);
        if (place == 1 || place == 2) {
            cl_buffer_region region = {8192, bytes + 4096};

            clReleaseMemObject(c.mem[B_WORKSPACE]);
            c.mem[B_WORKSPACE] = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, bytes + 16384, NULL, &e);
            ck_assert_int_eq(e, CL_SUCCESS);
            c.offset[B_WORKSPACE] = 0;
            if (place == 2) {
                whole = c.mem[B_WORKSPACE];
                c.mem[B_WORKSPACE] = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &e);
                ck_assert_int_eq(e, CL_SUCCESS);
                c.offset[B_WORKSPACE] = 3;
            }
        }
        cl_command_queue queue = place == 3 ? free_queue : rig.queue;
        ck_assert_int_eq(block_call(&c, rig.context, queue, BLOCK_INFER, 0, NULL, NULL), CLNORM_SUCCESS);
        ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
        ck_assert_int_eq(clEnqueueReadBuffer(rig.queue, c.mem[B_DST], CL_TRUE, c.offset[B_DST] * sizeof(float),
                                             c.count[B_DST] * sizeof(float), c.value[B_DST], 0, NULL, NULL),
                         CL_SUCCESS);
        /* Sums of 1050 terms that stay about as large as 1, twice: some roots of 1050 roundings, of the result's size. */
        for (size_t i = 0; i < c.count[B_DST]; i++)
            EXPECT(fabsf(c.value[B_DST][i] - fixed.value[B_DST][i]) <= 1e-5f * (1 + fabsf(fixed.value[B_DST][i])),
                   "place %u: dst[%zu] is %g, not %g", place, i, (double)c.value[B_DST][i],
                   (double)fixed.value[B_DST][i]);
        if (whole)
            clReleaseMemObject(whole);
    }
    clReleaseCommandQueue(free_queue);
    block_free(&c);
    block_free(&fixed);
}
END_TEST

/* ---- parts ---- */

/* Every choice of gradients has the bits it has among all of them, and reads only what it needs. */
START_TEST(test_some_gradients)
{
    static const enum block_slot gradient[] = {B_DIFF_SRC, B_DIFF_WEIGHTS, B_DIFF_BIAS, B_DIFF_SCALE, B_DIFF_SHIFT};

    for (unsigned form = 0; form < 4; form++) {
        clnorm_block_desc d = desc_of(form & 1, CLNORM_BLOCK_REPRODUCIBLE | (form & 2 ? CLNORM_BLOCK_PLAIN : 0u));
        struct block_case c, want;

        prepare(&c, &want, &d, BLOCK_BACKWARD);
        for (unsigned chosen = 1; chosen < 32; chosen++) {
            c.absent = 0;
            for (unsigned i = 0; i < 5; i++)
                c.absent |= chosen & 1u << i ? 0 : BIT(gradient[i]);
            c.absent |= c.absent & BIT(B_DIFF_SRC) ? BIT(B_WEIGHTS) : 0;
            c.absent |= c.absent & BIT(B_DIFF_WEIGHTS) ? BIT(B_SRC) : 0;
            if (!block_writes(&c, BLOCK_BACKWARD))
                continue;
            block_run(&c, &rig, BLOCK_BACKWARD);
            same(&c, &want, block_writes(&c, BLOCK_BACKWARD), "some gradients");
        }
        block_free(&c);
        block_free(&want);
    }
}
END_TEST

/* Each optional array alone may be missing; what is left has the model's bits. */
START_TEST(test_optional)
{
    static const enum block_slot optional[] = {B_BIAS, B_SCALE,    B_SHIFT,  B_RUNNING_MEAN, B_RUNNING_VARIANCE,
                                               B_MEAN, B_MEAN_LOW, B_INVSTD, B_VARIANCE};

    for (unsigned i = 0; i < sizeof(optional) / sizeof(*optional); i++) {
        clnorm_block_desc d = desc_of(0, CLNORM_BLOCK_REPRODUCIBLE);
        struct block_case c, want;

        block_make(&c, &d);
        block_make(&want, &d);
        c.absent = want.absent = BIT(optional[i]);
        block_run(&c, &rig, BLOCK_TRAIN);
        block_model(&want, BLOCK_TRAIN);
        same(&c, &want, block_writes(&c, BLOCK_TRAIN), block_slot_name[optional[i]]);
        block_free(&c);
        block_free(&want);
    }
}
END_TEST

/* The forward workspace of a convolution does not grow with the samples beyond a group, and stays within what the header says. */
START_TEST(test_workspace_is_bounded)
{
    static const uint64_t samples[] = {1, 100, 100000};
    static const uint64_t sides[] = {4, 28, 56};

    for (unsigned i = 0; i < 3; i++) {
        size_t bytes[3];

        for (unsigned j = 0; j < 3; j++) {
            clnorm_block_desc d;

            ck_assert_int_eq(clnorm_describe_convolution(samples[j], 256, sides[i], sides[i], 512, 3, 1, 1, 1, &d), 0);
            d.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
            ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_INFERENCE, &d, &bytes[j]), 0);
        }
        /* The product needs no room of its own: it stands where it belongs. */
        ck_assert_uint_eq(bytes[0], 256 * 9 * sides[i] * sides[i] * sizeof(float));
        ck_assert_uint_ge(bytes[1], bytes[0]);
        ck_assert_uint_le(bytes[2], (size_t)64 << 20);
        ck_assert_uint_gt(bytes[2], 0);
        if (sides[i] > 4)
            ck_assert_uint_eq(bytes[2], bytes[1]);
    }
}
END_TEST

/*
 * A kernel of 1 x 1 in the fixed order reads and writes images where they are: it needs a sum's workspace at most, and that of the weights'
 * gradients of every four samples.
 */
START_TEST(test_images_stay_in_place)
{
    static const uint64_t samples[] = {1, 7, 5000};
    struct block_case c, model;
    clnorm_block_desc d;
    size_t bytes = 1, sum_bytes = 0;

    for (unsigned i = 0; i < 3; i++) {
        clnorm_desc norm = {.n = samples[i], .c = 48, .s = 14 * 15, .layout = CLNORM_CHANNELS_FIRST, .epsilon = 1e-5f};

        ck_assert_int_eq(clnorm_describe_convolution(samples[i], 32, 14, 15, 48, 1, 1, 0, 1, &d), 0);
        d.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
        for (int o = CLNORM_FORWARD_TRAINING; o <= CLNORM_FORWARD_INFERENCE; o++) {
            ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, (enum clnorm_operation)o, &d, &bytes), 0);
            ck_assert_uint_eq(bytes, 0);
        }
        ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_BACKWARD_TRAINING, &d, &bytes), 0);
        ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_BACKWARD_FROZEN, &norm, &sum_bytes), 0);
        ck_assert_uint_eq(bytes, sum_bytes + (samples[i] > 4 ? (samples[i] + 3) / 4 * 48 * 32 * sizeof(float) : 0));
    }
    ck_assert_int_eq(clnorm_describe_convolution(7, 5, 6, 7, 9, 1, 1, 0, 1, &d), 0);
    d.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    d.activation = CLNORM_RELU;
    block_make(&c, &d);
    block_make(&model, &d);
    block_model(&model, BLOCK_INFER);
    block_upload(&c, &rig, BLOCK_INFER);
    clReleaseMemObject(c.mem[B_WORKSPACE]);
    c.mem[B_WORKSPACE] = NULL;
    c.offset[B_WORKSPACE] = 0;
    ck_assert_int_eq(block_call(&c, rig.context, rig.queue, BLOCK_INFER, 0, NULL, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clEnqueueReadBuffer(rig.queue, c.mem[B_DST], CL_TRUE, c.offset[B_DST] * sizeof(float),
                                         c.count[B_DST] * sizeof(float), c.value[B_DST], 0, NULL, NULL),
                     CL_SUCCESS);
    same(&c, &model, BIT(B_DST), "no workspace");
    block_free(&c);
    block_free(&model);
}
END_TEST

/* In place of weights and bias, folding gives what it gives elsewhere. */
START_TEST(test_fold_in_place)
{
    clnorm_block_desc d = desc_of(1, CLNORM_BLOCK_REPRODUCIBLE);
    struct block_case c, want;

    prepare(&c, &want, &d, BLOCK_FOLD);
    block_upload(&c, &rig, BLOCK_FOLD);
    for (unsigned i = 0; i < 2; i++) {
        enum block_slot from = i ? B_BIAS : B_WEIGHTS, to = i ? B_FOLDED_BIAS : B_FOLDED_WEIGHTS;

        clReleaseMemObject(c.mem[to]);
        clRetainMemObject(c.mem[from]);
        c.mem[to] = c.mem[from];
        c.offset[to] = c.offset[from];
    }
    ck_assert_int_eq(block_call(&c, rig.context, rig.queue, BLOCK_FOLD, 0, NULL, NULL), CLNORM_SUCCESS);
    for (unsigned s = B_FOLDED_WEIGHTS; s <= B_FOLDED_BIAS; s++)
        ck_assert_int_eq(clEnqueueReadBuffer(rig.queue, c.mem[s], CL_TRUE, c.offset[s] * sizeof(float),
                                             c.count[s] * sizeof(float), c.value[s], 0, NULL, NULL),
                         CL_SUCCESS);
    same(&c, &want, BIT(B_FOLDED_WEIGHTS) | BIT(B_FOLDED_BIAS), "in place");
    /* A little apart they overlap. */
    c.offset[B_FOLDED_WEIGHTS]++;
    ck_assert_int_eq(block_call(&c, rig.context, rig.queue, BLOCK_FOLD, 0, NULL, NULL), CLNORM_BUFFER_OVERLAP);
    block_free(&c);
    block_free(&want);
}
END_TEST

START_TEST(test_no_samples)
{
    for (unsigned form = has_blas ? 0 : 2; form < 4; form++) {
        clnorm_block_desc d = desc_of(form & 1, form & 2 ? CLNORM_BLOCK_REPRODUCIBLE : 0);
        struct block_case c, before;
        size_t bytes = 1;

        d.n = 0;
        for (int o = CLNORM_FORWARD_TRAINING; o <= CLNORM_BACKWARD_TRAINING; o++) {
            ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, (enum clnorm_operation)o, &d, &bytes), 0);
            ck_assert_uint_eq(bytes, 0);
        }
        block_make(&c, &d);
        block_make(&before, &d);
        for (int operation = BLOCK_TRAIN; operation <= BLOCK_INFER; operation++) {
            cl_event done = NULL;

            block_upload(&c, &rig, (enum block_operation)operation);
            ck_assert_int_eq(block_call(&c, rig.context, rig.queue, (enum block_operation)operation, 0, NULL, &done),
                             0);
            ck_assert_int_eq(clWaitForEvents(1, &done), CL_SUCCESS);
            clReleaseEvent(done);
            block_download(&c, &rig, (enum block_operation)operation, 0);
        }
        block_run(&c, &rig, BLOCK_BACKWARD);
        for (unsigned s = B_DIFF_WEIGHTS; s <= B_DIFF_SHIFT; s++)
            for (size_t i = 0; i < c.count[s]; i++)
                EXPECT(c.value[s][i] == 0, "n 0: %s[%zu] is %g", block_slot_name[s], i, (double)c.value[s][i]);
        block_free(&c);
        block_free(&before);
    }
}
END_TEST

/* ---- references ---- */

static cl_uint references(const struct block_case *c)
{
    cl_uint total = references_of_context(rig.cl) + references_of_queue(rig.queue);

    for (unsigned s = 0; s < B_PARTS; s++)
        if (c->mem[s])
            total += references_of_mem(c->mem[s]);
    return total;
}

/* Nothing of the caller's is held longer than the call, a part of the workspace least of all. */
START_TEST(test_nothing_leaks)
{
    for (unsigned form = has_blas ? 0 : 2; form < 4; form++) {
        clnorm_block_desc d = desc_of(form & 1, form & 2 ? CLNORM_BLOCK_REPRODUCIBLE : 0);

        for (int operation = 0; operation < BLOCK_OPERATIONS; operation++) {
            struct block_case c;
            cl_uint second = 0;

            block_make(&c, &d);
            block_upload(&c, &rig, (enum block_operation)operation);
            for (unsigned turn = 0; turn < 6; turn++) {
                cl_event event = NULL;

                ck_assert_int_eq(
                    block_call(&c, rig.context, rig.queue, (enum block_operation)operation, 0, NULL, &event), 0);
                ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
                clReleaseEvent(event);
                ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
                second = turn == 1 ? references(&c) : second;
            }
            for (unsigned wait = 0; wait < 100 && references(&c) > second; wait++)
                usleep(10000);
            ck_assert_msg(references(&c) <= second, "%s: %u references after 2 turns, %u after 6",
                          operation_text((enum block_operation)operation), second, references(&c));
            block_free(&c);
        }
    }
}
END_TEST

static void setup(void)
{
    rig_open(&rig, &device, 1);
}

static void teardown(void)
{
    rig_close(&rig);
    clnorm_clear_blas_cache();
}

int main(void)
{
    Suite *suite = suite_create("block_calls");
    TCase *cases = tcase_create("block_calls");

    fixture_own_cache();
    device = fixture_device();
    has_blas = !fixture_is_small() && clnorm_clear_blas_cache() != CLNORM_NO_BLAS;
    if (!has_blas)
        printf("not tested: CLBlast's products\n");
    tcase_set_timeout(cases, 0);
    tcase_add_unchecked_fixture(cases, setup, teardown);
    tcase_add_test(cases, test_queues);
    if (has_blas)
        tcase_add_test(cases, test_large_products);
    tcase_add_test(cases, test_some_gradients);
    tcase_add_test(cases, test_optional);
    tcase_add_test(cases, test_workspace_is_bounded);
    tcase_add_test(cases, test_images_stay_in_place);
    tcase_add_test(cases, test_fold_in_place);
    tcase_add_test(cases, test_no_samples);
    tcase_add_test(cases, test_nothing_leaks);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
