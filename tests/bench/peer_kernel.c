/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in CLNorm's place and only copies: an OpenCL kernel on the same device, launched and waited for in the same way, that
 * reads each tensor once and writes one, with ordinary stores or with stores past the caches: about the most that anything which
 * normalizes through this runtime can reach.
 */
#include "bench.h"
#include "opencl.h"
#include "cli/stream_store.h"

#include <stdlib.h>

/* A work-item takes `chunk` vectors, at the distance of a work-group, so that neighbours touch neighbours. */
static const char source[] = STREAM_STORE_SOURCE
    "#define PASS(name, STORE, VALUE)                                                                      \\\n"
    "    __attribute__((reqd_work_group_size(LOCAL, 1, 1)))                                                \\\n"
    "    kernel void name(const global VECTOR *a, const global VECTOR *b, global VECTOR *out, ulong vectors, \\\n"
    "                     ulong chunk)                                                                     \\\n"
    "    {                                                                                                 \\\n"
    "        ulong begin = get_group_id(0) * (LOCAL * chunk), end = min(vectors, begin + LOCAL * chunk);   \\\n"
    "        for (ulong i = begin + get_local_id(0); i < end; i += LOCAL)                                  \\\n"
    "            STORE(VALUE, out + i);                                                                    \\\n"
    "    }\n"
    "PASS(copy, ORDINARY, a[i])\n"
    "PASS(stream, STREAM, a[i])\n"
    "PASS(add, ORDINARY, a[i] + b[i])\n"
    "PASS(add_stream, STREAM, a[i] + b[i])\n";

struct state {
    cl_kernel kernel;
    cl_mem buffers[3]; /* the second is the first where nothing else is read */
    size_t items, local;
};

static const struct bench_opencl *cl;
static cl_program program;
static cl_uint width, local, units;

static int complain(const char *what, cl_int status)
{
    fprintf(stderr, "copies in CLNorm's place: %s: %s (%d)\n", what, clnorm_status_string(status), status);
    return PEER_FAILED;
}

static cl_int open_program(void)
{
    cl_device_type type = 0;
    size_t most = 1;
    char options[80];
    const char *text = source;
    cl_int status = clGetDeviceInfo(cl->device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    status = status ? status : clGetDeviceInfo(cl->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    status = status ? status : clGetDeviceInfo(cl->device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof most, &most, NULL);
    if (status)
        return status;
    width = type & CL_DEVICE_TYPE_CPU ? 16 : 4;
    local = type & CL_DEVICE_TYPE_CPU ? 1 : most < 256 ? (cl_uint)most : 256;
    snprintf(options, sizeof options, "-w -DVECTOR=float%u -DLOCAL=%u", width, local);
    program = clCreateProgramWithSource(cl->context, 1, &text, NULL, &status);
    return status ? status : clBuildProgram(program, 1, &cl->device, options, NULL, NULL);
}

static void teardown(void *state)
{
    struct state *s = state;
    if (s->kernel)
        clReleaseKernel(s->kernel);
    for (int i = 0; i < 3; i++)
        if (s->buffers[i])
            clReleaseMemObject(s->buffers[i]);
    free(s);
}

/* Pieces of at least 16 KiB, for each compute unit sixteen or fewer. */
static cl_int set_args(struct state *s, uint64_t count)
{
    cl_ulong vectors = (count + width - 1) / width, chunk = (vectors + 16 * units - 1) / (16 * units);
    cl_ulong least = 4096 / width;
    cl_int status = CL_SUCCESS;
    chunk = chunk > least ? chunk : least;
    chunk = (chunk + local - 1) / local;
    s->local = local;
    s->items = (size_t)((vectors + chunk * local - 1) / (chunk * local)) * local;
    for (cl_uint i = 0; i < 3 && !status; i++)
        status = clSetKernelArg(s->kernel, i, sizeof(cl_mem), &s->buffers[i]);
    status = status ? status : clSetKernelArg(s->kernel, 3, sizeof vectors, &vectors);
    return status ? status : clSetKernelArg(s->kernel, 4, sizeof chunk, &chunk);
}

static cl_int fill_state(struct state *s, const struct peer_problem *p, bool streaming)
{
    static const char *const names[2][2] = {{"copy", "stream"}, {"add", "add_stream"}};
    const bool both = p->op == PEER_BACKWARD;
    uint64_t count = peer_count(p), rounded = (count + width - 1) / width * width;
    cl_int status;
    s->kernel = clCreateKernel(program, names[both][streaming], &status);
    for (int i = 0; i < 3 && !status; i++) {
        if (i == 1 && !both) {
            s->buffers[1] = s->buffers[0];
            status = clRetainMemObject(s->buffers[1]);
            continue;
        }
        status = bench_opencl_buffer(cl, NULL, rounded, &s->buffers[i]);
        if (!status && i < 2)
            status = clEnqueueWriteBuffer(cl->queue, s->buffers[i], CL_TRUE, 0, (size_t)count * sizeof(float),
                                          i == 0 ? p->src : p->diff_dst, 0, NULL, NULL);
    }
    status = status ? status : set_args(s, count);
    return status ? status : clFinish(cl->queue);
}

static int setup(const struct peer_problem *problem, void **state, bool streaming)
{
    cl = bench_opencl();
    cl_int status = !cl || program ? CL_SUCCESS : open_program();
    if (!cl || status)
        return cl ? complain("no program", status) : PEER_FAILED;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return complain("setup", CLNORM_OUT_OF_MEMORY);
    status = fill_state(s, problem, streaming);
    if (status) {
        teardown(s);
        return complain("setup", status);
    }
    *state = s;
    return PEER_OK;
}

static int setup_ordinary(const struct peer_problem *problem, void **state)
{
    return setup(problem, state, false);
}

static int setup_streaming(const struct peer_problem *problem, void **state)
{
    return setup(problem, state, true);
}

static int run(void *state)
{
    struct state *s = state;
    cl_int status = clEnqueueNDRangeKernel(cl->queue, s->kernel, 1, NULL, &s->items, &s->local, 0, NULL, NULL);
    return status ? complain("run", status) : PEER_OK;
}

static int wait(void *state)
{
    (void)state;
    cl_int status = clFinish(cl->queue);
    return status ? complain("wait", status) : PEER_OK;
}

static void close_program(void)
{
    if (program)
        clReleaseProgram(program);
    program = NULL;
    bench_opencl_close();
}

const struct peer peer_kernel = {"kernel", clnorm_version, setup_ordinary, run,           NULL,
                                 teardown, wait,           NULL,           close_program, false};
const struct peer peer_kernel_stream = {
    "kernel-stream", clnorm_version, setup_streaming, run, NULL, teardown, wait, NULL, close_program, false};
