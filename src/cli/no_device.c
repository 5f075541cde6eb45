/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* access */
#include "cli/no_device.h"

#include "cli/message.h"

#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_PLATFORMS = 16, NAME_BYTES = 128, PATH_BYTES = 1024 };

static int has_pocl(void)
{
    cl_platform_id platforms[MOST_PLATFORMS];
    char name[NAME_BYTES];
    cl_uint count = 0;

    if (clGetPlatformIDs(MOST_PLATFORMS, platforms, &count) != CL_SUCCESS)
        return 0;
    for (cl_uint i = 0; i < count && i < MOST_PLATFORMS; i++)
        if (clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof(name), name, NULL) == CL_SUCCESS &&
            strcmp(name, "Portable Computing Language") == 0)
            return 1;
    return 0;
}

/* Where PoCL keeps what it compiles; the order is PoCL's own. */
static void find_pocl_cache(char *path, size_t size)
{
    const char *chosen = getenv("POCL_CACHE_DIR"), *caches = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (chosen)
        snprintf(path, size, "%s", chosen);
    else if (caches && caches[0])
        snprintf(path, size, "%s/pocl/kcache", caches);
    else if (home)
        snprintf(path, size, "%s/.cache/pocl/kcache", home);
    else
        snprintf(path, size, "/tmp/pocl/kcache");
}

/* PoCL has been asked for its devices and has tried to make the folder: what is not there now cannot be made. */
static int can_be_written(const char *folder)
{
    struct stat facts;

    return stat(folder, &facts) == 0 && S_ISDIR(facts.st_mode) && access(folder, W_OK | X_OK) == 0;
}

void complain_no_device(void)
{
    char cache[PATH_BYTES];

    find_pocl_cache(cache, sizeof(cache));
    if (has_pocl() && !can_be_written(cache))
        complain("no OpenCL device is there: PoCL, which makes one of the CPU, is installed but cannot write its cache "
                 "folder '%s'; expected a folder that can be written in POCL_CACHE_DIR or XDG_CACHE_HOME",
                 cache);
    else
        complain("no OpenCL device is there; expected at least one (the package pocl-opencl-icd makes one of the CPU)");
}
