/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tensor of 2^31 float16 elements or more, in place: every element is read and written where it should be. A pattern of 64 elements fills
 * it, so that each channel's statistics are known and results repeat. Skipped where the device has no buffer of 2^32 bytes or the machine no
 * memory for it; test_plan has sizes beyond any memory.
 */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"
#include "half.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATTERN = 64, CHANNELS = 32, CHUNK_BYTES = 1 << 26 };
#define LEAST (UINT64_C(1) << 31)
#define MORE (UINT64_C(1) << 20) /* beyond it, where there is room */

static clnorm_device_info device;
static struct rig rig;
static uint64_t elements;
static uint16_t pattern[PATTERN];

/* Returns 0, or -1 and says why not. */
static int choose_size(void)
{
    cl_ulong most = 0;

    clGetDeviceInfo(device.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(most), &most, NULL);
    elements = most / 2 >= LEAST + MORE ? LEAST + MORE : LEAST;
    if (most / 2 < LEAST) {
        printf("%s has no buffer of %llu bytes: at most %llu\n", device.name, (unsigned long long)(2 * LEAST),
               (unsigned long long)most);
        return -1;
    }
    uint64_t there = (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (device.type == CL_DEVICE_TYPE_CPU && there < 3 * elements) {
        printf("%llu bytes of memory are free, and %llu are wanted\n", (unsigned long long)there,
               (unsigned long long)(3 * elements));
        return -1;
    }
    return 0;
}

/* Which of the pattern's elements are of the channel of number `at`. */
static int is_of_channel(const clnorm_desc *desc, unsigned at, unsigned other)
{
    return desc->layout == CLNORM_CHANNELS_FIRST || at % CHANNELS == other % CHANNELS;
}

/* The pattern's results, in float64. */
static void normalize(const clnorm_desc *desc, double results[PATTERN])
{
    for (unsigned i = 0; i < PATTERN; i++) {
        double sum = 0, squares = 0, count = 0;

        for (unsigned j = 0; j < PATTERN; j++)
            if (is_of_channel(desc, i, j)) {
                sum += (double)half_widen(CLNORM_FLOAT16, pattern[j]);
                count++;
            }
        for (unsigned j = 0; j < PATTERN; j++)
            if (is_of_channel(desc, i, j))
                squares += pow((double)half_widen(CLNORM_FLOAT16, pattern[j]) - sum / count, 2);
        results[i] = ((double)half_widen(CLNORM_FLOAT16, pattern[i]) - sum / count) /
                     sqrt(squares / count + (double)desc->epsilon);
    }
}

/* What stands in the buffer is the pattern's results, over and over. */
static void compare(const clnorm_desc *desc, cl_mem mem)
{
    uint16_t *chunk = malloc(CHUNK_BYTES);
    double want[PATTERN];
    uint64_t bytes = 2 * elements;

    ck_assert_ptr_nonnull(chunk);
    normalize(desc, want);
    uint16_t first[PATTERN];
    for (uint64_t at = 0; at < bytes; at += CHUNK_BYTES) {
        size_t size = bytes - at < CHUNK_BYTES ? (size_t)(bytes - at) : CHUNK_BYTES;

        ck_assert_int_eq(clEnqueueReadBuffer(rig.queue, mem, CL_TRUE, (size_t)at, size, chunk, 0, NULL, NULL),
                         CL_SUCCESS);
        if (at == 0)
            memcpy(first, chunk, sizeof(first));
        for (size_t i = 0; i < size / 2; i += PATTERN)
            if (memcmp(chunk + i, first, sizeof(first)) != 0)
                ck_abort_msg("elements from %llu on are not as the first", (unsigned long long)(at / 2 + i));
    }
    for (unsigned i = 0; i < PATTERN; i++) {
        double got = (double)half_widen(CLNORM_FLOAT16, first[i]);

        ck_assert_msg(fabs(got - want[i]) <= 1.01 * half_unit(CLNORM_FLOAT16, want[i]), "element %u is %g, not %g", i,
                      got, want[i]);
    }
    free(chunk);
}

static cl_mem make(size_t bytes)
{
    cl_int e;
    cl_mem mem = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, bytes, NULL, &e);

    ck_assert_int_eq(e, CL_SUCCESS);
    return mem;
}

/* Training saves the statistics; channels-first, inference by them does the same again. */
START_TEST(test_in_place)
{
    clnorm_desc desc = {.n = 1,
                        .c = CHANNELS,
                        .s = elements / CHANNELS,
                        .layout = (enum clnorm_layout)_i,
                        .type = CLNORM_FLOAT16,
                        .epsilon = 1e-5f};
    size_t training, inference;
    cl_int e;

    for (unsigned i = 0; i < PATTERN; i++)
        pattern[i] = half_narrow(CLNORM_FLOAT16, (float)(i * 37 % PATTERN) / 8.0f - 2.5f);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &desc, &training),
                     CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_get_workspace_bytes(rig.context, CLNORM_FORWARD_INFERENCE, &desc, &inference),
                     CLNORM_SUCCESS);
    cl_mem data = make((size_t)(2 * elements)), vectors = make(2 * CHANNELS * sizeof(float));
    cl_mem workspace = make((training > inference ? training : inference) + sizeof(float));
    const clnorm_buffer src = {data, 0}, room = {workspace, 0}, mean = {vectors, 0}, variance = {vectors, CHANNELS};
    const clnorm_forward_training_args train = {
        .src = src, .dst = src, .workspace = room, .save_mean = mean, .save_variance = variance};
    const clnorm_forward_inference_args infer = {
        .src = src, .dst = src, .workspace = room, .mean = mean, .variance = variance};

    for (unsigned pass = 0; pass < (_i ? 1 : 2); pass++) {
        e = clEnqueueFillBuffer(rig.queue, data, pattern, sizeof(pattern), 0, (size_t)(2 * elements), 0, NULL, NULL);
        ck_assert_int_eq(e, CL_SUCCESS);
        e = pass ? clnorm_forward_inference(rig.context, rig.queue, &desc, &infer, 0, NULL, NULL)
                 : clnorm_forward_training(rig.context, rig.queue, &desc, &train, 0, NULL, NULL);
        ck_assert_msg(e == CLNORM_SUCCESS, "%s", clnorm_status_string(e));
        compare(&desc, data);
    }
    clReleaseMemObject(data);
    clReleaseMemObject(vectors);
    clReleaseMemObject(workspace);
    printf("%s, %s: %llu elements\n", device.name, _i ? "channels-last" : "channels-first",
           (unsigned long long)elements);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("large");
    TCase *cases = tcase_create("large");

    device = fixture_device();
    if (choose_size() != 0)
        return 77;
    fixture_own_cache();
    rig_open(&rig, &device, 1);
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_in_place, 0, 2);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    rig_close(&rig);
    fixture_remove_folders();
    return status;
}
