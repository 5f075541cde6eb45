/* SPDX-License-Identifier: Apache-2.0 */
#include "device/stored_tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/cache.h"

/* Another version of the library may cut work in other ways: it starts from its own defaults. */
static void file_key(const struct clnorm__device *device, char *key, size_t size)
{
    snprintf(key, size, "tuning|%s|%u compute units|%s", clnorm_version(), device->compute_units, device->identity);
}

#define KEY_BYTES 1024

char *clnorm__tuning_path(const char *folder, const struct clnorm__device *device)
{
    char key[KEY_BYTES];
    file_key(device, key, sizeof key);
    return clnorm__cache_path(folder, key);
}

char *clnorm__tuning_load(const char *folder, const struct clnorm__device *device)
{
    char key[KEY_BYTES];
    size_t size = 0;
    file_key(device, key, sizeof key);
    char *stored = (char *)clnorm__cache_load(folder, key, &size);
    /* Whole texts alone are stored, with the zero byte at their end. */
    if (stored && (size == 0 || memchr(stored, '\0', size) != stored + size - 1)) {
        free(stored);
        stored = NULL;
    }
    return stored;
}

int clnorm__tuning_store(const char *folder, const struct clnorm__device *device, const char *text)
{
    char key[KEY_BYTES];
    file_key(device, key, sizeof key);
    if (*text)
        return clnorm__cache_store(folder, key, (const unsigned char *)text, strlen(text) + 1);
    return clnorm__cache_remove(folder, key);
}
