/* SPDX-License-Identifier: Apache-2.0 */
#include "device/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cache.h"
#include "device/device.h"
#include "device/regular.h"

/* ---- sources ---- */

struct text {
    char *data;
    size_t size, capacity;
    int failed;
    int is_overridden; /* some of it is from the folder of kernel files */
};

static void append(struct text *t, const char *data, size_t size)
{
    if (t->failed)
        return;
    if (t->size + size + 1 > t->capacity) {
        size_t capacity = 2 * (t->size + size + 1);
        char *grown = realloc(t->data, capacity);
        if (!grown) {
            t->failed = 1;
            return;
        }
        t->data = grown;
        t->capacity = capacity;
    }
    memcpy(t->data + t->size, data, size);
    t->size += size;
    t->data[t->size] = '\0';
}

/* A file of the folder that wins over the embedded one; NULL if it is not there. */
static char *read_override(const clnorm_context *context, const char *name, size_t *size, int *status)
{
    char path[1024];
    if (!context->kernel_dir)
        return NULL;
    int length = snprintf(path, sizeof path, "%s/%s", context->kernel_dir, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? clnorm__open_regular(path) : NULL;
    if (!file)
        return NULL;
    struct text t = {0};
    char block[4096];
    size_t got;
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        append(&t, block, got);
    if (ferror(file) || t.failed) {
        clnorm__log(context, CLNORM_LOG_ERROR, "kernel file %s cannot be read", path);
        *status = t.failed ? CLNORM_OUT_OF_MEMORY : CLNORM_KERNEL_FILE;
        free(t.data);
        t.data = NULL;
    } else {
        append(&t, "", 0);
        clnorm__log(context, CLNORM_LOG_DEBUG, "kernel file %s wins over the embedded one", path);
    }
    fclose(file);
    *size = t.size;
    return t.data;
}

#define INCLUDE "#include \""
#define DEEPEST 8

/* Appends a kernel file, its includes replaced by what they name, under #line so that messages name file and line. */
static int append_file(const clnorm_context *context, const char *name, unsigned depth, struct text *t)
{
    int status = CLNORM_SUCCESS;
    size_t size = 0;
    char *override = read_override(context, name, &size, &status);
    const char *text = override;
    t->is_overridden |= override != NULL;
    if (status != CLNORM_SUCCESS)
        return status;
    if (!text) {
        const struct clnorm__file *f = clnorm__files;
        while (f->name && strcmp(f->name, name) != 0)
            f++;
        if (!f->name || depth > DEEPEST) {
            clnorm__log(context, CLNORM_LOG_ERROR, "kernel file %s is not there%s%s, nor embedded", name,
                        context->kernel_dir ? " in " : "", context->kernel_dir ? context->kernel_dir : "");
            return CLNORM_KERNEL_FILE;
        }
        text = (const char *)f->text;
        size = f->size;
    }
    char line[160];
    unsigned number = 1;
    append(t, line, (size_t)snprintf(line, sizeof line, "#line 1 \"%s\"\n", name));
    for (size_t at = 0; at < size && status == CLNORM_SUCCESS; number++) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at;
        const char *quote = length > strlen(INCLUDE) && memcmp(text + at, INCLUDE, strlen(INCLUDE)) == 0
                                ? memchr(text + at + strlen(INCLUDE), '"', length - strlen(INCLUDE))
                                : NULL;
        if (quote) {
            char included[64];
            const char *start = text + at + strlen(INCLUDE);
            snprintf(included, sizeof included, "%.*s", (int)(quote - start), start);
            status = append_file(context, included, depth + 1, t);
            append(t, line, (size_t)snprintf(line, sizeof line, "#line %u \"%s\"\n", number + 1, name));
        } else {
            append(t, text + at, length);
            append(t, "\n", 1);
        }
        at += length + 1;
    }
    free(override);
    return status == CLNORM_SUCCESS && t->failed ? CLNORM_OUT_OF_MEMORY : status;
}

int clnorm__source_read(const clnorm_context *context, const char *name, char **text, int *is_overridden)
{
    struct text t = {0};
    int status = append_file(context, name, 0, &t);
    *is_overridden = t.is_overridden;
    if (status != CLNORM_SUCCESS) {
        free(t.data);
        t.data = NULL;
    }
    *text = t.data;
    return status;
}

/* ---- programs ---- */

void clnorm__build_options(const struct clnorm__device *device, const struct clnorm__variant *v, unsigned form,
                           int is_overridden, char *options, size_t size)
{
    static const struct {
        unsigned bit;
        const char *name;
    } extras[] = {
        {CLNORM__HAS_ACTIVATION, "ACTIVATION"}, {CLNORM__HAS_RESIDUAL, "RESIDUAL"}, {CLNORM__HAS_MASK, "MASK"},
        {CLNORM__HAS_OLD, "ACCUMULATE"},        {CLNORM__HAS_WEIGHT, "WEIGHTED"},   {CLNORM__A_TYPED, "A_TYPED"},
        {CLNORM__B_TYPED, "B_TYPED"},           {CLNORM__C_TYPED, "C_TYPED"}};
    /*
     * FP_CONTRACT is off in the sources. No option that relaxes arithmetic belongs here. Some drivers print what their compiler
     * says, past the log: our own sources, which tests compile with warnings as errors, build without a word.
     */
    int length =
        snprintf(options, size, "-cl-std=CL1.2%s%s -DCHANNELS_LAST=%u", is_overridden ? "" : " -w",
                 device->large_buffers ? " -cl-intel-greater-than-4GB-buffer-required" : "", CLNORM__FORM_LAST(form));
    if (clnorm__step_has_direction(v->step))
        length +=
            snprintf(options + length, size - (size_t)length, " -DBACKWARD=%d", clnorm__step_is_backward(v->step));
    if (v->step == CLNORM__APPLY)
        length += snprintf(options + length, size - (size_t)length, " -DAPPLY=%u", CLNORM__FORM_APPLY(form));
    for (unsigned i = 0; i < sizeof extras / sizeof *extras; i++)
        if (form & extras[i].bit)
            length += snprintf(options + length, size - (size_t)length, " -D%s", extras[i].name);
    if (CLNORM__FORM_VIEW(form))
        length += snprintf(options + length, size - (size_t)length, " -DVIEW=%u", CLNORM__FORM_VIEW(form));
    if (CLNORM__FORM_TYPE(form))
        length += snprintf(options + length, size - (size_t)length, " -DTYPE=%u", CLNORM__FORM_TYPE(form));
    if (v->kind == CLNORM__CPU_LIKE && v->work_group == 1)
        length +=
            snprintf(options + length, size - (size_t)length, " -DVEC=%u -DHINTS=%d", device->vector, device->hints);
    if (v->work_group > 1)
        length +=
            snprintf(options + length, size - (size_t)length, " -DWORK_GROUP=%u -DWIDTH=%u", v->work_group, v->width);
    if (device->small_code)
        snprintf(options + length, size - (size_t)length, " -DSMALL_CODE");
}

/*
 * Of a failure to build: an error where nothing can take the variant's place, a kernel file of the user's or a variant that is asked
 * for by name.
 */
static enum clnorm_log_level failure_level(const clnorm_context *context, const struct clnorm__variant *v,
                                           int is_overridden)
{
    return is_overridden || (v->step < CLNORM__STEPS && context->filter.steps[v->step]) ? CLNORM_LOG_ERROR
                                                                                        : CLNORM_LOG_WARNING;
}

/* What the compiler said: of a program that it made, warnings are worth a warning and the rest is for the curious. */
static void log_build(clnorm_context *context, const struct clnorm__variant *v, cl_program program, int is_built,
                      enum clnorm_log_level failed)
{
    cl_device_id device = context->device.info.device;
    size_t size = 0;
    if (clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size) != CL_SUCCESS || size < 3)
        return;
    char *text = malloc(size + 1);
    if (text && clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, size, text, NULL) == CL_SUCCESS) {
        text[size] = '\0';
        enum clnorm_log_level level = !is_built                           ? failed
                                      : clnorm__text_has(text, "warning") ? CLNORM_LOG_WARNING
                                                                          : CLNORM_LOG_DEBUG;
        clnorm__log(context, level, "build of %s on %s:\n%s", v->source, context->device.info.name, text);
    }
    free(text);
}

/* A program with the variant's kernel. Some drivers compile only when that is made, so that the disk cache waits for it. */
struct made {
    cl_program program; /* NULL: none */
    cl_kernel kernel;
};

static int make_kernel(const struct clnorm__variant *v, struct made *made)
{
    cl_int e;
    cl_kernel kernel = clCreateKernel(made->program, v->entry, &e);
    made->kernel = e == CL_SUCCESS ? kernel : NULL;
    return e == CL_SUCCESS;
}

static void free_made(struct made *made)
{
    if (made->kernel)
        clReleaseKernel(made->kernel);
    if (made->program)
        clReleaseProgram(made->program);
    *made = (struct made){0};
}

/*
 * Loads a program from the disk cache. *compiled: how often it was compiled before, as far as the cache knows: an entry of one byte is no
 * binary, and says that.
 */
static int load_binary(clnorm_context *context, const struct clnorm__variant *v, const char *key, const char *options,
                       struct made *made, unsigned *compiled)
{
    size_t size = 0;
    cl_device_id device = context->device.info.device;
    unsigned char *binary = context->cache_dir ? clnorm__cache_load(context->cache_dir, key, &size) : NULL;
    *compiled = binary && size == 1 ? binary[0] : 0;
    if (!binary || size <= 1) {
        free(binary);
        return 0;
    }
    cl_int e, binary_status;
    const unsigned char *binaries = binary;
    cl_program program = clCreateProgramWithBinary(context->cl, 1, &device, &size, &binaries, &binary_status, &e);
    made->program = e == CL_SUCCESS ? program : NULL;
    free(binary);
    if (e == CL_SUCCESS && binary_status == CL_SUCCESS &&
        clBuildProgram(made->program, 1, &device, options, NULL, NULL) == CL_SUCCESS && make_kernel(v, made)) {
        clnorm__log(context, CLNORM_LOG_DEBUG, "%s: from the disk cache", v->name);
        return 1;
    }
    free_made(made);
    clnorm__log(context, CLNORM_LOG_WARNING, "%s: the disk cache's entry does not load and is made again", v->name);
    clnorm__cache_remove(context->cache_dir, key);
    return 0;
}

static void store(clnorm_context *context, const struct clnorm__variant *v, const char *key,
                  const unsigned char *binary, size_t size)
{
    if (clnorm__cache_store(context->cache_dir, key, binary, size) != 0)
        clnorm__log(context, CLNORM_LOG_WARNING, "%s: cannot be stored in the disk cache %s", v->name,
                    context->cache_dir);
}

/* Stores the binary, where that is due; or else that the program was compiled once more. */
static void store_binary(clnorm_context *context, const struct clnorm__variant *v, const char *key, cl_program program,
                         unsigned compiled)
{
    const unsigned char count = (unsigned char)(compiled + 1);
    size_t size = 0;
    cl_uint devices = 0;
    if (count < clnorm__compiles_to_store(context->device.info.platform_name)) {
        store(context, v, key, &count, 1);
        return;
    }
    clGetProgramInfo(program, CL_PROGRAM_NUM_DEVICES, sizeof devices, &devices, NULL);
    if (devices != 1 || clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) != CL_SUCCESS ||
        size == 0)
        return;
    unsigned char *binary = malloc(size);
    if (binary && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        store(context, v, key, binary, size);
    free(binary);
}

static int compile(clnorm_context *context, const struct clnorm__variant *v, const char *source, const char *options,
                   enum clnorm_log_level failed, struct made *made)
{
    cl_int e;
    cl_device_id device = context->device.info.device;
    clnorm__log(context, CLNORM_LOG_INFO, "%s: compiling %s %s", v->name, v->source, options);
    cl_program program = clCreateProgramWithSource(context->cl, 1, &source, NULL, &e);
    if (e != CL_SUCCESS)
        return e;
    made->program = program;
    e = clBuildProgram(made->program, 1, &device, options, NULL, NULL);
    log_build(context, v, made->program, e == CL_SUCCESS, failed);
    if (e == CL_SUCCESS && make_kernel(v, made))
        return CLNORM_SUCCESS;
    clnorm__log(context, failed, "kernel file %s does not %s", v->source,
                e == CL_SUCCESS ? "define the kernel it should" : "compile");
    free_made(made);
    return e == CL_SUCCESS || e == CL_BUILD_PROGRAM_FAILURE ? CLNORM_KERNEL_BUILD : e;
}

/* A program's source with the options it is compiled with, and the key of both on this device. */
struct recipe {
    char options[256], *source, *key;
    int is_overridden;
};

static void free_recipe(struct recipe *r)
{
    free(r->source);
    free(r->key);
}

static int read_recipe(const clnorm_context *context, const struct clnorm__variant *v, unsigned form, struct recipe *r)
{
    memset(r, 0, sizeof *r);
    int status = clnorm__source_read(context, v->source, &r->source, &r->is_overridden);
    if (status != CLNORM_SUCCESS)
        return status;
    clnorm__build_options(&context->device, v, form, r->is_overridden, r->options, sizeof r->options);
    struct text key = {0};
    append(&key, context->device.identity, strlen(context->device.identity));
    append(&key, "|", 1);
    append(&key, r->options, strlen(r->options));
    append(&key, "|", 1);
    append(&key, r->source, strlen(r->source));
    r->key = key.data;
    if (!key.failed)
        return CLNORM_SUCCESS;
    free_recipe(r);
    return CLNORM_OUT_OF_MEMORY;
}

/* made: zeroed. */
static int make_program(clnorm_context *context, const struct clnorm__variant *v, unsigned form, int is_cached,
                        struct made *made)
{
    struct recipe r;
    int status = read_recipe(context, v, form, &r);
    if (status != CLNORM_SUCCESS)
        return status;
    unsigned compiled = 0;
    if (!is_cached || !load_binary(context, v, r.key, r.options, made, &compiled)) {
        status = compile(context, v, r.source, r.options, failure_level(context, v, r.is_overridden), made);
        if (status == CLNORM_SUCCESS && is_cached && context->cache_dir)
            store_binary(context, v, r.key, made->program, compiled);
    }
    free_recipe(&r);
    return status;
}

int clnorm__program_compile(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                            cl_kernel *kernel)
{
    struct made made = {0};
    int status = make_program(context, variant, form, 0, &made);
    *kernel = made.kernel;
    made.kernel = NULL;
    free_made(&made);
    return status;
}

int clnorm__program_key(const clnorm_context *context, const struct clnorm__variant *variant, unsigned form, char **key)
{
    struct recipe r;
    int status = read_recipe(context, variant, form, &r);
    *key = status == CLNORM_SUCCESS ? r.key : NULL;
    if (status == CLNORM_SUCCESS)
        free(r.source);
    return status;
}

int clnorm__gives_way(const clnorm_context *context, const struct clnorm__variant *variant, int status)
{
    int is_overridden = 0;
    char *source = NULL;
    switch (status) {
    case CLNORM_KERNEL_BUILD:
        if (clnorm__source_read(context, variant->source, &source, &is_overridden) != CLNORM_SUCCESS)
            return 0;
        free(source);
        return !is_overridden;
    case CL_OUT_OF_RESOURCES:
    case CL_COMPILE_PROGRAM_FAILURE:
    case CL_LINK_PROGRAM_FAILURE:
    case CL_INVALID_BINARY:
    case CL_INVALID_PROGRAM_EXECUTABLE:
    case CL_INVALID_KERNEL_DEFINITION:
    case CL_INVALID_WORK_GROUP_SIZE:
    case CL_INVALID_WORK_ITEM_SIZE:
    case CL_INVALID_GLOBAL_WORK_SIZE:
        return 1;
    default:
        return 0;
    }
}

/* Makes an entry's program. */
static int fill(clnorm_context *context, struct clnorm__built *b)
{
    struct made made = {0};
    /* Not under the lock: a compiler takes its time, and other threads have programs already. Of two that make one, the first wins. */
    int status = make_program(context, b->variant, b->form, 1, &made);
    if (status != CLNORM_SUCCESS)
        return status;
    pthread_mutex_lock(&context->lock);
    if (!b->program) {
        b->program = made.program;
        b->spare[0] = made.kernel;
        b->spares = 1;
        made = (struct made){0};
    }
    pthread_mutex_unlock(&context->lock);
    free_made(&made);
    return CLNORM_SUCCESS;
}

int clnorm__program_get(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                        struct clnorm__built **built)
{
    pthread_mutex_lock(&context->lock);
    struct clnorm__built *b = context->programs;
    while (b && (b->variant != variant || b->form != form))
        b = b->next;
    if (!b && (b = calloc(1, sizeof *b))) {
        b->variant = variant;
        b->form = form;
        b->next = context->programs;
        context->programs = b;
    }
    const int is_filled = b && b->program;
    pthread_mutex_unlock(&context->lock);
    *built = b;
    return is_filled ? CLNORM_SUCCESS : b ? fill(context, b) : CLNORM_OUT_OF_MEMORY;
}
