/* SPDX-License-Identifier: Apache-2.0 */
#include "clnorm.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/tensors.h"

#include <stdio.h>

struct fold_options {
    const char *weights, *bias, *mean, *var, *scale, *shift, *weights_out, *bias_out, *device;
    float epsilon;
    int is_verbose, is_help;
};

/* What the files hold; an output is the first axis of the weights. */
struct fold_data {
    clnorm_desc desc;
    struct npy_array weights, bias, mean, var, scale, shift;
    struct outputs outputs;
};

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm fold --weights w.npy --mean m.npy --var v.npy --weights-out W.npy --bias-out B.npy [OPTION...]\n"
        "\n"
        "Folds the normalization of inference into the layer before it: of each output (the first axis of the\n"
        "weights, whatever the others are) W = w * scale / sqrt(variance + E), and\n"
        "B = (bias - mean) * scale / sqrt(variance + E) + shift. Vectors have a value for each output. Outputs are\n"
        "written all or none.\n"
        "\n"
        "options:\n");
    options_help(rows);
    return finish_output();
}

/* Checks what the table cannot. Returns 0, or -1 after a message. */
static int check_usage(const struct fold_options *o)
{
    const struct {
        const char *name, *value;
    } required[] = {{"weights", o->weights},
                    {"mean", o->mean},
                    {"var", o->var},
                    {"weights-out", o->weights_out},
                    {"bias-out", o->bias_out}};

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!required[i].value) {
            complain("fold: option --%s is missing; expected --weights, --mean, --var, --weights-out and --bias-out",
                     required[i].name);
            return -1;
        }
    }
    return 0;
}

static int read_weights(const char *path, struct fold_data *data)
{
    struct npy_array *array = &data->weights;
    char text[NPY_SHAPE_BYTES];

    if (read_array(path, array) != 0)
        return -1;
    if (array->rank < 2 || array->count == 0) {
        complain("'%s' has shape %s; expected 2 axes or more, outputs first, and no size of 0", path,
                 npy_shape_text(array->rank, array->shape, text));
        return -1;
    }
    data->desc = (clnorm_desc){.n = 1, .c = array->shape[0], .s = 1};
    return 0;
}

static int read_outputs(const char *path, const char *weights, const struct fold_data *data, struct npy_array *array)
{
    return read_values(path, data->desc.c, "output", weights, ", its first axis", array);
}

static int read_inputs(const struct fold_options *o, struct fold_data *data)
{
    if (check_outputs(&data->outputs) != 0 || read_weights(o->weights, data) != 0)
        return -1;
    data->desc.epsilon = o->epsilon;
    return read_outputs(o->bias, o->weights, data, &data->bias) ||
                   read_outputs(o->mean, o->weights, data, &data->mean) ||
                   read_outputs(o->var, o->weights, data, &data->var) ||
                   read_outputs(o->scale, o->weights, data, &data->scale) ||
                   read_outputs(o->shift, o->weights, data, &data->shift)
               ? -1
               : 0;
}

/* Returns an exit status. */
static int compute(const struct fold_options *o, struct fold_data *data)
{
    struct session session;
    clnorm_fold_args args = {0};
    int status = STATUS_FAILED;

    show_progress("preparing the device");
    if (session_open(&session, o->device, o->is_verbose) != 0)
        return STATUS_FAILED;
    args.weights = args.folded_weights = session_buffer(&session, data->weights.values, data->weights.count);
    args.bias = upload_array(&session, &data->bias);
    args.mean = upload_array(&session, &data->mean);
    args.variance = upload_array(&session, &data->var);
    args.scale = upload_array(&session, &data->scale);
    args.shift = upload_array(&session, &data->shift);
    args.folded_bias = session_buffer(&session, NULL, data->desc.c);
    show_progress("folding");
    if (!session.is_failed)
        session_expect(&session,
                       clnorm_fold(session.context, session.queue, &data->desc, data->weights.count / data->desc.c,
                                   &args, 0, NULL, NULL),
                       "fold");
    set_output(&data->outputs, "weights-out", NPY_FLOAT32, data->weights.rank, data->weights.shape,
               args.folded_weights);
    set_output(&data->outputs, "bias-out", NPY_FLOAT32, 1, &data->desc.c, args.folded_bias);
    if (write_outputs(&session, &data->outputs) == 0)
        status = STATUS_DONE;
    session_close(&session);
    return status;
}

int command_fold(int count, char *const *arguments, int is_verbose)
{
    struct fold_options o = {.epsilon = 1e-5f, .is_verbose = is_verbose};
    struct option_row rows[] = {
        OPTION_ROW_FILE("weights", &o.weights, "the layer's weights, outputs first; required"),
        OPTION_ROW_FILE("bias", &o.bias, "its bias; default: all 0"),
        OPTION_ROW_FILE("mean", &o.mean, "the mean of inference; required"),
        OPTION_ROW_FILE("var", &o.var, "the variance of inference; required"),
        OPTION_ROW_FILE("scale", &o.scale, "scale (gamma); default: all 1"),
        OPTION_ROW_FILE("shift", &o.shift, "shift (beta); default: all 0"),
        OPTION_ROW_FILE("weights-out", &o.weights_out, "where the folded weights go, shaped as they were; required"),
        OPTION_ROW_FILE("bias-out", &o.bias_out, "where the folded bias goes; required"),
        OPTION_ROW_EPSILON(&o.epsilon),
        OPTION_ROW_DEVICE(&o.device),
        OPTION_ROW_VERBOSE(&o.is_verbose),
        OPTION_ROW_HELP(&o.is_help),
        OPTION_ROW_END,
    };
    struct fold_data data = {0};
    int status = STATUS_FAILED;

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (o.is_help)
        return print_help(rows);
    if (check_usage(&o) != 0)
        return STATUS_USAGE;
    add_output(&data.outputs, "weights-out", o.weights_out);
    add_output(&data.outputs, "bias-out", o.bias_out);
    if (check_distinct_outputs(&data.outputs) != 0)
        return STATUS_USAGE;
    if (read_inputs(&o, &data) == 0)
        status = compute(&o, &data);
    npy_free(&data.weights);
    npy_free(&data.bias);
    npy_free(&data.mean);
    npy_free(&data.var);
    npy_free(&data.scale);
    npy_free(&data.shift);
    free_outputs(&data.outputs);
    return status;
}
