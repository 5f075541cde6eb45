/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NumPy's .npz files: a zip archive with an .npy file for each array. Functions return 0, or -1 with a sentence in error
 * that names the file, what was wrong and what was expected. Where the tool was built without libzip, all of them do.
 */
#ifndef CLNORM_CLI_NPZ_H
#define CLNORM_CLI_NPZ_H

#include "cli/files/npy.h"

#include <stdio.h>

enum { NPZ_NAME_BYTES = 64, NPZ_MOST_ARRAYS = 1024 };

/*
 * The whole archive, to a stream that closes later: what is wrong with it is for whoever closes it to say. path of an array is
 * its name without ".npy"; name is the archive's, for messages.
 */
int npz_write(FILE *stream, const char *name, const struct npy_output *arrays, size_t count, struct npy_error *error);

struct npz; /* an open archive */

int npz_open(const char *path, struct npz **npz, struct npy_error *error);
void npz_close(struct npz *npz);

/* The array of this name, of float32 or with is_integers of whole numbers. */
int npz_read(struct npz *npz, const char *name, int is_integers, struct npy_array *array, struct npy_error *error);

/* How many files the archive has. */
size_t npz_count(const struct npz *npz);

/* Whether this tool can read and write such files. */
int npz_check(struct npy_error *error);

#endif
