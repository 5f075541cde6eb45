/* SPDX-License-Identifier: Apache-2.0 */
/* What the host hands to kernels by value. Compiled as OpenCL C and as C: the two see the same bytes. */
#ifndef CLNORM_TYPES_CL
#define CLNORM_TYPES_CL

#ifdef CLNORM_KERNEL
typedef ulong clnorm_u64;
typedef uint clnorm_u32;
#else
#include <stdint.h>
typedef uint64_t clnorm_u64;
typedef uint32_t clnorm_u32;
#endif

/* As enum clnorm_type of clnorm.h. */
#define CLNORM_TYPE_FLOAT32 0
#define CLNORM_TYPE_FLOAT16 1
#define CLNORM_TYPE_BFLOAT16 2

#define CLNORM_LANES 64u  /* lanes of a channels-first leaf; positions of a channels-last leaf */
#define CLNORM_LEAF 1024u /* most values of a channels-first leaf */
#define CLNORM_SPAN(vector) ((vector) >= 8u ? 256u : 64u) /* channels side by side that stats_cl_item takes */
#define CLNORM_COLUMNS 16u      /* vectors of channels that fused_cl_item takes at a time, at most */
#define CLNORM_TREE_LEVELS 16u  /* levels that one launch may merge */
#define CLNORM_RUN 2048u        /* most floats of a run of short rows that a fused work-item stores at once */
#define CLNORM_SHORT 512u       /* rows of fewer floats are short */
#define CLNORM_RUN_CHANNELS 32u /* most channels of such a run */
#define CLNORM_TREE_WAYS 5u     /* pairs of weights a level may need, see tree.cl */
#define CLNORM_COEFFICIENTS 8u  /* vectors of c floats that the last step reads, at most, see the COEF_ numbers */
#define CLNORM_NODE_WORDS 5u    /* floats of a forward partial: mean hi lo, M2 hi lo, magnify */
#define CLNORM_SUM_WORDS 4u     /* floats of a backward partial: two pairs */

/*
 * The leaves of a channel. Leaf i holds `full` values, or `last` when i % period == period - 1. Channels-first with
 * s > 1024: period leaves a row of s values; else the only short leaf is the last one and period = leaves.
 */
struct clnorm_shape {
    clnorm_u64 n, c, s; /* n: samples of a group, which has statistics of its own */
    clnorm_u32 rows;    /* channels-first: samples a leaf takes; 1 when s > 1024 */
    clnorm_u32 leaves, period;
    clnorm_u32 full, last;
    clnorm_u32 block_log2;  /* stage one merges aligned blocks of 2^block_log2 leaves */
    clnorm_u32 blocks;      /* = ceil(leaves / 2^block_log2), the partials a channel */
    float rn_full, rn_last; /* 1/full, 1/last rounded to binary32 */
    clnorm_u32 side;        /* neighbouring channels that a work-item of stats_cf_item takes, at most CLNORM_SIDE */
};
#define CLNORM_SIDE 8u

/*
 * Weights of the merges of levels base .. base + 15. f = n_b / (n_a + n_b) and w = n_a * f for nodes a and b that hold n_a
 * and n_b values; entry [level - base][way].
 */
struct clnorm_tree {
    clnorm_u32 leaves, period, base, unused;
    float f[CLNORM_TREE_LEVELS * CLNORM_TREE_WAYS];
    float w[CLNORM_TREE_LEVELS * CLNORM_TREE_WAYS];
};

/*
 * A batch in parts: what merge_nodes does one after another. Bit i of is_merge: the two topmost entries of a stack of `depth` at first are
 * merged with these weights; else the next node is put on top of it.
 */
#define CLNORM_SCHEDULE 64u
#define CLNORM_STACK 40u /* entries at most */
struct clnorm_schedule {
    clnorm_u32 count, depth;
    clnorm_u32 is_merge[CLNORM_SCHEDULE / 32u];
    float f[CLNORM_SCHEDULE], w[CLNORM_SCHEDULE];
};

/* What the finish needs besides the tree. */
struct clnorm_finish {
    float epsilon;
    float rm_hi, rm_lo; /* 1/M as a pair */
    float momentum;
    float running_factor; /* M / (M - 1), or 1 */
    clnorm_u32 flags;     /* CLNORM_HAS_ bits: optional buffers that are there */
};

#define CLNORM_HAS_SCALE 1u
#define CLNORM_HAS_SHIFT 2u
#define CLNORM_HAS_RUNNING_MEAN 4u
#define CLNORM_HAS_RUNNING_VARIANCE 8u
#define CLNORM_HAS_SAVE_MEAN 16u
#define CLNORM_HAS_SAVE_MEAN_LOW 32u
#define CLNORM_HAS_SAVE_INVSTD 64u
#define CLNORM_HAS_SAVE_VARIANCE 128u
#define CLNORM_HAS_DIFF_SCALE 256u
#define CLNORM_HAS_DIFF_SHIFT 512u
#define CLNORM_HAS_MEAN 1024u
#define CLNORM_IS_FROZEN 2048u
#define CLNORM_ADD_DIFF_SCALE 4096u /* to what is there */
#define CLNORM_ADD_DIFF_SHIFT 8192u

/* Where the vectors of c floats start in their buffers. spread is invstd, or the variance of frozen statistics. */
struct clnorm_offsets {
    clnorm_u64 scale, shift, mean, mean_low, spread, variance, running_mean, running_variance, diff_scale, diff_shift;
};

/*
 * How the last step is cut. Channels-first: rows = n * c rows of s elements; an item takes `chunk` elements of each of
 * `rows_per_item` rows. Channels-last: rows = n * s rows of c elements, whole ones.
 */
struct clnorm_cut {
    clnorm_u64 rows, length, channels; /* of a group of samples */
    clnorm_u64 rows_per_item, chunk;
    clnorm_u64 stream;  /* whether results should leave the caches alone */
    clnorm_u64 overlap; /* fused_cf_item: whether a group of channels is stored while the next one is looked at */
};

/* What the last step does beside the normalization, where it does any of it. */
struct clnorm_extras {
    float slope, cap;          /* of the activation */
    clnorm_u64 residual, mask; /* where they start; mask: words, or in its place elements of dst */
    clnorm_u64 first;          /* the number of a launch's first element, for its bit of the mask */
};

/* How a tensor lies: element (n, c, s) is n * view.n + c * view.c + s * view.s elements from its first one. */
struct clnorm_view {
    clnorm_u64 n, c, s;
};

/* Those of a call, with what is to be known of its sizes. */
struct clnorm_views {
    clnorm_u64 channels, positions;
    struct clnorm_view src, diff_dst, dst, residual, gate;
};

#define CLNORM_INFER_CHANNELS 2048u /* of infer_item, at most */
#define CLNORM_TABLE 512u /* elements whose coefficients the last step writes out, where rows are very short */

/* Coefficients: vector number COEF_x of c floats in the workspace. */
#define COEF_MEAN_HI 0u
#define COEF_MEAN_LO 1u
#define COEF_FACTOR 2u  /* scale * invstd */
#define COEF_SHIFT 3u   /* forward */
#define COEF_MAGNIFY 3u /* backward: 1; 2^-81 in a channel of large magnitude, 2^81 of small */
#define COEF_SLOPE 4u   /* backward: what (src - mean) is multiplied by */
#define COEF_GRAD_HI 5u /* backward: mean of diff_dst, a pair */
#define COEF_GRAD_LO 6u
#define COEF_WEIGHT 7u /* backward, groups of channels: scale, which is not in the factor then */

/* probe.cl: words that come of three numbers; those that a tree of pairs takes, and those that come of it. */
#define CLNORM_PROBE_OPERATIONS 7u
#define CLNORM_PROBE_TREE_INPUTS 19u /* three leaves' m, s, q, rn and scale; two merges' f and w */
#define CLNORM_PROBE_TREE_WORDS 10u

#endif
