/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN, by its C API, versions 2 and 3. */
#include "bench.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

/* ---- what changed from version 2 to 3: descriptions became handles, scale and shift two memories --------------- */

#if DNNL_VERSION_MAJOR >= 3

typedef const_dnnl_memory_desc_t desc_ref;
enum { SCALE_SHIFT_FLAGS = dnnl_use_scale | dnnl_use_shift };

static dnnl_status_t make_desc(dnnl_memory_desc_t *desc, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(desc, rank, dims, dnnl_f32, tag);
}

static desc_ref ref_of(const dnnl_memory_desc_t *desc)
{
    return *desc;
}

static void free_desc(dnnl_memory_desc_t *desc)
{
    if (*desc)
        dnnl_memory_desc_destroy(*desc);
}

static dnnl_status_t make_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t kind,
                                  const dnnl_memory_desc_t *data, float epsilon, unsigned flags)
{
    return dnnl_batch_normalization_forward_primitive_desc_create(pd, engine, kind, *data, *data, epsilon, flags, NULL);
}

static dnnl_status_t make_backward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const dnnl_memory_desc_t *data,
                                   float epsilon, unsigned flags, const_dnnl_primitive_desc_t hint)
{
    return dnnl_batch_normalization_backward_primitive_desc_create(pd, engine, dnnl_backward, *data, *data, *data,
                                                                   epsilon, flags, hint, NULL);
}

#else

typedef const dnnl_memory_desc_t *desc_ref;
enum { SCALE_SHIFT_FLAGS = dnnl_use_scaleshift };

static dnnl_status_t make_desc(dnnl_memory_desc_t *desc, int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_init_by_tag(desc, rank, dims, dnnl_f32, tag);
}

static desc_ref ref_of(const dnnl_memory_desc_t *desc)
{
    return desc;
}

static void free_desc(dnnl_memory_desc_t *desc)
{
    (void)desc;
}

static dnnl_status_t make_forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t kind,
                                  const dnnl_memory_desc_t *data, float epsilon, unsigned flags)
{
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t status = dnnl_batch_normalization_forward_desc_init(&desc, kind, data, epsilon, flags);
    return status ? status : dnnl_primitive_desc_create(pd, &desc, NULL, engine, NULL);
}

static dnnl_status_t make_backward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const dnnl_memory_desc_t *data,
                                   float epsilon, unsigned flags, const_dnnl_primitive_desc_t hint)
{
    dnnl_batch_normalization_desc_t desc;
    dnnl_status_t status =
        dnnl_batch_normalization_backward_desc_init(&desc, dnnl_backward, data, data, epsilon, flags);
    return status ? status : dnnl_primitive_desc_create(pd, &desc, NULL, engine, hint);
}

#endif

/* ---- state ----------------------------------------------------------------------------------------------------- */

/* A memory with an array of our own below it, aligned and touched like everyone else's. */
struct block {
    dnnl_memory_t memory;
    float *values;
};

enum { SRC, OUT, DIFF_DST, MEAN, VARIANCE, SCALE, SHIFT, DIFF_SCALE, BLOCK_COUNT };
enum { MAX_ARGS = 12 };

struct state {
    dnnl_memory_desc_t arrays, data, vector;
    dnnl_memory_desc_t pair; /* version 2: scale and shift as the rows of one matrix */
    struct block blocks[BLOCK_COUNT];
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[MAX_ARGS];
    int arg_count;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static int complain(const char *what, dnnl_status_t status)
{
    fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
    return status == dnnl_unimplemented ? PEER_UNSUPPORTED : PEER_FAILED;
}

static const char *version(void)
{
    static char text[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static dnnl_format_tag_t tag_of(enum peer_layout layout, bool volume)
{
    /* A block is a vector register. */
    bool wide = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    if (layout == PEER_NCHW)
        return volume ? dnnl_ncdhw : dnnl_nchw;
    if (layout == PEER_NHWC)
        return volume ? dnnl_ndhwc : dnnl_nhwc;
    if (volume)
        return wide ? dnnl_nCdhw16c : dnnl_nCdhw8c;
    return wide ? dnnl_nChw16c : dnnl_nChw8c;
}

static dnnl_status_t make_data_desc(const struct peer_problem *p, enum peer_layout layout, dnnl_memory_desc_t *desc)
{
    bool volume = p->d > 1;
    dnnl_dims_t dims = {(dnnl_dim_t)p->n, (dnnl_dim_t)p->c, (dnnl_dim_t)p->h, (dnnl_dim_t)p->w};
    if (volume) {
        dims[2] = (dnnl_dim_t)p->d;
        dims[3] = (dnnl_dim_t)p->h;
        dims[4] = (dnnl_dim_t)p->w;
    }
    return make_desc(desc, volume ? 5 : 4, dims, tag_of(layout, volume));
}

static dnnl_status_t make_descs(const struct peer_problem *p, struct state *s)
{
    const dnnl_dims_t vector = {(dnnl_dim_t)p->c}, pair = {2, (dnnl_dim_t)p->c};
    dnnl_status_t status = make_data_desc(p, p->arrays, &s->arrays);
    status = status ? status : make_data_desc(p, p->layout, &s->data);
    status = status ? status : make_desc(&s->vector, 1, vector, dnnl_a);
    return status ? status : make_desc(&s->pair, 2, pair, dnnl_ab);
}

static dnnl_status_t make_block(struct state *s, int which, const dnnl_memory_desc_t *desc, int arg)
{
    struct block *block = &s->blocks[which];
    block->values = bench_alloc(dnnl_memory_desc_get_size(ref_of(desc)));
    if (!block->values)
        return dnnl_out_of_memory;
    dnnl_status_t status = dnnl_memory_create(&block->memory, ref_of(desc), engine, block->values);
    if (!status && arg)
        s->args[s->arg_count++] = (dnnl_exec_arg_t){arg, block->memory};
    return status;
}

static void replace_arg(struct state *s, int old, int new)
{
    for (int i = 0; i < s->arg_count; i++)
        if (s->args[i].arg == old)
            s->args[i].arg = new;
}

/* Copies between two layouts. */
static dnnl_status_t reorder(desc_ref from, dnnl_memory_t from_memory, desc_ref to, dnnl_memory_t to_memory)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL);
    status = status ? status : dnnl_primitive_create(&primitive, pd);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from_memory}, {DNNL_ARG_TO, to_memory}};
    status = status ? status : dnnl_primitive_execute(primitive, stream, 2, args);
    status = status ? status : dnnl_stream_wait(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

/* Into a block (inwards) or out of one; values are in the layout of the problem's arrays. */
static dnnl_status_t transfer(struct state *s, int which, float *values, bool inwards)
{
    dnnl_memory_t memory;
    dnnl_status_t status = dnnl_memory_create(&memory, ref_of(&s->arrays), engine, values);
    if (status)
        return status;
    desc_ref arrays = ref_of(&s->arrays), data = ref_of(&s->data);
    status = inwards ? reorder(arrays, memory, data, s->blocks[which].memory)
                     : reorder(data, s->blocks[which].memory, arrays, memory);
    dnnl_memory_destroy(memory);
    return status;
}

#if DNNL_VERSION_MAJOR >= 3
static dnnl_status_t make_parameters(const struct peer_problem *p, struct state *s)
{
    dnnl_status_t status = make_block(s, SCALE, &s->vector, DNNL_ARG_SCALE);
    status = status ? status : make_block(s, SHIFT, &s->vector, DNNL_ARG_SHIFT);
    if (status)
        return status;
    memcpy(s->blocks[SCALE].values, p->scale, p->c * sizeof(float));
    memcpy(s->blocks[SHIFT].values, p->shift, p->c * sizeof(float));
    return dnnl_success;
}

static dnnl_status_t make_parameter_gradients(struct state *s)
{
    /* Backward takes no shift and refuses a spare argument; its memory serves for the gradient. */
    replace_arg(s, DNNL_ARG_SHIFT, DNNL_ARG_DIFF_SHIFT);
    return make_block(s, DIFF_SCALE, &s->vector, DNNL_ARG_DIFF_SCALE);
}
#else
static dnnl_status_t make_parameters(const struct peer_problem *p, struct state *s)
{
    dnnl_status_t status = make_block(s, SCALE, &s->pair, DNNL_ARG_SCALE_SHIFT);
    if (status)
        return status;
    memcpy(s->blocks[SCALE].values, p->scale, p->c * sizeof(float));
    memcpy(s->blocks[SCALE].values + p->c, p->shift, p->c * sizeof(float));
    return dnnl_success;
}

static dnnl_status_t make_parameter_gradients(struct state *s)
{
    return make_block(s, DIFF_SCALE, &s->pair, DNNL_ARG_DIFF_SCALE_SHIFT);
}
#endif

static dnnl_status_t execute(struct state *s)
{
    dnnl_status_t status = dnnl_primitive_execute(s->primitive, stream, s->arg_count, s->args);
    return status ? status : dnnl_stream_wait(stream);
}

static dnnl_status_t make_primitive(struct state *s, const_dnnl_primitive_desc_t pd)
{
    return dnnl_primitive_create(&s->primitive, pd);
}

/* Everything a forward pass takes; backward needs one first, for the statistics. */
static dnnl_status_t set_up_forward(const struct peer_problem *p, struct state *s, dnnl_primitive_desc_t *pd)
{
    bool inference = p->op == PEER_INFER;
    unsigned flags = SCALE_SHIFT_FLAGS | (inference ? (unsigned)dnnl_use_global_stats : 0);
    dnnl_status_t status = make_forward(pd, engine, inference ? dnnl_forward_inference : dnnl_forward_training,
                                        &s->data, p->epsilon, flags);
    status = status ? status : make_primitive(s, *pd);
    status = status ? status : make_block(s, SRC, &s->data, DNNL_ARG_SRC);
    status = status ? status : make_block(s, OUT, &s->data, DNNL_ARG_DST);
    status = status ? status : make_block(s, MEAN, &s->vector, DNNL_ARG_MEAN);
    status = status ? status : make_block(s, VARIANCE, &s->vector, DNNL_ARG_VARIANCE);
    status = status ? status : make_parameters(p, s);
    if (!status && inference) {
        memcpy(s->blocks[MEAN].values, p->mean, p->c * sizeof(float));
        memcpy(s->blocks[VARIANCE].values, p->variance, p->c * sizeof(float));
    }
    return status ? status : transfer(s, SRC, (float *)p->src, true);
}

/* Turns a forward state into a backward one: the array of dst becomes that of diff_src. */
static dnnl_status_t set_up_backward(const struct peer_problem *p, struct state *s, const_dnnl_primitive_desc_t hint)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = execute(s);
    dnnl_primitive_destroy(s->primitive);
    s->primitive = NULL;
    replace_arg(s, DNNL_ARG_DST, DNNL_ARG_DIFF_SRC);
    status = status ? status : make_backward(&pd, engine, &s->data, p->epsilon, SCALE_SHIFT_FLAGS, hint);
    status = status ? status : make_primitive(s, pd);
    status = status ? status : make_block(s, DIFF_DST, &s->data, DNNL_ARG_DIFF_DST);
    status = status ? status : make_parameter_gradients(s);
    status = status ? status : transfer(s, DIFF_DST, (float *)p->diff_dst, true);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

static void teardown(void *state)
{
    struct state *s = state;
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    for (int i = 0; i < BLOCK_COUNT; i++) {
        if (s->blocks[i].memory)
            dnnl_memory_destroy(s->blocks[i].memory);
        free(s->blocks[i].values);
    }
    free_desc(&s->arrays);
    free_desc(&s->data);
    free_desc(&s->vector);
    free_desc(&s->pair);
    free(s);
}

static dnnl_status_t open_engine(void)
{
    /*
     * Its cache of primitives takes nchw and nhwc for the same where the image is 1 x 1, and would hand out the one that was made
     * first, for nchw, which is 20 to 50 times slower.
     */
    dnnl_status_t status = dnnl_set_primitive_cache_capacity(0);
    if (status)
        return status;
    status = engine ? dnnl_success : dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (!status && !stream)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    return status;
}

static int setup(const struct peer_problem *problem, void **state)
{
    dnnl_status_t status = open_engine();
    if (status)
        return complain("no processor engine", status);
    struct state *s = calloc(1, sizeof *s);
    if (!s)
        return complain("setup", dnnl_out_of_memory);
    dnnl_primitive_desc_t pd = NULL;
    status = make_descs(problem, s);
    status = status ? status : set_up_forward(problem, s, &pd);
    if (!status && problem->op == PEER_BACKWARD)
        status = set_up_backward(problem, s, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (status) {
        teardown(s);
        return complain("setup", status);
    }
    *state = s;
    return PEER_OK;
}

static int run(void *state)
{
    dnnl_status_t status = execute(state);
    return status ? complain("run", status) : PEER_OK;
}

static int read_result(void *state, float *result)
{
    dnnl_status_t status = transfer(state, OUT, result, false);
    return status ? complain("read", status) : PEER_OK;
}

/* With OpenMP the caller is the first of the team, whose others are bound: see bench.c. */
static void turn(bool begins)
{
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
    bench_bind(begins ? 0 : -1);
#else
    (void)begins;
#endif
}

static void close_engine(void)
{
    if (stream)
        dnnl_stream_destroy(stream);
    if (engine)
        dnnl_engine_destroy(engine);
    stream = NULL;
    engine = NULL;
}

const struct peer peer_onednn = {"onednn", version, setup, run, read_result, teardown, NULL, turn, close_engine, false};
