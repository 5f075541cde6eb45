/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/check.h"

#include <math.h>
#include <string.h>

#include "plan/refuse.h"

int clnorm__check_desc(const clnorm_desc *desc, char why[CLNORM__WHY])
{
    REFUSE_IF(!desc, CLNORM_INVALID_ARGUMENT, "desc is NULL; clnorm_describe fills one");
    REFUSE_IF(desc->layout != CLNORM_CHANNELS_FIRST && desc->layout != CLNORM_CHANNELS_LAST, CLNORM_INVALID_ENUM,
              "layout is %d; it is CLNORM_CHANNELS_FIRST (0) or CLNORM_CHANNELS_LAST (1)", (int)desc->layout);
    REFUSE_IF(clnorm_type_bytes(desc->type) == 0, CLNORM_INVALID_ENUM,
              "type is %d; it is CLNORM_FLOAT32 (0), CLNORM_FLOAT16 (1) or CLNORM_BFLOAT16 (2)", (int)desc->type);
    REFUSE_IF(desc->c == 0 || desc->s == 0, CLNORM_INVALID_SIZE,
              "c is %llu and s is %llu; both are at least 1 (only n may be 0)", (ull)desc->c, (ull)desc->s);
    REFUSE_IF(!product(product(desc->n ? desc->n : 1, desc->c), desc->s), CLNORM_SIZE_OVERFLOW,
              "n %llu * c %llu * s %llu overflows; at most 2^54 elements can be addressed", (ull)desc->n, (ull)desc->c,
              (ull)desc->s);
    REFUSE_IF(!isfinite(desc->epsilon) || desc->epsilon < 0, CLNORM_INVALID_EPSILON,
              "epsilon is %g; it is a finite number >= 0, 1e-5 as a rule", (double)desc->epsilon);
    REFUSE_IF(desc->n && desc->group_samples > desc->n, CLNORM_INVALID_GROUP,
              "group_samples is %llu; a group has at most all samples, which are %llu, and 0 means all",
              (ull)desc->group_samples, (ull)desc->n);
    REFUSE_IF(desc->group_channels > CLNORM_MOST_GROUP_CHANNELS, CLNORM_INVALID_GROUP,
              "group_channels is %llu; a group has at most CLNORM_MOST_GROUP_CHANNELS (65536)",
              (ull)desc->group_channels);
    REFUSE_IF(desc->c % clnorm__channel_group(desc), CLNORM_INVALID_GROUP,
              "group_channels is %llu; it divides the channels, which are %llu, and 0 means each by itself",
              (ull)desc->group_channels, (ull)desc->c);
    return clnorm__check_activation(&desc->activation, why);
}

uint64_t clnorm__channel_group(const clnorm_desc *desc)
{
    return desc->group_channels ? desc->group_channels : 1;
}

int clnorm__check_activation(const clnorm_activation *activation, char why[CLNORM__WHY])
{
    const int is_none = activation->slope == 0 && activation->cap == 0;
    REFUSE_IF(
        !isfinite(activation->slope) || !(activation->cap > 0 || is_none), CLNORM_INVALID_ACTIVATION,
        "the activation's slope is %g and its cap %g; the slope is finite and the cap above 0, infinite for none, "
        "or both are 0: no activation",
        (double)activation->slope, (double)activation->cap);
    return CLNORM_SUCCESS;
}

int clnorm__check_mask(const clnorm_activation *activation, char why[CLNORM__WHY])
{
    REFUSE_IF(activation->slope != 0 && isfinite(activation->cap), CLNORM_UNEXPECTED_BUFFER,
              "mask is given; one bit does not say on which side of an activation with slope %g and cap %g a value was",
              (double)activation->slope, (double)activation->cap);
    return CLNORM_SUCCESS;
}

int clnorm__check_gate(const clnorm_activation *activation, char why[CLNORM__WHY])
{
    REFUSE_IF(
        activation->slope < 0, CLNORM_INVALID_ACTIVATION,
        "the activation's slope is %g; with one below 0 dst does not say on which side of 0 a value was, and only a "
        "mask does",
        (double)activation->slope);
    return CLNORM_SUCCESS;
}

int clnorm__check_accumulate(unsigned flags, char why[CLNORM__WHY])
{
    REFUSE_IF(flags >= 2 * CLNORM_ACCUMULATE_DIFF_SHIFT, CLNORM_INVALID_ENUM,
              "accumulate is %u; it is a sum of CLNORM_ACCUMULATE_DIFF_SRC (1), _DIFF_SCALE (2) and _DIFF_SHIFT (4)",
              flags);
    return CLNORM_SUCCESS;
}

int clnorm__check_with(enum clnorm_operation operation, const clnorm_activation *activation, unsigned with,
                       char why[CLNORM__WHY])
{
    const int is_forward = operation == CLNORM_FORWARD_TRAINING || operation == CLNORM_FORWARD_INFERENCE;
    REFUSE_IF(
        with >= 2 * CLNORM_WITH_PARTS || (is_forward && with & CLNORM_WITH_ACCUMULATION) ||
            (operation == CLNORM_FORWARD_INFERENCE && with & CLNORM_WITH_MASK) ||
            (operation != CLNORM_FORWARD_TRAINING && operation != CLNORM_BACKWARD_TRAINING && with & CLNORM_WITH_PARTS),
        CLNORM_INVALID_ENUM,
        "with is %u; it is a sum of CLNORM_WITH_RESIDUAL (1), CLNORM_WITH_MASK (2), not of inference, "
        "CLNORM_WITH_ACCUMULATION (4), of backward calls alone, CLNORM_WITH_SLICES (8), CLNORM_WITH_VIEWS (16) and "
        "CLNORM_WITH_PARTS (32), of training alone",
        with);
    REFUSE_IF(
        with & CLNORM_WITH_MASK && !clnorm__is_active(activation), CLNORM_INVALID_ENUM,
        "with is %u, which has CLNORM_WITH_MASK (2); a mask belongs to an activation, and the description has none",
        with);
    return with & CLNORM_WITH_MASK ? clnorm__check_mask(activation, why) : CLNORM_SUCCESS;
}

size_t clnorm_type_bytes(enum clnorm_type type)
{
    return type == CLNORM_FLOAT32 ? 4 : type == CLNORM_FLOAT16 || type == CLNORM_BFLOAT16 ? 2 : 0;
}

int clnorm__is_active(const clnorm_activation *activation)
{
    return activation->cap > 0;
}

int clnorm__check_operation(int operation, char why[CLNORM__WHY])
{
    REFUSE_IF(operation < CLNORM_FORWARD_TRAINING || operation > CLNORM_BACKWARD_FROZEN, CLNORM_INVALID_ENUM,
              "operation is %d; it is one of enum clnorm_operation, 0 to 3", operation);
    return CLNORM_SUCCESS;
}

int clnorm__check_momentum(float momentum, unsigned flags, char why[CLNORM__WHY])
{
    REFUSE_IF(flags > CLNORM_RUNNING_BIASED, CLNORM_INVALID_ENUM,
              "running_flags is %u; it is CLNORM_RUNNING_UNBIASED (0) or CLNORM_RUNNING_BIASED (1)", flags);
    REFUSE_IF(!(momentum >= 0 && momentum <= 1), CLNORM_INVALID_MOMENTUM,
              "momentum is %g; it is in [0, 1], the weight of the new batch", (double)momentum);
    return CLNORM_SUCCESS;
}

void clnorm__use_nodes(struct clnorm__uses *uses, clnorm_buffer nodes, uint64_t elements, int is_written)
{
    struct clnorm__use *const last = &uses->use[uses->count++];
    last[0] = last[-1];
    last[-1] = (struct clnorm__use){.name = "nodes",
                                    .buffer = nodes,
                                    .elements = elements,
                                    .bytes = sizeof(cl_float),
                                    .required = 1,
                                    .written = is_written,
                                    .spare = ""};
}

int clnorm__check_present(const struct clnorm__uses *uses, char why[CLNORM__WHY])
{
    for (unsigned i = 0; i < uses->count; i++) {
        const struct clnorm__use *u = &uses->use[i];
        int missing = u->required && u->elements && !u->buffer.mem;
        REFUSE_IF(missing && i + 1 == uses->count, CLNORM_MISSING_WORKSPACE,
                  "workspace is NULL; it is a buffer of %llu bytes (%s)", (ull)u->elements * 4,
                  uses->query ? uses->query : "clnorm_get_workspace_bytes");
        REFUSE_IF(missing, CLNORM_MISSING_BUFFER, "%s is NULL; it is required, a buffer of %llu elements%s", u->name,
                  (ull)u->elements, u->spare);
    }
    return CLNORM_SUCCESS;
}

static int check_size(const struct clnorm__use *u, int workspace, char why[CLNORM__WHY])
{
    uint64_t there = u->size_bytes / u->bytes;
    int small = u->buffer.offset > there || u->elements > there - u->buffer.offset;
    REFUSE_IF(small && workspace, CLNORM_WORKSPACE_TOO_SMALL,
              "workspace holds %llu bytes, less than offset %llu (elements of 4 bytes) and the %llu bytes it needs",
              (ull)u->size_bytes, (ull)u->buffer.offset, (ull)u->elements * 4);
    REFUSE_IF(small, CLNORM_BUFFER_TOO_SMALL, "%s holds %llu elements, less than offset %llu + %llu", u->name,
              (ull)there, (ull)u->buffer.offset, (ull)u->elements);
    return CLNORM_SUCCESS;
}

/* Whether two views of the same pitch, which start at these bytes, lie in each other's gaps. */
static int is_between(const struct clnorm__use *a, const struct clnorm__use *b, uint64_t a_start, uint64_t b_start)
{
    const uint64_t pitch = a->pitch * a->bytes, inner = a->inner * a->bytes, other = b->inner * b->bytes;
    if (pitch == 0 || pitch != b->pitch * b->bytes || inner > pitch || other > pitch)
        return 0;
    const uint64_t distance =
        b_start >= a_start ? (b_start - a_start) % pitch : (pitch - (a_start - b_start) % pitch) % pitch;
    return distance >= inner && distance + other <= pitch;
}

static int check_pair(const struct clnorm__use *a, const struct clnorm__use *b, unsigned b_index, char why[CLNORM__WHY])
{
    if (a->root != b->root || !(a->written || b->written) || !a->elements || !b->elements)
        return CLNORM_SUCCESS;
    uint64_t a_start = a->start_bytes + a->buffer.offset * a->bytes;
    uint64_t b_start = b->start_bytes + b->buffer.offset * b->bytes;
    uint64_t a_end = a_start + a->elements * a->bytes, b_end = b_start + b->elements * b->bytes;
    if (a_end <= b_start || b_end <= a_start)
        return CLNORM_SUCCESS;
    int may = (a->alias >> b_index) & 1;
    if (may && a_start == b_start && a_end == b_end && memcmp(a->strides, b->strides, sizeof a->strides) == 0)
        return CLNORM_SUCCESS;
    if (is_between(a, b, a_start, b_start))
        return CLNORM_SUCCESS;
    REFUSE_IF(1, CLNORM_BUFFER_OVERLAP,
              "%s (bytes %llu to %llu) and %s (bytes %llu to %llu of the same buffer) overlap and one is written; %s",
              a->name, (ull)a_start, (ull)a_end, b->name, (ull)b_start, (ull)b_end,
              may ? "they may be exactly the same, strides too, or apart" : "they must be apart");
}

int clnorm__check_buffers(const struct clnorm__uses *uses, char why[CLNORM__WHY])
{
    for (unsigned i = 0; i < uses->count; i++) {
        const struct clnorm__use *u = &uses->use[i];
        if (!u->buffer.mem)
            continue;
        REFUSE_IF(u->foreign, CLNORM_FOREIGN_BUFFER, "%s belongs to another cl_context than the clnorm_context's",
                  u->name);
        int status = check_size(u, i + 1 == uses->count, why);
        if (status != CLNORM_SUCCESS)
            return status;
    }
    for (unsigned i = 0; i < uses->count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (!uses->use[i].buffer.mem || !uses->use[j].buffer.mem)
                continue;
            int status = check_pair(&uses->use[i], &uses->use[j], j, why);
            if (status != CLNORM_SUCCESS)
                return status;
        }
    }
    return CLNORM_SUCCESS;
}
