/* SPDX-License-Identifier: Apache-2.0 */
/* Enqueues the kernels of blocks. */
#ifndef CLNORM_BLOCK_KERNELS_H
#define CLNORM_BLOCK_KERNELS_H

#include "product/block_types.cl"
#include "plan/block_variant.h"
#include "plan/parts.h"
#include "clnorm_blocks.h"
#include "run/run.h"

struct clnorm__arg {
    size_t size;
    const void *value; /* of an absent buffer NULL */
    int is_buffer;
};
#define CLNORM__ARG(x) ((struct clnorm__arg){sizeof(x), &(x), 0})
#define CLNORM__MEM(buffer) ((struct clnorm__arg){sizeof(cl_mem), (buffer).mem ? &(buffer).mem : NULL, 1})

/*
 * Enqueues a kernel of `items` work-items, or of that many work-groups where the kernel insists on a size of them, `times` times over, which is
 * its second dimension.
 */
int clnorm__block_launch(clnorm_context *context, const struct clnorm__stream *stream, enum clnorm__block_kernel kernel,
                         unsigned form, const struct clnorm__arg *args, unsigned count, uint64_t items, uint64_t times);

/* c = a * b in the fixed order, by the context's kernel; form: as of clnorm__product. rows_per_item is set here. */
int clnorm__block_gemm(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer a, clnorm_buffer b,
                       clnorm_buffer c, clnorm_buffer bias, unsigned form, struct clnorm_gemm g);

/* dst = activation(src + bias), row by row, both of the type; chunk and rows_per_item are set here. */
int clnorm__block_rows(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer src,
                       clnorm_buffer dst, clnorm_buffer bias, enum clnorm_type type, struct clnorm_rows r);

/* Columns from images, or diff_src from their gradients, which are binary32; offsets, chunk and rows_per_item are set here. */
int clnorm__block_im2col(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer src,
                         clnorm_buffer columns, enum clnorm_type type, struct clnorm_images g);
int clnorm__block_col2im(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer columns,
                         clnorm_buffer diff_src, enum clnorm_type type, struct clnorm_images g);

/* The cap as kernels compare with it: NaN, which nothing reaches, where there is none. */
float clnorm__block_cap(clnorm_activation activation);

/* diff_src = diff_dst where dst > 0; count elements. */
int clnorm__block_mask(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer diff_dst,
                       clnorm_buffer dst, clnorm_buffer diff_src, enum clnorm_type type, uint64_t count,
                       clnorm_activation activation);

/*
 * The root of a tree of sums, `length` floats each, which are its leaves, and room; or of a part of a batch, whose leaves these are, its
 * nodes.
 */
int clnorm__block_sum_tree(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer leaves,
                           clnorm_buffer sums, uint64_t length, uint64_t count, const struct clnorm__part *part);

/* Adds nodes to one another; where that makes their sum, it goes to sums. */
int clnorm__block_sum_nodes(clnorm_context *context, const struct clnorm__stream *stream, clnorm_buffer nodes,
                            clnorm_buffer sums, uint64_t length, struct clnorm_pairs pairs);

/* Folds the statistics into weights and bias; length: weights a channel. */
int clnorm__block_fold(clnorm_context *context, const struct clnorm__stream *stream, const clnorm_block_fold_args *args,
                       enum clnorm_type type, uint64_t channels, uint64_t length, float epsilon);

#endif
