/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/tuning.h"

#include <stdio.h>
#include <string.h>

#include "plan/check.h"

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
    const struct clnorm__parameter_row *p = &clnorm__parameters[which];
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
        if (is(e.name, e.name_length, clnorm__parameters[i].name))
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
