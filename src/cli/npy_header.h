/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a .npy file: a Python dict literal with the keys 'descr', 'fortran_order' and 'shape'. No file access.
 */
#ifndef CLNORM_CLI_NPY_HEADER_H
#define CLNORM_CLI_NPY_HEADER_H

#include "npy.h"

/*
 * Parses a header that must describe '<f4' in C order; sets rank, shape and count. Returns NULL, or what is wrong and
 * what was expected, as a string that is either constant or in error.
 */
const char *npy_parse_header(const char *header, size_t length, struct npy_array *array, struct npy_error *error);

#endif
