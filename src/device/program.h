/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel sources, and programs built from them: in memory, on disk, or compiled now. */
#ifndef CLNORM_PROGRAM_H
#define CLNORM_PROGRAM_H

#include "device/context.h"

/* An embedded kernel file; kernels/embed.py writes the table, which ends with a NULL name. */
struct clnorm__file {
    const char *name;
    const unsigned char *text;
    size_t size;
};
extern const struct clnorm__file clnorm__files[];

/* The program of a variant in one form; built when it is asked for first, outside the context's lock. It lives as long as the context. */
int clnorm__program_get(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                        struct clnorm__built **built);

/* Its kernel alone, for once and past the disk cache; the caller releases it. And the key that it would have there; the caller frees it. */
int clnorm__program_compile(clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                            cl_kernel *kernel);
int clnorm__program_key(const clnorm_context *context, const struct clnorm__variant *variant, unsigned form,
                        char **key);

/*
 * Whether a failure to build or to launch a variant is the device's, so that another one may do better: not where memory ran out,
 * and not where the user's own kernel file does not compile.
 */
int clnorm__gives_way(const clnorm_context *context, const struct clnorm__variant *variant, int status);

/*
 * The whole source of a kernel file, every #include "..." replaced by its file; the caller frees it. *is_overridden: some of it is
 * from the context's folder of kernel files.
 */
int clnorm__source_read(const clnorm_context *context, const char *name, char **text, int *is_overridden);

/* What a variant's program in one form is compiled with. */
void clnorm__build_options(const struct clnorm__device *device, const struct clnorm__variant *variant, unsigned form,
                           int is_overridden, char *options, size_t size);

#endif
