/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of neighbouring channels, which the fused kernels of channels-first tensors take one after another. While one is looked at
 * the one before is stored, a little at a time: memory takes stores that pass the caches more slowly than a core sends them. After
 * trees.cl, channels.cl and rows.cl.
 */
#define GROUP_VECS (CLNORM_RUN_CHANNELS / VEC)

/* A group whose coefficients are known, and how many of its samples are done. */
struct group {
    ulong c, n;
    uint count;
    uint shift; /* where its run begins, so that coefficients are aligned where dst is (if c * s % VEC = 0) */
    coefs_f k;  /* of its only channel, where rows are long; else they are in a run */
};

FUNC void group_finish(struct group *group, float *run, const struct tensors t, const item_v *roots, ulong c,
                       uint count, const struct clnorm_shape *shape, const struct clnorm_finish *finish,
                       const struct clnorm_offsets *at, CHANNEL_BUFFERS)
{
    coefs_v kv; /* outside loops, see README.md */
    group->c = c;
    group->n = 0u;
    group->count = count;
    const struct tensors start = tensors_at(t, c * shape->s);
    group->shift = (VEC - SPAN_HEAD(start, VEC)) % VEC;
    for (uint j = 0u; j < count; j++) {
        if (j % VEC == 0u)
            kv = finish_channels(&roots[j / VEC], c + j, min(count - j, (uint)VEC), finish, at, CHANNEL_ARGS);
        group->k = coefs_of(&kv, j % VEC);
        if (shape->s < CLNORM_SHORT)
            run_fill(run + group->shift, j, (uint)shape->s, group->k);
    }
}

/*
 * The distance from a group's elements to those that will be read next: the group's behind it; or where that one, of `count`
 * channels, is looked at meanwhile, the one's behind that, if there is `more`.
 */
FUNC ulong group_ahead(const struct group *group, const struct clnorm_shape *shape, const struct clnorm_cut *cut,
                       uint count, int more)
{
    return (group->count + (cut->overlap && more ? count : 0u)) * shape->s;
}

/*
 * The last step of samples up to `until`; meanwhile what lies `ahead` elements further on is fetched, where it may have to come from
 * memory.
 */
FUNC void group_apply(const struct tensors t, const struct clnorm_shape *shape, struct group *group, ulong until,
                      const float *run, ulong stream, ulong ahead)
{
    for (; group->n < until; group->n++) {
        const ulong at = BLOCKS(group->n, shape->c * shape->s) + group->c * shape->s;
        if (shape->s < CLNORM_SHORT)
            apply_run(tensors_at(t, at), group->count * (uint)shape->s, run + group->shift, stream, ahead);
        else
            apply_row(tensors_at(t, at), shape->s, group->k, stream, ahead);
    }
}

/* Asks for the first channels of a work-item, from c on: `count` of them to read, where rows are short. */
FUNC void group_fetch(SRC_IN src, const struct clnorm_shape *shape, ulong c, ulong count)
{
    for (ulong n = 0u; n < shape->n && shape->s < CLNORM_SHORT; n++)
        for (ulong i = 0u; i < count * shape->s; i += VEC)
            PREFETCH(SRC_ON(SRC_AT(src, BLOCKS(n, shape->c * shape->s) + c * shape->s + i), 0));
    (void)src;
}
