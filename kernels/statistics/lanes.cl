/* SPDX-License-Identifier: Apache-2.0 */
/* The 64 lanes of a channels-first leaf as LANE_VECS vectors: lane j is element j % VEC of vector j / VEC. */
#define LANE_VECS (64 / VEC)
#define LEAF_VECS (CLNORM_LEAF / VEC + 1) /* a leaf, gathered: its last row may come with what is behind it */
#ifdef SMALL_CODE
#define FEW 0u
#else
#define FEW VEC /* values that one vector holds, so that nothing needs a loop */
#endif
#define RUN 256 /* a run of every lane: four rows of 64 values */

/* Loops over the vectors of the lanes: unrolled where they are few, which keeps their sums in registers. */
#if VEC >= 8
#define LANE_LOOP _Pragma("unroll") for (int l = 0; l < LANE_VECS; l++)
#else
#define LANE_LOOP for (int l = 0; l < LANE_VECS; l++)
#endif

/* The end of lanes_sum, where one vector of lanes is left. */
FUNC float lanes_halves(vec v)
{
#if VEC == 16
    float8 w = v.lo + v.hi;
    float4 x = w.lo + w.hi;
#elif VEC == 8
    float4 x = v.lo + v.hi;
#else
    float4 x = v;
#endif
    float2 y = x.lo + x.hi;
    return y.x + y.y;
}

/* lanes_sum of a vector of lanes and of nothing else, which is zeros. */
FUNC float lanes_few(vec v)
{
    return lanes_halves(v + (vec)(0.0f));
}

/* Sums lanes by halves: lane j takes lane j + 32, then j + 16, 8, 4, 2, 1. */
FUNC float lanes_sum(vec *a)
{
#if VEC <= 4
    for (int l = 0; l < 8; l++)
        a[l] += a[l + 8];
#endif
#if VEC <= 8
    for (int l = 0; l < 4; l++)
        a[l] += a[l + 4];
#endif
    return lanes_halves((a[0] + a[2]) + (a[1] + a[3]));
}

/* rest < VEC values of a row, 0 behind them. */
FUNC vec row_rest(const global elem *p, uint rest)
{
    vec r = (vec)(0.0f);
    for (uint j = 0u; j < rest; j++)
        ((float *)&r)[j] = GET(p + j);
    return r;
}

#define ON(name) name##_src
#define SOURCE SRC
#define SOURCE_IN SRC_IN
#define SOURCE_AT(p, place) SRC_AT(p, place)
#define SOURCE_ALONG(p, i) SRC_ALONG(p, i)
#define SOURCE_F(p) GET(SRC_ON(p, 0))
#define SOURCE_V(p) GET_V(SRC_ON(p, 0))
#define SOURCE_FETCH(p, i) PREFETCH(SRC_ON(p, i))
#include "statistics/read_rows.cl"
#if IS_BACKWARD && ACTIVATION
#define ON(name) name##_grad
#define SOURCE GRAD
#define SOURCE_IN GRAD_IN
#define SOURCE_AT(p, place) GRAD_AT(p, place)
#define SOURCE_ALONG(p, i) GRAD_ALONG(p, i)
#define SOURCE_F(p) GRAD_F(p)
#define SOURCE_V(p) GRAD_V(p)
#define SOURCE_FETCH(p, i) GRAD_FETCH(p, i)
#include "statistics/read_rows.cl"
#define ON_GRAD(name) name##_grad
#else
#define ON_GRAD(name) name##_src
#endif
