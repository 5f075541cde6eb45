/* SPDX-License-Identifier: Apache-2.0 */
#include "clnorm.h"
#include "cli/form.h"
#include "cli/commands.h"
#include "cli/message.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/tensors.h"

#include <stdio.h>

struct backward_options {
    const char *in, *grad_out, *grad_in, *grad_scale, *grad_shift, *grad_residual, *scale, *mean, *var;
    const char *mask, *dst, *saved_mean, *saved_invstd, *device;
    struct tensor_options tensor;
    int is_infer, is_verbose, is_help;
};

/* What the files hold. */
struct backward_data {
    clnorm_desc desc;
    struct npy_array in, grad_out, mask, dst, scale, mean, var, saved_mean, saved_invstd;
    struct outputs outputs;
};

/* The device's buffers that both modes use; those of gradients that were not asked for are not there. */
struct backward_buffers {
    clnorm_buffer src, diff_dst, mask, dst, scale, diff_src, diff_scale, diff_shift, diff_residual;
};

static int print_help(const struct option_row *rows)
{
    printf(
        "usage: clnorm backward --in x.npy --grad-out dy.npy [--grad-in f] [--grad-scale f] [--grad-shift f]\n"
        "                       [--grad-residual f] [OPTION...]\n"
        "\n"
        "Computes gradients from those of the output, dy: of x, scale, shift and the residual, at least one of them.\n"
        "With --mode train they go through the batch's mean and variance, which are computed again unless "
        "--saved-mean\n"
        "and --saved-invstd name what forward has saved; with --mode infer mean and variance are given and constant.\n"
        "An activation's gradient needs forward's mask, or y. Outputs are written all or none.\n"
        "\n"
        "options:\n");
    options_help(rows);
    return finish_output();
}

/* An activation goes with what forward made of it. */
static int check_activation(const struct backward_options *o)
{
    const int is_there = activation_is_there(&o->tensor.activation);

    if (o->mask && o->dst)
        complain("backward: options --mask and --dst are given; expected one of them");
    else if (is_there && !o->mask && !o->dst)
        complain("backward: --activation needs what forward made of it; expected --mask m.npy (forward's --mask-out) "
                 "or --dst y.npy (forward's --out)");
    else if (!is_there && (o->mask || o->dst))
        complain("backward: option --%s is for an activation's gradient; expected --activation as forward had it",
                 o->mask ? "mask" : "dst");
    else
        return 0;
    return -1;
}

/* Checks what the table cannot. Returns 0, or -1 after a message. */
static int check_usage(const struct backward_options *o)
{
    if (!o->in || !o->grad_out) {
        complain("backward: option --%s is missing; expected %s", o->in ? "grad-out" : "in",
                 o->in ? "--grad-out dy.npy, the gradient of the output"
                       : "--in x.npy, the tensor that was normalized");
        return -1;
    }
    if (!o->grad_in && !o->grad_scale && !o->grad_shift && !o->grad_residual) {
        complain("backward: no gradient to compute; expected --grad-in, --grad-scale, --grad-shift or --grad-residual");
        return -1;
    }
    if (o->is_infer && (!o->mean || !o->var)) {
        complain("backward: --mode infer needs the statistics that were used; expected --%s FILE",
                 o->mean ? "var" : "mean");
        return -1;
    }
    if (!o->is_infer && (o->mean || o->var)) {
        complain("backward: option --%s is for --mode infer; --mode train computes the batch's statistics again",
                 o->mean ? "mean" : "var");
        return -1;
    }
    if (!o->saved_mean != !o->saved_invstd) {
        complain("backward: option --%s is missing; expected --saved-mean and --saved-invstd together",
                 o->saved_mean ? "saved-invstd" : "saved-mean");
        return -1;
    }
    if (o->is_infer && o->tensor.group_samples) {
        complain("backward: option --group-samples is for --mode train; with --mode infer statistics are given");
        return -1;
    }
    if (o->is_infer && o->saved_mean) {
        complain("backward: option --saved-mean is for --mode train; --mode infer takes --mean and --var");
        return -1;
    }
    return check_activation(o);
}

static int read_inputs(const struct backward_options *o, struct backward_data *data)
{
    if (check_outputs(&data->outputs) != 0 || read_tensor(o->in, &o->tensor, &data->in, &data->desc) != 0)
        return -1;
    return read_same_shape(o->grad_out, &data->in, o->in, &data->grad_out) ||
                   read_same_shape(o->dst, &data->in, o->in, &data->dst) ||
                   read_mask(o->mask, &data->in, o->in, &data->mask) ||
                   read_vector(o->scale, &data->desc, o->in, &data->scale) ||
                   read_statistics(o->saved_mean, &data->desc, o->in, &data->saved_mean) ||
                   read_statistics(o->saved_invstd, &data->desc, o->in, &data->saved_invstd) ||
                   read_given(o->mean, &data->desc, o->in, &data->mean) ||
                   read_given(o->var, &data->desc, o->in, &data->var)
               ? -1
               : 0;
}

/* Forward once more for what backward needs of it; its y is of no use, and goes where the gradient of x will. */
static void run_statistics(struct session *session, const clnorm_desc *desc, clnorm_buffer src, clnorm_buffer scratch,
                           clnorm_backward_training_args *backward)
{
    clnorm_forward_training_args forward = {.src = src, .dst = scratch};
    clnorm_desc plain = *desc;

    plain.activation = CLNORM_IDENTITY;

    const uint64_t count = statistics_count(desc) * sample_groups(desc);
    backward->save_mean = forward.save_mean = session_buffer(session, NULL, count);
    backward->save_mean_low = forward.save_mean_low = session_buffer(session, NULL, count);
    backward->save_invstd = forward.save_invstd = session_buffer(session, NULL, count);
    forward.workspace = session_workspace(session, CLNORM_FORWARD_TRAINING, &plain);
    if (!session->is_failed)
        session_expect(session,
                       clnorm_forward_training(session->context, session->queue, &plain, &forward, 0, NULL, NULL),
                       "backward: the statistics");
}

static void run_training(struct session *session, struct backward_data *data, const struct backward_buffers *buffers,
                         clnorm_buffer scratch)
{
    const clnorm_desc *desc = &data->desc;
    clnorm_backward_training_args backward = {.src = buffers->src,
                                              .diff_dst = buffers->diff_dst,
                                              .scale = buffers->scale,
                                              .diff_src = buffers->diff_src,
                                              .diff_scale = buffers->diff_scale,
                                              .diff_shift = buffers->diff_shift,
                                              .mask = buffers->mask,
                                              .dst = buffers->dst,
                                              .diff_residual = buffers->diff_residual};

    if (data->saved_mean.values) {
        backward.save_mean = upload_array(session, &data->saved_mean);
        backward.save_invstd = upload_array(session, &data->saved_invstd);
    } else {
        run_statistics(session, desc, buffers->src, scratch, &backward);
    }
    backward.workspace = session_workspace(session, CLNORM_BACKWARD_TRAINING, desc);
    if (!session->is_failed)
        session_expect(session,
                       clnorm_backward_training(session->context, session->queue, desc, &backward, 0, NULL, NULL),
                       "backward");
}

static void run_frozen(struct session *session, struct backward_data *data, const struct backward_buffers *buffers)
{
    const clnorm_desc *desc = &data->desc;
    clnorm_backward_frozen_args args = {.src = buffers->src,
                                        .diff_dst = buffers->diff_dst,
                                        .scale = buffers->scale,
                                        .diff_src = buffers->diff_src,
                                        .diff_scale = buffers->diff_scale,
                                        .diff_shift = buffers->diff_shift,
                                        .mask = buffers->mask,
                                        .dst = buffers->dst,
                                        .diff_residual = buffers->diff_residual};

    args.mean = upload_array(session, &data->mean);
    args.variance = upload_array(session, &data->var);
    args.workspace = session_workspace(session, CLNORM_BACKWARD_FROZEN, desc);
    if (!session->is_failed)
        session_expect(session, clnorm_backward_frozen(session->context, session->queue, desc, &args, 0, NULL, NULL),
                       "backward");
}

/* Returns an exit status. */
static int compute(const struct backward_options *o, struct backward_data *data)
{
    struct backward_buffers buffers = {0};
    struct session session;
    clnorm_buffer scratch;
    int status = STATUS_FAILED;

    show_progress("preparing the device");
    if (session_open(&session, o->device, o->is_verbose) != 0)
        return STATUS_FAILED;
    buffers.src = upload_array(&session, &data->in);
    npy_free(&data->in); /* the device has them now, and the result will need as much memory */
    buffers.diff_dst = upload_array(&session, &data->grad_out);
    npy_free(&data->grad_out);
    buffers.dst = upload_array(&session, &data->dst);
    npy_free(&data->dst);
    buffers.mask = upload_array(&session, &data->mask);
    buffers.scale = upload_array(&session, &data->scale);
    scratch = session_tensor(&session, data->desc.type, NULL, data->in.count);
    if (o->grad_in || o->grad_residual) /* which comes with it */
        buffers.diff_src = scratch;
    if (o->grad_residual)
        buffers.diff_residual = buffers.diff_dst;
    if (o->grad_scale)
        buffers.diff_scale = session_buffer(&session, NULL, data->desc.c);
    if (o->grad_shift)
        buffers.diff_shift = session_buffer(&session, NULL, data->desc.c);
    set_output(&data->outputs, "grad-in", data->in.type, data->in.rank, data->in.shape, buffers.diff_src);
    set_output(&data->outputs, "grad-scale", NPY_FLOAT32, 1, &data->desc.c, buffers.diff_scale);
    set_output(&data->outputs, "grad-shift", NPY_FLOAT32, 1, &data->desc.c, buffers.diff_shift);
    set_output(&data->outputs, "grad-residual", data->in.type, data->in.rank, data->in.shape, buffers.diff_residual);

    show_progress("computing gradients");
    if (o->is_infer)
        run_frozen(&session, data, &buffers);
    else
        run_training(&session, data, &buffers, scratch);
    if (write_outputs(&session, &data->outputs) == 0)
        status = STATUS_DONE;
    session_close(&session);
    return status;
}

int command_backward(int count, char *const *arguments, int is_verbose)
{
    struct backward_options o = {.tensor.epsilon = 1e-5f, .is_verbose = is_verbose};
    struct option_row rows[] = {
        OPTION_ROW_FILE("in", &o.in, "the tensor x that was normalized; required"),
        OPTION_ROW_FILE("grad-out", &o.grad_out, "the gradient of the output, shaped as x; required"),
        OPTION_ROW_FILE("grad-in", &o.grad_in, "where the gradient of x goes"),
        OPTION_ROW_FILE("grad-scale", &o.grad_scale, "where the gradient of scale goes"),
        OPTION_ROW_FILE("grad-shift", &o.grad_shift, "where the gradient of shift goes"),
        OPTION_ROW_FILE("grad-residual", &o.grad_residual, "where the gradient of the residual goes"),
        OPTION_ROW_FILE("scale", &o.scale, "scale (gamma) that forward had; default: all 1"),
        OPTION_ROW_ACTIVATION(&o.tensor.activation, "that forward had, with --mask or --dst; default: none"),
        OPTION_ROW_FILE("mask", &o.mask, "the mask that forward has written (--mask-out)"),
        OPTION_ROW_FILE("dst", &o.dst, "y, that forward has written (--out), in the place of a mask"),
        OPTION_ROW_GROUP_SAMPLES(&o.tensor.group_samples, "train: statistics of each G samples, as forward had them"),
        OPTION_ROW_GROUP_CHANNELS(&o.tensor.group_channels),
        OPTION_ROW_BFLOAT16(&o.tensor.is_bfloat16),
        OPTION_ROW_MODE(&o.is_infer, "through batch statistics (train, the default) or given ones"),
        OPTION_ROW_FILE("saved-mean", &o.saved_mean,
                        "train: the mean that forward has saved (--save-mean). It is rounded to float32: gradients\n"
                        "at a mean of 1e6 deviations are then some percent off, and those computed again are not"),
        OPTION_ROW_FILE("saved-invstd", &o.saved_invstd,
                        "train: 1 / deviation, that forward has saved (--save-invstd)"),
        OPTION_ROW_FILE("mean", &o.mean, "infer: the mean that forward used, required"),
        OPTION_ROW_FILE("var", &o.var, "infer: the variance that forward used, required"),
        OPTION_ROW_LAYOUT(&o.tensor.layout),
        OPTION_ROW_EPSILON(&o.tensor.epsilon),
        OPTION_ROW_DEVICE(&o.device),
        OPTION_ROW_VERBOSE(&o.is_verbose),
        OPTION_ROW_HELP(&o.is_help),
        OPTION_ROW_END,
    };
    struct backward_data data = {0};
    int status = STATUS_FAILED;

    if (options_parse(rows, count, arguments) != 0)
        return STATUS_USAGE;
    if (o.is_help)
        return print_help(rows);
    if (check_usage(&o) != 0)
        return STATUS_USAGE;
    add_output(&data.outputs, "grad-in", o.grad_in);
    add_output(&data.outputs, "grad-scale", o.grad_scale);
    add_output(&data.outputs, "grad-shift", o.grad_shift);
    add_output(&data.outputs, "grad-residual", o.grad_residual);
    if (check_distinct_outputs(&data.outputs) != 0)
        return STATUS_USAGE;
    if (read_inputs(&o, &data) == 0)
        status = compute(&o, &data);
    npy_free(&data.in);
    npy_free(&data.grad_out);
    npy_free(&data.mask);
    npy_free(&data.dst);
    npy_free(&data.scale);
    npy_free(&data.saved_mean);
    npy_free(&data.saved_invstd);
    npy_free(&data.mean);
    npy_free(&data.var);
    free_outputs(&data.outputs);
    return status;
}
