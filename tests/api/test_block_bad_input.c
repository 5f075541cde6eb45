/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything a caller of a block can get wrong: each mistake has its own status and a sentence that names it, and no buffer is
 * touched.
 */
#include "fixture/suite.h"
#include "fixture/block_case.h"

#include "run/block_plan.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info device;
static struct rig rig;
static struct block_case base;
static enum block_operation operation;

static struct foreign foreign;

static const char *const operation_texts[] = {"training",       "inference", "backward", "fold", "inference that keeps",
                                              "frozen backward"};

static void prepare(enum block_operation o, unsigned flags)
{
    clnorm_block_desc d;

    operation = o;
    ck_assert_int_eq(clnorm_describe_convolution(2, 2, 6, 5, 3, 3, 1, 1, 1, &d), CLNORM_SUCCESS);
    d.flags = flags | CLNORM_BLOCK_REPRODUCIBLE;
    d.activation = CLNORM_RELU;
    block_make(&base, &d);
    block_upload(&base, &rig, o);
}

/* The call with what the attempt made wrong in c is refused with this status, and a sentence that has this part. */
static void refuse_on(cl_command_queue queue, struct block_case *c, int status, const char *part)
{
    cl_event mark = (cl_event)&mark, event = mark;

    messages_clear(&rig.messages);
    int got = block_call(c, rig.context, queue, operation, 0, NULL, &event);
    ck_assert_msg(got == status, "%s, '%s': status %d (%s), not %d (%s)", operation_texts[operation], part, got,
                  clnorm_status_string(got), status, rig.messages.text);
    ck_assert_msg(event == mark, "%s, '%s': the event was written", operation_texts[operation], part);
    ck_assert_msg(messages_have(&rig.messages, "0 ") && messages_have(&rig.messages, part),
                  "%s: the log does not say '%s': %s", operation_texts[operation], part, rig.messages.text);
    ck_assert_int_eq(clFinish(rig.queue), CL_SUCCESS);
    block_download(&base, &rig, operation, 0);
}

static void refuse(struct block_case *c, int status, const char *part)
{
    refuse_on(rig.queue, c, status, part);
}

/* ---- descriptions ---- */

START_TEST(test_descriptions)
{
    static const struct {
        size_t at;
        uint64_t value;
        int status;
        const char *part;
    } wrong[] = {
#define MEMBER(member, value, status, part) {offsetof(clnorm_block_desc, member), value, status, part}
        MEMBER(src_c, 0, CLNORM_INVALID_SIZE, "src_c is 0"),
        MEMBER(dst_c, 0, CLNORM_INVALID_SIZE, "dst_c is 0"),
        MEMBER(src_h, 0, CLNORM_INVALID_SIZE, "src_h is 0"),
        MEMBER(src_w, 0, CLNORM_INVALID_SIZE, "src_w is 0"),
        MEMBER(kernel_h, 0, CLNORM_INVALID_SIZE, "kernel_h is 0"),
        MEMBER(kernel_w, 0, CLNORM_INVALID_SIZE, "kernel_w is 0"),
        MEMBER(stride_h, 0, CLNORM_INVALID_SIZE, "stride_h is 0"),
        MEMBER(stride_w, 0, CLNORM_INVALID_SIZE, "stride_w is 0"),
        MEMBER(dilation_h, 0, CLNORM_INVALID_SIZE, "dilation_h is 0"),
        MEMBER(dilation_w, 0, CLNORM_INVALID_SIZE, "dilation_w is 0"),
        MEMBER(kernel_h, 9, CLNORM_INVALID_SIZE, "kernel_h 9"),
        MEMBER(kernel_w, 8, CLNORM_INVALID_SIZE, "kernel_w 8"),
        MEMBER(dilation_w, 4, CLNORM_INVALID_SIZE, "reaches over 9 elements"),
        MEMBER(n, UINT64_C(1) << 40, CLNORM_SIZE_OVERFLOW, "n is 1099511627776"),
        MEMBER(pad_h, UINT64_MAX, CLNORM_SIZE_OVERFLOW, "pad_h is"),
        MEMBER(stride_w, UINT64_MAX, CLNORM_SIZE_OVERFLOW, "stride_w is"),
        MEMBER(pad_w, (UINT64_C(1) << 31) - 1, CLNORM_BUFFER_TOO_SMALL, "holds"),
#undef MEMBER
    };

    for (int o = 0; o < BLOCK_FOLD; o++) {
        prepare((enum block_operation)o, 0);
        for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
            struct block_case c = base;

            memcpy((char *)&c.desc + wrong[i].at, &wrong[i].value, sizeof(uint64_t));
            refuse(&c, wrong[i].status, wrong[i].part);
        }
        block_free(&base);
    }
}
END_TEST

START_TEST(test_overflow)
{
    prepare(BLOCK_TRAIN, 0);
    struct block_case c = base;
    c.desc.n = c.desc.src_c = (UINT64_C(1) << 31) - 1;
    refuse(&c, CLNORM_SIZE_OVERFLOW, "at most 2^54");
    c = base;
    c.desc.dst_c = c.desc.src_c = (UINT64_C(1) << 31) - 1;
    refuse(&c, CLNORM_SIZE_OVERFLOW, "at most 2^54");
    c = base;
    c.desc.pad_h = c.desc.pad_w = (UINT64_C(1) << 31) - 1;
    refuse(&c, CLNORM_SIZE_OVERFLOW, "at most 2^54");
    block_free(&base);
}
END_TEST

/* What the gradients of inference want, and have no use for. */
START_TEST(test_frozen)
{
    static const struct {
        enum block_slot slot;
        const char *part;
    } missing[] = {{B_DIFF_DST, "diff_dst is NULL"},
                   {B_SRC, "src is NULL"},
                   {B_WEIGHTS, "weights is NULL"},
                   {B_PRODUCT, "product is NULL"},
                   {B_MEAN, "mean is NULL"},
                   {B_VARIANCE, "variance is NULL"},
                   {B_DST, "dst is NULL"}};

    prepare(BLOCK_FROZEN, 0);
    for (size_t i = 0; i < sizeof(missing) / sizeof(*missing); i++) {
        struct block_case c = base;

        c.desc.activation = CLNORM_RELU;
        c.absent |= BIT(missing[i].slot);
        refuse(&c, CLNORM_MISSING_BUFFER, missing[i].part);
    }
    struct block_case c = base;
    c.absent |= GRADIENTS;
    refuse(&c, CLNORM_MISSING_BUFFER, "are all NULL");
    c = base;
    c.desc.flags |= CLNORM_BLOCK_PLAIN;
    c.given = BIT(B_VARIANCE);
    refuse(&c, CLNORM_UNEXPECTED_BUFFER, "variance is given");
    block_free(&base);
}
END_TEST

/* Sums that a driver would end go on from what is stored, which in binary16 would be other bits; in binary32 it is not. */
START_TEST(test_long_sums)
{
    static const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_FORWARD_INFERENCE,
                                                       CLNORM_BACKWARD_TRAINING};
    const unsigned before = rig.context->device.loop_limit;
    size_t bytes;

    rig.context->device.loop_limit = 65535;
    for (unsigned i = 0; i < 3; i++) {
        const int is_backward = operations[i] == CLNORM_BACKWARD_TRAINING;
        clnorm_block_desc d;

        ck_assert_int_eq(clnorm_describe_linear(2, is_backward ? 3 : 1000000, is_backward ? 1000000 : 3, &d),
                         CLNORM_SUCCESS);
        d.flags = CLNORM_BLOCK_REPRODUCIBLE | CLNORM_BLOCK_PLAIN;
        for (int type = CLNORM_FLOAT32; type <= CLNORM_BFLOAT16; type++) {
            d.type = (enum clnorm_type)type;
            messages_clear(&rig.messages);
            ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, operations[i], &d, &bytes),
                             type == CLNORM_FLOAT32 ? CLNORM_SUCCESS : CLNORM_UNSUPPORTED_TYPE);
            ck_assert(type == CLNORM_FLOAT32 || messages_have(&rig.messages, "(here 1000000)"));
        }
    }
    rig.context->device.loop_limit = before;
}
END_TEST

START_TEST(test_enums)
{
    for (int o = 0; o < BLOCK_OPERATIONS; o++) {
        prepare((enum block_operation)o, 0);
        struct block_case c = base;
        c.desc.activation = CLNORM_LEAKY_RELU(NAN);
        refuse(&c, CLNORM_INVALID_ACTIVATION, "slope is nan");
        c = base;
        c.desc.activation = CLNORM_CLIPPED_RELU(-6);
        refuse(&c, CLNORM_INVALID_ACTIVATION, "cap -6");
        c = base;
        c.desc.activation = CLNORM_LEAKY_RELU(-0.2f);
        refuse(&c, CLNORM_INVALID_ACTIVATION, "slope is -0.2");
        c = base;
        c.desc.flags |= 4;
        refuse(&c, CLNORM_INVALID_ENUM, "flags is 5");
        c = base;
        c.desc.type = (enum clnorm_type)7;
        refuse(&c, CLNORM_INVALID_ENUM, "type is 7");
        c = base;
        c.desc.type = CLNORM_FLOAT16;
        c.desc.flags &= ~(unsigned)CLNORM_BLOCK_REPRODUCIBLE;
        if (operation != BLOCK_FOLD) /* weights are folded whatever their type is */
            refuse(&c, CLNORM_UNSUPPORTED_TYPE, "type is 1");
        c = base;
        c.desc.epsilon = -1;
        refuse(&c, CLNORM_INVALID_EPSILON, "epsilon is -1");
        c = base;
        c.desc.epsilon = NAN;
        refuse(&c, CLNORM_INVALID_EPSILON, "epsilon is");
        c = base;
        c.momentum = 1.5f;
        if (o == BLOCK_TRAIN)
            refuse(&c, CLNORM_INVALID_MOMENTUM, "momentum is 1.5");
        block_free(&base);
    }
}
END_TEST

START_TEST(test_null)
{
    clnorm_block_training_args training = {0};
    clnorm_block_inference_args inference = {0};
    clnorm_block_backward_args backward = {0};
    clnorm_block_fold_args fold = {0};
    clnorm_block_desc d;
    clnorm_context *none = NULL;
    size_t bytes;

    ck_assert_int_eq(clnorm_describe_linear(4, 5, 6, &d), CLNORM_SUCCESS);
    d.flags = CLNORM_BLOCK_REPRODUCIBLE;
#define BOTH(call, args)                                                                                               \
    ck_assert_int_eq(call(none, rig.queue, &d, &(args), 0, NULL, NULL), CLNORM_INVALID_CONTEXT);                       \
    ck_assert_int_eq(call(rig.context, NULL, &d, &(args), 0, NULL, NULL), CLNORM_INVALID_QUEUE);                       \
    ck_assert_int_eq(call(rig.context, rig.queue, NULL, &(args), 0, NULL, NULL), CLNORM_INVALID_ARGUMENT);             \
    ck_assert_int_eq(call(rig.context, rig.queue, &d, NULL, 0, NULL, NULL), CLNORM_INVALID_ARGUMENT);                  \
    ck_assert_int_eq(call(rig.context, rig.queue, &d, &(args), 0, NULL, NULL), CLNORM_MISSING_BUFFER)
    BOTH(clnorm_block_forward_training, training);
    BOTH(clnorm_block_forward_inference, inference);
    BOTH(clnorm_block_backward, backward);
    BOTH(clnorm_block_fold, fold);
#undef BOTH
    ck_assert_int_eq(clnorm_describe_linear(4, 5, 6, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_describe_linear(4, 0, 6, &d), CLNORM_INVALID_SIZE);
    ck_assert_uint_eq(d.src_c, 5);
    ck_assert_int_eq(clnorm_describe_convolution(1, 1, 4, 4, 1, 7, 1, 1, 1, &d), CLNORM_INVALID_SIZE);
    ck_assert_int_eq(clnorm_get_block_dst_size(NULL, NULL, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_get_block_dst_size(&d, NULL, NULL), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(NULL, CLNORM_FORWARD_TRAINING, &d, &bytes),
                     CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, NULL, &bytes),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &d, NULL),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_BACKWARD_FROZEN, &d, &bytes),
                     CLNORM_INVALID_ENUM);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, (enum clnorm_operation) - 1, &d, &bytes),
                     CLNORM_INVALID_ENUM);
}
END_TEST

/* ---- buffers ---- */

START_TEST(test_missing)
{
    static const unsigned required[BLOCK_OPERATIONS] = {
        BIT(B_SRC) | BIT(B_WEIGHTS) | BIT(B_PRODUCT) | BIT(B_DST),
        BIT(B_SRC) | BIT(B_WEIGHTS) | BIT(B_DST) | BIT(B_MEAN) | BIT(B_VARIANCE),
        BIT(B_SRC) | BIT(B_WEIGHTS) | BIT(B_PRODUCT) | BIT(B_DST) | BIT(B_DIFF_DST) | BIT(B_MEAN) | BIT(B_INVSTD),
        BIT(B_WEIGHTS) | BIT(B_MEAN) | BIT(B_VARIANCE) | BIT(B_FOLDED_WEIGHTS) | BIT(B_FOLDED_BIAS)};

    for (int o = 0; o < BLOCK_OPERATIONS; o++) {
        prepare((enum block_operation)o, 0);
        for (unsigned s = 0; s < B_SLOTS; s++) {
            struct block_case c = base;
            char part[64];

            c.absent = BIT(s);
            snprintf(part, sizeof(part), "%s is NULL",
                     s == B_MEAN && o != BLOCK_BACKWARD ? "mean" : block_slot_name[s]);
            if (s == B_VARIANCE)
                snprintf(part, sizeof(part), "variance is NULL");
            if (required[o] & BIT(s))
                refuse(&c, CLNORM_MISSING_BUFFER, part);
        }
        struct block_case c = base;
        c.absent = GRADIENTS;
        if (o == BLOCK_BACKWARD)
            refuse(&c, CLNORM_MISSING_BUFFER, "at least one is required");
        c = base;
        c.mem[B_WORKSPACE] = NULL;
        if (o != BLOCK_FOLD)
            refuse(&c, CLNORM_MISSING_WORKSPACE, "clnorm_get_block_workspace_bytes");
        block_free(&base);
    }
}
END_TEST

START_TEST(test_unfit_buffers)
{
    for (int o = 0; o < BLOCK_OPERATIONS; o++) {
        prepare((enum block_operation)o, 0);
        unsigned all = block_reads(&base, operation) | block_writes(&base, operation);

        for (unsigned s = 0; s < B_PARTS; s++) {
            struct block_case c = base;

            if (s < B_SLOTS ? !(all & BIT(s)) : o == BLOCK_FOLD)
                continue;
            c.mem[s] = foreign.mem;
            refuse(&c, CLNORM_FOREIGN_BUFFER, "another cl_context");
            c = base;
            c.offset[s] += 68; /* one element beyond the buffer's end */
            refuse(&c, s == B_WORKSPACE ? CLNORM_WORKSPACE_TOO_SMALL : CLNORM_BUFFER_TOO_SMALL, "holds");
            c = base;
            c.offset[s] = UINT64_MAX;
            refuse(&c, s == B_WORKSPACE ? CLNORM_WORKSPACE_TOO_SMALL : CLNORM_BUFFER_TOO_SMALL, "holds");
        }
        refuse_on(foreign.queue, &base, CLNORM_FOREIGN_QUEUE, "queue belongs to another");
        block_free(&base);
    }
}
END_TEST

/* What is written may overlap nothing; but for what fold may work on in place. */
START_TEST(test_overlap)
{
    for (int o = 0; o < BLOCK_OPERATIONS; o++) {
        prepare((enum block_operation)o, 0);
        unsigned reads = block_reads(&base, operation), writes = block_writes(&base, operation);

        for (unsigned w = 0; w < B_SLOTS; w++)
            for (unsigned s = 0; s < B_PARTS; s++) {
                struct block_case c = base;

                if (!(writes & BIT(w)) || s == w || (s < B_SLOTS && !((reads | writes) & BIT(s))) ||
                    (s == B_WORKSPACE && o == BLOCK_FOLD))
                    continue;
                /* Both in the larger one, a little apart. */
                unsigned large = c.total[s] > c.total[w] ? s : w, other = large == s ? w : s;
                c.mem[other] = c.mem[large];
                c.offset[other] = c.offset[large] + 1;
                if (c.offset[other] + (other < B_SLOTS ? c.count[other] : c.total[other] - 84) > c.total[large])
                    continue;
                refuse(&c, CLNORM_BUFFER_OVERLAP, "overlap and one is written");
            }
        block_free(&base);
    }
}
END_TEST

START_TEST(test_plain)
{
    static const enum block_slot norm[] = {B_PRODUCT,  B_SCALE,  B_SHIFT,    B_RUNNING_MEAN, B_RUNNING_VARIANCE, B_MEAN,
                                           B_MEAN_LOW, B_INVSTD, B_VARIANCE, B_DIFF_SCALE,   B_DIFF_SHIFT};

    for (int o = 0; o < BLOCK_FOLD; o++)
        for (unsigned i = 0; i < sizeof(norm) / sizeof(*norm); i++) {
            prepare((enum block_operation)o, 0);
            struct block_case c = base;
            unsigned all = block_reads(&base, operation) | block_writes(&base, operation);

            /* The description says plain; of the normalization's buffers, one is given. */
            c.desc.flags |= CLNORM_BLOCK_PLAIN;
            c.given = BIT(norm[i]);
            if (all & BIT(norm[i]))
                refuse(&c, CLNORM_UNEXPECTED_BUFFER, "with CLNORM_BLOCK_PLAIN");
            block_free(&base);
        }
}
END_TEST

/* ---- CLBlast's limits ---- */

START_TEST(test_blas_size)
{
    clnorm_block_desc d;
    size_t bytes;
    int has_blas = clnorm_clear_blas_cache() != CLNORM_NO_BLAS;

    ck_assert_int_eq(clnorm_describe_linear(UINT64_C(1) << 30, 4, 1, &d), CLNORM_SUCCESS);
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &d, &bytes),
                     has_blas ? CLNORM_BLAS_SIZE : CLNORM_NO_BLAS);
    ck_assert(messages_have(&rig.messages, has_blas ? "2^31 - 1 elements that CLBlast" : "built without CLBlast"));
    ck_assert(messages_have(&rig.messages, "CLNORM_BLOCK_REPRODUCIBLE"));
    d.flags = CLNORM_BLOCK_REPRODUCIBLE;
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &d, &bytes),
                     CLNORM_SUCCESS);
}
END_TEST

/* The offset is the call's: the query knew nothing of it. */
START_TEST(test_blas_offset)
{
    struct clnorm__product p = {.m = 4, .n = 5, .k = 6, .a_stride = 6, .b_stride = 5, .c_stride = 5};
    const uint64_t most = (UINT64_C(1) << 31) - 1;
    char why[CLNORM__WHY];

    ck_assert_int_eq(clnorm__blas_check(&p, 0, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__blas_check(&p, most, why), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm__blas_check(&p, most + 1, why), CLNORM_BLAS_SIZE);
    uint64_t *const numbers[] = {&p.m,        &p.n,        &p.k,        &p.a_stride, &p.b_stride,
                                 &p.c_stride, &p.a.offset, &p.b.offset, &p.c.offset};
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        uint64_t before = *numbers[i];

        for (unsigned j = 0; j < 3; j++) {
            *numbers[i] = j == 0 ? most + 1 : j == 1 ? (UINT64_C(1) << 32) + 4 : UINT64_MAX;
            why[0] = '\0';
            ck_assert_msg(clnorm__blas_check(&p, 0, why) == CLNORM_BLAS_SIZE, "number %u, %u", i, j);
            ck_assert_ptr_nonnull(strstr(why, "CLBlast can count"));
        }
        *numbers[i] = before;
    }
    /* Each is small enough, and their product is not. */
    p.a_stride = p.m = 50000;
    p.c_stride = 5;
    ck_assert_int_eq(clnorm__blas_check(&p, 0, why), CLNORM_BLAS_SIZE);
    p.m = 40000;
    ck_assert_int_eq(clnorm__blas_check(&p, 0, why), CLNORM_SUCCESS);
    p.a.offset = most - (uint64_t)40000 * 50000 + 1;
    ck_assert_int_eq(clnorm__blas_check(&p, 0, why), CLNORM_BLAS_SIZE);
}
END_TEST

static void setup(void)
{
    rig_open(&rig, &device, 1);
    foreign_open(&foreign, &device);
}

static void teardown(void)
{
    foreign_close(&foreign);
    rig_close(&rig);
}

int main(void)
{
    Suite *suite = suite_create("block_bad_input");
    TCase *cases = tcase_create("block_bad_input");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 0);
    tcase_add_unchecked_fixture(cases, setup, teardown);
    tcase_add_test(cases, test_descriptions);
    tcase_add_test(cases, test_overflow);
    tcase_add_test(cases, test_frozen);
    tcase_add_test(cases, test_long_sums);
    tcase_add_test(cases, test_enums);
    tcase_add_test(cases, test_null);
    tcase_add_test(cases, test_missing);
    tcase_add_test(cases, test_unfit_buffers);
    tcase_add_test(cases, test_overlap);
    tcase_add_test(cases, test_plain);
    tcase_add_test(cases, test_blas_size);
    tcase_add_test(cases, test_blas_offset);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
