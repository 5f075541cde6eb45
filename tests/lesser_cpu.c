/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library to preload, which makes PoCL take this processor for a lesser one: PoCL asks LLVM what the host has, and compiles for
 * the processor of these features (their name does not matter to it). LESSER_CPU says what is left: sse2, avx or avx2. The code
 * runs at full speed. Whether it worked shows in the name of the device and in the machine code; ci/lesser-cpu looks at both.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* bool llvm::sys::getHostCPUFeatures(llvm::StringMap<bool> &features), up to LLVM 18. */
#define ASKED _ZN4llvm3sys18getHostCPUFeaturesERNS_9StringMapIbNS_15MallocAllocatorEEE
#define STRING2(x) #x
#define STRING(x) STRING2(x)

/* llvm::StringMapImpl. An entry is the length of its key, the value, and at item_size the key, which ends with a 0. */
struct string_map {
    unsigned char **table;
    unsigned buckets, items, tombstones, item_size;
};

struct entry {
    size_t length;
    bool value;
};

bool ASKED(struct string_map *features);

/* Features that a processor of the level does not have, by how their names begin. */
static const struct {
    const char *name;
    const char *lacks[12];
} levels[] = {
    {"sse2", {"sse3", "ssse3", "sse4", "avx", "fma", "f16c", "xop", "vaes", "vpclmul", "gfni"}},
    {"avx", {"avx2", "avx5", "avxvnni", "avxifma", "fma", "f16c", "xop", "vaes", "vpclmul", "gfni"}},
    {"avx2", {"avx5"}},
};

static const char *const *lacking(void)
{
    const char *level = getenv("LESSER_CPU");
    for (size_t i = 0; level && i < sizeof levels / sizeof levels[0]; i++)
        if (strcmp(levels[i].name, level) == 0)
            return levels[i].lacks;
    return NULL;
}

static void take_away(const struct string_map *features, const char *const *lacks)
{
    if (features->item_size != sizeof(struct entry)) /* another LLVM: what its device then is called tells */
        return;
    for (unsigned i = 0; i < features->buckets; i++) {
        unsigned char *at = features->table[i];
        if (!at || (uintptr_t)at >= (uintptr_t)-65536) /* LLVM's mark of a removed entry lies there */
            continue;
        struct entry *entry = (struct entry *)(void *)at;
        const char *key = (const char *)at + features->item_size;
        for (const char *const *lack = lacks; *lack; lack++)
            if (strncmp(key, *lack, strlen(*lack)) == 0)
                entry->value = false;
    }
}

/* The caller's own LLVM answers first; several may be loaded. */
bool ASKED(struct string_map *features)
{
    Dl_info caller;
    void *library = NULL;
    bool (*real)(struct string_map *) = NULL;
    if (dladdr(__builtin_return_address(0), &caller))
        library = dlopen(caller.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (library)
        *(void **)&real = dlsym(library, STRING(ASKED));
    if (!real)
        return false;
    bool known = real(features);
    if (known && lacking())
        take_away(features, lacking());
    return known;
}
