/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tensors of the last step, and its arguments where it is a kernel of its own. src, diff_dst: the one that the step does not read may
 * be any buffer. After extras.cl and coef.cl, and store.cl where that is.
 */
struct tensors {
#if APPLY != APPLY_FROZEN
    SRC src;
#endif
#if APPLY != APPLY_FORWARD
    GRAD diff_dst;
#endif
    DST dst;
#if RESIDUAL
    DST residual;
#endif
#if MASK && !IS_BACKWARD
    global uint *mask;
    ulong at;       /* the number of the element that dst points to */
    ulong from, to; /* elements whose words of the mask nobody else writes to */
    ulong total;
#if VIEW == VIEW_SLICE
    ulong block;
#endif
#endif
#if ACTIVATION && !IS_BACKWARD
    float slope, cap;
#endif
};

/* Declares t, the tensors from their starts on; total_: elements of all groups of samples. */
#if APPLY != APPLY_FROZEN
#define TENSORS_SRC(t) t.src = SRC_BEGIN(src, src)
#else
#define TENSORS_SRC(t) (void)src
#endif
#if APPLY != APPLY_FORWARD
#define TENSORS_DIFF(t)                                                                                                \
    GRAD_BEGIN(t##_diff, diff_dst);                                                                                    \
    t.diff_dst = t##_diff
#else
#define TENSORS_DIFF(t)
#endif
#if RESIDUAL
#define TENSORS_RESIDUAL(t) t.residual = DST_BEGIN(residual + extras.residual, residual)
#else
#define TENSORS_RESIDUAL(t)
#endif
#if MASK && !IS_BACKWARD
#define TENSORS_MASK(t, total_)                                                                                        \
    t.mask = mask + extras.mask;                                                                                       \
    t.at = extras.first;                                                                                               \
    t.from = t.to = 0u;                                                                                                \
    t.total = extras.first + (total_);                                                                                 \
    TENSORS_BLOCK(t)
#if VIEW == VIEW_SLICE
#define TENSORS_BLOCK(t) t.block = VIEW_BLOCK
#else
#define TENSORS_BLOCK(t)
#endif
#else
#define TENSORS_MASK(t, total_)
#endif
#if ACTIVATION && !IS_BACKWARD
#define TENSORS_ACTIVATION(t)                                                                                          \
    t.slope = extras.slope;                                                                                            \
    t.cap = extras.cap
#else
#define TENSORS_ACTIVATION(t)
#endif
#define TENSORS(t, dst_, total_)                                                                                       \
    struct tensors t;                                                                                                  \
    TENSORS_SRC(t);                                                                                                    \
    TENSORS_DIFF(t);                                                                                                   \
    t.dst = DST_BEGIN(dst_, dst);                                                                                      \
    TENSORS_RESIDUAL(t);                                                                                               \
    TENSORS_MASK(t, total_);                                                                                           \
    TENSORS_ACTIVATION(t)

/* The tensors from a place on. */
FUNC struct tensors tensors_at(const struct tensors first, ulong place)
{
    struct tensors t = first;
#if APPLY != APPLY_FROZEN
    t.src = SRC_AT(t.src, place);
#endif
#if APPLY != APPLY_FORWARD
    t.diff_dst = GRAD_AT(t.diff_dst, place);
#endif
    t.dst = DST_AT(t.dst, place);
#if RESIDUAL
    t.residual = DST_AT(t.residual, place);
#endif
#if MASK && !IS_BACKWARD
    t.at += NUMBER(place, t.block);
#endif
    return t;
}

/* The place of a row: of channels-first tensors a row of a block. */
#if VIEW != VIEW_SLICE
#define ROW_PLACE(row, cut) ((row) * (cut)->length)
#elif CHANNELS_LAST
#define ROW_PLACE(row, cut) BLOCKS(row, (cut)->length)
#else
#define ROW_PLACE(row, cut) (BLOCKS((row) / (cut)->channels, 0u) + (row) % (cut)->channels * (cut)->length)
#endif

#define APPLY_BUFFERS                                                                                                  \
    const global elem *src, ulong src_offset, const global elem *diff_dst, ulong diff_dst_offset, global elem *dst,    \
        ulong dst_offset, const global float *coef, ulong coef_offset,                                                 \
        struct clnorm_cut cut EXTRA_BUFFERS VIEW_BUFFERS
/* Declares t, the tensors from where those of the work-item's group of samples start. */
#define APPLY_BEGIN(t)                                                                                                 \
    src += src_offset;                                                                                                 \
    diff_dst += diff_dst_offset;                                                                                       \
    coef += coef_offset + APPLY_GROUP * cut.channels;                                                                  \
    (void)diff_dst;                                                                                                    \
    TENSORS(first_##t, dst + dst_offset, cut.rows * cut.length * APPLY_GROUPS);                                        \
    struct tensors t = tensors_at(first_##t, APPLY_GROUP * ROW_PLACE(cut.rows, &cut))
#ifndef APPLY_GROUP
#define APPLY_GROUP SAMPLE_GROUP
#define APPLY_GROUPS SAMPLE_GROUPS
#endif

#define T float
#define FN(name) name##_f
#define COND int
#define READ(p) GET(p)
#define GRAD_T(g) GRAD_F(g)
#include "apply/step.cl"
#undef T
#undef FN
#undef COND
#undef READ
#undef GRAD_T
#ifdef VEC
#define T vec
#define FN(name) name##_v
#define COND ivec
#define READ(p) GET_V(p)
#define GRAD_T(g) GRAD_V(g)
#include "apply/step.cl"
#undef T
#undef FN
#undef COND
#undef READ
#undef GRAD_T
#endif

#if MASK && !IS_BACKWARD
/*
 * Sets `count` bits, at most 32, of elements from number `at` on, by atomic operations that leave others alone: their words are others' as
 * well. With the last element, what is behind it becomes 0.
 */
FUNC void mask_share(global uint *mask, ulong at, ulong total, uint bits, uint count)
{
    for (uint done = 0u; done < count;) {
        const uint shift = (uint)(at + done) % 32u, here = min(32u - shift, count - done), end = shift + here;
        const int is_last = at + done + here == total;
        const uint ones = (is_last || end == 32u ? ~0u : (1u << end) - 1u) & (~0u << shift);
        const uint some = here == 32u ? bits : bits & ((1u << here) - 1u);
        global uint *place = mask + (at + done) / 32u;
        atomic_and(place, ~ones);
        atomic_or(place, some << shift);
        bits = here == 32u ? 0u : bits >> here;
        done += here;
    }
}

#ifdef __ENDIAN_LITTLE__
#define MASK_BYTE(i) ((i) / 8u)
#else
#define MASK_BYTE(i) ((i) / 8u ^ 3u)
#endif

/* The same; where they are whole bytes of words that nobody else writes to, as they are. Not by a call, which loops would pay dearly. */
#define MASK_PUT(t, i, bits_, count_)                                                                                  \
    {                                                                                                                  \
        const ulong at_ = (t).at + (i);                                                                                \
        if ((at_ | (count_)) % 8u == 0u && at_ >= (t).from && at_ + (count_) <= (t).to)                                \
            for (uint done_ = 0u; done_ < (count_); done_ += 8u)                                                       \
                ((global uchar *)(t).mask)[MASK_BYTE(at_ + done_)] = (uchar)((bits_) >> done_);                        \
        else                                                                                                           \
            mask_share((t).mask, at_, (t).total, bits_, count_);                                                       \
    }

#ifdef VEC
/* Bit j is that of element j. */
#if HINTS && defined(__AVX__) && VEC == 8
#define mask_word(is_open) (uint) __builtin_ia32_movmskps256(as_float8(is_open))
#elif HINTS && defined(__AVX__) && VEC == 16
#define mask_word(is_open)                                                                                             \
    ((uint)__builtin_ia32_movmskps256(as_float8((is_open).lo)) |                                                       \
     (uint)__builtin_ia32_movmskps256(as_float8((is_open).hi)) << 8)
#else
FUNC uint mask_word(ivec is_open)
{
    const ivec bits = is_open & ((ivec)(1) << LANE_NUMBERS);
#if VEC == 16
    const int8 eight = bits.lo | bits.hi;
    const int4 four = eight.lo | eight.hi;
#elif VEC == 8
    const int4 four = bits.lo | bits.hi;
#else
    const int4 four = bits;
#endif
    const int2 two = four.lo | four.hi;
    return (uint)(two.x | two.y);
}
#endif
#endif
#else
#define MASK_PUT(t, i, bits, count)
#endif

/* Writes what came of element i but for its bit of the mask, which it returns. */
FUNC uint put_f(const struct tensors t, ulong i, const outcome_f r)
{
    PUT(r.result, DST_ON(t.dst, i));
#if RESIDUAL && IS_BACKWARD
    PUT(r.diff, DST_ON(t.residual, i));
#endif
#if MASK && !IS_BACKWARD
    return r.is_open ? 1u : 0u;
#else
    return 0u;
#endif
}

FUNC void leave_f(const struct tensors t, ulong i, const outcome_f r)
{
    const uint bit = put_f(t, i, r);
    MASK_PUT(t, i, bit, 1u);
    (void)bit;
}

/* All addresses in one, for what they are multiples of. */
#if IS_BACKWARD && ACTIVATION && !MASK
#define GATE_ADDRESS(t) | (size_t)(t).diff_dst.gate
#else
#define GATE_ADDRESS(t)
#endif
#if APPLY == APPLY_FROZEN
#define SRC_ADDRESS(t)
#else
#define SRC_ADDRESS(t) | (size_t)(t).src
#endif
#if APPLY == APPLY_FORWARD
#define DIFF_ADDRESS(t)
#else
#define DIFF_ADDRESS(t) | (size_t)GRAD_PLACE((t).diff_dst) GATE_ADDRESS(t)
#endif
#if RESIDUAL
#define RESIDUAL_ADDRESS(t) | (size_t)(t).residual
#else
#define RESIDUAL_ADDRESS(t)
#endif
#define TENSORS_ADDRESSES(t) ((size_t)(t).dst SRC_ADDRESS(t) DIFF_ADDRESS(t) RESIDUAL_ADDRESS(t))

#ifdef VEC
#if RESIDUAL && IS_BACKWARD
/* Into the caches: of two streams of stores past them, side by side, memory takes neither well (2 to 5 times the time). */
#define LEAVE_DIFF(t, i, value) STORE_PAST(0, value, DST_ON((t).residual, i))
#else
#define LEAVE_DIFF(t, i, value)
#endif
#if MASK && !IS_BACKWARD
#define LEAVE_BITS(t, i, r)                                                                                            \
    {                                                                                                                  \
        const uint bits_of = mask_word((r).is_open);                                                                   \
        MASK_PUT(t, i, bits_of, VEC);                                                                                  \
    }
#else
#define LEAVE_BITS(t, i, r)
#endif

/* Past the caches or not. */
#define LEAVE_V(t, i, r, past)                                                                                         \
    {                                                                                                                  \
        STORE_PAST(past, (r).result, DST_ON((t).dst, i));                                                              \
        LEAVE_DIFF(t, i, (r).diff);                                                                                    \
        LEAVE_BITS(t, i, r);                                                                                           \
    }

/* Elements `from` to from + n - 1 of a vector, as those from i on. */
FUNC void leave_some(const struct tensors t, ulong i, const outcome_v *r, uint from, uint n)
{
    for (uint j = 0u; j < n; j++) {
        PUT(((const float *)&r->result)[from + j], DST_ON(t.dst, i + j));
#if RESIDUAL && IS_BACKWARD
        PUT(((const float *)&r->diff)[from + j], DST_ON(t.residual, i + j));
#endif
    }
#if MASK && !IS_BACKWARD
    const uint bits = mask_word(r->is_open) >> from;
    if (n > 0u)
        MASK_PUT(t, i, bits, n);
#endif
}

/*
 * Of n elements that lie one after another, those before the first that is stored by whole vectors: up to a line where results pass the
 * caches; up to a byte of the mask where there is one. SPAN_HEAD: the first at a multiple of a vector's size, or of a byte's eight.
 */
#if MASK && !IS_BACKWARD
#define BYTE (VEC < 8 ? VEC : 8u) /* vectors of four have no bytes of their own */
#define UNTIL_BYTE(t, n) min((BYTE - (t).at % BYTE) % BYTE, (ulong)(n))
#define SPAN_FIRST(t, n, stream) UNTIL_BYTE(t, n)
#define SPAN_HEAD(t, n) UNTIL_BYTE(t, n)
#define SPAN_STREAMS(t, first, stream) ((stream) && until_line(DST_ON((t).dst, first), LINE) == 0u)
/*
 * Declares t, the given tensors, of which the first n elements are nobody else's. So are their words of the mask, but the one that others'
 * begin in; the last one has bits of no element.
 */
#define TENSORS_OWN(t, given, n)                                                                                       \
    struct tensors t = given;                                                                                          \
    t.from = (t.at + 31u) / 32u * 32u;                                                                                 \
    t.to = (t.at + (n) == t.total ? t.total - 1u : t.at + (n)) / 32u * 32u
#else
#define SPAN_FIRST(t, n, stream) ((stream) ? until_line(DST_ON((t).dst, 0), n) : (n))
#define SPAN_HEAD(t, n) until_aligned(DST_ON((t).dst, 0), n)
#define SPAN_STREAMS(t, first, stream) 1
#define TENSORS_OWN(t, given, n) struct tensors t = given
#endif

/* Asks for what the step needs of the element at place i. */
#if APPLY == APPLY_FROZEN
#define TENSORS_FETCH_SRC(t, i)
#else
#define TENSORS_FETCH_SRC(t, i) PREFETCH(SRC_ON(SRC_AT((t).src, i), 0))
#endif
#if APPLY == APPLY_FORWARD
#define TENSORS_FETCH_DIFF(t, i)
#else
#define TENSORS_FETCH_DIFF(t, i) GRAD_FETCH((t).diff_dst, i)
#endif
#if RESIDUAL && !IS_BACKWARD
#define TENSORS_FETCH_RESIDUAL(t, i) PREFETCH(DST_ON(DST_AT((t).residual, i), 0))
#else
#define TENSORS_FETCH_RESIDUAL(t, i)
#endif
#define TENSORS_FETCH(t, i)                                                                                            \
    {                                                                                                                  \
        TENSORS_FETCH_SRC(t, i);                                                                                       \
        TENSORS_FETCH_DIFF(t, i);                                                                                      \
        TENSORS_FETCH_RESIDUAL(t, i);                                                                                  \
    }
#endif
