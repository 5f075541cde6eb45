/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a block's time is spent: inside kernels, CLBlast's and CLNorm's, or between them. This program's own clEnqueueNDRangeKernel
 * stands before OpenCL's for every library in the process, and takes the profile of each kernel, whoever enqueues it.
 *
 *   bench_blocks [N SRC_C DST_C | N SRC_C SIDE DST_C KERNEL STRIDE PAD]      one shape of yours; without: a few
 *
 * A line a direction: milliseconds by the clock, of them within CLBlast's and CLNorm's kernels, the share of both, and billions of
 * multiplications and additions of the products a second. Medians of the calls of one second, at least 5. The exit status is 1 if
 * the share of forward and backward together is below 90 % in a shape that is not tiny.
 */
#define _GNU_SOURCE
#include "try.h"

#include "clnorm_blocks.h"

#include <dlfcn.h>
#include <string.h>

/* ---- every kernel of the process ---- */

typedef cl_int (*enqueue_function)(cl_command_queue, cl_kernel, cl_uint, const size_t *, const size_t *, const size_t *,
                                   cl_uint, const cl_event *, cl_event *);

enum { KERNELS = 4096, NAME = 40 };
static struct {
    cl_event event;
    char name[NAME];
} kernels[KERNELS];
static unsigned kernel_count;

cl_int clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                              const size_t *global, const size_t *local, cl_uint wait_count, const cl_event *wait_list,
                              cl_event *event)
{
    static enqueue_function real;
    cl_event own;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clEnqueueNDRangeKernel");
    cl_int e = real(queue, kernel, dims, offset, global, local, wait_count, wait_list, &own);
    if (e != CL_SUCCESS)
        return e;
    if (event) {
        *event = own;
        clRetainEvent(own);
    }
    if (kernel_count == KERNELS) {
        clReleaseEvent(own);
        return e;
    }
    kernels[kernel_count].event = own;
    clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, NAME, kernels[kernel_count].name, NULL);
    kernel_count++;
    return e;
}

/* Milliseconds in kernels since the last time, CLBlast's (their names begin with a capital) and CLNorm's. */
static void take_kernels(double inside[2], int is_shown)
{
    inside[0] = inside[1] = 0;
    for (unsigned i = 0; i < kernel_count; i++) {
        cl_ulong start = 0, end = 0;
        clGetEventProfilingInfo(kernels[i].event, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL);
        clGetEventProfilingInfo(kernels[i].event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
        clReleaseEvent(kernels[i].event);
        int is_own = kernels[i].name[0] >= 'a';
        inside[is_own] += (double)(end - start) * 1e-6;
        if (is_shown)
            printf("    %-24s %9.3f ms\n", kernels[i].name, (double)(end - start) * 1e-6);
    }
    kernel_count = 0;
}

/* ---- one block ---- */

struct bench {
    cl_context cl;
    cl_command_queue queue;
    clnorm_context *context;
    clnorm_block_training_args forward;
    clnorm_block_backward_args backward;
};

/* Values round 0, no two alike near each other. */
static clnorm_buffer filled(const struct bench *b, uint64_t count, float size)
{
    cl_int e;
    float *values = malloc((size_t)count * sizeof *values);
    uint32_t state = 12345;
    if (!values)
        exit(1);
    for (uint64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        values[i] = ((float)(state >> 8) / 8388608.0f - 1.0f) * size;
    }
    clnorm_buffer buffer = {
        clCreateBuffer(b->cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, (size_t)count * sizeof *values, values, &e), 0};
    TRY(e);
    free(values);
    return buffer;
}

static void open_buffers(struct bench *b, const clnorm_block_desc *d)
{
    uint64_t h, w, terms = d->src_c * d->kernel_h * d->kernel_w;
    size_t bytes[2];
    TRY(clnorm_get_block_dst_size(d, &h, &w));
    TRY(clnorm_get_block_workspace_bytes(b->context, CLNORM_FORWARD_TRAINING, d, &bytes[0]));
    TRY(clnorm_get_block_workspace_bytes(b->context, CLNORM_BACKWARD_TRAINING, d, &bytes[1]));
    uint64_t dst = d->n * d->dst_c * h * w, src = d->n * d->src_c * d->src_h * d->src_w;
    clnorm_block_training_args f = {.src = filled(b, src, 1), .weights = filled(b, d->dst_c * terms, 0.1f)};
    f.product = filled(b, dst, 1);
    f.dst = filled(b, dst, 1);
    f.save_mean = filled(b, d->dst_c, 1);
    f.save_mean_low = filled(b, d->dst_c, 1);
    f.save_invstd = filled(b, d->dst_c, 1);
    f.scale = filled(b, d->dst_c, 1);
    f.shift = filled(b, d->dst_c, 1);
    f.workspace = filled(b, (bytes[0] > bytes[1] ? bytes[0] : bytes[1]) / 4 + 1, 1);
    clnorm_block_backward_args g = {.src = f.src, .weights = f.weights, .product = f.product, .dst = f.dst};
    g.diff_dst = filled(b, dst, 1);
    g.scale = f.scale;
    g.save_mean = f.save_mean;
    g.save_mean_low = f.save_mean_low;
    g.save_invstd = f.save_invstd;
    g.diff_src = filled(b, src, 1);
    g.diff_weights = filled(b, d->dst_c * terms, 1);
    g.diff_scale = filled(b, d->dst_c, 1);
    g.diff_shift = filled(b, d->dst_c, 1);
    g.workspace = f.workspace;
    b->forward = f;
    b->backward = g;
    printf("  workspace: forward %.1f MB, backward %.1f MB\n", (double)bytes[0] * 1e-6, (double)bytes[1] * 1e-6);
}

static void close_buffers(struct bench *b)
{
    cl_mem all[] = {b->forward.src.mem,           b->forward.weights.mem,     b->forward.product.mem,
                    b->forward.dst.mem,           b->forward.save_mean.mem,   b->forward.save_mean_low.mem,
                    b->forward.save_invstd.mem,   b->forward.scale.mem,       b->forward.shift.mem,
                    b->forward.workspace.mem,     b->backward.diff_dst.mem,   b->backward.diff_src.mem,
                    b->backward.diff_weights.mem, b->backward.diff_scale.mem, b->backward.diff_shift.mem};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        clReleaseMemObject(all[i]);
}

static void call(struct bench *b, const clnorm_block_desc *d, int direction)
{
    if (direction == 0)
        TRY(clnorm_block_forward_training(b->context, b->queue, d, &b->forward, 0, NULL, NULL));
    else
        TRY(clnorm_block_backward(b->context, b->queue, d, &b->backward, 0, NULL, NULL));
    TRY(clFinish(b->queue));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns what the two directions took, and in *inside what of it was spent in kernels. */
static double run(struct bench *b, const clnorm_block_desc *d, double *inside)
{
    enum { MOST = 2000 };
    static double wall[MOST], blas[MOST], own[MOST];
    uint64_t h, w;
    double total = 0;
    *inside = 0;
    TRY(clnorm_get_block_dst_size(d, &h, &w));
    double products = 2e-6 * (double)(d->n * d->dst_c * h * w) * (double)(d->src_c * d->kernel_h * d->kernel_w);
    for (int direction = 0; direction < 2; direction++) {
        unsigned calls = 0;
        double first = milliseconds(), parts[2];
        call(b, d, direction);
        first = milliseconds() - first;
        take_kernels(parts, 0);
        call(b, d, direction);
        take_kernels(parts, getenv("BENCH_KERNELS") != NULL);
        for (double start = milliseconds(); calls < MOST && (calls < 5 || milliseconds() - start < 1000); calls++) {
            wall[calls] = milliseconds();
            call(b, d, direction);
            wall[calls] = milliseconds() - wall[calls];
            take_kernels(parts, 0);
            blas[calls] = parts[0];
            own[calls] = parts[1];
        }
        qsort(wall, calls, sizeof *wall, compare);
        qsort(blas, calls, sizeof *blas, compare);
        qsort(own, calls, sizeof *own, compare);
        double t = wall[calls / 2], i = blas[calls / 2] + own[calls / 2];
        printf("  %-8s %9.3f ms, CLBlast %9.3f, CLNorm %9.3f, inside %5.1f %%, %6.1f GFlop/s (first call %.0f ms)\n",
               direction ? "backward" : "forward", t, blas[calls / 2], own[calls / 2], 100 * i / t,
               products * (direction ? 2 : 1) / t, first);
        total += t;
        *inside += i;
    }
    return total;
}

int main(int argc, char **argv)
{
    static const uint64_t shapes[][7] = {{4096, 512, 1, 512, 1, 1, 0}, {64, 128, 1, 64, 1, 1, 0},
                                         {32, 64, 28, 64, 3, 1, 1},    {8, 64, 56, 64, 3, 1, 1},
                                         {32, 128, 14, 512, 1, 1, 0},  {64, 1, 8, 16, 3, 1, 1}};
    uint64_t given[7] = {0, 0, 1, 0, 1, 1, 0};
    static const unsigned char order[2][7] = {{0, 1, 3}, {0, 1, 2, 3, 4, 5, 6}};
    int is_given = argc == 4 || argc == 8, status = 0;
    for (int i = 1; is_given && i < argc; i++)
        given[order[argc == 8][i - 1]] = strtoull(argv[i], NULL, 10);
    struct bench b = {0};
    clnorm_device_info info;
    TRY(clnorm_create_context(NULL, NULL, NULL, &b.context));
    TRY(clnorm_get_device(b.context, &info));
    TRY(clnorm_get_cl_context(b.context, &b.cl));
    cl_int e;
    b.queue = clCreateCommandQueue(b.cl, info.device, CL_QUEUE_PROFILING_ENABLE, &e);
    TRY(e);
    printf("%s\n", info.name);
    for (unsigned s = 0; s < (is_given ? 1 : sizeof shapes / sizeof *shapes); s++) {
        const uint64_t *v = is_given ? given : shapes[s];
        for (unsigned reproducible = 0; reproducible < 2; reproducible++) {
            clnorm_block_desc d;
            double inside, total;
            TRY(clnorm_describe_convolution(v[0], v[1], v[2], v[2], v[3], v[4], v[5], v[6], 1, &d));
            d.activation = CLNORM_RELU;
            d.flags = reproducible ? CLNORM_BLOCK_REPRODUCIBLE : 0;
            printf("%d x %d x %d x %d to %d, kernel %d%s\n", (int)d.n, (int)d.src_c, (int)d.src_h, (int)d.src_w,
                   (int)d.dst_c, (int)d.kernel_h, reproducible ? ", reproducible" : "");
            open_buffers(&b, &d);
            total = run(&b, &d, &inside);
            printf("  both     %9.3f ms, inside %5.1f %%\n", total, 100 * inside / total);
            if (inside < 0.9 * total && total > 5)
                status = 1;
            close_buffers(&b);
        }
    }
    clReleaseCommandQueue(b.queue);
    TRY(clnorm_release_context(&b.context));
    (void)clnorm_clear_blas_cache();
    return status;
}
