/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch in parts (clnorm_parts.h): the steps of forward and backward as calls of their own give the bits of the model on the whole batch,
 * by every kernel variant that has a part in them, for parts of all sizes, empty ones too; on two devices, where there are two, whose nodes
 * travel by way of the host; and what is refused.
 * CLNORM_TEST_DEVICE selects one device, CLNORM_TEST_SMALL a smaller set of cases for slow ones.
 */
#include "fixture/suite.h"
#include "fixture/subjects.h"

#include "clnorm_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;

/* Samples a leaf, leaves a sample, and a last leaf that is short; the first ones are for slow devices. */
static const struct {
    uint64_t n, c, s;
    enum clnorm_layout layout;
    uint64_t channels; /* of a group; 0: each by itself */
} cases[] = {
    {117, 3, 49, CLNORM_CHANNELS_FIRST},  {7, 2, 1027, CLNORM_CHANNELS_FIRST}, {37, 17, 64, CLNORM_CHANNELS_LAST},
    {606, 33, 1, CLNORM_CHANNELS_LAST},   {46, 4, 130, CLNORM_CHANNELS_FIRST}, {327, 5, 9, CLNORM_CHANNELS_FIRST},
    {13, 3, 1024, CLNORM_CHANNELS_FIRST}, {6, 3, 5000, CLNORM_CHANNELS_FIRST}, {265, 19, 7, CLNORM_CHANNELS_LAST},
    {300, 5, 1, CLNORM_CHANNELS_FIRST},   {23, 16, 400, CLNORM_CHANNELS_LAST}, {117, 6, 49, CLNORM_CHANNELS_FIRST, 3},
    {37, 8, 64, CLNORM_CHANNELS_LAST, 8}, {1, 4, 20, CLNORM_CHANNELS_FIRST},
};
enum { CASES = sizeof cases / sizeof *cases, SMALL_CASES = 4, MOST = 40 };

/* ---- how a batch is divided ---- */

/* Ways to divide a batch: whole; its leaves' borders by 2, 3, 8, one after another; by chance, with empty parts. */
enum { WAYS = 7 };

static unsigned random_below(uint64_t *seed, unsigned end)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % end;
}

static size_t divide(const clnorm_desc *desc, int way, uint64_t *seed, uint64_t samples[MOST])
{
    static const unsigned equal[WAYS] = {1, 2, 3, 8, MOST};
    uint64_t multiple, left = desc->n;
    size_t count = 0;

    ck_assert_int_eq(clnorm_get_part_multiple(desc, &multiple), CLNORM_SUCCESS);
    const unsigned units = (unsigned)((desc->n + multiple - 1) / multiple), parts = equal[way] ? equal[way] : MOST;
    for (; count < parts && (left > 0 || equal[way]); count++) {
        const unsigned mean = (units + parts - 1) / parts;
        uint64_t n = (equal[way] ? mean : random_below(seed, units / 3 + 2)) * multiple;

        if (n > left || count + 1 == parts)
            n = left;
        samples[count] = n;
        left -= n;
    }
    return count;
}

/* ---- calls ---- */

/* Where parts run: a context with buffers of the whole batch. */
struct place {
    clnorm_context *context;
    cl_command_queue queue;
    struct parts *buffers;
    cl_mem nodes;
    enum clnorm_bits bits; /* that its device promises, and so those of nodes that come from there */
};

static clnorm_buffer moved(clnorm_buffer buffer, uint64_t elements)
{
    buffer.offset += elements;
    return buffer;
}

/* What part number `part` passes: its tensors lie in the whole batch's; only one of all parts adds to what is there. */
static void part_args(const struct call *call, const struct place *place, const clnorm_parts *parts, uint64_t part,
                      int is_adding, struct call_args *args)
{
    clnorm_buffer b[PARTS] = {{0}};
    uint64_t before = 0;

    for (uint64_t i = 0; i < part; i++)
        before += parts->samples[i];
    before *= call->desc.c * call->desc.s;
    for (unsigned s = 0; s < PARTS; s++) {
        const enum slot slot = s == OUT ? call->alias : (enum slot)s;
        const struct part *p = &place->buffers->part[slot];
        const unsigned added = BIT(RUNNING_MEAN) | BIT(RUNNING_VARIANCE) |
                               (call->accumulate & CLNORM_ACCUMULATE_DIFF_SCALE ? BIT(DIFF_SCALE) : 0);

        if ((s != WORKSPACE && !(call_slots(call) & BIT(s))) || (added & BIT(s) && !is_adding))
            continue;
        b[s] = (clnorm_buffer){p->mem, p->offset};
        if (s == MASK)
            b[s] = moved(b[s], before / 32);
        else if (s != WORKSPACE && is_tensor((enum slot)s))
            b[s] = moved(b[s], before);
    }
    call_args_make(call, b, args);
}

typedef int step_call(const struct place *, const clnorm_desc *, const clnorm_parts *, uint64_t,
                      const struct call_args *, enum clnorm_operation);

#define STEP(name, forward_, backward_, frozen_)                                                                       \
    static int name(const struct place *p, const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part,          \
                    const struct call_args *args, enum clnorm_operation operation)                                     \
    {                                                                                                                  \
        const clnorm_buffer nodes = {p->nodes, 3};                                                                     \
                                                                                                                       \
        if (operation == CLNORM_FORWARD_TRAINING)                                                                      \
            return forward_(p->context, p->queue, desc, parts, part, nodes, &args->training, 0, NULL, NULL);           \
        if (operation == CLNORM_BACKWARD_TRAINING)                                                                     \
            return backward_(p->context, p->queue, desc, parts, part, nodes, &args->backward, 0, NULL, NULL);          \
        return frozen_(p->context, p->queue, desc, parts, part, nodes, &args->frozen, 0, NULL, NULL);                  \
    }
STEP(first_step, clnorm_forward_statistics, clnorm_backward_sums, clnorm_backward_frozen_sums)
STEP(second_step, clnorm_forward_apply, clnorm_backward_apply, clnorm_backward_frozen_apply)

static int run_step(step_call *step, const struct place *place, const struct call *call, const clnorm_parts *parts,
                    uint64_t part, uint64_t adding)
{
    struct call_args args;
    clnorm_desc desc = call->desc;

    desc.n = parts->samples[part];
    part_args(call, place, parts, part, part == adding, &args);
    const int status = step(place, &desc, parts, part, &args, call->operation);
    ck_assert_int_eq(clFinish(place->queue), CL_SUCCESS);
    return status;
}

/* Nodes that one place made, to all others. */
static void send_nodes(const struct place *places, size_t count, size_t from, uint64_t first, uint64_t elements)
{
    float *nodes = malloc((elements + 1) * sizeof(float));

    ck_assert_ptr_nonnull(nodes);
    for (size_t i = 0; i < count && elements; i++)
        if (i == 0)
            ck_assert_int_eq(clEnqueueReadBuffer(places[from].queue, places[from].nodes, CL_TRUE, (first + 3) * 4,
                                                 elements * 4, nodes, 0, NULL, NULL),
                             CL_SUCCESS);
    for (size_t i = 0; i < count && elements; i++)
        ck_assert_int_eq(clEnqueueWriteBuffer(places[i].queue, places[i].nodes, CL_TRUE, (first + 3) * 4, elements * 4,
                                              nodes, 0, NULL, NULL),
                         CL_SUCCESS);
    free(nodes);
}

/* A buffer for all nodes, in guard bands of three floats that are as nothing else is. */
static void nodes_open(struct place *place, uint64_t elements)
{
    cl_context cl = place->buffers->cl;
    const float band = 12345.0f;
    cl_int e;

    place->nodes = clCreateBuffer(cl, CL_MEM_READ_WRITE, (elements + 6) * 4, NULL, &e);
    ck_assert_int_eq(e, CL_SUCCESS);
    ck_assert_int_eq(clEnqueueFillBuffer(place->queue, place->nodes, &band, 4, 0, (elements + 6) * 4, 0, NULL, NULL),
                     CL_SUCCESS);
    ck_assert_int_eq(clFinish(place->queue), CL_SUCCESS);
}

static void nodes_close(struct place *place, uint64_t elements)
{
    float bands[6];

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(clEnqueueReadBuffer(place->queue, place->nodes, CL_TRUE, i ? (elements + 3) * 4 : 0, 12,
                                             bands + 3 * i, 0, NULL, NULL),
                         CL_SUCCESS);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(bands[i] == 12345.0f, "a guard band of the nodes was written");
    clReleaseMemObject(place->nodes);
}

/*
 * All parts of a call: the first step of each at one of the places in turn, then the second of all parts at every place, which is compared
 * with what is wanted. Returns the first status that is no success.
 */
static int run_parts(struct place *places, size_t count, const struct call *call, const clnorm_parts *parts,
                     const struct values *inputs, const struct values *want, struct finding *finding)
{
    uint64_t all, none, first, elements;
    int status = clnorm_get_part_nodes(call->operation, &call->desc, parts, parts->count, &all, &none);
    const uint64_t adding = all % parts->count;

    memset(finding, 0, sizeof(*finding));
    ck_assert_int_eq(status, CLNORM_SUCCESS);
    ck_assert_uint_eq(none, 0);
    for (size_t i = 0; i < count; i++) {
        size_t most = 0;

        for (uint64_t part = 0; part < parts->count; part++) {
            clnorm_desc desc = call->desc;
            size_t bytes = 0;

            desc.n = parts->samples[part];
            status = clnorm_get_part_workspace_bytes(places[i].context, call->operation, &desc, parts, part, &bytes);
            if (status != CLNORM_SUCCESS)
                return status;
            most = bytes > most ? bytes : most;
        }
        parts_fill(places[i].buffers, places[i].queue, call, inputs, most);
        nodes_open(&places[i], all);
    }
    for (uint64_t part = 0; part < parts->count && status == CLNORM_SUCCESS; part++) {
        ck_assert_int_eq(clnorm_get_part_nodes(call->operation, &call->desc, parts, part, &first, &elements),
                         CLNORM_SUCCESS);
        status = run_step(first_step, &places[part % count], call, parts, part, adding);
        if (status == CLNORM_SUCCESS && count > 1)
            send_nodes(places, count, part % count, first, elements);
    }
    for (size_t i = 0; i < count && status == CLNORM_SUCCESS; i++) {
        for (uint64_t part = 0; part < parts->count && status == CLNORM_SUCCESS; part++)
            status = run_step(second_step, &places[i], call, parts, part, adding);
        if (status == CLNORM_SUCCESS && finding->differences == 0)
            parts_compare(places[i].buffers, places[i].queue, call, want, 1, places[i].bits, finding);
    }
    for (size_t i = 0; i < count; i++)
        nodes_close(&places[i], all);
    return status;
}

static const char *parts_text(const clnorm_parts *parts, char text[400])
{
    int length = 0;

    for (uint64_t i = 0; i < parts->count && length < 380; i++)
        length += snprintf(text + length, 400 - (size_t)length, "%s%llu", i ? "+" : "",
                           (unsigned long long)parts->samples[i]);
    return text;
}

/* Forward and backward; of other types, with what is beside the normalization. */
static struct call make_call(size_t number, int way, int pass)
{
    static const enum clnorm_operation operations[] = {CLNORM_FORWARD_TRAINING, CLNORM_BACKWARD_TRAINING,
                                                       CLNORM_BACKWARD_FROZEN};
    struct call call = {.operation = operations[pass], .alias = OUT, .momentum = 0.25f};
    const int is_backward = pass > 0;
    const int is_masked = cases[number].c * cases[number].s % 32 == 0;

    call.desc = (clnorm_desc){.n = cases[number].n, .c = cases[number].c, .s = cases[number].s, .epsilon = 1e-5f};
    call.desc.layout = cases[number].layout;
    call.desc.group_channels = cases[number].channels;
    if (way % 3 == 0)
        return call;
    call.desc.type = (enum clnorm_type)(way % 3);
    call.desc.activation = CLNORM_CLIPPED_RELU(1.5f);
    call.extras = is_backward ? BIT(DIFF_RESIDUAL) | (is_masked ? BIT(MASK) : BIT(GATE))
                              : BIT(RESIDUAL) | (is_masked ? BIT(MASK) : 0);
    call.accumulate = is_backward ? CLNORM_ACCUMULATE_DIFF_SCALE : 0;
    return call;
}

/* ---- every variant ---- */

static int has_part(const struct clnorm__variant *v, int pass, int is_merging)
{
    const int is_backward = pass > 0;

    if (!v)
        return 1;
    switch (v->step) {
    case CLNORM__STATS:
    case CLNORM__NODES:
    case CLNORM__MERGE:
        return !is_backward;
    case CLNORM__DIFF_STATS:
    case CLNORM__DIFF_NODES:
    case CLNORM__DIFF_MERGE:
        return is_backward;
    case CLNORM__FINISH:
        return !is_backward && !is_merging;
    case CLNORM__DIFF_FINISH:
        return is_backward && (!is_merging || pass == 2);
    case CLNORM__FINISH_CHANNELS:
        return !is_backward && is_merging;
    case CLNORM__DIFF_FINISH_CHANNELS:
        return pass == 1 && is_merging;
    case CLNORM__SPREAD:
        return is_backward && is_merging;
    case CLNORM__APPLY:
        return 1;
    default:
        return 0;
    }
}

static void run_case(struct run *run, size_t number, int way, uint64_t *seed)
{
    for (int pass = 0; pass < 3; pass++) {
        const struct call call = make_call(number, way, pass);
        struct values inputs = {0}, want = {0};
        uint64_t samples[MOST];
        const clnorm_parts parts = {divide(&call.desc, way, seed, samples), samples, CLNORM_MERGE_SAME_BITS};
        char text[320], division[400];

        values_make(&inputs, &call.desc, way % 2 ? CASE_CLASSES : CASE_NORMAL);
        values_copy(&want, &inputs);
        call_model(&call, &want);
        for (size_t i = 0; i < run->subject_count; i++) {
            struct subject *subject = &run->subjects[i];
            const int is_typed = way % 3 > 0; /* by a row that compiles fast: test_features has the others */
            struct place place = {subject->context, run->rig.queue, &run->parts, NULL, run->rig.info.bits};
            struct finding finding;

            if (!has_part(subject->variant, pass, cases[number].channels > 1) ||
                (is_typed ? !subject->variant || strcmp(subject->variant->name, "apply_naive") != 0
                          : i > 0 && (i + number + (size_t)way) % run->step))
                continue;
            pool_to_context(&run->pools[0], subject->context);
            const int status = run_parts(&place, 1, &call, &parts, &inputs, &want, &finding);
            pool_from_context(&run->pools[0], subject->context);
            run->calls++;
            if (status == CLNORM_NO_VARIANT && subject->variant) {
                run->unfit++;
                continue;
            }
            subject->made++;
            if ((status != CLNORM_SUCCESS || finding.differences) && run->reports++ < MAX_REPORTS)
                printf("difference: %s, parts %s, %s, %s: status %d, %zu differences: %s\n", call_text(&call, text),
                       parts_text(&parts, division), subject->name, run->rig.info.platform_name, status,
                       finding.differences, finding.text);
        }
        values_free(&inputs);
        values_free(&want);
    }
}

START_TEST(test_bits)
{
    static struct run run;
    uint64_t seed = 1;

    open_run(&run, &devices[_i], 0);
    run.step = fixture_is_small() ? 4 : 3;
    const int is_simulator = fixture_is_simulator(&devices[_i]);

    run.step = is_simulator ? 6 : run.step;
    for (size_t i = 0; i < (is_simulator ? 2 : fixture_is_small() ? SMALL_CASES : CASES); i++)
        for (int way = is_simulator ? 3 : 0; way < (is_simulator ? 4 : WAYS);
             way++) /* a simulator: eight parts, by variants in turn */
            run_case(&run, i, way, &seed);
    ck_assert_uint_lt(run.unfit, run.calls);
    for (size_t i = 0; i < run.subject_count && !fixture_is_small(); i++)
        ck_assert_msg(run.subjects[i].made > 0 ||
                          (!has_part(run.subjects[i].variant, 0, 0) && !has_part(run.subjects[i].variant, 1, 0) &&
                           !has_part(run.subjects[i].variant, 0, 1) && !has_part(run.subjects[i].variant, 1, 1)),
                      "%s had no call", run.subjects[i].name);
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

/* ---- two devices ---- */

/* A device beside the one of the tests; returns whether there is one. */
static int find_other(const clnorm_device_info *first, clnorm_device_info *other)
{
    clnorm_device_info infos[FIXTURE_DEVICES];
    size_t count;

    ck_assert_int_eq(clnorm_list_devices(FIXTURE_DEVICES, infos, &count), CLNORM_SUCCESS);
    for (size_t i = 0; i < count && i < FIXTURE_DEVICES; i++)
        if (infos[i].device != first->device && infos[i].bits != CLNORM_BITS_NONE) {
            *other = infos[i];
            return 1;
        }
    return 0;
}

/* Parts in turn on two contexts, of two platforms where there are two: their nodes travel by way of the host. */
START_TEST(test_two_places)
{
    struct rig rigs[2];
    struct parts buffers[2] = {{0}};
    struct place places[2];
    clnorm_device_info infos[2] = {fixture_device(), fixture_device()};
    const int has_other = find_other(&infos[0], &infos[1]);
    const enum clnorm_bits bits = infos[0].bits < infos[1].bits ? infos[0].bits : infos[1].bits;
    uint64_t seed = 7;

    printf("places: %s and %s\n", infos[0].platform_name, has_other ? infos[1].platform_name : "another context");
    for (int i = 0; i < 2; i++) {
        rig_open(&rigs[i], &infos[i], 1);
        buffers[i].cl = rigs[i].cl;
        places[i] = (struct place){rigs[i].context, rigs[i].queue, &buffers[i], NULL, bits};
    }
    for (size_t number = 0; number < SMALL_CASES; number++)
        for (int is_backward = 0; is_backward < 2; is_backward++) {
            const struct call call = make_call(number, 0, is_backward);
            struct values inputs = {0}, want = {0};
            uint64_t samples[MOST];
            const clnorm_parts parts = {divide(&call.desc, 5, &seed, samples), samples, CLNORM_MERGE_SAME_BITS};
            struct finding finding;
            char text[320], division[400];

            values_make(&inputs, &call.desc, CASE_CLASSES);
            values_copy(&want, &inputs);
            call_model(&call, &want);
            ck_assert_int_eq(run_parts(places, 2, &call, &parts, &inputs, &want, &finding), CLNORM_SUCCESS);
            ck_assert_msg(finding.differences == 0, "%s, parts %s: %s", call_text(&call, text),
                          parts_text(&parts, division), finding.text);
            values_free(&inputs);
            values_free(&want);
        }
    for (int i = 0; i < 2; i++) {
        parts_free(&buffers[i]);
        rig_close(&rigs[i]);
    }
}
END_TEST

/* ---- merged by counts ---- */

/* The results of a call are near those that are wanted: twice what the contract allows either of them. */
static void check_near(struct parts *buffers, cl_command_queue queue, const struct values *want, enum slot slot)
{
    const float *is = part_read(buffers, queue, slot);

    for (size_t i = 0; i < want->count[slot]; i++)
        ck_assert_msg(fabsf(is[i] - want->slot[slot][i]) <= 8e-7f * fmaxf(3.0f, fabsf(want->slot[slot][i])),
                      "%s[%zu] is %.9g, should be near %.9g", slot_name(CLNORM_FORWARD_TRAINING, slot), i,
                      (double)is[i], (double)want->slot[slot][i]);
}

START_TEST(test_by_counts)
{
    static const uint64_t divisions[][6] = {{1, 1, 35}, {0, 5, 0, 31, 1, 0}, {37}, {13, 7, 17}};
    const clnorm_device_info info = fixture_device();
    struct rig rig;
    struct parts buffers = {0};

    rig_open(&rig, &info, 1);
    buffers.cl = rig.cl;
    for (size_t d = 0; d < sizeof divisions / sizeof *divisions; d++)
        for (int last = 0; last < 2; last++) {
            struct call call = {.operation = CLNORM_FORWARD_TRAINING, .alias = OUT, .momentum = 0.25f};
            const clnorm_parts parts = {6, divisions[d], CLNORM_MERGE_BY_COUNTS};
            struct place place = {rig.context, rig.queue, &buffers, NULL, info.bits};
            struct values inputs = {0}, want = {0};
            struct finding finding;

            call.desc = (clnorm_desc){.n = 37, .c = 5, .s = 50, .epsilon = 1e-5f};
            call.desc.layout = last ? CLNORM_CHANNELS_LAST : CLNORM_CHANNELS_FIRST;
            values_make(&inputs, &call.desc, CASE_OFFSET_1E6);
            values_copy(&want, &inputs);
            call_model(&call, &want);
            ck_assert_int_eq(run_parts(&place, 1, &call, &parts, &inputs, &want, &finding), CLNORM_SUCCESS);
            ck_assert_msg(d != 2 || finding.differences == 0, "one part is the whole: %s", finding.text);
            check_near(&buffers, rig.queue, &want, OUT);
            call.operation = CLNORM_BACKWARD_TRAINING;
            values_free(&want);
            values_copy(&want, &inputs);
            call_model(&call, &want);
            ck_assert_int_eq(run_parts(&place, 1, &call, &parts, &inputs, &want, &finding), CLNORM_SUCCESS);
            ck_assert_msg(d != 2 || finding.differences == 0, "one part is the whole: %s", finding.text);
            check_near(&buffers, rig.queue, &want, OUT);
            values_free(&inputs);
            values_free(&want);
        }
    parts_free(&buffers);
    rig_close(&rig);
}
END_TEST

/* A batch without samples: gradients of scale and shift are 0, and nothing else is written. */
START_TEST(test_nothing)
{
    static const uint64_t samples[] = {0, 0, 0};
    const clnorm_parts parts = {3, samples, CLNORM_MERGE_SAME_BITS};
    const clnorm_device_info info = fixture_device();
    struct rig rig;
    struct parts buffers = {0};

    rig_open(&rig, &info, 1);
    buffers.cl = rig.cl;
    for (int way = 0; way < 3; way++) {
        struct call call = make_call(0, 0, way > 0);
        struct place place = {rig.context, rig.queue, &buffers, NULL, info.bits};
        struct values inputs = {0};
        struct finding finding;

        call.desc.n = 0;
        call.absent = way == 1 ? BIT(DIFF_SCALE) | BIT(DIFF_SHIFT) : 0;
        values_make(&inputs, &call.desc, CASE_NORMAL);
        ck_assert_int_eq(run_parts(&place, 1, &call, &parts, &inputs, &inputs, &finding), CLNORM_SUCCESS);
        parts_compare(&buffers, rig.queue, &call, &inputs, 0, CLNORM_BITS_SAME, &finding);
        ck_assert_msg(way == 2 || finding.differences == 0, "%s", finding.text);
        for (uint64_t i = 0; i < 2 * call.desc.c && way == 2; i++) {
            const float *gradient = part_read(&buffers, rig.queue, i % 2 ? DIFF_SCALE : DIFF_SHIFT);

            ck_assert_msg(gradient[i / 2] == 0, "a gradient is %g", (double)gradient[i / 2]);
        }
        values_free(&inputs);
    }
    parts_free(&buffers);
    rig_close(&rig);
}
END_TEST

/* ---- what is refused ---- */

START_TEST(test_refused)
{
    static const uint64_t good[] = {16, 37}, bad[] = {17, 36}, huge[] = {UINT64_MAX, 2};
    const clnorm_device_info info = fixture_device();
    const clnorm_desc desc = {.n = 16, .c = 2, .s = 49, .epsilon = 1e-5f};
    const struct {
        clnorm_parts parts;
        uint64_t part, n, group_samples;
        int status;
        const char *word;
    } refused[] = {
        {{2, NULL, 0}, 0, 16, 0, CLNORM_INVALID_ARGUMENT, "parts->samples is NULL"},
        {{0, good, 0}, 0, 16, 0, CLNORM_INVALID_PARTS, "a batch of 0 parts"},
        {{CLNORM_MOST_PARTS + 1, good, 0}, 0, 16, 0, CLNORM_INVALID_PARTS, "a batch of 65537 parts"},
        {{2, good, 2}, 0, 16, 0, CLNORM_INVALID_ENUM, "merge is 2"},
        {{2, good, 0}, 2, 16, 0, CLNORM_INVALID_PARTS, "part number 2, counted from 0; there are 2"},
        {{2, good, 0}, 1, 16, 0, CLNORM_INVALID_PARTS, "desc->n is 16; part number 1 has 37 samples"},
        {{2, bad, 0},
         0,
         17,
         0,
         CLNORM_INVALID_PARTS,
         "part 1 begins at sample 17; for the same bits parts of this shape begin at multiples of 16 samples"},
        {{2, huge, 0}, 1, 2, 0, CLNORM_SIZE_OVERFLOW, "more than 2^54 samples"},
        {{2, good, 0}, 0, 16, 8, CLNORM_INVALID_GROUP, "group_samples is 8"},
    };
    struct rig rig;
    struct call_args args = {0};
    size_t bytes = 77;

    rig_open(&rig, &info, 1);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        clnorm_desc d = desc;
        const clnorm_buffer none = {NULL, 0};

        d.n = refused[i].n;
        d.group_samples = refused[i].group_samples;
        messages_clear(&rig.messages);
        ck_assert_int_eq(clnorm_forward_statistics(rig.context, rig.queue, &d, &refused[i].parts, refused[i].part, none,
                                                   &args.training, 0, NULL, NULL),
                         refused[i].status);
        ck_assert_msg(messages_have(&rig.messages, refused[i].word), "case %zu: %s", i, rig.messages.text);
        ck_assert_int_eq(clnorm_backward_apply(rig.context, rig.queue, &d, &refused[i].parts, refused[i].part, none,
                                               &args.backward, 0, NULL, NULL),
                         refused[i].status);
        ck_assert_int_eq(clnorm_get_part_workspace_bytes(rig.context, CLNORM_FORWARD_TRAINING, &d, &refused[i].parts,
                                                         refused[i].part, &bytes),
                         refused[i].status);
    }
    ck_assert_uint_eq(bytes, 77);
    ck_assert_int_eq(clnorm_forward_apply(rig.context, rig.queue, &desc, NULL, 0, (clnorm_buffer){NULL, 0},
                                          &args.training, 0, NULL, NULL),
                     CLNORM_INVALID_ARGUMENT);
    ck_assert_int_eq(
        clnorm_forward_apply(NULL, rig.queue, &desc, NULL, 0, (clnorm_buffer){NULL, 0}, &args.training, 0, NULL, NULL),
        CLNORM_INVALID_CONTEXT);
    rig_close(&rig);
}
END_TEST

/* Buffers of the calls: nodes that are missing, too small, or lie where something else does; a workspace of a lesser call. */
START_TEST(test_refused_buffers)
{
    static const uint64_t samples[] = {16, 21};
    const clnorm_parts parts = {2, samples, CLNORM_MERGE_SAME_BITS};
    const clnorm_device_info info = fixture_device();
    const clnorm_desc desc = {.n = 16, .c = 2, .s = 49, .epsilon = 1e-5f};
    struct rig rig;
    uint64_t all, none;
    cl_int e;

    rig_open(&rig, &info, 1);
    cl_mem big = clCreateBuffer(rig.cl, CL_MEM_READ_WRITE, 1 << 20, NULL, &e);
    ck_assert_int_eq(e, CL_SUCCESS);
    ck_assert_int_eq(clnorm_get_part_nodes(CLNORM_FORWARD_TRAINING, &desc, &parts, 2, &all, &none), CLNORM_SUCCESS);
    ck_assert_uint_eq(all, 3 * 5 * 2); /* leaves 0, 1 and 2 of two channels */
    const clnorm_forward_training_args args = {.src = {big, 0}, .dst = {big, 10000}, .workspace = {big, 20000}};
    const struct {
        clnorm_buffer nodes;
        int status;
        const char *word;
    } refused[] = {
        {{NULL, 0}, CLNORM_MISSING_BUFFER, "nodes is NULL; it is required, a buffer of 30 elements"},
        {{big, (1 << 18) - 19}, CLNORM_BUFFER_TOO_SMALL, "nodes holds 262144 elements, less than offset 262125 + 30"},
        {{big, 100}, CLNORM_BUFFER_OVERLAP, "nodes (bytes 400 to 520) and src"},
        {{big, 20010}, CLNORM_BUFFER_OVERLAP, "workspace"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        messages_clear(&rig.messages);
        ck_assert_int_eq(
            clnorm_forward_statistics(rig.context, rig.queue, &desc, &parts, 0, refused[i].nodes, &args, 0, NULL, NULL),
            refused[i].status);
        ck_assert_msg(messages_have(&rig.messages, refused[i].word), "case %zu: %s", i, rig.messages.text);
    }
    clnorm_forward_training_args small = args;
    small.workspace.offset = (1 << 18) - 4;
    messages_clear(&rig.messages);
    ck_assert_int_eq(clnorm_forward_apply(rig.context, rig.queue, &desc, &parts, 0, (clnorm_buffer){big, 5000}, &small,
                                          0, NULL, NULL),
                     CLNORM_WORKSPACE_TOO_SMALL);
    small.workspace.mem = NULL;
    ck_assert_int_eq(clnorm_forward_apply(rig.context, rig.queue, &desc, &parts, 0, (clnorm_buffer){big, 5000}, &small,
                                          0, NULL, NULL),
                     CLNORM_MISSING_WORKSPACE);
    ck_assert(messages_have(&rig.messages, "clnorm_get_part_workspace_bytes"));
    ck_assert_int_eq(clnorm_get_part_nodes(CLNORM_FORWARD_INFERENCE, &desc, &parts, 0, &all, &none),
                     CLNORM_INVALID_ENUM);
    clReleaseMemObject(big);
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *tests = tcase_create("parts"), *places = tcase_create("places"); /* ci/rusticl runs the latter alone */

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(tests, 0);
    tcase_add_test(tests, test_refused);
    tcase_add_test(tests, test_refused_buffers);
    tcase_add_test(tests, test_nothing);
    tcase_add_test(tests, test_by_counts);
    tcase_set_timeout(places, 0);
    tcase_add_test(places, test_two_places);
    tcase_add_loop_test(tests, test_bits, 0, (int)device_count);
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, places);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
