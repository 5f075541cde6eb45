/* SPDX-License-Identifier: Apache-2.0 */
/* What calls are like: types, activations and residuals, as command lines and reports write them. */
#ifndef CLNORM_CLI_FORM_H
#define CLNORM_CLI_FORM_H

#include "clnorm.h"

enum { ACTIVATION_TEXT_BYTES = 40, FORM_TEXT_BYTES = 100 };

/* none, relu, leaky:SLOPE or clip:CAP, into a clnorm_activation. Returns 0, or -1. */
int activation_parse(const char *text, void *activation);

/* The text that gives this activation; returns text, of ACTIVATION_TEXT_BYTES. */
const char *activation_text(const clnorm_activation *activation, char *text);

/* Whether there is one. */
int activation_is_there(const clnorm_activation *activation);

/* The name of enum clnorm_type. */
const char *type_name(int type);

/* The tensors' type, and what is part of the last step. */
struct call_form {
    int type; /* enum clnorm_type */
    clnorm_activation activation;
    int has_residual;
};

/* Whether it is float32 with neither activation nor residual. */
int form_is_plain(const struct call_form *form);

/* "bfloat16, relu, with a residual" behind `before`, or nothing of the plain one. text has FORM_TEXT_BYTES; returns text. */
const char *form_text(const char *before, const struct call_form *form, char *text);

#endif
