/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"
#include "activation.h"
#include "half.h"
#include "scalar.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- leaves ---- */

struct leaves {
    const clnorm_desc *desc;
    int last_layout;  /* channels-last, which s = 1 always is */
    uint64_t count;   /* leaves a channel */
    uint64_t rows;    /* channels-first with s <= 1024: samples a leaf */
    uint64_t per_row; /* channels-first with s > 1024: leaves a row */
};

static struct leaves leaves_of(const clnorm_desc *desc)
{
    struct leaves l = {desc, desc->layout == CLNORM_CHANNELS_LAST || desc->s == 1, 0, 0, 0};
    if (l.last_layout) {
        l.count = (desc->n * desc->s + 63) / 64;
    } else if (desc->s > 1024) {
        l.per_row = (desc->s + 1023) / 1024;
        l.count = desc->n * l.per_row;
    } else {
        for (l.rows = 1; l.rows * 2 * desc->s <= 1024;)
            l.rows *= 2;
        l.count = (desc->n + l.rows - 1) / l.rows;
    }
    return l;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t leaf_size(const struct leaves *l, uint64_t leaf)
{
    const clnorm_desc *d = l->desc;
    if (l->last_layout)
        return least(64, d->n * d->s - leaf * 64);
    if (l->per_row)
        return least(1024, d->s - leaf % l->per_row * 1024);
    return least(l->rows, d->n - leaf * l->rows) * d->s;
}

/* Values of leaves 0 .. leaf - 1. */
static uint64_t values_before(const struct leaves *l, uint64_t leaf)
{
    const clnorm_desc *d = l->desc;
    if (l->last_layout)
        return least(leaf * 64, d->n * d->s);
    if (l->per_row)
        return leaf / l->per_row * d->s + leaf % l->per_row * 1024;
    return least(leaf * l->rows, d->n) * d->s;
}

/* Element number of value i of a leaf of channel c. */
static uint64_t element(const struct leaves *l, uint64_t leaf, uint64_t i, uint64_t c)
{
    const clnorm_desc *d = l->desc;
    if (l->last_layout)
        return (leaf * 64 + i) * d->c + c;
    if (l->per_row)
        return (leaf / l->per_row * d->c + c) * d->s + leaf % l->per_row * 1024 + i;
    return ((leaf * l->rows + i / d->s) * d->c + c) * d->s + i % d->s;
}

/*
 * The sum of a leaf's n values a[i], or of the products a[i] b[i], each added by fma. Lane j takes the values with i mod lanes = j:
 * runs of four of them add up in their order, runs combine pairwise, level by level, an odd one passing up; then lanes by halves.
 */
static float leaf_sum(const float *a, const float *b, uint64_t n, unsigned lanes)
{
    float lane[64] = {0};
    for (unsigned j = 0; j < lanes; j++) {
        float runs[16] = {0};
        uint64_t count = 0;
        for (uint64_t i = j; i < n; i += lanes, count++)
            runs[count / 4] = b ? fmaf(a[i], b[i], runs[count / 4]) : runs[count / 4] + a[i];
        for (uint64_t left = (count + 3) / 4; left > 1; left = (left + 1) / 2)
            for (uint64_t r = 0; r < left; r += 2)
                runs[r / 2] = r + 1 < left ? runs[r] + runs[r + 1] : runs[r];
        lane[j] = runs[0];
    }
    for (unsigned half = lanes / 2; half > 0; half /= 2)
        for (unsigned j = 0; j < half; j++)
            lane[j] += lane[j + half];
    return lane[0];
}

static node_f reduce_leaf(const struct leaves *l, const float *src, uint64_t leaf, uint64_t c)
{
    unsigned lanes = l->last_layout ? 1 : 64;
    float v[1024], d[1024];
    float most = 0, first = v[0] = src[element(l, leaf, 0, c)];
    int same = fabsf(first) <= FLT_MAX;
    uint64_t n = leaf_size(l, leaf);
    for (uint64_t i = 0; i < n; i++) {
        v[i] = src[element(l, leaf, i, c)];
        most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
        same = same && v[i] == first;
    }
    float magnify = MAGNIFY_OF(float, most);
    float rn = (float)(1.0 / (double)n);
    if (same) {
        node_f node = {{first * magnify + 0.0f, 0}, {0, 0}, magnify};
        return node;
    }
    for (uint64_t i = 0; i < n; i++)
        v[i] *= magnify;
    float m = leaf_sum(v, NULL, n, lanes) * rn;
    for (int look = 0;; look++) {
        for (uint64_t i = 0; i < n; i++)
            d[i] = v[i] - m;
        float s = leaf_sum(d, NULL, n, lanes), q = leaf_sum(d, d, n, lanes);
        if (look == 1 || !LEAF_IS_OFF(s, q, rn))
            return leaf_node_f(m, s, q, rn, magnify);
        m += s * rn;
    }
}

/* ---- trees ---- */

/* The tree over leaves [first, first + 2^level), of which those below l->count exist; nodes[i] is leaf i. */
static node_f node_tree(const struct leaves *l, const node_f *nodes, uint64_t first, unsigned level)
{
    if (level == 0)
        return nodes[first];
    uint64_t middle = first + ((uint64_t)1 << (level - 1)), end = first + ((uint64_t)1 << level);
    node_f a = node_tree(l, nodes, first, level - 1);
    if (middle >= l->count)
        return a;
    double before = (double)values_before(l, first), between = (double)values_before(l, middle);
    double n_a = between - before, n_b = (double)values_before(l, least(end, l->count)) - between;
    double f = n_b / (n_a + n_b);
    return node_merge_f(a, node_tree(l, nodes, middle, level - 1), (float)f, (float)(n_a * f));
}

static sums_f sums_tree(const struct leaves *l, const sums_f *sums, uint64_t first, unsigned level)
{
    if (level == 0)
        return sums[first];
    uint64_t middle = first + ((uint64_t)1 << (level - 1));
    sums_f a = sums_tree(l, sums, first, level - 1);
    if (middle >= l->count)
        return a;
    return sums_merge_f(a, sums_tree(l, sums, middle, level - 1));
}

/* Channels that have their statistics together. */
static uint64_t channel_group(const clnorm_desc *d)
{
    return d->group_channels ? d->group_channels : 1;
}

/* The roots of channels [first, first + 2^level) of a group, of those that exist, merged as neighbours of as many values are. */
static node_f channels_node(const clnorm_desc *d, const node_f *roots, uint64_t first, unsigned level)
{
    if (level == 0)
        return roots[first];
    const uint64_t half = (uint64_t)1 << (level - 1), middle = first + half;
    node_f a = channels_node(d, roots, first, level - 1);
    if (middle >= channel_group(d))
        return a;
    const double values = (double)(d->n * d->s), n_a = (double)half * values;
    const double n_b = (double)least(half, channel_group(d) - middle) * values, f = n_b / (n_a + n_b);
    return node_merge_f(a, channels_node(d, roots, middle, level - 1), (float)f, (float)(n_a * f));
}

static sums_f channels_sums(const clnorm_desc *d, const sums_f *roots, uint64_t first, unsigned level)
{
    if (level == 0)
        return roots[first];
    const uint64_t middle = first + ((uint64_t)1 << (level - 1));
    sums_f a = channels_sums(d, roots, first, level - 1);
    if (middle >= channel_group(d))
        return a;
    return sums_merge_f(a, channels_sums(d, roots, middle, level - 1));
}

static unsigned tree_height(uint64_t leaves)
{
    unsigned level = 0;
    while (((uint64_t)1 << level) < leaves)
        level++;
    return level;
}

static void reciprocal(double m, float *hi, float *lo)
{
    *hi = (float)(1.0 / m);
    *lo = (float)(1.0 / m - (double)*hi);
}

/* ---- elementwise ---- */

static uint64_t channel_of(const clnorm_desc *d, uint64_t i)
{
    return d->layout == CLNORM_CHANNELS_LAST ? i % d->c : i / d->s % d->c;
}

static uint64_t elements(const clnorm_desc *d)
{
    return d->n * d->c * d->s;
}

/* What becomes of element i once it is normalized; bit: that element's. */
static float finish_element(const clnorm_desc *desc, float v, const float *residual, uint32_t *mask, uint64_t bit,
                            uint64_t i)
{
    if (residual)
        v += residual[i];
    if (mask)
        mask[bit / 32] |= (uint32_t)passes_f(&desc->activation, v) << bit % 32;
    return half_round(desc->type, activated_f(&desc->activation, v));
}

/* Of a group of samples, as if it were the whole tensor but for its bits of the mask, which come from bit `first` on. */
static int forward_group(const clnorm_desc *desc, const struct model_forward *args, uint64_t first)
{
    struct leaves l = leaves_of(desc);
    const uint64_t group = channel_group(desc);
    double m = (double)(desc->n * desc->s * group);
    struct clnorm_finish p = {.epsilon = desc->epsilon, .momentum = args->momentum};
    reciprocal(m, &p.rm_hi, &p.rm_lo);
    float unbias = m > 1 && !(args->running_flags & CLNORM_RUNNING_BIASED) ? (float)(m / (m - 1)) : 1.0f;
    node_f *nodes = malloc(l.count * sizeof *nodes), *roots = malloc(group * sizeof *roots);
    struct clnorm_stats *stats = malloc(desc->c * sizeof *stats);
    if (!nodes || !roots || !stats) {
        free(nodes);
        free(roots);
        free(stats);
        return -1;
    }
    for (uint64_t c = 0; c < desc->c / group; c++) { /* a group of channels */
        for (uint64_t j = 0; j < group; j++) {
            for (uint64_t i = 0; i < l.count; i++)
                nodes[i] = reduce_leaf(&l, args->src, i, c * group + j);
            roots[j] = node_tree(&l, nodes, 0, tree_height(l.count));
        }
        struct clnorm_stats r = clnorm_finish_stats(channels_node(desc, roots, 0, tree_height(group)), p);
        stats[c] = r;
        if (args->save_mean)
            args->save_mean[c] = r.mean_hi;
        if (args->save_mean_low)
            args->save_mean_low[c] = r.mean_lo;
        if (args->save_invstd)
            args->save_invstd[c] = r.invstd;
        if (args->save_variance)
            args->save_variance[c] = r.variance;
        if (args->running_mean)
            args->running_mean[c] = clnorm_running(args->running_mean[c], r.mean_hi, args->momentum);
        if (args->running_variance)
            args->running_variance[c] = clnorm_running(args->running_variance[c], r.variance * unbias, args->momentum);
    }
    for (uint64_t i = 0; i < elements(desc); i++) {
        uint64_t c = channel_of(desc, i);
        const struct clnorm_stats *r = &stats[c / group];
        float factor = args->scale ? args->scale[c] * r->invstd : r->invstd;
        float y = fmaf(centre_f(args->src[i], r->mean_hi, r->mean_lo), factor, args->shift ? args->shift[c] : 0.0f);
        args->dst[i] = finish_element(desc, y, args->residual, args->mask, first + i, i);
    }
    free(nodes);
    free(roots);
    free(stats);
    return 0;
}

/* An optional array from element i on. */
#define FROM(p, i) ((p) ? (p) + (i) : NULL)

/* The samples of the group that begins with sample n. */
static uint64_t group_samples(const clnorm_desc *desc, uint64_t n)
{
    return desc->group_samples ? least(desc->group_samples, desc->n - n) : desc->n;
}

int model_forward_training(const clnorm_desc *desc, const struct model_forward *args)
{
    clnorm_desc group = *desc;
    if (args->mask && desc->n)
        memset(args->mask, 0, (elements(desc) + 31) / 32 * sizeof *args->mask);
    for (uint64_t n = 0, at = 0; n < desc->n; n += group.n, at += desc->c / channel_group(desc)) {
        const uint64_t first = n * desc->c * desc->s;
        struct model_forward part = *args;
        group.n = group_samples(desc, n);
        part.src += first;
        part.dst += first;
        part.residual = FROM(part.residual, first);
        part.save_mean = FROM(part.save_mean, at);
        part.save_mean_low = FROM(part.save_mean_low, at);
        part.save_invstd = FROM(part.save_invstd, at);
        part.save_variance = FROM(part.save_variance, at);
        if (forward_group(&group, &part, first) != 0)
            return -1;
    }
    return 0;
}

int model_forward_inference(const clnorm_desc *desc, const struct model_inference *args)
{
    for (uint64_t i = 0; i < elements(desc); i++) {
        uint64_t c = channel_of(desc, i);
        const uint64_t q = c / channel_group(desc);
        float invstd = clnorm_rsqrt(args->variance[q] + desc->epsilon);
        float y = fmaf(centre_f(args->src[i], args->mean[q], 0.0f), args->scale ? args->scale[c] * invstd : invstd,
                       args->shift ? args->shift[c] : 0.0f);
        args->dst[i] = finish_element(desc, y, args->residual, NULL, i, i);
    }
    return 0;
}

/* ---- backward ---- */

/* The gradient before the activation; bit: that of element i. */
static float gradient(const clnorm_desc *desc, const struct model_backward *args, uint64_t bit, uint64_t i)
{
    if (!is_active(&desc->activation))
        return args->diff_dst[i];
    if (args->mask)
        return args->mask[bit / 32] >> bit % 32 & 1 ? args->diff_dst[i] : held_f(&desc->activation, args->diff_dst[i]);
    const clnorm_activation stored = {desc->activation.slope, half_round(desc->type, desc->activation.cap)};
    return gated_f(&stored, args->diff_dst[i], args->dst[i]);
}

/* The two sums of a channel, of gradients before the activation. */
static sums_f channel_sums(const struct leaves *l, const struct model_backward *args, const float *grad, uint64_t c,
                           sums_f *nodes, float hi, float lo, float invstd)
{
    unsigned lanes = l->last_layout ? 1 : 64;
    float magnify = clnorm_diff_magnify(invstd), dy[1024], d[1024];
    for (uint64_t leaf = 0; leaf < l->count; leaf++) {
        uint64_t n = leaf_size(l, leaf);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t at = element(l, leaf, i, c);
            dy[i] = grad[at];
            d[i] = args->src ? centre_f(args->src[at], hi, lo) * magnify : 0.0f;
        }
        sums_f sums = {{leaf_sum(dy, NULL, n, lanes), 0}, {leaf_sum(dy, d, n, lanes), 0}};
        nodes[leaf] = sums;
    }
    return sums_tree(l, nodes, 0, tree_height(l->count));
}

static void save_gradients(const struct model_backward *args, const struct clnorm_diff *diff, uint64_t c)
{
    if (args->diff_scale)
        args->diff_scale[c] =
            diff->diff_scale + (args->accumulate & CLNORM_ACCUMULATE_DIFF_SCALE ? args->diff_scale[c] : 0.0f);
    if (args->diff_shift)
        args->diff_shift[c] =
            diff->diff_shift + (args->accumulate & CLNORM_ACCUMULATE_DIFF_SHIFT ? args->diff_shift[c] : 0.0f);
}

/*
 * What follows from the sums of a group of channels, number q: gradients of each channel's scale and shift from its own, and from all of
 * them, times scale where there is more than one, what gradients of src take.
 */
static struct clnorm_diff group_diff(const struct leaves *l, const struct model_backward *args, const float *grad,
                                     uint64_t q, sums_f *nodes, sums_f *roots, int frozen, float invstd)
{
    const clnorm_desc *desc = l->desc;
    const uint64_t all = channel_group(desc), merged = frozen ? 1 : all;
    const float hi = args->mean ? args->mean[q] : 0.0f, lo = !frozen && args->mean_low ? args->mean_low[q] : 0.0f;
    struct clnorm_diff diff = {0};
    float rm_hi, rm_lo;

    reciprocal((double)(desc->n * desc->s * merged), &rm_hi, &rm_lo);
    for (uint64_t j = 0; j < all; j++) {
        const uint64_t c = q * all + j;

        roots[j] = channel_sums(l, args, grad, c, nodes, hi, lo, invstd);
        diff = clnorm_finish_diff(roots[j], invstd, rm_hi, rm_lo);
        save_gradients(args, &diff, c);
        if (merged > 1) {
            roots[j].g = pair_scale_f(roots[j].g, args->scale ? args->scale[c] : 1.0f);
            roots[j].gd = pair_scale_f(roots[j].gd, args->scale ? args->scale[c] : 1.0f);
        }
    }
    if (merged == 1)
        return diff; /* of the only channel, or of frozen statistics, whose gradients of src take none of it */
    return clnorm_finish_diff(channels_sums(desc, roots, 0, tree_height(all)), invstd, rm_hi, rm_lo);
}

/* diff_src and diff_residual of element i. */
static void diff_element(const clnorm_desc *desc, const struct model_backward *args, float grad,
                         const struct clnorm_diff *diff, float invstd, int frozen, uint64_t i)
{
    const uint64_t c = channel_of(desc, i), q = c / channel_group(desc);
    const int is_merged = channel_group(desc) > 1;
    const float scale = args->scale ? args->scale[c] : 1.0f;
    float factor = args->scale ? scale * invstd : invstd, r = grad * factor;
    if (!frozen) {
        float d = centre_f(args->src[i], args->mean[q], args->mean_low ? args->mean_low[q] : 0.0f) *
                  clnorm_diff_magnify(invstd);
        r = fmaf(d, diff->slope, centre_f(is_merged ? grad * scale : grad, diff->grad_hi, diff->grad_lo)) *
            (is_merged ? invstd : factor);
    }
    if (args->accumulate & CLNORM_ACCUMULATE_DIFF_SRC)
        r += args->diff_src[i];
    args->diff_src[i] = half_round(desc->type, r);
    if (args->diff_residual)
        args->diff_residual[i] = half_round(desc->type, grad);
}

/* Of no samples: sums of nothing. */
static void diff_nothing(const clnorm_desc *desc, const struct model_backward *args)
{
    for (uint64_t c = 0; c < desc->c; c++) {
        if (args->diff_scale && !(args->accumulate & CLNORM_ACCUMULATE_DIFF_SCALE))
            args->diff_scale[c] = 0;
        if (args->diff_shift && !(args->accumulate & CLNORM_ACCUMULATE_DIFF_SHIFT))
            args->diff_shift[c] = 0;
    }
}

/* Of a group of samples, as forward_group. */
static int backward_group(const clnorm_desc *desc, const struct model_backward *args, int frozen, uint64_t first)
{
    struct leaves l = leaves_of(desc);
    const uint64_t group = channel_group(desc);
    sums_f *nodes = malloc(l.count * sizeof *nodes), *roots = malloc(group * sizeof *roots);
    struct clnorm_diff *diff = malloc(desc->c * sizeof *diff);
    float *invstd = malloc(desc->c * sizeof *invstd), *grad = malloc(elements(desc) * sizeof *grad);
    const int is_there = nodes && roots && diff && invstd && grad;
    if (is_there) {
        for (uint64_t i = 0; i < elements(desc); i++)
            grad[i] = gradient(desc, args, first + i, i);
        for (uint64_t q = 0; q < desc->c / group; q++) {
            invstd[q] = frozen ? clnorm_rsqrt(args->variance[q] + desc->epsilon) : args->invstd[q];
            diff[q] = group_diff(&l, args, grad, q, nodes, roots, frozen, invstd[q]);
        }
        for (uint64_t i = 0; args->diff_src && i < elements(desc); i++) {
            const uint64_t q = channel_of(desc, i) / group;

            diff_element(desc, args, grad[i], &diff[q], invstd[q], frozen, i);
        }
    }
    free(nodes);
    free(roots);
    free(diff);
    free(invstd);
    free(grad);
    return is_there ? 0 : -1;
}

int model_backward_training(const clnorm_desc *desc, const struct model_backward *args)
{
    clnorm_desc group = *desc;
    if (desc->n == 0)
        diff_nothing(desc, args);
    for (uint64_t n = 0, at = 0; n < desc->n; n += group.n, at += desc->c / channel_group(desc)) {
        const uint64_t first = n * desc->c * desc->s;
        struct model_backward part = *args;
        group.n = group_samples(desc, n);
        part.src = FROM(part.src, first);
        part.diff_dst += first;
        part.mean += at;
        part.mean_low = FROM(part.mean_low, at);
        part.invstd += at;
        part.diff_src = FROM(part.diff_src, first);
        part.dst = FROM(part.dst, first);
        part.diff_residual = FROM(part.diff_residual, first);
        if (n > 0) /* sums of the groups' */
            part.accumulate |= CLNORM_ACCUMULATE_DIFF_SCALE | CLNORM_ACCUMULATE_DIFF_SHIFT;
        if (backward_group(&group, &part, 0, first) != 0)
            return -1;
    }
    return 0;
}

int model_backward_frozen(const clnorm_desc *desc, const struct model_backward *args)
{
    if (desc->n > 0)
        return backward_group(desc, args, 1, 0);
    diff_nothing(desc, args);
    return 0;
}
