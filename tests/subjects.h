/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts that are each held to one kernel variant, on one device: a call that all of them make is a test of every variant. */
#ifndef CLNORM_TESTS_SUBJECTS_H
#define CLNORM_TESTS_SUBJECTS_H

#include "device/context.h"
#include "device_fixture.h"

enum { MAX_SUBJECTS = 96, MAX_REPORTS = 20 };

/* A context held to one variant; number 0 chooses freely. */
struct subject {
    unsigned long long made; /* calls that it took part in */
    clnorm_context *context;
    const struct clnorm__variant *variant;
    char name[80];
};

struct run {
    struct rig rig;
    struct parts parts;
    struct subject subjects[MAX_SUBJECTS];
    size_t subject_count;
    unsigned step; /* unless 0, of the subjects but the free choice every step-th makes a call, in turn */
    unsigned long long calls, unfit;
    uint64_t digest;
    unsigned reports;
};

/* Machines that a variant is tried as, the device's own among them. */
enum { MACHINES = 4 };

/* has_machines: variants are tried as other machines as well, each of which is a program to compile. */
void open_run(struct run *run, const clnorm_device_info *info, int has_machines);
void close_run(struct run *run);

/* Whether the operation has the variant's step: without it, the call would be the free choice's once more. */
int has_step(enum clnorm_operation operation, const struct clnorm__variant *variant);

/* A call with a subject, compared with what is wanted; a difference is printed in a line that repeats it. data: what the inputs are. */
void run_subject(struct run *run, struct subject *subject, const struct call *call, const char *data,
                 const struct values *inputs, const struct values *want);

/*
 * The call by every subject that has a part in it. turn: which of the machines is tried beside the device's own. is_digested: the free
 * choice's results go into the run's digest.
 */
void run_subjects(struct run *run, const struct call *call, const char *data, const struct values *inputs,
                  const struct values *want, unsigned turn, int is_digested);

#endif
