/*
 * doorbell.h - the only user of futex and eventfd: a word or a descriptor that wakes one waiter.
 *
 * The rule for both kinds: the waker first publishes what the waiter looks for, then rings; the
 * waiter first announces that it will sleep, then looks once more, then sleeps.  Between "publish"
 * and "is it asleep?" on one side, and between "announce" and "look" on the other, stands a
 * sequentially consistent fence, so at least one of the two sees the other.
 */
#ifndef PP_SHM_DOORBELL_H
#define PP_SHM_DOORBELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Sleep while *word is `seen`: 0 (woken, changed, or for no reason at all: look again) or
 * -ETIMEDOUT.  deadline in ns of CLOCK_MONOTONIC, PP_NEVER for none. */
int pp_futex_wait(const _Atomic uint32_t *word, uint32_t seen, bool shared, int64_t deadline);
/* Everybody who sleeps on it.  0, or -errno when nobody can be woken by that word. */
int pp_futex_wake(_Atomic uint32_t *word, bool shared);
/* The same for a private word and a shared one: awake when either is not what was seen, or is woken.
 * -ENOSYS: the kernel cannot. */
int pp_futex_wait_two(const _Atomic uint32_t *own, uint32_t own_seen,
                      const _Atomic uint32_t *shared, uint32_t shared_seen, int64_t deadline);

/* A bell that poll can wait for: non-blocking eventfd, CLOEXEC; descriptor or -errno. */
int pp_bell_create(void);
/* 0, or -errno when there is no bell any more. */
int pp_bell_ring(int bell);
/* Silence it; what rang before is taken note of by the caller looking at everything. */
void pp_bell_clear(int bell);

#endif
