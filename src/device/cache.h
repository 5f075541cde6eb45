/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled programs on disk. A bad or stale entry is as good as none; no error here is ever fatal. */
#ifndef CLNORM_CACHE_H
#define CLNORM_CACHE_H

#include <stddef.h>

/* The default folder after the environment, or NULL for none; the caller frees it. option as in clnorm_context_options. */
char *clnorm__cache_folder(const char *option);

/* The file of an entry; the caller frees it. NULL: out of memory. */
char *clnorm__cache_path(const char *folder, const char *key);

/* The binary stored under key (any text), or NULL; the caller frees it. */
unsigned char *clnorm__cache_load(const char *folder, const char *key, size_t *size);

/* Stores it whole or not at all. Returns 0, or -1 when it could not. */
int clnorm__cache_store(const char *folder, const char *key, const unsigned char *binary, size_t size);

/* Removes the entry, for one that turned out bad. Returns 0 when it is gone or was never there, else -1. */
int clnorm__cache_remove(const char *folder, const char *key);

#endif
