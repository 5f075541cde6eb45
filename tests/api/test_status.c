/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses and their texts. */
#include "fixture/suite.h"
#include "clnorm.h"
#include "status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const char *name;
    int value;
    const char *text;
};

#define STATUS_ROW(name, value, text) {#name, value, text},
static const struct row statuses[] = {CLNORM_STATUSES(STATUS_ROW)};
enum { STATUSES = sizeof statuses / sizeof statuses[0] };

/* OpenCL 1.2's own codes: -1 to -19 and -30 to -68. */
static int is_opencl(int code)
{
    return (code <= -1 && code >= -19) || (code <= -30 && code >= -68);
}

START_TEST(values_are_distinct_and_from_minus_3000_down)
{
    ck_assert_int_eq(statuses[0].value, 0);
    ck_assert_int_eq(CLNORM_SUCCESS, CL_SUCCESS);
    for (int i = 1; i < STATUSES; i++)
        ck_assert_msg(statuses[i].value == -3000 - (i - 1), "%s is %d", statuses[i].name, statuses[i].value);
}
END_TEST

START_TEST(every_status_has_its_own_text)
{
    for (int i = 0; i < STATUSES; i++) {
        const char *text = clnorm_status_string(statuses[i].value);
        ck_assert_str_eq(text, statuses[i].text);
        ck_assert_uint_gt(strlen(text), 6);
        for (int j = 0; j < i; j++)
            ck_assert_msg(strcmp(text, clnorm_status_string(statuses[j].value)) != 0, "%s and %s have the same text",
                          statuses[i].name, statuses[j].name);
    }
}
END_TEST

/* The codes that an OpenCL 1.2 program without images, linking and device partition can meet. */
START_TEST(opencl_codes_have_texts)
{
    static const int met[] = {CL_DEVICE_NOT_FOUND,
                              CL_DEVICE_NOT_AVAILABLE,
                              CL_COMPILER_NOT_AVAILABLE,
                              CL_MEM_OBJECT_ALLOCATION_FAILURE,
                              CL_OUT_OF_RESOURCES,
                              CL_OUT_OF_HOST_MEMORY,
                              CL_BUILD_PROGRAM_FAILURE,
                              CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST,
                              CL_INVALID_VALUE,
                              CL_INVALID_DEVICE,
                              CL_INVALID_CONTEXT,
                              CL_INVALID_COMMAND_QUEUE,
                              CL_INVALID_MEM_OBJECT,
                              CL_INVALID_BINARY,
                              CL_INVALID_BUILD_OPTIONS,
                              CL_INVALID_PROGRAM,
                              CL_INVALID_PROGRAM_EXECUTABLE,
                              CL_INVALID_KERNEL_NAME,
                              CL_INVALID_KERNEL,
                              CL_INVALID_ARG_INDEX,
                              CL_INVALID_ARG_VALUE,
                              CL_INVALID_ARG_SIZE,
                              CL_INVALID_KERNEL_ARGS,
                              CL_INVALID_WORK_DIMENSION,
                              CL_INVALID_WORK_GROUP_SIZE,
                              CL_INVALID_WORK_ITEM_SIZE,
                              CL_INVALID_GLOBAL_OFFSET,
                              CL_INVALID_EVENT_WAIT_LIST,
                              CL_INVALID_EVENT,
                              CL_INVALID_OPERATION,
                              CL_INVALID_BUFFER_SIZE,
                              CL_INVALID_GLOBAL_WORK_SIZE,
                              -1001};
    for (size_t i = 0; i < sizeof met / sizeof met[0]; i++) {
        const char *text = clnorm_status_string(met[i]);
        ck_assert_msg(strncmp(text, "OpenCL: ", 8) == 0, "%d: %s", met[i], text);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(strcmp(text, clnorm_status_string(met[j])) != 0, "%d and %d: %s", met[i], met[j], text);
    }
}
END_TEST

struct blas_row {
    int value;
    const char *text;
};

#define BLAS_ROW(name, value, text) {value, text},
static const struct blas_row blas_statuses[] = {CLNORM__BLAS_STATUSES(BLAS_ROW)};
enum { BLAS_STATUSES = sizeof blas_statuses / sizeof blas_statuses[0] };

static int is_blas(int code)
{
    for (int i = 0; i < BLAS_STATUSES; i++)
        if (blas_statuses[i].value == code)
            return 1;
    return 0;
}

START_TEST(blas_codes_have_texts)
{
    ck_assert_int_eq(BLAS_STATUSES, 29);
    for (int i = 0; i < BLAS_STATUSES; i++) {
        const char *text = clnorm_status_string(blas_statuses[i].value);
        ck_assert_str_eq(text, blas_statuses[i].text);
        ck_assert_msg(strncmp(text, "CLBlast: ", 9) == 0, "%d: %s", blas_statuses[i].value, text);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(text, blas_statuses[j].text);
    }
}
END_TEST

START_TEST(every_other_code_is_unknown)
{
    for (int code = -4000; code <= 100; code++) {
        const char *text = clnorm_status_string(code);
        ck_assert_ptr_nonnull(text);
        if (code <= 0 && code > -3000 - STATUSES + 1 && (code <= -3000 || code == 0))
            ck_assert_str_ne(text, "unknown status");
        else if (!is_opencl(code) && !is_blas(code) && code != -1001)
            ck_assert_msg(strcmp(text, "unknown status") == 0, "%d: %s", code, text);
    }
    ck_assert_str_eq(clnorm_status_string(-2147483647 - 1), "unknown status");
    ck_assert_str_eq(clnorm_status_string(2147483647), "unknown status");
}
END_TEST

START_TEST(version_is_the_headers)
{
    char expected[40];
    snprintf(expected, sizeof expected, "%d.%d.%d", CLNORM_VERSION_MAJOR, CLNORM_VERSION_MINOR, CLNORM_VERSION_PATCH);
    ck_assert_str_eq(clnorm_version(), expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, values_are_distinct_and_from_minus_3000_down);
    tcase_add_test(tests, every_status_has_its_own_text);
    tcase_add_test(tests, opencl_codes_have_texts);
    tcase_add_test(tests, blas_codes_have_texts);
    tcase_add_test(tests, every_other_code_is_unknown);
    tcase_add_test(tests, version_is_the_headers);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
