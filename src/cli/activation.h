/* SPDX-License-Identifier: Apache-2.0 */
/* Activations and types as command lines and reports write them. */
#ifndef CLNORM_CLI_ACTIVATION_H
#define CLNORM_CLI_ACTIVATION_H

#include "clnorm.h"

enum { ACTIVATION_TEXT_BYTES = 40 };

/* none, relu, leaky:SLOPE or clip:CAP, into a clnorm_activation. Returns 0, or -1. */
int activation_parse(const char *text, void *activation);

/* The text that gives this activation; returns text, of ACTIVATION_TEXT_BYTES. */
const char *activation_text(const clnorm_activation *activation, char *text);

/* Whether there is one. */
int activation_is_there(const clnorm_activation *activation);

/* The name of enum clnorm_type. */
const char *type_name(int type);

#endif
