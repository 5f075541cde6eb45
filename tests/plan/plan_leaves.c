/* SPDX-License-Identifier: Apache-2.0 */
/* Leaves and their tree, from the numerical contract's words and not from the plan's formulas. */
#include "fixture/suite.h"
#include "plan_right.h"

/* tree_way is the kernels' own: the plan's table is right when it is read the way they read it. */
#define fma fmaf
#define FUNC static __attribute__((unused))
#define T float
#define FN(name) name##_f
#define ANY(x) (x)
#define BACKWARD 0
#define local
#include "common/pair.cl"
#include "common/tree.cl"
#undef local

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

int is_last(const clnorm_desc *desc)
{
    return desc->layout == CLNORM_CHANNELS_LAST || desc->s == 1;
}

static uint64_t group_of(const clnorm_desc *desc)
{
    uint64_t g = 1024;
    while (g * desc->s > 1024)
        g /= 2;
    return g;
}

/* Values of a channel before leaf i. */
static uint64_t before(const clnorm_desc *desc, uint64_t i)
{
    if (is_last(desc))
        return least(i * 64, desc->n * desc->s);
    if (desc->s <= 1024)
        return least(i * group_of(desc), desc->n) * desc->s;
    uint64_t segments = desc->s / 1024 + (desc->s % 1024 != 0);
    return i / segments * desc->s + i % segments * 1024;
}

uint64_t leaves_of(const clnorm_desc *desc)
{
    if (is_last(desc))
        return (desc->n * desc->s + 63) / 64;
    if (desc->s > 1024)
        return desc->n * (desc->s / 1024 + (desc->s % 1024 != 0));
    return (desc->n + group_of(desc) - 1) / group_of(desc);
}

uint64_t draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

void check_geometry(const clnorm_desc *desc, const struct clnorm_shape *shape)
{
    uint64_t leaves = leaves_of(desc), state = 1;
    ck_assert_uint_eq(shape->n, desc->n);
    ck_assert_uint_eq(shape->c, desc->c);
    ck_assert_uint_eq(shape->s, desc->s);
    ck_assert_uint_eq(shape->leaves, leaves);
    ck_assert_uint_eq(shape->rows, is_last(desc) || desc->s > 1024 ? 1 : group_of(desc));
    ck_assert_uint_eq(before(desc, leaves), desc->n * desc->s);
    for (uint64_t k = 0; k < least(leaves, 500); k++) {
        uint64_t i = leaves <= 500 ? k : k < 10 ? leaves - 1 - k : draw(&state) % leaves;
        uint64_t size = i % shape->period == shape->period - 1u ? shape->last : shape->full;
        if (size != before(desc, i + 1) - before(desc, i)) /* ck_assert itself would take most of the time */
            ck_abort_msg("leaf %llu has %llu values", (unsigned long long)i, (unsigned long long)size);
    }
    ck_assert(shape->rn_full == (float)(1.0 / shape->full));
    ck_assert(shape->rn_last == (float)(1.0 / shape->last));
}

/* The merge of level `level` whose left end is leaf `first` takes the weights it should. */
static void check_merge(const clnorm_desc *desc, const struct clnorm_tree *tree, unsigned level, uint64_t first)
{
    uint64_t leaves = leaves_of(desc), span = (uint64_t)1 << level;
    uint64_t start = before(desc, first), middle = before(desc, first + span);
    uint64_t end = before(desc, least(first + 2 * span, leaves));
    double n_a = (double)(middle - start), n_b = (double)(end - middle), f = n_b / (n_a + n_b);
    clnorm_u32 way = tree_way(tree, level, (clnorm_u32)first);
    unsigned at = (level - tree->base) * CLNORM_TREE_WAYS + way;
    if (level - tree->base >= CLNORM_TREE_LEVELS || way >= CLNORM_TREE_WAYS || tree->f[at] != (float)f ||
        tree->w[at] != (float)(n_a * f))
        ck_abort_msg("n %llu c %llu s %llu, base %u, level %u, first %llu: not f %a w %a", (unsigned long long)desc->n,
                     (unsigned long long)desc->c, (unsigned long long)desc->s, tree->base, level,
                     (unsigned long long)first, f, n_a * f);
}

/* Every merge of levels [from, to); of large levels both ends and many others. */
enum { MERGES = 300 };
void check_tree(const clnorm_desc *desc, const struct clnorm_tree *tree, unsigned from, unsigned to)
{
    uint64_t leaves = leaves_of(desc), state = 7;
    ck_assert_uint_eq(tree->leaves, leaves);
    ck_assert_uint_eq(tree->base, from);
    for (unsigned level = from; level < to && ((uint64_t)1 << level) < leaves; level++) {
        uint64_t span = (uint64_t)1 << level, merges = (leaves - 1 - span) / (2 * span) + 1;
        for (uint64_t k = 0; k < least(merges, MERGES); k++) {
            uint64_t i = merges <= MERGES ? k : k < 5 ? k : k < 10 ? merges - 1 - (k - 5) : draw(&state) % merges;
            check_merge(desc, tree, level, i * 2 * span);
        }
    }
}
