/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/train/data_set.h"
#include "cli/message.h"
#include "cli/train/model_file.h"
#include "cli/options.h"
#include "cli/train/train_kernels.h"
#include "cli/files/whole_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct predict_options {
    const char *model, *in, *out, *labels, *probabilities, *device;
    int is_fold, is_reproducible, is_verbose, is_help;
};

/* A label that is no class, of samples that have none. */
static const uint32_t no_label = UINT32_MAX;

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm predict --model model.npz --in x.npy [OPTION...]\n"
        "\n"
        "Tells the classes of samples by a model that clnorm train wrote. Prints how many samples each class got, and\n"
        "with --labels how many of them are right. Outputs are written all or none.\n"
        "\n"
        "options:\n");
    options_help(rows);
    return finish_output();
}

/* ---- on the device -------------------------------------------------------------------------------------------- */

/* What a softmax adds up is at least 1, unless a logit is no finite number: then no class is the likeliest. */
static void check_scores(struct session *session, const struct train_scores *scores, const struct data_set *set)
{
    float *sums = malloc((size_t)set->count * sizeof(*sums));

    if (!sums)
        session_expect(session, CLNORM_OUT_OF_MEMORY, "predict");
    session_download(session, scores->sums, sums, set->count);
    for (uint64_t i = 0; i < set->count && !session->is_failed; i++) {
        if (isfinite(sums[i]))
            continue;
        session->is_failed = 1;
        complain("'%s': sample %llu goes beyond float32 in the network; expected values about as large as those that "
                 "it was trained with, whose largest was %g",
                 set->path, (unsigned long long)i, 1 / fabs((double)set->factor));
    }
    free(sums);
}

/* Classes and, unless NULL, probabilities of all samples. */
static int infer(struct session *session, struct train_kernels *kernels, struct network *network,
                 const struct data_set *set, int32_t *classes, float *probabilities)
{
    clnorm_buffer values = session_buffer(session, set->values, set->count * set->length), order;
    struct network_layer *last = network_last(network);
    struct train_scores scores;
    uint32_t *numbers = malloc((size_t)set->count * sizeof(*numbers));

    for (uint64_t i = 0; numbers && i < set->count; i++)
        numbers[i] = (uint32_t)i;
    order = session_buffer(session, numbers, set->count);
    for (uint64_t i = 0; numbers && i < set->count; i++)
        numbers[i] = no_label;
    scores.labels = session_buffer(session, numbers, set->count);
    scores.sums = session_buffer(session, NULL, set->count);
    scores.margins = session_buffer(session, NULL, set->count);
    scores.predicted = session_buffer(session, NULL, set->count);
    if (!numbers)
        session_expect(session, CLNORM_OUT_OF_MEMORY, "predict");
    free(numbers);
    for (uint64_t first = 0; first < set->count && !session->is_failed; first += network->chunk) {
        uint64_t left = set->count - first;
        struct train_rows rows = {order, first, left < network->chunk ? left : network->chunk};

        train_gather(session, kernels, &rows, network->length, values, network->src);
        network_infer(network, rows.count);
        train_softmax(session, kernels, &rows, network->classes, 1, last->dst, last->diff_dst, &scores);
        if (probabilities)
            session_download(session, last->diff_dst, probabilities + first * network->classes,
                             rows.count * network->classes);
    }
    check_scores(session, &scores, set);
    session_download(session, scores.predicted, classes, set->count);
    return session->is_failed ? -1 : 0;
}

static int run_device(const struct predict_options *o, struct model *model, const struct data_set *set,
                      int32_t *classes, float *probabilities)
{
    struct train_kernels kernels;
    struct session session;
    int result = -1;

    show_progress("preparing the device");
    if (session_open(&session, o->device, o->is_verbose) != 0)
        return -1;
    if (train_kernels_open(&session, &kernels, CLNORM_FLOAT32) == 0) {
        for (unsigned i = 0; i < model->network.count && o->is_reproducible; i++)
            model->network.layers[i].desc.flags |= CLNORM_BLOCK_REPRODUCIBLE;
        network_open(&model->network, &session, 0, set->count);
        network_upload(&model->network, model->parameters, model->statistics, NULL);
        if (o->is_fold)
            network_fold(&model->network, set->count);
        show_progress(o->is_reproducible ? "predicting"
                                         : "predicting; CLBlast compiles its kernels first, which can take a minute");
        result = infer(&session, &kernels, &model->network, set, classes, probabilities);
        clear_progress();
    }
    train_kernels_close(&kernels);
    session_close(&session);
    return result;
}

/* ---- results -------------------------------------------------------------------------------------------------- */

static int print_counts(const struct model *model, const struct data_set *set, const int32_t *classes)
{
    uint64_t most = model->network.classes, right = 0;
    uint64_t *got = calloc((size_t)most, sizeof(*got)), *is = calloc((size_t)most, sizeof(*is)),
             *both = calloc((size_t)most, sizeof(*both));
    int status = STATUS_FAILED;

    if (got && is && both) {
        for (uint64_t i = 0; i < set->count; i++) {
            got[classes[i]]++;
            if (!set->labels)
                continue;
            is[set->labels[i]]++;
            both[classes[i]] += set->labels[i] == (uint32_t)classes[i];
        }
        printf(set->labels ? "class  predicted      right    labelled\n" : "class  predicted\n");
        for (uint64_t k = 0; k < most; k++) {
            printf("%5llu %10llu", (unsigned long long)k, (unsigned long long)got[k]);
            if (set->labels)
                printf(" %10llu  %10llu", (unsigned long long)both[k], (unsigned long long)is[k]);
            printf("\n");
            right += both[k];
        }
        if (set->labels)
            printf("accuracy %.2f %%: %llu of %llu\n", 100 * (double)right / (double)set->count,
                   (unsigned long long)right, (unsigned long long)set->count);
        status = finish_output();
    } else {
        complain("out of memory");
    }
    free(got);
    free(is);
    free(both);
    return status;
}

static int write_files(const struct predict_options *o, const struct model *model, const struct data_set *set,
                       const int32_t *classes, const float *probabilities)
{
    struct npy_output files[2] = {{0}};
    struct npy_error error;
    size_t count = 0;

    if (o->out)
        files[count++] = (struct npy_output){.path = o->out, .rank = 1, .shape = {set->count}, .integers = classes};
    if (o->probabilities)
        files[count++] = (struct npy_output){.path = o->probabilities,
                                             .rank = 2,
                                             .shape = {set->count, model->network.classes},
                                             .values = probabilities};
    if (npy_write_all(files, count, &error) == 0)
        return STATUS_DONE;
    complain("%s", error.text);
    return STATUS_FAILED;
}

static int predict(const struct predict_options *o, struct model *model, const struct data_set *set)
{
    int32_t *classes = malloc((size_t)set->count * sizeof(*classes));
    float *probabilities = malloc((size_t)(set->count * model->network.classes) * sizeof(*probabilities));
    int status = STATUS_FAILED;

    if (!classes || !probabilities)
        complain("out of memory");
    else if (run_device(o, model, set, classes, o->probabilities ? probabilities : NULL) == 0)
        status = write_files(o, model, set, classes, probabilities);
    if (status == STATUS_DONE)
        status = print_counts(model, set, classes);
    free(classes);
    free(probabilities);
    return status;
}

/* ---- the command ---------------------------------------------------------------------------------------------- */

/* Outputs differ from each other, and from the inputs. */
static int check_outputs_differ(const struct predict_options *o)
{
    enum { INPUTS = 3, FILES = 5 };
    const char *const names[FILES] = {"model", "in", "labels", "out", "probabilities"};
    const char *const paths[FILES] = {o->model, o->in, o->labels, o->out, o->probabilities};

    return options_files_differ(names, paths, INPUTS, FILES) == 0 ? STATUS_DONE : STATUS_USAGE;
}

static int check_usage(const struct predict_options *o)
{
    if (!o->model)
        complain("predict: option --model is missing; expected --model model.npz, as clnorm train --out writes it");
    else if (!o->in)
        complain("predict: option --in is missing; expected --in x.npy, the samples");
    else
        return check_outputs_differ(o);
    return STATUS_USAGE;
}

static int run(const struct predict_options *o, struct model *model, struct data_set *set)
{
    struct npy_error error;

    if (whole_file_check("out", o->out) != STATUS_DONE ||
        whole_file_check("probabilities", o->probabilities) != STATUS_DONE)
        return STATUS_FAILED;
    if (model_read(o->model, model, &error) != 0) {
        complain("option --model: %s", error.text);
        return STATUS_FAILED;
    }
    if (data_read(o->in, set) != 0)
        return STATUS_FAILED;
    if (set->length != model->network.length) {
        complain("'%s' has samples of %llu values; expected %llu, as the model '%s' takes them", o->in,
                 (unsigned long long)set->length, (unsigned long long)model->network.length, o->model);
        return STATUS_FAILED;
    }
    if (o->labels && data_read_labels(o->labels, model->network.classes, set) != 0)
        return STATUS_FAILED;
    data_scale(set, model->factor);
    return predict(o, model, set);
}

int command_predict(int count, char *const *arguments, int is_verbose)
{
    struct predict_options o = {.is_verbose = is_verbose};
    struct option_row rows[] = {
        OPTION_ROW_FILE("model", &o.model, "a .npz file that clnorm train --out wrote; required"),
        OPTION_ROW_FILE("in", &o.in, "samples of as many values as the model was trained with; required"),
        OPTION_ROW_FILE("out", &o.out, "the classes, int32 (N,)"),
        OPTION_ROW_FILE("labels", &o.labels, "the right classes, to tell the accuracy"),
        OPTION_ROW_FILE("probabilities", &o.probabilities, "the classes' probabilities, float32 (N, classes)"),
        OPTION_ROW_FLAG("fold", &o.is_fold,
                        "fold each batch norm into the weights before it: one product less to pass"),
        OPTION_ROW_FLAG("reproducible", &o.is_reproducible,
                        "products in a fixed order, not CLBlast's: the same bits on every device"),
        OPTION_ROW_DEVICE(&o.device),
        OPTION_ROW_VERBOSE(&o.is_verbose),
        OPTION_ROW_HELP(&o.is_help),
        OPTION_ROW_END,
    };
    struct model model = {0};
    struct data_set set = {0};
    int status;

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (o.is_help)
        return print_help(rows);
    status = check_usage(&o);
    if (status == STATUS_DONE)
        status = run(&o, &model, &set);
    model_free(&model);
    data_free(&set);
    return status;
}
