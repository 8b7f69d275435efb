/*
 * own.c - a bit for each descriptor of this process that is the library's.
 *
 * This is process-wide state, and fork is why it exists: a fork copies the descriptors of all pools,
 * and the one that asked for it knows only its own.
 *
 * `holders` counts the threads that are between a descriptor's birth, or death, and its bit; a fork
 * waits for them, and they wait for it.  It lies in the page that the kernel wipes in forked children
 * (lineage.h): whatever a program forks in the midst of this finds it free, and the bits, which are
 * its parent's, are forgotten with the first use - it may have closed those descriptors long ago, and
 * have others under their numbers.  A child of pp_hidden_fork reads them before.
 *
 * Any thread writes any of these.  Orders: a bit is written between the acquire of enter and the release
 * of the count, both read-modify-writes, so whoever reads FORKING alone has all of them; a thread that
 * enters after a thaw has what was done while all was frozen.  The bits themselves need no order.
 * `noted` publishes that the parent's bits are gone.
 *
 * Invariant: while FORKING is set and no holder is counted, a descriptor's bit is set if and only if
 * the library holds it.  Numbers above LIMIT have no bit.
 */
#include "base/own.h"

#include "base/lineage.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORD_BITS = 64, WORDS = 16384, LIMIT = WORDS * WORD_BITS };

static const uint32_t FORKING = UINT32_C(1) << 31;

static _Atomic uint64_t bits[WORDS];
static _Atomic unsigned words_used; /* none is set behind these */

/* -------------------------------------------------------------------------- holding */

static void wait_while(_Atomic uint32_t *holders, uint32_t seen)
{
    (void)syscall(SYS_futex, holders, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake_all(_Atomic uint32_t *holders)
{
    (void)syscall(SYS_futex, holders, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Count this thread in, or claim the fork; neither while another one has claimed it. */
static void enter(_Atomic uint32_t *holders, uint32_t as)
{
    uint32_t seen = atomic_load_explicit(holders, memory_order_relaxed);
    for (;;) {
        if ((seen & FORKING) != 0) {
            wait_while(holders, seen);
            seen = atomic_load_explicit(holders, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(
                       holders, &seen, seen + as, memory_order_acquire, memory_order_relaxed))
            return;
    }
}

static void release(_Atomic uint32_t *holders)
{
    if (atomic_fetch_sub_explicit(holders, 1, memory_order_release) == FORKING + 1)
        wake_all(holders);
}

static void freeze(_Atomic uint32_t *holders)
{
    uint32_t seen = 0;
    enter(holders, FORKING);
    while ((seen = atomic_load_explicit(holders, memory_order_acquire)) != FORKING)
        wait_while(holders, seen);
}

static void thaw(_Atomic uint32_t *holders)
{
    atomic_store_explicit(holders, 0, memory_order_release);
    wake_all(holders);
}

static void forget_parents(struct pp_lineage *here)
{
    freeze(&here->holders);
    if (!atomic_load_explicit(&here->noted, memory_order_relaxed)) {
        unsigned used = atomic_exchange_explicit(&words_used, 0, memory_order_relaxed);
        for (unsigned i = 0; i < used; i++)
            atomic_store_explicit(&bits[i], 0, memory_order_relaxed);
        atomic_store_explicit(&here->noted, true, memory_order_release);
    }
    thaw(&here->holders);
}

static int open_book(struct pp_lineage **here)
{
    int error = pp_lineage_here(here);
    if (error == 0 && !atomic_load_explicit(&(*here)->noted, memory_order_acquire))
        forget_parents(*here);
    return error;
}

/* ------------------------------------------------------------------------------ bits */

static bool has_bit(int fd)
{
    return fd >= 0 && fd < LIMIT;
}

static uint64_t bit_of(int fd)
{
    return UINT64_C(1) << ((unsigned)fd % WORD_BITS);
}

void pp_own_note(int fd)
{
    unsigned word = (unsigned)fd / WORD_BITS;
    unsigned used = atomic_load_explicit(&words_used, memory_order_relaxed);
    if (!has_bit(fd))
        return;
    while (used <= word &&
           !atomic_compare_exchange_weak_explicit(&words_used, &used, word + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    atomic_fetch_or_explicit(&bits[word], bit_of(fd), memory_order_relaxed);
}

static void forget(int fd)
{
    if (has_bit(fd))
        atomic_fetch_and_explicit(&bits[(unsigned)fd / WORD_BITS], ~bit_of(fd),
                                  memory_order_relaxed);
}

/* --------------------------------------------------------------------------- callers */

int pp_own_begin(void)
{
    struct pp_lineage *here = NULL;
    int                error = open_book(&here);
    if (error == 0)
        enter(&here->holders, 1);
    return error;
}

int pp_own_end(int fd)
{
    int                result = fd < 0 ? -errno : fd;
    struct pp_lineage *here = NULL;
    pp_own_note(fd);
    if (pp_lineage_here(&here) == 0) /* it is there since the beginning */
        release(&here->holders);
    return result;
}

void pp_own_give_away(int fd)
{
    if (pp_own_begin() < 0)
        return; /* then it was never noted */
    forget(fd);
    (void)pp_own_end(-1);
}

void pp_own_close(int fd)
{
    bool held = pp_own_begin() == 0;
    if (held)
        forget(fd);
    (void)close(fd); /* no write was buffered, so there is no error to lose */
    if (held)
        (void)pp_own_end(-1);
}

int pp_own_freeze(void)
{
    struct pp_lineage *here = NULL;
    int                error = open_book(&here);
    if (error == 0)
        freeze(&here->holders);
    return error;
}

void pp_own_thaw(void)
{
    struct pp_lineage *here = NULL;
    if (pp_lineage_here(&here) == 0)
        thaw(&here->holders);
}

static bool among(const int *keep, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

void pp_own_close_inherited(const int *keep, size_t count)
{
    unsigned used = atomic_load_explicit(&words_used, memory_order_relaxed);
    for (unsigned i = 0; i < used; i++) {
        uint64_t left = atomic_load_explicit(&bits[i], memory_order_relaxed);
        for (; left != 0; left &= left - 1) {
            int fd = (int)(i * WORD_BITS) + __builtin_ctzll(left);
            if (!among(keep, count, fd))
                (void)close(fd);
        }
    }
}
