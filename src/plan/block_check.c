/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/block_check.h"

#include <math.h>
#include <string.h>

#include "plan/refuse.h"

/* Of one size: sums of a few and products of two stay below 2^64. */
#define MOST_SIZE (((uint64_t)1 << 31) - 1)

static int check_sizes(const clnorm_block_desc *d, char why[CLNORM__WHY])
{
    const struct {
        const char *name;
        uint64_t value;
        int is_pad;
    } size[] = {{"n", d->n, 1},
                {"src_c", d->src_c, 0},
                {"dst_c", d->dst_c, 0},
                {"src_h", d->src_h, 0},
                {"src_w", d->src_w, 0},
                {"kernel_h", d->kernel_h, 0},
                {"kernel_w", d->kernel_w, 0},
                {"stride_h", d->stride_h, 0},
                {"stride_w", d->stride_w, 0},
                {"pad_h", d->pad_h, 1},
                {"pad_w", d->pad_w, 1},
                {"dilation_h", d->dilation_h, 0},
                {"dilation_w", d->dilation_w, 0}};
    for (unsigned i = 0; i < sizeof size / sizeof *size; i++) {
        REFUSE_IF(size[i].value == 0 && !size[i].is_pad, CLNORM_INVALID_SIZE,
                  "%s is 0; it is at least 1 (only n and pads may be 0)", size[i].name);
        REFUSE_IF(size[i].value > MOST_SIZE, CLNORM_SIZE_OVERFLOW, "%s is %llu; it is at most 2^31 - 1", size[i].name,
                  (ull)size[i].value);
    }
    return CLNORM_SUCCESS;
}

/* Positions of a kernel along one side. */
static int check_side(const char *side, uint64_t src, uint64_t kernel, uint64_t stride, uint64_t pad, uint64_t dilation,
                      uint64_t *dst, char why[CLNORM__WHY])
{
    uint64_t padded = src + 2 * pad, reach = dilation * (kernel - 1) + 1;
    REFUSE_IF(reach > padded, CLNORM_INVALID_SIZE,
              "kernel_%s %llu with dilation_%s %llu reaches over %llu elements; src_%s %llu with its pads has %llu",
              side, (ull)kernel, side, (ull)dilation, (ull)reach, side, (ull)src, (ull)padded);
    *dst = (padded - reach) / stride + 1;
    return CLNORM_SUCCESS;
}

/* Sizes of the tensors, all at most MOST_ELEMENTS. */
static int count_elements(const clnorm_block_desc *d, struct clnorm__geometry *g, char why[CLNORM__WHY])
{
    uint64_t n = d->n ? d->n : 1;
    g->n = d->n;
    g->channels = d->dst_c;
    g->positions = product(g->dst_h, g->dst_w);
    g->terms = product(d->src_c, product(d->kernel_h, d->kernel_w));
    g->src_elements = product(d->src_c, product(d->src_h, d->src_w));
    uint64_t src = product(n, g->src_elements), dst = product(n, product(g->channels, g->positions));
    g->weights_count = product(g->channels, g->terms);
    REFUSE_IF(!src || !dst || !g->weights_count || !product(g->terms, g->positions), CLNORM_SIZE_OVERFLOW,
              "src, weights, dst or the columns of one image (weights a channel times positions) overflow; "
              "at most 2^54 elements can be addressed");
    g->src_count = d->n ? src : 0;
    g->dst_count = d->n ? dst : 0;
    return CLNORM_SUCCESS;
}

int clnorm__check_block_desc(const clnorm_block_desc *desc, struct clnorm__geometry *geometry, char why[CLNORM__WHY])
{
    struct clnorm__geometry g;
    memset(&g, 0, sizeof g);
    REFUSE_IF(!desc, CLNORM_INVALID_ARGUMENT,
              "desc is NULL; clnorm_describe_linear and clnorm_describe_convolution fill one");
    REFUSE_IF(desc->flags > (CLNORM_BLOCK_REPRODUCIBLE | CLNORM_BLOCK_PLAIN), CLNORM_INVALID_ENUM,
              "flags is %u; it is CLNORM_BLOCK_REPRODUCIBLE (1), CLNORM_BLOCK_PLAIN (2), both or 0", desc->flags);
    REFUSE_IF(clnorm_type_bytes(desc->type) == 0, CLNORM_INVALID_ENUM,
              "type is %d; it is CLNORM_FLOAT32 (0), CLNORM_FLOAT16 (1) or CLNORM_BFLOAT16 (2)", (int)desc->type);
    REFUSE_IF(!isfinite(desc->epsilon) || desc->epsilon < 0, CLNORM_INVALID_EPSILON,
              "epsilon is %g; it is a finite number >= 0, 1e-5 as a rule", (double)desc->epsilon);
    int status = clnorm__check_activation(&desc->activation, why);
    if (status == CLNORM_SUCCESS)
        status = clnorm__check_gate(&desc->activation, why); /* gradients go by dst */
    if (status == CLNORM_SUCCESS)
        status = check_sizes(desc, why);
    if (status == CLNORM_SUCCESS)
        status =
            check_side("h", desc->src_h, desc->kernel_h, desc->stride_h, desc->pad_h, desc->dilation_h, &g.dst_h, why);
    if (status == CLNORM_SUCCESS)
        status =
            check_side("w", desc->src_w, desc->kernel_w, desc->stride_w, desc->pad_w, desc->dilation_w, &g.dst_w, why);
    if (status == CLNORM_SUCCESS)
        status = count_elements(desc, &g, why);
    if (status != CLNORM_SUCCESS)
        return status;
    int padded = desc->pad_h || desc->pad_w, spread = desc->dilation_h > 1 || desc->dilation_w > 1;
    g.dense = !padded && desc->kernel_h == desc->src_h && desc->kernel_w == desc->src_w &&
              (!spread || desc->kernel_h * desc->kernel_w == 1);
    g.direct = !padded && desc->kernel_h * desc->kernel_w == 1 && desc->stride_h == 1 && desc->stride_w == 1;
    if (geometry)
        *geometry = g;
    return CLNORM_SUCCESS;
}
