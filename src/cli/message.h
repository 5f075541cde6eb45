/* SPDX-License-Identifier: Apache-2.0 */
/* What the tool tells the user, always on standard error. */
#ifndef CLNORM_CLI_MESSAGE_H
#define CLNORM_CLI_MESSAGE_H

enum exit_status { STATUS_DONE = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* "clnorm: " and the message, as a line of its own. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);

/* Shows what long work is at, on one line that the next message replaces; only where standard error is a terminal. */
__attribute__((format(printf, 1, 2))) void show_progress(const char *format, ...);
void clear_progress(void);

/* Returns STATUS_DONE, or STATUS_FAILED with a message when standard output could not take everything. */
int finish_output(void);

#endif
