/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/leaves.h"

#include <string.h>

#include "plan/arithmetic.h"

int clnorm__is_last(const clnorm_desc *desc)
{
    return desc->layout == CLNORM_CHANNELS_LAST || desc->s == 1;
}

uint64_t clnorm__count_leaves(const clnorm_desc *desc, uint64_t *rows, uint64_t *period)
{
    *rows = 1;
    if (clnorm__is_last(desc))
        return *period = ceil_div(desc->n * desc->s, CLNORM_LANES);
    if (desc->s > CLNORM_LEAF) {
        *period = ceil_div(desc->s, CLNORM_LEAF);
        return desc->n * *period;
    }
    while (*rows * 2 * desc->s <= CLNORM_LEAF)
        *rows *= 2;
    return *period = ceil_div(desc->n, *rows);
}

void clnorm__shape_leaves(const clnorm_desc *desc, uint64_t rows, uint64_t leaves, uint64_t period,
                          struct clnorm_shape *shape)
{
    uint64_t full, last;
    if (clnorm__is_last(desc)) {
        full = CLNORM_LANES;
        last = desc->n * desc->s - (leaves - 1) * CLNORM_LANES;
    } else if (desc->s > CLNORM_LEAF) {
        full = CLNORM_LEAF;
        last = desc->s - (period - 1) * CLNORM_LEAF;
    } else {
        full = rows * desc->s;
        last = (desc->n - (leaves - 1) * rows) * desc->s;
    }
    shape->n = desc->n;
    shape->c = desc->c;
    shape->s = desc->s;
    shape->rows = (clnorm_u32)rows;
    shape->leaves = (clnorm_u32)leaves;
    shape->period = (clnorm_u32)period;
    shape->full = (clnorm_u32)full;
    shape->last = (clnorm_u32)last;
    shape->rn_full = (float)(1.0 / (double)full);
    shape->rn_last = (float)(1.0 / (double)last);
}

uint64_t clnorm__values_before(const struct clnorm_shape *shape, uint64_t i)
{
    i = least(i, shape->leaves);
    return i * shape->full - i / shape->period * (shape->full - shape->last);
}

void clnorm__merge_weights(uint64_t n_a, uint64_t n_b, float *f, float *w)
{
    const double share = (double)n_b / ((double)n_a + (double)n_b);
    *f = (float)share;
    *w = (float)((double)n_a * share);
}

static void set_weight(struct clnorm_tree *tree, unsigned row, unsigned way, uint64_t n_a, uint64_t n_b)
{
    const unsigned at = row * CLNORM_TREE_WAYS + way;
    clnorm__merge_weights(n_a, n_b, &tree->f[at], &tree->w[at]);
}

/*
 * Weights of merging two runs of 2^level leaves: kernels/common/tree.cl says which way is which. Runs that hold the fewest short
 * leaves or one more differ by full - last.
 */
void clnorm__fill_tree(const struct clnorm_shape *shape, unsigned base, struct clnorm_tree *tree)
{
    memset(tree, 0, sizeof *tree);
    tree->leaves = shape->leaves;
    tree->period = shape->period;
    tree->base = base;
    for (unsigned row = 0; row < CLNORM_TREE_LEVELS; row++) {
        uint64_t span = (uint64_t)1 << (base + row);
        if (span >= shape->leaves)
            return;
        uint64_t values = span * shape->full - span / shape->period * (shape->full - shape->last);
        uint64_t fewer = shape->full - shape->last;
        for (unsigned way = 0; way < 4; way++)
            set_weight(tree, row, way, values - (way & 1 ? fewer : 0), values - (way & 2 ? fewer : 0));
        uint64_t first = (shape->leaves - 1) / (2 * span) * (2 * span);
        uint64_t middle = clnorm__values_before(shape, first + span), end = clnorm__values_before(shape, shape->leaves);
        if (end > middle) /* else the last node of this level passes up alone */
            set_weight(tree, row, 4, middle - clnorm__values_before(shape, first), end - middle);
    }
}

void clnorm__fill_channel_tree(const clnorm_desc *desc, uint64_t channels, struct clnorm_tree *tree)
{
    const uint64_t values = desc->n * desc->s;
    memset(tree, 0, sizeof *tree);
    tree->leaves = tree->period = (clnorm_u32)channels;
    for (unsigned row = 0; (uint64_t)1 << row < channels; row++) {
        const uint64_t span = (uint64_t)1 << row, first = (channels - 1) / (2 * span) * (2 * span);
        set_weight(tree, row, 0, span * values, span * values);
        if (first + span < channels) /* else the last node of this level passes up alone */
            set_weight(tree, row, 4, span * values, (channels - first - span) * values);
    }
}
