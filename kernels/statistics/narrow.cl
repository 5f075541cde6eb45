/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of fewer than VEC channels, by one work-item: VEC leaves at a time, a leaf in each element of a vector. Their
 * floats lie one after another, so that vectors of them need only be transposed. After leaf.cl, trees.cl, tile.cl, and for the
 * backward pass diff_leaf.cl.
 */

/* The root of VEC whole neighbouring leaves, a node in each element, the first of them leaf `first`. */
FUNC item_f merge_elements(const item_v leaves, TREE tree, uint first)
{
    item_v nodes = leaves, a, b;
#pragma unroll
    for (uint level = 0u; 1u << level < VEC; level++) {
#define HALVE(member)                                                                                                  \
    a.member.lo = a.member.hi = nodes.member.even;                                                                     \
    b.member.lo = b.member.hi = nodes.member.odd;
        EACH_WORD(HALVE)
#undef HALVE
        /* All are of as many values: the first one's weights are those of every merge. */
        nodes = item_merge_v(a, b, tree, level, first);
    }
    return item_of(&nodes, 0u);
}

#if BACKWARD
FUNC item_v reduce_leaves(const vec *x, const vec *dy, uint c, const struct centre k)
{
    vec runs[RUNS], d_runs[RUNS];
    item_v item;
    for (uint r = 0u; r < RUNS; r++) {
        vec run = (vec)(0.0f), d_run = (vec)(0.0f);
#pragma unroll
        for (uint i = 0u; i < 4u; i++, x += c, dy += c) {
            run += *dy;
            d_run = fma(*dy, mul_v((*x - (vec)(k.hi)) - (vec)(k.lo), (vec)(k.magnify)), d_run);
        }
        runs[r] = run;
        d_runs[r] = d_run;
    }
    item.g.hi = by_pairs(runs, 1u);
    item.gd.hi = by_pairs(d_runs, 1u);
    item.g.lo = item.gd.lo = (vec)(0.0f);
    return item;
}

/* diff_block of all channels of a tensor that has fewer than VEC. */
FUNC void diff_narrow(SRC_IN src, GRAD_IN diff_dst, const struct clnorm_shape *shape, uint start, uint count,
                      const struct centre_v *centre, item_v *root)
{
    item_f stack[VEC][CLNORM_TREE_LEVELS + 1u], item;
    item_v items;
    vec x[CLNORM_LANES * VEC], y[CLNORM_LANES * VEC];
    struct centre of_one;
    const uint c = (uint)shape->c;
    for (uint b = 0u; b < count;) {
        const ulong at = leaf_start(shape, start + b, 0u);
        if (b + VEC <= count && leaf_size(shape, start + b + VEC - 1u) == CLNORM_LANES) {
            gather_leaves_src(x, src + at, c);
            ON_GRAD(gather_leaves)(y, GRAD_AT(diff_dst, at), c);
            for (uint j = 0u; j < c; j++) {
                of_one.hi = ((const float *)&centre->hi)[j];
                of_one.lo = ((const float *)&centre->lo)[j];
                of_one.magnify = ((const float *)&centre->magnify)[j];
                items = reduce_leaves(x + j, y + j, c, of_one);
                item = merge_elements(items, NO_TREE, start + b);
                tree_push_subtree_f(stack[j], NO_TREE, start, b, VEC_LOG2, item);
            }
            b += VEC;
            continue;
        }
        diff_tile(src + at, c, GRAD_AT(diff_dst, at), c, leaf_size(shape, start + b), c, centre, &items);
        for (uint j = 0u; j < c; j++) {
            item = item_of(&items, j);
            tree_push_f(stack[j], NO_TREE, start, b, item);
        }
        b++;
    }
    for (uint j = 0u; j < c; j++) {
        item = tree_close_f(stack[j], NO_TREE, start, count);
        item_put(root, j, item);
    }
}
#else
FUNC item_v reduce_leaves(const vec *x, uint c, float rn)
{
    vec runs[RUNS], q_runs[RUNS];
    for (uint r = 0u; r < RUNS; r++) {
        const vec *p = x + 4u * r * c;
        runs[r] = ((p[0] + p[c]) + p[2u * c]) + p[3u * c];
    }
    const vec m = mul_v(by_pairs(runs, 1u), (vec)(rn));
    for (uint r = 0u; r < RUNS; r++) {
        const vec *p = x + 4u * r * c;
        vec d0 = p[0] - m, d1 = p[c] - m, d2 = p[2u * c] - m, d3 = p[3u * c] - m;
        runs[r] = ((d0 + d1) + d2) + d3;
        q_runs[r] = fma(d3, d3, fma(d2, d2, fma(d1, d1, mul_v(d0, d0))));
    }
    const vec s = by_pairs(runs, 1u), q = by_pairs(q_runs, 1u);
    if (all(LEAF_PLAIN(m, q)))
        return leaf_node_v(m, s, q, (vec)(rn), (vec)(1.0f));
    vec tile[CLNORM_LANES];
    for (uint i = 0u; i < CLNORM_LANES; i++)
        tile[i] = x[i * c];
    return reduce_tile(tile, CLNORM_LANES, rn);
}

/* reduce_block of all channels of a tensor that has fewer than VEC. */
FUNC void reduce_narrow(SRC_IN src, const struct clnorm_shape *shape, TREE tree, uint start, uint count, item_v *root)
{
    item_f stack[VEC][CLNORM_TREE_LEVELS + 1u], node;
    item_v nodes;
    vec tile[CLNORM_LANES * VEC];
    const uint c = (uint)shape->c;
    for (uint k = 0u; k < count;) {
        const global elem *leaf = src + leaf_start(shape, start + k, 0u);
        if (k + VEC <= count && leaf_size(shape, start + k + VEC - 1u) == CLNORM_LANES) {
            gather_leaves_src(tile, leaf, c);
            for (uint j = 0u; j < c; j++) {
                nodes = reduce_leaves(tile + j, c, leaf_reciprocal(shape, CLNORM_LANES));
                node = merge_elements(nodes, tree, start + k);
                tree_push_subtree_f(stack[j], tree, start, k, VEC_LOG2, node);
            }
            k += VEC;
            continue;
        }
        const uint n = leaf_size(shape, start + k);
        gather_tile_src(tile, leaf, c, n, c);
        nodes = reduce_tile(tile, n, leaf_reciprocal(shape, n));
        for (uint j = 0u; j < c; j++) {
            node = item_of(&nodes, j);
            tree_push_f(stack[j], tree, start, k, node);
        }
        k++;
    }
    for (uint j = 0u; j < c; j++) {
        node = tree_close_f(stack[j], tree, start, count);
        item_put(root, j, node);
    }
}
#endif
