/*
 * deliver.c - (8) the callbacks of ended tasks.
 *
 * Invariants
 *   - A task is taken out of the list of ended ones under the lock before its callbacks run, so they
 *     run once, whichever threads are at it.
 *   - They run with no lock held; the thread that runs them is listed meanwhile, so that finalize can
 *     wait for the others and not for itself.
 *   - The task's own callback runs first, then the pool's.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "pool/pool.h"
#include "shm/doorbell.h"
#include "task/payload.h"

#include <errno.h>

static void run_callbacks(struct pp_task *task, pp_result_fn *callback,
                          pp_exception_fn *exception_callback, void *userdata)
{
    const struct pp_outcome *outcome = task->outcome;
    if (outcome->state == PP_DONE) {
        if (task->callback != NULL)
            task->callback(task, &outcome->document.root, task->userdata);
        if (task->use_pool_callbacks && callback != NULL)
            callback(task, &outcome->document.root, userdata);
        return;
    }
    if (task->exception_callback != NULL)
        task->exception_callback(task, outcome->error, task->userdata);
    if (task->use_pool_callbacks && exception_callback != NULL)
        exception_callback(task, outcome->error, userdata);
}

static void silence_when_nothing_is_due(struct pp_pool *pool)
{
    if (pool->fd_used && pool->ended_count == 0 && pool->ended_without_callbacks == 0)
        pp_bell_clear(pool->ready_fd);
}

bool pp_pool_deliver_one(struct pp_pool *pool)
{
    struct pp_list *link = pp_list_take_first(&pool->ended);
    struct pp_frame frame = {.thread = pthread_self()};
    if (link == NULL)
        return false;
    struct pp_task  *task = PP_CONTAINER(link, struct pp_task, link);
    pp_result_fn    *callback = pool->callback;
    pp_exception_fn *exception_callback = pool->exception_callback;
    pool->ended_count--;
    silence_when_nothing_is_due(pool);
    pp_list_append(&pool->frames, &frame.link);
    int memfd = pp_payload_take_memfd(task);
    pp_pool_unlock(pool);
    pp_close(&memfd);
    run_callbacks(task, callback, exception_callback, pool->userdata);
    bool spare = pp_spares_release(task);
    pp_pool_lock(pool);
    if (spare)
        pp_spares_keep(&pool->spares, task);
    pp_list_remove(&frame.link);
    pool->unprocessed--;
    pp_pool_progress(pool);
    return true;
}

static unsigned count_frames(const struct pp_pool *pool, bool own)
{
    unsigned  count = 0;
    pthread_t self = pthread_self();
    for (struct pp_list *link = pool->frames.next; link != &pool->frames; link = link->next) {
        const struct pp_frame *frame = PP_CONTAINER(link, struct pp_frame, link);
        count += (pthread_equal(frame->thread, self) != 0) == own ? 1 : 0;
    }
    return count;
}

unsigned pp_pool_own_frames(const struct pp_pool *pool)
{
    return count_frames(pool, true);
}

unsigned pp_pool_other_frames(const struct pp_pool *pool)
{
    return count_frames(pool, false);
}

/* What ended without anything to call counts as processed now. */
static uint64_t take_uncalled(struct pp_pool *pool)
{
    uint64_t count = pool->ended_without_callbacks;
    pool->ended_without_callbacks = 0;
    if (count > 0)
        silence_when_nothing_is_due(pool);
    return count;
}

static int as_count(uint64_t count)
{
    return count < INT32_MAX ? (int)count : INT32_MAX;
}

/* Between callbacks, which may take long together: what pends goes to workers that have room by now. */
static void keep_workers_busy(struct pp_pool *pool, uint64_t delivered)
{
    enum { OFTEN = 32 };
    if (delivered % OFTEN == 0 && pool->queue.count > 0)
        pp_pool_collect(pool);
}

int pp_pool_process_results(pp_pool *pool)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_home_ref(&pool->home); /* a callback may destroy the pool */
    pp_pool_lock(pool);
    pp_pool_collect(pool);
    uint64_t count = take_uncalled(pool);
    /* callbacks that queue further tasks do not keep us here for ever */
    for (size_t due = pool->ended_count; due > 0 && pp_pool_deliver_one(pool); due--) {
        count++;
        keep_workers_busy(pool, count);
    }
    pp_pool_unlock(pool);
    pp_home_unref(&pool->home);
    return as_count(count);
}

/* Called from a callback, which cannot return before we do: then no running callback is waited for,
 * because one on another thread might be waiting for this one. */
static unsigned not_waited_for(const struct pp_pool *pool)
{
    unsigned own = pp_pool_own_frames(pool);
    return own > 0 ? own + pp_pool_other_frames(pool) : 0;
}

int pp_pool_process_all_results(pp_pool *pool, double timeout)
{
    int error = pp_pool_check(pool);
    if (error == 0 && !pp_duration_valid(timeout, true))
        error = -EINVAL;
    if (error < 0)
        return error;
    int64_t  deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(timeout));
    uint64_t count = 0;
    pp_home_ref(&pool->home);
    pp_pool_lock(pool);
    pp_pool_watch(pool);
    for (;;) {
        if (pp_pool_deliver_one(pool)) {
            count++;
            keep_workers_busy(pool, count);
            continue;
        }
        pp_pool_collect(pool);
        count += take_uncalled(pool);
        if (pool->ended_count > 0)
            continue;
        if (pool->unprocessed <= not_waited_for(pool) || error < 0)
            break;
        error = pp_pool_observe(pool, deadline);
    }
    pp_pool_unwatch(pool);
    error = pool->unprocessed > not_waited_for(pool) ? error : 0;
    pp_pool_unlock(pool);
    pp_home_unref(&pool->home);
    return error < 0 ? error : as_count(count);
}

void *pp_pool_daemon_main(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    while (!pool->quit) {
        if (pp_pool_deliver_one(pool))
            continue;
        (void)take_uncalled(pool);
        if (!pool->quit)
            pthread_cond_wait(&pool->deliver, &pool->lock);
    }
    pp_pool_unlock(pool);
    pp_home_unref(&pool->home);
    return NULL;
}

int pp_pool_daemonize(pp_pool *pool)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_pool_lock(pool);
    if (!pool->has_daemon) {
        pp_home_ref(&pool->home);
        error = pp_pool_start_thread(&pool->daemon, pp_pool_daemon_main, pool);
        if (error == 0) {
            pool->has_daemon = true;
            pp_pool_watch(pool); /* for good */
        } else
            pp_home_unref(&pool->home);
    }
    pp_pool_unlock(pool);
    return error;
}

static void start_using_fd(struct pp_pool *pool)
{
    pool->fd_used = true;
    pp_pool_watch(pool); /* for good */
    if (pool->ended_count > 0 || pool->ended_without_callbacks > 0)
        (void)pp_bell_ring(pool->ready_fd);
}

int pp_pool_fd(const pp_pool *pool)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_pool_lock(pool);
    if (!pool->fd_used)
        start_using_fd((struct pp_pool *)pool);
    pp_pool_unlock(pool);
    return pool->ready_fd;
}
