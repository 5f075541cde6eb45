/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls where a driver ends the loops of a work-item after so many iterations, or turns (src/plan/turns.h): on every device, what is
 * planned for such a limit has the model's bits, and so have, within a device's own limit if it has one, calls that would not.
 * Every fourth variant is compiled to the small code that such drivers get.
 */
#include "fixture/suite.h"
#include "fixture/block_case.h"
#include "fixture/subjects.h"
#include "device/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Turns to plan with: little room, so that small tensors fill it. */
enum { TURNS = 10240 };

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

static clnorm_context *limited_context(const struct rig *rig, struct messages *messages, const char *variants)
{
    clnorm_context_options options = messages_options(messages);
    clnorm_context *context;

    options.variants = variants;
    ck_assert_int_eq(clnorm_create_context(rig->cl, rig->info.device, &options, &context), CLNORM_SUCCESS);
    context->device.loop_limit = TURNS;
    context->device.cache_bytes = (uint64_t)1 << 26; /* so that training in one launch is tried as well */
    return context;
}

/* ---- normalization ---- */

/* Short rows; parts of long rows; leaves of several samples; vectors of channels and what fills none. */
static const struct case_shape shapes[] = {{2500, 3, 2, CLNORM_CHANNELS_FIRST},
                                           {3, 2, 4100, CLNORM_CHANNELS_FIRST},
                                           {90, 5, 49, CLNORM_CHANNELS_FIRST},
                                           {300, 67, 1, CLNORM_CHANNELS_LAST},
                                           {9000, 1, 1, CLNORM_CHANNELS_LAST}};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* Ordinary data, and data that make the kernels look at every leaf again. */
static const enum case_data kinds[] = {CASE_NORMAL, CASE_CONSTANT, CASE_HUGE};

static unsigned run_calls(struct rig *rig, struct parts *parts, clnorm_context *context, const char *variant,
                          const struct case_shape *shape, enum case_data kind)
{
    clnorm_desc desc = case_desc(shape);
    struct values inputs = {0};
    unsigned made = 0;

    values_make(&inputs, &desc, kind);
    for (unsigned operation = 0; operation < 4; operation++) {
        struct call call = {
            .operation = (enum clnorm_operation)operation, .desc = desc, .alias = OUT, .momentum = 0.1f};
        struct values want = {0};
        struct finding finding = {0};
        char text[320];

        values_copy(&want, &inputs);
        call_model(&call, &want);
        int status = call_run(context, rig->queue, &call, parts, &inputs, &want, rig->info.bits, &finding);
        if (status == CLNORM_NO_VARIANT && variant) {
            ck_assert_msg(messages_have(&rig->messages, "10240 turns"), "%s: refused, but not for its loops", variant);
        } else {
            made++;
            ck_assert_msg(status == CLNORM_SUCCESS && finding.differences == 0, "%s, %s, data %s: status %d, %s",
                          call_text(&call, text), variant ? variant : "free choice", case_data_name(kind), status,
                          finding.text);
        }
        values_free(&want);
    }
    values_free(&inputs);
    return made;
}

START_TEST(test_normalization)
{
    static struct rig rig;
    static struct pool pools[2]; /* of usual and of small code */
    struct parts parts = {0};
    unsigned made = 0;

    rig_open(&rig, &devices[_i], 1);
    parts.cl = rig.cl;

    for (unsigned v = 0; v <= CLNORM__VARIANTS; v++) {
        const struct clnorm__variant *variant = v ? &clnorm__variants[v - 1] : NULL;
        if (fixture_is_small() && v % 4 != 0)
            continue;
        char names[NAMES_BYTES];
        clnorm_context *context =
            limited_context(&rig, &rig.messages, variant ? held_to(variant, &rig.info, names) : NULL);

        context->device.small_code = rig.context->device.small_code || v % 4 == 0;
        struct pool *pool = &pools[context->device.small_code != 0];
        pool_to_context(pool, context);
        for (unsigned s = 0; s < SHAPES; s++) {
            int last = shapes[s].layout == CLNORM_CHANNELS_LAST;
            if (variant && clnorm__variant_refusal(variant, &context->device, last, 1))
                continue;
            for (unsigned k = 0; k < 3; k++)
                if (!fixture_is_small() || (k + s + v) % 3 == 0)
                    made += run_calls(&rig, &parts, context, variant ? variant->name : NULL, &shapes[s], kinds[k]);
        }
        pool_from_context(pool, context);
        ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    }
    printf("%s: %u calls within %d turns\n", rig.info.name, made, TURNS);
    fflush(stdout);
    parts_free(&parts);
    pool_free(&pools[0]);
    pool_free(&pools[1]);
    rig_close(&rig);
}
END_TEST

/* With the device's own limit: wrong on llvmpipe (its number of turns being 65535) when plans did not know of it. */
START_TEST(test_own_limit)
{
    static struct rig rig;
    static const struct case_shape large = {4096, 3, 10, CLNORM_CHANNELS_LAST};
    struct parts parts = {0};

    rig_open(&rig, &devices[_i], 1);
    parts.cl = rig.cl;
    ck_assert_uint_eq(run_calls(&rig, &parts, rig.context, NULL, &large, CASE_NORMAL), 4);
    parts_free(&parts);
    rig_close(&rig);
}
END_TEST

/* ---- blocks ---- */

static void compare_block(struct rig *rig, const clnorm_block_desc *d, enum block_operation operation)
{
    struct block_case c, model;
    char text[200];

    block_make(&c, d);
    block_make(&model, d);
    block_run(&c, rig, operation);
    block_model(&model, operation);
    for (unsigned s = 0; s < B_SLOTS; s++)
        for (size_t i = 0; (block_writes(&c, operation) & BIT(s)) && i < c.count[s]; i++)
            EXPECT(case_bits(c.value[s][i]) == case_bits(model.value[s][i]) || rig->info.bits == CLNORM_BITS_NONE,
                   "%s, operation %d, %s: %s[%zu] is %a, should be %a", clnorm__block_kernels[rig->context->gemm].name,
                   (int)operation, block_text(d, text), block_slot_name[s], i, (double)c.value[s][i],
                   (double)model.value[s][i]);
    block_free(&model);
    block_free(&c);
}

/* Products of many terms, in steps; columns of long and of narrow images. */
START_TEST(test_blocks)
{
    static const uint64_t sizes[][9] = {{450, 70, 1, 1, 5, 1, 1, 0, 1},
                                        {2, 3, 30, 31, 4, 3, 1, 1, 1},
                                        {1, 2, 300, 2, 3, 2, 2, 1, 1},
                                        {2, 3, 20, 9, 40, 1, 1, 0, 1}};
    static struct rig rig;
    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    clnorm_context *own = rig.context;
    int is_cpu_like = own->device.cpu_like;

    rig.context = limited_context(&rig, &rig.messages, NULL);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint64_t *z = sizes[i];
        clnorm_block_desc d;

        ck_assert_int_eq(clnorm_describe_convolution(z[0], z[1], z[2], z[3], z[4], z[5], z[6], z[7], z[8], &d),
                         CLNORM_SUCCESS);
        d.flags = CLNORM_BLOCK_REPRODUCIBLE;
        d.activation = CLNORM_RELU;
        for (int gemm = CLNORM__GEMM_ITEM; gemm <= CLNORM__GEMM_NAIVE; gemm++) {
            rig.context->gemm = (enum clnorm__block_kernel)gemm;
            rig.context->device.cpu_like = gemm == CLNORM__GEMM_ITEM && is_cpu_like;
            for (int operation = BLOCK_TRAIN; operation < BLOCK_FOLD; operation++) /* folding has no product */
                compare_block(&rig, &d, (enum block_operation)operation);
        }
    }
    ck_assert_int_eq(clnorm_release_context(&rig.context), CLNORM_SUCCESS);
    rig.context = own;
    rig_close(&rig);
}
END_TEST

/* A linear block's gradient of weights over more samples than fit in one launch of llvmpipe. */
START_TEST(test_own_limit_of_products)
{
    static struct rig rig;
    clnorm_block_desc d;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    ck_assert_int_eq(clnorm_describe_convolution(1500, 9, 1, 1, 65, 1, 1, 0, 1, &d), CLNORM_SUCCESS);
    d.flags = CLNORM_BLOCK_REPRODUCIBLE;
    compare_block(&rig, &d, BLOCK_BACKWARD);
    rig_close(&rig);
}
END_TEST

/* What no launch can do is refused, in words. */
START_TEST(test_refusals)
{
    static struct rig rig;
    size_t bytes;
    clnorm_block_desc d;

    rig_open(&rig, &devices[_i], 1);
    rig.context->device.loop_limit = TURNS;
    clnorm_desc desc = {.n = (uint64_t)1 << 30, .c = 3, .s = 1, .type = CLNORM_FLOAT32, .epsilon = 1e-5f, {0, 0}};
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &desc, &bytes),
                     CLNORM_NO_VARIANT);
    ck_assert(messages_have(&rig.messages, "10240 turns"));
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_describe_convolution(1, 1, 60, 60, 1, 50, 1, 0, 1, &d), CLNORM_SUCCESS);
    d.flags = CLNORM_BLOCK_REPRODUCIBLE;
    ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig.context, CLNORM_BACKWARD_TRAINING, &d, &bytes),
                     CLNORM_NO_VARIANT);
    ck_assert(messages_have(&rig.messages, "10240"));
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_describe_convolution(1, 10000, 1, 1, 1, 1, 1, 0, 1, &d), CLNORM_SUCCESS);
    clnorm_block_fold_args args;

    memset(&args, 0, sizeof(args));
    ck_assert_int_eq(clnorm_block_fold(rig.context, rig.queue, &d, &args, 0, NULL, NULL), CLNORM_NO_VARIANT);
    ck_assert(messages_have(&rig.messages, "folding"));
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("turns");
    TCase *cases = tcase_create("turns");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_normalization, 0, (int)device_count);
    tcase_add_loop_test(cases, test_own_limit, 0, (int)device_count);
    tcase_add_loop_test(cases, test_own_limit_of_products, 0, (int)device_count);
    tcase_add_loop_test(cases, test_blocks, 0, (int)device_count);
    tcase_add_loop_test(cases, test_refusals, 0, (int)device_count);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
