/*
 * linger.c - who waits for a short task looks at its word for a moment before sleeping.
 *
 * The way by the worker's bell, the manager and a futex costs two sleeps and two wake-ups, which is
 * more than many a task.  For as long as those would take the caller looks at the word itself: a result
 * that comes by then has rung no bell, and woken nobody.
 *
 * It is tried when the worker is awake - to wake one on another processor takes longer than that, and on
 * this one it has to wait for us - and what is before it, by the mean of what tasks took lately, will
 * be over within the moment.  Each time that it was in vain, twice as many waits as before go to sleep
 * at once.
 *
 * Invariants
 *   - No lock is held meanwhile.  The worker's memory stays mapped: it is held.
 *   - Nothing follows from the word but a look at the pool, under its lock: the worker can write it.
 */
#include "base/relax.h"
#include "pool/pool.h"

enum {
    MOMENT_NS = 40 * 1000, /* two sleeps and two wake-ups, about */
    TURNS = 2048,          /* fill it */
    PASSES_MOST = 256      /* waits that go to sleep at once, after a failure */
};

static bool says_awake(const struct pp_worker *worker)
{
    return atomic_load_explicit(&worker->box->awake, memory_order_relaxed) == PP_AWAKE;
}

/* Tickets before it count, too. */
static bool is_soon(const struct pp_pool *pool, const struct pp_task *task)
{
    int64_t tickets = (int64_t)(task->ticket - task->worker->head) + 1;
    return pool->mean_run >= 0 && pool->mean_run < MOMENT_NS / tickets;
}

static bool is_worth_it(struct pp_pool *pool, const struct pp_task *task)
{
    if (pp_task_place(task) != PP_PLACE_SENT || !says_awake(task->worker) || !is_soon(pool, task))
        return false;
    if (pool->linger_passes == 0)
        return true;
    pool->linger_passes--;
    return false;
}

static void learn(struct pp_pool *pool, bool in_time)
{
    if (in_time)
        pool->linger_failures = 0;
    else if (pool->linger_failures == 0)
        pool->linger_failures = 1;
    else if (pool->linger_failures < PASSES_MOST)
        pool->linger_failures *= 2;
    pool->linger_passes = in_time ? 0 : pool->linger_failures;
}

/* True: the ticket is over, in whatever way. */
static bool look(struct pp_result *result, uint64_t ticket)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        enum pp_slot_state state = pp_mailbox_state(result, ticket);
        if (state != PP_SLOT_QUEUED && state != PP_SLOT_RUNNING)
            return true;
        pp_relax();
    }
    return false;
}

void pp_pool_linger(struct pp_pool *pool, const struct pp_task *task)
{
    pp_pool_lock(pool);
    pp_pool_harvest_of(pool, task);
    if (is_worth_it(pool, task)) {
        struct pp_worker *worker = task->worker;
        uint64_t          ticket = task->ticket;
        pp_worker_hold(worker);
        pp_pool_unlock(pool);
        bool in_time = look(pp_box_result(worker->box, ticket), ticket);
        pp_pool_lock(pool);
        pp_worker_release(worker);
        learn(pool, in_time);
        if (in_time)
            pp_pool_collect(pool);
    }
    pp_pool_unlock(pool);
}
