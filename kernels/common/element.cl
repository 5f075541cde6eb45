/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of 16 bits as binary32 and back, by integers alone: a template like pair.cl, where U is what holds the bits of a T. Widening is
 * exact, and meets no subnormal number of binary32 for a binary16; narrowing rounds to nearest even, and keeps NaNs.
 */
#if TYPE == CLNORM_TYPE_FLOAT16
FUNC T FN(widen)(U h)
{
    const U sign = (h & (U)(0x8000u)) << (U)(16u), rest = h & (U)(0x7fffu);
    const U bits = (rest << (U)(13u)) + (U)(0x38000000u); /* the exponent's bias is 112 more */
    const T number = AS_T(bits);
    const T special = AS_T(bits + (U)(0x38000000u));
    const T subnormal = AS_T((rest << (U)(13u)) + (U)(0x38800000u)) - AS_T((U)(0x38800000u));
    const T size = SELECT(SELECT(number, special, rest >= (U)(0x7c00u)), subnormal, rest < (U)(0x400u));
    return AS_T(AS_U(size) | sign);
}

FUNC U FN(narrow)(T x)
{
    const U bits = AS_U(x), size = bits & (U)(0x7fffffffu), sign = (bits >> (U)(16u)) & (U)(0x8000u);
    const U moved = size - (U)(0x38000000u);
    const U normal = (moved + (U)(0xfffu) + ((moved >> (U)(13u)) & (U)(1u))) >> (U)(13u);
    const U subnormal = AS_U(AS_T(size) + (T)(0.5f)) - (U)(0x3f000000u); /* whose unit is that of 0.5 */
    U r = SELECT(normal, subnormal, size < (U)(0x38800000u));
    r = SELECT(r, (U)(0x7c00u), size >= (U)(0x477ff000u)); /* 65520 */
    r = SELECT(r, (U)(0x7e00u), size > (U)(0x7f800000u));
    return r | sign;
}
#else
FUNC T FN(widen)(U h)
{
    return AS_T(h << (U)(16u));
}

FUNC U FN(narrow)(T x)
{
    const U bits = AS_U(x);
    const U r = (bits + (U)(0x7fffu) + ((bits >> (U)(16u)) & (U)(1u))) >> (U)(16u);
    return SELECT(r, (bits >> (U)(16u)) | (U)(0x40u), (bits & (U)(0x7fffffffu)) > (U)(0x7f800000u));
}
#endif
