/*
 * finalize.c - the end of a pool's work: drain, SIGTERM, grace, SIGKILL.
 *
 *   1 DRAINING  no task is accepted any more; what is there is executed, for up to the timeout;
 *               workers get the bullet when nothing is left for them
 *   2 STOPPING  what has not begun is dropped; SIGTERM to every worker that is left, and the timeout
 *               once more for it to end
 *   3           SIGKILL, and no limit: the kernel ends a killed process
 *   then every callback that is due runs
 *
 * Invariants
 *   - Only one thread is in here for a pool; another one waits for it, unless it is in a callback,
 *     for which the first might be waiting.
 *   - The manager thread does the work meanwhile; this one only decides when to go on.
 */
#include "base/clock.h"
#include "pool/pool.h"

#include <errno.h>
#include <signal.h>

static bool all_gone(const struct pp_pool *pool)
{
    return pool->total == 0 && pool->unfinished == 0 && pool->apart == 0;
}

/* Wait until all is done and gone, or the time is over.  Workers that are still being born have nothing to
 * do then, and one that hangs in worker_init would keep us here. */
static void drain(struct pp_pool *pool, int64_t deadline)
{
    int error = 0;
    pp_pool_wake_manager(pool);
    while (!all_gone(pool) && error == 0) {
        if (pool->unfinished == 0 && pool->total == pool->starting)
            return;
        error = pp_pool_observe(pool, deadline);
    }
}

static struct pp_outcome *dropped(void)
{
    return pp_outcome_error(PP_CANCELLED, ECANCELED, "Cancelled",
                            "dropped when the pool was finalized", "", 0);
}

static void drop_waiting(struct pp_pool *pool)
{
    struct pp_task *task = NULL;
    struct pp_list *link = NULL;
    while ((task = pp_queue_first(&pool->queue)) != NULL) {
        pp_queue_remove(&pool->queue, task);
        pool->stopped_tasks++;
        pp_pool_latch(pool, task, dropped());
    }
    while ((link = pp_list_take_first(&pool->delayed)) != NULL) {
        pool->delayed_count--;
        pool->stopped_tasks++;
        pp_pool_latch(pool, PP_CONTAINER(link, struct pp_task, link), dropped());
    }
}

/* Wait until everything is gone or the time is over.  What comes back from a dead worker, because its words
 * were ruined and it could not be taken back, is dropped, too. */
static void wait_until_gone(struct pp_pool *pool, int64_t deadline)
{
    int error = 0;
    pp_pool_wake_manager(pool);
    for (;;) {
        drop_waiting(pool);
        if (all_gone(pool) || error < 0)
            break;
        error = pp_pool_observe(pool, deadline);
    }
}

/* A task in a tray that has not begun is dropped like one that is pending. */
static void drop_unbegun(struct pp_pool *pool)
{
    for (unsigned i = 0; i < pool->slot_count; i++)
        if (pool->workers[i] != NULL)
            pp_pool_recall_unbegun(pool, pool->workers[i]);
    drop_waiting(pool);
}

static void ask_to_stop(struct pp_pool *pool)
{
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct pp_worker *worker = pool->workers[i];
        if (worker == NULL)
            continue;
        atomic_store_explicit(&worker->tray->cancelled, UINT64_MAX, memory_order_relaxed);
        worker->reason = worker->reason == PP_KILL_NONE ? PP_KILL_FINALIZE : worker->reason;
        (void)pp_worker_signal(worker, SIGTERM); /* ESRCH: not born yet, or dead */
    }
}

static void kill_all(struct pp_pool *pool)
{
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct pp_worker *worker = pool->workers[i];
        if (worker == NULL)
            continue;
        /* one that was not born in all this time will not be: without its fork server it is buried,
         * and should it exist, it never gets its go */
        if (worker->pidfd >= 0)
            pp_pool_kill(pool, worker, PP_KILL_FINALIZE, 0);
        else if (worker->server != NULL && pp_server_kill(worker->server) < 0)
            pp_pool_server_dead(pool, worker->server); /* as good as that */
    }
}

static void stop_workers(struct pp_pool *pool, int64_t patience)
{
    pool->life = PP_LIFE_STOPPING;
    drop_unbegun(pool);
    ask_to_stop(pool);
    wait_until_gone(pool, pp_deadline_after(pp_clock_now(), patience));
    if (all_gone(pool))
        return;
    kill_all(pool);
    wait_until_gone(pool, PP_NEVER);
}

/* Every callback has run when this returns, but those on whose thread we are. */
static void deliver_all(struct pp_pool *pool)
{
    for (;;) {
        if (pp_pool_deliver_one(pool))
            continue;
        if (pp_pool_other_frames(pool) == 0)
            return;
        (void)pp_pool_observe(pool, PP_NEVER);
    }
}

static void close_to_submitters(struct pp_pool *pool)
{
    pool->life = PP_LIFE_DRAINING;
    pthread_cond_broadcast(&pool->space);
}

/* Another thread is at it: wait for it, unless it may be waiting for our callback. */
static void join_shut_down(struct pp_pool *pool)
{
    while (pool->finalizing && pp_pool_own_frames(pool) == 0)
        (void)pp_pool_observe(pool, PP_NEVER);
}

int pp_pool_shut_down(struct pp_pool *pool, double timeout, bool final)
{
    int64_t patience = pp_duration_ns(timeout);
    pool->final = pool->final || final; /* first: nobody starts it again while we wait */
    join_shut_down(pool);
    if (pool->life != PP_LIFE_RUNNING)
        return 0;
    pool->finalizing = true;
    pool->stopped_tasks = 0;
    pp_pool_watch(pool);
    close_to_submitters(pool);
    drain(pool, pp_deadline_after(pp_clock_now(), patience));
    if (!all_gone(pool))
        stop_workers(pool, patience);
    pool->life = PP_LIFE_STOPPED;
    pp_heap_remove(&pool->timers, &pool->spawn_timer);
    deliver_all(pool);
    pp_pool_unwatch(pool);
    pool->finalizing = false;
    pp_pool_progress(pool);
    return pool->stopped_tasks < INT32_MAX ? (int)pool->stopped_tasks : INT32_MAX;
}

/* A callback that ran meanwhile may have destroyed the pool: that comes now.  Then `pool` is gone. */
static void unlock_or_release(struct pp_pool *pool)
{
    bool destroy = pool->destroy_later && !pool->finalizing;
    pool->destroy_later = pool->destroy_later && !destroy;
    pp_pool_unlock(pool);
    if (destroy)
        pp_pool_release(pool);
}

static int shut_down(pp_pool *pool, double timeout, bool final)
{
    int error = pp_pool_check(pool);
    if (error == 0 && !pp_duration_valid(timeout, true))
        error = -EINVAL;
    if (error < 0)
        return error;
    pp_home_ref(&pool->home);
    pp_pool_lock(pool);
    int count = pp_pool_shut_down(pool, timeout, final);
    unlock_or_release(pool);
    pp_home_unref(&pool->home);
    return count;
}

int pp_pool_finalize(pp_pool *pool, double timeout)
{
    return shut_down(pool, timeout, true);
}

int pp_pool_stop_processing(pp_pool *pool, double timeout)
{
    return shut_down(pool, timeout, false);
}

int pp_pool_start_processing(pp_pool *pool)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_home_ref(&pool->home);
    pp_pool_lock(pool);
    if (pool->final)
        error = -ESHUTDOWN;
    else if (pool->life != PP_LIFE_RUNNING)
        error = pool->life == PP_LIFE_STOPPED && !pool->finalizing ? pp_pool_begin(pool) : -EBUSY;
    unlock_or_release(pool);
    pp_home_unref(&pool->home);
    return error;
}
