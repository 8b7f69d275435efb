/*
 * take.c - (4) a worker takes its next request, or sleeps.
 *
 * Invariants
 *   - No wake-up is lost: the bell is read, then sleep announced, then, behind a fence, the word
 *     looked at once more; the host writes the word, then, behind a fence, looks whether we sleep.
 *     Either it sees us asleep and changes the bell, or we see the word.
 *   - An idle worker makes no system call: it sleeps without limit until its bell changes.
 *   - After a bullet the tray is emptied first.
 */
#include "base/clock.h"
#include "base/relax.h"
#include "shm/doorbell.h"
#include "worker/self.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Turns of the spin before a sleep: some microseconds, and some tens of them.  One turn is like another,
 * so tests/kill, which goes through them step by step, asks for fewer. */
#ifndef PP_SPINS_MIN
#define PP_SPINS_MIN 64
#endif
enum { SPINS_MIN = PP_SPINS_MIN, SPINS_MAX = 16 * PP_SPINS_MIN };

/* Go through the tickets until one can be claimed or is not written yet. */
static enum pp_claim claim_next(struct pp_worker_self *self)
{
    for (;; self->ticket++) {
        enum pp_claim claim =
            pp_mailbox_claim(pp_box_result(self->box, self->ticket), self->ticket);
        if (claim == PP_CLAIM_BROKEN)
            _exit(PP_EXIT_BOX_RUINED); /* nothing here can be believed; the host begins afresh */
        if (claim != PP_CLAIM_OVER)
            return claim;
    }
}

/* Processes that tasks left behind are adopted by us; those that ended are zombies until then. */
static void bury_adopted(void)
{
    siginfo_t info;
    do
        info.si_pid = 0;
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid != 0);
}

static bool told_to_leave(const struct pp_worker_self *self)
{
    uint32_t orders = atomic_load_explicit(&self->tray->orders, memory_order_acquire);
    return (orders & PP_ORDER_BULLET) != 0;
}

/* How long that moment is: twice as long after a sleep that was soon over, half as long after one that
 * was not. */
static void learn_patience(struct pp_worker_self *self, int64_t slept)
{
    enum { SOON_NS = 60 * 1000 };
    if (slept >= SOON_NS)
        self->patience /= 2;
    else if (self->patience < SPINS_MAX)
        self->patience *= 2;
}

/* True: a request is claimed.  False: woken for some reason, look again. */
static bool sleep_until_rung(struct pp_worker_self *self)
{
    uint32_t seen = atomic_load_explicit(&self->tray->bell, memory_order_acquire);
    atomic_store_explicit(&self->box->awake, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in pp_wake_worker */
    bool claimed = claim_next(self) == PP_CLAIM_YES;
    if (!claimed && !told_to_leave(self)) {
        int64_t fell_asleep = pp_clock_now();
        (void)pp_futex_wait(&self->tray->bell, seen, true, PP_NEVER);
        learn_patience(self, pp_clock_now() - fell_asleep);
    }
    atomic_store_explicit(&self->box->awake, PP_AWAKE, memory_order_relaxed);
    self->now = 0;
    return claimed;
}

/* A request that comes within a moment is worth waiting for without sleeping, since a sleep costs the
 * host a system call and us the way back. */
static bool spin_for_request(struct pp_worker_self *self)
{
    if (self->patience < SPINS_MIN)
        self->patience = SPINS_MIN;
    for (unsigned spins = 0; spins < self->patience; spins++) {
        if (claim_next(self) == PP_CLAIM_YES)
            return true;
        self->now = 0; /* what comes now comes later than that */
        pp_relax();
    }
    return false;
}

/* The order of leaving is read before the last look at the tray, so nothing that was published
 * before it is left behind. */
static bool wait_for_request(struct pp_worker_self *self)
{
    if (spin_for_request(self))
        return true;
    bury_adopted();
    for (;;) {
        bool leave = told_to_leave(self);
        if (claim_next(self) == PP_CLAIM_YES)
            return true;
        if (leave)
            return false;
        if (sleep_until_rung(self))
            return true;
    }
}

bool pp_worker_take(struct pp_worker_self *self)
{
    struct pp_call *call = &self->call;
    if (!wait_for_request(self))
        return false;
    call->worker = self;
    call->ticket = self->ticket++;
    call->request = pp_tray_request(self->tray, call->ticket);
    call->result = pp_box_result(self->box, call->ticket);
    atomic_store_explicit(&self->ledger->begun, call->ticket, memory_order_release);
    return true;
}
