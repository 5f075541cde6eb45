/* SPDX-License-Identifier: Apache-2.0 */
#include "device/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void log_text(clnorm_log_callback log, void *user, enum clnorm_log_level level, const char *format, va_list args)
{
    char small[512];
    va_list again;
    if (!log)
        return;
    va_copy(again, args);
    int length = vsnprintf(small, sizeof small, format, args);
    char *large = length >= (int)sizeof small ? malloc((size_t)length + 1) : NULL;
    if (large)
        vsnprintf(large, (size_t)length + 1, format, again);
    va_end(again);
    log(user, level, large ? large : small);
    free(large);
}

void clnorm__log(const clnorm_context *context, enum clnorm_log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_text(context->log, context->log_user, level, format, args);
    va_end(args);
}

struct clnorm__filter clnorm__filter_now(clnorm_context *context)
{
    pthread_mutex_lock(&context->lock);
    struct clnorm__filter filter = context->filter;
    pthread_mutex_unlock(&context->lock);
    return filter;
}

void clnorm__filter_learn(clnorm_context *context, const struct clnorm__filter *from)
{
    pthread_mutex_lock(&context->lock);
    for (unsigned v = 0; v < CLNORM__VARIANTS; v++)
        for (unsigned last = 0; last < 2; last++)
            context->filter.unusable[v][last] |= from->unusable[v][last];
    pthread_mutex_unlock(&context->lock);
}
