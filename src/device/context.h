/* SPDX-License-Identifier: Apache-2.0 */
/* What a context holds. */
#ifndef CLNORM_CONTEXT_H
#define CLNORM_CONTEXT_H

#include <pthread.h>

#include "plan/block_variant.h"

/* Kernels that a program keeps while nobody uses them: as many as threads may soon want. */
enum { CLNORM__SPARE_KERNELS = 4 };

/* A program that was built, in a list. */
struct clnorm__built {
    struct clnorm__built *next;
    const struct clnorm__variant *variant;
    unsigned form;
    cl_program program; /* NULL: not yet */
    unsigned spares;
    cl_kernel spare[CLNORM__SPARE_KERNELS]; /* see device/kernel.h */
};

/* A kernel in use. */
struct clnorm__kernel {
    cl_kernel kernel; /* NULL: none */
    struct clnorm__built *built;
    uint32_t buffers; /* a bit for each argument that is one, by who sets it */
};

struct clnorm_context {
    cl_context cl;
    struct clnorm__device device;
    clnorm_log_callback log;
    void *log_user;
    char *cache_dir;                /* NULL: no disk cache */
    char *kernel_dir;               /* NULL: embedded sources only */
    char *tuning;                   /* its text */
    char *tuning_file;              /* of this device; NULL: no disk cache */
    struct clnorm__filter filter;   /* what it holds unusable: by clnorm__filter_now and clnorm__filter_learn alone */
    pthread_mutex_t lock;           /* guards programs with their kernels, gemm, and what is unusable */
    struct clnorm__built *programs; /* of all variants and kernels of blocks */
    enum clnorm__block_kernel gemm; /* the kernel of reproducible products; tests choose another */
};

/* The filter as it is now; adds what another holds unusable. */
struct clnorm__filter clnorm__filter_now(clnorm_context *context);
void clnorm__filter_learn(clnorm_context *context, const struct clnorm__filter *from);

/* Log: to the callback, if there is one. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
void clnorm__log(const clnorm_context *context, enum clnorm_log_level level, const char *format, ...);

#endif
