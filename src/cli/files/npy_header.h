/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy file: a Python dict literal with the keys 'descr', 'fortran_order' and 'shape'. No file access.
 */
#ifndef CLNORM_CLI_NPY_HEADER_H
#define CLNORM_CLI_NPY_HEADER_H

#include "cli/files/npy_array.h"

#include <stddef.h>

/*
 * Parses a header that must describe C order and a type of this kind; sets rank, shape, count and type. Returns NULL, or what is wrong and what was expected, as a string that is either constant or in error.
 */
const char *npy_parse_header(const char *header, size_t length, enum npy_kind kind, struct npy_array *array,
                             struct npy_error *error);

/* Bytes of a value. */
size_t npy_type_bytes(enum npy_type type);

/* The type as 'descr' has it. */
const char *npy_type_descr(enum npy_type type);

#endif
