/* SPDX-License-Identifier: Apache-2.0 */
/* What is a matter of speed alone: how plans cut work. Pure: no OpenCL call. */
#ifndef CLNORM_PARAMETERS_H
#define CLNORM_PARAMETERS_H

#include <stdint.h>

/*
 * X(NAME, name, least, most, a default for each class of device, meaning). Plans must be right for every value from least to most.
 *
 * class                                    where its defaults were measured to be good
 * CPU-like, vectors of 256 bits or less    AMD Zen 3 (AVX2), PoCL 3.1, two cores, November 2026: columns_percent; the rest is the
 *                                          next row's. Vectors of 128 bits, Intel's runtime and llvmpipe: guesses
 * CPU-like, vectors of 512 bits            AMD Zen 5 (AVX-512), PoCL 3.1, two cores, November 2026
 * others, GPUs                             nowhere yet: guesses
 */
enum clnorm__class { CLNORM__CLASS_CPU, CLNORM__CLASS_WIDE_CPU, CLNORM__CLASS_OTHER, CLNORM__CLASSES };

#define CLNORM__PARAMETERS(X)                                                                                          \
    X(STATS_ITEMS, stats_items, 1, 1024, 16, 16, 32,                                                                   \
      "work-items or work-groups of stage one for each compute unit, at least, where there are leaves enough")         \
    X(FUSED_ITEMS, fused_items, 1, 1024, 4, 4, 4, "work-items of a fused variant for each compute unit, at most")      \
    X(FUSED_GROUPS, fused_groups, 1, 1024, 2, 2, 2,                                                                    \
      "groups of channels that a fused variant leaves each compute unit, at least")                                    \
    X(FUSED_PERCENT, fused_percent, 0, 10000, 75, 75, 75,                                                              \
      "share of a compute unit's part of the cache that a channel may fill and training still be one launch")          \
    X(FUSED_STREAM_PERCENT, fused_stream_percent, 0, 10000, 45, 45, 45,                                                \
      "share of the cache that a call's tensors may fill before a fused variant stores past the caches")               \
    X(GROUP_BYTES, group_bytes, 1024, 1 << 26, 1 << 17, 1 << 17, 1 << 17,                                              \
      "bytes of tensors in a group of channels that a fused variant stores while it reads the next")                   \
    X(COLUMNS_PERCENT, columns_percent, 0, 10000, 10, 25, 25,                                                          \
      "share of a compute unit's part of the cache that forward training's columns may fill")                          \
    X(DIFF_COLUMNS_PERCENT, diff_columns_percent, 0, 10000, 12, 12, 12,                                                \
      "the same of the backward pass's columns, both tensors of them; and half of a group of very short rows")         \
    X(COLUMNS_VECTORS, columns_vectors, 4, 16, 8, 8, 8,                                                                \
      "vectors of channels that fused_cl_item takes at a time, at most")                                               \
    X(SMALL_BYTES, small_bytes, 0, 1 << 30, 1 << 20, 1 << 20, 1 << 20,                                                 \
      "bytes of tensors so small that channels-last training is one launch in any case")                               \
    X(ITEM_ELEMENTS, item_elements, 64, 1 << 24, 8192, 8192, 8192,                                                     \
      "elements that a work-item of apply_item takes, at least")                                                       \
    X(ITEM_CHANNELS, item_channels, 16, 1 << 20, 512, 512, 512,                                                        \
      "channels that a work-item of apply_item takes side by side, channels-last; in sixteens")                        \
    X(STREAM_PERCENT, stream_percent, 0, 10000, 80, 80, 80,                                                            \
      "share of the cache that a call's tensors may fill before apply_item stores past the caches")                    \
    X(APPLY_ITEMS, apply_items, 1, 1024, 256, 256, 256,                                                                \
      "work-items of a work-group of apply_flat and apply_group, at most; powers of two")                              \
    X(APPLY_GROUPS, apply_groups, 1, 4096, 64, 64, 64,                                                                 \
      "work-groups of apply_flat or apply_group for each compute unit, about")                                         \
    X(GROUP_ITEMS, group_items, 1, 1024, 64, 64, 64,                                                                   \
      "work-items of a work-group where a kernel leaves that free, at most")

enum clnorm__parameter {
#define CLNORM__PARAMETER_ENUM(NAME, name, least, most, cpu, wide, other, meaning) CLNORM__##NAME,
    CLNORM__PARAMETERS(CLNORM__PARAMETER_ENUM)
#undef CLNORM__PARAMETER_ENUM
        CLNORM__PARAMETER_COUNT
};

/* All zero: the defaults. */
struct clnorm__tuning {
    uint32_t value[CLNORM__PARAMETER_COUNT];
    unsigned char is_set[CLNORM__PARAMETER_COUNT];
};

struct clnorm__parameter_row {
    const char *name, *meaning;
    uint32_t least, most, defaults[CLNORM__CLASSES];
};
extern const struct clnorm__parameter_row clnorm__parameters[CLNORM__PARAMETER_COUNT];

#endif
