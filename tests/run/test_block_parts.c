/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients of weights of a batch in parts: the bits of the model on the whole batch, for parts of all sizes, by every kernel of products; and
 * what is refused.
 */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"

#include "block_model.h"
#include "clnorm_parts.h"
#include "device/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* Linear ones; chunks of several samples, of one, and images of several leaves. */
static const struct {
    uint64_t n, src_c, src_h, src_w, dst_c, kernel, stride, pad;
} shapes[] = {
    {330, 5, 1, 1, 3, 1, 1, 0}, {67, 3, 7, 7, 4, 3, 1, 1},  {9, 2, 33, 33, 3, 1, 1, 0},
    {7, 1, 40, 41, 2, 3, 1, 1}, {150, 2, 4, 4, 3, 4, 1, 0}, {19, 3, 12, 12, 2, 3, 2, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, SMALL_SHAPES = 3, DIVISIONS = 5, MOST = 24 };

enum buffer { SRC_, DIFF, WEIGHTS, DIFF_SRC, DIFF_WEIGHTS, NODES, ROOM, BUFFERS };

struct layer {
    clnorm_block_desc desc;
    uint64_t count[BUFFERS], src_length, dst_length;
    float *value[BUFFERS]; /* inputs, and what the model makes of them */
    cl_mem mem[BUFFERS];
};

static void layer_open(struct layer *l, const struct rig *rig, size_t shape)
{
    uint64_t h, w;
    cl_int e;

    memset(l, 0, sizeof(*l));
    ck_assert_int_eq(clnorm_describe_convolution(shapes[shape].n, shapes[shape].src_c, shapes[shape].src_h,
                                                 shapes[shape].src_w, shapes[shape].dst_c, shapes[shape].kernel,
                                                 shapes[shape].stride, shapes[shape].pad, 1, &l->desc),
                     CLNORM_SUCCESS);
    l->desc.flags = CLNORM_BLOCK_PLAIN | CLNORM_BLOCK_REPRODUCIBLE;
    ck_assert_int_eq(clnorm_get_block_dst_size(&l->desc, &h, &w), CLNORM_SUCCESS);
    l->src_length = l->desc.src_c * l->desc.src_h * l->desc.src_w;
    l->dst_length = l->desc.dst_c * h * w;
    l->count[SRC_] = l->count[DIFF_SRC] = l->desc.n * l->src_length;
    l->count[DIFF] = l->desc.n * l->dst_length;
    l->count[WEIGHTS] = l->count[DIFF_WEIGHTS] = l->desc.dst_c * l->desc.src_c * l->desc.kernel_h * l->desc.kernel_w;
    l->count[NODES] = 64 * l->count[WEIGHTS];
    l->count[ROOM] = 1 << 21;
    for (int b = 0; b < BUFFERS; b++) {
        l->value[b] = calloc(l->count[b], sizeof(float));
        ck_assert_ptr_nonnull(l->value[b]);
        for (uint64_t i = 0; i < l->count[b] && b < DIFF_SRC; i++)
            l->value[b][i] = case_normal((uint64_t)b + 1, i);
        l->mem[b] = clCreateBuffer(rig->cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, l->count[b] * sizeof(float),
                                   l->value[b], &e);
        ck_assert_int_eq(e, CL_SUCCESS);
    }
    model_block_diff_weights(&l->desc, l->value[DIFF], l->value[SRC_], l->value[DIFF_WEIGHTS]);
    model_block_diff_src(&l->desc, l->value[DIFF], l->value[WEIGHTS], l->value[DIFF_SRC]);
}

static void layer_close(struct layer *l)
{
    for (int b = 0; b < BUFFERS; b++) {
        clReleaseMemObject(l->mem[b]);
        free(l->value[b]);
    }
}

/* Whole; two; by chance, with empty ones; each border; and merged by counts, where borders are anywhere. */
static uint64_t divide(const clnorm_block_desc *desc, int division, uint64_t samples[MOST])
{
    clnorm_desc dst = {.c = desc->dst_c, .epsilon = 1};
    uint64_t h, w, multiple, count = 0, left = desc->n;

    ck_assert_int_eq(clnorm_get_block_dst_size(desc, &h, &w), CLNORM_SUCCESS);
    dst.s = h * w;
    ck_assert_int_eq(clnorm_get_part_multiple(&dst, &multiple), CLNORM_SUCCESS);
    const uint64_t units = (desc->n + multiple - 1) / multiple;
    for (; left > 0; count++) {
        uint64_t n = division == 0   ? left
                     : division == 1 ? (units + 1) / 2 * multiple
                     : division == 2 ? (count * 7 + units) % 3 * multiple
                     : division == 3 ? multiple
                                     : 1 + count * 5;

        if (n > left || count + 1 == MOST)
            n = left;
        samples[count] = n;
        left -= n;
    }
    return count;
}

static clnorm_buffer at(const struct layer *l, enum buffer buffer, uint64_t offset)
{
    return (clnorm_buffer){l->mem[buffer], offset};
}

/* A slice of the weights, added up on the host, has the bits of the whole. */
static void merge_on_host(const struct layer *l, const struct rig *rig, const clnorm_parts *parts, uint64_t all)
{
    const uint64_t weights = l->count[WEIGHTS], nodes = all / weights, first = weights / 3, length = weights - first;
    float *whole = malloc(all * sizeof(float)), *slice = malloc(nodes * length * sizeof(float));

    ck_assert(whole && slice);
    ck_assert_int_eq(
        clEnqueueReadBuffer(rig->queue, l->mem[NODES], CL_TRUE, 0, all * sizeof(float), whole, 0, NULL, NULL),
        CL_SUCCESS);
    for (uint64_t k = 0; k < nodes; k++)
        memcpy(slice + k * length, whole + k * weights + first, length * sizeof(float));
    ck_assert_int_eq(clnorm_merge_block_nodes(&l->desc, parts, length, slice), CLNORM_SUCCESS);
    for (uint64_t i = 0; i < length; i++)
        ck_assert_msg(case_bits(slice[i]) == case_bits(l->value[DIFF_WEIGHTS][first + i]),
                      "on the host, weight %llu is %.9g, should be %.9g", (unsigned long long)(first + i),
                      (double)slice[i], (double)l->value[DIFF_WEIGHTS][first + i]);
    free(whole);
    free(slice);
}

static void run_parts(struct layer *l, const struct rig *rig, const clnorm_parts *parts)
{
    uint64_t before = 0, all, none;

    ck_assert_int_eq(clnorm_get_block_part_nodes(&l->desc, parts, parts->count, &all, &none), CLNORM_SUCCESS);
    ck_assert_uint_le(all, l->count[NODES]);
    ck_assert_uint_eq(none, 0);
    for (uint64_t part = 0; part < parts->count; before += parts->samples[part], part++) {
        clnorm_block_desc desc = l->desc;
        size_t bytes = 0;
        clnorm_block_backward_args args = {.src = at(l, SRC_, before * l->src_length),
                                           .weights = at(l, WEIGHTS, 0),
                                           .diff_dst = at(l, DIFF, before * l->dst_length),
                                           .diff_src = at(l, DIFF_SRC, before * l->src_length),
                                           .workspace = at(l, ROOM, 0)};

        desc.n = parts->samples[part];
        ck_assert_int_eq(clnorm_get_block_part_workspace_bytes(rig->context, &desc, parts, part, &bytes),
                         CLNORM_SUCCESS);
        ck_assert_uint_le(bytes, l->count[ROOM] * sizeof(float));
        ck_assert_int_eq(clnorm_block_backward_sums(rig->context, rig->queue, &desc, parts, part, at(l, NODES, 0),
                                                    &args, 0, NULL, NULL),
                         CLNORM_SUCCESS);
    }
    if (parts->merge == CLNORM_MERGE_SAME_BITS)
        merge_on_host(l, rig, parts, all);
    ck_assert_int_eq(clnorm_block_backward_merge(rig->context, rig->queue, &l->desc, parts, at(l, NODES, 0),
                                                 at(l, DIFF_WEIGHTS, 0), 0, NULL, NULL),
                     CLNORM_SUCCESS);
}

/* error: how far a result may be off, 0: not at all. */
static void compare(const struct layer *l, const struct rig *rig, enum buffer buffer, float error, const char *what)
{
    float *is = malloc(l->count[buffer] * sizeof(float));

    ck_assert_ptr_nonnull(is);
    ck_assert_int_eq(clEnqueueReadBuffer(rig->queue, l->mem[buffer], CL_TRUE, 0, l->count[buffer] * sizeof(float), is,
                                         0, NULL, NULL),
                     CL_SUCCESS);
    for (uint64_t i = 0; i < l->count[buffer]; i++) {
        const float want = l->value[buffer][i], off = is[i] > want ? is[i] - want : want - is[i];

        ck_assert_msg(error > 0 ? off <= error : case_bits(is[i]) == case_bits(want),
                      "%s, n %llu, %s[%llu] is %.9g, should be %.9g", what, (unsigned long long)l->desc.n,
                      buffer == DIFF_SRC ? "diff_src" : "diff_weights", (unsigned long long)i, (double)is[i],
                      (double)want);
    }
    free(is);
}

START_TEST(test_bits)
{
    static const enum clnorm__block_kernel kernels[] = {CLNORM__GEMM_ITEM, CLNORM__GEMM_GROUP, CLNORM__GEMM_NAIVE};
    static struct rig rig;

    rig_open(&rig, &devices[_i], 1);
    for (size_t shape = 0; shape < (fixture_is_small() ? SMALL_SHAPES : SHAPES); shape++)
        for (int division = 0; division < DIVISIONS; division++) {
            uint64_t samples[MOST];

            if (fixture_is_simulator(&devices[_i]) && division != 1 + (int)shape % 3)
                continue;
            struct layer l;
            char what[40];

            layer_open(&l, &rig, shape);
            const clnorm_parts parts = {divide(&l.desc, division, samples), samples,
                                        division == 4 ? CLNORM_MERGE_BY_COUNTS : CLNORM_MERGE_SAME_BITS};
            rig.context->gemm = kernels[(shape + (size_t)division) % 3];
            snprintf(what, sizeof(what), "division %d, %llu parts", division, (unsigned long long)parts.count);
            run_parts(&l, &rig, &parts);
            compare(&l, &rig, DIFF_SRC, 0, what);
            compare(&l, &rig, DIFF_WEIGHTS, division == 4 ? 1e-3f : 0, what);
            layer_close(&l);
        }
    rig_close(&rig);
}
END_TEST

START_TEST(test_refused)
{
    static const uint64_t samples[] = {64, 266}, odd[] = {60, 270}, none[] = {0, 0};
    const clnorm_device_info info = fixture_device();
    struct rig rig;
    struct layer l;

    rig_open(&rig, &info, 1);
    layer_open(&l, &rig, 0);
    for (int i = 0; i < 7; i++) {
        static const int statuses[] = {CLNORM_INVALID_PARTS,  CLNORM_INVALID_PARTS,     CLNORM_INVALID_PARTS,
                                       CLNORM_MISSING_BUFFER, CLNORM_UNEXPECTED_BUFFER, CLNORM_MISSING_BUFFER,
                                       CLNORM_BUFFER_OVERLAP};
        static const char *const words[] = {"a block in parts has CLNORM_BLOCK_REPRODUCIBLE",
                                            "begin at multiples of 64 samples",
                                            "desc->n is 64; part number 1 has 266",
                                            "src is NULL",
                                            "diff_weights is given; of a part there are sums",
                                            "nodes is NULL; it is required, a buffer of 60 elements",
                                            "overlap"};
        const clnorm_parts parts = {2, i == 1 ? odd : samples, CLNORM_MERGE_SAME_BITS};
        clnorm_block_desc desc = l.desc;
        clnorm_block_backward_args args = {
            .src = at(&l, SRC_, 0), .diff_dst = at(&l, DIFF, 0), .workspace = at(&l, ROOM, 0)};

        desc.n = parts.samples[0];
        if (i == 0)
            desc.flags = CLNORM_BLOCK_PLAIN;
        if (i == 3)
            args.src.mem = NULL;
        if (i == 4)
            args.diff_weights = at(&l, DIFF_WEIGHTS, 0);
        messages_clear(&rig.messages);
        ck_assert_int_eq(clnorm_block_backward_sums(rig.context, rig.queue, &desc, &parts, i == 2,
                                                    i == 5   ? (clnorm_buffer){NULL, 0}
                                                    : i == 6 ? at(&l, ROOM, 5)
                                                             : at(&l, NODES, 0),
                                                    &args, 0, NULL, NULL),
                         statuses[i]);
        ck_assert_msg(messages_have(&rig.messages, words[i]), "case %d: %s", i, rig.messages.text);
    }
    /* Nothing of all: 0. */
    const clnorm_parts empty = {2, none, CLNORM_MERGE_SAME_BITS};
    ck_assert_int_eq(clnorm_block_backward_merge(rig.context, rig.queue, &l.desc, &empty, at(&l, NODES, 0),
                                                 at(&l, DIFF_WEIGHTS, 0), 0, NULL, NULL),
                     CLNORM_SUCCESS);
    memset(l.value[DIFF_WEIGHTS], 0, l.count[DIFF_WEIGHTS] * sizeof(float));
    compare(&l, &rig, DIFF_WEIGHTS, 0, "no samples");
    ck_assert_int_eq(clnorm_block_backward_merge(rig.context, rig.queue, &l.desc, NULL, at(&l, NODES, 0),
                                                 at(&l, DIFF_WEIGHTS, 0), 0, NULL, NULL),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(clnorm_merge_block_nodes(&l.desc, &empty, 1, NULL), CLNORM_INVALID_ARGUMENT);
    layer_close(&l);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block_parts");
    TCase *tests = tcase_create("block_parts");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, test_bits, 0, (int)device_count);
    tcase_add_test(tests, test_refused);
    suite_add_tcase(suite, tests);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
