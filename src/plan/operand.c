/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/operand.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "plan/view.h"

/* A row of the list of struct ARGS. */
#define ROW(name_, size_, when_, ...)                                                                                  \
    {                                                                                                                  \
        .name = #name_, .member = offsetof(ARGS, name_), .size = CLNORM__OF_##size_, .when = CLNORM__##when_,          \
        __VA_ARGS__                                                                                                    \
    }
#define PLACE(place_) .place = offsetof(struct clnorm__buffers, place_)
/* Of a tensor, which may be a view. */
#define LIES(name_, place_)                                                                                            \
    PLACE(place_), .strides = offsetof(ARGS, name_##_strides), .view = offsetof(struct clnorm__buffers, views.place_)
#define WANTED_BY(member_) .wanted_by = offsetof(ARGS, member_)
#define SPARED_BY(member_) .spared_by = offsetof(ARGS, member_)
#define ACTIVATION .is_activation = 1
#define WRITTEN .is_written = 1
#define FLAG(flag_) .flag = CLNORM_HAS_##flag_
#define OVER_ROW(i) (1u << (i))

/* ---- batch normalization ---- */

#define ARGS clnorm_forward_training_args
static const struct clnorm__operand forward_training[] = {
    ROW(src, TENSOR, ALWAYS, LIES(src, src)),
    ROW(dst, TENSOR, ALWAYS, LIES(dst, dst), WRITTEN, .alias = OVER_ROW(0)),
    ROW(scale, CHANNELS, OPTIONAL, PLACE(scale), FLAG(SCALE)),
    ROW(shift, CHANNELS, OPTIONAL, PLACE(shift), FLAG(SHIFT)),
    ROW(running_mean, STATISTICS, OPTIONAL, PLACE(running_mean), WRITTEN, FLAG(RUNNING_MEAN)),
    ROW(running_variance, STATISTICS, OPTIONAL, PLACE(running_variance), WRITTEN, FLAG(RUNNING_VARIANCE)),
    ROW(save_mean, GROUPS, OPTIONAL, PLACE(mean), WRITTEN, FLAG(SAVE_MEAN)),
    ROW(save_mean_low, GROUPS, OPTIONAL, PLACE(mean_low), WRITTEN, FLAG(SAVE_MEAN_LOW)),
    ROW(save_invstd, GROUPS, OPTIONAL, PLACE(spread), WRITTEN, FLAG(SAVE_INVSTD)),
    ROW(save_variance, GROUPS, OPTIONAL, PLACE(variance), WRITTEN, FLAG(SAVE_VARIANCE)),
    ROW(residual, TENSOR, OPTIONAL, LIES(residual, residual), .alias = OVER_ROW(1)),
    ROW(mask, MASK, OPTIONAL, PLACE(mask), WRITTEN, ACTIVATION),
    ROW(workspace, WORKSPACE, ALWAYS, PLACE(workspace), WRITTEN),
};
#undef ARGS

#define ARGS clnorm_forward_inference_args
static const struct clnorm__operand forward_inference[] = {
    ROW(src, TENSOR, ALWAYS, LIES(src, src)),
    ROW(dst, TENSOR, ALWAYS, LIES(dst, dst), WRITTEN, .alias = OVER_ROW(0)),
    ROW(scale, CHANNELS, OPTIONAL, PLACE(scale), FLAG(SCALE)),
    ROW(shift, CHANNELS, OPTIONAL, PLACE(shift), FLAG(SHIFT)),
    ROW(mean, STATISTICS, ALWAYS, PLACE(mean), FLAG(MEAN)),
    ROW(variance, STATISTICS, ALWAYS, PLACE(spread)),
    ROW(residual, TENSOR, OPTIONAL, LIES(residual, residual), .alias = OVER_ROW(1)),
    ROW(workspace, WORKSPACE, ALWAYS, PLACE(workspace), WRITTEN),
};
#undef ARGS

#define ARGS clnorm_backward_training_args
static const struct clnorm__operand backward_training[] = {
    ROW(src, TENSOR, ALWAYS, LIES(src, src)),
    ROW(diff_dst, TENSOR, ALWAYS, LIES(diff_dst, diff_dst)),
    ROW(diff_src, TENSOR, OPTIONAL, LIES(diff_src, dst), WRITTEN, .alias = OVER_ROW(0) | OVER_ROW(1)),
    ROW(scale, CHANNELS, OPTIONAL, PLACE(scale), FLAG(SCALE)),
    ROW(save_mean, GROUPS, NOT_EMPTY, PLACE(mean), FLAG(MEAN)),
    ROW(save_mean_low, GROUPS, OPTIONAL, PLACE(mean_low), FLAG(SAVE_MEAN_LOW)),
    ROW(save_invstd, GROUPS, NOT_EMPTY, PLACE(spread)),
    ROW(diff_scale, CHANNELS, OPTIONAL, PLACE(diff_scale), WRITTEN, FLAG(DIFF_SCALE)),
    ROW(diff_shift, CHANNELS, OPTIONAL, PLACE(diff_shift), WRITTEN, FLAG(DIFF_SHIFT)),
    ROW(mask, MASK, OPTIONAL, PLACE(mask), ACTIVATION),
    ROW(dst, TENSOR, ACTIVATED, LIES(dst, gate), SPARED_BY(mask), ACTIVATION),
    ROW(diff_residual, TENSOR, OPTIONAL, LIES(diff_residual, residual), WRITTEN, .alias = OVER_ROW(1)),
    ROW(workspace, WORKSPACE, ALWAYS, PLACE(workspace), WRITTEN),
};
#undef ARGS

#define ARGS clnorm_backward_frozen_args
static const struct clnorm__operand backward_frozen[] = {
    ROW(src, TENSOR, ALWAYS, LIES(src, src), WANTED_BY(diff_scale)),
    ROW(diff_dst, TENSOR, ALWAYS, LIES(diff_dst, diff_dst)),
    ROW(diff_src, TENSOR, OPTIONAL, LIES(diff_src, dst), WRITTEN, .alias = OVER_ROW(0) | OVER_ROW(1)),
    ROW(scale, CHANNELS, OPTIONAL, PLACE(scale), FLAG(SCALE)),
    ROW(mean, STATISTICS, NOT_EMPTY, PLACE(mean), WANTED_BY(diff_scale), FLAG(MEAN)),
    ROW(variance, STATISTICS, NOT_EMPTY, PLACE(spread)),
    ROW(diff_scale, CHANNELS, OPTIONAL, PLACE(diff_scale), WRITTEN, FLAG(DIFF_SCALE)),
    ROW(diff_shift, CHANNELS, OPTIONAL, PLACE(diff_shift), WRITTEN, FLAG(DIFF_SHIFT)),
    ROW(mask, MASK, OPTIONAL, PLACE(mask), ACTIVATION),
    ROW(dst, TENSOR, ACTIVATED, LIES(dst, gate), SPARED_BY(mask), ACTIVATION),
    ROW(diff_residual, TENSOR, OPTIONAL, LIES(diff_residual, residual), WRITTEN, .alias = OVER_ROW(1)),
    ROW(workspace, WORKSPACE, ALWAYS, PLACE(workspace), WRITTEN),
};
#undef ARGS

/* ---- blocks, whose steps are calls of their own ---- */

#define HERE .place = CLNORM__NO_PLACE
#define NORM HERE, .is_norm = 1

#define ARGS clnorm_block_training_args
static const struct clnorm__operand block_training[] = {
    ROW(src, SRC, ALWAYS, HERE),
    ROW(weights, WEIGHTS, NOT_EMPTY, HERE),
    ROW(bias, CHANNELS, OPTIONAL, HERE),
    ROW(dst, DST, ALWAYS, HERE, WRITTEN),
    ROW(product, DST, ALWAYS, NORM, WRITTEN),
    ROW(scale, CHANNELS, OPTIONAL, NORM),
    ROW(shift, CHANNELS, OPTIONAL, NORM),
    ROW(running_mean, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(running_variance, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(save_mean, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(save_mean_low, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(save_invstd, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(save_variance, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(workspace, WORKSPACE, ALWAYS, HERE, WRITTEN),
};
#undef ARGS

#define ARGS clnorm_block_inference_args
static const struct clnorm__operand block_inference[] = {
    ROW(src, SRC, ALWAYS, HERE),
    ROW(weights, WEIGHTS, NOT_EMPTY, HERE),
    ROW(bias, CHANNELS, OPTIONAL, HERE),
    ROW(dst, DST, ALWAYS, HERE, WRITTEN),
    ROW(scale, CHANNELS, OPTIONAL, NORM),
    ROW(shift, CHANNELS, OPTIONAL, NORM),
    ROW(mean, CHANNELS, NOT_EMPTY, NORM),
    ROW(variance, CHANNELS, NOT_EMPTY, NORM),
    ROW(product, DST, OPTIONAL, NORM, WRITTEN),
    ROW(workspace, WORKSPACE, ALWAYS, HERE, WRITTEN),
};
#undef ARGS

#define ARGS clnorm_fold_args
static const struct clnorm__operand block_fold[] = {
    ROW(weights, FOLDED, ALWAYS, HERE),
    ROW(bias, CHANNELS, OPTIONAL, HERE),
    ROW(scale, CHANNELS, OPTIONAL, NORM),
    ROW(shift, CHANNELS, OPTIONAL, NORM),
    ROW(mean, CHANNELS, ALWAYS, NORM),
    ROW(variance, CHANNELS, ALWAYS, NORM),
    ROW(folded_weights, FOLDED, ALWAYS, HERE, WRITTEN, .alias = OVER_ROW(0)),
    ROW(folded_bias, CHANNELS, ALWAYS, HERE, WRITTEN, .alias = OVER_ROW(1)),
};
#undef ARGS

#define ARGS clnorm_block_backward_args
static const struct clnorm__operand block_backward[] = {
    ROW(diff_dst, DST, ALWAYS, HERE),
    ROW(src, SRC, ALWAYS, HERE, WANTED_BY(diff_weights)),
    ROW(weights, WEIGHTS, NOT_EMPTY, HERE, WANTED_BY(diff_src)),
    ROW(dst, DST, ACTIVATED, HERE),
    ROW(product, DST, ALWAYS, NORM),
    ROW(scale, CHANNELS, OPTIONAL, NORM),
    ROW(save_mean, CHANNELS, NOT_EMPTY, NORM),
    ROW(save_mean_low, CHANNELS, OPTIONAL, NORM),
    ROW(save_invstd, CHANNELS, NOT_EMPTY, NORM),
    ROW(diff_src, SRC, OPTIONAL, HERE, WRITTEN),
    ROW(diff_weights, WEIGHTS, OPTIONAL, HERE, WRITTEN),
    ROW(diff_bias, CHANNELS, OPTIONAL, HERE, WRITTEN),
    ROW(diff_scale, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(diff_shift, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(workspace, WORKSPACE, ALWAYS, HERE, WRITTEN),
};
#undef ARGS

#define ARGS clnorm_block_backward_frozen_args
static const struct clnorm__operand block_backward_frozen[] = {
    ROW(diff_dst, DST, ALWAYS, HERE),
    ROW(src, SRC, ALWAYS, HERE, WANTED_BY(diff_weights)),
    ROW(weights, WEIGHTS, NOT_EMPTY, HERE, WANTED_BY(diff_src)),
    ROW(dst, DST, ACTIVATED, HERE),
    ROW(product, DST, ALWAYS, NORM, WANTED_BY(diff_scale)),
    ROW(scale, CHANNELS, OPTIONAL, NORM),
    ROW(mean, CHANNELS, NOT_EMPTY, NORM, WANTED_BY(diff_scale)),
    ROW(variance, CHANNELS, NOT_EMPTY, NORM),
    ROW(diff_src, SRC, OPTIONAL, HERE, WRITTEN),
    ROW(diff_weights, WEIGHTS, OPTIONAL, HERE, WRITTEN),
    ROW(diff_bias, CHANNELS, OPTIONAL, HERE, WRITTEN),
    ROW(diff_scale, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(diff_shift, CHANNELS, OPTIONAL, NORM, WRITTEN),
    ROW(workspace, WORKSPACE, ALWAYS, HERE, WRITTEN),
};
#undef ARGS

#define LIST(args_, list_)                                                                                             \
    {                                                                                                                  \
#args_, sizeof(args_), sizeof list_ / sizeof *list_, list_                                                     \
    }

const struct clnorm__operands clnorm__operands[CLNORM__CALLS] = {
    [CLNORM_FORWARD_TRAINING] = LIST(clnorm_forward_training_args, forward_training),
    [CLNORM_FORWARD_INFERENCE] = LIST(clnorm_forward_inference_args, forward_inference),
    [CLNORM_BACKWARD_TRAINING] = LIST(clnorm_backward_training_args, backward_training),
    [CLNORM_BACKWARD_FROZEN] = LIST(clnorm_backward_frozen_args, backward_frozen),
    [CLNORM__CALL_BLOCK_TRAINING] = LIST(clnorm_block_training_args, block_training),
    [CLNORM__CALL_BLOCK_INFERENCE] = LIST(clnorm_block_inference_args, block_inference),
    [CLNORM__CALL_BLOCK_FOLD] = LIST(clnorm_fold_args, block_fold),
    [CLNORM__CALL_BLOCK_BACKWARD] = LIST(clnorm_block_backward_args, block_backward),
    [CLNORM__CALL_BLOCK_BACKWARD_FROZEN] = LIST(clnorm_block_backward_frozen_args, block_backward_frozen),
};

/* ---- what is made of it ---- */

static clnorm_buffer member(const void *args, size_t at)
{
    clnorm_buffer buffer;
    memcpy(&buffer, (const char *)args + at, sizeof buffer);
    return buffer;
}

clnorm_buffer clnorm__operand_of(const struct clnorm__operand *row, const void *args)
{
    return member(args, row->member);
}

unsigned clnorm__operands_place(const struct clnorm__operands *of, const void *args, struct clnorm__buffers *buffers)
{
    unsigned flags = 0;
    memset(buffers, 0, sizeof *buffers);
    for (unsigned i = 0; i < of->count; i++) {
        const struct clnorm__operand *row = &of->list[i];
        clnorm_buffer buffer = clnorm__operand_of(row, args);
        memcpy((char *)buffers + row->place, &buffer, sizeof buffer);
        flags |= buffer.mem ? row->flag : 0u;
    }
    return flags;
}

/* Steps that read or write the tensor of a place, as bits. */
static unsigned steps_of(size_t place)
{
    const unsigned whole = 1u << CLNORM__FUSED | 1u << CLNORM__DIFF_FUSED | 1u << CLNORM__INFER | 1u << CLNORM__APPLY;
    if (place == offsetof(struct clnorm__buffers, src))
        return whole | 1u << CLNORM__STATS | 1u << CLNORM__DIFF_STATS;
    if (place == offsetof(struct clnorm__buffers, diff_dst) || place == offsetof(struct clnorm__buffers, gate))
        return whole | 1u << CLNORM__DIFF_STATS;
    return whole;
}

int clnorm__operands_view(const struct clnorm__operands *of, const clnorm_desc *desc, const void *args,
                          struct clnorm__buffers *buffers, unsigned char kinds[CLNORM__STEPS], char why[CLNORM__WHY])
{
    for (unsigned i = 0; i < of->count; i++) {
        const struct clnorm__operand *row = &of->list[i];
        clnorm_strides strides = {0, 0, 0};
        struct clnorm_view view;
        if (!row->strides)
            continue;
        if (clnorm__operand_of(row, args).mem)
            memcpy(&strides, (const char *)args + row->strides, sizeof strides);
        const int status = clnorm__view_read(row->name, desc, &strides, row->is_written, &view, why);
        if (status != CLNORM_SUCCESS)
            return status;
        memcpy((char *)buffers + row->view, &view, sizeof view);
        const unsigned char kind = (unsigned char)clnorm__view_kind(desc, &view);
        for (unsigned step = 0; step < CLNORM__STEPS; step++)
            if (steps_of(row->place) >> step & 1u && kinds[step] < kind)
                kinds[step] = kind;
    }
    buffers->views.channels = desc->c;
    buffers->views.positions = desc->s;
    return CLNORM_SUCCESS;
}

void clnorm__operands_use_views(const struct clnorm__operands *of, const clnorm_desc *desc,
                                const struct clnorm__buffers *buffers, struct clnorm__uses *uses)
{
    for (unsigned i = 0; i < of->count; i++) {
        struct clnorm_view view;
        if (!of->list[i].strides)
            continue;
        memcpy(&view, (const char *)buffers + of->list[i].view, sizeof view);
        clnorm__view_use(desc, &view, &uses->use[i]);
    }
}

/* Gradients that a call writes. */
static int is_gradient(const struct clnorm__operand *row)
{
    return row->is_written && strncmp(row->name, "diff_", 5) == 0;
}

int clnorm__check_gradients(const struct clnorm__operands *of, const void *args, char why[CLNORM__WHY])
{
    unsigned left = 0;
    int length = 0;
    for (unsigned i = 0; i < of->count; i++) {
        if (is_gradient(&of->list[i]) && clnorm__operand_of(&of->list[i], args).mem)
            return CLNORM_SUCCESS;
        left += is_gradient(&of->list[i]);
    }
    for (unsigned i = 0; i < of->count; i++)
        if (is_gradient(&of->list[i]))
            length += snprintf(why + length, (size_t)(CLNORM__WHY - length), "%s%s", of->list[i].name,
                               --left > 1  ? ", "
                               : left == 1 ? " and "
                                           : "");
    snprintf(why + length, (size_t)(CLNORM__WHY - length), " are all NULL; at least one is required");
    return CLNORM_MISSING_BUFFER;
}

static int is_typed(enum clnorm__size size)
{
    return size == CLNORM__OF_TENSOR || size == CLNORM__OF_SRC || size == CLNORM__OF_DST || size == CLNORM__OF_FOLDED;
}

int clnorm__operands_use(const struct clnorm__operands *of, const void *args, const uint64_t size[CLNORM__SIZES],
                         unsigned facts, unsigned type_bytes, struct clnorm__uses *uses, char why[CLNORM__WHY])
{
    unsigned used[CLNORM__USES] = {0}; /* row i is use number used[i] */
    for (unsigned i = 0; i < of->count; i++) {
        const struct clnorm__operand *row = &of->list[i];
        struct clnorm__use u = {.name = row->name, .buffer = clnorm__operand_of(row, args)};
        u.spare = row->spared_by ? ", unless mask is given" : "";
        if (row->is_norm && facts & CLNORM__PLAIN) {
            if (!u.buffer.mem)
                continue;
            snprintf(why, CLNORM__WHY,
                     "%s is given; with CLNORM_BLOCK_PLAIN there is no normalization and it must be NULL", row->name);
            return CLNORM_UNEXPECTED_BUFFER;
        }
        if (row->is_activation && !(facts & CLNORM__ACTIVATED) && u.buffer.mem) {
            snprintf(why, CLNORM__WHY, "%s is given, which belongs to an activation; the description has none",
                     row->name);
            return CLNORM_UNEXPECTED_BUFFER;
        }
        u.elements = size[row->size];
        u.bytes = is_typed(row->size) ? type_bytes : 4;
        u.required = (row->when & (facts | CLNORM__ALWAYS)) && (!row->wanted_by || member(args, row->wanted_by).mem) &&
                     (!row->spared_by || !member(args, row->spared_by).mem);
        u.written = row->is_written;
        for (unsigned j = 0; j < i && !(facts & CLNORM__ADDED && row->place == offsetof(struct clnorm__buffers, dst));
             j++)
            u.alias |= (row->alias >> j & 1u) << used[j];
        used[i] = uses->count;
        uses->use[uses->count++] = u;
    }
    if (of->list[of->count - 1].size != CLNORM__OF_WORKSPACE)
        uses->use[uses->count++] = (struct clnorm__use){.name = "workspace", .bytes = 4};
    return CLNORM_SUCCESS;
}
