/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a context holds: programs from the disk cache, from kernel files that win over the embedded ones, by the choice of
 * variants; and nothing of the caller's.
 */
#define _DEFAULT_SOURCE
#include "fixture/suite.h"
#include "fixture/device_fixture.h"
#include "device/device.h"
#include "device/program.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static clnorm_device_info device;

static int run_one(clnorm_context *context, struct rig *rig, enum clnorm_operation operation, uint32_t *first)
{
    struct case_shape shape = {3, 5, 49, CLNORM_CHANNELS_FIRST};
    struct call call = {.operation = operation, .desc = case_desc(&shape), .alias = OUT, .momentum = 0.3f};
    struct values inputs = {0}, want = {0};
    struct parts parts = {.cl = rig->cl};
    struct finding finding;
    int status;

    values_make(&inputs, &call.desc, CASE_OFFSET_1E3);
    values_copy(&want, &inputs);
    call_model(&call, &want);
    status = call_run(context, rig->queue, &call, &parts, &inputs, &want, rig->info.bits, &finding);
    if (first)
        memcpy(first, part_read(&parts, rig->queue, OUT), sizeof(*first));
    else
        ck_assert_msg(finding.differences == 0, "%s: %s", operation_name(operation), finding.text);
    parts_free(&parts);
    values_free(&inputs);
    values_free(&want);
    return status;
}

/* Right when it succeeds, and nothing written when it does not. */
static int forward_with(clnorm_context *context, struct rig *rig)
{
    return run_one(context, rig, CLNORM_FORWARD_TRAINING, NULL);
}

/* ---- the program cache ---- */

static unsigned entries(const char *folder, char first[600])
{
    DIR *d = opendir(folder);
    unsigned count = 0;

    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        if (first && count == 0)
            snprintf(first, 600, "%s/%s", folder, e->d_name);
        count++;
    }
    if (d)
        closedir(d);
    return count;
}

/* A forward with a context of its own and these options; messages hold what it said. */
static int run_with(struct rig *rig, const clnorm_context_options *given)
{
    clnorm_context_options options = messages_options(&rig->messages);
    clnorm_context *context;
    int status;

    options.cache_dir = given->cache_dir;
    options.kernel_dir = given->kernel_dir;
    options.variants = given->variants;
    messages_clear(&rig->messages);
    status = clnorm_create_context(rig->cl, rig->info.device, &options, &context);
    if (status != CLNORM_SUCCESS)
        return status;
    status = forward_with(context, rig);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    return status;
}

START_TEST(test_disk_cache)
{
    struct rig rig;
    const char *folder = fixture_folder();
    char nested[300], path[600];
    /* A variant of several launches: several programs. */
    clnorm_context_options options = {.cache_dir = nested, .variants = "stats_naive"};
    const unsigned due = clnorm__compiles_to_store(device.platform_name);
    unsigned count;

    /* Two folders that are not there yet: they are made. */
    snprintf(nested, sizeof(nested), "%s/a/b", folder);
    rig_open(&rig, &device, 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "compiling"));
    ck_assert(!messages_have(&rig.messages, "from the disk cache"));
    count = entries(nested, path);
    ck_assert_uint_ge(count, 2);
    for (unsigned i = 1; i < due; i++) {
        ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
        ck_assert(messages_have(&rig.messages, "compiling"));
        ck_assert(!messages_have(&rig.messages, "from the disk cache"));
        ck_assert_uint_eq(entries(nested, path), count);
    }
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(!messages_have(&rig.messages, "compiling"));
    ck_assert(messages_have(&rig.messages, "from the disk cache"));
    /* Damage in one entry, in its last byte: it is made again, and good the time after. */
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, -1, SEEK_END), 0);
    int last = fgetc(file);
    ck_assert_int_eq(fseek(file, -1, SEEK_END), 0);
    fputc(last ^ 0x55, file);
    fclose(file);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "compiling"));
    ck_assert(messages_have(&rig.messages, "from the disk cache"));
    for (unsigned i = 0; i < due; i++)
        ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(!messages_have(&rig.messages, "compiling"));
    /* Cut off, and empty. */
    for (off_t size = 20; size >= 0; size -= 20) {
        ck_assert_int_eq(truncate(path, size), 0);
        ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
        ck_assert(messages_have(&rig.messages, "compiling"));
    }
    ck_assert_uint_eq(entries(nested, NULL), count);
    rig_close(&rig);
}
END_TEST

START_TEST(test_cache_environment)
{
    struct rig rig;
    char before[512], moved[300];
    clnorm_context_options options = {0}, off = {.cache_dir = ""};

    snprintf(before, sizeof(before), "%s", getenv("CLNORM_CACHE_DIR"));
    snprintf(moved, sizeof(moved), "%s/moved", fixture_folder());
    rig_open(&rig, &device, 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert_uint_ge(entries(before, NULL), 1);
    setenv("CLNORM_CACHE_DIR", moved, 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "compiling"));
    ck_assert_uint_ge(entries(moved, NULL), 1);
    /* The option wins over the environment: off. */
    ck_assert_int_eq(run_with(&rig, &off), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "compiling"));
    ck_assert(!messages_have(&rig.messages, "from the disk cache"));
    setenv("CLNORM_CACHE_DIR", "", 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "compiling"));
    /* A folder that cannot be made is no error, but is told. */
    setenv("CLNORM_CACHE_DIR", "/dev/null/clnorm", 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "cannot be stored"));
    setenv("CLNORM_CACHE_DIR", before, 1);
    rig_close(&rig);
}
END_TEST

/* ---- kernel files and variants ---- */

static const char *embedded(const char *name, size_t *size)
{
    for (const struct clnorm__file *f = clnorm__files; f->name; f++) {
        if (strcmp(f->name, name) == 0) {
            *size = f->size;
            return (const char *)f->text;
        }
    }
    ck_abort_msg("%s is not embedded", name);
    return NULL;
}

/* A folder with the embedded apply/apply_naive.cl, text put in before its last brace. */
static const char *folder_with(const char *text)
{
    const char *folder = fixture_folder(), *original;
    size_t size, brace;
    char *changed;

    original = embedded("apply/apply_naive.cl", &size);
    for (brace = size; brace > 0 && original[brace - 1] != '}'; brace--)
        continue;
    ck_assert_uint_gt(brace, 0);
    changed = malloc(size + strlen(text) + 1);
    ck_assert_ptr_nonnull(changed);
    brace--;
    memcpy(changed, original, brace);
    memcpy(changed + brace, text, strlen(text));
    memcpy(changed + brace + strlen(text), original + brace, size - brace);
    fixture_write(folder, "apply/apply_naive.cl", changed, size + strlen(text));
    free(changed);
    return folder;
}

/* dst[0] of an inference by apply_naive with the context's kernel files. */
static uint32_t first_result(struct rig *rig, const char *kernel_dir)
{
    clnorm_context_options options = messages_options(&rig->messages);
    clnorm_context *context;
    uint32_t bits;

    options.variants = "apply_naive";
    options.kernel_dir = kernel_dir;
    ck_assert_int_eq(clnorm_create_context(rig->cl, rig->info.device, &options, &context), CLNORM_SUCCESS);
    ck_assert_int_eq(run_one(context, rig, CLNORM_FORWARD_INFERENCE, &bits), CLNORM_SUCCESS);
    ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
    return bits;
}

START_TEST(test_kernel_folder)
{
    struct rig rig;
    const char *folder = folder_with("t.dst[0] = 42.0f;\n");
    uint32_t usual;

    rig_open(&rig, &device, 1);
    usual = first_result(&rig, NULL);
    ck_assert_uint_ne(usual, case_bits(42.0f));
    ck_assert_uint_eq(first_result(&rig, folder), case_bits(42.0f));
    ck_assert_uint_eq(first_result(&rig, NULL), usual);
    setenv("CLNORM_KERNEL_DIR", folder, 1);
    ck_assert_uint_eq(first_result(&rig, NULL), case_bits(42.0f));
    /* The option wins over the environment; a folder without the file leaves the embedded one. */
    ck_assert_uint_eq(first_result(&rig, fixture_folder()), usual);
    unsetenv("CLNORM_KERNEL_DIR");
    rig_close(&rig);
}
END_TEST

START_TEST(test_bad_kernel_files)
{
    struct rig rig;
    const char *missing = fixture_folder();
    clnorm_context_options options = {.variants = "apply_naive"};

    rig_open(&rig, &device, 1);
    options.kernel_dir = folder_with("this_is_no_function_of_opencl(;\n");
    /* forward_with checks that nothing was written. */
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_KERNEL_BUILD);
    ck_assert(messages_have(&rig.messages, "0 build of apply/apply_naive.cl"));
    ck_assert(messages_have(&rig.messages, "this_is_no_function_of_opencl"));
    ck_assert(messages_have(&rig.messages, "does not compile"));

    fixture_write(missing, "apply/apply_naive.cl", "#include \"nowhere.cl\"\n", 22);
    options.kernel_dir = missing;
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_KERNEL_FILE);
    ck_assert(messages_have(&rig.messages, "nowhere.cl"));

    fixture_write(missing, "apply/apply_naive.cl", "kernel void other(global int *p) { *p = 1; }\n", 45);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_KERNEL_BUILD);
    ck_assert(messages_have(&rig.messages, "does not define the kernel"));
    rig_close(&rig);
}
END_TEST

/* A compiler's warning about the user's own file is shown to the user; about what is embedded there is none. */
START_TEST(test_warnings)
{
    struct rig rig;
    clnorm_context_options options = {.variants = "apply_naive", .cache_dir = ""};

    rig_open(&rig, &device, 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(!messages_have(&rig.messages, "build of"));
    options.kernel_dir = folder_with("#ifdef CLNORM_LANES\n#warning look here\n#endif\n");
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    ck_assert(messages_have(&rig.messages, "1 build of apply/apply_naive.cl"));
    ck_assert(messages_have(&rig.messages, "look here"));
    rig_close(&rig);
}
END_TEST

START_TEST(test_variant_option)
{
    struct rig rig;
    clnorm_context_options options = {.variants = "stats_naive,no_such_variant"};

    rig_open(&rig, &device, 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_NO_VARIANT);
    ck_assert(messages_have(&rig.messages, "no_such_variant"));
    /* forward_with's shape is channels-first. */
    options.variants = "stats_cl_item";
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_NO_VARIANT);
    options.variants = "stats_cl_item,stats_naive";
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_SUCCESS);
    options.variants = NULL;
    setenv("CLNORM_VARIANT", "no_such_variant", 1);
    ck_assert_int_eq(run_with(&rig, &options), CLNORM_NO_VARIANT);
    unsetenv("CLNORM_VARIANT");
    rig_close(&rig);
}
END_TEST

/* ---- references ---- */

/*
 * Whether the driver's counts can be trusted: some hold a queue, a context or a buffer for every command that there has been,
 * as plain commands show.
 */
static int driver_counts(const struct rig *rig)
{
    const cl_float zero = 0;
    static int is_told;
    cl_uint before = 0, after = 0;
    cl_int e;
    cl_mem mem = clCreateBuffer(rig->cl, CL_MEM_READ_WRITE, 256, NULL, &e);

    ck_assert_int_eq(e, CL_SUCCESS);
    for (unsigned i = 0; i < 8; i++) {
        cl_event event;

        ck_assert_int_eq(clEnqueueFillBuffer(rig->queue, mem, &zero, sizeof(zero), 0, 256, 0, NULL, &event),
                         CL_SUCCESS);
        ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
        clReleaseEvent(event);
        ck_assert_int_eq(clFinish(rig->queue), CL_SUCCESS);
        after = references_of_context(rig->cl) + references_of_queue(rig->queue) + references_of_mem(mem);
        before = i == 1 ? after : before;
    }
    clReleaseMemObject(mem);
    if (after > before && !is_told++)
        printf("references not counted, as %s holds on to them itself\n", rig->info.platform_name);
    return after <= before;
}

static cl_uint references(const struct rig *rig, const struct parts *parts)
{
    cl_uint total = references_of_context(rig->cl) + references_of_queue(rig->queue);

    for (unsigned s = 0; s < PARTS; s++)
        if (parts->part[s].mem)
            total += references_of_mem(parts->part[s].mem);
    return total;
}

/* Nothing of the caller's is held longer than the call. */
static void count_calls(struct rig *rig, struct call call)
{
    struct values inputs = {0};
    struct parts parts = {.cl = rig->cl};
    struct finding finding;
    cl_uint second = 0;

    values_make(&inputs, &call.desc, CASE_NORMAL);
    for (unsigned turn = 0; turn < 6; turn++) {
        cl_event event = NULL;

        ck_assert_int_eq(
            call_run(rig->context, rig->queue, &call, &parts, &inputs, &inputs, CLNORM_BITS_NONE, &finding),
            CLNORM_SUCCESS);
        ck_assert_int_eq(call_enqueue(rig->context, rig->queue, &call, &parts, 0, NULL, &event), CLNORM_SUCCESS);
        ck_assert_int_eq(clWaitForEvents(1, &event), CL_SUCCESS);
        clReleaseEvent(event);
        ck_assert_int_eq(clFinish(rig->queue), CL_SUCCESS);
        second = turn == 1 ? references(rig, &parts) : second;
    }
    /* Some drivers let go on a thread of their own. */
    for (unsigned wait = 0; wait < 100 && references(rig, &parts) > second; wait++)
        usleep(10000);
    ck_assert_msg(references(rig, &parts) <= second, "%s: %u references after 2 turns, %u after 6",
                  operation_name(call.operation), second, references(rig, &parts));
    parts_free(&parts);
    values_free(&inputs);
}

START_TEST(test_nothing_leaks)
{
    static struct rig rig;
    struct case_shape shape = {3, 19, 70, CLNORM_CHANNELS_LAST};
    cl_uint second = 0;

    rig_open(&rig, &device, 1);
    for (unsigned o = 0; o < 8 && driver_counts(&rig); o++) {
        struct call call = {.operation = (enum clnorm_operation)(o / 2), .desc = case_desc(&shape), .alias = OUT};

        call.desc.n = o % 2 ? 0 : shape.n;
        count_calls(&rig, call);
    }
    for (unsigned turn = 0; turn < 6 && driver_counts(&rig); turn++) {
        clnorm_context *context;

        ck_assert_int_eq(clnorm_create_context(rig.cl, device.device, NULL, &context), CLNORM_SUCCESS);
        ck_assert_int_eq(forward_with(context, &rig), CLNORM_SUCCESS);
        ck_assert_int_eq(clnorm_release_context(&context), CLNORM_SUCCESS);
        if (turn == 1)
            second = references_of_context(rig.cl);
        for (unsigned wait = 0; wait < 100 && turn == 5 && references_of_context(rig.cl) > second; wait++)
            usleep(10000);
        ck_assert(turn < 5 || references_of_context(rig.cl) <= second);
    }
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("programs");
    TCase *cases = tcase_create("programs");

    fixture_own_cache();
    device = fixture_device();
    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, test_disk_cache);
    tcase_add_test(cases, test_cache_environment);
    tcase_add_test(cases, test_kernel_folder);
    tcase_add_test(cases, test_bad_kernel_files);
    tcase_add_test(cases, test_warnings);
    tcase_add_test(cases, test_variant_option);
    tcase_add_test(cases, test_nothing_leaks);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
