/* SPDX-License-Identifier: Apache-2.0 */
#include "device/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POCL "Portable Computing Language"

int clnorm__text_has(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && text[i] && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length)
            return 1;
    }
    return 0;
}

/* Whether a platform's CPU devices are known to make machine code of prefetches and streaming stores. */
static int takes_hints(const char *platform)
{
    return strcmp(platform, POCL) == 0 || strcmp(platform, "Intel(R) OpenCL") == 0;
}

/*
 * Asked for a binary, PoCL compiles each kernel once more, for every size of work-groups: that takes as long as all of a first call. It has
 * a cache of its own, beside which a binary spares about a tenth of that in each later start.
 */
unsigned clnorm__compiles_to_store(const char *platform)
{
    return strcmp(platform, POCL) == 0 ? 10 : 1;
}

/*
 * Mesa's llvmpipe counts the iterations of all loops that a work-item runs, and those of its neighbours in a vector, and once they
 * are so many it leaves each loop after its next turn, with no error. The number is LP_MAX_TGSI_LOOP_ITERATIONS of its source.
 */
unsigned clnorm__loop_limit(const char *device_name)
{
    /* Not by the platform: rusticl has it, and so has clvk where Mesa's lavapipe is below it. */
    return clnorm__text_has(device_name, "llvmpipe") ? 65535 : 0;
}

/*
 * Intel's GPUs address buffers by 32 bits unless a program's options say otherwise, and beyond 4 GB they read other elements without
 * a word. One program serves buffers of every size, and a caller may make large ones by an extension whatever the device calls its
 * limit: so wherever the memory could hold one, always. "Intel(R) OpenCL", "... HD Graphics" and "... Graphics" are the platforms
 * that know the option; Mesa's, on the same devices, are others and do not.
 */
int clnorm__large_buffers(const char *platform_name, cl_device_type type, uint64_t memory_bytes)
{
    static const char intel[] = "Intel(R) OpenCL";
    return (type & CL_DEVICE_TYPE_GPU) != 0 && strncmp(platform_name, intel, sizeof intel - 1) == 0 &&
           memory_bytes > (uint64_t)1 << 32;
}

/* An absent or too long string becomes a shortened or empty one: names are for people. */
static void device_string(cl_device_id id, cl_device_info what, char *text, size_t size)
{
    char buffer[512];
    text[0] = '\0';
    if (clGetDeviceInfo(id, what, sizeof buffer, buffer, NULL) != CL_SUCCESS)
        return;
    buffer[sizeof buffer - 1] = '\0';
    const char *start = buffer;
    while (isspace((unsigned char)*start))
        start++;
    size_t length = strlen(start);
    if (length > size - 1)
        length = size - 1;
    memcpy(text, start, length);
    text[length] = '\0';
    for (size_t end = strlen(text); end > 0 && isspace((unsigned char)text[end - 1]);)
        text[--end] = '\0';
}

static void platform_string(cl_platform_id id, cl_platform_info what, char *text, size_t size)
{
    text[0] = '\0';
    if (clGetPlatformInfo(id, what, size, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
}

/* The full profile demands a correctly rounded fma; without round-to-nearest nothing can be promised. */
static enum clnorm_bits promise(cl_device_id id)
{
    char profile[64];
    cl_device_fp_config config = 0;
    device_string(id, CL_DEVICE_PROFILE, profile, sizeof profile);
    if (clGetDeviceInfo(id, CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL) != CL_SUCCESS)
        return CLNORM_BITS_NONE;
    if (!(config & CL_FP_ROUND_TO_NEAREST) || !(config & CL_FP_INF_NAN))
        return CLNORM_BITS_NONE;
    if (strcmp(profile, "FULL_PROFILE") != 0 && !(config & CL_FP_FMA))
        return CLNORM_BITS_NONE;
    return config & CL_FP_DENORM ? CLNORM_BITS_SAME : CLNORM_BITS_SAME_NORMAL;
}

static int read_info(cl_device_id id, clnorm_device_info *info)
{
    memset(info, 0, sizeof *info);
    info->device = id;
    cl_int e = clGetDeviceInfo(id, CL_DEVICE_PLATFORM, sizeof info->platform, &info->platform, NULL);
    if (e == CL_SUCCESS)
        e = clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof info->type, &info->type, NULL);
    if (e != CL_SUCCESS)
        return e;
    platform_string(info->platform, CL_PLATFORM_NAME, info->platform_name, sizeof info->platform_name);
    device_string(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    device_string(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    info->bits = promise(id);
    return CLNORM_SUCCESS;
}

int clnorm__device_read(cl_device_id id, struct clnorm__device *device)
{
    memset(device, 0, sizeof *device);
    int status = read_info(id, &device->info);
    if (status != CLNORM_SUCCESS)
        return status;
    cl_uint units = 1, width = 1, align_bits = 0;
    size_t group = 1, items[8] = {0};
    cl_ulong local = 0, cache = 0, memory = 0;
    clGetDeviceInfo(id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    clGetDeviceInfo(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof width, &width, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
    clGetDeviceInfo(id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    clGetDeviceInfo(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL);
    device->base_align = align_bits > 32 ? align_bits / 8 : 4;
    device->cpu_like = (device->info.type & CL_DEVICE_TYPE_CPU) != 0;
    device->hints = device->cpu_like && takes_hints(device->info.platform_name);
    device->compute_units = units ? units : 1;
    device->vector = width >= 16 ? 16 : width >= 8 ? 8 : 4;
    clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    device->large_buffers = clnorm__large_buffers(device->info.platform_name, device->info.type, memory);
    device->loop_limit = clnorm__loop_limit(device->info.name);
    device->small_code = device->loop_limit > 0; /* llvmpipe, both */
    device->max_work_group = group;
    /* Apple's CPU devices have work-groups of 1024 x 1 x 1, and others are narrower than max_work_group says. */
    if (clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof items, items, NULL) == CL_SUCCESS) {
        device->max_items[0] = items[0];
        device->max_items[1] = items[1];
    }
    clGetDeviceInfo(id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache, &cache, NULL);
    device->local_bytes = local;
    device->cache_bytes = cache;

    char version[128], vendor[128], platform_version[128];
    device_string(id, CL_DEVICE_VERSION, version, sizeof version);
    device_string(id, CL_DEVICE_VENDOR, vendor, sizeof vendor);
    platform_string(device->info.platform, CL_PLATFORM_VERSION, platform_version, sizeof platform_version);
    snprintf(device->identity, sizeof device->identity, "%s|%s|%s|%s|%s|%s", device->info.platform_name,
             platform_version, device->info.name, vendor, version, device->info.driver);
    return CLNORM_SUCCESS;
}

int clnorm_list_devices(size_t capacity, clnorm_device_info *infos, size_t *count)
{
    if (!count || (capacity && !infos))
        return CLNORM_INVALID_ARGUMENT;
    *count = 0;
    cl_platform_id platforms[32];
    cl_uint platform_count = 0;
    cl_int e = clGetPlatformIDs(32, platforms, &platform_count);
    if (e == -1001) /* CL_PLATFORM_NOT_FOUND_KHR */
        return CLNORM_SUCCESS;
    if (e != CL_SUCCESS)
        return e;
    if (platform_count > 32)
        platform_count = 32;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id devices[64];
        cl_uint device_count = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 64, devices, &device_count) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < device_count && d < 64; d++) {
            clnorm_device_info info;
            if (read_info(devices[d], &info) != CLNORM_SUCCESS)
                continue;
            if (*count < capacity)
                infos[*count] = info;
            ++*count;
        }
    }
    return CLNORM_SUCCESS;
}

/* How good a device is as a default. */
static int merit(const clnorm_device_info *info)
{
    int kind = info->type & CL_DEVICE_TYPE_GPU ? 6 : info->type & CL_DEVICE_TYPE_ACCELERATOR ? 4 : 2;
    return (info->bits == CLNORM_BITS_NONE ? 0 : kind) + (strcmp(info->platform_name, POCL) == 0);
}

static size_t choose(const clnorm_device_info *infos, size_t count, const char *selector)
{
    if (selector && *selector) {
        char *end;
        unsigned long number = strtoul(selector, &end, 10);
        if (isdigit((unsigned char)selector[0]) && *end == '\0')
            return number < count ? number : count;
        for (size_t i = 0; i < count; i++)
            if (clnorm__text_has(infos[i].name, selector) || clnorm__text_has(infos[i].platform_name, selector))
                return i;
        return count;
    }
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (merit(&infos[i]) > merit(&infos[best]))
            best = i;
    return best;
}

int clnorm_find_device(const char *selector, clnorm_device_info *info, size_t *index)
{
    if (!info)
        return CLNORM_INVALID_ARGUMENT;
    if (!selector || !*selector)
        selector = getenv("CLNORM_DEVICE");
    size_t count = 0;
    int status = clnorm_list_devices(0, NULL, &count);
    if (status != CLNORM_SUCCESS)
        return status;
    clnorm_device_info *infos = calloc(count + 1, sizeof *infos);
    if (!infos)
        return CLNORM_OUT_OF_MEMORY;
    size_t there = count;
    status = clnorm_list_devices(count, infos, &there);
    if (there < count)
        count = there;
    size_t found = choose(infos, count, selector);
    if (status == CLNORM_SUCCESS && found >= count)
        status = CLNORM_NO_DEVICE;
    if (status == CLNORM_SUCCESS) {
        *info = infos[found];
        if (index)
            *index = found;
    }
    free(infos);
    return status;
}
