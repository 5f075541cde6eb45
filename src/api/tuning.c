/* SPDX-License-Identifier: Apache-2.0 */
/* The exported calls that tell of parameters and tunings. */
#include "device/context.h"
#include "device/stored_tuning.h"
#include "plan/tuning.h"

static void log_error(void *user, const char *why)
{
    clnorm__log(user, CLNORM_LOG_ERROR, "%s", why);
}

int clnorm_list_parameters(const clnorm_context *context, size_t capacity, clnorm_parameter *list, size_t *count)
{
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (!count || (capacity && !list))
        return CLNORM_INVALID_ARGUMENT;
    *count = CLNORM__PARAMETER_COUNT;
    for (size_t i = 0; i < capacity && i < CLNORM__PARAMETER_COUNT; i++) {
        const struct clnorm__parameter_row *p = &clnorm__parameters[i];
        list[i].name = p->name;
        list[i].meaning = p->meaning;
        list[i].least = p->least;
        list[i].most = p->most;
        list[i].standard = clnorm__standard(&context->device, (enum clnorm__parameter)i);
        list[i].value = clnorm__tuned(&context->device, (enum clnorm__parameter)i);
    }
    return CLNORM_SUCCESS;
}

const char *clnorm_get_tuning(const clnorm_context *context)
{
    return context ? context->tuning : NULL;
}

const char *clnorm_get_tuning_file(const clnorm_context *context)
{
    return context ? context->tuning_file : NULL;
}

int clnorm_store_tuning(clnorm_context *context, const char *text)
{
    struct clnorm__tuning tuning = {0};
    struct clnorm__filter filter = {0};
    if (!context)
        return CLNORM_INVALID_CONTEXT;
    if (clnorm__tuning_read(text ? text : "", &tuning, &filter, log_error, context) > 0)
        return CLNORM_INVALID_TUNING;
    if (!context->tuning_file) {
        clnorm__log(context, CLNORM_LOG_ERROR,
                    "the disk cache is switched off, and the tuning's file lies in it; name a folder in cache_dir or "
                    "CLNORM_CACHE_DIR");
        return CLNORM_NO_CACHE;
    }
    if (clnorm__tuning_store(context->cache_dir, &context->device, text ? text : "") == 0)
        return CLNORM_SUCCESS;
    clnorm__log(context, CLNORM_LOG_ERROR, "the tuning's file %s cannot be %s; is its folder writable?",
                context->tuning_file, text && *text ? "written" : "removed");
    return CLNORM_NO_CACHE;
}
