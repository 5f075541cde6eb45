/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels-last leaves of fewer than VEC channels, by one work-item: VEC leaves at a time, a leaf in each element of a vector. Their
 * floats lie one after another, so that vectors of them need only be transposed. After leaf.cl, trees.cl, tile.cl, and for the
 * backward pass diff_leaf.cl.
 */

#define VEC_LOG2 (VEC == 16 ? 4u : VEC == 8 ? 3u : 2u)

/* VEC vectors of VEC elements: interleaving the halves of the list brings every element to its place. */
FUNC void transpose(vec *rows)
{
    vec t[VEC];
#pragma unroll
    for (uint step = 1u; step < VEC; step *= 2u) {
#pragma unroll
        for (uint i = 0u; i < VEC / 2u; i++) {
            t[2u * i].even = rows[i].lo;
            t[2u * i].odd = rows[i + VEC / 2u].lo;
            t[2u * i + 1u].even = rows[i].hi;
            t[2u * i + 1u].odd = rows[i + VEC / 2u].hi;
        }
#pragma unroll
        for (uint i = 0u; i < VEC; i++)
            rows[i] = t[i];
    }
}

/* The root of VEC whole neighbouring leaves, a node in each element, the first of them leaf `first`. */
FUNC item_f merge_elements(item_v nodes, TREE tree, uint first)
{
    item_v a, b;
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

/* VEC whole leaves of c channels: vector i * c + j has value i of channel j of each. */
FUNC void gather_leaves(vec *tile, const global float *p, uint c)
{
    const uint size = CLNORM_LANES * c;
    for (uint i = 0u; i < size; i += VEC) {
        for (uint leaf = 0u; leaf < VEC; leaf++)
            tile[i + leaf] = VEC_LOAD(global, p + leaf * size + i);
        transpose(tile + i);
    }
}

#if BACKWARD
FUNC item_v reduce_leaves(const vec *x, const vec *dy, uint c, struct centre k)
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
#endif
