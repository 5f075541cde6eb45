/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/train/random.h"

/* splitmix64 of Steele, Lea and Flood: spreads a seed over the state, which must not be all 0. */
static uint64_t split(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void random_seed(struct random *random, uint64_t seed, uint64_t stream)
{
    uint64_t start = split(&seed) ^ stream;

    for (int i = 0; i < 4; i++)
        random->state[i] = split(&start);
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t random_bits(struct random *random)
{
    uint64_t *s = random->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double random_unit(struct random *random)
{
    return (double)(random_bits(random) >> 11) * 0x1p-53;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    /* 2^64 mod bound: what lies below would make the first numbers likelier. */
    uint64_t bits, least = (0 - bound) % bound;

    do
        bits = random_bits(random);
    while (bits < least);
    return bits % bound;
}

void random_shuffle(struct random *random, uint32_t *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)random_below(random, i);
        uint32_t kept = list[i - 1];

        list[i - 1] = list[other];
        list[other] = kept;
    }
}
