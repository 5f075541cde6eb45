/* SPDX-License-Identifier: Apache-2.0 */
/* What a signal that ends the program (Ctrl-C, a closed terminal, kill, a limit) has to tidy up first. */
#ifndef CLNORM_CLI_INTERRUPT_H
#define CLNORM_CLI_INTERRUPT_H

#include <sys/types.h>

/* Call it once, before anything that starts threads or opens files. Signals that are ignored (nohup) stay so. */
void interrupt_watch(void);

/* Between these two such a signal waits, whichever thread it comes to. For a few system calls; not nested. */
void interrupt_hold(void);
void interrupt_release(void);

/* Within them: a file that goes with the program, until it is kept. The text lives until then. Returns 0 or -1: no room. */
int interrupt_add(const char *path);
void interrupt_keep(const char *path);

/*
 * For what no signal handler can tidy up: from here to interrupt_deliver a signal only ends the child that was named, and is
 * remembered. One thread alone, which looks at interrupt_came between its steps. child 0: none.
 */
void interrupt_defer(void);
void interrupt_child(pid_t child);
int interrupt_came(void);
void interrupt_deliver(void);

#endif
