/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device's arithmetic is tried with beside single operations: the tree of pairs, three leaves of it. Compiled for the device
 * and for the host, whose results the device's must equal. After pair.cl, with its T, FN and FUNC.
 */

FUNC void FN(probe_tree)(const float *v, float *r)
{
    FN(node) a = FN(leaf_node)(v[0], v[1], v[2], v[3], v[4]);
    FN(node) b = FN(leaf_node)(v[5], v[6], v[7], v[8], v[9]);
    FN(node) c = FN(leaf_node)(v[10], v[11], v[12], v[13], v[14]);
    FN(node) all = FN(node_merge)(FN(node_merge)(a, b, v[15], v[16]), c, v[17], v[18]);
    FN(sums) left, right;
    left.g = a.mean;
    left.gd = a.m2;
    right.g = all.mean;
    right.gd = all.m2;
    left = FN(sums_merge)(left, right);
    r[0] = all.mean.hi;
    r[1] = all.mean.lo;
    r[2] = all.m2.hi;
    r[3] = all.m2.lo;
    r[4] = all.magnify;
    r[5] = left.g.hi;
    r[6] = left.g.lo;
    r[7] = left.gd.hi;
    r[8] = left.gd.lo;
    r[9] = FN(centre)(v[5], all.mean.hi, all.mean.lo);
}
