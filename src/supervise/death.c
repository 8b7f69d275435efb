/*
 * death.c - (in the host) may a worker be asked where it is, and what did a dead one say?
 *
 * Invariants
 *   - Whether it can answer is the kernel's word, not the worker's: a task that blocks the signal, took
 *     its handler away or is stopped gets no time to answer.
 *   - Last words are read once, when nothing writes them any more, into memory of the host; of what they
 *     are only the length is believed, and only as far as there is room.
 */
#include "supervise/death.h"

#include "base/descriptor.h"
#include "base/own.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ----------------------------------------------------------------- can it answer? */

/* The kernel's description of it: its size, or -1. */
static ssize_t read_status(pid_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (pp_own_begin() < 0)
        return -1;
    int     fd = pp_own_end(open(path, O_RDONLY | O_CLOEXEC));
    ssize_t got = fd >= 0 ? pread(fd, text, size - 1, 0) : -1;
    pp_close(&fd);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

/* What stands behind a name like "\nState:\t", or "". */
static const char *find(const char *text, const char *name)
{
    const char *found = strstr(text, name);
    return found != NULL ? found + strlen(name) : "";
}

static bool has_signal(const char *text, const char *set)
{
    const char *digits = find(text, set);
    char       *end = NULL;
    uint64_t    signals = strtoull(digits, &end, 16);
    return end != digits && (signals >> (PP_LIMIT_SIGNAL - 1) & 1) != 0;
}

bool pp_worker_can_answer(const struct pp_worker *worker)
{
    enum { STATUS_SIZE = 4096 };
    char text[STATUS_SIZE];
    if (read_status(worker->pid, text, sizeof text) <= 0)
        return false;
    char state = find(text, "\nState:\t")[0]; /* not T or t, stopped, and not Z or X, dead */
    bool alive = state == 'R' || state == 'S' || state == 'D';
    return alive && has_signal(text, "\nSigCgt:\t") && !has_signal(text, "\nSigBlk:\t");
}

bool pp_worker_answers(const struct pp_worker *worker)
{
    return atomic_load_explicit(&worker->ledger->last_words.begun, memory_order_relaxed) ==
           PP_LAST_WORDS_BEGUN;
}

/* -------------------------------------------------------------------- last words */

/* Whether an address says anything: that of an instruction, or one that the kernel did not give, does
 * not. */
static bool has_address(int signal, int code)
{
    return (signal == SIGSEGV || signal == SIGBUS) && code > 0 && code != SI_KERNEL;
}

/* "SIGSEGV at address 0x10", or nothing. */
static size_t write_signal(const struct pp_last_words *last, char *text, size_t size)
{
    int         signal = *(const volatile int32_t *)&last->signal;
    int         code = *(const volatile int32_t *)&last->code;
    const char *name = signal > 0 && signal < NSIG ? sigabbrev_np(signal) : NULL;
    int         used = 0;
    if (name != NULL && has_address(signal, code))
        used = snprintf(text, size, "SIG%s at address 0x%llx\n", name,
                        (unsigned long long)last->address);
    else if (name != NULL)
        used = snprintf(text, size, "SIG%s\n", name);
    return used > 0 ? (size_t)used : 0;
}

static char printable(char byte)
{
    bool control = (byte >= 0 && byte < ' ' && byte != '\n') || byte == 0x7f;
    return control ? '?' : byte;
}

void pp_worker_last_words(const struct pp_worker *worker, uint64_t ticket, char text[PP_DEATH_TEXT])
{
    struct pp_last_words *last = &worker->ledger->last_words;
    text[0] = '\0';
    if (!pp_worker_answers(worker) ||
        atomic_load_explicit(&last->ticket, memory_order_relaxed) != ticket)
        return;
    size_t length = atomic_load_explicit(&last->length, memory_order_acquire);
    size_t used = write_signal(last, text, PP_DEATH_TEXT);
    if (length > sizeof last->text)
        length = 0;
    for (size_t i = 0; i < length; i++)
        text[used + i] = printable(((const volatile char *)last->text)[i]);
    text[used + length] = '\0';
}
