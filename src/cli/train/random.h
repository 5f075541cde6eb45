/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers that are the same on every host: integer arithmetic, and steps of doubles that round nowhere. */
#ifndef CLNORM_CLI_RANDOM_H
#define CLNORM_CLI_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* xoshiro256** of Blackman and Vigna. */
struct random {
    uint64_t state[4];
};

/* Streams of one seed are independent of each other. */
void random_seed(struct random *random, uint64_t seed, uint64_t stream);

uint64_t random_bits(struct random *random);

/* A multiple of 2^-53 in [0, 1). */
double random_unit(struct random *random);

/* A number below bound, which is above 0; each is equally likely. */
uint64_t random_below(struct random *random, uint64_t bound);

void random_shuffle(struct random *random, uint32_t *list, size_t count);

#endif
