/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading channels-first rows: a template. ON(x) is the name of x for it. A SOURCE is where to read, a SRC or a GRAD: SOURCE_AT and
 * SOURCE_ALONG are theirs, SOURCE_F and SOURCE_V read there, SOURCE_FETCH(p, i) asks for what is along. Part of lanes.cl.
 */

/* rest < VEC values, 0 behind them. */
FUNC vec ON(lanes_rest)(SOURCE_IN p, uint rest)
{
    vec r = (vec)(0.0f);
    for (uint j = 0u; j < rest; j++)
        ((float *)&r)[j] = SOURCE_F(SOURCE_ALONG(p, j));
    return r;
}

/*
 * Where a walk along a channels-first leaf of several rows stands: at element `at` of a row. Rows lie `distance` apart and have at
 * least VEC elements.
 */
struct ON(walk) {
    SOURCE row;
    ulong distance;
    uint s, at;
};

FUNC void ON(walk_begin)(struct ON(walk) * k, SOURCE_IN leaf, const struct clnorm_shape *shape)
{
    k->row = leaf;
    k->distance = BLOCKS(1u, shape->c * shape->s);
    k->s = (uint)shape->s;
    k->at = 0u;
}

/*
 * The leaf's next VEC values. Where they lie in two rows, it reads on from the first, which is the next channel's row, and the
 * second from before its start, which is the row of the channel before: neither leaves the tensor, or in one with gaps the block, as long as
 * there are such channels; but no other work-item may be writing there.
 */
FUNC vec ON(walk_on)(struct ON(walk) * k)
{
    SOURCE p = SOURCE_ALONG(k->row, k->at);
    k->at += VEC;
    if (k->at <= k->s)
        return SOURCE_V(p);
    k->at -= k->s;
    k->row = SOURCE_AT(k->row, k->distance);
    return SELECT(SOURCE_V(SOURCE_ALONG(k->row, (long)k->at - VEC)), SOURCE_V(p),
                  LANE_NUMBERS < (ivec)(VEC - (int)k->at));
}

/*
 * Brings the rows of a leaf together. Most of a row goes in aligned vectors; its ends, where it has VEC elements, in vectors that
 * overlap those. Rows of fewer go in a vector each, the next one over what was too much, where no other work-item writes to any of it:
 * `room` says how many elements from the start of a row on are left alone. Meanwhile the rows of a leaf at next are fetched.
 */
FUNC void ON(gather_rows)(vec *leaf, SOURCE_IN from, SOURCE_IN from_next, const struct clnorm_shape *shape, uint n,
                          ulong room)
{
    float *to = (float *)leaf;
    SOURCE src = from;
    SOURCE next = from_next;
    uint s = shape->rows == 1u ? n : (uint)shape->s; /* a leaf of one row may be a part of it */
    const ulong distance = BLOCKS(1u, shape->c * shape->s);
    if (s < VEC && (shape->s > CLNORM_LEAF ? n : room) >= VEC) {
        for (uint at = 0u; at < n; at += s, src = SOURCE_AT(src, distance), next = SOURCE_AT(next, distance)) {
            SOURCE_FETCH(next, 0u);
            VEC_STORE(private, SOURCE_V(src), to + at);
        }
        return;
    }
    for (uint at = 0u; at < n; at += s, src = SOURCE_AT(src, distance), next = SOURCE_AT(next, distance)) {
        if (s < VEC) {
            for (uint i = 0u; i < s; i++)
                to[at + i] = SOURCE_F(SOURCE_ALONG(src, i));
            continue;
        }
        uint first = (at + VEC - 1u) / VEC, end = (at + s) / VEC;
        VEC_STORE(private, SOURCE_V(src), to + at);
        SOURCE_FETCH(next, 0u);
        for (uint i = first; i < end; i++) {
            leaf[i] = SOURCE_V(SOURCE_ALONG(src, i * VEC - at));
            SOURCE_FETCH(next, i * VEC - at);
        }
        VEC_STORE(private, SOURCE_V(SOURCE_ALONG(src, s - VEC)), to + at + s - VEC);
    }
}
#undef ON
#undef SOURCE
#undef SOURCE_IN
#undef SOURCE_AT
#undef SOURCE_ALONG
#undef SOURCE_F
#undef SOURCE_V
#undef SOURCE_FETCH
