/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that cannot do what they say: kernels with less room than the device has, launches and builds that fail. OpenCL's functions
 * are wrapped (the linker's --wrap), so that the device at hand lies as told; what is computed still has the model's bits.
 */
#include "fixture/suite.h"
#include "fixture/block_case.h"
#include "fixture/subjects.h"
#include "device/context.h"
#include "device/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info device;
static struct rig rig;
static struct pool pool; /* what is compiled already on the rig */

/* ---- the lies ---- */

static struct lies {
    size_t group;         /* CL_KERNEL_WORK_GROUP_SIZE of every kernel; 0: the truth */
    size_t items[3];      /* CL_DEVICE_MAX_WORK_ITEM_SIZES; 0: the truth */
    const char *launch;   /* the kernel whose launches fail; "" for every one */
    cl_int launch_status; /* and how */
    const char *build;    /* the kernel whose program does not build */
} lies;
/* What was seen since the lies began. */
static struct {
    unsigned failures, launches;
    size_t most_local[2], most_group;
} seen;

static void begin(struct lies told)
{
    lies = told;
    memset(&seen, 0, sizeof(seen));
    messages_clear(&rig.messages);
}

static int is_named(cl_kernel kernel, const char *name)
{
    char text[64] = "";

    if (!name)
        return 0;
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof(text), text, NULL);
    return !*name || strcmp(text, name) == 0;
}

cl_int __real_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what, size_t size,
                                       void *value, size_t *written);
cl_int __wrap_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what, size_t size,
                                       void *value, size_t *written);
cl_int __wrap_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id id, cl_kernel_work_group_info what, size_t size,
                                       void *value, size_t *written)
{
    cl_int e = __real_clGetKernelWorkGroupInfo(kernel, id, what, size, value, written);

    if (e == CL_SUCCESS && what == CL_KERNEL_WORK_GROUP_SIZE && value && lies.group)
        *(size_t *)value = lies.group;
    return e;
}

cl_int __real_clGetDeviceInfo(cl_device_id id, cl_device_info what, size_t size, void *value, size_t *written);
cl_int __wrap_clGetDeviceInfo(cl_device_id id, cl_device_info what, size_t size, void *value, size_t *written);
cl_int __wrap_clGetDeviceInfo(cl_device_id id, cl_device_info what, size_t size, void *value, size_t *written)
{
    cl_int e = __real_clGetDeviceInfo(id, what, size, value, written);

    if (e == CL_SUCCESS && what == CL_DEVICE_MAX_WORK_ITEM_SIZES && value && lies.items[0])
        memcpy(value, lies.items, sizeof(lies.items));
    return e;
}

cl_int __real_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                                     cl_event *event);
cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                                     cl_event *event);
cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint count, const cl_event *list,
                                     cl_event *event)
{
    size_t group = 1;

    for (cl_uint d = 0; local && d < dims; d++) {
        group *= local[d];
        seen.most_local[d] = local[d] > seen.most_local[d] ? local[d] : seen.most_local[d];
    }
    seen.most_group = group > seen.most_group ? group : seen.most_group;
    if (is_named(kernel, lies.launch)) {
        seen.failures++;
        return lies.launch_status;
    }
    seen.launches++;
    return __real_clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, count, list, event);
}

cl_int __real_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user);
cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user);
cl_int __wrap_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                             void(CL_CALLBACK *done)(cl_program, void *), void *user)
{
    static char source[1 << 18];
    char start[64];

    if (lies.build) {
        ck_assert_int_eq(clGetProgramInfo(program, CL_PROGRAM_SOURCE, sizeof(source), source, NULL), CL_SUCCESS);
        for (char *at = source; (at = strchr(at, '\n')) != NULL;)
            *at = ' ';
        snprintf(start, sizeof(start), " void %s(", lies.build);
        if (strstr(source, start)) {
            seen.failures++;
            return CL_BUILD_PROGRAM_FAILURE;
        }
    }
    return __real_clBuildProgram(program, count, ids, options, done, user);
}

/* ---- calls under them ---- */

enum { KINDS_OF_DEVICE = 2, OPERATIONS = 4 };

/* Rows, whole leaves, a tree of several blocks; small enough that a CPU takes training in one launch. */
static const struct case_shape shapes[] = {
    {3, 5, 49, CLNORM_CHANNELS_FIRST}, {70, 19, 9, CLNORM_CHANNELS_LAST}, {2, 3, 9000, CLNORM_CHANNELS_FIRST}};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* With what others have compiled, but for what is not to build; of the kind that is asked for, whatever the device is. */
static clnorm_context *open_context(int is_cpu_like, const char *variants, const char *kernel_dir)
{
    clnorm_context_options options = messages_options(&rig.messages);
    clnorm_context *context;

    options.cache_dir = lies.build ? "" : NULL; /* or else what is not to build would be loaded */
    options.variants = variants;
    options.kernel_dir = kernel_dir;
    ck_assert_int_eq(clnorm_create_context(rig.cl, rig.info.device, &options, &context), CLNORM_SUCCESS);
    context->device.cpu_like = is_cpu_like;
    context->gemm = clnorm__gemm_kernel(&context->device);
    if (kernel_dir)
        return context;
    pool_to_context(&pool, context);
    for (struct clnorm__built *b = context->programs; b && lies.build; b = b->next) {
        if (!b->program || strcmp(b->variant->entry, lies.build) != 0)
            continue;
        while (b->spares > 0)
            clReleaseKernel(b->spare[--b->spares]);
        clReleaseProgram(b->program);
        b->program = NULL;
    }
    return context;
}

static void close_context(clnorm_context *context)
{
    if (!context->kernel_dir)
        pool_from_context(&pool, context);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
}

/* A call; when it succeeds, every bit is right, running statistics moved once among them; else nothing is written. */
static int run_call(clnorm_context *context, cl_command_queue queue, enum clnorm_operation operation,
                    const struct case_shape *shape)
{
    struct call call = {.operation = operation, .desc = case_desc(shape), .alias = OUT, .momentum = 0.3f};
    struct values inputs = {0}, want = {0};
    struct parts parts = {.cl = rig.cl};
    struct finding finding;
    char text[320];

    values_make(&inputs, &call.desc, CASE_OFFSET_1E3);
    values_copy(&want, &inputs);
    call_model(&call, &want);
    int status = call_run(context, queue, &call, &parts, &inputs, &want, rig.info.bits, &finding);
    ck_assert_msg(finding.differences == 0, "%s: status %d, %s", call_text(&call, text), status, finding.text);
    parts_free(&parts);
    values_free(&inputs);
    values_free(&want);
    return status;
}

static void run_shape(clnorm_context *context, cl_command_queue queue, const struct case_shape *shape)
{
    for (unsigned o = 0; o < OPERATIONS; o++)
        ck_assert_int_eq(run_call(context, queue, (enum clnorm_operation)o, shape), CLNORM_SUCCESS);
}

static void run_all(clnorm_context *context, cl_command_queue queue)
{
    for (unsigned s = 0; s < SHAPES; s++)
        run_shape(context, queue, &shapes[s]);
}

static unsigned count_messages(const char *part)
{
    unsigned count = 0;

    for (const char *at = rig.messages.text; (at = strstr(at, part)) != NULL; at++)
        count++;
    return count;
}

/* Kernels that may have smaller groups than the device. Whole rows of the table give way, free sizes shrink. */
START_TEST(test_kernel_groups)
{
    static const size_t groups[] = {100, 7, 1};

    for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
        for (int cpu = 0; cpu < KINDS_OF_DEVICE; cpu++) {
            clnorm_context *context = open_context(cpu, NULL, NULL);

            begin((struct lies){.group = groups[g]});
            run_all(context, rig.queue);
            ck_assert_uint_gt(seen.launches, 0);
            ck_assert_uint_le(seen.most_group, groups[g]);
            ck_assert_uint_eq(count_messages("1 stats_cf_group256 cannot run"), !cpu);
            ck_assert(cpu || messages_have(&rig.messages, "another variant takes its place"));
            close_context(context);
        }
    }
}
END_TEST

/* Work-groups that are narrow along a dimension. */
START_TEST(test_item_sizes)
{
    static const size_t sizes[][3] = {{1024, 1, 1}, {48, 4096, 1}, {16, 3, 1}, {1, 1, 1}};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        begin((struct lies){.items = {sizes[i][0], sizes[i][1], sizes[i][2]}});
        clnorm_context *context = open_context(0, NULL, NULL);
        run_all(context, rig.queue);
        ck_assert_uint_gt(seen.launches, 0);
        ck_assert_uint_le(seen.most_local[0], sizes[i][0]);
        ck_assert_uint_le(seen.most_local[1], sizes[i][1]);
        ck_assert_uint_eq(seen.failures, 0);
        close_context(context);
    }
}
END_TEST

/*
 * Each kernel fails in turn, where it is built or when it is launched: others take its place, also when work before it is enqueued
 * already; the context does not try it again.
 */
START_TEST(test_each_kernel)
{
    cl_command_queue queues[2] = {rig.queue, rig_queue(&rig, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)};
    unsigned replaced = 0;

    for (unsigned v = 0; v < CLNORM__VARIANTS; v++) {
        const char *entry = clnorm__variants[v].entry;
        /* Of its layout: no disk cache helps where programs are not to build, so that each shape costs a compilation. */
        const struct case_shape *shape = &shapes[clnorm__variants[v].layouts == CLNORM__LAST];

        if ((v > 0 && strcmp(entry, clnorm__variants[v - 1].entry) == 0) || (fixture_is_small() && v % 3 > 0))
            continue;
        for (int cpu = 0; cpu < KINDS_OF_DEVICE; cpu++) {
            if ((v + (unsigned)cpu) % 2)
                begin((struct lies){.build = entry});
            else
                begin((struct lies){.launch = entry,
                                    .launch_status = v % 4 ? CL_OUT_OF_RESOURCES : CL_INVALID_WORK_GROUP_SIZE});
            clnorm_context *context = open_context(cpu, NULL, NULL);
            run_shape(context, queues[v % 2], shape);
            unsigned failures = seen.failures;
            replaced += failures > 0;
            ck_assert_uint_eq(count_messages("takes its place"), failures);
            ck_assert(rig.messages.text[0] != '0' && !messages_have(&rig.messages, "\n0 "));
            run_shape(context, queues[v % 2], shape);
            ck_assert_uint_eq(seen.failures, failures);
            close_context(context);
        }
    }
    /* Every step of both kinds of device was met. */
    ck_assert_uint_ge(replaced, fixture_is_small() ? 4 : 12);
    clReleaseCommandQueue(queues[1]);
}
END_TEST

/* A block's forward pass, or backward, has the model's bits. */
static void run_block(enum block_operation operation)
{
    struct block_case device_side, model;
    clnorm_block_desc desc;

    ck_assert_int_eq(clnorm_describe_convolution(3, 3, 8, 8, 5, 3, 1, 1, 1, &desc), CLNORM_SUCCESS);
    desc.flags = CLNORM_BLOCK_REPRODUCIBLE;
    desc.activation = CLNORM_RELU;
    block_make(&device_side, &desc);
    block_make(&model, &desc);
    block_run(&device_side, &rig, operation);
    block_model(&model, operation);
    for (unsigned s = 0; s < B_SLOTS && rig.info.bits == CLNORM_BITS_SAME; s++)
        if (block_writes(&model, operation) & BIT(s))
            ck_assert_msg(memcmp(device_side.value[s], model.value[s], model.count[s] * sizeof(float)) == 0, "%s",
                          block_slot_name[s]);
    block_free(&device_side);
    block_free(&model);
}

START_TEST(test_blocks)
{
    static const struct lies told[] = {
        {.build = "gemm_group"}, {.launch = "gemm_item", .launch_status = CL_OUT_OF_RESOURCES}, {.group = 7}};

    for (unsigned i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        for (int cpu = 0; cpu < KINDS_OF_DEVICE; cpu++) {
            begin(told[i]);
            rig.context = open_context(cpu, NULL, NULL);
            for (unsigned o = BLOCK_TRAIN; o <= BLOCK_BACKWARD; o++)
                run_block((enum block_operation)o);
            /* It fails once, and is not tried again. */
            ck_assert_uint_eq(seen.failures, i < 2 && (int)i == cpu);
            ck_assert_uint_eq(rig.context->gemm == CLNORM__GEMM_NAIVE, i == 2 ? !cpu : (int)i == cpu);
            ck_assert(i < 2 || seen.most_group <= 7);
            close_context(rig.context);
            rig.context = NULL;
        }
    }
}
END_TEST

/* Which of them a plan names afterwards; the size of the workspace is as before, as callers have allocated it. */
START_TEST(test_plan_after)
{
    clnorm_context *context = open_context(0, NULL, NULL);
    clnorm_desc desc = case_desc(&shapes[0]);
    char before[256], after[256];
    size_t bytes[2];

    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, sizeof(before), before), 0);
    ck_assert_int_eq(clnorm_get_workspace_bytes(context, CLNORM_FORWARD_TRAINING, &desc, &bytes[0]), CLNORM_SUCCESS);
    begin((struct lies){.group = 1});
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, sizeof(after), after), 0);
    ck_assert_int_eq(clnorm_get_workspace_bytes(context, CLNORM_FORWARD_TRAINING, &desc, &bytes[1]), CLNORM_SUCCESS);
    ck_assert_msg(strncmp(before, "stats_cf_group256 ", 18) == 0, "%s", before);
    ck_assert_msg(strncmp(after, "stats_naive ", 12) == 0, "%s", after);
    ck_assert_uint_eq(bytes[0], bytes[1]);
    close_context(context);
}
END_TEST

/* Nothing takes the place of a variant asked for by name, nor of a kernel file of the user's that does not compile. */
START_TEST(test_errors)
{
    const char *folder = fixture_folder();
    static const char bad[] = "this is no kernel\n";
    clnorm_context *context = open_context(0, "stats_cf_group256", NULL);

    begin((struct lies){.group = 100});
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]), CL_INVALID_WORK_GROUP_SIZE);
    begin((struct lies){.build = "stats_cf_group"});
    close_context(context);
    context = open_context(0, "stats_cf_group256", NULL);
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]), CLNORM_KERNEL_BUILD);
    ck_assert(messages_have(&rig.messages, "0 kernel file statistics/stats_cf_group.cl does not compile"));
    close_context(context);

    begin((struct lies){0});
    fixture_write(folder, "statistics/stats_cf_group.cl", bad, sizeof(bad) - 1);
    context = open_context(0, NULL, folder);
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]), CLNORM_KERNEL_BUILD);
    ck_assert(!messages_have(&rig.messages, "takes its place"));
    close_context(context);
}
END_TEST

/* A device that launches nothing: the call fails, and once the trouble is over the variants are as they were. */
START_TEST(test_passing_trouble)
{
    clnorm_context *context = open_context(1, NULL, NULL);
    clnorm_desc desc = case_desc(&shapes[0]);
    char before[256], after[256];

    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, sizeof(before), before), 0);
    begin((struct lies){.launch = "", .launch_status = CL_OUT_OF_RESOURCES});
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]), CL_OUT_OF_RESOURCES);
    ck_assert_uint_gt(seen.failures, 2);
    begin((struct lies){0});
    ck_assert_int_eq(clnorm_describe_launches(context, CLNORM_FORWARD_TRAINING, &desc, sizeof(after), after), 0);
    ck_assert_str_eq(before, after);
    run_all(context, rig.queue);
    /* Memory that runs out is no fault of the variant's. */
    begin((struct lies){.launch = "", .launch_status = CL_MEM_OBJECT_ALLOCATION_FAILURE});
    ck_assert_int_eq(run_call(context, rig.queue, CLNORM_FORWARD_TRAINING, &shapes[0]),
                     CL_MEM_OBJECT_ALLOCATION_FAILURE);
    ck_assert_uint_eq(seen.failures, 1);
    begin((struct lies){0});
    close_context(context);
}
END_TEST

static void open_rig(void)
{
    memset(&lies, 0, sizeof(lies));
    rig_open(&rig, &device, 0);
}

static void close_rig(void)
{
    memset(&lies, 0, sizeof(lies));
    pool_free(&pool);
    rig_close(&rig);
}

int main(void)
{
    Suite *suite = suite_create("fallback");
    TCase *cases = tcase_create("fallback");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 0);
    tcase_add_checked_fixture(cases, open_rig, close_rig);
    tcase_add_test(cases, test_kernel_groups);
    tcase_add_test(cases, test_item_sizes);
    tcase_add_test(cases, test_each_kernel);
    tcase_add_test(cases, test_blocks);
    tcase_add_test(cases, test_plan_after);
    tcase_add_test(cases, test_errors);
    tcase_add_test(cases, test_passing_trouble);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
