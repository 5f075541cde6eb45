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
    {117, 3, 49, CLNORM_CHANNELS_FIRST},   {7, 2, 1027, CLNORM_CHANNELS_FIRST},  {37, 17, 64, CLNORM_CHANNELS_LAST},
    {606, 33, 1, CLNORM_CHANNELS_LAST},    {46, 4, 130, CLNORM_CHANNELS_FIRST},  {327, 5, 9, CLNORM_CHANNELS_FIRST},
    {13, 3, 1024, CLNORM_CHANNELS_FIRST},  {6, 3, 5000, CLNORM_CHANNELS_FIRST},  {265, 19, 7, CLNORM_CHANNELS_LAST},
    {300, 5, 1, CLNORM_CHANNELS_FIRST},    {23, 16, 400, CLNORM_CHANNELS_LAST},  {117, 6, 49, CLNORM_CHANNELS_FIRST, 3},
    {37, 8, 64, CLNORM_CHANNELS_LAST, 8},  {1, 4, 20, CLNORM_CHANNELS_FIRST},
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

typedef int step_call(const struct place *, const clnorm_desc *, const clnorm_parts *, uint64_t, const struct call_args *,
                 int is_backward);

static int first_step(const struct place *p, const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part,
                      const struct call_args *args, int is_backward)
{
    const clnorm_buffer nodes = {p->nodes, 3};

    return is_backward ? clnorm_backward_sums(p->context, p->queue, desc, parts, part, nodes, &args->backward, 0, NULL,
                                              NULL)
                       : clnorm_forward_statistics(p->context, p->queue, desc, parts, part, nodes, &args->training, 0,
                                                   NULL, NULL);
}

static int second_step(const struct place *p, const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part,
                       const struct call_args *args, int is_backward)
{
    const clnorm_buffer nodes = {p->nodes, 3};

    return is_backward ? clnorm_backward_apply(p->context, p->queue, desc, parts, part, nodes, &args->backward, 0, NULL,
                                               NULL)
                       : clnorm_forward_apply(p->context, p->queue, desc, parts, part, nodes, &args->training, 0, NULL,
                                              NULL);
}

static int run_step(step_call *step, const struct place *place, const struct call *call, const clnorm_parts *parts,
                    uint64_t part, uint64_t adding)
{
    struct call_args args;
    clnorm_desc desc = call->desc;

    desc.n = parts->samples[part];
    part_args(call, place, parts, part, part == adding, &args);
    const int status = step(place, &desc, parts, part, &args, call->operation == CLNORM_BACKWARD_TRAINING);
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
    ck_assert_int_eq(
        clEnqueueFillBuffer(place->queue, place->nodes, &band, 4, 0, (elements + 6) * 4, 0, NULL, NULL), CL_SUCCESS);
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
            parts_compare(places[i].buffers, places[i].queue, call, want, 1, CLNORM_BITS_SAME, finding);
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
static struct call make_call(size_t number, int way, int is_backward)
{
    struct call call = {.operation = is_backward ? CLNORM_BACKWARD_TRAINING : CLNORM_FORWARD_TRAINING,
                        .alias = OUT,
                        .momentum = 0.25f};
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

static int has_part(const struct clnorm__variant *v, int is_backward, int is_merging)
{
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
        return is_backward && !is_merging;
    case CLNORM__FINISH_CHANNELS:
        return !is_backward && is_merging;
    case CLNORM__DIFF_FINISH_CHANNELS:
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
    for (int is_backward = 0; is_backward < 2; is_backward++) {
        const struct call call = make_call(number, way, is_backward);
        struct values inputs = {0}, want = {0};
        uint64_t samples[MOST];
        const clnorm_parts parts = {divide(&call.desc, way, seed, samples), samples, CLNORM_MERGE_SAME_BITS};
        char text[320], division[400];

        values_make(&inputs, &call.desc, way % 2 ? CASE_CLASSES : CASE_NORMAL);
        values_copy(&want, &inputs);
        call_model(&call, &want);
        for (size_t i = 0; i < run->subject_count; i++) {
            struct subject *subject = &run->subjects[i];
            struct place place = {subject->context, run->rig.queue, &run->parts, NULL};
            struct finding finding;

            if (!has_part(subject->variant, is_backward, cases[number].channels > 1) ||
                (i > 0 && (way % 3 || (i + number + (size_t)way) % run->step)))
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
    run.step = fixture_is_small() ? 4 : 2;
    for (size_t i = 0; i < (fixture_is_small() ? SMALL_CASES : CASES); i++)
        for (int way = 0; way < WAYS; way++)
            run_case(&run, i, way, &seed);
    ck_assert_uint_lt(run.unfit, run.calls);
    for (size_t i = 0; i < run.subject_count && !fixture_is_small(); i++)
        ck_assert_msg(run.subjects[i].made > 0 || (!has_part(run.subjects[i].variant, 0, 0) &&
                                                   !has_part(run.subjects[i].variant, 1, 0) &&
                                                   !has_part(run.subjects[i].variant, 0, 1) &&
                                                   !has_part(run.subjects[i].variant, 1, 1)),
                      "%s had no call", run.subjects[i].name);
    ck_assert_msg(run.reports == 0, "%u calls differ from the model, the first of them above", run.reports);
    close_run(&run);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *tests = tcase_create("parts");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, test_bits, 0, (int)device_count);
    suite_add_tcase(suite, tests);
    int status = suite_run(suite);
    fixture_remove_folders();
    return status;
}
