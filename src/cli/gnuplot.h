/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures by the program gnuplot. Functions that can fail tell why, by a message. */
#ifndef CLNORM_CLI_GNUPLOT_H
#define CLNORM_CLI_GNUPLOT_H

#include "cli/files/whole_file.h"

/* Whether gnuplot can be run, found out before there is anything to draw; option is what needs it, without its dashes. */
int gnuplot_find(const char *option);

/* An empty script to print commands to, which fclose ends; NULL after a message. */
FILE *gnuplot_script(void);

/* A text inside double quotes: what gnuplot would take for more than itself becomes a blank. */
void gnuplot_text(FILE *script, const char *text);

/* Runs the script, whose output becomes the picture. 0, or STATUS_FAILED after a message. */
int gnuplot_run(FILE *script, struct whole_file *picture);

#endif
