/* SPDX-License-Identifier: Apache-2.0 */
#include "block_case.h"

#include "cases.h"
#include "model.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const block_slot_name[B_PARTS] = {
    "src",          "weights",          "bias",      "product",       "dst",         "scale",          "shift",
    "running_mean", "running_variance", "save_mean", "save_mean_low", "save_invstd", "save_variance",  "diff_dst",
    "diff_src",     "diff_weights",     "diff_bias", "diff_scale",    "diff_shift",  "folded_weights", "folded_bias",
    "workspace"};

const char *block_text(const clnorm_block_desc *d, char text[200])
{
    snprintf(text, 200, "n %d, %d x %d x %d to %d, kernel %d x %d, stride %d, pad %d, dilation %d%s%s%s", (int)d->n,
             (int)d->src_c, (int)d->src_h, (int)d->src_w, (int)d->dst_c, (int)d->kernel_h, (int)d->kernel_w,
             (int)d->stride_h, (int)d->pad_h, (int)d->dilation_h, d->activation ? ", relu" : "",
             d->flags & CLNORM_BLOCK_PLAIN ? ", plain" : "",
             d->flags & CLNORM_BLOCK_REPRODUCIBLE ? ", reproducible" : "");
    return text;
}

/* ---- arrays ---- */

static size_t count_of(const clnorm_block_desc *d, enum block_slot slot)
{
    uint64_t h = 0, w = 0;

    ck_assert_int_eq(clnorm_get_block_dst_size(d, &h, &w), CLNORM_SUCCESS);
    switch (slot) {
    case B_SRC:
    case B_DIFF_SRC:
        return d->n * d->src_c * d->src_h * d->src_w;
    case B_WEIGHTS:
    case B_DIFF_WEIGHTS:
    case B_FOLDED_WEIGHTS:
        return d->dst_c * d->src_c * d->kernel_h * d->kernel_w;
    case B_PRODUCT:
    case B_DST:
    case B_DIFF_DST:
        return d->n * d->dst_c * h * w;
    default:
        return d->dst_c;
    }
}

void block_make(struct block_case *c, const clnorm_block_desc *desc)
{
    uint64_t terms = desc->src_c * desc->kernel_h * desc->kernel_w;
    float spread = ldexpf(1.0f, -(int)floor(log2((double)terms) / 2 + 0.5));

    memset(c, 0, sizeof(*c));
    c->desc = *desc;
    c->momentum = 0.25f;
    for (unsigned s = 0; s < B_SLOTS; s++) {
        c->count[s] = count_of(desc, (enum block_slot)s);
        ck_assert_ptr_nonnull(c->value[s] = calloc(c->count[s] + 1, sizeof(float)));
        for (size_t i = 0; i < c->count[s]; i++)
            c->value[s][i] = case_normal(977 + 31 * s, i) * (s == B_WEIGHTS ? spread : 1.0f);
    }
    for (size_t i = 0; i < desc->dst_c; i++) {
        c->value[B_BIAS][i] += (float)(i % 5) * 4;
        c->value[B_SCALE][i] = 1.25f + c->value[B_SCALE][i] * 0.125f;
        c->value[B_VARIANCE][i] = 0.5f + fabsf(c->value[B_VARIANCE][i]);
        c->value[B_RUNNING_VARIANCE][i] = 0.5f + fabsf(c->value[B_RUNNING_VARIANCE][i]);
    }
}

void block_free(struct block_case *c)
{
    for (unsigned s = 0; s < B_SLOTS; s++)
        free(c->value[s]);
    for (unsigned s = 0; s < B_PARTS; s++)
        if (c->mem[s])
            clReleaseMemObject(c->mem[s]);
    memset(c, 0, sizeof(*c));
}

/* ---- operations ---- */

static const unsigned statistics = BIT(B_MEAN) | BIT(B_MEAN_LOW) | BIT(B_INVSTD) | BIT(B_VARIANCE);
static const unsigned running = BIT(B_RUNNING_MEAN) | BIT(B_RUNNING_VARIANCE);

static unsigned there(const struct block_case *c, unsigned slots)
{
    if (c->desc.flags & CLNORM_BLOCK_PLAIN)
        slots &= ~(statistics | running | BIT(B_PRODUCT) | BIT(B_SCALE) | BIT(B_SHIFT) | BIT(B_DIFF_SCALE) |
                   BIT(B_DIFF_SHIFT));
    return slots & ~c->absent;
}

unsigned block_reads(const struct block_case *c, enum block_operation operation)
{
    unsigned product = BIT(B_SRC) | BIT(B_WEIGHTS) | BIT(B_BIAS), norm = BIT(B_SCALE) | BIT(B_SHIFT);

    switch (operation) {
    case BLOCK_TRAIN:
        return there(c, product | norm | running);
    case BLOCK_INFER:
        return there(c, product | norm | BIT(B_MEAN) | BIT(B_VARIANCE));
    case BLOCK_FOLD:
        return there(c, BIT(B_WEIGHTS) | BIT(B_BIAS) | norm | BIT(B_MEAN) | BIT(B_VARIANCE));
    default:
        return there(c, BIT(B_SRC) | BIT(B_WEIGHTS) | BIT(B_PRODUCT) | BIT(B_DST) | BIT(B_DIFF_DST) | BIT(B_SCALE) |
                            BIT(B_MEAN) | BIT(B_MEAN_LOW) | BIT(B_INVSTD));
    }
}

unsigned block_writes(const struct block_case *c, enum block_operation operation)
{
    switch (operation) {
    case BLOCK_TRAIN:
        return there(c, BIT(B_PRODUCT) | BIT(B_DST) | statistics | running);
    case BLOCK_INFER:
        return there(c, BIT(B_DST));
    case BLOCK_FOLD:
        return there(c, BIT(B_FOLDED_WEIGHTS) | BIT(B_FOLDED_BIAS));
    default:
        return there(c, GRADIENTS);
    }
}

/* A quiet NaN that tells where it stood: no kernel writes it, and one that reads it cannot hide it. */
static uint32_t canary(unsigned slot, size_t index)
{
    return 0xffc00000u | (uint32_t)((index + 1000003 * slot) * 2654435761u >> 10 & 0x3fffffu);
}

static enum clnorm_operation workspace_of(enum block_operation operation)
{
    return operation == BLOCK_TRAIN   ? CLNORM_FORWARD_TRAINING
           : operation == BLOCK_INFER ? CLNORM_FORWARD_INFERENCE
                                      : CLNORM_BACKWARD_TRAINING;
}

void block_upload(struct block_case *c, const struct rig *rig, enum block_operation operation)
{
    unsigned reads = block_reads(c, operation), all = reads | block_writes(c, operation);

    for (unsigned s = 0; s < B_PARTS; s++) {
        size_t count = s < B_SLOTS ? c->count[s] : 0;
        cl_int e;

        if (s < B_SLOTS && !(all & BIT(s)))
            continue;
        if (s == B_WORKSPACE && operation != BLOCK_FOLD) {
            ck_assert_int_eq(clnorm_get_block_workspace_bytes(rig->context, workspace_of(operation), &c->desc, &count),
                             CLNORM_SUCCESS);
            ck_assert_uint_eq(count % sizeof(float), 0);
            count /= sizeof(float);
        }
        if (c->mem[s])
            clReleaseMemObject(c->mem[s]);
        c->offset[s] = 2 * (7 * s % 29) + 17;
        c->total[s] = (size_t)c->offset[s] + count + 67;
        uint32_t *image = malloc(c->total[s] * sizeof(*image));
        ck_assert_ptr_nonnull(image);
        for (size_t i = 0; i < c->total[s]; i++)
            image[i] = canary(s, i);
        if (s < B_SLOTS && reads & BIT(s))
            memcpy(image + c->offset[s], c->value[s], count * sizeof(float));
        c->mem[s] =
            clCreateBuffer(rig->cl, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, c->total[s] * sizeof(*image), image, &e);
        ck_assert_int_eq(e, CL_SUCCESS);
        free(image);
    }
}

int block_call(struct block_case *c, clnorm_context *context, cl_command_queue queue, enum block_operation operation,
               cl_uint wait_count, const cl_event *wait_list, cl_event *event)
{
    unsigned all = block_reads(c, operation) | block_writes(c, operation) | c->given;
    clnorm_buffer b[B_PARTS] = {{0}};

    for (unsigned s = 0; s < B_PARTS; s++)
        if (s == B_WORKSPACE || all & BIT(s))
            b[s] = (clnorm_buffer){c->mem[s], c->offset[s]};
    if (operation == BLOCK_TRAIN) {
        clnorm_block_training_args args = {.src = b[B_SRC], .weights = b[B_WEIGHTS], .bias = b[B_BIAS]};

        args.product = b[B_PRODUCT], args.dst = b[B_DST], args.scale = b[B_SCALE], args.shift = b[B_SHIFT];
        args.running_mean = b[B_RUNNING_MEAN], args.running_variance = b[B_RUNNING_VARIANCE];
        args.save_mean = b[B_MEAN], args.save_mean_low = b[B_MEAN_LOW], args.save_invstd = b[B_INVSTD];
        args.save_variance = b[B_VARIANCE], args.workspace = b[B_WORKSPACE], args.momentum = c->momentum;
        return clnorm_block_forward_training(context, queue, &c->desc, &args, wait_count, wait_list, event);
    }
    if (operation == BLOCK_INFER) {
        clnorm_block_inference_args args = {.src = b[B_SRC], .weights = b[B_WEIGHTS], .bias = b[B_BIAS]};

        args.dst = b[B_DST], args.scale = b[B_SCALE], args.shift = b[B_SHIFT];
        args.mean = b[B_MEAN], args.variance = b[B_VARIANCE], args.workspace = b[B_WORKSPACE];
        return clnorm_block_forward_inference(context, queue, &c->desc, &args, wait_count, wait_list, event);
    }
    if (operation == BLOCK_FOLD) {
        clnorm_block_fold_args args = {.weights = b[B_WEIGHTS], .bias = b[B_BIAS], .scale = b[B_SCALE]};

        args.shift = b[B_SHIFT], args.mean = b[B_MEAN], args.variance = b[B_VARIANCE];
        args.folded_weights = b[B_FOLDED_WEIGHTS], args.folded_bias = b[B_FOLDED_BIAS];
        return clnorm_block_fold(context, queue, &c->desc, &args, wait_count, wait_list, event);
    }
    clnorm_block_backward_args args = {.src = b[B_SRC], .weights = b[B_WEIGHTS], .product = b[B_PRODUCT]};

    args.dst = b[B_DST], args.diff_dst = b[B_DIFF_DST], args.scale = b[B_SCALE], args.save_mean = b[B_MEAN];
    args.save_mean_low = b[B_MEAN_LOW], args.save_invstd = b[B_INVSTD], args.diff_src = b[B_DIFF_SRC];
    args.diff_weights = b[B_DIFF_WEIGHTS], args.diff_bias = b[B_DIFF_BIAS], args.diff_scale = b[B_DIFF_SCALE];
    args.diff_shift = b[B_DIFF_SHIFT], args.workspace = b[B_WORKSPACE];
    return clnorm_block_backward(context, queue, &c->desc, &args, wait_count, wait_list, event);
}

void block_download(struct block_case *c, const struct rig *rig, enum block_operation operation, int has_run)
{
    unsigned reads = block_reads(c, operation), writes = block_writes(c, operation);
    char text[200];

    for (unsigned s = 0; s < B_PARTS; s++) {
        size_t count = s < B_SLOTS ? c->count[s] : c->total[s] - 67 - (size_t)c->offset[s];

        if (s < B_SLOTS && !((reads | writes) & BIT(s)))
            continue;
        uint32_t *image = malloc(c->total[s] * sizeof(*image));
        ck_assert_ptr_nonnull(image);
        ck_assert_int_eq(
            clEnqueueReadBuffer(rig->queue, c->mem[s], CL_TRUE, 0, c->total[s] * sizeof(*image), image, 0, NULL, NULL),
            CL_SUCCESS);
        for (size_t i = 0; i < c->total[s]; i++) {
            size_t inside = i - (size_t)c->offset[s];
            uint32_t want = canary(s, i);

            if (i >= c->offset[s] && inside < count) {
                if (has_run && (s == B_WORKSPACE || writes & BIT(s)))
                    continue;
                if (s < B_SLOTS && reads & BIT(s))
                    memcpy(&want, &c->value[s][inside], sizeof(want));
            }
            EXPECT(image[i] == want, "%s: %s[%lld] is 0x%08x, was 0x%08x", block_text(&c->desc, text),
                   block_slot_name[s], (long long)i - (long long)c->offset[s], image[i], want);
        }
        if (has_run && s < B_SLOTS && writes & BIT(s))
            memcpy(c->value[s], image + c->offset[s], count * sizeof(float));
        free(image);
    }
}

void block_run(struct block_case *c, struct rig *rig, enum block_operation operation)
{
    char text[200];

    block_upload(c, rig, operation);
    messages_clear(&rig->messages);
    int status = block_call(c, rig->context, rig->queue, operation, 0, NULL, NULL);
    ck_assert_msg(status == CLNORM_SUCCESS, "%s: %d (%s): %s", block_text(&c->desc, text), status,
                  clnorm_status_string(status), rig->messages.text);
    ck_assert_int_eq(clFinish(rig->queue), CL_SUCCESS);
    block_download(c, rig, operation, 1);
}

/* ---- the model ---- */

static void model_train(struct block_case *c, float **v)
{
    const clnorm_block_desc *d = &c->desc;
    clnorm_desc norm = model_block_norm(d);
    int is_plain = (d->flags & CLNORM_BLOCK_PLAIN) != 0;

    model_block_product(d, v[B_SRC], v[B_WEIGHTS], v[B_BIAS], is_plain ? v[B_DST] : v[B_PRODUCT]);
    struct model_forward forward = {v[B_PRODUCT],          v[B_DST],  v[B_SCALE],    v[B_SHIFT],  v[B_RUNNING_MEAN],
                                    v[B_RUNNING_VARIANCE], v[B_MEAN], v[B_MEAN_LOW], v[B_INVSTD], v[B_VARIANCE],
                                    c->momentum,           0};
    if (!is_plain)
        ck_assert_int_eq(model_forward_training(&norm, &forward), 0);
    model_activate(d->activation, c->count[B_DST], v[B_DST], v[B_DST]);
}

static void model_backward(struct block_case *c, float **v)
{
    const clnorm_block_desc *d = &c->desc;
    clnorm_desc norm = model_block_norm(d);
    int is_plain = (d->flags & CLNORM_BLOCK_PLAIN) != 0;
    float *diff = malloc((c->count[B_DST] + 1) * sizeof(float));
    ck_assert_ptr_nonnull(diff);

    model_activate_diff(d->activation, c->count[B_DST], v[B_DIFF_DST], v[B_DST], diff);
    struct model_backward backward = {.src = v[B_PRODUCT], .diff_dst = diff, .scale = v[B_SCALE], .mean = v[B_MEAN]};
    backward.mean_low = v[B_MEAN_LOW], backward.invstd = v[B_INVSTD];
    backward.diff_src = diff, backward.diff_scale = v[B_DIFF_SCALE], backward.diff_shift = v[B_DIFF_SHIFT];
    if (!is_plain)
        ck_assert_int_eq(model_backward_training(&norm, &backward), 0);
    struct model_backward sum = {.diff_dst = diff, .variance = diff, .diff_shift = v[B_DIFF_BIAS]};
    if (v[B_DIFF_BIAS])
        ck_assert_int_eq(model_backward_frozen(&norm, &sum), 0);
    if (v[B_DIFF_WEIGHTS])
        model_block_diff_weights(d, diff, v[B_SRC], v[B_DIFF_WEIGHTS]);
    if (v[B_DIFF_SRC])
        model_block_diff_src(d, diff, v[B_WEIGHTS], v[B_DIFF_SRC]);
    free(diff);
}

void block_model(struct block_case *c, enum block_operation operation)
{
    unsigned all = block_reads(c, operation) | block_writes(c, operation);
    clnorm_desc norm = model_block_norm(&c->desc);
    float *v[B_SLOTS];

    for (unsigned s = 0; s < B_SLOTS; s++)
        v[s] = all & BIT(s) ? c->value[s] : NULL;
    if (operation == BLOCK_TRAIN) {
        model_train(c, v);
    } else if (operation == BLOCK_INFER) {
        model_block_product(&c->desc, v[B_SRC], v[B_WEIGHTS], v[B_BIAS], v[B_DST]);
        if (v[B_MEAN])
            ck_assert_int_eq(
                model_forward_inference(&norm, v[B_DST], v[B_DST], v[B_SCALE], v[B_SHIFT], v[B_MEAN], v[B_VARIANCE]),
                0);
        model_activate(c->desc.activation, c->count[B_DST], v[B_DST], v[B_DST]);
    } else if (operation == BLOCK_BACKWARD) {
        model_backward(c, v);
    }
}
