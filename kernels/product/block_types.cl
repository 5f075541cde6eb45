/* SPDX-License-Identifier: Apache-2.0 */
/* What the host hands to the kernels of blocks by value. Compiled as OpenCL C and as C: the two see the same bytes. */
#ifndef CLNORM_BLOCK_TYPES_CL
#define CLNORM_BLOCK_TYPES_CL

#include "common/types.cl"

/* Where an element of a product starts from. */
#define CLNORM_FROM_ZERO 0u
#define CLNORM_FROM_C 1u           /* what stands in c: the product is added to it */
#define CLNORM_FROM_ROW_BIAS 2u    /* the bias of its row */
#define CLNORM_FROM_COLUMN_BIAS 3u /* the bias of its column */

/*
 * c = a * b: m rows, n columns, k terms. Strides and starts count elements; columns of c are next to each other. Columns, or
 * terms, may be positions of several images, as many of each as the run says: from one image to the next b goes on by b_image,
 * and c, or a, by c_image, or a_image. Where there are no images the run is n, or k. At most one of the two is split.
 */
struct clnorm_gemm {
    clnorm_u64 m, n, k;
    clnorm_u64 a_row, a_term, b_term, b_column, c_row;
    clnorm_u64 column_run, term_run, a_image, b_image, c_image;
    clnorm_u64 a_at, b_at, c_at, bias_at;
    clnorm_u64 rows_per_item; /* of gemm_item */
    /*
     * Terms that are summed together, k where all are: the second dimension of a launch has the sums of as many, for each of which a, b and c
     * go on by these. Where terms have images, they are whole ones.
     */
    clnorm_u64 split, a_split, b_split, c_split;
    clnorm_u32 from, unused;
};

#define CLNORM_GEMM_TILE 64u /* rows and columns of gemm_group's tile; most rows of gemm_item's */

#define CLNORM_NO_BIAS 0u
#define CLNORM_ROW_BIAS 1u     /* the channel's, one for a row */
#define CLNORM_ELEMENT_BIAS 2u /* one for each element of a row */

/* Row r of rows belongs to image r / channels and channel r % channels and has length elements. */
struct clnorm_rows {
    clnorm_u64 rows, channels, length;
    clnorm_u64 src_image, src_channel, dst_image, dst_channel; /* strides */
    clnorm_u64 src_at, dst_at, bias_at;
    clnorm_u64 rows_per_item, chunk; /* a work-item takes so many rows, and of each so many elements */
    clnorm_u32 bias, is_active;
    float slope, cap; /* of the activation, if there is one */
};

/* Images and the columns of a kernel's positions on them: element (weight, sample, position) of the columns. */
struct clnorm_images {
    clnorm_u64 samples, src_c, src_h, src_w, dst_h, dst_w;
    clnorm_u64 kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
    clnorm_u64 image_at, columns_at;
    clnorm_u64 rows_per_item, chunk;
};

/* Nodes of a batch in parts that are added to one another, one pair after the other: right to left. */
#define CLNORM_PAIRS 64u
struct clnorm_pairs {
    clnorm_u32 count, is_last; /* then the first node is the sum of all */
    clnorm_u32 left[CLNORM_PAIRS], right[CLNORM_PAIRS];
};

struct clnorm_fold {
    clnorm_u64 channels, length; /* weights a channel */
    clnorm_u64 weights_at, folded_weights_at, bias_at, folded_bias_at, scale_at, shift_at, mean_at, variance_at;
    float epsilon;
    clnorm_u32 flags; /* CLNORM_HAS_SCALE, CLNORM_HAS_SHIFT, CLNORM_FOLD_HAS_BIAS */
};
#define CLNORM_FOLD_HAS_BIAS (1u << 31)

#endif
