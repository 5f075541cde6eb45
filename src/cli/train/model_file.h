/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network in a .npz file. Its arrays, for L layers numbered from 0:
 *
 *   format            int32 (1,)      the number of this form, MODEL_FORMAT
 *   factor            float32 (1,)    what samples are multiplied by before the first layer
 *   layers            int32 (L, 9)    src_c, src_h, src_w, dst_c, kernel, stride, pad, is normalized, is rectified
 *   epsilon           float32 (L,)
 *   layer0.weights    float32 (dst_c, src_c, kernel, kernel), or (dst_c, src_c) of a linear layer
 *   layer0.scale, .shift, .mean, .variance    float32 (dst_c,), of a normalized layer
 *   layer0.bias       float32 (dst_c,), of another one
 *
 * and, so that training can go on from there:
 *
 *   epoch             int32 (1,)      epochs that it was trained for
 *   layer0.velocity.weights, .scale, .shift, .bias    what descent with momentum adds to each
 */
#ifndef CLNORM_CLI_MODEL_FILE_H
#define CLNORM_CLI_MODEL_FILE_H

#include "cli/train/network.h"
#include "cli/files/npz.h"

enum { MODEL_FORMAT = 1 };

struct model {
    struct network network;
    float factor;
    float *parameters, *statistics; /* as the network places them */
    float *velocity;                /* of the parameters; with epoch > 0 */
    uint64_t epoch;                 /* 0: the file says nothing of training */
};

/* Makes the vectors, of zeros. Returns 0, or -1 after a message. */
int model_allocate(struct model *model);

/* As npz_write. */
int model_write(FILE *stream, const char *name, const struct model *model, struct npy_error *error);

/* Reads and checks a file: shapes that form a chain, finite values. */
int model_read(const char *path, struct model *model, struct npy_error *error);
void model_free(struct model *model);

/* Whether two networks have the same layers. */
int model_is_alike(const struct network *a, const struct network *b);

/* Whether all values are finite, and no variance is negative. */
int model_is_finite(const struct model *model);

/*
 * FNV-1a, 64 bits, of the bit patterns of all weights and statistics in the order of the file, low byte first. Zeros of either sign
 * and subnormal numbers count as +0, as in the digest of `clnorm check`: drivers that flush the ones mix up the others.
 */
uint64_t model_digest(const struct model *model);

#endif
