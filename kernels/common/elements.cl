/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors are of elem, their elements as computed with are floats: GET(p) reads one, PUT(value, p) writes one, and GET_V and PUT_V do so
 * with vectors, at any element's address. NARROWED(value) is what is written. Part of begin.cl.
 */
#ifndef TYPE
#define TYPE CLNORM_TYPE_FLOAT32
#endif
#if TYPE == CLNORM_TYPE_FLOAT32
typedef float elem;
#define GET(p) (*(p))
#define PUT(value, p) (*(p) = (value))
#ifdef VEC
typedef vec elems;
#define GET_V(p) VEC_LOAD(global, p)
#define PUT_V(value, p) VEC_STORE(global, value, p)
#define NARROWED(value) (value)
#define WIDENED(value) (value)
#endif
#else
typedef ushort elem;
#define T float
#define U uint
#define AS_T(x) as_float(x)
#define AS_U(x) as_uint(x)
#define FN(name) name##_f
#include "common/element.cl"
#undef T
#undef U
#undef AS_T
#undef AS_U
#undef FN
/* Devices that are no CPUs have instructions for binary16; of a CPU-like one's vectors not every compiler makes them. */
#if TYPE == CLNORM_TYPE_FLOAT16 && !defined(HINTS)
#define GET(p) vload_half(0, (const global half *)(p))
#define PUT(value, p) vstore_half_rte(value, 0, (global half *)(p))
#else
#define GET(p) widen_f(*(p))
#define PUT(value, p) (*(p) = (ushort)narrow_f(value))
#endif
#ifdef VEC
typedef PASTE(ushort, VEC) elems;
typedef PASTE(uint, VEC) elems_bits;
#if TYPE == CLNORM_TYPE_FLOAT16 && HINTS && defined(__F16C__) && VEC >= 8
FUNC vec widened(elems h)
{
#if VEC == 8
    return __builtin_ia32_vcvtph2ps256(as_short8(h));
#else
    vec r;
    r.lo = __builtin_ia32_vcvtph2ps256(as_short8(h.lo));
    r.hi = __builtin_ia32_vcvtph2ps256(as_short8(h.hi));
    return r;
#endif
}

FUNC elems narrowed(vec x)
{
#if VEC == 8
    return as_ushort8(__builtin_ia32_vcvtps2ph256(x, 0));
#else
    elems r;
    r.lo = as_ushort8(__builtin_ia32_vcvtps2ph256(x.lo, 0));
    r.hi = as_ushort8(__builtin_ia32_vcvtps2ph256(x.hi, 0));
    return r;
#endif
}
#define WIDENED(value) widened(value)
#define NARROWED(value) narrowed(value)
#else
#define T vec
#define U elems_bits
#define AS_T(x) PASTE(as_float, VEC)(x)
#define AS_U(x) PASTE(as_uint, VEC)(x)
#define FN(name) name##_v
#include "common/element.cl"
#undef T
#undef U
#undef AS_T
#undef AS_U
#undef FN
#define WIDENED(value) widen_v(PASTE(convert_uint, VEC)(value))
#define NARROWED(value) PASTE(convert_ushort, VEC)(narrow_v(value))
#endif
#if defined(__clang__)
typedef elems loose_elems __attribute__((aligned(2), may_alias));
#define GET_V(p) WIDENED(*(const global loose_elems *)(p))
#define PUT_V(value, p) (*(global loose_elems *)(p) = NARROWED(value))
#else
#define GET_V(p) WIDENED(PASTE(vload, VEC)(0, p))
#define PUT_V(value, p) PASTE(vstore, VEC)(NARROWED(value), 0, p)
#endif
#endif
#endif
