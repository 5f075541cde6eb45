/* SPDX-License-Identifier: Apache-2.0 */
/* clnorm_fold against the same arithmetic in C, bit for bit, and against float64; and what it refuses. */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"
#include "scalar.h"

#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

enum { WEIGHTS, BIAS, SCALE_OF, SHIFT_OF, MEAN_OF, VARIANCE_OF, FOLDED_WEIGHTS, FOLDED_BIAS, BUFFERS };

struct folding {
    uint64_t outputs, length;
    float epsilon;
    unsigned absent; /* BITs of bias, scale and shift */
    int is_in_place;
    float *value[BUFFERS], *want[2];
};

static size_t count_of(const struct folding *f, int which)
{
    return (size_t)(which == WEIGHTS || which == FOLDED_WEIGHTS ? f->outputs * f->length : f->outputs);
}

static float drawn(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(*state >> 40) * 0x1p-23f - 1.0f;
}

static void make_values(struct folding *f)
{
    uint64_t state = f->outputs * 1000 + f->length;

    for (int i = 0; i < BUFFERS; i++) {
        f->value[i] = malloc(count_of(f, i) * sizeof(float));
        ck_assert_ptr_nonnull(f->value[i]);
        for (size_t k = 0; k < count_of(f, i); k++)
            f->value[i][k] = i == VARIANCE_OF ? fabsf(drawn(&state)) * 3.0f : drawn(&state);
    }
    f->value[VARIANCE_OF][0] = 0.0f; /* epsilon alone */
    for (int i = 0; i < 2; i++) {
        f->want[i] = malloc(count_of(f, FOLDED_WEIGHTS + i) * sizeof(float));
        ck_assert_ptr_nonnull(f->want[i]);
    }
    for (uint64_t c = 0; c < f->outputs; c++) {
        float factor = clnorm_rsqrt(f->value[VARIANCE_OF][c] + f->epsilon);
        if (!(f->absent & BIT(SCALE_OF)))
            factor = f->value[SCALE_OF][c] * factor;
        for (uint64_t i = 0; i < f->length; i++)
            f->want[0][c * f->length + i] = f->value[WEIGHTS][c * f->length + i] * factor;
        const float bias = f->absent & BIT(BIAS) ? 0.0f : f->value[BIAS][c];
        const float shift = f->absent & BIT(SHIFT_OF) ? 0.0f : f->value[SHIFT_OF][c];
        f->want[1][c] = fmaf(bias - f->value[MEAN_OF][c], factor, shift);
        /* And that is what it is for: within a few roundings of float64. */
        const double exact = (f->absent & BIT(SCALE_OF) ? 1.0 : (double)f->value[SCALE_OF][c]) /
                             sqrt((double)f->value[VARIANCE_OF][c] + (double)f->epsilon);
        const double moved = ((double)bias - (double)f->value[MEAN_OF][c]) * exact + (double)shift;
        ck_assert_double_le(fabs((double)factor - exact), 3e-7 * fabs(exact));
        ck_assert_double_le(fabs((double)f->want[1][c] - moved), 4e-7 * (fabs(exact) * 2.0 + fabs((double)shift)));
    }
}

static void free_values(struct folding *f)
{
    for (int i = 0; i < BUFFERS; i++)
        free(f->value[i]);
    for (int i = 0; i < 2; i++)
        free(f->want[i]);
}

/* A buffer with a guard of 3 elements before and behind, so that offsets count. */
enum { GUARD = 3 };

static clnorm_buffer make_buffer(struct rig *rig, const float *values, size_t count)
{
    cl_int e;
    float *all = calloc(count + 2 * GUARD, sizeof(float));
    ck_assert_ptr_nonnull(all);
    memcpy(all + GUARD, values, count * sizeof(float));
    clnorm_buffer buffer = {NULL, GUARD};
    buffer.mem =
        clCreateBuffer(rig->cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, (count + 2 * GUARD) * sizeof(float), all, &e);
    ck_assert_int_eq(e, CL_SUCCESS);
    free(all);
    return buffer;
}

static void compare(struct rig *rig, clnorm_buffer buffer, const float *want, size_t count, const char *name)
{
    float *all = malloc((count + 2 * GUARD) * sizeof(float));
    ck_assert_ptr_nonnull(all);
    ck_assert_int_eq(clEnqueueReadBuffer(rig->queue, buffer.mem, CL_TRUE, 0, (count + 2 * GUARD) * sizeof(float), all,
                                         0, NULL, NULL),
                     CL_SUCCESS);
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(all[i] == 0.0f && all[GUARD + count + i] == 0.0f, "%s is written beyond its ends", name);
    for (size_t i = 0; i < count; i++) {
        const int is_equal = rig->info.bits == CLNORM_BITS_SAME
                                 ? clnorm_bits_of(all[GUARD + i]) == clnorm_bits_of(want[i])
                                 : fabsf(all[GUARD + i] - want[i]) <= 1e-6f * (1.0f + fabsf(want[i]));
        ck_assert_msg(is_equal, "%s[%zu] is %a, expected %a", name, i, (double)all[GUARD + i], (double)want[i]);
    }
    free(all);
}

static int fold(struct rig *rig, const struct folding *f, const clnorm_fold_args *args)
{
    const clnorm_desc desc = {1, f->outputs, 1, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, f->epsilon, {0, 0}};
    return clnorm_fold(rig->context, rig->queue, &desc, f->length, args, 0, NULL, NULL);
}

static void check_folding(struct rig *rig, struct folding *f)
{
    clnorm_buffer b[BUFFERS] = {{NULL, 0}};

    make_values(f);
    for (int i = 0; i < BUFFERS; i++)
        if (!(f->absent & BIT(i)))
            b[i] = make_buffer(rig, f->value[i], count_of(f, i));
    clnorm_fold_args args = {b[WEIGHTS], b[BIAS],        b[SCALE_OF],       b[SHIFT_OF],
                             b[MEAN_OF], b[VARIANCE_OF], b[FOLDED_WEIGHTS], b[FOLDED_BIAS]};
    if (f->is_in_place) {
        args.folded_weights = args.weights;
        args.folded_bias = args.bias.mem ? args.bias : args.folded_bias;
    }
    ck_assert_int_eq(fold(rig, f, &args), CLNORM_SUCCESS);
    compare(rig, args.folded_weights, f->want[0], count_of(f, WEIGHTS), "folded_weights");
    compare(rig, args.folded_bias, f->want[1], count_of(f, BIAS), "folded_bias");
    for (int i = 0; i < BUFFERS; i++)
        if (b[i].mem)
            clReleaseMemObject(b[i].mem);
    free_values(f);
}

START_TEST(test_values)
{
    static const uint64_t sizes[][2] = {{1, 1}, {3, 7}, {8, 27}, {64, 576}, {257, 33}, {5, 4096}};
    static const unsigned absent[] = {0, BIT(BIAS), BIT(SCALE_OF), BIT(SHIFT_OF),
                                      BIT(BIAS) | BIT(SCALE_OF) | BIT(SHIFT_OF)};
    static struct rig rig;

    rig_open(&rig, &devices[_i], 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t a = 0; a < sizeof(absent) / sizeof(absent[0]); a++) {
            struct folding f = {.outputs = sizes[i][0], .length = sizes[i][1], .epsilon = 1e-5f, .absent = absent[a]};
            f.is_in_place = (i + a) % 2 == 1;
            check_folding(&rig, &f);
        }
    }
    rig_close(&rig);
}
END_TEST

START_TEST(test_refusals)
{
    static struct rig rig;
    struct folding f = {.outputs = 4, .length = 6, .epsilon = 1e-5f};
    clnorm_buffer b[BUFFERS];

    rig_open(&rig, &devices[0], 1);
    make_values(&f);
    for (int i = 0; i < BUFFERS; i++)
        b[i] = make_buffer(&rig, f.value[i], count_of(&f, i));
    const clnorm_fold_args good = {b[WEIGHTS], b[BIAS],        b[SCALE_OF],       b[SHIFT_OF],
                                   b[MEAN_OF], b[VARIANCE_OF], b[FOLDED_WEIGHTS], b[FOLDED_BIAS]};
    clnorm_fold_args args = good;
    clnorm_desc desc = {1, 4, 1, CLNORM_CHANNELS_FIRST, CLNORM_FLOAT32, 1e-5f, {0, 0}};

    ck_assert_int_eq(clnorm_fold(NULL, rig.queue, &desc, 6, &good, 0, NULL, NULL), CLNORM_INVALID_CONTEXT);
    ck_assert_int_eq(clnorm_fold(rig.context, NULL, &desc, 6, &good, 0, NULL, NULL), CLNORM_INVALID_QUEUE);
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, NULL, 6, &good, 0, NULL, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, &desc, 6, NULL, 0, NULL, NULL), CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, &desc, 0, &good, 0, NULL, NULL), CLNORM_INVALID_SIZE);
    ck_assert(messages_have(&rig.messages, "length is 0; it is the number of weights of an output"));
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, &desc, UINT64_MAX / 2, &good, 0, NULL, NULL),
                     CLNORM_SIZE_OVERFLOW);
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, &desc, 7, &good, 0, NULL, NULL), CLNORM_BUFFER_TOO_SMALL);
    desc.epsilon = -1.0f;
    ck_assert_int_eq(clnorm_fold(rig.context, rig.queue, &desc, 6, &good, 0, NULL, NULL), CLNORM_INVALID_EPSILON);
    args.variance.mem = NULL;
    ck_assert_int_eq(fold(&rig, &f, &args), CLNORM_MISSING_BUFFER);
    ck_assert(messages_have(&rig.messages, "variance"));
    args = good;
    args.folded_bias = args.mean;
    ck_assert_int_eq(fold(&rig, &f, &args), CLNORM_BUFFER_OVERLAP);
    compare(&rig, good.folded_weights, f.value[FOLDED_WEIGHTS], count_of(&f, WEIGHTS), "folded_weights");
    compare(&rig, good.folded_bias, f.value[FOLDED_BIAS], count_of(&f, BIAS), "folded_bias");
    for (int i = 0; i < BUFFERS; i++)
        clReleaseMemObject(b[i].mem);
    free_values(&f);
    rig_close(&rig);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("fold");
    TCase *cases = tcase_create("fold");

    device_count = fixture_devices(devices);
    fixture_own_cache();
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_values, 0, (int)device_count);
    tcase_add_test(cases, test_refusals);
    suite_add_tcase(suite, cases);
    return suite;
}

int main(void)
{
    int failed = suite_run(make_suite());
    fixture_remove_folders();
    return failed;
}
