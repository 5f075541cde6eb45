/* SPDX-License-Identifier: Apache-2.0 */
/* What blocks compute: the model's bits where they are reproducible, and float64's values within proven bounds. */
#include "fixture/suite.h"
#include "fixture/block_case.h"

#include "device/context.h"
#include "half.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static clnorm_device_info devices[FIXTURE_DEVICES];
static size_t device_count;
static int has_blas;

struct shape {
    uint64_t n, src_c, src_h, src_w, dst_c, kernel, stride, pad, dilation;
};

/* Linear ones; convolutions of one group of samples and of several, with images larger than a group, odd and even. */
static const struct shape shapes[] = {
    {1, 1, 1, 1, 1, 1, 1, 0, 1},
    {5, 7, 1, 1, 3, 1, 1, 0, 1},
    {9, 18, 1, 1, 70, 1, 1, 0, 1},
    {3, 130, 1, 1, 5, 1, 1, 0, 1},
    {3, 3, 8, 8, 5, 3, 1, 1, 1},
    {5, 2, 9, 7, 19, 3, 2, 1, 1},
    {2, 3, 11, 12, 4, 3, 1, 2, 2},
    {3, 6, 5, 7, 9, 1, 1, 0, 1},
    {2, 4, 6, 6, 3, 1, 2, 0, 1},
    {4, 3, 4, 4, 5, 4, 1, 0, 1},
    {2, 2, 5, 5, 3, 2, 3, 4, 3},
    {33, 130, 1, 1, 65, 1, 1, 0, 1},
    {2, 3, 70, 66, 4, 3, 1, 1, 1},
    {2, 5, 65, 66, 3, 1, 1, 0, 1},
    {9, 3, 24, 25, 6, 3, 1, 1, 1},
    {64, 64, 1, 1, 128, 1, 1, 0, 1},
    /* Several chunks of samples: of one group and of several. */
    {149, 5, 1, 1, 3, 1, 1, 0, 1},
    {29, 2, 9, 9, 3, 3, 2, 1, 1},
    {75, 3, 8, 8, 4, 1, 1, 0, 1},
    {300, 1, 9, 9, 2, 3, 1, 0, 1},
};
enum { SHAPES = sizeof(shapes) / sizeof(*shapes), SMALL_SHAPES = 11 };

static unsigned shape_count(void)
{
    return fixture_is_small() ? SMALL_SHAPES : SHAPES;
}

static clnorm_block_desc desc_of(const struct shape *s, unsigned flags, clnorm_activation activation)
{
    clnorm_block_desc d;

    ck_assert_int_eq(clnorm_describe_convolution(s->n, s->src_c, s->src_h, s->src_w, s->dst_c, s->kernel, s->stride,
                                                 s->pad, s->dilation, &d),
                     CLNORM_SUCCESS);
    d.flags = flags;
    d.activation = activation;
    return d;
}

/* None for form 0; else one of four, in turn. */
static clnorm_activation activation_of(unsigned form, unsigned turn)
{
    const clnorm_activation all[] = {CLNORM_RELU, CLNORM_LEAKY_RELU(0.1f), CLNORM_CLIPPED_RELU(1.25f), {0.2f, 0.75f}};

    return form ? all[turn % 4] : CLNORM_IDENTITY;
}

/* ---- bits ---- */

/* Everything an operation wrote has the model's bits. Where a device flushes subnormals, one may be 0. */
static uint64_t compare_bits(struct rig *rig, struct block_case *c, enum block_operation operation, uint64_t hash)
{
    struct block_case model;
    char text[200];

    block_make(&model, &c->desc);
    model.absent = c->absent;
    for (unsigned s = 0; s < B_SLOTS; s++)
        memcpy(model.value[s], c->value[s], c->count[s] * sizeof(float));
    block_run(c, rig, operation);
    block_model(&model, operation);
    for (unsigned s = 0; s < B_SLOTS; s++) {
        if (!(block_writes(c, operation) & BIT(s)))
            continue;
        for (size_t i = 0; i < c->count[s]; i++) {
            float is = c->value[s][i], want = model.value[s][i];
            int is_flushed = rig->info.bits != CLNORM_BITS_SAME && fabsf(is) < 1.2e-38f && fabsf(want) < 1.2e-38f;

            EXPECT(case_bits(is) == case_bits(want) || is_flushed || rig->info.bits == CLNORM_BITS_NONE,
                   "%s, %s: %s[%zu] is %a, should be %a", rig->info.name, block_text(&c->desc, text),
                   block_slot_name[s], i, (double)is, (double)want);
        }
        hash = case_hash(hash, c->value[s], c->count[s]);
    }
    block_free(&model);
    return hash;
}

/* Special values, where they meet zeros of the pad and of the activation. */
static void spoil(struct block_case *c)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e30f, -1e30f};

    for (unsigned i = 0; i < 6; i++) {
        c->value[B_SRC][i * 7919 % c->count[B_SRC]] = half_round(c->desc.type, odd[i]);
        c->value[B_DIFF_DST][i * 104729 % c->count[B_DIFF_DST]] = half_round(c->desc.type, odd[5 - i]);
    }
}

static uint64_t compare_shape(struct rig *rig, unsigned shape, unsigned form, enum clnorm_type type, uint64_t hash)
{
    clnorm_block_desc d = desc_of(&shapes[shape], CLNORM_BLOCK_REPRODUCIBLE | (form & 2 ? CLNORM_BLOCK_PLAIN : 0u),
                                  activation_of(form & 1, shape + form / 2));
    struct block_case c;

    d.type = type;
    block_make(&c, &d);
    if (form & 4)
        spoil(&c);
    c.absent = form & 1 ? 0 : BIT(B_BIAS) | BIT(B_MEAN_LOW);
    hash = compare_bits(rig, &c, BLOCK_TRAIN, hash);
    hash = compare_bits(rig, &c, BLOCK_BACKWARD, hash);
    hash = compare_bits(rig, &c, BLOCK_INFER, hash);
    block_free(&c);
    return hash;
}

START_TEST(test_reproducible_bits)
{
    static const enum clnorm__block_kernel kernels[] = {CLNORM__GEMM_ITEM, CLNORM__GEMM_GROUP, CLNORM__GEMM_NAIVE};
    static struct rig rig;
    const int is_simulator = fixture_is_simulator(&devices[_i]);
    uint64_t first = 0;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned k = 0; k < 3; k++) {
        uint64_t hash = CASE_HASH_START;

        rig.context->gemm = kernels[k];
        /* The others with the work-items and variants of a device that is no CPU. */
        rig.context->device.cpu_like = k == 0;
        /* A simulator has each shape by one of them. */
        for (unsigned s = is_simulator ? k : 0; s < shape_count(); s += is_simulator ? 3 : 1) {
            /* The small set, in turn: activated, spoiled, and both without a normalization. */
            const unsigned begin = fixture_is_small() ? 1 + 3 * (s % 3) : 0;

            /* Else every form by the first kernel, and every other one by all of them: the digest is of these. */
            for (unsigned form = begin; form < 8; form += fixture_is_small() ? 8 : 1)
                if (fixture_is_small() || form % 2 == s % 2)
                    hash = compare_shape(&rig, s, form, CLNORM_FLOAT32, hash);
                else if (k == 0)
                    compare_shape(&rig, s, form, CLNORM_FLOAT32, 0);
        }
        if (!is_simulator)
            printf("%s, %s: digest %016llx\n", rig.info.name, clnorm__block_kernels[kernels[k]].name,
                   (unsigned long long)hash);
        first = k && !is_simulator ? first : hash;
        ck_assert_uint_eq(hash, first);
    }
    rig_close(&rig);
}
END_TEST

/* With room for little: groups that are parts of a chunk of samples, and blocks of few chunks' sums, down to one. */
START_TEST(test_little_room)
{
    static const uint64_t rooms[] = {1, 40, 1000};
    static struct rig rig;
    uint64_t first = 0;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned r = 0; r < 4; r++) {
        uint64_t hash = CASE_HASH_START;

        rig.context->device.group_elements = r < 3 ? rooms[r] : 0;
        for (unsigned s = 3; s < SHAPES; s++)
            if (shapes[s].n > 8 && shapes[s].n * shapes[s].src_c * shapes[s].dst_c < 20000)
                hash = compare_shape(&rig, s, 1, CLNORM_FLOAT32, hash);
        first = r ? first : hash;
        EXPECT(hash == first, "%s: other bits with room for %llu elements", rig.info.name,
               (unsigned long long)rig.context->device.group_elements);
    }
    rig_close(&rig);
}
END_TEST

/* Through given statistics: inference that keeps its product, and the gradients; also of other types. */
START_TEST(test_frozen)
{
    static const unsigned picked[] = {2, 4, 7}; /* linear, with pads, of 1 x 1 */
    static struct rig rig;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned form = 0; form < 12; form++) {
        clnorm_block_desc d =
            desc_of(&shapes[picked[form % 3]], CLNORM_BLOCK_REPRODUCIBLE | (form % 4 == 3 ? CLNORM_BLOCK_PLAIN : 0u),
                    activation_of(form & 1, form / 2));
        struct block_case c;

        d.type = form / 3 % 2 ? CLNORM_FLOAT16 : CLNORM_FLOAT32;
        block_make(&c, &d);
        /* Without the product there is no diff_scale; with nothing else wanted, no gradient of the product. */
        c.absent = form == 1   ? BIT(B_PRODUCT) | BIT(B_MEAN) | BIT(B_DIFF_SCALE)
                   : form == 6 ? BIT(B_DIFF_SRC) | BIT(B_DIFF_WEIGHTS) | BIT(B_DIFF_BIAS)
                               : 0;
        if (form != 1)
            compare_bits(&rig, &c, BLOCK_KEEP, 0);
        compare_bits(&rig, &c, BLOCK_FROZEN, 0);
        block_free(&c);
    }
    rig_close(&rig);
}
END_TEST

/* Images and what comes of them of 16 bits: every way that operands of a product lie, by every kernel. */
START_TEST(test_types)
{
    static const enum clnorm__block_kernel kernels[] = {CLNORM__GEMM_ITEM, CLNORM__GEMM_GROUP, CLNORM__GEMM_NAIVE};
    static const unsigned picked[] = {2, 4, 6, 7, 10}; /* linear, with pads, dilated, of 1 x 1, of large strides */
    static struct rig rig;
    const int is_simulator = fixture_is_simulator(&devices[_i]);
    uint64_t first = 0;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned k = 0; k < 3; k++) {
        uint64_t hash = CASE_HASH_START;

        rig.context->gemm = kernels[k];
        /* All of them by the first kernel; to each other's bits come two. A simulator has each by one. */
        for (unsigned i = is_simulator ? k : 0; i < sizeof(picked) / sizeof(*picked); i += is_simulator ? 3 : 1) {
            const enum clnorm_type type = i % 2 ? CLNORM_BFLOAT16 : CLNORM_FLOAT16;

            for (unsigned form = 0; form < 8 && (i < 2 || k == 0 || is_simulator); form += is_simulator         ? 8
                                                                                           : fixture_is_small() ? 5
                                                                                                                : 1) {
                const uint64_t all = compare_shape(&rig, picked[i], form, type, hash);

                hash = i < 2 ? all : hash;
            }
        }
        first = k && !is_simulator ? first : hash;
        ck_assert_uint_eq(hash, first);
    }
    rig_close(&rig);
}
END_TEST

/* ---- float64 ---- */

struct doubles {
    double *slot[B_SLOTS];
};

static void doubles_make(struct doubles *d, const struct block_case *c, int is_absolute)
{
    for (unsigned s = 0; s < B_SLOTS; s++) {
        ck_assert_ptr_nonnull(d->slot[s] = calloc(c->count[s] + 1, sizeof(double)));
        for (size_t i = 0; i < c->count[s]; i++)
            d->slot[s][i] = is_absolute ? fabs((double)c->value[s][i]) : (double)c->value[s][i];
    }
}

static void doubles_free(struct doubles *d)
{
    for (unsigned s = 0; s < B_SLOTS; s++)
        free(d->slot[s]);
}

static void reference(const clnorm_block_desc *desc, struct doubles *d, int is_given)
{
    struct reference_block r = {.src = d->slot[B_SRC], .weights = d->slot[B_WEIGHTS], .bias = d->slot[B_BIAS]};

    r.scale = d->slot[B_SCALE], r.shift = d->slot[B_SHIFT], r.product = d->slot[B_PRODUCT], r.dst = d->slot[B_DST];
    if (is_given)
        r.given_mean = d->slot[B_MEAN], r.given_variance = d->slot[B_VARIANCE];
    else
        r.mean = d->slot[B_MEAN], r.variance = d->slot[B_VARIANCE];
    reference_block_forward(desc, &r);
}

#define ULP 5.97e-8 /* half of one, relative: 2^-24 */

/*
 * Bounds of what rounding may do, whatever the order of additions. A product of k terms and a bias is off by at most
 * (k + 2) 2^-24 of the sum of its terms' magnitudes, which the reference of the magnitudes gives. If the products of a channel are
 * off by up to e, mean and deviation are off by up to e each, so that the normalized value is off by (2 e + |x - mean| e invstd)
 * scale invstd, and by a few roundings of its own.
 */
static void compare_forward(struct block_case *c, const struct block_case *before, int is_given, const char *name)
{
    const clnorm_block_desc *desc = &c->desc;
    clnorm_desc norm = model_block_norm(desc);
    struct doubles want, size;
    int is_plain = (desc->flags & CLNORM_BLOCK_PLAIN) != 0;
    double terms = (double)(desc->src_c * desc->kernel_h * desc->kernel_w);
    clnorm_block_desc linear = *desc;
    char text[200];

    linear.flags |= CLNORM_BLOCK_PLAIN;
    linear.activation = CLNORM_IDENTITY;
    doubles_make(&want, before, 0);
    doubles_make(&size, before, 1);
    reference(desc, &want, is_given);
    reference(&linear, &size, 0);
    for (uint64_t channel = 0; channel < norm.c; channel++) {
        double e = 0, variance = want.slot[B_VARIANCE][channel], mean = want.slot[B_MEAN][channel];
        double invstd = 1 / sqrt(variance + (double)desc->epsilon),
               scale = fabs((double)before->value[B_SCALE][channel]);

        for (uint64_t i = 0; i < norm.n * norm.s; i++) {
            uint64_t at = (i / norm.s * norm.c + channel) * norm.s + i % norm.s;
            double bound = (terms + 2) * ULP * size.slot[B_PRODUCT][at];

            e = fmax(e, bound);
            if (!is_plain && !is_given)
                EXPECT(fabs((double)c->value[B_PRODUCT][at] - want.slot[B_PRODUCT][at]) <= bound,
                       "%s, %s: product[%d] is %.9g, not %.9g, off by more than %.2g", name, block_text(desc, text),
                       (int)at, (double)c->value[B_PRODUCT][at], want.slot[B_PRODUCT][at], bound);
        }
        for (uint64_t i = 0; i < norm.n * norm.s; i++) {
            uint64_t at = (i / norm.s * norm.c + channel) * norm.s + i % norm.s;
            double away = fabs(want.slot[B_PRODUCT][at] - mean), bound = e;

            if (!is_plain)
                bound = scale * invstd * (2 * e + away * (e * invstd + 8 * ULP)) +
                        8 * ULP * (fabs(want.slot[B_DST][at]) + 4);
            EXPECT(fabs((double)c->value[B_DST][at] - want.slot[B_DST][at]) <= bound,
                   "%s, %s: dst[%d] is %.9g, not %.9g, off by more than %.2g", name, block_text(desc, text), (int)at,
                   (double)c->value[B_DST][at], want.slot[B_DST][at], bound);
        }
        if (is_plain || is_given)
            continue;
        double count = (double)(norm.n * norm.s), unbiased = count > 1 ? variance * count / (count - 1) : variance;
        double r_mean = before->value[B_RUNNING_MEAN][channel], r_variance = before->value[B_RUNNING_VARIANCE][channel];
        double off = 2 * e * (2 * sqrt(variance) + e) + 8 * ULP * (variance + r_variance);

        ck_assert_double_le(fabs((double)c->value[B_MEAN][channel] - mean), e + ULP * fabs(mean));
        ck_assert_double_le(fabs((double)c->value[B_VARIANCE][channel] - variance), off);
        ck_assert_double_le(fabs((double)c->value[B_RUNNING_MEAN][channel] - (0.25 * mean + 0.75 * r_mean)),
                            e + 4 * ULP * (fabs(mean) + fabs(r_mean)));
        ck_assert_double_le(fabs((double)c->value[B_RUNNING_VARIANCE][channel] - (0.25 * unbiased + 0.75 * r_variance)),
                            off);
    }
    doubles_free(&want);
    doubles_free(&size);
}

static void check_forward(struct rig *rig, const clnorm_block_desc *d, int is_inference)
{
    struct block_case c, before;

    block_make(&c, d);
    block_make(&before, d);
    block_run(&c, rig, is_inference ? BLOCK_INFER : BLOCK_TRAIN);
    compare_forward(&c, &before, is_inference, rig->info.name);
    block_free(&c);
    block_free(&before);
}

START_TEST(test_forward)
{
    static struct rig rig;

    if (fixture_is_small()) /* where bits are right, so is this */
        return;
    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned s = 0; s < shape_count(); s++)
        for (unsigned form = fixture_is_small() ? 4 + s % 4
                             : has_blas         ? 0
                                                : 4;
             form < 8; form += fixture_is_small() ? 8 : 1) {
            clnorm_block_desc d =
                desc_of(&shapes[s], form & 4 ? CLNORM_BLOCK_REPRODUCIBLE : 0u, activation_of(form & 1, s + form / 2));

            d.flags |= form & 2 ? CLNORM_BLOCK_PLAIN : 0u;
            check_forward(&rig, &d, 0);
            check_forward(&rig, &d, 1);
        }
    rig_close(&rig);
}
END_TEST

/* ---- gradients ---- */

static double loss(const clnorm_block_desc *desc, struct doubles *d, size_t count)
{
    double sum = 0;

    reference(desc, d, 0);
    for (size_t i = 0; i < count; i++)
        sum += d->slot[B_DIFF_DST][i] * d->slot[B_DST][i];
    return sum;
}

/* No value may be so near a kink of the activation that rounding or a difference would cross it. */
static void stay_off_kink(const struct block_case *c, struct doubles *d)
{
    clnorm_block_desc desc = c->desc;

    desc.activation = CLNORM_IDENTITY;
    reference(&desc, d, 0);
    for (size_t i = 0; i < c->count[B_DST]; i++)
        EXPECT(fabs(d->slot[B_DST][i]) > 2e-4 && fabs(d->slot[B_DST][i] - (double)c->desc.activation.cap) > 2e-4,
               "dst[%zu] = %g: choose other data", i, d->slot[B_DST][i]);
}

/*
 * Before a normalization the bias' gradient is 0: rounding leaves a sum over the batch of what each element is off, some units in
 * the last place of the gradients behind the normalization.
 */
static double bias_slack(const struct block_case *c)
{
    clnorm_desc norm = model_block_norm(&c->desc);
    double most = 0;

    for (uint64_t channel = 0; channel < norm.c && !(c->desc.flags & CLNORM_BLOCK_PLAIN); channel++) {
        double sum = 0, factor = fabs((double)c->value[B_SCALE][channel] * (double)c->value[B_INVSTD][channel]);

        for (uint64_t i = 0; i < norm.n * norm.s; i++)
            sum += fabs((double)c->value[B_DIFF_DST][(i / norm.s * norm.c + channel) * norm.s + i % norm.s]);
        most = fmax(most, 8 * ULP * sum * factor);
    }
    return most;
}

/*
 * Every gradient against central differences of the whole block in float64, whose error is about 1e-9. Few and small terms make up
 * a gradient here: rounding to binary32 moves it by some units in the last place of the largest one.
 */
static void compare_gradient(struct block_case *c, struct doubles *d, enum block_slot parameter, enum block_slot slot)
{
    const double step = 1e-5;
    double largest = 0, off = 0;
    double *want = calloc(c->count[slot] + 1, sizeof(double));
    char text[200];

    ck_assert_ptr_nonnull(want);
    for (size_t i = 0; i < c->count[slot]; i++) {
        double here = d->slot[parameter][i], up, down;

        d->slot[parameter][i] = here + step;
        up = loss(&c->desc, d, c->count[B_DST]);
        d->slot[parameter][i] = here - step;
        down = loss(&c->desc, d, c->count[B_DST]);
        d->slot[parameter][i] = here;
        want[i] = (up - down) / (2 * step);
        largest = fmax(largest, fabs(want[i]));
    }
    double allowed = 2e-6 * fmax(largest, 1) + (slot == B_DIFF_BIAS ? bias_slack(c) : 0);
    for (size_t i = 0; i < c->count[slot]; i++)
        off = fmax(off, fabs((double)c->value[slot][i] - want[i]));
    ck_assert_msg(off <= allowed, "%s: %s is off by %.3g, with values up to %.3g", block_text(&c->desc, text),
                  block_slot_name[slot], off, largest);
    free(want);
}

START_TEST(test_gradients)
{
    static const struct shape small[] = {{6, 5, 1, 1, 4, 1, 1, 0, 1},
                                         {3, 2, 4, 5, 3, 3, 1, 1, 1},
                                         {4, 2, 5, 5, 2, 2, 2, 1, 2},
                                         {3, 3, 3, 3, 2, 1, 1, 0, 1}};
    static struct rig rig;

    if (fixture_is_small()) /* where bits are right, so is this */
        return;
    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned s = 0; s < 4; s++)
        for (unsigned form = has_blas ? 0 : 4; form < 8; form++) {
            clnorm_block_desc desc =
                desc_of(&small[s], form & 4 ? CLNORM_BLOCK_REPRODUCIBLE : 0u, activation_of(form & 1, s + form / 2));
            struct block_case c;
            struct doubles d;

            desc.flags |= form & 2 ? CLNORM_BLOCK_PLAIN : 0u;
            block_make(&c, &desc);
            doubles_make(&d, &c, 0);
            stay_off_kink(&c, &d);
            block_run(&c, &rig, BLOCK_TRAIN);
            block_run(&c, &rig, BLOCK_BACKWARD);
            compare_gradient(&c, &d, B_SRC, B_DIFF_SRC);
            compare_gradient(&c, &d, B_WEIGHTS, B_DIFF_WEIGHTS);
            compare_gradient(&c, &d, B_BIAS, B_DIFF_BIAS);
            if (!(form & 2)) {
                compare_gradient(&c, &d, B_SCALE, B_DIFF_SCALE);
                compare_gradient(&c, &d, B_SHIFT, B_DIFF_SHIFT);
            }
            doubles_free(&d);
            block_free(&c);
        }
    rig_close(&rig);
}
END_TEST

/*
 * CLBlast's gradients of larger shapes, several groups of samples among them, against the fixed order's. A sum of t terms of the
 * size of 1 is a random walk: it passes values of the size of the root of t, and is off by the root of t roundings of those.
 */
START_TEST(test_blas_gradients)
{
    static struct rig rig;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned s = 0; s < shape_count() && has_blas; s++) {
        clnorm_block_desc desc = desc_of(&shapes[s], CLNORM_BLOCK_REPRODUCIBLE, activation_of(1, s));
        struct block_case c, fixed;
        char text[200];

        block_make(&fixed, &desc);
        desc.flags = 0;
        block_make(&c, &desc);
        block_run(&fixed, &rig, BLOCK_TRAIN);
        for (unsigned slot = 0; slot < B_SLOTS; slot++)
            memcpy(c.value[slot], fixed.value[slot], c.count[slot] * sizeof(float));
        block_run(&fixed, &rig, BLOCK_BACKWARD);
        block_run(&c, &rig, BLOCK_BACKWARD);
        float batch = (float)(c.count[B_DST] / c.desc.dst_c), kernel = (float)(c.count[B_WEIGHTS] / c.desc.src_c);
        for (unsigned slot = B_DIFF_SRC; slot <= B_DIFF_SHIFT; slot++)
            for (size_t i = 0; i < c.count[slot]; i++)
                EXPECT(fabsf(c.value[slot][i] - fixed.value[slot][i]) <=
                           (float)ULP * (8 + 2 * (slot == B_DIFF_SRC ? kernel : batch)) *
                               (1 + fabsf(fixed.value[slot][i])),
                       "%s: %s[%zu] is %g by CLBlast, %g in the fixed order", block_text(&desc, text),
                       block_slot_name[slot], i, (double)c.value[slot][i], (double)fixed.value[slot][i]);
        block_free(&c);
        block_free(&fixed);
    }
    rig_close(&rig);
}
END_TEST

/* ---- folding ---- */

static void check_fold(struct rig *rig, const clnorm_block_desc *desc, unsigned absent)
{
    struct block_case c, plain;
    clnorm_block_desc d = *desc;
    char text[200];

    block_make(&c, &d);
    c.absent = absent;
    block_run(&c, rig, BLOCK_INFER);
    block_run(&c, rig, BLOCK_FOLD);
    d.flags |= CLNORM_BLOCK_PLAIN;
    block_make(&plain, &d);
    memcpy(plain.value[B_WEIGHTS], c.value[B_FOLDED_WEIGHTS], c.count[B_WEIGHTS] * sizeof(float));
    memcpy(plain.value[B_BIAS], c.value[B_FOLDED_BIAS], c.count[B_BIAS] * sizeof(float));
    block_run(&plain, rig, BLOCK_INFER);
    for (size_t i = 0; i < c.count[B_DST]; i++)
        EXPECT(fabsf(plain.value[B_DST][i] - c.value[B_DST][i]) <= 1e-5f * (1 + fabsf(c.value[B_DST][i])),
               "%s: folded %.9g, unfolded %.9g", block_text(desc, text), (double)plain.value[B_DST][i],
               (double)c.value[B_DST][i]);
    block_free(&c);
    block_free(&plain);
}

START_TEST(test_fold)
{
    static struct rig rig;

    fixture_fast_rows(&devices[_i]);
    rig_open(&rig, &devices[_i], 1);
    for (unsigned s = 0; s < shape_count(); s++) {
        clnorm_block_desc d =
            desc_of(&shapes[s], has_blas && s % 2 ? 0 : CLNORM_BLOCK_REPRODUCIBLE, activation_of(1, s));

        check_fold(&rig, &d, 0);
        check_fold(&rig, &d, BIT(B_BIAS) | BIT(B_SCALE));
        check_fold(&rig, &d, BIT(B_SHIFT));
    }
    rig_close(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("block");
    TCase *cases = tcase_create("block");

    fixture_own_cache();
    device_count = fixture_devices(devices);
    /* Simulators and the small set of cases go without CLBlast, whose kernels take their compilers long. */
    has_blas = !fixture_is_small() && clnorm_clear_blas_cache() != CLNORM_NO_BLAS;
    if (!has_blas)
        printf("not tested: CLBlast's products\n");
    tcase_set_timeout(cases, 0);
    tcase_add_loop_test(cases, test_little_room, 0, fixture_is_small() ? 0 : (int)device_count);
    tcase_add_loop_test(cases, test_frozen, 0, (int)device_count);
    tcase_add_loop_test(cases, test_types, 0, (int)device_count);
    tcase_add_loop_test(cases, test_reproducible_bits, 0, (int)device_count);
    tcase_add_loop_test(cases, test_forward, 0, (int)device_count);
    tcase_add_loop_test(cases, test_gradients, 0, (int)device_count);
    tcase_add_loop_test(cases, test_blas_gradients, 0, (int)device_count);
    tcase_add_loop_test(cases, test_fold, 0, (int)device_count);
    suite_add_tcase(suite, cases);
    int status = suite_run(suite);
    clnorm_clear_blas_cache();
    fixture_remove_folders();
    return status;
}
