/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL C for the kernels that others are measured against: a store past the caches where the compiler has one, and an ordinary one. */
#ifndef CLNORM_CLI_STREAM_STORE_H
#define CLNORM_CLI_STREAM_STORE_H

#define STREAM_STORE_SOURCE                                                                                            \
    "#define STREAM(value, place) *(place) = (value)\n"                                                                \
    "#if defined(__has_builtin)\n"                                                                                     \
    "#if __has_builtin(__builtin_nontemporal_store)\n"                                                                 \
    "#undef STREAM\n"                                                                                                  \
    "#define STREAM(value, place) __builtin_nontemporal_store(value, place)\n"                                         \
    "#endif\n"                                                                                                         \
    "#endif\n"                                                                                                         \
    "#define ORDINARY(value, place) *(place) = (value)\n"

#endif
