/* SPDX-License-Identifier: Apache-2.0 */
/* A device is believed by its arithmetic, not by its word: a kernel that tries what the numerical contract counts on. */
#ifndef CLNORM_PROBE_H
#define CLNORM_PROBE_H

#include "device/context.h"

/* The kernel's row, beside the table of variants. */
extern const struct clnorm__variant clnorm__probe_kernel;

/* Inputs and the results that are right: OPERATIONS words for each triple, then those of each tree. */
enum { CLNORM__PROBE_TRIPLES = 96, CLNORM__PROBE_TREES = 8 };
enum { CLNORM__PROBE_INPUTS = 3 * CLNORM__PROBE_TRIPLES + (int)CLNORM_PROBE_TREE_INPUTS * CLNORM__PROBE_TREES };
enum {
    CLNORM__PROBE_WORDS =
        (int)CLNORM_PROBE_OPERATIONS * CLNORM__PROBE_TRIPLES + (int)CLNORM_PROBE_TREE_WORDS * CLNORM__PROBE_TREES
};

struct clnorm__probe {
    float in[CLNORM__PROBE_INPUTS], out[CLNORM__PROBE_WORDS];
    unsigned char is_tiny[CLNORM__PROBE_WORDS]; /* a subnormal number is among operands or results */
};

/* Fills inputs, results and what is tiny; by the host, whose rounding is set to nearest for that time. */
void clnorm__probe_expect(struct clnorm__probe *probe);

/*
 * What results are worth, and in why the first that is wrong; "" where none is. A zero of the wrong sign is as a flushed number: no
 * kernel divides by one, so that it makes other zeros and nothing else. Pure.
 */
enum clnorm_bits clnorm__probe_judge(const struct clnorm__probe *expected, const float *out, char *why, size_t size);

/*
 * The bits that the context's device keeps its promise of: the lesser of its word and of what the kernel says, from the disk cache
 * or by a run. A device on which the kernel does not run keeps none.
 */
enum clnorm_bits clnorm__probe_device(clnorm_context *context);

#endif
