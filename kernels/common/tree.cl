/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The binary tree over the leaves of a channel: neighbours pair up level by level, an odd one passes up unchanged. Any
 * aligned block of 2^k leaves is a subtree, so work may be cut there at will.
 *
 * A template like pair.cl, included after it. BACKWARD chooses what the nodes are.
 */

#ifndef CLNORM_TREE_CL
#define CLNORM_TREE_CL
/*
 * The weights are looked up in local memory. As a kernel argument that is indexed by what differs between work-items they
 * would be at the mercy of drivers that take an argument for uniform: llvmpipe's results were wrong.
 */
#define TREE const local struct clnorm_tree *
#define NO_TREE ((TREE)0) /* the backward pass has no weights */
#define TREE_BEGIN(name, argument)                                                                                     \
    local struct clnorm_tree name;                                                                                     \
    if (get_local_id(0) == 0u)                                                                                         \
        name = argument;                                                                                               \
    barrier(CLK_LOCAL_MEM_FENCE)

/* Of kernels for both passes: the parameter that the weights are, and the tree that they make. */
#if BACKWARD
#define TREE_PARAMETER
#define TREE_OF_PARAMETER(name) TREE name = NO_TREE
#else
#define TREE_PARAMETER struct clnorm_tree weights,
#define TREE_OF_PARAMETER(name)                                                                                        \
    TREE_BEGIN(name##_local, weights);                                                                                 \
    TREE name = &name##_local
#endif

/*
 * Which weights the merge of level `level` whose left end is leaf `first` takes. Of a period with one short leaf, a run of
 * 2^level leaves holds floor(2^level / period) short ones or one more, on either side: four ways. Way 4 is the merge that
 * holds the last leaf.
 */
FUNC clnorm_u32 tree_way(TREE t, clnorm_u32 level, clnorm_u32 first)
{
    clnorm_u32 span = 1u << level;
    if (t->leaves - first <= 2u * span)
        return 4u;
    if (t->period >= t->leaves)
        return 0u;
    clnorm_u32 least = span / t->period;
    clnorm_u32 before = first / t->period, middle = (first + span) / t->period, after = (first + 2u * span) / t->period;
    return (middle - before - least) + 2u * (after - middle - least);
}
#endif

#if BACKWARD
typedef FN(sums) FN(item);
#else
typedef FN(node) FN(item);
#endif

/* Merges a and b, nodes of level t->base + level; a starts at node number `first` of level t->base. */
FUNC FN(item) FN(item_merge)(const FN(item) a, const FN(item) b, TREE t, clnorm_u32 level, clnorm_u32 first)
{
#ifdef BY_ELEMENTS
    FN(item) merged = a;
    item_f x, y; /* outside loops, see README.md */
    for (uint j = 0u; j < VEC; j++) {
        for (uint i = j; i < sizeof a / sizeof(float); i += VEC) {
            ((float *)&x)[i / VEC] = ((const float *)&a)[i];
            ((float *)&y)[i / VEC] = ((const float *)&b)[i];
        }
        x = item_merge_f(x, y, t, level, first);
        for (uint i = j; i < sizeof a / sizeof(float); i += VEC)
            ((float *)&merged)[i] = ((const float *)&x)[i / VEC];
    }
    return merged;
#elif BACKWARD
    (void)t;
    (void)level;
    (void)first;
    return FN(sums_merge)(a, b);
#else
    clnorm_u32 at = level * CLNORM_TREE_WAYS + tree_way(t, t->base + level, first << t->base);
    return FN(node_merge)(a, b, t->f[at], t->w[at]);
#endif
}

/*
 * Reducing a block one node after another: stack[l] waits for its right neighbour while bit l of the count is set. start is
 * the block's first node, at an even 2^levels; count how many were pushed before this one. A subtree of 2^level nodes is pushed as one
 * where count is a multiple of so many.
 */
FUNC void FN(tree_push_subtree)(FN(item) * stack, TREE t, clnorm_u32 start, clnorm_u32 count, clnorm_u32 level,
                                const FN(item) pushed)
{
    FN(item) item = pushed;
    for (; (count >> level) & 1u; level++) {
        clnorm_u32 first = start + ((count >> (level + 1u)) << (level + 1u));
        item = FN(item_merge)(stack[level], item, t, level, first);
    }
    stack[level] = item;
}

FUNC void FN(tree_push)(FN(item) * stack, TREE t, clnorm_u32 start, clnorm_u32 count, const FN(item) item)
{
    FN(tree_push_subtree)(stack, t, start, count, 0u, item);
}

/* The block's root after count pushes, count > 0. */
FUNC FN(item) FN(tree_close)(FN(item) * stack, TREE t, clnorm_u32 start, clnorm_u32 count)
{
    clnorm_u32 level = 0u;
    while (!((count >> level) & 1u))
        level++;
    FN(item) item = stack[level];
    for (level++; count >> level; level++) {
        if ((count >> level) & 1u) {
            clnorm_u32 first = start + ((count >> (level + 1u)) << (level + 1u));
            item = FN(item_merge)(stack[level], item, t, level, first);
        }
    }
    return item;
}
