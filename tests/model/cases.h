/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases that hurt: shapes and data on which batch normalization goes wrong, for the library's tests and for
 * `clnorm check` alike. All data is made of integers and of floating-point operations that are exact up to one final
 * rounding, so that every platform and compiler makes the same bits; a value depends on the seed and on (n, c, s) only,
 * so the two layouts hold the same tensor.
 */
#ifndef CLNORM_TESTS_CASES_H
#define CLNORM_TESTS_CASES_H

#include "clnorm.h"

struct case_shape {
    uint64_t n, c, s;
    enum clnorm_layout layout;
};

/* The shapes, each in both layouts; quick is a short list for slow devices. */
const struct case_shape *case_shapes(int quick, size_t *count);

/* shape as a description with epsilon 1e-5. */
clnorm_desc case_desc(const struct case_shape *shape);

/* Every kind has an offset of its own for each channel. */
enum case_data {
    CASE_NORMAL,     /* N(0, 1), offset 0.75 a channel */
    CASE_OFFSET_1E3, /* N(1e3, 1) */
    CASE_OFFSET_1E4, /* N(1e4, 1) */
    CASE_OFFSET_1E6, /* N(1e6, 1) */
    CASE_CONSTANT,   /* one value a channel, not a round one */
    CASE_HUGE,       /* about 1e30 * N(0, 1): the variance is beyond binary32 */
    CASE_BIMODAL,    /* rising: the first half near -20, the second near +20 */
    CASE_OUTLIER,    /* the first value of a channel is 1e6, the others N(0, 1) */
    CASE_MIXED,      /* N(0, 1) times a power of two from 2^-20 to 2^80, one for each channel */
    CASE_FLOOR,      /* the first value of a channel stands above all others, which are the same */
    CASE_ONE_HOT,    /* 1 in a few places, else 0 */
    CASE_STEPS,      /* four values, each for a quarter of the channel */
    CASE_INTEGERS,   /* whole numbers of a few bits, times a step and on an offset, as quantized tensors hold them */
    CASE_SORTED,     /* rising by one step */
    CASE_RELU,       /* N(0, 1) plus an offset, negative values replaced by 0; all of some channels */
    CASE_EXPONENTS,  /* 2^e (1 + k 2^-23), k = 0 to 7, e from -96 to 126 by channel; epsilon 0 */
    CASE_TINY,       /* N(0, 1) times 2^-60 to 2^-110: variances are subnormal or 0; epsilon 0 */
    CASE_CLASSES,    /* N(0, 1) times 2^0, 2^60 or 2^-60, by 64 positions: leaves of all magnitudes side by side */
    CASE_SUBNORMAL,  /* about 1e-40 * N(0, 1): equal bits only where subnormals are kept */
    CASE_SPECIAL,    /* N(0, 1) with one NaN, +Inf or -Inf in most channels: no accuracy to speak of */
    CASE_DATA_COUNT
};

const char *case_data_name(enum case_data kind);
const char *case_layout_name(enum clnorm_layout layout);

/* What is added to the variance: 1e-5, or 0 where only then the data counts. */
float case_epsilon(enum case_data kind);

/* Whether results on this kind are comparable with float64. */
int case_data_is_finite(enum case_data kind);

/* src: n * c * s values of this kind in desc's layout. */
void case_fill(enum case_data kind, const clnorm_desc *desc, uint64_t seed, float *src);

/* diff_dst: n * c * s values, N(0.25, 1), unrelated to src. */
void case_fill_diff(const clnorm_desc *desc, uint64_t seed, float *diff_dst);

/* c values each: scale of either sign within [-3, 3] (0 in every 13th channel), shift within [-2, 2]. */
void case_fill_params(const clnorm_desc *desc, uint64_t seed, float *scale, float *shift);

/* c values each: running statistics to start from; the variance is positive. */
void case_fill_running(const clnorm_desc *desc, uint64_t seed, float *mean, float *variance);

/* Value number index of stream seed: about N(0, 1), within [-6, 6], 20 significant bits and a scaling. */
float case_normal(uint64_t seed, uint64_t index);

/* Element (n, c, s) of desc's tensor. */
uint64_t case_index(const clnorm_desc *desc, uint64_t n, uint64_t c, uint64_t s);

/* Bit patterns; every NaN is 0x7fc00000, as NaNs are equal to each other. */
uint32_t case_bits(float value);

/*
 * FNV-1a, 64 bits, over the bit patterns (low byte first); start from CASE_HASH_START. Subnormal numbers and zeros of either
 * sign count as 0, so that a device that flushes them has the digest of one that does not.
 */
#define CASE_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t case_hash(uint64_t hash, const float *values, size_t count);

#endif
