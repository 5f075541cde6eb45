/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last step on rows that lie one after another, by one work-item: one span, in which a vector may reach from one row into the next.
 * After apply_args.cl.
 */

/* An element: number i of its row; channels-first c is the row's channel. */
struct place {
    ulong i, c;
};

#if CHANNELS_LAST
/* Coefficients of a row's last VEC channels and of the first VEC of the next one; of fewer than VEC channels, again and again. */
#define EDGE_STRIDE (3u * VEC)

FUNC void edge_fill(float *edge, const COEF_PLACE float *coef, const struct clnorm_cut *cut)
{
    coefs_f k; /* outside loops, see README.md */
    ulong c = VEC * (cut->length - 1u) % cut->length;
    for (uint j = 0u; j < 2u * VEC; j++) {
        k = coefs_load_f(coef, cut->channels * APPLY_GROUPS, c);
        coefs_write(edge + j, EDGE_STRIDE, k);
        c = c + 1u == cut->length ? 0u : c + 1u;
    }
}
#endif

/* Coefficients of VEC elements of which not all are of the row of `at`. */
FUNC coefs_v coefs_across(const struct place *at, const COEF_PLACE float *coef, const struct clnorm_cut *cut,
                          const float *edge)
{
    coefs_v k;
    const uint rest = (uint)(cut->length - at->i);
#if CHANNELS_LAST
    coefs_read(&k, edge + VEC - rest, EDGE_STRIDE);
#else
    coefs_f one = coefs_load_f(coef, cut->channels * APPLY_GROUPS, at->c);
    coefs_f next = coefs_load_f(coef, cut->channels * APPLY_GROUPS, at->c + 1u == cut->channels ? 0u : at->c + 1u);
#define JOIN(member) k.member = SELECT((vec)(next.member), (vec)(one.member), LANE_NUMBERS < (ivec)((int)rest));
    EACH_COEF(JOIN)
#undef JOIN
#endif
    return k;
}

/* Moves a place on by count elements, at most VEC; one behind the end of a row becomes the start of the next. */
FUNC void move_on(struct place *at, uint count, const struct clnorm_cut *cut)
{
    at->i += count;
    if (at->i < cut->length)
        return;
#if CHANNELS_LAST
    at->i = cut->length < VEC ? (uint)at->i % (uint)cut->length : at->i - cut->length;
#else
    at->i -= cut->length;
    at->c = at->c + 1u == cut->channels ? 0u : at->c + 1u;
#endif
}

#if CHANNELS_LAST
#define COEFS_OF_ROW(at)
#define COEFS(at) coefs_load_v(coef, cut->channels *APPLY_GROUPS, (at).i)
#else
#define COEFS_OF_ROW(at)                                                                                               \
    one = coefs_load_f(coef, cut->channels * APPLY_GROUPS, (at).c);                                                    \
    row = coefs_splat(one)
#define COEFS(at) row
#endif

/*
 * n elements that lie one after another. Stores that pass the caches take whole lines and nothing but them: memory is slow where a line
 * gets some stores of either kind. With `skip`, what lies so far on is fetched.
 */
FUNC void apply_span(const struct tensors all, ulong n, const struct place start, const COEF_PLACE float *coef,
                     const struct clnorm_cut *cut, const float *edge, ulong skip)
{
    struct place at = start;
    outcome_v y;
    coefs_f one; /* outside loops, see README.md */
    coefs_v row, mixed;
    TENSORS_OWN(t, all, n);
    const ulong first = SPAN_FIRST(t, n, cut->stream), last = first + (n - first) / LINE * LINE;
    for (ulong k = 0u; k < n;) {
        const int in_lines = k >= first && k < last, past = HINTS && in_lines && SPAN_STREAMS(t, first, cut->stream);
        const ulong stop = k < first ? first : in_lines ? last : n;
        COEFS_OF_ROW(at);
        const ulong in_row = min(stop - k, cut->length - at.i) / VEC * VEC;
        for (const ulong end = k + in_row; k < end; k += VEC, at.i += VEC) {
            y = step_v(t, k, COEFS(at));
            if (skip)
                TENSORS_FETCH(t, k + skip);
            LEAVE_V(t, k, y, past);
        }
        const uint count = at.i == cut->length ? 0u : (uint)min(stop - k, (ulong)VEC);
        if (count > 0u) {
            if (at.i + VEC <= cut->length)
                mixed = COEFS(at);
            else
                mixed = coefs_across(&at, coef, cut, edge);
            if (count == VEC) {
                y = step_v(t, k, mixed);
                LEAVE_V(t, k, y, past);
            } else {
                for (uint j = 0u; j < count; j++)
                    leave_f(t, k + j, step_f(t, k + j, coefs_of(&mixed, j)));
            }
            k += count;
        }
        move_on(&at, count, cut);
    }
    (void)edge;
    (void)one;
    (void)row;
}

#if !CHANNELS_LAST
/* Rows of fewer than VEC elements: their coefficients are written out, TABLE floats of each. */
#define TABLE CLNORM_TABLE
#define TABLE_STRIDE (TABLE + 2u * VEC)

/* From channel c on, and on from channel 0 behind the last one. */
FUNC void table_fill(float *table, const COEF_PLACE float *coef, const struct clnorm_cut *cut, ulong c)
{
    coefs_f k;
    for (uint i = 0u; i < TABLE + VEC; i += (uint)cut->length) {
        k = coefs_load_f(coef, cut->channels * APPLY_GROUPS, c);
        coefs_write(table + i, TABLE_STRIDE, k);
        c = c + 1u == cut->channels ? 0u : c + 1u;
    }
}

/* apply_span of n elements, whose coefficients are in the table from i on; where it holds `sample` elements, again from its start. */
FUNC void apply_table(const struct tensors all, ulong n, const float *table, uint i, uint sample, ulong stream)
{
    coefs_v k;
    outcome_v y;
    TENSORS_OWN(t, all, n);
    const ulong first = SPAN_FIRST(t, n, stream), last = first + (n - first) / LINE * LINE;
    uint count;
    for (ulong at = 0u; at < n; at += count, i += count) {
        const int in_lines = at >= first && at < last, past = HINTS && in_lines && SPAN_STREAMS(t, first, stream);
        const ulong stop = at < first ? first : in_lines ? last : n;
        count = (uint)min(stop - at, (ulong)VEC);
        while (i >= sample)
            i -= sample;
        coefs_read(&k, table + i, TABLE_STRIDE);
        if (count == VEC) {
            y = step_v(t, at, k);
            LEAVE_V(t, at, y, past);
        } else {
            for (uint j = 0u; j < count; j++)
                leave_f(t, at + j, step_f(t, at + j, coefs_of(&k, j)));
        }
    }
}

/*
 * Rows from number `row` to before `last`, the first of which is where t is: by one table for all samples, or by one
 * after another for as many channels as it holds.
 */
FUNC void apply_short(const struct tensors t, ulong row, ulong last, const COEF_PLACE float *coef,
                      const struct clnorm_cut *cut)
{
    float table[COEFS_WORDS * TABLE_STRIDE];
    const uint s = (uint)cut->length;
    const ulong channels = cut->channels, first = row / channels * channels, held = TABLE / s;
    if (channels <= held) {
        table_fill(table, coef, cut, 0u);
        apply_table(t, (last - row) * s, table, (uint)(row - first) * s, (uint)channels * s, cut->stream);
        return;
    }
    const int within = last - first <= channels; /* one sample */
    const ulong end = within ? last - first : channels;
    for (ulong c = within ? (row - first) / held * held : 0u; c < end; c += held) {
        int filled = 0;
        for (ulong sample = first; sample < last; sample += channels) {
            const ulong from = max(row, sample + c), to = min(last, sample + min(c + held, channels));
            const ulong at = (from - row) * s;
            if (from >= to)
                continue;
            if (!filled)
                table_fill(table, coef, cut, c);
            filled = 1;
            apply_table(tensors_at(t, at), (to - from) * s, table, (uint)(from - sample - c) * s, TABLE_STRIDE,
                        cut->stream);
        }
    }
}
#endif

/* Whole rows that lie one after another, from number `row` to before `last`, from the first one's start on. */
FUNC void apply_block(const struct tensors t, ulong row, ulong last, const COEF_PLACE float *coef,
                      const struct clnorm_cut *cut, const float *edge)
{
    struct place at = {0u, CHANNELS_LAST ? 0u : row % cut->channels};
#if !CHANNELS_LAST
    if (cut->length < VEC) {
        apply_short(t, row, last, coef, cut);
        return;
    }
#endif
    apply_span(t, (last - row) * cut->length, at, coef, cut, edge, 0u);
}

#if VIEW
/*
 * apply_rows of blocks with gaps between them. Channels-last a block is one row: no vector reaches into the next, and no processor foresees
 * where that is.
 */
#if CHANNELS_LAST
#define ROWS_AHEAD 4u

FUNC void apply_blocks(const struct tensors starts, ulong row, ulong last, const COEF_PLACE float *coef,
                       const struct clnorm_cut *cut)
{
    const struct tensors first = tensors_at(starts, ROW_PLACE(row, cut));
    TENSORS_OWN(t, first, (last - row) * cut->length);
    const ulong whole = cut->length / VEC * VEC, ahead = ROW_PLACE(ROWS_AHEAD, cut);
    const int past = HINTS && cut->stream && (cut->length | ROW_PITCH(t.dst, 0u)) % LINE == 0u &&
                     until_line(DST_ON(t.dst, 0), LINE) == 0u;
    outcome_v y;
    for (; row < last; row++, t = tensors_at(t, ROW_PLACE(1u, cut))) {
        for (ulong i = 0u; i < whole; i += VEC) {
            TENSORS_FETCH(t, ahead + i);
            y = step_v(t, i, coefs_load_v(coef, cut->channels * APPLY_GROUPS, i));
            LEAVE_V(t, i, y, past);
        }
        for (ulong i = whole; i < cut->length; i++)
            leave_f(t, i, step_f(t, i, coefs_load_f(coef, cut->channels * APPLY_GROUPS, i)));
    }
}
#else
FUNC void apply_blocks(const struct tensors t, ulong row, ulong last, const COEF_PLACE float *coef,
                       const struct clnorm_cut *cut)
{
    for (ulong end; row < last; row = end) {
        end = min(last, row - row % cut->channels + cut->channels);
        apply_block(tensors_at(t, ROW_PLACE(row, cut)), row, end, coef, cut, 0);
    }
}
#endif
#endif

/* Whole rows, from number `row` to before `last`; t: the tensors' starts. */
FUNC void apply_rows(const struct tensors t, ulong row, ulong last, const COEF_PLACE float *coef,
                     const struct clnorm_cut *cut)
{
#if VIEW
    apply_blocks(t, row, last, coef, cut);
#else
#if CHANNELS_LAST
    float edge[COEFS_WORDS * EDGE_STRIDE];
    edge_fill(edge, coef, cut);
#else
    const float *edge = 0;
#endif
    apply_block(tensors_at(t, ROW_PLACE(row, cut)), row, last, coef, cut, edge);
#endif
}
