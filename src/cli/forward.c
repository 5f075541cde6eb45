/* SPDX-License-Identifier: Apache-2.0 */
#include "clnorm.h"
#include "cli/form.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct forward_options {
    const char *in, *out, *scale, *shift, *mean, *var, *residual;
    const char *mean_out, *var_out, *save_mean, *save_invstd, *save_var, *mask_out, *device;
    struct tensor_options tensor;
    float momentum;
    int is_infer, is_biased, is_verbose, is_help;
};

/* What the files hold. */
struct forward_data {
    clnorm_desc desc;
    struct npy_array in, scale, shift, mean, var, residual;
    struct outputs outputs;
};

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm forward --in x.npy --out y.npy [OPTION...]\n"
        "\n"
        "Normalizes each channel of a tensor of 2 to 5 axes:\n"
        "y = activation((x - mean) / sqrt(variance + E) * scale + shift + residual).\n"
        "With --mode train mean and variance are the batch's own; with --mode infer they are given. Vectors have a\n"
        "value for each channel and are float32. Tensors are all float32, all float16, or all bfloat16, in and out.\n"
        "Outputs are written all or none.\n"
        "\n"
        "options:\n");
    options_help(rows);
    return finish_output();
}

/* Checks what the table cannot. Returns 0, or -1 after a message. */
static int check_usage(const struct forward_options *o, const struct option_row *rows)
{
    static const char *const train_only[] = {"mean-out",    "var-out",  "biased",   "save-mean",
                                             "save-invstd", "save-var", "mask-out", "group-samples"};

    if (!o->in || !o->out) {
        complain("forward: option --%s is missing; expected %s", o->in ? "out" : "in",
                 o->in ? "--out y.npy, the file to write" : "--in x.npy, the tensor to normalize");
        return -1;
    }
    if (!o->is_infer && o->is_biased && !o->var_out) {
        complain("forward: option --biased is for the running variance; expected --var-out FILE as well");
        return -1;
    }
    if (!o->is_infer && o->mask_out && !activation_is_there(&o->tensor.activation)) {
        complain("forward: option --mask-out keeps what an activation lets through; expected --activation relu, "
                 "leaky:SLOPE or clip:CAP as well");
        return -1;
    }
    if (!o->is_infer)
        return 0;
    if (!o->mean || !o->var) {
        complain("forward: --mode infer needs the statistics to use; expected --%s FILE", o->mean ? "var" : "mean");
        return -1;
    }
    for (size_t i = 0; i < sizeof(train_only) / sizeof(train_only[0]); i++) {
        if (options_given(rows, train_only[i])) {
            complain("forward: option --%s is for --mode train; %s", train_only[i],
                     strcmp(train_only[i], "mask-out") == 0 ? "after --mode infer, backward takes --dst"
                                                            : "with --mode infer there are no batch statistics");
            return -1;
        }
    }
    return 0;
}

static int read_inputs(const struct forward_options *o, struct forward_data *data)
{
    if (check_outputs(&data->outputs) != 0 || read_tensor(o->in, &o->tensor, &data->in, &data->desc) != 0)
        return -1;
    return read_same_shape(o->residual, &data->in, o->in, &data->residual) ||
                   read_vector(o->scale, &data->desc, o->in, &data->scale) ||
                   read_vector(o->shift, &data->desc, o->in, &data->shift) ||
                   read_given(o->mean, &data->desc, o->in, &data->mean) ||
                   read_given(o->var, &data->desc, o->in, &data->var)
               ? -1
               : 0;
}

/* An output that starts as value: what stands there when an empty batch gives nothing to write. */
static clnorm_buffer output_vector(struct session *session, struct outputs *outputs, const char *option, unsigned rank,
                                   const uint64_t *shape, float value)
{
    const uint64_t c = rank > 1 ? shape[0] * shape[1] : shape[0];
    float *values = malloc((size_t)c * sizeof(float));
    clnorm_buffer buffer = {NULL, 0};

    if (!values) {
        session_expect(session, CLNORM_OUT_OF_MEMORY, option);
        return buffer;
    }
    for (uint64_t i = 0; i < c; i++)
        values[i] = value;
    buffer = session_buffer(session, values, c);
    free(values);
    set_output(outputs, option, NPY_FLOAT32, rank, shape, buffer);
    return buffer;
}

/* The bits that the activation leaves for backward. */
static clnorm_buffer output_mask(struct session *session, struct forward_data *data)
{
    uint64_t words = mask_words(data->in.count);
    clnorm_buffer buffer = session_buffer(session, NULL, words);

    set_output(&data->outputs, "mask-out", NPY_UINT32, 1, &words, buffer);
    return buffer;
}

/* Running statistics: from the file, or from where frameworks start them. */
static clnorm_buffer running_vector(struct session *session, struct forward_data *data, const char *option,
                                    const struct npy_array *given, float start)
{
    const uint64_t count = statistics_count(&data->desc);
    clnorm_buffer buffer;

    if (!given->values)
        return output_vector(session, &data->outputs, option, 1, &count, start);
    buffer = upload_array(session, given);
    set_output(&data->outputs, option, NPY_FLOAT32, 1, &count, buffer);
    return buffer;
}

static void run_training(struct session *session, const struct forward_options *o, struct forward_data *data,
                         clnorm_buffer tensor, clnorm_buffer residual)
{
    const clnorm_desc *desc = &data->desc;
    uint64_t shape[2];
    const unsigned rank = statistics_shape(desc, shape);
    clnorm_forward_training_args args = {.src = tensor, .dst = tensor, .residual = residual, .momentum = o->momentum};

    if (o->is_biased)
        args.running_flags = CLNORM_RUNNING_BIASED;
    args.scale = upload_array(session, &data->scale);
    args.shift = upload_array(session, &data->shift);
    if (o->mean_out)
        args.running_mean = running_vector(session, data, "mean-out", &data->mean, 0.0f);
    if (o->var_out)
        args.running_variance = running_vector(session, data, "var-out", &data->var, 1.0f);
    if (o->save_mean)
        args.save_mean = output_vector(session, &data->outputs, "save-mean", rank, shape, NAN);
    if (o->save_invstd)
        args.save_invstd = output_vector(session, &data->outputs, "save-invstd", rank, shape, NAN);
    if (o->save_var)
        args.save_variance = output_vector(session, &data->outputs, "save-var", rank, shape, NAN);
    if (o->mask_out)
        args.mask = output_mask(session, data);
    args.workspace = session_workspace(session, CLNORM_FORWARD_TRAINING, desc);
    if (!session->is_failed)
        session_expect(session, clnorm_forward_training(session->context, session->queue, desc, &args, 0, NULL, NULL),
                       "forward");
}

static void run_inference(struct session *session, struct forward_data *data, clnorm_buffer tensor,
                          clnorm_buffer residual)
{
    const clnorm_desc *desc = &data->desc;
    clnorm_forward_inference_args args = {.src = tensor, .dst = tensor, .residual = residual};

    args.scale = upload_array(session, &data->scale);
    args.shift = upload_array(session, &data->shift);
    args.mean = upload_array(session, &data->mean);
    args.variance = upload_array(session, &data->var);
    args.workspace = session_workspace(session, CLNORM_FORWARD_INFERENCE, desc);
    if (!session->is_failed)
        session_expect(session, clnorm_forward_inference(session->context, session->queue, desc, &args, 0, NULL, NULL),
                       "forward");
}

/* Returns an exit status. */
static int compute(const struct forward_options *o, struct forward_data *data)
{
    struct session session;
    clnorm_buffer tensor, residual;
    int status = STATUS_FAILED;

    show_progress("preparing the device");
    if (session_open(&session, o->device, o->is_verbose) != 0)
        return STATUS_FAILED;
    tensor = upload_array(&session, &data->in);
    npy_free(&data->in); /* the device has it now, and the result will need as much memory */
    residual = upload_array(&session, &data->residual);
    npy_free(&data->residual);
    show_progress("normalizing");
    if (o->is_infer)
        run_inference(&session, data, tensor, residual);
    else
        run_training(&session, o, data, tensor, residual);
    set_output(&data->outputs, "out", data->in.type, data->in.rank, data->in.shape, tensor);
    if (write_outputs(&session, &data->outputs) == 0)
        status = STATUS_DONE;
    session_close(&session);
    return status;
}

int command_forward(int count, char *const *arguments, int is_verbose)
{
    struct forward_options o = {.tensor.epsilon = 1e-5f, .momentum = 0.1f, .is_verbose = is_verbose};
    struct option_row rows[] = {
        OPTION_ROW_FILE("in", &o.in, "the tensor x; required"),
        OPTION_ROW_FILE("out", &o.out, "where y goes; required"),
        OPTION_ROW_MODE(&o.is_infer, "statistics of the batch (train, the default) or given ones"),
        OPTION_ROW_LAYOUT(&o.tensor.layout),
        OPTION_ROW_FILE("scale", &o.scale, "scale (gamma); default: all 1"),
        OPTION_ROW_FILE("shift", &o.shift, "shift (beta); default: all 0"),
        OPTION_ROW_FILE("mean", &o.mean,
                        "infer: the mean to use, required;\n"
                        "train: the running mean that --mean-out updates, default: all 0"),
        OPTION_ROW_FILE("var", &o.var,
                        "infer: the variance to use, required;\n"
                        "train: the running variance that --var-out updates, default: all 1"),
        OPTION_ROW_FILE("residual", &o.residual, "added before the activation; of x's type and shape"),
        OPTION_ROW_ACTIVATION(&o.tensor.activation,
                              "v * SLOPE where v <= 0 (relu, clip: 0), CAP where v is more; default: none"),
        OPTION_ROW_GROUP_SAMPLES(&o.tensor.group_samples,
                                 "train: statistics of each G samples (1: instance norm; the last group may have\n"
                                 "fewer), saved as (groups, channels); default: of all"),
        OPTION_ROW_GROUP_CHANNELS(&o.tensor.group_channels),
        OPTION_ROW_BFLOAT16(&o.tensor.is_bfloat16),
        OPTION_ROW_EPSILON(&o.tensor.epsilon),
        {.name = "momentum",
         .kind = OPTION_NUMBER,
         .target = &o.momentum,
         .argument = "M",
         .least = 0,
         .most = 1,
         .help = "running = batch * M + running * (1 - M); default 0.1",
         .expected = "a number from 0 to 1"},
        OPTION_ROW_FILE("mean-out", &o.mean_out, "train: where the updated running mean goes"),
        OPTION_ROW_FILE("var-out", &o.var_out, "train: where the updated running variance goes"),
        OPTION_ROW_FLAG("biased", &o.is_biased,
                        "train: --var-out takes the biased variance of the batch, as ONNX, Keras and\n"
                        "oneDNN do; default: the unbiased one, as PyTorch does"),
        OPTION_ROW_FILE("save-mean", &o.save_mean, "train: where the batch mean goes"),
        OPTION_ROW_FILE("save-invstd", &o.save_invstd, "train: where 1 / sqrt(variance + E) goes"),
        OPTION_ROW_FILE("save-var", &o.save_var, "train: where the biased batch variance goes"),
        OPTION_ROW_FILE("mask-out", &o.mask_out,
                        "train: where a bit for each value of y goes, for backward's --mask; '<u4', values / 32"),
        OPTION_ROW_DEVICE(&o.device),
        OPTION_ROW_VERBOSE(&o.is_verbose),
        OPTION_ROW_HELP(&o.is_help),
        OPTION_ROW_END,
    };
    struct forward_data data = {0};
    int status = STATUS_FAILED;

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (o.is_help)
        return print_help(rows);
    if (check_usage(&o, rows) != 0)
        return STATUS_USAGE;
    add_output(&data.outputs, "out", o.out);
    add_output(&data.outputs, "mean-out", o.mean_out);
    add_output(&data.outputs, "var-out", o.var_out);
    add_output(&data.outputs, "save-mean", o.save_mean);
    add_output(&data.outputs, "save-invstd", o.save_invstd);
    add_output(&data.outputs, "save-var", o.save_var);
    add_output(&data.outputs, "mask-out", o.mask_out);
    if (check_distinct_outputs(&data.outputs) != 0)
        return STATUS_USAGE;
    if (read_inputs(&o, &data) == 0)
        status = compute(&o, &data);
    npy_free(&data.in);
    npy_free(&data.scale);
    npy_free(&data.shift);
    npy_free(&data.mean);
    npy_free(&data.var);
    npy_free(&data.residual);
    free_outputs(&data.outputs);
    return status;
}
