/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channels-last leaf of one channel (or one vector of them), reduced by one work-item. A template like pair.cl: T, FN and
 * LOAD(pointer), which reads a T; ALL(x), whether x holds in every element.
 */

FUNC FN(node) FN(reduce)(const global float *leaf, ulong c, uint n, float rn, T down, T *m_out, T *q_out)
{
    T a = (T)(0.0f), s = (T)(0.0f), q = (T)(0.0f);
    for (uint i = 0u; i < n; i++)
        a += FN(mul)(LOAD(leaf + i * c), down);
    T m = FN(mul)(a, (T)(rn));
    for (uint i = 0u; i < n; i++) {
        T d = FN(mul)(LOAD(leaf + i * c), down) - m;
        s += d;
        q = fma(d, d, q);
    }
    *m_out = m;
    *q_out = q;
    return FN(leaf_node)(m, s, q, (T)(rn), down);
}

FUNC FN(node) FN(leaf)(const global float *leaf, ulong c, uint n, float rn)
{
    T m, q;
    FN(node) node = FN(reduce)(leaf, c, n, rn, (T)(1.0f), &m, &q);
    if (ALL(LEAF_PLAIN(m, q)))
        return node;
    T first = LOAD(leaf), most = (T)(0.0f);
    T same = fabs(first) <= (T)(FLT_MAX) ? (T)(1.0f) : (T)(0.0f);
    for (uint i = 0u; i < n; i++) {
        T v = LOAD(leaf + i * c);
        most = fabs(v) > most ? fabs(v) : most;
        same = v == first ? same : (T)(0.0f);
    }
    T down = most > (T)(CLNORM_BIG) ? (T)(CLNORM_DOWN) : (T)(1.0f);
    node = FN(reduce)(leaf, c, n, rn, down, &m, &q);
    node.mean.hi = SELECT(node.mean.hi, FN(mul)(first, down) + (T)(0.0f), same == (T)(1.0f));
    node.mean.lo = SELECT(node.mean.lo, (T)(0.0f), same == (T)(1.0f));
    node.m2.hi = SELECT(node.m2.hi, (T)(0.0f), same == (T)(1.0f));
    return node;
}
