/* SPDX-License-Identifier: Apache-2.0 */
#include "tuning.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "check.h"
#include "context.h"
#include "device.h"
#include "variant.h"

static const struct parameter {
    const char *name, *meaning;
    uint32_t least, most, cpu_default, other_default;
} parameters[CLNORM__PARAMETER_COUNT] = {
#define PARAMETER_ROW(NAME, name, least, most, cpu, other, meaning) {#name, meaning, least, most, cpu, other},
    CLNORM__PARAMETERS(PARAMETER_ROW)
#undef PARAMETER_ROW
};

static uint64_t standard(const struct clnorm__device *device, unsigned parameter)
{
    return device->cpu_like ? parameters[parameter].cpu_default : parameters[parameter].other_default;
}

uint64_t clnorm__tuned(const struct clnorm__device *device, enum clnorm__parameter parameter)
{
    return device->tuning.is_set[parameter] ? device->tuning.value[parameter] : standard(device, parameter);
}

/* ---- the text form ---- */

/* One entry, NAME=VALUE, taken apart; nothing in it ends with a zero byte. */
struct entry {
    const char *name, *value;
    size_t name_length, value_length;
};

static int is(const char *part, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(part, word, length) == 0;
}

/* Digits alone, at most `most`. Returns 0, or -1. */
static int read_number(const char *text, size_t length, uint64_t most, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        *number = *number * 10 + (uint64_t)(text[i] - '0');
        if (*number > most)
            return -1;
    }
    return length ? 0 : -1;
}

static int set_parameter(const struct entry *e, unsigned which, struct clnorm__tuning *tuning, char *why)
{
    const struct parameter *p = &parameters[which];
    uint64_t number;
    if (read_number(e->value, e->value_length, p->most, &number) != 0 || number < p->least) {
        snprintf(why, CLNORM__WHY, "tuning: %s is '%.*s'; it takes a whole number from %u to %u", p->name,
                 (int)(e->value_length < 40 ? e->value_length : 40), e->value, (unsigned)p->least, (unsigned)p->most);
        return -1;
    }
    tuning->value[which] = (uint32_t)number;
    tuning->is_set[which] = 1;
    return 0;
}

/* STEP.LAYOUT=VARIANT. Returns 0, or -1. */
static int set_preference(const struct entry *e, struct clnorm__filter *filter, char *why)
{
    const char *dot = memchr(e->name, '.', e->name_length);
    size_t step_length = dot ? (size_t)(dot - e->name) : e->name_length;
    const char *layout = dot ? dot + 1 : "";
    size_t layout_length = dot ? e->name_length - step_length - 1 : 0;
    int last = is(layout, layout_length, "channels-last");
    unsigned step = 0;
    while (step < CLNORM__STEPS && !is(e->name, step_length, clnorm__step_name(step)))
        step++;
    if (step == CLNORM__STEPS || (!last && !is(layout, layout_length, "channels-first"))) {
        snprintf(
            why, CLNORM__WHY,
            "tuning: there is no '%.*s'; clnorm_list_parameters lists the parameters, and variants are preferred by "
            "STEP.LAYOUT=VARIANT",
            (int)(e->name_length < 40 ? e->name_length : 40), e->name);
        return -1;
    }
    for (unsigned i = 0; i < CLNORM__VARIANTS; i++) {
        const struct clnorm__variant *v = &clnorm__variants[i];
        if (is(e->value, e->value_length, v->name) && (unsigned)v->step == step &&
            v->layouts != (last ? CLNORM__FIRST : CLNORM__LAST)) {
            filter->preferred[step][last] = (unsigned char)(i + 1);
            return 0;
        }
    }
    snprintf(why, CLNORM__WHY, "tuning: step %s has no kernel variant '%.*s', %s; clnorm_variant_name lists them",
             clnorm__step_name(step), (int)(e->value_length < 40 ? e->value_length : 40), e->value,
             last ? "channels-last" : "channels-first");
    return -1;
}

static int set_entry(const char *text, size_t length, struct clnorm__tuning *tuning, struct clnorm__filter *filter,
                     char *why)
{
    const char *equals = memchr(text, '=', length);
    if (!equals) {
        snprintf(why, CLNORM__WHY, "tuning: '%.*s' is no NAME=VALUE", (int)(length < 40 ? length : 40), text);
        return -1;
    }
    struct entry e = {.name = text, .value = equals + 1, .name_length = (size_t)(equals - text)};
    e.value_length = length - e.name_length - 1;
    for (unsigned i = 0; i < CLNORM__PARAMETER_COUNT; i++)
        if (is(e.name, e.name_length, parameters[i].name))
            return set_parameter(&e, i, tuning, why);
    return set_preference(&e, filter, why);
}

unsigned clnorm__tuning_read(const char *text, struct clnorm__tuning *tuning, struct clnorm__filter *filter,
                             clnorm__tuning_complaint complaint, void *user)
{
    static const char blanks[] = " \t\r\n";
    unsigned bad = 0;
    for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
        char why[CLNORM__WHY];
        size_t length = strcspn(text, blanks);
        if (set_entry(text, length, tuning, filter, why) != 0) {
            bad++;
            if (complaint)
                complaint(user, why);
        }
        text += length;
    }
    return bad;
}

/* ---- the file ---- */

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

/* ---- what the interface tells of it ---- */

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
        const struct parameter *p = &parameters[i];
        list[i].name = p->name;
        list[i].meaning = p->meaning;
        list[i].least = p->least;
        list[i].most = p->most;
        list[i].standard = standard(&context->device, (unsigned)i);
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
