/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CLNorm: a batch in parts, on several devices, in several processes, or one after another on one device.
 *
 * Training needs statistics of the whole batch. Each pass is then two calls for each part, and between them nodes travel: a few
 * numbers a channel, in a buffer of the caller's, by whatever transport the caller has (MPI: clnorm_mpi.h).
 *
 *   forward    clnorm_forward_statistics    src                          -> nodes of this part
 *              nodes of all parts come together
 *              clnorm_forward_apply         src, nodes of all parts      -> dst, save_*, running statistics
 *   backward   clnorm_backward_sums         src, diff_dst                -> nodes of this part
 *              nodes of all parts come together
 *              clnorm_backward_apply        src, diff_dst, all nodes     -> diff_src, diff_scale, diff_shift
 *
 *   frozen     clnorm_backward_frozen_sums, clnorm_backward_frozen_apply alike, where diff_scale or diff_shift is wanted
 *   weights    clnorm_block_backward_sums, clnorm_block_backward_merge: gradients of the weights of a layer (clnorm_blocks.h)
 *
 * Every part computes the statistics from all nodes for itself, so that save_*, running statistics, diff_scale and diff_shift are those of
 * the whole batch in each of them, bit for bit the same: diff_scale and diff_shift are sums over all parts already, and must not be summed
 * again.
 *
 * The same bits
 * -------------
 * Statistics are sums in a binary tree over numbered leaves (kernels/README.md). Where parts begin between leaves, a part makes whole
 * subtrees, whose roots are its nodes, and the rest of the tree is built from them: results have the bits of one call on the whole batch,
 * for any number of parts, equal or not, some of them empty. A part may begin at a multiple of clnorm_get_part_multiple samples:
 *
 *   channels-first, s > 1024     1
 *   channels-first, s <= 1024    the largest power of two g with g * s <= 1024: 28 x 28: 1, 14 x 14: 4, 7 x 7: 16, 1 x 1: see below
 *   channels-last, or s = 1      64 / gcd(64, s): 7 x 7: 64, 8 x 8: 1, 14 x 14: 16, 28 x 28: 4, 1: 64
 *
 * Other parts are refused, unless merge is CLNORM_MERGE_BY_COUNTS. Then each part's statistics are merged by how many values they are of:
 * as exact, but bits then depend on how the batch is divided.
 *
 * How many nodes
 * --------------
 * A part of L leaves has at most 2 * log2(L) nodes, and one where it begins at a multiple of the power of two that is its length, as
 * equal parts of 2^k leaves do; merged by counts it has one. (A part of more than 65536 leaves may have more: no subtree has more than
 * 65536 times as many leaves as the largest power of two by which its borders divide.) A node is 5 floats a channel forward and 4 backward.
 *
 * Groups
 * ------
 * Groups of channels work as ever. Groups of samples have statistics of their own: let parts begin where groups do, and the calls of
 * clnorm.h on each part are all there is to it. Here group_samples must be 0.
 */
#ifndef CLNORM_PARTS_H
#define CLNORM_PARTS_H

#include "clnorm_blocks.h"

#ifdef __cplusplus
extern "C" {
#endif

enum clnorm_merge {
    CLNORM_MERGE_SAME_BITS = 0, /* as one call on the whole batch; parts begin between leaves */
    CLNORM_MERGE_BY_COUNTS = 1  /* any parts */
};

#define CLNORM_MOST_PARTS 65536

/* How a batch is divided: the same for every part of it. */
typedef struct clnorm_parts {
    uint64_t count;          /* 1 to CLNORM_MOST_PARTS */
    const uint64_t *samples; /* of each part, in the order of the batch; a part may have none */
    unsigned merge;          /* enum clnorm_merge */
} clnorm_parts;

/* Parts begin at multiples of so many samples for the same bits. Of desc, layout and s matter. */
CLNORM_API int clnorm_get_part_multiple(const clnorm_desc *desc, uint64_t *samples);

/*
 * Where in the buffer of all nodes those of a part are, in floats: from element *first on, *elements of them. The part after the last
 * one has none, and its *first is the size of the buffer. operation: any but CLNORM_FORWARD_INFERENCE; desc->n
 * does not matter.
 */
CLNORM_API int clnorm_get_part_nodes(enum clnorm_operation operation, const clnorm_desc *desc,
                                     const clnorm_parts *parts, uint64_t part, uint64_t *first, uint64_t *elements);

/* Bytes of workspace that both calls of a pass need for a part; desc->n is that part's. */
CLNORM_API int clnorm_get_part_workspace_bytes(clnorm_context *context, enum clnorm_operation operation,
                                               const clnorm_desc *desc, const clnorm_parts *parts, uint64_t part,
                                               size_t *bytes);

/*
 * The first call of a pass: writes the part's nodes to their place in nodes, the buffer of all nodes (elements are floats), and to
 * nothing else but the workspace. desc, parts and args are those of the second call; desc->n is the part's, and tensors are the part's
 * own. Everything is checked here already. A part without samples writes nothing.
 */
CLNORM_API int clnorm_forward_statistics(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                         const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                         const clnorm_forward_training_args *args, cl_uint wait_count,
                                         const cl_event *wait_list, cl_event *event);

/* The second: from all nodes, which it reads, what clnorm_forward_training gives. A part without samples gets all but dst and mask. */
CLNORM_API int clnorm_forward_apply(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                    const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                    const clnorm_forward_training_args *args, cl_uint wait_count,
                                    const cl_event *wait_list, cl_event *event);

/* The same of the pass backward. save_* are as clnorm_forward_apply wrote them. */
CLNORM_API int clnorm_backward_sums(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                    const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                    const clnorm_backward_training_args *args, cl_uint wait_count,
                                    const cl_event *wait_list, cl_event *event);
CLNORM_API int clnorm_backward_apply(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                     const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                     const clnorm_backward_training_args *args, cl_uint wait_count,
                                     const cl_event *wait_list, cl_event *event);

/* The same through given statistics. Of diff_src alone nothing travels: clnorm_backward_frozen does, on each part. */
CLNORM_API int clnorm_backward_frozen_sums(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                           const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                           const clnorm_backward_frozen_args *args, cl_uint wait_count,
                                           const cl_event *wait_list, cl_event *event);
CLNORM_API int clnorm_backward_frozen_apply(clnorm_context *context, cl_command_queue queue, const clnorm_desc *desc,
                                            const clnorm_parts *parts, uint64_t part, clnorm_buffer nodes,
                                            const clnorm_backward_frozen_args *args, cl_uint wait_count,
                                            const cl_event *wait_list, cl_event *event);

/* ---- layers before the normalization -------------------------------------------------------------------------- */

/*
 * A block in parts is a plain one (CLNORM_BLOCK_PLAIN), whose dst is the product, and then the calls above; its products come in the fixed order
 * (CLNORM_BLOCK_REPRODUCIBLE), as CLBlast's have none that could be divided. Forward and diff_src need nothing of other parts. The gradient
 * of weights is a sum over the batch: in a tree again, over runs of clnorm_get_part_multiple samples of dst. Its nodes have as many
 * floats as there are weights. desc has no activation; the gradient of a bias is the diff_shift of frozen statistics.
 */

/* As clnorm_get_part_nodes. */
CLNORM_API int clnorm_get_block_part_nodes(const clnorm_block_desc *desc, const clnorm_parts *parts, uint64_t part,
                                           uint64_t *first, uint64_t *elements);

/* Bytes of workspace that clnorm_block_backward_sums needs. */
CLNORM_API int clnorm_get_block_part_workspace_bytes(clnorm_context *context, const clnorm_block_desc *desc,
                                                     const clnorm_parts *parts, uint64_t part, size_t *bytes);

/*
 * Writes the part's nodes to their place in nodes, and diff_src, if it is given. Required: src, diff_dst, workspace; weights for diff_src. All
 * other members of args are to be absent.
 */
CLNORM_API int clnorm_block_backward_sums(clnorm_context *context, cl_command_queue queue,
                                          const clnorm_block_desc *desc, const clnorm_parts *parts, uint64_t part,
                                          clnorm_buffer nodes, const clnorm_block_backward_args *args,
                                          cl_uint wait_count, const cl_event *wait_list, cl_event *event);

/* From all nodes, which are overwritten, the gradient of the weights. Of a batch without samples it becomes 0. */
CLNORM_API int clnorm_block_backward_merge(clnorm_context *context, cl_command_queue queue,
                                           const clnorm_block_desc *desc, const clnorm_parts *parts,
                                           clnorm_buffer nodes, clnorm_buffer diff_weights, cl_uint wait_count,
                                           const cl_event *wait_list, cl_event *event);

/*
 * The same on the host, of a slice of the weights: nodes are `length` floats of each node of all parts, node after node, and are overwritten;
 * the sums take the first one's place. So every part may add up a slice, and the sums travel again: each weight goes twice, whatever the number
 * of parts. With a batch without samples nothing is read or written.
 */
CLNORM_API int clnorm_merge_block_nodes(const clnorm_block_desc *desc, const clnorm_parts *parts, uint64_t length,
                                        float *nodes);

#ifdef __cplusplus
}
#endif
#endif
