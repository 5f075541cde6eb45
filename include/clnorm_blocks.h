/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLNorm's blocks: a linear or convolution layer, batch normalization and an activation, as one call each way.
 *
 *   product = src * weights + bias                     matrix product or convolution (cross-correlation)
 *   dst     = activation(normalize(product))           normalize as clnorm.h says, over the block's dst_c channels
 *
 * A block works on the same contexts, queues, buffers, offsets, wait lists, events and statuses as clnorm.h; what is said
 * there of ownership and errors holds here: a call checks, enqueues and returns, and nothing is enqueued that failed its
 * checks. Of an error after the checks (a kernel that does not compile, say), some steps may have been enqueued already.
 *
 * One thing differs: with CLBlast, the first call of a new kind compiles CLBlast's kernels inside the call. On PoCL that
 * took 6 s for the first product and 0.6 s for each other way round of the matrices; PoCL keeps them on disk, and the next
 * process took 0.04 s. CLBlast knows of no wait list: a call's wait list, and on an out-of-order queue each step before a
 * product, becomes a barrier, which also holds back what is enqueued after it on the same queue.
 *
 * Shapes
 * ------
 * Tensors are dense and channels-first (NCHW; for a linear block, whose images are of 1 x 1, plainly N x C):
 *
 *   src       n * src_c * src_h * src_w
 *   weights   dst_c * src_c * kernel_h * kernel_w      of a linear block: dst_c * src_c, a row for each output
 *   bias      dst_c
 *   product   n * dst_c * dst_h * dst_w
 *   dst       n * dst_c * dst_h * dst_w
 *
 *   dst_h = (src_h + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1     rounded down; dst_w alike
 *
 * A convolution copies the columns of a group of samples (src's elements under the kernel, position by position) to the
 * workspace and multiplies those: as many samples as have 4096 positions, and no more than have columns of 64 MiB, but one
 * at least. With CLNORM_BLOCK_REPRODUCIBLE that is all: the product is written, and its gradient read, as it stands above,
 * and a kernel of 1 x 1 with a stride of 1 and no pad reads src itself and needs no columns. CLBlast's product of several
 * samples is one with rows of (sample, position), which go through the workspace too, to be put in order: 64 MiB is then the
 * most of both. On PoCL moving them took 5 % of a product's time at most; a product for each sample, which would leave them
 * in order, took as long at 28 x 28 positions, 1.2 to 1.4 times as long at 7 x 7 and 2 to 4 times at 8 x 8 of few channels,
 * and CLBlast's strided batches, which allocate memory of the device in the call where matrices are large, 0.9 to 1.3 times.
 * The rest of the workspace is, in a backward pass, the gradient of the product, n * dst_c * dst_h * dst_w; in the fixed order, sums of
 * the weights' gradient over runs of samples: as many as 64 MiB hold, one at least, and beyond that one for each doubling of the runs; and
 * copies that CLBlast makes of large matrices.
 *
 * Types
 * -----
 * With CLNORM_BLOCK_REPRODUCIBLE src, product, dst and their gradients may be binary16 or bfloat16, which halves what is kept for the backward
 * pass. They are how tensors are stored: a product is added up in binary32 and rounded once, and what is normalized is the rounded one. Weights,
 * bias, parameters, statistics and their gradients are binary32. (clnorm_block_fold alone takes weights of the type: fold those of a
 * block with a description of binary32.) On a driver that ends loops (llvmpipe) a sum of more terms than a loop may have is refused.
 *
 * Reproducibility
 * ---------------
 * Products come from CLBlast, which is fast and picks its kernels for each device: the same device gives the same bits
 * twice, two devices differ in the last bits, and so do all results that follow. With CLNORM_BLOCK_REPRODUCIBLE they come
 * from a kernel of CLNorm that adds in a fixed order (kernels/README.md), as the rest of a block always does: then the
 * whole block gives the same bits on every device that clnorm_device_info reports as CLNORM_BITS_SAME. That needs no
 * CLBlast. Which is faster depends on the device: tests/bench/blocks.c tells. On PoCL, with CLBlast 1.5.3 as it comes, the
 * fixed order was 7 to 13 times as fast; on a GPU nothing has been measured yet.
 *
 * CLBlast counts elements in 32-bit integers. A product with a matrix, offset included, of more than 2^31 - 1 elements is
 * refused with CLNORM_BLAS_SIZE; the fixed order has no such limit.
 */
#ifndef CLNORM_BLOCKS_H
#define CLNORM_BLOCKS_H

#include "clnorm.h"

#ifdef __cplusplus
extern "C" {
#endif

enum clnorm_block_flags {
    CLNORM_BLOCK_REPRODUCIBLE = 1, /* products in CLNorm's fixed order instead of CLBlast's */
    CLNORM_BLOCK_PLAIN = 2         /* no batch normalization: dst = activation(product) */
};

/* What a block looks like. n may be 0, other sizes may not; pads may be 0. Zero what is not set. */
typedef struct clnorm_block_desc {
    uint64_t n;            /* samples */
    uint64_t src_c, dst_c; /* channels (features) in and out */
    uint64_t src_h, src_w;
    uint64_t kernel_h, kernel_w;
    uint64_t stride_h, stride_w;
    uint64_t pad_h, pad_w; /* zeros on each side */
    uint64_t dilation_h, dilation_w;
    clnorm_activation activation;
    unsigned flags;        /* enum clnorm_block_flags */
    enum clnorm_type type; /* of src, product, dst and their gradients, see above */
    float epsilon;         /* as in clnorm_desc; checked even where there is no normalization */
} clnorm_block_desc;

/* Describes a linear block: images, kernel, strides and dilations of 1, no pad, epsilon 1e-5, no activation, no flags. */
CLNORM_API int clnorm_describe_linear(uint64_t n, uint64_t src_c, uint64_t dst_c, clnorm_block_desc *desc);

/*
 * Describes a convolution block with a square kernel, stride, pad and dilation; change the members afterwards for other
 * ones. epsilon 1e-5, no activation, no flags. Returns CLNORM_INVALID_SIZE where the kernel does not fit the padded image.
 */
CLNORM_API int clnorm_describe_convolution(uint64_t n, uint64_t src_c, uint64_t src_h, uint64_t src_w, uint64_t dst_c,
                                           uint64_t kernel, uint64_t stride, uint64_t pad, uint64_t dilation,
                                           clnorm_block_desc *desc);

/* Height and width of dst. Each may be NULL. */
CLNORM_API int clnorm_get_block_dst_size(const clnorm_block_desc *desc, uint64_t *dst_h, uint64_t *dst_w);

/*
 * Bytes of workspace an operation needs on this context: CLNORM_FORWARD_TRAINING, CLNORM_FORWARD_INFERENCE or
 * CLNORM_BACKWARD_TRAINING. As clnorm_get_workspace_bytes. It may be 0: then no workspace is needed.
 */
CLNORM_API int clnorm_get_block_workspace_bytes(clnorm_context *context, enum clnorm_operation operation,
                                                const clnorm_block_desc *desc, size_t *bytes);

/*
 * Required: src, weights, dst, workspace; product unless CLNORM_BLOCK_PLAIN is set, where it and everything that belongs
 * to the normalization must be absent (CLNORM_UNEXPECTED_BUFFER). product is kept for the backward pass; no buffer may
 * overlap another one.
 * The rest is as in clnorm_forward_training_args.
 */
typedef struct clnorm_block_training_args {
    clnorm_buffer src, weights;
    clnorm_buffer bias; /* optional; counts as all 0. Before a normalization it moves nothing but the mean. */
    clnorm_buffer product, dst;
    clnorm_buffer scale, shift;
    clnorm_buffer running_mean, running_variance;
    clnorm_buffer save_mean, save_mean_low, save_invstd, save_variance;
    clnorm_buffer workspace;
    float momentum;
    unsigned running_flags;
} clnorm_block_training_args;

CLNORM_API int clnorm_block_forward_training(clnorm_context *context, cl_command_queue queue,
                                             const clnorm_block_desc *desc, const clnorm_block_training_args *args,
                                             cl_uint wait_count, const cl_event *wait_list, cl_event *event);

/*
 * Required: src, weights, dst, workspace; mean and variance unless CLNORM_BLOCK_PLAIN is set, where they, scale and shift
 * must be absent. No buffer may overlap dst.
 */
typedef struct clnorm_block_inference_args {
    clnorm_buffer src, weights, bias;
    clnorm_buffer dst;
    clnorm_buffer scale, shift, mean, variance;
    clnorm_buffer workspace;
    clnorm_buffer product; /* optional: kept, for the gradient of scale through these statistics */
} clnorm_block_inference_args;

CLNORM_API int clnorm_block_forward_inference(clnorm_context *context, cl_command_queue queue,
                                              const clnorm_block_desc *desc, const clnorm_block_inference_args *args,
                                              cl_uint wait_count, const cl_event *wait_list, cl_event *event);

/*
 * clnorm_fold with a block's description, of which n, activation and flags do not matter: a forward inference with CLNORM_BLOCK_PLAIN then
 * gives what the block with the normalization gives, but for rounding, in one product.
 */
typedef clnorm_fold_args clnorm_block_fold_args;

CLNORM_API int clnorm_block_fold(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                 const clnorm_block_fold_args *args, cl_uint wait_count, const cl_event *wait_list,
                                 cl_event *event);

/*
 * The gradients of forward training. Required: diff_dst, workspace, at least one gradient; weights for diff_src; src for
 * diff_weights; dst where there is an activation; product, save_mean and save_invstd unless CLNORM_BLOCK_PLAIN is set,
 * where they, scale, diff_scale and diff_shift must be absent. diff_dst is only read. No gradient may overlap any other
 * buffer. With n = 0, gradients of parameters become 0.
 */
typedef struct clnorm_block_backward_args {
    clnorm_buffer src, weights;
    clnorm_buffer product, dst, diff_dst;
    clnorm_buffer scale;
    clnorm_buffer save_mean, save_mean_low, save_invstd;
    clnorm_buffer diff_src, diff_weights, diff_bias; /* each optional */
    clnorm_buffer diff_scale, diff_shift;            /* each optional */
    clnorm_buffer workspace;
} clnorm_block_backward_args;

CLNORM_API int clnorm_block_backward(clnorm_context *context, cl_command_queue queue, const clnorm_block_desc *desc,
                                     const clnorm_block_backward_args *args, cl_uint wait_count,
                                     const cl_event *wait_list, cl_event *event);

/*
 * The gradients of forward inference: mean and variance are constants. Required: diff_dst, workspace (of CLNORM_BACKWARD_TRAINING), at least one
 * gradient; weights for diff_src; src for diff_weights; dst where there is an activation; variance, and for diff_scale also product and mean,
 * unless CLNORM_BLOCK_PLAIN is set, where they, scale, diff_scale and diff_shift must be absent. The rest is as in clnorm_block_backward.
 */
typedef struct clnorm_block_backward_frozen_args {
    clnorm_buffer src, weights;
    clnorm_buffer product, dst, diff_dst;
    clnorm_buffer scale, mean, variance;
    clnorm_buffer diff_src, diff_weights, diff_bias; /* each optional */
    clnorm_buffer diff_scale, diff_shift;            /* each optional */
    clnorm_buffer workspace;
} clnorm_block_backward_frozen_args;

CLNORM_API int clnorm_block_backward_frozen(clnorm_context *context, cl_command_queue queue,
                                            const clnorm_block_desc *desc,
                                            const clnorm_block_backward_frozen_args *args, cl_uint wait_count,
                                            const cl_event *wait_list, cl_event *event);

/*
 * Empties CLBlast's cache of compiled programs, which belongs to the whole process and lives until it ends, and holds on to
 * every cl_context that products were enqueued on; other users of CLBlast in the process compile theirs again. No call of
 * a block does this by itself. Returns CLNORM_NO_BLAS where the library was built without CLBlast.
 */
CLNORM_API int clnorm_clear_blas_cache(void);

#ifdef __cplusplus
}
#endif
#endif
