/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the elements of a tensor are. A SRC is a tensor, or what comes of it from one of its elements on; a DST is one that is written. A place
 * in it is a number that adds up: SRC_AT(p, place) is what comes from the element there on. SRC_ALONG(p, i) is the same of the element number
 * i, which may be below 0, in the same block, and SRC_ON(p, i) the address of that. Part of begin.cl.
 *
 *   VIEW           what tensors are                                         places
 *   0              dense: pointers                                          elements
 *   VIEW_SLICE     blocks (channels-first: samples, channels-last:          block << 32 | element
 *                  positions) that are dense, a pitch apart
 *   VIEW_STRIDED   any                                                      elements, counted as if dense
 *
 * BLOCKS(n, size) is the place n blocks of so many elements further on; NUMBER(place, size) counts elements as if dense.
 */
#ifndef VIEW
#define VIEW 0
#endif
#define VIEW_SLICE 1
#define VIEW_STRIDED 2

#if VIEW == VIEW_SLICE
#define BLOCKS(n, size) ((ulong)(n) << 32)
/* Elements of a place may be below 0, and are less than 2^31. */
#define PLACE_BLOCKS(place) (((ulong)(place) + 0x80000000u) >> 32)
#define PLACE_REST(place) (ulong)((long)(int)(uint)(place))
#define NUMBER(place, size) (PLACE_BLOCKS(place) * (size) + PLACE_REST(place))
#else
#define BLOCKS(n, size) ((n) * (size))
#define NUMBER(place, size) (place)
#endif

#if VIEW
#define VIEW_BUFFERS , struct clnorm_views views
#if CHANNELS_LAST
#define VIEW_BLOCK views.channels
#else
#define VIEW_BLOCK (views.channels * views.positions)
#endif

#if VIEW == VIEW_SLICE
#define LIES ulong pitch
#if CHANNELS_LAST
#define LIE(r, view) r.pitch = (view).s
#else
#define LIE(r, view) r.pitch = (view).n
#endif
#define MOVE(r, place) r.p += PLACE_BLOCKS(place) * r.pitch + PLACE_REST(place)
#define ALONG(r, i) r.p += i
#define OFFSET(r, i) (i)
#else
#define LIES                                                                                                           \
    struct clnorm_view view;                                                                                           \
    ulong channels, positions, at
#define LIE(r, view_)                                                                                                  \
    r.view = view_;                                                                                                    \
    r.channels = views.channels;                                                                                       \
    r.positions = views.positions;                                                                                     \
    r.at = 0u
#define MOVE(r, place) r.at += place
#define ALONG(r, i) r.at += (ulong)(i)
#define OFFSET(r, i) strided_offset((r).at + (ulong)(i), &(r).view, (r).channels, (r).positions)

FUNC ulong strided_offset(ulong at, const struct clnorm_view *view, ulong channels, ulong positions)
{
#if CHANNELS_LAST
    const ulong c = at % channels, row = at / channels, s = row % positions, n = row / positions;
#else
    const ulong s = at % positions, row = at / positions, c = row % channels, n = row / channels;
#endif
    return n * view->n + c * view->c + s * view->s;
}
#endif

struct src {
    const global elem *p;
    LIES;
};

struct dst {
    global elem *p;
    LIES;
};

FUNC struct src src_begin(const global elem *p, const struct clnorm_view view, const struct clnorm_views views)
{
    struct src r;
    r.p = p;
    LIE(r, view);
    (void)views;
    return r;
}

FUNC struct dst dst_begin(global elem *p, const struct clnorm_view view, const struct clnorm_views views)
{
    struct dst r;
    r.p = p;
    LIE(r, view);
    (void)views;
    return r;
}

FUNC struct src src_at(const struct src from, ulong place)
{
    struct src r = from;
    MOVE(r, place);
    return r;
}

FUNC struct dst dst_at(const struct dst from, ulong place)
{
    struct dst r = from;
    MOVE(r, place);
    return r;
}

FUNC struct src src_along(const struct src from, long i)
{
    struct src r = from;
    ALONG(r, i);
    return r;
}

FUNC const global elem *src_on(const struct src r, long i)
{
    return r.p + OFFSET(r, i);
}

FUNC global elem *dst_on(const struct dst r, long i)
{
    return r.p + OFFSET(r, i);
}
#define SRC struct src
#define SRC_IN const struct src
#define SRC_BEGIN(p, tensor) src_begin(p, views.tensor, views)
#define SRC_AT(p, place) src_at(p, place)
#define SRC_ALONG(p, i) src_along(p, i)
#define SRC_ON(p, i) src_on(p, i)
#define DST struct dst
#define DST_BEGIN(p, tensor) dst_begin(p, views.tensor, views)
#define DST_AT(p, place) dst_at(p, place)
#define DST_ON(p, i) dst_on(p, i)
#if VIEW == VIEW_SLICE
#define ROW_PITCH(p, c) (p).pitch
#endif
#else
#define VIEW_BUFFERS
#define SRC const global elem *
#define SRC_IN const global elem *const
#define SRC_BEGIN(p, tensor) (p)
#define SRC_AT(p, place) ((p) + (place))
#define SRC_ALONG(p, i) ((p) + (i))
#define SRC_ON(p, i) ((p) + (i))
#define DST global elem *
#define DST_BEGIN(p, tensor) (p)
#define DST_AT(p, place) ((p) + (place))
#define DST_ON(p, i) ((p) + (i))
#define ROW_PITCH(p, c) (c) /* of channels-last rows, in elements */
#endif
