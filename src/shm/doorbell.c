/*
 * doorbell.c - futex words and eventfds.
 *
 * Invariant: every wait ends by an event or its deadline.  A waiter whose waker died is woken by
 * whoever buries the dead: the host by the worker's pidfd, a worker by the signal that ends it.
 */
#include "shm/doorbell.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "base/own.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

int pp_futex_wait(const _Atomic uint32_t *word, uint32_t seen, bool shared, int64_t deadline)
{
    struct timespec  until;
    struct timespec *limit = NULL;
    if (deadline != PP_NEVER) {
        until = pp_timespec(deadline);
        limit = &until;
    }
    /* WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, WAIT a relative one */
    int  operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long result = syscall(SYS_futex, word, operation, seen, limit, NULL, FUTEX_BITSET_MATCH_ANY);
    /* not before its time, whatever the kernel says */
    return result < 0 && errno == ETIMEDOUT && pp_clock_now() >= deadline ? -ETIMEDOUT : 0;
}

/* All of them: who has been woken by its other word (pp_futex_wait_two) stands in this one's queue until
 * it runs.  If it took the only wake-up, who sleeps on this word now would sleep on. */
int pp_futex_wake(_Atomic uint32_t *word, bool shared)
{
    enum { TRIES = 3 };
    int  operation = FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long woken = -1; /* does not fail on a word that is mapped and aligned */
    for (int tries = 0; woken < 0 && tries < TRIES; tries++)
        woken = syscall(SYS_futex, word, operation, INT_MAX, NULL, NULL, 0);
    return woken < 0 ? -errno : 0;
}

int pp_futex_wait_two(const _Atomic uint32_t *own, uint32_t own_seen,
                      const _Atomic uint32_t *shared, uint32_t shared_seen, int64_t deadline)
{
    struct timespec    until;
    struct timespec   *limit = NULL;
    struct futex_waitv words[2] = {
        {.val = own_seen, .uaddr = (uintptr_t)own, .flags = FUTEX_32 | FUTEX_PRIVATE_FLAG},
        {.val = shared_seen, .uaddr = (uintptr_t)shared, .flags = FUTEX_32}};
    if (deadline != PP_NEVER) {
        until = pp_timespec(deadline);
        limit = &until;
    }
    if (syscall(SYS_futex_waitv, words, 2, 0, limit, CLOCK_MONOTONIC) >= 0 || errno == EAGAIN ||
        errno == EINTR)
        return 0;
    return -errno;
}

int pp_bell_create(void)
{
    int error = pp_own_begin();
    return error < 0 ? error : pp_own_end(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

void pp_bell_clear(int bell)
{
    uint64_t count = 0;
    unsigned times = 0;
    while (pp_interrupted(read(bell, &count, sizeof count), &times))
        ;
}

int pp_bell_ring(int bell)
{
    enum { TRIES = 3 }; /* one that is lost is missed by nobody */
    uint64_t one = 1;
    ssize_t  wrote = -1;
    for (int tries = 0; wrote < 0 && tries < TRIES; tries++) {
        unsigned times = 0;
        do
            wrote = write(bell, &one, sizeof one);
        while (pp_interrupted(wrote, &times));
        if (wrote < 0 && errno == EAGAIN)
            pp_bell_clear(bell); /* the counter is full: rung anew, for who sees edges */
    }
    return wrote < 0 ? -errno : 0;
}
