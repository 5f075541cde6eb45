/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bug reports about batch normalization as rows: what others computed wrongly, and data like it, each with what is right. A row is
 * named after the public thread that told it, OWNER/REPO#N, or after its data.
 */
#ifndef CLNORM_TESTS_REPORT_ROWS_H
#define CLNORM_TESTS_REPORT_ROWS_H

#include "fixture/device_fixture.h"

/* Values that are stated: the first `count` of a slot, or with EVERY all of them alike; off by tolerance at most, relative. */
enum { EVERY = 0, STATED_VALUES = 8 };
struct stated {
    enum slot slot;
    unsigned count;
    double tolerance;
    double value[STATED_VALUES];
};

enum { DO_FORWARD = 1, DO_BACKWARD = 2, DO_INFERENCE = 4, DO_FROZEN = 8, DO_TRAINING = 3, DO_ALL = 15 };

enum row_flags {
    IS_BIASED = 1,    /* CLNORM_RUNNING_BIASED */
    IS_LARGE = 2,     /* left out of a small set */
    DIFF_ONES = 4,    /* diff_dst is 1 everywhere */
    NO_SCALE = 8,     /* neither scale nor shift */
    PLAIN_SCALE = 16, /* scale 1, shift 0.5 */
    OF_MODEL = 32     /* for the model against float64, and too large for every kernel */
};

struct report {
    const char *thread;
    uint64_t n, c, s;
    enum clnorm_layout layout;
    float epsilon;
    unsigned operations, flags;
    /* Value number i of the m of channel c. */
    float (*value)(uint64_t i, uint64_t c, uint64_t m);
    float momentum, old_mean, old_variance;
    struct stated stated[3];
};

extern const struct report reports[];
size_t report_count(void);

clnorm_desc report_desc(const struct report *row);

/* Whether got differs from want by more than tolerance, or is finite where want is not. */
int report_is_off(double got, double want, double tolerance);

/* Compares a call's results with what is right; prints, and counts in report_faults, what is not. in: what the call was given. */
void report_check(const struct report *row, const struct call *call, const struct values *in, const struct values *got);
extern unsigned report_faults;

#endif
