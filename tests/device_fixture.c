/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "device_fixture.h"

#include "model.h"

#include <check.h>
#include <errno.h>
#include <float.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the environment ---- */

int fixture_is_small(void)
{
    const char *small = getenv("CLNORM_TEST_SMALL");

    return small && *small && strcmp(small, "0") != 0;
}

/* Before the tests run, Check cannot report. */
static void need(int is_good, const char *what, const char *which)
{
    if (!is_good) {
        fprintf(stderr, "%s: %s\n", what, which);
        exit(EXIT_FAILURE);
    }
}

clnorm_device_info fixture_device(void)
{
    clnorm_device_info info;
    const char *selector = getenv("CLNORM_TEST_DEVICE");

    need(clnorm_find_device(selector, &info, NULL) == CLNORM_SUCCESS, "no OpenCL device",
         selector ? selector : "at all");
    return info;
}

size_t fixture_devices(clnorm_device_info infos[FIXTURE_DEVICES])
{
    const char *selector = getenv("CLNORM_TEST_DEVICE");
    size_t count = 1;

    infos[0] = fixture_device();
    if (selector && *selector)
        return 1;
    need(clnorm_list_devices(FIXTURE_DEVICES, infos, &count) == CLNORM_SUCCESS && count, "no OpenCL device", "none");
    return count < FIXTURE_DEVICES ? count : FIXTURE_DEVICES;
}

enum { FOLDERS = 32 };
static char folders[FOLDERS][256];
static unsigned folder_count;

const char *fixture_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *folder = folders[folder_count];

    need(folder_count < FOLDERS, "too many folders", "FOLDERS");
    snprintf(folder, sizeof(folders[0]), "%s/clnorm-test-XXXXXX", base && *base ? base : "/tmp");
    need(mkdtemp(folder) != NULL, "cannot make the folder", folder);
    folder_count++;
    return folder;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void fixture_remove_folders(void)
{
    while (folder_count)
        nftw(folders[--folder_count], remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void fixture_own_cache(int is_kept)
{
    if (!is_kept || !getenv("CLNORM_CACHE_DIR"))
        setenv("CLNORM_CACHE_DIR", fixture_folder(), 1);
    /* The user's choices of kernels would be tested in place of the library's. */
    unsetenv("CLNORM_KERNEL_DIR");
    unsetenv("CLNORM_VARIANT");
    unsetenv("CLNORM_TUNING");
}

void fixture_write(const char *folder, const char *name, const void *data, size_t size)
{
    char path[512], *slash;
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    ck_assert_msg(mkdir(path, 0700) == 0 || errno == EEXIST, "cannot make %s", path);
    *slash = '/';
    file = fopen(path, "wb");
    ck_assert_msg(file != NULL, "cannot write %s", path);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* ---- one device with a queue ---- */

static void collect(void *user, enum clnorm_log_level level, const char *message)
{
    struct messages *m = user;
    size_t room;

    pthread_mutex_lock(&m->lock);
    room = sizeof(m->text) - m->length;
    if (room > 8) {
        int length = snprintf(m->text + m->length, room, "%d %s\n", (int)level, message);

        m->length += length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
    }
    pthread_mutex_unlock(&m->lock);
}

void messages_clear(struct messages *messages)
{
    pthread_mutex_lock(&messages->lock);
    messages->length = 0;
    messages->text[0] = '\0';
    pthread_mutex_unlock(&messages->lock);
}

int messages_have(struct messages *messages, const char *part)
{
    pthread_mutex_lock(&messages->lock);
    int have = strstr(messages->text, part) != NULL;
    pthread_mutex_unlock(&messages->lock);
    return have;
}

clnorm_context_options messages_options(struct messages *messages)
{
    clnorm_context_options options = {.log = collect, .log_user = messages};

    return options;
}

void rig_open(struct rig *rig, const clnorm_device_info *info, int has_context)
{
    cl_int e;

    memset(rig, 0, sizeof(*rig));
    rig->info = *info;
    pthread_mutex_init(&rig->messages.lock, NULL);
    rig->cl = clCreateContext(NULL, 1, &rig->info.device, NULL, NULL, &e);
    ck_assert_msg(e == CL_SUCCESS, "%s: clCreateContext: %d", info->name, e);
    rig->queue = rig_queue(rig, 0);
    if (has_context) {
        clnorm_context_options options = messages_options(&rig->messages);

        ck_assert_int_eq(clnorm_create_context(rig->cl, info->device, &options, &rig->context), CLNORM_SUCCESS);
    }
}

void rig_close(struct rig *rig)
{
    ck_assert_int_eq(clFinish(rig->queue), CL_SUCCESS);
    if (rig->context)
        ck_assert_int_eq(clnorm_release_context(&rig->context), CLNORM_SUCCESS);
    clReleaseCommandQueue(rig->queue);
    clReleaseContext(rig->cl);
    pthread_mutex_destroy(&rig->messages.lock);
}

cl_command_queue rig_queue(const struct rig *rig, cl_command_queue_properties properties)
{
    cl_int e;
    cl_command_queue queue = clCreateCommandQueue(rig->cl, rig->info.device, properties, &e);

    ck_assert_msg(e == CL_SUCCESS, "%s: clCreateCommandQueue: %d", rig->info.name, e);
    return queue;
}

#define REFERENCES(name, type, query, what)                                                                            \
    cl_uint references_of_##name(type object)                                                                          \
    {                                                                                                                  \
        cl_uint count = 0;                                                                                             \
        ck_assert_int_eq(query(object, what, sizeof(count), &count, NULL), CL_SUCCESS);                                \
        return count;                                                                                                  \
    }
REFERENCES(context, cl_context, clGetContextInfo, CL_CONTEXT_REFERENCE_COUNT)
REFERENCES(queue, cl_command_queue, clGetCommandQueueInfo, CL_QUEUE_REFERENCE_COUNT)
REFERENCES(mem, cl_mem, clGetMemObjectInfo, CL_MEM_REFERENCE_COUNT)

/* ---- calls ---- */

static const struct operation_row {
    const char *name;
    unsigned slots, writes;
    const char *slot[SLOTS];
} operations[] = {
    {"forward training",
     BIT(SRC) | BIT(OUT) | BIT(SCALE) | BIT(SHIFT) | BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) | BIT(VARIANCE) |
         BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE),
     BIT(OUT) | BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) | BIT(VARIANCE) | BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE),
     {"src", "", "dst", "scale", "shift", "save_mean", "save_mean_low", "save_invstd", "save_variance", "running_mean",
      "running_variance", "", ""}},
    {"forward inference",
     BIT(SRC) | BIT(OUT) | BIT(SCALE) | BIT(SHIFT) | BIT(MEAN) | BIT(VARIANCE),
     BIT(OUT),
     {"src", "", "dst", "scale", "shift", "mean", "", "", "variance", "", "", "", ""}},
    {"backward training",
     BIT(SRC) | BIT(DIFF_DST) | BIT(OUT) | BIT(SCALE) | BIT(MEAN) | BIT(MEAN_LOW) | BIT(INVSTD) | BIT(DIFF_SCALE) |
         BIT(DIFF_SHIFT),
     BIT(OUT) | BIT(DIFF_SCALE) | BIT(DIFF_SHIFT),
     {"src", "diff_dst", "diff_src", "scale", "", "save_mean", "save_mean_low", "save_invstd", "", "", "", "diff_scale",
      "diff_shift"}},
    {"backward frozen",
     BIT(SRC) | BIT(DIFF_DST) | BIT(OUT) | BIT(SCALE) | BIT(MEAN) | BIT(VARIANCE) | BIT(DIFF_SCALE) | BIT(DIFF_SHIFT),
     BIT(OUT) | BIT(DIFF_SCALE) | BIT(DIFF_SHIFT),
     {"src", "diff_dst", "diff_src", "scale", "", "mean", "", "", "variance", "", "", "diff_scale", "diff_shift"}},
};

const char *operation_name(enum clnorm_operation operation)
{
    return operations[operation].name;
}

const char *slot_name(enum clnorm_operation operation, enum slot slot)
{
    return slot == WORKSPACE ? "workspace" : operations[operation].slot[slot];
}

unsigned call_slots(const struct call *call)
{
    return operations[call->operation].slots & ~call->absent;
}

unsigned call_writes(const struct call *call)
{
    return operations[call->operation].writes & ~call->absent;
}

const char *call_text(const struct call *call, char text[256])
{
    const clnorm_desc *d = &call->desc;
    int at = snprintf(text, 256, "%s, %s, n %llu c %llu s %llu", operation_name(call->operation),
                      case_layout_name(d->layout), (unsigned long long)d->n, (unsigned long long)d->c,
                      (unsigned long long)d->s);

    for (unsigned s = 0; s < SLOTS && at < 200; s++)
        if (operations[call->operation].slots & call->absent & BIT(s))
            at += snprintf(text + at, 256 - (size_t)at, ", no %s", slot_name(call->operation, (enum slot)s));
    if (call->alias != OUT && at < 200)
        at += snprintf(text + at, 256 - (size_t)at, ", in place of %s", slot_name(call->operation, call->alias));
    if (call->running_flags && at < 230)
        snprintf(text + at, 256 - (size_t)at, ", biased");
    return text;
}

void values_make(struct values *values, const clnorm_desc *desc, enum case_data kind)
{
    uint64_t seed = desc->n * 1000003 + desc->c * 1009 + desc->s + (uint64_t)kind * 7919;
    struct model_forward forward = {0};

    for (unsigned s = 0; s < SLOTS; s++) {
        values->count[s] = (size_t)(s <= OUT ? desc->n * desc->c * desc->s : desc->c);
        ck_assert_ptr_nonnull(values->slot[s] = calloc(values->count[s] + 1, sizeof(float)));
    }
    case_fill(kind, desc, seed, values->slot[SRC]);
    case_fill_diff(desc, seed, values->slot[DIFF_DST]);
    case_fill_params(desc, seed, values->slot[SCALE], values->slot[SHIFT]);
    case_fill_running(desc, seed, values->slot[RUNNING_MEAN], values->slot[RUNNING_VARIANCE]);
    if (desc->n == 0)
        return;
    forward.src = values->slot[SRC];
    forward.dst = values->slot[OUT];
    forward.save_mean = values->slot[MEAN];
    forward.save_mean_low = values->slot[MEAN_LOW];
    forward.save_invstd = values->slot[INVSTD];
    forward.save_variance = values->slot[VARIANCE];
    ck_assert_int_eq(model_forward_training(desc, &forward), 0);
    for (uint64_t c = 0; c < desc->c; c++)
        if (values->slot[VARIANCE][c] > 1e38f)
            values->slot[VARIANCE][c] = 1e38f;
}

void values_copy(struct values *values, const struct values *from)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        if (!values->slot[s]) {
            values->count[s] = from->count[s];
            ck_assert_ptr_nonnull(values->slot[s] = calloc(values->count[s] + 1, sizeof(float)));
        }
        ck_assert_uint_eq(values->count[s], from->count[s]);
        memcpy(values->slot[s], from->slot[s], values->count[s] * sizeof(float));
    }
}

void values_free(struct values *values)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        free(values->slot[s]);
        values->slot[s] = NULL;
    }
}

void call_model(const struct call *call, struct values *values)
{
    float *v[SLOTS];
    int result;

    for (unsigned s = 0; s < SLOTS; s++)
        v[s] = call_slots(call) & BIT(s) ? values->slot[s] : NULL;
    struct model_forward forward = {v[SRC],  v[OUT],      v[SCALE],  v[SHIFT],    v[RUNNING_MEAN], v[RUNNING_VARIANCE],
                                    v[MEAN], v[MEAN_LOW], v[INVSTD], v[VARIANCE], call->momentum,  call->running_flags};
    struct model_backward backward = {v[SRC],    v[DIFF_DST], v[SCALE], v[MEAN],       v[MEAN_LOW],
                                      v[INVSTD], v[VARIANCE], v[OUT],   v[DIFF_SCALE], v[DIFF_SHIFT]};
    if (call->operation == CLNORM_FORWARD_TRAINING)
        result = model_forward_training(&call->desc, &forward);
    else if (call->operation == CLNORM_FORWARD_INFERENCE)
        result = model_forward_inference(&call->desc, v[SRC], v[OUT], v[SCALE], v[SHIFT], v[MEAN], v[VARIANCE]);
    else if (call->operation == CLNORM_BACKWARD_TRAINING)
        result = model_backward_training(&call->desc, &backward);
    else
        result = model_backward_frozen(&call->desc, &backward);
    ck_assert_msg(result == 0, "the model ran out of memory");
}

/* ---- guarded buffers ---- */

/* A quiet NaN that tells where it stood: no kernel writes it, and one that reads it cannot hide it. */
static uint32_t canary(size_t index)
{
    return 0xffc00000u | (uint32_t)(index * 2654435761u >> 10 & 0x3fffffu);
}

static void part_prepare(struct parts *parts, unsigned number, size_t count)
{
    struct part *p = &parts->part[number];

    p->offset = 2 * (7 * number % 29) + 17;
    p->count = count;
    p->total = (size_t)p->offset + count + 67;
    if (p->total > p->capacity) {
        cl_int e;

        if (p->mem)
            clReleaseMemObject(p->mem);
        free(p->image);
        p->capacity = p->total;
        p->image = malloc(p->capacity * sizeof(uint32_t));
        ck_assert_ptr_nonnull(p->image);
        p->mem = clCreateBuffer(parts->cl, CL_MEM_READ_WRITE, p->capacity * sizeof(uint32_t), NULL, &e);
        ck_assert_msg(e == CL_SUCCESS, "clCreateBuffer: %d", e);
    }
    if (p->total > parts->after_capacity) {
        free(parts->after);
        parts->after_capacity = p->total;
        parts->after = malloc(p->total * sizeof(uint32_t));
        ck_assert_ptr_nonnull(parts->after);
    }
    for (size_t i = 0; i < p->total; i++)
        p->image[i] = canary(i + 1000003 * number);
}

void parts_fill(struct parts *parts, cl_command_queue queue, const struct call *call, const struct values *inputs,
                size_t workspace_bytes)
{
    unsigned fresh = call_writes(call) & ~(BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE));

    ck_assert_uint_eq(workspace_bytes % sizeof(float), 0);
    for (unsigned s = 0; s < PARTS; s++) {
        struct part *p = &parts->part[s];

        if (s != WORKSPACE && !(call_slots(call) & BIT(s)))
            continue;
        part_prepare(parts, s, s == WORKSPACE ? workspace_bytes / sizeof(float) : inputs->count[s]);
        if (s != WORKSPACE && !(fresh & BIT(s)))
            memcpy(p->image + p->offset, inputs->slot[s], p->count * sizeof(float));
        ck_assert_int_eq(
            clEnqueueWriteBuffer(queue, p->mem, CL_TRUE, 0, p->total * sizeof(uint32_t), p->image, 0, NULL, NULL),
            CL_SUCCESS);
    }
}

void parts_free(struct parts *parts)
{
    for (unsigned s = 0; s < PARTS; s++) {
        if (parts->part[s].mem)
            clReleaseMemObject(parts->part[s].mem);
        free(parts->part[s].image);
    }
    free(parts->after);
    memset(parts, 0, sizeof(*parts));
}

const uint32_t *part_read(struct parts *parts, cl_command_queue queue, enum slot slot)
{
    struct part *p = &parts->part[slot];

    ck_assert_int_eq(
        clEnqueueReadBuffer(queue, p->mem, CL_TRUE, 0, p->total * sizeof(uint32_t), parts->after, 0, NULL, NULL),
        CL_SUCCESS);
    return parts->after + p->offset;
}

/* Whether a result is wrong. Where a device flushes subnormals, one that arises may be a zero and the other way round. */
static int is_difference(enum clnorm_bits bits, uint32_t is, float want)
{
    float value;

    memcpy(&value, &is, sizeof(value));
    if (bits == CLNORM_BITS_NONE || case_bits(value) == case_bits(want))
        return 0;
    return bits == CLNORM_BITS_SAME || !(fabsf(value) < FLT_MIN && fabsf(want) < FLT_MIN);
}

static void part_compare(const struct part *p, const char *name, const uint32_t *after, const float *want,
                         int is_scratch, enum clnorm_bits bits, struct finding *finding)
{
    size_t end = p->offset + p->count, size = sizeof(uint32_t);

    /* At once what is as it should be, which nearly everything is. */
    if (memcmp(after, p->image, p->offset * size) == 0 &&
        memcmp(after + end, p->image + end, (p->total - end) * size) == 0 &&
        (is_scratch || memcmp(after + p->offset, want ? (const void *)want : (const void *)(p->image + p->offset),
                              p->count * size) == 0))
        return;
    for (size_t i = 0; i < p->total; i++) {
        int is_inside = i >= p->offset && i < p->offset + p->count;
        uint32_t expected = p->image[i];

        if (is_inside && want)
            expected = case_bits(want[i - p->offset]);
        if (is_inside && (is_scratch || (want && !is_difference(bits, after[i], want[i - p->offset]))))
            continue;
        if ((is_inside && want) || after[i] != p->image[i])
            if (finding->differences++ == 0)
                snprintf(finding->text, sizeof(finding->text), "%s[%lld]%s is 0x%08x, should be 0x%08x", name,
                         (long long)i - (long long)p->offset, is_inside ? "" : " (guard band)", after[i], expected);
    }
}

void parts_compare(struct parts *parts, cl_command_queue queue, const struct call *call, const struct values *want,
                   int with_results, enum clnorm_bits bits, struct finding *finding)
{
    memset(finding, 0, sizeof(*finding));
    for (unsigned s = 0; s < PARTS; s++) {
        /* In place, the results stand in the alias, and OUT's own buffer has no part in the call. */
        unsigned written = call_writes(call) & BIT(OUT) && call->alias != OUT ? BIT(call->alias) : call_writes(call);
        const float *result = s == WORKSPACE ? NULL : want->slot[s == call->alias ? OUT : s];

        if (call->alias != OUT)
            written |= call_writes(call) & ~BIT(OUT);
        if (s != WORKSPACE && !(call_slots(call) & BIT(s)))
            continue;
        part_read(parts, queue, (enum slot)s);
        part_compare(&parts->part[s], slot_name(call->operation, (enum slot)s), parts->after,
                     with_results && s != WORKSPACE && written & BIT(s) ? result : NULL, with_results && s == WORKSPACE,
                     bits, finding);
    }
}

int call_enqueue(clnorm_context *context, cl_command_queue queue, const struct call *call, const struct parts *parts,
                 cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    const clnorm_desc *d = &call->desc;
    clnorm_buffer b[PARTS] = {{0}};

    for (unsigned s = 0; s < PARTS; s++) {
        const struct part *p = &parts->part[s == OUT ? call->alias : s];

        if (s == WORKSPACE || call_slots(call) & BIT(s))
            b[s] = (clnorm_buffer){p->mem, p->offset};
    }
    clnorm_forward_training_args forward = {
        b[SRC],      b[OUT],    b[SCALE],    b[SHIFT],     b[RUNNING_MEAN], b[RUNNING_VARIANCE], b[MEAN],
        b[MEAN_LOW], b[INVSTD], b[VARIANCE], b[WORKSPACE], call->momentum,  call->running_flags};
    clnorm_forward_inference_args inference = {b[SRC], b[OUT], b[SCALE], b[SHIFT], b[MEAN], b[VARIANCE], b[WORKSPACE]};
    clnorm_backward_training_args backward = {b[SRC],    b[DIFF_DST], b[SCALE],      b[MEAN],       b[MEAN_LOW],
                                              b[INVSTD], b[OUT],      b[DIFF_SCALE], b[DIFF_SHIFT], b[WORKSPACE]};
    clnorm_backward_frozen_args frozen = {b[SRC], b[DIFF_DST],   b[SCALE],      b[MEAN],     b[VARIANCE],
                                          b[OUT], b[DIFF_SCALE], b[DIFF_SHIFT], b[WORKSPACE]};
    if (call->operation == CLNORM_FORWARD_TRAINING)
        return clnorm_forward_training(context, queue, d, &forward, wait_count, wait_list, event);
    if (call->operation == CLNORM_FORWARD_INFERENCE)
        return clnorm_forward_inference(context, queue, d, &inference, wait_count, wait_list, event);
    if (call->operation == CLNORM_BACKWARD_TRAINING)
        return clnorm_backward_training(context, queue, d, &backward, wait_count, wait_list, event);
    return clnorm_backward_frozen(context, queue, d, &frozen, wait_count, wait_list, event);
}

int call_run(clnorm_context *context, cl_command_queue queue, const struct call *call, struct parts *parts,
             const struct values *inputs, const struct values *want, enum clnorm_bits bits, struct finding *finding)
{
    size_t bytes = 0;
    int status = clnorm_get_workspace_bytes(context, call->operation, &call->desc, &bytes);

    memset(finding, 0, sizeof(*finding));
    if (status != CLNORM_SUCCESS)
        return status;
    parts_fill(parts, queue, call, inputs, bytes);
    status = call_enqueue(context, queue, call, parts, 0, NULL, NULL);
    ck_assert_int_eq(clFinish(queue), CL_SUCCESS);
    parts_compare(parts, queue, call, want, status == CLNORM_SUCCESS, bits, finding);
    return status;
}
