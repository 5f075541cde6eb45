/* SPDX-License-Identifier: Apache-2.0 */
#include "subjects.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * What other devices would make of a variant: few or many compute units mean long or short blocks of leaves, every width of
 * vectors is a program of its own (0: the device's; ci/lesser-cpu has the smallest), and a tensor too large for the cache is stored
 * past it.
 */
static const struct machine {
    unsigned units, vector;
    uint64_t cache_bytes;
} machines[MACHINES] = {{0, 0, 0}, {1, 0, 1 << 26}, {997, 8, 1 << 10}, {37, 16, 1 << 14}};

static void add_subject(struct run *run, const struct clnorm__variant *variant, const struct machine *machine)
{
    clnorm_context_options options = messages_options(&run->rig.messages);
    struct subject *subject = &run->subjects[run->subject_count++];

    ck_assert_uint_le(run->subject_count, MAX_SUBJECTS);
    subject->variant = variant;
    options.variants = variant ? variant->name : NULL;
    ck_assert_int_eq(clnorm_create_context(run->rig.cl, run->rig.info.device, &options, &subject->context),
                     CLNORM_SUCCESS);
    snprintf(subject->name, sizeof(subject->name), "%s", variant ? variant->name : "free choice");
    if (machine->units) {
        subject->context->device.compute_units = machine->units;
        if (machine->vector)
            subject->context->device.vector = machine->vector;
        subject->context->device.cache_bytes = machine->cache_bytes;
        snprintf(subject->name, sizeof(subject->name), "%s (units %u, vector %u, cache %llu)", variant->name,
                 machine->units, subject->context->device.vector, (unsigned long long)machine->cache_bytes);
    }
}

void open_run(struct run *run, const clnorm_device_info *info, int has_machines)
{
    static const struct machine own = {0, 0, 0};

    memset(run, 0, sizeof(*run));
    run->digest = CASE_HASH_START;
    rig_open(&run->rig, info, 0);
    run->parts.cl = run->rig.cl;
    add_subject(run, NULL, &own);
    for (size_t i = 0; clnorm_variant_name(i); i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        int is_small_step = v->step == CLNORM__FINISH || v->step == CLNORM__DIFF_FINISH || v->kind == CLNORM__ANY;

        ck_assert_str_eq(clnorm_variant_name(i), v->name);
        add_subject(run, v, &own);
        for (unsigned m = 1; m < MACHINES && has_machines && !is_small_step; m++)
            add_subject(run, v, &machines[m]);
    }
}

void close_run(struct run *run)
{
    parts_free(&run->parts);
    for (size_t i = 0; i < run->subject_count; i++)
        ck_assert_int_eq(clnorm_release_context(&run->subjects[i].context), CLNORM_SUCCESS);
    rig_close(&run->rig);
}

int has_step(enum clnorm_operation operation, const struct clnorm__variant *variant)
{
    if (!variant)
        return 1;
    switch (variant->step) {
    case CLNORM__STATS:
    case CLNORM__FINISH:
    case CLNORM__FUSED:
        return operation == CLNORM_FORWARD_TRAINING;
    case CLNORM__DIFF_FUSED:
        return operation == CLNORM_BACKWARD_TRAINING;
    case CLNORM__DIFF_STATS:
    case CLNORM__DIFF_FINISH:
        return operation == CLNORM_BACKWARD_TRAINING || operation == CLNORM_BACKWARD_FROZEN;
    case CLNORM__COEFFICIENTS:
        return operation == CLNORM_FORWARD_INFERENCE || operation == CLNORM_BACKWARD_FROZEN;
    default:
        return 1;
    }
}

void run_subject(struct run *run, struct subject *subject, const struct call *call, const char *data,
                 const struct values *inputs, const struct values *want)
{
    struct finding finding;
    char text[256];
    int status =
        call_run(subject->context, run->rig.queue, call, &run->parts, inputs, want, run->rig.info.bits, &finding);

    run->calls++;
    if (status == CLNORM_NO_VARIANT && subject->variant) {
        run->unfit++;
        return;
    }
    subject->made++;
    if (status != CLNORM_SUCCESS) {
        snprintf(finding.text, sizeof(finding.text), "status %d (%s)", status, clnorm_status_string(status));
        finding.differences = 1;
    }
    if (finding.differences && run->reports++ < MAX_REPORTS) {
        printf("difference: %s, data %s, %s, %s, %s: %s; %zu in all\n", call_text(call, text), data, subject->name,
               run->rig.info.platform_name, run->rig.info.name, finding.text, finding.differences);
        fflush(stdout);
    }
}

static void digest_results(struct run *run, const struct call *call)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        if (!(call_writes(call) & BIT(s)))
            continue;
        /* After parts_compare the buffers still hold what the free choice wrote. */
        const uint32_t *bits = part_read(&run->parts, run->rig.queue, (enum slot)s);
        float *results = malloc((run->parts.part[s].count + 1) * sizeof(float));

        ck_assert_ptr_nonnull(results);
        memcpy(results, bits, run->parts.part[s].count * sizeof(float));
        run->digest = case_hash(run->digest, results, run->parts.part[s].count);
        free(results);
    }
}

void run_subjects(struct run *run, const struct call *call, const char *data, const struct values *inputs,
                  const struct values *want, unsigned turn, int is_digested)
{
    unsigned extra = 0;

    for (size_t i = 0; i < run->subject_count; i++) {
        struct subject *subject = &run->subjects[i];
        int is_extra = strchr(subject->name, '(') != NULL;

        if (!has_step(call->operation, subject->variant) || (run->step && i > 0 && (i + turn) % run->step != 0))
            continue;
        if (is_extra && (extra++ + turn) % (MACHINES - 1) != 0)
            continue;
        run_subject(run, subject, call, data, inputs, want);
        if (i == 0 && is_digested)
            digest_results(run, call);
    }
}
