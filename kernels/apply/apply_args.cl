/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of the elementwise kernels. src, diff_dst: the one that the step does not read may be any buffer. */
#define APPLY_BUFFERS                                                                                                  \
    const global float *src, ulong src_offset, const global float *diff_dst, ulong diff_dst_offset, global float *dst, \
        ulong dst_offset, const global float *coef, ulong coef_offset, struct clnorm_cut cut
#define APPLY_OFFSETS                                                                                                  \
    src += src_offset;                                                                                                 \
    diff_dst += diff_dst_offset;                                                                                       \
    dst += dst_offset;                                                                                                 \
    coef += coef_offset;                                                                                               \
    (void)src;                                                                                                         \
    (void)diff_dst

/* Element number i of the result; APPLY_FETCH asks for what it needs, after store.cl. */
#if APPLY == APPLY_FORWARD
#define APPLY_FETCH(i) PREFETCH(src + (i))
#define APPLY_F(i, k) apply_f(src[i], 0.0f, k)
#define APPLY_V(i, k) apply_v(VEC_LOAD(global, src + (i)), (vec)(0.0f), k)
#elif APPLY == APPLY_BATCH
#define APPLY_FETCH(i)                                                                                                 \
    {                                                                                                                  \
        PREFETCH(src + (i));                                                                                           \
        PREFETCH(diff_dst + (i));                                                                                      \
    }
#define APPLY_F(i, k) apply_f(src[i], diff_dst[i], k)
#define APPLY_V(i, k) apply_v(VEC_LOAD(global, src + (i)), VEC_LOAD(global, diff_dst + (i)), k)
#else
#define APPLY_FETCH(i) PREFETCH(diff_dst + (i))
#define APPLY_F(i, k) apply_f(0.0f, diff_dst[i], k)
#define APPLY_V(i, k) apply_v((vec)(0.0f), VEC_LOAD(global, diff_dst + (i)), k)
#endif
