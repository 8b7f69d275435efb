/*
 * direct.c - who waits for what a worker executes now sleeps on the word that this worker will change.
 *
 * By way of the bell, the manager and the waiter's own word a result is two wake-ups away; so it is one.
 * The worker is told in its tray which ticket's word is slept on, and wakes that word's sleeper when it
 * has published the result.  One waiter for each worker; others go by way of the manager.
 *
 * Invariants
 *   - No wake-up is lost: the host writes `direct`, then, behind a fence, looks at the word; the worker
 *     writes the word, then, behind a fence, looks at `direct` (reply.c).  At least one sees the other.
 *   - Whatever else ends the ticket - its worker died, it was cancelled, taken back or collected by another
 *     thread - goes through pp_pool_forget_sent, and that wakes the waiter by its own word.
 *   - A sleeper that was woken by its own word may stand in the queue of the worker's word for as long as it
 *     gets no processor, also when that word belongs to another ticket: so a worker wakes all that stand there.
 *   - No lock is held meanwhile; the worker's memory stays mapped: it is held.
 *   - Nothing follows from the worker's word but a look at the pool: the worker can write it.  A word that
 *     changes again and again wakes us a few times, and then no more.
 *
 * FUTEX_WAITV, which sleeps on two words, is of Linux 5.16.  Without it all go by way of the manager.
 */
#include "pool/pool.h"
#include "shm/doorbell.h"

#include <errno.h>

enum { TURNS = 8 };

static bool is_possible(const struct pp_pool *pool, const struct pp_task *task)
{
    if (pool->no_direct || pool->watchers > 0 || pp_task_place(task) != PP_PLACE_SENT)
        return false;
    const struct pp_worker *worker = task->worker;
    return worker->state == PP_WORKER_READY && worker->head == task->ticket &&
           worker->direct == NULL;
}

/* 0 or -errno of the wait; a word that says neither QUEUED nor RUNNING ends it. */
static int sleep_on(struct pp_waiter *waiter, struct pp_result *result, uint64_t ticket,
                    int64_t deadline)
{
    int error = 0;
    for (unsigned turn = 0; turn < TURNS && error == 0; turn++) {
        enum pp_slot_state state = pp_mailbox_state(result, ticket);
        if (state != PP_SLOT_QUEUED && state != PP_SLOT_RUNNING)
            break;
        if (atomic_load_explicit(&waiter->word, memory_order_relaxed) != 0)
            break;
        /* should it change in between, the kernel sees that it is not this */
        error = pp_futex_wait_two(&waiter->word, 0, pp_word_low(&result->word),
                                  (uint32_t)pp_word(ticket, state), deadline);
    }
    return error;
}

static void begin(struct pp_worker *worker, struct pp_waiter *waiter, uint64_t ticket)
{
    worker->direct = waiter;
    worker->direct_ticket = ticket;
    atomic_store_explicit(&worker->tray->direct, ticket, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the one in reply.c */
    pp_worker_hold(worker);
}

void pp_pool_end_direct(struct pp_worker *worker)
{
    struct pp_waiter *waiter = worker->direct;
    worker->direct = NULL;
    atomic_store_explicit(&worker->tray->direct, 0, memory_order_relaxed);
    /* it needs our lock before it goes on: its stack is still there */
    atomic_store_explicit(&waiter->word, 1, memory_order_relaxed);
    (void)pp_futex_wake(&waiter->word, false);
}

void pp_pool_wait_direct(struct pp_pool *pool, const struct pp_task *task, int64_t deadline)
{
    struct pp_waiter waiter = {0};
    pp_pool_lock(pool);
    pp_pool_harvest_of(pool, task);
    if (is_possible(pool, task)) {
        struct pp_worker *worker = task->worker;
        uint64_t          ticket = task->ticket;
        begin(worker, &waiter, ticket);
        pp_pool_unlock(pool);
        int error = sleep_on(&waiter, pp_box_result(worker->box, ticket), ticket, deadline);
        pp_pool_lock(pool);
        pool->no_direct = pool->no_direct || (error < 0 && error != -ETIMEDOUT);
        if (worker->direct == &waiter) {
            worker->direct = NULL;
            atomic_store_explicit(&worker->tray->direct, 0, memory_order_relaxed);
        }
        pp_worker_release(worker);
        pp_pool_harvest_of(pool, task);
    }
    pp_pool_unlock(pool);
}
