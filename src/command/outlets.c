/*
 * outlets.c - a worker that is killed takes nothing with it that its job had written.
 *
 * The pipes of a job are made before the workers, two for each, and this process has their reading
 * ends too.  A worker opens the writing ends for each job.  It never sees the end of an output before
 * the last process that had it is gone, so the pipes that it uses again are clean.
 *
 * Who writes `owner`: the worker, to the attempt that it begins, and back to 0 when all that the attempt
 * wrote was passed on.  When the worker was killed between, this process takes what is left once the job
 * has ended - TAKING meanwhile - and sets it to 0.  Until then the next worker of that number waits for a
 * moment, or does without; unless the attempt was not the job's last one: what such a one wrote does
 * not count, and it is taken over.  Each change is a compare-and-exchange, so there is one writer at a
 * time, and one reader.
 *
 * What a worker has read and not yet sent is in the outlet, too.  Was it read, was it sent?
 *   - The number of each message is the outlet's, counted up; whether the last one came is known here.
 *   - Exactly so many bytes are read as there are, and before that the last eight of the place that
 *     they will take get a random mark.  The mark is there: they were not read, and are still in
 *     the pipe.  A kill between the end of read() and the next instruction is told by nothing else.
 */
#define _GNU_SOURCE
#include "outlets.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* So long the next worker waits for its outlet, which takes this process a fraction of that unless it waits
 * itself for somebody to read its output.  After that the job goes without. */
enum { PATIENCE_MS = 100 };

enum { PIPES = 2, MARK = 8, TAKING = 1 };

/* Shared.  The worker writes it, this process what it says.  Release stores and acquire loads order what is
 * beside them; besides, the one looks at what the other wrote only when that is dead, and a successor is
 * made after that. */
struct cmd_outlet {
    _Alignas(64) _Atomic uint64_t owner; /* 0, TAKING, or as owner_of says: both, as said above */
    _Atomic uint32_t salvaged; /* this process: counts, and wakes who waits for the outlet */
    _Atomic uint32_t expected; /* bytes that are being read and sent, or 0, which both write */
    struct cmd_relay_record record;
};

static struct {
    struct cmd_outlet *outlets;
    int (*fds)[PIPES];   /* the reading ends; -1: none */
    uint32_t     *heard; /* here: number of the last message of each */
    unsigned      count;
    bool          alone;     /* worker side: the others' pipes are closed */
    bool          impatient; /* ... ours was waited for in vain */
    int           pipe_size;
    unsigned char mark[MARK];
} all;

/* ------------------------------------------------------------- open, close */

static bool open_pipes(int fds[PIPES])
{
    for (int i = 0; i < PIPES; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
            return false;
        fds[i] = ends[0];
        close(ends[1]);
    }
    return true;
}

static void close_pipes(int fds[PIPES])
{
    for (int i = 0; i < PIPES; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

void cmd_outlets_open(unsigned count)
{
    size_t size = count * sizeof *all.outlets;
    void  *outlets = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    all.outlets = outlets != MAP_FAILED ? outlets : NULL;
    all.fds = malloc(count * sizeof *all.fds);
    all.heard = calloc(count, sizeof *all.heard);
    all.count = count;
    if (all.fds != NULL)
        memset(all.fds, -1, count * sizeof *all.fds);
    bool good = all.outlets != NULL && all.fds != NULL && all.heard != NULL &&
                getrandom(all.mark, sizeof all.mark, 0) == sizeof all.mark;
    for (unsigned i = 0; good && i < count; i++)
        good = open_pipes(all.fds[i]);
    all.pipe_size = good ? fcntl(all.fds[0][0], F_GETPIPE_SZ) : 0;
    if (!good)
        cmd_outlets_close();
}

void cmd_outlets_close(void)
{
    for (unsigned i = 0; all.fds != NULL && i < all.count; i++)
        close_pipes(all.fds[i]);
    if (all.outlets != NULL)
        munmap(all.outlets, all.count * sizeof *all.outlets);
    free(all.fds);
    free(all.heard);
    memset(&all, 0, sizeof all);
}

/* ------------------------------------------------------------- in a worker */

static void close_others(unsigned own)
{
    for (unsigned i = 0; i < all.count && !all.alone; i++) {
        if (i != own)
            close_pipes(all.fds[i]);
    }
    all.alone = true;
}

static uint64_t owner_of(uint64_t ordinal, bool last)
{
    return (ordinal + 1) << 1 | last;
}

/* Nobody can write to it - what survived its worker is ended, and may take a moment - and there is nothing
 * in it any more: it may have written on after this outlet was salvaged.  Somebody elsewhere may have been
 * given the writing end, and keep it: that is waited for once. */
static bool is_clean(int fd)
{
    char          rest[PIPE_BUF];
    struct pollfd end = {.fd = fd};
    if (poll(&end, 1, all.impatient ? 0 : PATIENCE_MS) != 1) {
        all.impatient = true;
        return false;
    }
    while (read(fd, rest, sizeof rest) > 0) {
    }
    if (fcntl(fd, F_GETPIPE_SZ) != all.pipe_size)
        (void)fcntl(fd, F_SETPIPE_SZ, all.pipe_size); /* the last job had changed it */
    return true;                                      /* no writer was left, so none can come */
}

/* True: it is ours now.  One that was not free when it was waited for is not waited for again. */
static bool take_over(struct cmd_outlet *outlet, uint64_t owner)
{
    static const struct timespec patience = {.tv_nsec = PATIENCE_MS * 1000000L};
    for (int looks = 0; looks < 2; looks++) {
        uint32_t seen = atomic_load_explicit(&outlet->salvaged, memory_order_acquire);
        uint64_t before = atomic_load_explicit(&outlet->owner, memory_order_acquire);
        bool     free = before == 0 || (before != TAKING && (before & 1) == 0);
        if (free && atomic_compare_exchange_strong_explicit(
                        &outlet->owner, &before, owner, memory_order_acq_rel, memory_order_relaxed))
            return true;
        if (all.impatient)
            break;
        if (looks == 0)
            (void)syscall(SYS_futex, &outlet->salvaged, FUTEX_WAIT, seen, &patience, NULL, 0);
    }
    all.impatient = true;
    return false;
}

/* Above the standard descriptors, or -1. */
static int open_to_write(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int end = open(path, O_WRONLY | O_CLOEXEC);
    if (end < 0 || end > STDERR_FILENO)
        return end;
    int high = fcntl(end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close(end);
    return high;
}

struct cmd_outlet *cmd_outlet_claim(unsigned worker, const struct cmd_relay_head *head, bool last,
                                    int fds[2], int ends[2])
{
    if (worker >= all.count)
        return NULL;
    struct cmd_outlet *outlet = &all.outlets[worker];
    close_others(worker);
    if (!take_over(outlet, owner_of(head->ordinal, last)))
        return NULL;
    cmd_outlet_sent(outlet);
    outlet->record.head.ordinal = head->ordinal;
    outlet->record.head.attempt = head->attempt;
    outlet->record.head.slot = worker + 1;
    ends[0] = ends[1] = -1;
    if (is_clean(all.fds[worker][0]) && is_clean(all.fds[worker][1])) {
        for (int i = 0; i < PIPES; i++)
            ends[i] = open_to_write(all.fds[worker][i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0) {
        all.impatient = false;
        memcpy(fds, all.fds[worker], sizeof all.fds[worker]);
        return outlet;
    }
    close_pipes(ends);
    cmd_outlet_release(outlet);
    return NULL;
}

void cmd_outlet_release(struct cmd_outlet *outlet)
{
    atomic_store_explicit(&outlet->owner, 0, memory_order_release);
}

struct cmd_relay_record *cmd_outlet_record(struct cmd_outlet *outlet)
{
    return &outlet->record;
}

static uint32_t mark_size(uint32_t expected)
{
    return expected < MARK ? expected : MARK;
}

void cmd_outlet_expect(struct cmd_outlet *outlet, uint32_t size)
{
    uint32_t length = mark_size(size);
    outlet->record.head.length = (uint16_t)size;
    outlet->record.head.number++;
    memcpy(outlet->record.data + size - length, all.mark, length);
    atomic_store_explicit(&outlet->expected, size, memory_order_release);
}

void cmd_outlet_sent(struct cmd_outlet *outlet)
{
    atomic_store_explicit(&outlet->expected, 0, memory_order_release);
}

/* -------------------------------------------------------------------- here */

void cmd_outlets_heard(const struct cmd_relay_record *record)
{
    if (record->head.slot > 0 && record->head.slot <= all.count)
        all.heard[record->head.slot - 1] = record->head.number;
}

/* What was read and not sent, if that is how it was. */
static void take_unsent(unsigned at, cmd_relay_take_fn *take, void *argument)
{
    struct cmd_outlet *outlet = &all.outlets[at];
    uint32_t           size = atomic_load_explicit(&outlet->expected, memory_order_acquire);
    uint32_t           length = mark_size(size);
    atomic_store_explicit(&outlet->expected, 0, memory_order_relaxed);
    if (size == 0 || size > CMD_RELAY_ROOM || outlet->record.head.number == all.heard[at] ||
        memcmp(outlet->record.data + size - length, all.mark, length) == 0)
        return;
    outlet->record.head.length = (uint16_t)size;
    if (outlet->record.head.kind == CMD_RELAY_OUT || outlet->record.head.kind == CMD_RELAY_ERR)
        take(&outlet->record, argument);
}

/* As much as is in it now: somebody may still write. */
static void take_pipe(unsigned at, int which, cmd_relay_take_fn *take, void *argument)
{
    struct cmd_relay_record record = {.head = all.outlets[at].record.head};
    int                     left = 0;
    record.head.kind = which == 0 ? CMD_RELAY_OUT : CMD_RELAY_ERR;
    if (ioctl(all.fds[at][which], FIONREAD, &left) < 0)
        return;
    while (left > 0) {
        size_t  room = (size_t)left < sizeof record.data ? (size_t)left : sizeof record.data;
        ssize_t n = read(all.fds[at][which], record.data, room);
        if (n <= 0)
            return;
        left -= (int)n;
        record.head.length = (uint16_t)n;
        take(&record, argument);
    }
}

void cmd_outlets_salvage(uint64_t ordinal, cmd_relay_take_fn *take, void *argument)
{
    for (unsigned at = 0; at < all.count; at++) {
        struct cmd_outlet *outlet = &all.outlets[at];
        uint64_t           owner = atomic_load_explicit(&outlet->owner, memory_order_acquire);
        if (owner >> 1 != ordinal + 1 ||
            !atomic_compare_exchange_strong_explicit(&outlet->owner, &owner, TAKING,
                                                     memory_order_acq_rel, memory_order_relaxed))
            continue;
        take_unsent(at, take, argument);
        for (int i = 0; i < PIPES; i++)
            take_pipe(at, i, take, argument);
        cmd_outlet_release(outlet);
        atomic_fetch_add_explicit(&outlet->salvaged, 1, memory_order_release);
        (void)syscall(SYS_futex, &outlet->salvaged, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
}
