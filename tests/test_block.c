/* SPDX-License-Identifier: Apache-2.0 */
#include "block_case.h"

#include "context.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* ---- descriptions ---- */

struct shape {
    uint64_t n, src_c, src_h, src_w, dst_c, kernel, stride, pad, dilation;
};

static const struct shape shapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 0, 1},     {5, 7, 1, 1, 3, 1, 1, 0, 1},   {64, 64, 1, 1, 128, 1, 1, 0, 1},
    {33, 130, 1, 1, 65, 1, 1, 0, 1}, {3, 3, 8, 8, 5, 3, 1, 1, 1},   {5, 2, 9, 7, 19, 3, 2, 1, 1},
    {2, 3, 11, 12, 4, 3, 1, 2, 2},   {3, 6, 5, 7, 9, 1, 1, 0, 1},   {2, 4, 6, 6, 3, 1, 2, 0, 1},
    {4, 3, 4, 4, 5, 4, 1, 0, 1},     {2, 3, 70, 66, 4, 3, 1, 1, 1}, {2, 5, 65, 66, 3, 1, 1, 0, 1},
    {2, 2, 5, 5, 3, 2, 3, 4, 3},
};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes) };

static clnorm_block_desc desc_of(const struct shape *s, unsigned flags, enum clnorm_activation activation)
{
    clnorm_block_desc d;

    ck_assert_int_eq(clnorm_describe_convolution(s->n, s->src_c, s->src_h, s->src_w, s->dst_c, s->kernel, s->stride,
                                                 s->pad, s->dilation, &d),
                     CLNORM_SUCCESS);
    d.flags = flags;
    d.activation = activation;
    return d;
}

/* ---- bits ---- */

/* Everything an operation wrote has the model's bits. */
static uint64_t compare_bits(struct rig *rig, struct block_case *c, enum block_operation operation, uint64_t hash)
{
    struct block_case model;
    char text[200];

    block_make(&model, &c->desc);
    model.absent = c->absent;
    for (unsigned s = 0; s < B_SLOTS; s++)
        memcpy(model.value[s], c->value[s], c->count[s] * sizeof(float));
    block_run(c, rig, operation);
    block_model(&model, operation);
    for (unsigned s = 0; s < B_SLOTS; s++) {
        if (!(block_writes(c, operation) & BIT(s)))
            continue;
        for (size_t i = 0; i < c->count[s]; i++)
            ck_assert_msg(case_bits(c->value[s][i]) == case_bits(model.value[s][i]),
                          "%s, %s: %s[%zu] is %a, should be %a", rig->info.name, block_text(&c->desc, text),
                          block_slot_name[s], i, (double)c->value[s][i], (double)model.value[s][i]);
        hash = case_hash(hash, c->value[s], c->count[s]);
    }
    block_free(&model);
    return hash;
}

START_TEST(test_reproducible_bits)
{
    static const enum clnorm__block_kernel kernels[] = {CLNORM__GEMM_ITEM, CLNORM__GEMM_GROUP, CLNORM__GEMM_NAIVE};
    static struct rig rig;

    rig_open(&rig, &devices[_i], 1);
    for (unsigned k = 0; k < 3; k++) {
        uint64_t hash = CASE_HASH_START;

        rig.context->gemm = kernels[k];
        for (unsigned s = 0; s < SHAPES; s++)
            for (unsigned form = 0; form < 4; form++) {
                clnorm_block_desc d =
                    desc_of(&shapes[s], CLNORM_BLOCK_REPRODUCIBLE | (form & 2 ? CLNORM_BLOCK_PLAIN : 0u),
                            form & 1 ? CLNORM_RELU : CLNORM_IDENTITY);
                struct block_case c;

                block_make(&c, &d);
                hash = compare_bits(&rig, &c, BLOCK_TRAIN, hash);
                hash = compare_bits(&rig, &c, BLOCK_BACKWARD, hash);
                hash = compare_bits(&rig, &c, BLOCK_INFER, hash);
                block_free(&c);
            }
        printf("%s, kernel %u: digest %016llx\n", rig.info.name, k, (unsigned long long)hash);
    }
    rig_close(&rig);
}
END_TEST

/* ---- CLBlast ---- */

START_TEST(test_blas_accuracy)
{
    static struct rig rig;

    rig_open(&rig, &devices[_i], 1);
    for (unsigned s = 0; s < SHAPES; s++) {
        clnorm_block_desc d = desc_of(&shapes[s], 0, CLNORM_RELU);
        struct block_case c, model;

        block_make(&c, &d);
        block_make(&model, &d);
        block_run(&c, &rig, BLOCK_TRAIN);
        block_model(&model, BLOCK_TRAIN);
        for (size_t i = 0; i < c.count[B_DST]; i++)
            ck_assert_msg(fabsf(c.value[B_PRODUCT][i] - model.value[B_PRODUCT][i]) < 1e-4f, "%g %g",
                          (double)c.value[B_PRODUCT][i], (double)model.value[B_PRODUCT][i]);
        block_run(&c, &rig, BLOCK_BACKWARD);
        block_free(&c);
        block_free(&model);
    }
    rig_close(&rig);
    clnorm_clear_blas_cache();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block");
    TCase *cases = tcase_create("block");
    SRunner *runner = srunner_create(suite);
    int failed;

    fixture_own_cache(1);
    device_count = fixture_devices(devices);
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_reproducible_bits, 0, (int)device_count);
    tcase_add_loop_test(cases, test_blas_accuracy, 0, (int)device_count);
    suite_add_tcase(suite, cases);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    fixture_remove_folders();
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
