/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The types of 16 bits in which tensors are stored, by arithmetic on their values: what the kernels do with bits is measured
 * against it.
 */
#ifndef CLNORM_TESTS_HALF_H
#define CLNORM_TESTS_HALF_H

#include "clnorm.h"

/* The number that a bit pattern of binary16 or bfloat16 stands for. */
float half_widen(enum clnorm_type type, uint16_t bits);

/* The pattern of the nearest number, of two the one with an even pattern; of a NaN, that of the quiet one. */
uint16_t half_narrow(enum clnorm_type type, float value);

/* What is left of a number that is stored as type; of binary32, all. */
float half_round(enum clnorm_type type, float value);

/* Half a unit in the last place of numbers of the size of value: how far rounding moves one that does not overflow. 0 of binary32. */
double half_unit(enum clnorm_type type, double value);

#endif
