/* SPDX-License-Identifier: Apache-2.0 */
/* The table of kernel variants: one row each. */
#ifndef CLNORM_VARIANT_H
#define CLNORM_VARIANT_H

#include "plan/facts.h"
#include "common/types.cl"

enum clnorm__step {
    CLNORM__STATS,        /* stage one of the statistics */
    CLNORM__FINISH,       /* stage two: the tree and the finish */
    CLNORM__COEFFICIENTS, /* from given statistics */
    CLNORM__APPLY,        /* the elementwise step, forward or backward */
    CLNORM__DIFF_STATS,   /* stage one of the backward sums */
    CLNORM__DIFF_FINISH,
    CLNORM__FUSED,      /* forward training in one launch */
    CLNORM__DIFF_FUSED, /* backward training in one launch */
    CLNORM__INFER,      /* forward inference in one launch */
    CLNORM__JOIN,       /* running statistics from those of groups of samples */
    CLNORM__DIFF_JOIN,  /* gradients of scale and shift from those of groups */
    CLNORM__SPREAD,     /* groups of channels: statistics that are given, to each channel */
    CLNORM__ROOTS,      /* groups of channels: the tree alone */
    CLNORM__DIFF_ROOTS,
    CLNORM__FINISH_CHANNELS, /* groups of channels: their roots' tree and the finish */
    CLNORM__DIFF_FINISH_CHANNELS,
    CLNORM__NODES, /* a batch in parts: from a part's partials to the nodes that it sends */
    CLNORM__DIFF_NODES,
    CLNORM__MERGE, /* and from all nodes to the root */
    CLNORM__DIFF_MERGE,
    CLNORM__STEPS
};

/*
 * What a program is compiled for beside its variant, its form: bits for the layout, for what CLNORM__APPLY applies, for the type of the
 * tensors, and for what else the step does. Only what a step knows of is set in the form of its program.
 */
enum clnorm__apply { CLNORM__APPLY_FORWARD, CLNORM__APPLY_BATCH, CLNORM__APPLY_FROZEN };
#define CLNORM__FORM(last, apply) ((unsigned)(last) | (unsigned)(apply) << 1)
#define CLNORM__FORM_LAST(form) ((form)&1u)
#define CLNORM__FORM_APPLY(form) ((form) >> 1 & 3u)
#define CLNORM__OF_TYPE(type) ((unsigned)(type) << 3)
#define CLNORM__FORM_TYPE(form) ((form) >> 3 & 3u)
#define CLNORM__HAS_ACTIVATION 32u /* backward: gradients pass its gate, by dst of the forward pass or by a mask */
#define CLNORM__HAS_RESIDUAL 64u   /* read; backward: its gradient is written */
#define CLNORM__HAS_MASK 128u      /* written; backward: read */
#define CLNORM__HAS_OLD 256u       /* diff_src is added to what is there */
#define CLNORM__HAS_WEIGHT 512u    /* backward, groups of channels: of each channel of a group */
#define CLNORM__A_TYPED 4096u      /* products: operands that are of the tensors' type */
#define CLNORM__B_TYPED 8192u
#define CLNORM__C_TYPED 16384u
#define CLNORM__OF_VIEW(view) ((unsigned)(view) << 10)
#define CLNORM__FORM_VIEW(form) ((form) >> 10 & 3u)

/* Kinds of views, as kernels are compiled for them; each is one of the next kind as well. */
enum clnorm__view {
    CLNORM__DENSE,
    CLNORM__SLICE,  /* samples (channels-first) or positions (channels-last) that are dense, equally far apart */
    CLNORM__STRIDED /* any */
};

/* Whether a step is one for the pass backward of two that one source has. */
int clnorm__step_is_backward(enum clnorm__step step);
/* Whether its source asks which. */
int clnorm__step_has_direction(enum clnorm__step step);

enum clnorm__kind { CLNORM__ANY, CLNORM__CPU_LIKE, CLNORM__GPU_LIKE };
enum clnorm__layouts { CLNORM__BOTH, CLNORM__FIRST, CLNORM__LAST };

struct clnorm__variant {
    const char *name, *source, *entry;
    enum clnorm__step step;
    enum clnorm__kind kind; /* devices it is made for; it runs on others as well */
    enum clnorm__layouts layouts;
    unsigned work_group; /* work-items of a work-group the kernel insists on; 0: free */
    unsigned width; /* channels-last group variants: channels a work-group takes; apply_flat: a vector's elements */
    unsigned least_log2, most_log2; /* leaves a block of stage one may have: 2^least .. 2^most */
    enum clnorm__view view;         /* the most that its tensors may be */
    unsigned turns; /* of loops, of a work-item, at most: stage one's for each leaf, stage two's for each partial */
};

#define CLNORM__VARIANTS 38
extern const struct clnorm__variant clnorm__variants[CLNORM__VARIANTS];

/*
 * Variants a caller asks for by name; a step of which none is named is free. Of a free step the tuning may prefer one for each
 * layout, channels-last second: its index + 1, or 0.
 */
struct clnorm__filter {
    unsigned char named[CLNORM__VARIANTS];
    unsigned char steps[CLNORM__STEPS];
    unsigned char preferred[CLNORM__STEPS][2];
    /* Rows that this device turned out not to build or to launch, for each layout. */
    unsigned char unusable[CLNORM__VARIANTS][2];
    unsigned char view[CLNORM__STEPS]; /* what a call's tensors are */
};

/* A call whose tensors are such views: those of the last step alone, or all. */
void clnorm__filter_view(struct clnorm__filter *filter, enum clnorm__view view, int is_all);

/* The step's name, as in the names of its variants or near to it. */
const char *clnorm__step_name(unsigned step);

/* Reads a list of names separated by commas; NULL or "" asks for nothing. Returns the unknown name's start, or NULL. */
const char *clnorm__filter_read(const char *names, struct clnorm__filter *filter);

/*
 * Leaves (log2) that a block of stage one may have on this device: most_log2, or fewer where the driver ends loops, which may be
 * below least_log2; UINT_MAX where not even one may.
 */
unsigned clnorm__variant_most_log2(const struct clnorm__variant *variant, const struct clnorm__device *device);

/* Work-items that a work-group may have along its first or second dimension, whatever max_work_group says. */
uint64_t clnorm__most_items(const struct clnorm__device *device, unsigned dimension);

/* Why the variant cannot serve, or NULL if it can. last: channels-last. leaves: of a channel; for stage two its partials. */
const char *clnorm__variant_refusal(const struct clnorm__variant *variant, const struct clnorm__device *device,
                                    int last, uint64_t leaves);

/*
 * The first row of a step that fits and is not unusable: of those the filter names; or else the one it prefers; or else of those made for the
 * device's kind. NULL if none.
 */
const struct clnorm__variant *clnorm__variant_choose(enum clnorm__step step, const struct clnorm__device *device,
                                                     const struct clnorm__filter *filter, int last, uint64_t leaves);

int clnorm__is_preferred(const struct clnorm__variant *variant, const struct clnorm__filter *filter, int last);

unsigned clnorm__variant_index(const struct clnorm__variant *variant);

#endif
