/* SPDX-License-Identifier: Apache-2.0 */
/* CLNorm, by its public API. */
#include "bench.h"
#include "opencl.h"

#include <stdlib.h>

enum { SRC, OUT, DIFF_DST, SCALE, SHIFT, MEAN, MEAN_LOW, SPREAD, DIFF_SCALE, DIFF_SHIFT, WORKSPACE, BUFFER_COUNT };

struct state {
    enum peer_op op;
    clnorm_desc desc;
    cl_mem buffers[BUFFER_COUNT]; /* SPREAD: variance for inference, invstd otherwise */
};

static const struct bench_opencl *cl;

static int complain(const char *what, int status)
{
    fprintf(stderr, "CLNorm: %s: %s (%d)\n", what, clnorm_status_string(status), status);
    return PEER_FAILED;
}

static int make_buffer(struct state *s, int which, const float *values, uint64_t count)
{
    return bench_opencl_buffer(cl, values, count, &s->buffers[which]);
}

/* Big enough for whatever the operation runs. */
static int make_workspace(struct state *s)
{
    size_t bytes = 0, more = 0;
    static const enum clnorm_operation operations[PEER_OP_COUNT] = {CLNORM_FORWARD_TRAINING, CLNORM_FORWARD_INFERENCE,
                                                                    CLNORM_BACKWARD_TRAINING};
    int status = clnorm_get_workspace_bytes(cl->clnorm, operations[s->op], &s->desc, &bytes);
    if (!status && s->op == PEER_BACKWARD)
        status = clnorm_get_workspace_bytes(cl->clnorm, CLNORM_FORWARD_TRAINING, &s->desc, &more);
    bytes = more > bytes ? more : bytes;
    return status ? status : make_buffer(s, WORKSPACE, NULL, bytes / sizeof(float) + 1);
}

static int make_buffers(struct state *s, const struct peer_problem *p)
{
    uint64_t count = peer_count(p);
    int status = make_buffer(s, SRC, p->src, count);
    status = status ? status : make_buffer(s, OUT, NULL, count);
    status = status ? status : make_buffer(s, SCALE, p->scale, p->c);
    status = status ? status : make_buffer(s, SHIFT, p->shift, p->c);
    status = status ? status : make_buffer(s, MEAN, p->op == PEER_INFER ? p->mean : NULL, p->c);
    status = status ? status : make_buffer(s, MEAN_LOW, NULL, p->c);
    status = status ? status : make_buffer(s, SPREAD, p->op == PEER_INFER ? p->variance : NULL, p->c);
    if (!status && p->op == PEER_BACKWARD) {
        status = make_buffer(s, DIFF_DST, p->diff_dst, count);
        status = status ? status : make_buffer(s, DIFF_SCALE, NULL, p->c);
        status = status ? status : make_buffer(s, DIFF_SHIFT, NULL, p->c);
    }
    return status ? status : make_workspace(s);
}

static clnorm_buffer at(const struct state *s, int which)
{
    return (clnorm_buffer){s->buffers[which], 0};
}

static int run_training(struct state *s)
{
    clnorm_forward_training_args args = {
        .src = at(s, SRC),
        .dst = at(s, OUT),
        .scale = at(s, SCALE),
        .shift = at(s, SHIFT),
        .save_mean = at(s, MEAN),
        .save_mean_low = at(s, MEAN_LOW),
        .save_invstd = at(s, SPREAD),
        .workspace = at(s, WORKSPACE),
    };
    return clnorm_forward_training(cl->clnorm, cl->queue, &s->desc, &args, 0, NULL, NULL);
}

static int run_inference(struct state *s)
{
    clnorm_forward_inference_args args = {
        .src = at(s, SRC),
        .dst = at(s, OUT),
        .scale = at(s, SCALE),
        .shift = at(s, SHIFT),
        .mean = at(s, MEAN),
        .variance = at(s, SPREAD),
        .workspace = at(s, WORKSPACE),
    };
    return clnorm_forward_inference(cl->clnorm, cl->queue, &s->desc, &args, 0, NULL, NULL);
}

static int run_backward(struct state *s)
{
    clnorm_backward_training_args args = {
        .src = at(s, SRC),
        .diff_dst = at(s, DIFF_DST),
        .scale = at(s, SCALE),
        .save_mean = at(s, MEAN),
        .save_mean_low = at(s, MEAN_LOW),
        .save_invstd = at(s, SPREAD),
        .diff_src = at(s, OUT),
        .diff_scale = at(s, DIFF_SCALE),
        .diff_shift = at(s, DIFF_SHIFT),
        .workspace = at(s, WORKSPACE),
    };
    return clnorm_backward_training(cl->clnorm, cl->queue, &s->desc, &args, 0, NULL, NULL);
}

static int run(void *state)
{
    struct state *s = state;
    int status = s->op == PEER_TRAIN ? run_training(s) : s->op == PEER_INFER ? run_inference(s) : run_backward(s);
    return status ? complain("run", status) : PEER_OK;
}

static int wait(void *state)
{
    (void)state;
    cl_int status = clFinish(cl->queue);
    return status ? complain("wait", status) : PEER_OK;
}

static void teardown(void *state)
{
    struct state *s = state;
    for (int i = 0; i < BUFFER_COUNT; i++)
        if (s->buffers[i])
            clReleaseMemObject(s->buffers[i]);
    free(s);
}

static int setup(const struct peer_problem *problem, void **state)
{
    if (problem->layout == PEER_BLOCKED || problem->layout != problem->arrays) {
        fprintf(stderr, "CLNorm: no blocked layout\n");
        return PEER_UNSUPPORTED;
    }
    cl = bench_opencl();
    if (!cl)
        return PEER_FAILED;
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return complain("setup", CLNORM_OUT_OF_MEMORY);
    s->op = problem->op;
    s->desc = (clnorm_desc){
        .n = problem->n,
        .c = problem->c,
        .s = problem->d * problem->h * problem->w,
        .layout = problem->layout == PEER_NCHW ? CLNORM_CHANNELS_FIRST : CLNORM_CHANNELS_LAST,
        .type = CLNORM_FLOAT32,
        .epsilon = problem->epsilon,
    };
    int status = make_buffers(s, problem);
    if (!status && s->op == PEER_BACKWARD)
        status = run_training(s); /* its statistics are what backward is given */
    if (!status)
        status = clFinish(cl->queue);
    if (status) {
        teardown(s);
        return complain("setup", status);
    }
    *state = s;
    return PEER_OK;
}

static int read_result(void *state, float *result)
{
    struct state *s = state;
    size_t bytes = (size_t)(s->desc.n * s->desc.c * s->desc.s) * sizeof(float);
    int status = clEnqueueReadBuffer(cl->queue, s->buffers[OUT], CL_TRUE, 0, bytes, result, 0, NULL, NULL);
    return status ? complain("read", status) : PEER_OK;
}

const struct peer peer_clnorm = {"clnorm", clnorm_version,     setup, run, read_result, teardown, wait,
                                 NULL,     bench_opencl_close, false};
