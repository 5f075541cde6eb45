/* SPDX-License-Identifier: Apache-2.0 */
/* What programs are compiled with, and what is known of devices by their names. */
#include "fixture/suite.h"
#include "run/block_kernels.h"
#include "device/device.h"
#include "device/program.h"

#include <stdlib.h>
#include <string.h>

/* Of a row of the variants' table, or behind it of the blocks'; NULL past the last one. */
static const struct clnorm__variant *row(unsigned index)
{
    if (index < CLNORM__VARIANTS)
        return &clnorm__variants[index];
    index -= CLNORM__VARIANTS;
    return index < CLNORM__BLOCK_KERNELS ? &clnorm__block_kernels[index] : NULL;
}

static const char *options(const struct clnorm__device *device, unsigned index, unsigned form, int is_overridden)
{
    static char text[256];

    clnorm__build_options(device, row(index), form, is_overridden, text, sizeof(text));
    ck_assert_uint_lt(strlen(text), sizeof(text) - 1);
    return text;
}

/* Every combination of bits, more than there are forms. */
enum { FORMS = 2 * CLNORM__HAS_OLD };

START_TEST(arithmetic_is_as_written)
{
    static const char *const bad[] = {"-cl-fast",   "-cl-mad",    "-cl-unsafe", "-cl-finite",
                                      "-cl-denorm", "-cl-single", "-cl-no",     "-cl-opt"};
    const struct clnorm__device device = {
        .vector = 16, .hints = 1, .loop_limit = 65535, .small_code = 1, .large_buffers = 1};

    for (unsigned i = 0; row(i); i++)
        for (unsigned form = 0; form < FORMS; form++)
            for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++)
                ck_assert_ptr_null(strstr(options(&device, i, form, form & 1), bad[b]));
}
END_TEST

/* Embedded sources without a word from the compiler; those of a kernel folder with every word. */
START_TEST(warnings)
{
    const struct clnorm__device device = {.vector = 8};

    for (unsigned i = 0; row(i); i++) {
        ck_assert_ptr_nonnull(strstr(options(&device, i, 0, 0), " -w "));
        ck_assert_ptr_null(strstr(options(&device, i, 0, 1), " -w"));
    }
}
END_TEST

/* Intel's GPUs with more memory than 32 bits can address, by Intel's own driver; no other compiler knows the option. */
START_TEST(large_buffers)
{
    static const uint64_t gib = (uint64_t)1 << 30;
    static const char option[] = " -cl-intel-greater-than-4GB-buffer-required ";
    struct clnorm__device device = {.vector = 8};

    ck_assert(clnorm__large_buffers("Intel(R) OpenCL Graphics", CL_DEVICE_TYPE_GPU, 16 * gib));
    ck_assert(
        clnorm__large_buffers("Intel(R) OpenCL HD Graphics", CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_DEFAULT, 5 * gib));
    ck_assert(clnorm__large_buffers("Intel(R) OpenCL", CL_DEVICE_TYPE_GPU, 64 * gib));
    ck_assert(!clnorm__large_buffers("Intel(R) OpenCL HD Graphics", CL_DEVICE_TYPE_GPU, 4 * gib));
    ck_assert(!clnorm__large_buffers("Intel(R) OpenCL", CL_DEVICE_TYPE_CPU, 64 * gib));
    ck_assert(!clnorm__large_buffers("rusticl", CL_DEVICE_TYPE_GPU, 64 * gib));
    ck_assert(!clnorm__large_buffers("Intel Gen OCL Driver", CL_DEVICE_TYPE_GPU, 64 * gib));
    ck_assert(!clnorm__large_buffers("NVIDIA CUDA", CL_DEVICE_TYPE_GPU, 64 * gib));
    for (unsigned i = 0; row(i); i++) {
        for (int large = 0; large < 2; large++) {
            device.large_buffers = large;
            ck_assert_int_eq(strstr(options(&device, i, 0, 0), option) != NULL, large);
            ck_assert_int_eq(strstr(options(&device, i, 0, 1), option) != NULL, large);
        }
    }
}
END_TEST

/* llvmpipe ends loops whatever stands above it. */
START_TEST(loop_limits)
{
    ck_assert_uint_eq(clnorm__loop_limit("llvmpipe (LLVM 15.0.6, 256 bits)"), 65535);
    ck_assert_uint_eq(clnorm__loop_limit("clvk on llvmpipe (LLVM 17.0.6, 256 bits)"), 65535);
    ck_assert_uint_eq(clnorm__loop_limit("LLVMpipe"), 65535);
    ck_assert_uint_eq(clnorm__loop_limit("pthread-haswell-AMD EPYC"), 0);
    ck_assert_uint_eq(clnorm__loop_limit("AMD Radeon RX 6600 (radeonsi, navi23, LLVM 15.0.6)"), 0);
    ck_assert_uint_eq(clnorm__loop_limit(""), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("build_options");
    TCase *tests = tcase_create("build_options");

    tcase_add_test(tests, arithmetic_is_as_written);
    tcase_add_test(tests, warnings);
    tcase_add_test(tests, large_buffers);
    tcase_add_test(tests, loop_limits);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
