/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench/bench_device.h"

#include "cli/message.h"
#include "cli/stream_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * A work-item of a copy moves `chunk` vectors, at the distance of a work-group, so that neighbours touch neighbours; in
 * groups of one that is one piece of memory. Sums of four uniform numbers are near enough to normal ones: no subnormals.
 */
static const char source[] = STREAM_STORE_SOURCE
    "#define COPY(name, STORE)                                                                              \\\n"
    "    __attribute__((reqd_work_group_size(LOCAL, 1, 1)))                                                 \\\n"
    "    kernel void name(const global float *src, global float *dst, ulong count, ulong chunk)             \\\n"
    "    {                                                                                                  \\\n"
    "        ulong vectors = count / WIDTH, begin = get_group_id(0) * (LOCAL * chunk);                      \\\n"
    "        ulong end = min(vectors, begin + LOCAL * chunk);                                               \\\n"
    "        for (ulong v = begin + get_local_id(0); v < end; v += LOCAL)                                   \\\n"
    "            STORE(((const global VECTOR *)src)[v], (global VECTOR *)dst + v);                          \\\n"
    "        if (get_global_id(0) == 0)                                                                     \\\n"
    "            for (ulong i = vectors * WIDTH; i < count; i++)                                            \\\n"
    "                dst[i] = src[i];                                                                       \\\n"
    "    }\n"
    "COPY(copy, ORDINARY)\n"
    "COPY(stream, STREAM)\n"
    "__attribute__((reqd_work_group_size(LOCAL, 1, 1)))\n"
    "kernel void read(const global float *dst, global float *never, ulong count, ulong chunk)\n"
    "{\n"
    "    ulong vectors = count / WIDTH, begin = get_group_id(0) * (LOCAL * chunk);\n"
    "    ulong end = min(vectors, begin + LOCAL * chunk);\n"
    "    VECTOR sum = (VECTOR)(0.0f);\n"
    "    for (ulong v = begin + get_local_id(0); v < end; v += LOCAL)\n"
    "        sum += ((const global VECTOR *)dst)[v];\n"
    "    if (all(sum == (VECTOR)(-1.5e38f)))\n"
    "        *never = 0.0f;\n"
    "}\n"
    "kernel void empty(void)\n"
    "{\n"
    "}\n"
    "#if TYPE == 1\n"
    "#define PUT(value) vstore_half(value, i, (global half *)values)\n"
    "#elif TYPE == 2\n"
    "#define PUT(value) ((global ushort *)values)[i] = (ushort)(as_uint(value) >> 16)\n"
    "#else\n"
    "#define PUT(value) values[i] = value\n"
    "#endif\n"
    "kernel void fill(global float *values, ulong count, ulong seed)\n"
    "{\n"
    "    for (ulong i = get_global_id(0); i < count; i += get_global_size(0)) {\n"
    "        ulong x = (i + 1) * 0x9e3779b97f4a7c15UL + seed;\n"
    "        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9UL;\n"
    "        x = (x ^ x >> 27) * 0x94d049bb133111ebUL;\n"
    "        x ^= x >> 31;\n"
    "        uint sum = (uint)(x & 0xffff) + (uint)(x >> 16 & 0xffff) + (uint)(x >> 32 & 0xffff) + (uint)(x >> 48);\n"
    "        float value = ((float)sum / 65536.0f - 2.0f) * 1.7320508f;\n"
    "        PUT(value);\n"
    "    }\n"
    "}\n";

/* ---- opening ---- */

static void make_kernel(struct bench_device *device, const char *name, cl_kernel *kernel)
{
    cl_int status;

    if (device->session.is_failed)
        return;
    *kernel = clCreateKernel(device->program, name, &status);
    session_expect(&device->session, status, "cannot make a kernel to compare with");
}

static void build_kernels(struct bench_device *device)
{
    const char *text = source;
    char options[80];
    cl_int status;

    /* Without a word: drivers print what their compiler says. */
    snprintf(options, sizeof(options), "-w -DVECTOR=float%u -DWIDTH=%uu -DLOCAL=%uu -DTYPE=%d", device->width,
             device->width, device->local, device->form.type);
    device->program = clCreateProgramWithSource(device->session.cl, 1, &text, NULL, &status);
    session_expect(&device->session, status, "cannot make the kernels to compare with");
    if (!device->session.is_failed)
        session_expect(&device->session,
                       clBuildProgram(device->program, 1, &device->session.info.device, options, NULL, NULL),
                       "cannot compile the kernels to compare with");
    make_kernel(device, "copy", &device->kernels[BENCH_COPY]);
    make_kernel(device, "stream", &device->kernels[BENCH_STREAM]);
    make_kernel(device, "empty", &device->kernels[BENCH_EMPTY]);
    make_kernel(device, "fill", &device->fill);
    make_kernel(device, "read", &device->reader);
}

static void read_number(struct bench_device *device, cl_device_info what, size_t size, void *value)
{
    session_expect(&device->session, clGetDeviceInfo(device->session.info.device, what, size, value, NULL),
                   "cannot ask the device about itself");
}

static void read_facts(struct bench_device *device)
{
    int is_cpu = (device->session.info.type & CL_DEVICE_TYPE_CPU) != 0;
    cl_bool is_unified = CL_FALSE;
    size_t most_items = 1;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    read_number(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(device->units), &device->units);
    read_number(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(device->max_alloc), &device->max_alloc);
    read_number(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(device->most_bytes), &device->most_bytes);
    read_number(device, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(is_unified), &is_unified);
    read_number(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(most_items), &most_items);
    device->most_bytes = device->most_bytes / 4 * 3;
    if ((is_cpu || is_unified) && pages > 0 && page > 0 && (cl_ulong)pages * (cl_ulong)page / 4 < device->most_bytes)
        device->most_bytes = (cl_ulong)pages * (cl_ulong)page / 4;
    device->units = device->units ? device->units : 1;
    device->width = is_cpu ? 16 : 4;
    device->local = is_cpu ? 1 : most_items < 256 ? (cl_uint)most_items : 256;
}

int bench_device_open(struct bench_device *device, const struct bench_options *options)
{
    clnorm_context_options chosen = session_options(options->is_verbose);
    cl_int status;

    memset(device, 0, sizeof(*device));
    device->form = options->form;
    if (session_open(&device->session, options->device, options->is_verbose) != 0)
        return -1;
    chosen.variants = options->variants;
    /* A variant that does not fit is told by the benchmark itself, once. */
    if (options->variants && !options->is_verbose)
        chosen.log = NULL;
    session_expect(&device->session,
                   clnorm_create_context(device->session.cl, device->session.info.device, &chosen, &device->context),
                   "cannot make a context");
    read_facts(device);
    if (!device->session.is_failed) {
        device->profiled =
            clCreateCommandQueue(device->session.cl, device->session.info.device, CL_QUEUE_PROFILING_ENABLE, &status);
        session_expect(&device->session, status, "cannot make a command queue with profiling");
    }
    if (!device->session.is_failed)
        build_kernels(device);
    if (device->session.is_failed) {
        bench_device_close(device);
        return -1;
    }
    return 0;
}

void bench_device_close(struct bench_device *device)
{
    for (unsigned i = 0; i < BENCH_WORKS; i++)
        if (device->kernels[i])
            clReleaseKernel(device->kernels[i]);
    if (device->fill)
        clReleaseKernel(device->fill);
    if (device->reader)
        clReleaseKernel(device->reader);
    if (device->program)
        clReleaseProgram(device->program);
    if (device->profiled)
        clReleaseCommandQueue(device->profiled);
    if (device->context)
        clnorm_release_context(&device->context);
    session_close(&device->session);
}

/* ---- a shape ---- */

const char *bench_too_large(const struct bench_device *device, const struct bench_shape *shape, int has_backward,
                            char *text, size_t size)
{
    const double mib = 1024.0 * 1024.0;
    uint64_t bytes = bench_words(device, bench_elements(shape)) * sizeof(float), tensors = has_backward ? 3 : 2;

    tensors += device->form.has_residual + (has_backward && bench_has_diff_residual(&device->form));

    if (bytes > device->max_alloc)
        snprintf(text, size, "%.0f MiB are more than a buffer of the device may have (%.0f MiB)", (double)bytes / mib,
                 (double)device->max_alloc / mib);
    else if (tensors * bytes > device->most_bytes)
        snprintf(text, size,
                 "%.0f MiB are more than the benchmark takes (%.0f MiB: a quarter of the host's memory, or three "
                 "quarters of the device's own)",
                 (double)(tensors * bytes) / mib, (double)device->most_bytes / mib);
    else
        return NULL;
    return text;
}

static void fill(struct bench_device *device, clnorm_buffer buffer, cl_ulong seed)
{
    size_t items = (size_t)device->units * 256;
    cl_ulong count = device->count;

    if (device->session.is_failed)
        return;
    clSetKernelArg(device->fill, 0, sizeof(cl_mem), &buffer.mem);
    clSetKernelArg(device->fill, 1, sizeof(count), &count);
    clSetKernelArg(device->fill, 2, sizeof(seed), &seed);
    session_expect(&device->session,
                   clEnqueueNDRangeKernel(device->session.queue, device->fill, 1, NULL, &items, NULL, 0, NULL, NULL),
                   "cannot fill a tensor");
}

/* scale, shift and running statistics as a network in training has them */
static void upload_vectors(struct bench_device *device, uint64_t c)
{
    static const struct {
        enum bench_vector which;
        float base, step;
    } rows[] = {{BENCH_SCALE, 1.0f, 0.01f},
                {BENCH_SHIFT, -0.1f, 0.02f},
                {BENCH_RUNNING_MEAN, -0.05f, 0.01f},
                {BENCH_RUNNING_VARIANCE, 0.9f, 0.02f}};
    float *values = malloc(c * sizeof(*values));

    session_expect(&device->session, values ? CLNORM_SUCCESS : CLNORM_OUT_OF_MEMORY, "cannot make the parameters");
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]) && values; r++) {
        for (uint64_t i = 0; i < c; i++)
            values[i] = rows[r].base + rows[r].step * (float)(i % 13);
        session_upload(&device->session, device->vectors[rows[r].which], values, c);
    }
    free(values);
}

uint64_t bench_words(const struct bench_device *device, uint64_t elements)
{
    return (elements * clnorm_type_bytes((enum clnorm_type)device->form.type) + 3) / 4;
}

/* A tensor of as many words as the device's, or none. */
static clnorm_buffer make_tensor(struct bench_device *device, int is_wanted)
{
    clnorm_buffer none = {NULL, 0};

    return is_wanted ? session_buffer(&device->session, NULL, device->words) : none;
}

int bench_device_room(struct bench_device *device, uint64_t elements, uint64_t channels, int has_backward)
{
    const struct call_form *form = &device->form;
    clnorm_buffer none = {NULL, 0};

    session_release_buffers(&device->session);
    device->count = elements;
    device->words = bench_words(device, elements);
    device->src = make_tensor(device, 1);
    device->dst = make_tensor(device, 1);
    device->diff_dst = make_tensor(device, has_backward);
    device->residual = make_tensor(device, form->has_residual);
    device->diff_residual = make_tensor(device, has_backward && bench_has_diff_residual(form));
    device->mask = bench_has_mask(form) ? session_buffer(&device->session, NULL, (elements + 31) / 32) : none;
    for (unsigned i = 0; i < BENCH_VECTORS; i++)
        device->vectors[i] = session_buffer(&device->session, NULL, channels);
    fill(device, device->src, 1);
    if (has_backward)
        fill(device, device->diff_dst, 2);
    if (form->has_residual)
        fill(device, device->residual, 3);
    upload_vectors(device, channels);
    return device->session.is_failed ? -1 : 0;
}

void bench_device_take(struct bench_device *device, const struct bench_shape *shape)
{
    device->count = bench_elements(shape);
    device->words = bench_words(device, device->count);
    device->desc = bench_desc(&device->form, shape, device->desc.layout);
}

int bench_device_shape(struct bench_device *device, const struct bench_shape *shape, int has_backward)
{
    bench_device_take(device, shape);
    return bench_device_room(device, bench_elements(shape), shape->c, has_backward);
}

static clnorm_forward_training_args training_args(const struct bench_device *device)
{
    const clnorm_buffer *v = device->vectors;
    clnorm_forward_training_args args = {
        .src = device->src,
        .dst = device->dst,
        .scale = v[BENCH_SCALE],
        .shift = v[BENCH_SHIFT],
        .running_mean = v[BENCH_RUNNING_MEAN],
        .running_variance = v[BENCH_RUNNING_VARIANCE],
        .save_mean = v[BENCH_MEAN],
        .save_mean_low = v[BENCH_MEAN_LOW],
        .save_invstd = v[BENCH_INVSTD],
        .workspace = device->workspace,
        .momentum = 0.1f,
        .residual = device->residual,
        .mask = device->mask,
    };

    return args;
}

int bench_device_layout(struct bench_device *device, enum clnorm_layout layout)
{
    size_t most = 0;

    device->desc.layout = layout;
    for (int op = CLNORM_FORWARD_TRAINING; op <= CLNORM_BACKWARD_TRAINING; op++) {
        size_t own = 0, free_choice = 0;

        /* A variant that does not fit says so again when it is to run. */
        clnorm_get_workspace_bytes(device->context, (enum clnorm_operation)op, &device->desc, &own);
        clnorm_get_workspace_bytes(device->session.context, (enum clnorm_operation)op, &device->desc, &free_choice);
        most = own > most ? own : most;
        most = free_choice > most ? free_choice : most;
    }
    device->workspace = session_buffer(&device->session, NULL, (most + 3) / 4);
    return bench_device_statistics(device);
}

int bench_device_statistics(struct bench_device *device)
{
    clnorm_forward_training_args args = training_args(device);

    args.save_variance = device->vectors[BENCH_VARIANCE];
    if (!device->session.is_failed)
        session_expect(&device->session,
                       clnorm_forward_training(device->session.context, device->session.queue, &device->desc, &args, 0,
                                               NULL, NULL),
                       "cannot make the statistics");
    if (!device->session.is_failed)
        session_expect(&device->session, clFinish(device->session.queue), "the device failed");
    return device->session.is_failed ? -1 : 0;
}

/* ---- enqueueing ---- */

/* On a CPU pieces of 16 KiB or one for each core; elsewhere one vector or eight. */
uint64_t bench_chunk(const struct bench_device *device, int choice)
{
    uint64_t vectors = device->words / device->width;

    if (device->local == 1)
        return choice == 0 ? 256 : (vectors + device->units - 1) / device->units;
    return choice == 0 ? 1 : 8;
}

/* A kernel that goes through `from`, in pieces of `chunk` vectors. */
static int enqueue_pass(struct bench_device *device, cl_command_queue queue, cl_kernel kernel, cl_ulong chunk,
                        cl_mem from, cl_mem to)
{
    cl_ulong count = device->words;
    uint64_t vectors = count / device->width, piece = chunk * device->local;
    size_t local = device->local, items = (size_t)((vectors + piece - 1) / piece) * local;

    items = items ? items : local;
    clSetKernelArg(kernel, 0, sizeof(cl_mem), &from);
    clSetKernelArg(kernel, 1, sizeof(cl_mem), &to);
    clSetKernelArg(kernel, 2, sizeof(count), &count);
    clSetKernelArg(kernel, 3, sizeof(chunk), &chunk);
    return clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &local, 0, NULL, NULL);
}

static int enqueue_copy(struct bench_device *device, cl_command_queue queue, enum bench_work work)
{
    return enqueue_pass(device, queue, device->kernels[work], device->chunk[work] ? device->chunk[work] : 1,
                        device->src.mem, device->dst.mem);
}

int bench_enqueue_reader(struct bench_device *device, cl_command_queue queue)
{
    uint64_t chunk = bench_chunk(device, 1);

    return enqueue_pass(device, queue, device->reader, chunk ? chunk : 1, device->dst.mem, device->src.mem);
}

static int enqueue_operation(struct bench_device *device, cl_command_queue queue, enum bench_work work)
{
    const clnorm_buffer *v = device->vectors;
    clnorm_forward_training_args training = training_args(device);
    clnorm_forward_inference_args inference = {
        .src = device->src,
        .dst = device->dst,
        .scale = v[BENCH_SCALE],
        .shift = v[BENCH_SHIFT],
        .mean = v[BENCH_MEAN],
        .variance = v[BENCH_VARIANCE],
        .workspace = device->workspace,
        .residual = device->residual,
    };
    clnorm_backward_training_args backward = {
        .src = device->src,
        .diff_dst = device->diff_dst,
        .scale = v[BENCH_SCALE],
        .save_mean = v[BENCH_MEAN],
        .save_mean_low = v[BENCH_MEAN_LOW],
        .save_invstd = v[BENCH_INVSTD],
        .diff_src = device->dst,
        .diff_scale = v[BENCH_DIFF_SCALE],
        .diff_shift = v[BENCH_DIFF_SHIFT],
        .workspace = device->workspace,
        .mask = device->mask,
        .diff_residual = device->diff_residual,
    };

    if (work == BENCH_TRAIN)
        return clnorm_forward_training(device->context, queue, &device->desc, &training, 0, NULL, NULL);
    if (work == BENCH_INFER)
        return clnorm_forward_inference(device->context, queue, &device->desc, &inference, 0, NULL, NULL);
    return clnorm_backward_training(device->context, queue, &device->desc, &backward, 0, NULL, NULL);
}

int bench_enqueue(struct bench_device *device, cl_command_queue queue, enum bench_work work)
{
    size_t one = 1;

    switch (work) {
    case BENCH_COPY:
    case BENCH_STREAM:
        return enqueue_copy(device, queue, work);
    case BENCH_BUFFER:
        return clEnqueueCopyBuffer(queue, device->src.mem, device->dst.mem, 0, 0, device->words * sizeof(float), 0,
                                   NULL, NULL);
    case BENCH_EMPTY:
        return clEnqueueNDRangeKernel(queue, device->kernels[BENCH_EMPTY], 1, NULL, &one, &one, 0, NULL, NULL);
    default:
        return enqueue_operation(device, queue, work);
    }
}
