/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores that leave the caches alone, where the compiler has them: for results that would only push out what is still needed.
 * They want addresses at a multiple of a vector's size. HINTS says that the compiler makes machine code of the host from them; on
 * the way through SPIR-V, some compilers end the process when they meet a prefetch.
 */
#if HINTS && defined(__has_builtin)
#if __has_builtin(__builtin_nontemporal_store)
#define STREAM_STORE(value, address) __builtin_nontemporal_store(NARROWED(value), (global elems *)(address))
#endif
#if __has_builtin(__builtin_prefetch)
#define PREFETCH(address) __builtin_prefetch((const void *)(size_t)(address))
#endif
#endif
#ifndef STREAM_STORE
#define STREAM_STORE(value, address) PUT_V(value, address)
#endif
#ifndef PREFETCH
#define PREFETCH(address) (void)(address)
#endif

/* Past the caches or not. */
#define STORE_PAST(past, value, address)                                                                               \
    if (past)                                                                                                          \
        STREAM_STORE(value, address);                                                                                  \
    else                                                                                                               \
        PUT_V(value, address)

#define ELEM ((uint)sizeof(elem))
#define VEC_BYTES (ELEM * VEC)
#define LINE (64u / ELEM) /* elements of a line of most caches */

/* Elements from p to the next multiple of a vector's size, at most n. */
FUNC uint until_aligned(const global elem *p, ulong n)
{
    uint head = (VEC_BYTES - (uint)((size_t)p % VEC_BYTES)) % VEC_BYTES / ELEM;
    return (uint)min((ulong)head, n);
}

/* Elements from p to the next line, at most n. */
FUNC uint until_line(const global elem *p, ulong n)
{
    uint head = (64u - (uint)((size_t)p % 64u)) % 64u / ELEM;
    return (uint)min((ulong)head, n);
}
