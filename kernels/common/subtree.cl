/* SPDX-License-Identifier: Apache-2.0 */
/* How a part of a batch is cut into subtrees. For kernels, whose numbers are those of blocks, and for the host, whose numbers are those of leaves. */
#ifndef CLNORM_SUBTREE_CL
#define CLNORM_SUBTREE_CL

/*
 * The level of the largest subtree that begins at `first` and lies within the `left` that are left of a part, left > 0; at the end of the
 * batch, which is_last says that this is, nothing comes after them and a subtree may reach beyond.
 */
FUNC clnorm_u32 clnorm_subtree(clnorm_u32 first, clnorm_u32 left, clnorm_u32 most_level, clnorm_u32 is_last)
{
    clnorm_u32 level = most_level;
    while (level > 0u && first & ((1u << level) - 1u))
        level--;
    while (level > 0u && (is_last ? 1u << (level - 1u) >= left : 1u << level > left))
        level--;
    return level;
}

#endif
