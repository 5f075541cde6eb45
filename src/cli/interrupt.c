/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700 /* sigaction, pthread_sigmask */
#include "cli/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 64 };

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXCPU, SIGXFSZ};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

/*
 * The handler may run in any thread, as drivers have some, so blocking signals in one does not keep it away: both sides take this
 * lock. The handler never waits for its own thread, which blocks the signals while it has the lock, and never gives it back.
 */
static atomic_flag lock = ATOMIC_FLAG_INIT;
static const char *files[MOST_FILES];
static sigset_t mask_before;
static pid_t owner;

static volatile sig_atomic_t is_deferred, came, child_to_end;

static void take_lock(void)
{
    while (atomic_flag_test_and_set(&lock))
        poll(NULL, 0, 1);
}

static void die(int number)
{
    struct sigaction usual;
    sigset_t mask;

    memset(&usual, 0, sizeof(usual));
    usual.sa_handler = SIG_DFL;
    sigaction(number, &usual, NULL);
    raise(number);
    sigemptyset(&mask);
    sigaddset(&mask, number);
    pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    _exit(128 + number);
}

/* Async-signal-safe calls alone. */
static void handle(int number)
{
    int error = errno;

    if (is_deferred) {
        came = number;
        if (child_to_end > 0)
            kill((pid_t)child_to_end, number);
        errno = error;
        return;
    }
    /* A driver's child, before it becomes another program, has these files from us only. */
    if (getpid() == owner) {
        take_lock();
        for (int i = 0; i < MOST_FILES; i++)
            if (files[i])
                unlink(files[i]);
    }
    die(number);
}

static void fill_mask(sigset_t *mask)
{
    sigemptyset(mask);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(mask, signals[i]);
}

void interrupt_watch(void)
{
    struct sigaction action, old;

    owner = getpid();
    memset(&action, 0, sizeof(action));
    action.sa_handler = handle;
    action.sa_flags = SA_RESTART;
    fill_mask(&action.sa_mask);
    for (int i = 0; i < SIGNALS; i++)
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
}

void interrupt_hold(void)
{
    sigset_t mask, before;

    fill_mask(&mask);
    pthread_sigmask(SIG_BLOCK, &mask, &before);
    take_lock();
    mask_before = before;
}

void interrupt_release(void)
{
    sigset_t before = mask_before;

    atomic_flag_clear(&lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int interrupt_add(const char *path)
{
    for (int i = 0; i < MOST_FILES; i++) {
        if (files[i])
            continue;
        files[i] = path;
        return 0;
    }
    return -1;
}

void interrupt_keep(const char *path)
{
    for (int i = 0; i < MOST_FILES; i++)
        if (files[i] == path)
            files[i] = NULL;
}

void interrupt_defer(void)
{
    came = 0;
    child_to_end = 0;
    is_deferred = 1;
}

void interrupt_child(pid_t child)
{
    child_to_end = (sig_atomic_t)child;
    if (came && child > 0)
        kill(child, (int)came);
}

int interrupt_came(void)
{
    return came != 0;
}

void interrupt_deliver(void)
{
    is_deferred = 0;
    if (came)
        raise((int)came);
}
