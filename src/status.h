/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses that are not in the public headers. */
#ifndef CLNORM_STATUS_H
#define CLNORM_STATUS_H

/* X(CLBlast's name, value, text): its own codes. The others it has are OpenCL's. */
#define CLNORM__BLAS_STATUSES(X)                                                                                       \
    X(CLBlastNotImplemented, -1024, "CLBlast: the routine is not implemented")                                         \
    X(CLBlastInvalidMatrixA, -1022, "CLBlast: matrix A is no OpenCL buffer")                                           \
    X(CLBlastInvalidMatrixB, -1021, "CLBlast: matrix B is no OpenCL buffer")                                           \
    X(CLBlastInvalidMatrixC, -1020, "CLBlast: matrix C is no OpenCL buffer")                                           \
    X(CLBlastInvalidVectorX, -1019, "CLBlast: vector X is no OpenCL buffer")                                           \
    X(CLBlastInvalidVectorY, -1018, "CLBlast: vector Y is no OpenCL buffer")                                           \
    X(CLBlastInvalidDimension, -1017, "CLBlast: a size of a matrix is 0")                                              \
    X(CLBlastInvalidLeadDimA, -1016, "CLBlast: the rows of matrix A are longer than its stride")                       \
    X(CLBlastInvalidLeadDimB, -1015, "CLBlast: the rows of matrix B are longer than its stride")                       \
    X(CLBlastInvalidLeadDimC, -1014, "CLBlast: the rows of matrix C are longer than its stride")                       \
    X(CLBlastInvalidIncrementX, -1013, "CLBlast: the increment of vector X is 0")                                      \
    X(CLBlastInvalidIncrementY, -1012, "CLBlast: the increment of vector Y is 0")                                      \
    X(CLBlastInsufficientMemoryA, -1011, "CLBlast: the buffer of matrix A is too small")                               \
    X(CLBlastInsufficientMemoryB, -1010, "CLBlast: the buffer of matrix B is too small")                               \
    X(CLBlastInsufficientMemoryC, -1009, "CLBlast: the buffer of matrix C is too small")                               \
    X(CLBlastInsufficientMemoryX, -1008, "CLBlast: the buffer of vector X is too small")                               \
    X(CLBlastInsufficientMemoryY, -1007, "CLBlast: the buffer of vector Y is too small")                               \
    X(CLBlastInsufficientMemoryTemp, -2050, "CLBlast: the temporary buffer is too small")                              \
    X(CLBlastInvalidBatchCount, -2049, "CLBlast: the number of batches is 0")                                          \
    X(CLBlastInvalidOverrideKernel, -2048, "CLBlast: parameters were overridden of a kernel it does not have")         \
    X(CLBlastMissingOverrideParameter, -2047, "CLBlast: parameters that were overridden are incomplete")               \
    X(CLBlastInvalidLocalMemUsage, -2046, "CLBlast: the device has too little local memory for a kernel")              \
    X(CLBlastNoHalfPrecision, -2045, "CLBlast: the device has no half precision")                                      \
    X(CLBlastNoDoublePrecision, -2044, "CLBlast: the device has no double precision")                                  \
    X(CLBlastInvalidVectorScalar, -2043, "CLBlast: the scalar is no OpenCL buffer")                                    \
    X(CLBlastInsufficientMemoryScalar, -2042, "CLBlast: the buffer of the scalar is too small")                        \
    X(CLBlastDatabaseError, -2041, "CLBlast: the device is not in its database")                                       \
    X(CLBlastUnknownError, -2040, "CLBlast: an error it has no code for")                                              \
    X(CLBlastUnexpectedError, -2039, "CLBlast: an exception it did not expect")

#endif
