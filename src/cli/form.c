/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/form.h"

#include "cli/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int activation_parse(const char *text, void *activation)
{
    clnorm_activation *made = activation;
    float number;

    if (strcmp(text, "none") == 0)
        *made = CLNORM_IDENTITY;
    else if (strcmp(text, "relu") == 0)
        *made = CLNORM_RELU;
    else if (strncmp(text, "leaky:", 6) == 0 && options_number(text + 6, &number) == 0)
        *made = CLNORM_LEAKY_RELU(number);
    else if (strncmp(text, "clip:", 5) == 0 && options_number(text + 5, &number) == 0 && number > 0)
        *made = CLNORM_CLIPPED_RELU(number);
    else
        return -1;
    return 0;
}

/* In as few digits as give the number again. */
static void number_text(const char *name, float number, char *text)
{
    int digits = 0;

    do
        snprintf(text, ACTIVATION_TEXT_BYTES, "%s:%.*g", name, ++digits, (double)number);
    while (digits < 9 && strtof(strchr(text, ':') + 1, NULL) != number);
}

const char *activation_text(const clnorm_activation *activation, char *text)
{
    if (!activation_is_there(activation))
        snprintf(text, ACTIVATION_TEXT_BYTES, "none");
    else if (isfinite(activation->cap))
        number_text("clip", activation->cap, text);
    else if (activation->slope != 0)
        number_text("leaky", activation->slope, text);
    else
        snprintf(text, ACTIVATION_TEXT_BYTES, "relu");
    return text;
}

int activation_is_there(const clnorm_activation *activation)
{
    return activation->cap > 0;
}

const char *type_name(int type)
{
    return type == CLNORM_FLOAT16 ? "float16" : type == CLNORM_BFLOAT16 ? "bfloat16" : "float32";
}

int form_is_plain(const struct call_form *form)
{
    return form->type == CLNORM_FLOAT32 && !form->has_residual && !activation_is_there(&form->activation);
}

const char *form_text(const char *before, const struct call_form *form, char *text)
{
    const int is_active = activation_is_there(&form->activation);
    char activation[ACTIVATION_TEXT_BYTES];

    text[0] = '\0';
    if (!form_is_plain(form))
        snprintf(text, FORM_TEXT_BYTES, "%s%s%s%s%s", before, type_name(form->type), is_active ? ", " : "",
                 is_active ? activation_text(&form->activation, activation) : "",
                 form->has_residual ? ", with a residual" : "");
    return text;
}
