/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/turns.h"

#include <stdio.h>

/*
 * What is not in the bounds below: setting out, a tree's last merges, the search for a root's last bit. An iteration of any loop is
 * a turn, one within another too, and so is the test that ends it.
 */
#define ALLOWANCE 1024u

/* One vector of channels of a channels-last leaf, gathered and by all the rules; and the fewer channels than fill a vector. */
#define COLUMN_TURNS 640u
#define NARROW_TURNS(vector) (64u * (2u * (vector) + 8u))

/*
 * A term of a product. gemm_item packs it in up to 2 VEC single moves, and adds it to its rows in tiles of 4 or 8: some 50 turns
 * where the compiler unrolls as it is told to, and twice that where it does not. gemm_group moves and adds it in loops of 4 by 4.
 */
#define TERM_TURNS 128u
/* gemm_item's tile on the way in and out. */
#define TILE_TURNS (2u * 64u * 34u)

uint64_t clnorm__turns_most(const struct clnorm__device *device)
{
    return device->loop_limit ? device->loop_limit - ALLOWANCE : UINT64_MAX;
}

uint64_t clnorm__turns_pieces(const struct clnorm__device *device, uint64_t turns)
{
    return turns ? clnorm__turns_most(device) / turns : UINT64_MAX;
}

uint64_t clnorm__turns_fused(const struct clnorm_shape *shape, int last, unsigned vector, uint64_t channels)
{
    const uint64_t leaves = shape->leaves;
    if (leaves > UINT16_MAX) /* no limit is as high, and nothing below overflows */
        return UINT64_MAX;
    if (!last) /* a channel's leaves; its rows, looked ahead at, applied and stored */
        return channels * (leaves * CLNORM__LEAF_TURNS + shape->n * (2 * shape->s + 64));
    const uint64_t rows = shape->n * shape->s, vectors = channels / vector + 1;
    return leaves * (vectors * COLUMN_TURNS + NARROW_TURNS(vector)) + rows * (2 * vectors + 3 * vector + 8);
}

uint64_t clnorm__turns_of_image(uint64_t kernel_h, uint64_t kernel_w)
{
    if (kernel_h > UINT16_MAX || kernel_w > UINT16_MAX)
        return UINT64_MAX;
    return 8 + kernel_h * (2 + kernel_w * 5);
}

uint64_t clnorm__turns_terms(const struct clnorm__device *device)
{
    return device->loop_limit ? (clnorm__turns_most(device) - TILE_TURNS) / TERM_TURNS : 0;
}

int clnorm__turns_check(const struct clnorm__device *device, uint64_t turns, char *why, size_t size, const char *what)
{
    if (turns <= clnorm__turns_most(device))
        return CLNORM_SUCCESS;
    snprintf(
        why, size,
        "%s would take a work-item more turns of loops than the %u after which the driver of %.64s ends them; another "
        "device has no such limit",
        what, device->loop_limit, device->info.name);
    return CLNORM_NO_VARIANT;
}
