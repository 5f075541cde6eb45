/* SPDX-License-Identifier: Apache-2.0 */
/* The conformance run: every kernel variant, and the free choice among them, against the model and float64. */
#include "cases.h"
#include "half.h"
#include "cli/check/check_case.h"
#include "cli/check/check_device.h"
#include "clnorm.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/check/record.h"
#include "cli/session.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SUBJECTS = 64, MAX_REPORTS = 10 };

/* A context whose results are looked at: number 0 chooses its variants freely, the others are held to one. */
struct subject {
    clnorm_context *context;
    const char *name;
    uint64_t cases, unfit, values, differences, inaccurate;
    double worst_dst, worst_gradient;
};

struct check {
    struct session session;
    struct subject subjects[MAX_SUBJECTS];
    size_t subject_count;
    struct check_buffers buffers;
    struct call_form form;
    uint64_t digest;
    unsigned reports;
    int is_quick;
    const char *variants; /* names of those to try, separated by commas; NULL: all */
};

static int print_help(const struct option_row *rows)
{
    printf("usage: clnorm check [--device D] [--quick] [--variant NAMES] [--type T] [--activation A] [--residual]\n"
           "\n"
           "Runs every operation and every kernel variant on many shapes and kinds of data, and compares the results\n"
           "bit for bit with the model (a program for the CPU that defines the bits) and in accuracy with float64.\n"
           "Prints a line for each difference (10 at most), a table, a digest of all bits, which is the same on every\n"
           "device that promises the same bits and is compared with the record of this version of the numerical\n"
           "contract (of float32 alone, without activation and residual; others are not on record), and the verdict.\n"
           "Exit status 1 when there is a difference.\n"
           "\n"
           "Columns: calls made and calls that the variant does not fit; values compared and values that differ;\n"
           "the worst errors, of the outputs as a part of max(1, |y|, |scale|, |y - shift|), which may be 4e-7, and\n"
           "of the gradients as a part of the terms they are summed from, which may be 1e-6. Rounding to float16 or\n"
           "bfloat16 is not counted as an error.\n"
           "\n"
           "options:\n");
    options_help(rows);
    return finish_output();
}

/* The beginning of a line about a failing case, for the first few; returns 0 when there have been enough. */
static int begin_report(struct check *check, const struct subject *subject, const struct check_case *one,
                        enum check_result result, const char *what)
{
    if (check->reports == MAX_REPORTS)
        return 0;
    check->reports++;
    clear_progress();
    printf("%s: %s, %s, n %llu c %llu s %llu, data %s, %s, ", what,
           check_operation_name(check_result_rows[result].operation), case_layout_name(one->shape.layout),
           (unsigned long long)one->shape.n, (unsigned long long)one->shape.c, (unsigned long long)one->shape.s,
           case_data_name(one->kind), subject->name);
    return 1;
}

/* Where a device flushes subnormals, one that arises may be a zero and the other way round. */
static int is_difference(enum clnorm_bits bits, float value, float model)
{
    if (bits == CLNORM_BITS_NONE || case_bits(value) == case_bits(model))
        return 0;
    return bits == CLNORM_BITS_SAME || !(fabsf(value) < FLT_MIN && fabsf(model) < FLT_MIN);
}

/* *is_told: whether a line about this call has been printed. */
static void compare_bits(struct check *check, struct subject *subject, const struct check_case *one,
                         enum check_result result, const float *values, int *is_told)
{
    size_t count = check_case_count(one, result), differences = 0, first = 0;

    for (size_t i = 0; i < count; i++) {
        if (is_difference(check->session.info.bits, values[i], one->model[result][i]) && differences++ == 0)
            first = i;
    }
    subject->values += count;
    subject->differences += differences;
    if (differences && !*is_told && begin_report(check, subject, one, result, "difference")) {
        *is_told = 1;
        printf("%s[%zu] is %a, model %a, %zu of %zu differ\n", check_result_rows[result].name, first,
               (double)values[first], (double)one->model[result][first], differences, count);
    }
}

/* The same for the mask, whose words are no numbers. */
static void compare_mask(struct check *check, struct subject *subject, const struct check_case *one,
                         const uint32_t *words, int *is_told)
{
    size_t count = check_case_count(one, RESULT_MASK), differences = 0, first = 0;

    for (size_t i = 0; i < count && check->session.info.bits != CLNORM_BITS_NONE; i++) {
        if (words[i] != one->mask[i] && differences++ == 0)
            first = i;
    }
    subject->values += count;
    subject->differences += differences;
    if (differences && !*is_told && begin_report(check, subject, one, RESULT_MASK, "difference")) {
        *is_told = 1;
        printf("mask[%zu] is %08lx, model %08lx, %zu of %zu differ\n", first, (unsigned long)words[first],
               (unsigned long)one->mask[first], differences, count);
    }
}

/* How far a value is off, but for what its type rounds. */
static double error_of(enum clnorm_type type, float value, double exact)
{
    /* As what is too large for a type is infinite in it, on both sides. */
    if (type != CLNORM_FLOAT32 && value == half_round(type, (float)exact))
        return 0;
    return fmax(0.0, fabs((double)value - exact) - half_unit(type, exact));
}

static void compare_accuracy(struct check *check, struct subject *subject, const struct check_case *one,
                             enum check_result result, const float *values, int *is_told)
{
    int is_dst = result == RESULT_DST || result == RESULT_INFERENCE_DST;
    int is_tensor = check_result_rows[result].extent == EXTENT_TENSOR;
    enum clnorm_type type = is_tensor ? one->desc.type : CLNORM_FLOAT32;
    double bound = is_dst ? CHECK_BOUND_DST : CHECK_BOUND_GRADIENT;
    double *worst = is_dst ? &subject->worst_dst : &subject->worst_gradient, worst_here = 0;
    size_t count = check_case_count(one, result), at = 0, inaccurate = 0;

    if (!one->exact[result])
        return;
    for (size_t i = 0; i < count; i++) {
        double error = error_of(type, values[i], one->exact[result][i]) / one->unit[result][i];

        /* Written so that a NaN, which is below nothing, counts. */
        if (!(error <= worst_here)) {
            worst_here = isnan(error) ? (double)INFINITY : error;
            at = i;
        }
        inaccurate += !(error <= bound);
    }
    if (worst_here > *worst)
        *worst = worst_here;
    subject->inaccurate += inaccurate;
    if (inaccurate && !*is_told && begin_report(check, subject, one, result, "inaccurate")) {
        *is_told = 1;
        printf("%s[%zu] is %a, float64 %a, error %.2g, at most %.2g\n", check_result_rows[result].name, at,
               (double)values[at], one->exact[result][at], worst_here, bound);
    }
}

/* A mask's words stand for two whole numbers each. */
static uint64_t hash_mask(uint64_t hash, const uint32_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float halves[2] = {(float)(words[i] & 0xffff), (float)(words[i] >> 16)};

        hash = case_hash(hash, halves, 2);
    }
    return hash;
}

static void compare_result(struct check *check, struct subject *subject, const struct check_case *one,
                           enum check_result result, const void *values, int *is_told)
{
    size_t count = check_case_count(one, result);
    int is_mask = result == RESULT_MASK;

    if (count == 0)
        return;
    if (is_mask) {
        compare_mask(check, subject, one, values, is_told);
    } else {
        compare_bits(check, subject, one, result, values, is_told);
        compare_accuracy(check, subject, one, result, values, is_told);
    }
    /* Subnormals stay out of the digest: devices that flush them shall give the same one. */
    if (subject == check->subjects && one->kind != CASE_SUBNORMAL)
        check->digest = is_mask ? hash_mask(check->digest, values, count) : case_hash(check->digest, values, count);
}

/* Runs the four operations of a case with every context. Returns 0, or -1 on failure. */
static int run_case(struct check *check, const struct check_case *one, void *const *values)
{
    check_upload(&check->session, &check->buffers, one);
    for (size_t i = 0; i < check->subject_count; i++) {
        struct subject *subject = &check->subjects[i];

        for (unsigned operation = CLNORM_FORWARD_TRAINING; operation <= CLNORM_BACKWARD_FROZEN; operation++) {
            int ran = check_run(&check->session, subject->context, &check->buffers, one,
                                (enum clnorm_operation)operation, values);
            int is_told = 0;

            if (ran < 0)
                return -1;
            subject->cases += ran == 1;
            subject->unfit += ran == 0;
            for (unsigned r = 0; r < RESULT_COUNT && ran; r++)
                if ((unsigned)check_result_rows[r].operation == operation)
                    compare_result(check, subject, one, r, values[r], &is_told);
        }
    }
    return 0;
}

/* Which kinds of data a shape is run with: all, or two of them in turn for a quick run. */
static int wants_kind(const struct check *check, size_t shape, enum case_data kind)
{
    if (kind == CASE_SUBNORMAL && check->session.info.bits != CLNORM_BITS_SAME)
        return 0;
    return !check->is_quick || (size_t)kind == 2 * shape % CASE_DATA_COUNT ||
           (size_t)kind == (2 * shape + 1) % CASE_DATA_COUNT;
}

static int run_shape(struct check *check, const struct case_shape *shape, size_t number, size_t of)
{
    struct check_case one;
    void *values[RESULT_COUNT] = {NULL};
    int is_first = 1, result = 0;

    for (unsigned kind = 0; kind < CASE_DATA_COUNT && result == 0; kind++) {
        if (!wants_kind(check, number, (enum case_data)kind))
            continue;
        show_progress("shape %zu of %zu: n %llu c %llu s %llu %s, %s", number + 1, of, (unsigned long long)shape->n,
                      (unsigned long long)shape->c, (unsigned long long)shape->s, case_layout_name(shape->layout),
                      case_data_name((enum case_data)kind));
        result = check_case_make(&one, shape, (enum case_data)kind, &check->form);
        for (unsigned r = 0; r < RESULT_COUNT && result == 0 && is_first; r++) {
            values[r] = calloc(check_case_count(&one, r) + 1, sizeof(float));
            result = values[r] ? 0 : -1;
        }
        if (result != 0) {
            complain("out of memory");
        } else {
            if (is_first)
                check_make_buffers(&check->session, &check->buffers, &one);
            is_first = 0;
            result = run_case(check, &one, values);
        }
        check_case_free(&one);
    }
    for (unsigned r = 0; r < RESULT_COUNT; r++)
        free(values[r]);
    clear_progress();
    return result;
}

/* Whether a list of names separated by commas has this one. */
static int has_name(const char *list, const char *name, size_t length)
{
    while (*list) {
        const size_t here = strcspn(list, ",");

        if (here == length && strncmp(list, name, length) == 0)
            return 1;
        list += here + (list[here] == ',');
    }
    return 0;
}

/* Returns 0, or -1 after a message: every name is a variant's. */
static int check_names(const char *list)
{
    while (list && *list) {
        const size_t length = strcspn(list, ",");
        size_t i = 0;

        while (clnorm_variant_name(i) && !has_name(clnorm_variant_name(i), list, length))
            i++;
        if (!clnorm_variant_name(i)) {
            complain(
                "check: option --variant has '%.*s'; expected names of kernel variants, separated by commas, as the "
                "table of a whole check has them",
                (int)length, list);
            return -1;
        }
        list += length + (list[length] == ',');
    }
    return 0;
}

/* The free choice, then a context for each variant. */
static int make_subjects(struct check *check, int is_verbose)
{
    clnorm_context_options options = session_options(is_verbose);

    check->subjects[0].context = check->session.context;
    check->subjects[0].name = "free choice";
    check->subject_count = 1;
    for (size_t i = 0; clnorm_variant_name(i) && check->subject_count < MAX_SUBJECTS; i++) {
        struct subject *subject = &check->subjects[check->subject_count];

        if (check->variants && !has_name(check->variants, clnorm_variant_name(i), strlen(clnorm_variant_name(i))))
            continue;
        subject->name = options.variants = clnorm_variant_name(i);
        /* The log stays silent: a variant that does not fit a shape is no error here. */
        if (!is_verbose)
            options.log = NULL;
        session_expect(
            &check->session,
            clnorm_create_context(check->session.cl, check->session.info.device, &options, &subject->context),
            subject->name);
        if (check->session.is_failed)
            return -1;
        check->subject_count++;
    }
    return 0;
}

static void release_subjects(struct check *check)
{
    /* Number 0 is the session's own. */
    for (size_t i = 1; i < check->subject_count; i++)
        clnorm_release_context(&check->subjects[i].context);
}

/* The digest beside the record; returns whether it contradicts that. Where subnormals are flushed it may. */
static int print_digest(const struct check *check)
{
    enum record_answer answer = RECORD_NONE;
    char words[128] = "";

    if (form_is_plain(&check->form))
        answer = record_answer(check->is_quick ? "check-quick" : "check", check->digest, words, sizeof(words));

    if (check->session.info.bits == CLNORM_BITS_NONE) {
        printf("bits: not promised by this device, not compared\n");
        words[0] = '\0';
    }
    printf("digest: %016llx%s%s\n", (unsigned long long)check->digest, check->is_quick ? " (quick)" : "", words);
    return answer == RECORD_DIFFERS && check->session.info.bits == CLNORM_BITS_SAME;
}

/* Returns an exit status. */
static int print_report(const struct check *check)
{
    uint64_t differences = 0, inaccurate = 0;
    int contradicts;

    printf("%-28s %8s %8s %12s %12s %10s %10s\n", "variant", "calls", "no fit", "values", "differences", "worst y",
           "gradient");
    for (size_t i = 0; i < check->subject_count; i++) {
        const struct subject *s = &check->subjects[i];

        printf("%-28s %8llu %8llu %12llu %12llu %10.2e %10.2e\n", s->name, (unsigned long long)s->cases,
               (unsigned long long)s->unfit, (unsigned long long)s->values, (unsigned long long)s->differences,
               s->worst_dst, s->worst_gradient);
        differences += s->differences;
        inaccurate += s->inaccurate;
    }
    contradicts = print_digest(check);
    /* A value with other bits is often inaccurate as well: it counts once. */
    if (differences == 0)
        differences = inaccurate;
    if (differences)
        printf("check: FAILED (%llu differences)\n", (unsigned long long)differences);
    else if (contradicts) /* the model has changed, or the cases */
        printf("check: FAILED (all bits are the model's, but the model's are not those on record)\n");
    else
        printf("check: passed\n");
    return differences || contradicts ? STATUS_FAILED : STATUS_DONE;
}

static int run_check(const char *device, const char *variants, const struct call_form *form, int is_quick,
                     int is_verbose)
{
    struct check check = {.digest = CASE_HASH_START, .form = *form, .is_quick = is_quick, .variants = variants};
    char text[FORM_TEXT_BYTES];
    const struct case_shape *shapes;
    int status = STATUS_FAILED, result;
    size_t count;

    if (session_open(&check.session, device, is_verbose) != 0)
        return STATUS_FAILED;
    printf("device %zu: %s, %s, driver %s, %s\n", check.session.device_index, check.session.info.platform_name,
           check.session.info.name, check.session.info.driver, promise_text(check.session.info.bits));
    if (!form_is_plain(form))
        printf("calls: %s\n", form_text("", form, text));
    if (check.session.word != check.session.info.bits)
        printf("probe: its driver says \"%s\", its arithmetic does not keep it (--verbose says where)\n",
               promise_text(check.session.word));
    fflush(stdout);
    shapes = case_shapes(is_quick, &count);
    result = make_subjects(&check, is_verbose);
    for (size_t i = 0; i < count && result == 0; i++)
        result = run_shape(&check, &shapes[i], i, count);
    if (result == 0)
        status = print_report(&check);
    release_subjects(&check);
    session_close(&check.session);
    return finish_output() == STATUS_DONE ? status : STATUS_FAILED;
}

int command_check(int count, char *const *arguments, int is_verbose)
{
    const char *device = NULL, *variants = NULL;
    struct call_form form = {0};
    int is_quick = 0, is_help = 0;
    struct option_row rows[] = {
        OPTION_ROW_DEVICE(&device),
        OPTION_ROW_FLAG("quick", &is_quick, "a few small shapes only, for slow devices"),
        {.name = "variant",
         .kind = OPTION_TEXT,
         .target = &variants,
         .argument = "NAMES",
         .expected = "names of kernel variants",
         .help = "those to try beside the free choice, separated by commas; default: all"},
        OPTION_ROW_TYPE(&form.type, "of the tensors; default: float32"),
        OPTION_ROW_ACTIVATION(&form.activation,
                              "part of the calls; backward reads forward's mask, or with frozen statistics y"),
        OPTION_ROW_FLAG("residual", &form.has_residual, "forward adds one, backward gives its gradient"),
        OPTION_ROW_VERBOSE(&is_verbose),
        OPTION_ROW_HELP(&is_help),
        OPTION_ROW_END,
    };

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (is_help)
        return print_help(rows);
    return check_names(variants) == 0 ? run_check(device, variants, &form, is_quick, is_verbose) : STATUS_USAGE;
}
