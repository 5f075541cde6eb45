/* SPDX-License-Identifier: Apache-2.0 */
#include "device/probe.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cache.h"
#include "device/probe_host.h"
#include "device/program.h"

const struct clnorm__variant clnorm__probe_kernel = {
    "probe", "common/probe.cl", "probe", CLNORM__STEPS, CLNORM__ANY, CLNORM__BOTH, 0, 0, 0, 0, 0};

/* ---- what is tried ---- */

/* Each is meant for some of the operations; all are tried. */
static const float triples[][3] = {
    /* ties and their neighbours */
    {1.0f, 0x1p-24f, 0x1p-24f},
    {0x1.000002p0f, 0x1p-24f, 1.0f},
    {1.0f, 0x1.000002p-24f, 1.0f},
    {1.0f, 0x1p-25f, -1.0f},
    {1.0f, 0x1.000002p-25f, 3.0f},
    {-0x1.000002p0f, -0x1p-24f, 0.5f},
    {0x1.fffffep23f, 0.5f, 0.5f},
    {0x1.fffffep0f, 0x1.fffffep0f, 0x1p-23f},
    {0x1.8p0f, 0x1.555556p-1f, -1.0f},
    /* a product that cancels: what one rounding leaves, and two do not */
    {0x1.001p0f, 0x1.ffep-1f, -1.0f},
    {0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f},
    {0x1.fffffep-1f, 0x1.fffffep-1f, -0x1.fffffcp-1f},
    {3.0f, 0x1.555556p-2f, -1.0f},
    {0x1.92p20f, 0x1.45f306p-21f, -0x1p0f},
    /* a multiple-precision fma that goes by binary64 rounds these twice */
    {0x1.000002p0f, 0x1.fffffep-1f, 0x1.000002p-47f},
    {-0x1.000002p0f, 0x1.fffffep-1f, -0x1.000002p-47f},
    {0x1.000002p40f, 0x1.fffffep-41f, 0x1.000002p-47f},
    {0x1.000002p0f, 0x1.fffffep-1f, 0x1p-47f},
    {0x1p-12f, 0x1.000002p-12f, 1.0f},
    {0x1p-12f, 0x1p-12f, 0x1.000002p0f},
    {0x1p-30f, 0x1p-30f, 1.0f},
    {-0x1p-30f, 0x1p-30f, 1.0f},
    {0x1p-50f, 0x1p-40f, 0x1.fffffep0f},
    {1.0f, 0x1p30f, 0x1.000002p-10f},
    /* the ends of the range */
    {0x1.fffffep127f, 2.0f, -0x1.fffffep127f},
    {0x1.fffffep127f, 0x1p103f, 0x1p102f},
    {-0x1.fffffep127f, -0x1p102f, 1.0f},
    {0x1p100f, 0x1p100f, 0x1p100f},
    {INFINITY, 1.0f, 1.0f},
    {0x1p-126f, 1.0f, 0x1p-102f},
    /* signs of zeros */
    {0.0f, -0.0f, -0.0f},
    {-0.0f, -0.0f, -0.0f},
    {-0.0f, 0.0f, 0.0f},
    {1.0f, -0.0f, -0.0f},
    {-1.0f, 0.0f, -0.0f},
    {1.0f, 1.0f, -1.0f},
    {-1.0f, 1.0f, 1.0f},
    /* subnormal results, and operands whose results are ordinary */
    {0x1p-126f, 0x1p-127f, 1.0f},
    {0x1.8p-126f, 0x1p-126f, 0.0f},
    {0x1p-140f, 0x1p-141f, 0x1p-149f},
    {0x1p-70f, 0x1p-70f, 0x1p-140f},
    {0x1.8p-75f, 0x1.8p-75f, 0.0f},
    {0x1.000002p-63f, 0x1.fffffep-64f, -0x1p-127f},
    {0x1.8p-74f, 0x1p-75f, 0x1p-149f},
    {-0x1.000002p-75f, 0x1p-75f, -0.0f},
    {0x1p-130f, 0x1p20f, 1.0f},
    {0x1.fffffcp-127f, 0x1p24f, -0x1p-103f},
    {-0x1p-149f, 0x1p24f, 0x1p-125f},
};
enum { GIVEN = sizeof triples / sizeof *triples };

/* Numbers without a pattern, in [1, 2) times 2^exponent, the same on every host. */
static float next(uint64_t *state, int exponent)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ldexpf((float)(0x800000u + (uint32_t)(*state >> 41)), exponent - 23);
}

/* Three leaves of 64 values. Of the last trees one leaf is of another scale, so that merges scale the others. */
static void fill_tree(unsigned number, float *v)
{
    static const float scales[] = {0x1p-81f, 0x1p81f};
    uint64_t state = 7 + number;
    for (unsigned leaf = 0; leaf < 3; leaf++, v += 5) {
        v[0] = next(&state, (int)number) * (leaf % 2 ? -1.0f : 1.0f);
        v[1] = next(&state, (int)number - 18);
        v[2] = next(&state, 2 * (int)number);
        v[3] = 0x1p-6f;
        v[4] = leaf == 1 && number >= CLNORM__PROBE_TREES - 2 ? scales[number % 2] : 1.0f;
    }
    v[0] = 0.5f;
    v[1] = 32.0f;
    v[2] = 0x1.555556p-2f;
    v[3] = 0x1.555556p5f;
}

static int is_subnormal(float x)
{
    return x != 0 && fabsf(x) < FLT_MIN;
}

/* A result that may have come of a flush: tiny, or 0 where the exact one is not. binary64 is exact enough to tell. */
static int is_near_nothing(double x)
{
    return x != 0 && fabs(x) <= (double)FLT_MIN;
}

static void mark_tiny(const float *in, unsigned char *tiny)
{
    const double a = in[0], b = in[1], c = in[2];
    int pair = is_subnormal(in[0]) || is_subnormal(in[1]), all = pair || is_subnormal(in[2]);
    int product = is_near_nothing(a * b), sum = is_near_nothing(a * b + c);
    tiny[0] = pair || is_near_nothing(a + b);
    tiny[1] = pair || is_near_nothing(a - b);
    tiny[2] = tiny[5] = pair || product;
    tiny[3] = all || sum;
    tiny[4] = tiny[6] = all || product || sum;
}

void clnorm__probe_expect(struct clnorm__probe *probe)
{
    fenv_t own;
    uint64_t state = 1;
    memset(probe, 0, sizeof *probe);
    /* Programs may have switched their processor to another rounding, or to flushing. */
    fegetenv(&own);
    fesetenv(FE_DFL_ENV);
    float *in = probe->in, *out = probe->out;
    unsigned char *tiny = probe->is_tiny;
    for (unsigned i = 0; i < CLNORM__PROBE_TRIPLES; i++, in += 3, out += CLNORM_PROBE_OPERATIONS) {
        for (unsigned k = 0; k < 3; k++)
            in[k] =
                i < GIVEN ? triples[i][k] : next(&state, k == 2 ? (int)(i % 7) - 3 : 0) * (i >> k & 1 ? -1.0f : 1.0f);
        clnorm__probe_operations(in, out);
        mark_tiny(in, tiny);
        tiny += CLNORM_PROBE_OPERATIONS;
    }
    for (unsigned i = 0; i < CLNORM__PROBE_TREES; i++) {
        fill_tree(i, in);
        clnorm__probe_tree(in, out);
        memset(tiny, i >= CLNORM__PROBE_TREES - 2, CLNORM_PROBE_TREE_WORDS);
        in += CLNORM_PROBE_TREE_INPUTS;
        out += CLNORM_PROBE_TREE_WORDS;
        tiny += CLNORM_PROBE_TREE_WORDS;
    }
    fesetenv(&own);
}

/* ---- what came of it ---- */

static int is_equal(const float *a, const float *b)
{
    return memcmp(a, b, sizeof *a) == 0 || (*a != *a && *b != *b);
}

static void tell(const struct clnorm__probe *p, unsigned word, float got, char *why, size_t size)
{
    static const char *const names[] = {
        "a + b", "a - b", "a * b", "fma(a, b, c)", "a * b + c", "fma(a, b, -0)", "fma(a, b, -0) + c"};
    const unsigned number = word / CLNORM_PROBE_OPERATIONS, operation = word % CLNORM_PROBE_OPERATIONS;
    const float *in = &p->in[3 * number];
    if (number < CLNORM__PROBE_TRIPLES)
        snprintf(why, size, "%s with a = %a, b = %a, c = %a is %a and should be %a", names[operation], (double)in[0],
                 (double)in[1], (double)in[2], (double)got, (double)p->out[word]);
    else
        snprintf(why, size, "number %u of the trees of pairs is %a and should be %a",
                 word - CLNORM__PROBE_TRIPLES * CLNORM_PROBE_OPERATIONS, (double)got, (double)p->out[word]);
}

enum clnorm_bits clnorm__probe_judge(const struct clnorm__probe *expected, const float *out, char *why, size_t size)
{
    enum clnorm_bits bits = CLNORM_BITS_SAME;
    why[0] = '\0';
    for (unsigned i = 0; i < CLNORM__PROBE_WORDS; i++) {
        if (is_equal(&expected->out[i], &out[i]))
            continue;
        int is_sign = expected->out[i] == 0 && out[i] == 0;
        enum clnorm_bits kept = expected->is_tiny[i] || is_sign ? CLNORM_BITS_SAME_NORMAL : CLNORM_BITS_NONE;
        if (kept < bits)
            tell(expected, i, out[i], why, size);
        bits = kept < bits ? kept : bits;
    }
    return bits;
}

/* ---- on a device ---- */

static cl_int run_kernel(clnorm_context *context, cl_kernel kernel, cl_command_queue queue,
                         const struct clnorm__probe *probe, float *out)
{
    const size_t global = CLNORM__PROBE_TRIPLES + CLNORM__PROBE_TREES;
    const cl_uint count = CLNORM__PROBE_TRIPLES;
    cl_int e, second;
    cl_mem in =
        clCreateBuffer(context->cl, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof probe->in, (void *)probe->in, &e);
    cl_mem results = clCreateBuffer(context->cl, CL_MEM_WRITE_ONLY, sizeof probe->out, NULL, &second);
    e = e == CL_SUCCESS ? second : e;
    e = e == CL_SUCCESS ? clSetKernelArg(kernel, 0, sizeof in, &in) : e;
    e = e == CL_SUCCESS ? clSetKernelArg(kernel, 1, sizeof results, &results) : e;
    e = e == CL_SUCCESS ? clSetKernelArg(kernel, 2, sizeof count, &count) : e;
    e = e == CL_SUCCESS ? clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &global, NULL, 0, NULL, NULL) : e;
    e = e == CL_SUCCESS ? clEnqueueReadBuffer(queue, results, CL_TRUE, 0, sizeof probe->out, out, 0, NULL, NULL) : e;
    if (in)
        clReleaseMemObject(in);
    if (results)
        clReleaseMemObject(results);
    return e;
}

static int run_probe(clnorm_context *context, const struct clnorm__probe *probe, float *out)
{
    cl_kernel kernel;
    int status = clnorm__program_compile(context, &clnorm__probe_kernel, 0, &kernel);
    if (status != CLNORM_SUCCESS)
        return status;
    cl_int e;
    cl_command_queue queue = clCreateCommandQueue(context->cl, context->device.info.device, 0, &e);
    if (e == CL_SUCCESS)
        e = run_kernel(context, kernel, queue, probe, out);
    if (queue)
        clReleaseCommandQueue(queue);
    clReleaseKernel(kernel);
    return e;
}

/* What is kept: a digit, and behind it what was wrong. */
static int load(const clnorm_context *context, const char *key, enum clnorm_bits *bits, char *why, size_t size)
{
    size_t length = 0;
    unsigned char *text = context->cache_dir ? clnorm__cache_load(context->cache_dir, key, &length) : NULL;
    int is_good =
        text && length >= 1 && length < size && text[0] >= '0' + CLNORM_BITS_NONE && text[0] <= '0' + CLNORM_BITS_SAME;
    if (is_good) {
        *bits = (enum clnorm_bits)(text[0] - '0');
        memcpy(why, text + 1, length - 1);
        why[length - 1] = '\0';
    }
    free(text);
    return is_good;
}

static void store(clnorm_context *context, const char *key, enum clnorm_bits bits, const char *why)
{
    char text[320];
    int length = snprintf(text, sizeof text, "%d%s", (int)bits, why);
    if (context->cache_dir && clnorm__cache_store(context->cache_dir, key, (unsigned char *)text, (size_t)length) != 0)
        clnorm__log(context, CLNORM_LOG_WARNING, "probe: cannot be stored in the disk cache %s", context->cache_dir);
}

/* The program's key, and what is tried and what is right: of another library's probe nothing is taken over. */
static char *make_key(clnorm_context *context, const struct clnorm__probe *probe)
{
    char *program_key = NULL, *key = NULL;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    const unsigned char *bytes = (const unsigned char *)probe;
    for (size_t i = 0; i < sizeof *probe; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    if (clnorm__program_key(context, &clnorm__probe_kernel, 0, &program_key) != CLNORM_SUCCESS)
        return NULL;
    size_t size = strlen(program_key) + 40;
    key = malloc(size);
    if (key)
        snprintf(key, size, "probe %016llx|%s", (unsigned long long)hash, program_key);
    free(program_key);
    return key;
}

enum clnorm_bits clnorm__probe_device(clnorm_context *context)
{
    const clnorm_device_info *info = &context->device.info;
    struct { /* too large for the stack of a small thread */
        struct clnorm__probe probe;
        float out[CLNORM__PROBE_WORDS];
    } *work = NULL;
    enum clnorm_bits bits = CLNORM_BITS_NONE;
    char why[256] = "out of host memory", *key = NULL;
    if (info->bits == CLNORM_BITS_NONE)
        return info->bits;
    work = calloc(1, sizeof *work);
    if (work) {
        clnorm__probe_expect(&work->probe);
        key = make_key(context, &work->probe);
    }
    if (key && !load(context, key, &bits, why, sizeof why)) {
        int status = run_probe(context, &work->probe, work->out);
        if (status == CLNORM_SUCCESS) {
            bits = clnorm__probe_judge(&work->probe, work->out, why, sizeof why);
            store(context, key, bits, why);
        } else {
            snprintf(why, sizeof why, "probe.cl does not run: %s", clnorm_status_string(status));
        }
    } else if (work && !key) {
        snprintf(why, sizeof why, "probe.cl cannot be read");
    }
    free(key);
    free(work);
    if (bits >= info->bits)
        return info->bits;
    clnorm__log(context, CLNORM_LOG_WARNING, "%s does not compute as its driver says: %s", info->name, why);
    return bits;
}
