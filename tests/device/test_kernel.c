/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels are made once and kept for the next call; what they were given is not kept. OpenCL's functions are wrapped (the linker's
 * --wrap): all kernels and the buffers among their arguments are seen.
 */
#include "fixture/suite.h"
#include "fixture/device_fixture.h"
#include "device/kernel.h"
#include "plan/variant.h"

#include <string.h>

static clnorm_device_info device;
static struct rig rig;

/* ---- what is seen ---- */

enum { MOST_KERNELS = 64, MOST_ARGS = 32 }; /* arguments: as struct clnorm__kernel has bits */
static struct {
    unsigned made, there, buffers; /* kernels made and not yet released; arguments that were a buffer */
    cl_kernel kernel[MOST_KERNELS];
    unsigned char holds[MOST_KERNELS][MOST_ARGS]; /* the kernel's argument is a buffer of the call */
    const struct parts *parts;
} seen;

cl_kernel __real_clCreateKernel(cl_program program, const char *name, cl_int *e);
cl_kernel __wrap_clCreateKernel(cl_program program, const char *name, cl_int *e);
cl_kernel __wrap_clCreateKernel(cl_program program, const char *name, cl_int *e)
{
    cl_kernel kernel = __real_clCreateKernel(program, name, e);

    ck_assert_uint_lt(seen.made, MOST_KERNELS);
    seen.kernel[seen.made++] = kernel;
    seen.there++;
    return kernel;
}

cl_int __real_clReleaseKernel(cl_kernel kernel);
cl_int __wrap_clReleaseKernel(cl_kernel kernel);
cl_int __wrap_clReleaseKernel(cl_kernel kernel)
{
    seen.there--;
    return __real_clReleaseKernel(kernel);
}

static int is_of_call(size_t size, const void *value)
{
    cl_mem mem;

    if (!seen.parts || !value || size != sizeof(mem))
        return 0;
    memcpy(&mem, value, sizeof(mem));
    for (unsigned i = 0; i < PARTS; i++)
        if (mem && mem == seen.parts->part[i].mem)
            return 1;
    return 0;
}

cl_int __real_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value);
cl_int __wrap_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value);
cl_int __wrap_clSetKernelArg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    const int is_buffer = is_of_call(size, value);

    ck_assert_uint_lt(index, MOST_ARGS);
    for (unsigned i = 0; i < seen.made; i++)
        if (seen.kernel[i] == kernel)
            seen.holds[i][index] = (unsigned char)is_buffer;
    seen.buffers += (unsigned)is_buffer;
    return __real_clSetKernelArg(kernel, index, size, value);
}

static void open_rig(void)
{
    memset(&seen, 0, sizeof(seen));
    rig_open(&rig, &device, 1);
    ck_assert_uint_eq(seen.there, 0); /* the probe's is gone */
    seen.made = 0;
}

static void close_rig(void)
{
    rig_close(&rig);
}

/* ---- tests ---- */

static void run(enum clnorm_operation operation, enum clnorm_layout layout)
{
    struct case_shape shape = {3, 5, 49, layout};
    struct call call = {.operation = operation, .desc = case_desc(&shape), .alias = OUT, .momentum = 0.3f};
    struct values inputs = {0}, want = {0};
    struct parts parts = {.cl = rig.cl};
    struct finding finding;
    unsigned held = 0, buffers = seen.buffers;

    values_make(&inputs, &call.desc, CASE_OFFSET_1E3);
    values_copy(&want, &inputs);
    call_model(&call, &want);
    seen.parts = &parts;
    ck_assert_int_eq(call_run(rig.context, rig.queue, &call, &parts, &inputs, &want, rig.info.bits, &finding),
                     CLNORM_SUCCESS);
    seen.parts = NULL;
    ck_assert_msg(finding.differences == 0, "%s", finding.text);
    for (unsigned i = 0; i < seen.made; i++)
        for (unsigned a = 0; a < MOST_ARGS; a++)
            held += seen.holds[i][a];
    ck_assert_uint_gt(seen.buffers, buffers);
    ck_assert_msg(held == 0, "%s: kernels hold %u buffers", operation_name(operation), held);
    parts_free(&parts);
    values_free(&inputs);
    values_free(&want);
}

/* One kernel a program, however often it is called; those of a context go with it. */
START_TEST(test_kept)
{
    unsigned made = 0, programs = 0;

    for (unsigned round = 0; round < 3; round++) {
        for (unsigned o = 0; o < 4; o++)
            for (unsigned layout = 0; layout < 2; layout++)
                run((enum clnorm_operation)o, (enum clnorm_layout)layout);
        made = round == 0 ? seen.made : made;
        ck_assert_uint_eq(seen.made, made);
    }
    for (const struct clnorm__built *b = rig.context->programs; b; b = b->next) {
        programs++;
        ck_assert_uint_eq(b->spares, 1);
    }
    ck_assert_uint_eq(programs, seen.there);
    ck_assert_int_eq(clnorm_release_context(&rig.context), CLNORM_SUCCESS);
    ck_assert_uint_eq(seen.there, 0);
}
END_TEST

/* As many users at a time as there may be: each has a kernel of its own, and so many of them are kept. */
START_TEST(test_together)
{
    enum { USERS = CLNORM__SPARE_KERNELS + 2 };
    const struct clnorm__variant *variant = clnorm__variants;
    struct clnorm__kernel kernels[USERS], other;

    while (strcmp(variant->name, "stats_naive") != 0)
        variant++;
    for (unsigned i = 0; i < USERS; i++) {
        ck_assert_int_eq(clnorm__kernel_take(rig.context, variant, 0, &kernels[i]), CLNORM_SUCCESS);
        for (unsigned j = 0; j < i; j++)
            ck_assert_ptr_ne(kernels[i].kernel, kernels[j].kernel);
    }
    ck_assert_uint_eq(seen.there, USERS);
    for (unsigned i = 0; i < USERS; i++) {
        clnorm__kernel_give(rig.context, &kernels[i]);
        ck_assert_ptr_null(kernels[i].kernel);
        clnorm__kernel_give(rig.context, &kernels[i]); /* what is given back is nobody's */
    }
    ck_assert_uint_eq(seen.there, CLNORM__SPARE_KERNELS);
    ck_assert_int_eq(clnorm__kernel_take(rig.context, variant, 0, &other), CLNORM_SUCCESS);
    ck_assert_uint_eq(seen.there, CLNORM__SPARE_KERNELS);
    clnorm__kernel_give(rig.context, &other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel");
    TCase *cases = tcase_create("kernel");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 300);
    tcase_add_checked_fixture(cases, open_rig, close_rig);
    tcase_add_test(cases, test_kept);
    tcase_add_test(cases, test_together);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
