/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that leave the caches alone, where the compiler has them: for results that would only push out what is still needed.
 * They want addresses at a multiple of a vector's size. HINTS says that the compiler makes machine code of the host from them; on
 * the way through SPIR-V, some compilers end the process when they meet a prefetch.
 */
#if HINTS && defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define STREAM_STORE(value, address) __builtin_nontemporal_store(value, (global vec *)(address))
#endif
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(address) __builtin_prefetch((const void *)(size_t)(address))
#endif
#endif
#ifndef STREAM_STORE
#define STREAM_STORE(value, address) VEC_STORE(global, value, address)
#endif
#ifndef PREFETCH
#define PREFETCH(address) (void)(address)
#endif

/* Past the caches or not. */
#define STORE_PAST(past, value, address)                                                                               \
    if (past)                                                                                                          \
        STREAM_STORE(value, address);                                                                                  \
    else                                                                                                               \
        VEC_STORE(global, value, address)

#define VEC_BYTES (4u * VEC)
#define LINE 16u /* floats of a line of most caches */

/* Elements from p to the next multiple of a vector's size, at most n. */
FUNC uint until_aligned(const global float *p, ulong n)
{
    uint head = (VEC_BYTES - (uint)((size_t)p % VEC_BYTES)) % VEC_BYTES / 4u;
    return (uint)min((ulong)head, n);
}

/* Elements from p to the next line, at most n. */
FUNC uint until_line(const global float *p, ulong n)
{
    uint head = (4u * LINE - (uint)((size_t)p % (4u * LINE))) % (4u * LINE) / 4u;
    return (uint)min((ulong)head, n);
}
