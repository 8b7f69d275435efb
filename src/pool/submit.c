/*
 * submit.c - (1) a task comes into the pool.
 *
 * Invariants
 *   - Accepting is all or nothing: every resource that the task may need on its way is had before
 *     the table says ACCEPT, so nothing behind it can fail for want of memory.
 *   - A task that nobody else knows of is made on the caller's stack, and moved into spare memory when
 *     it is accepted.
 *   - At most max_queued tasks wait.  A task waits until it is handed to a worker that has nothing
 *     before it.
 */
#include "base/clock.h"
#include "pool/pool.h"

#include <errno.h>

unsigned pp_pool_waiting(const struct pp_pool *pool)
{
    return (unsigned)pool->queue.count + pool->behind;
}

void pp_pool_space(struct pp_pool *pool)
{
    if (pool->blocked > 0 && pp_pool_waiting(pool) < pool->max_queued)
        pthread_cond_broadcast(&pool->space);
}

static bool is_full(const struct pp_pool *pool)
{
    return pp_pool_waiting(pool) >= pool->max_queued;
}

/* Wait until there is a place: 0, -ESHUTDOWN, -EAGAIN or -ETIMEDOUT. */
static int wait_for_place(struct pp_pool *pool, bool blocking, int64_t deadline)
{
    int error = 0;
    if (!blocking)
        return -EAGAIN;
    pool->blocked++;
    pp_pool_arm(pool);
    while (error == 0 && pool->life == PP_LIFE_RUNNING) {
        pp_pool_collect(pool);
        if (!is_full(pool))
            break;
        if (deadline == PP_NEVER)
            pthread_cond_wait(&pool->space, &pool->lock);
        else {
            struct timespec until = pp_timespec(deadline);
            if (pthread_cond_clockwait(&pool->space, &pool->lock, CLOCK_MONOTONIC, &until) ==
                ETIMEDOUT)
                error = is_full(pool) ? -ETIMEDOUT : 0;
        }
    }
    pool->blocked--;
    return error;
}

static int reserve_timers(struct pp_pool *pool, struct pp_task *task)
{
    if (pp_task_limit(task) == 0 && pp_task_retries(task) == 0)
        return 0;
    int error =
        pp_heap_reserve(&pool->timers, pool->timed_tasks + 1 + (size_t)pool->slot_count * 3 + 1);
    task->timed = error == 0;
    pool->timed_tasks += task->timed ? 1 : 0;
    return error;
}

static int reserve_all(struct pp_pool *pool, struct pp_task *task)
{
    int error = pp_queue_join(&pool->queue, task);
    if (error < 0)
        return error;
    error = reserve_timers(pool, task);
    if (error < 0)
        pp_queue_leave(&pool->queue, task);
    return error;
}

/* A task that may be tried again: its end is heard, also behind others of which nobody is to hear. */
static void listen_for(struct pp_pool *pool)
{
    pool->retriable++;
    if (!pool->bells)
        pp_pool_arm(pool);
}

/* The pool takes over one reference of the task. */
static int take_in(struct pp_pool *pool, struct pp_task *task)
{
    int error = reserve_all(pool, task);
    if (error < 0)
        return error;
    task->home = &pool->home;
    if (task->id == 0)
        task->id = ++pool->next_id;
    task->order = ++pool->next_order;
    task->queued_at = pool->now = pp_clock_now();
    pool->unfinished++;
    pool->unprocessed++;
    if (pp_task_retries(task) > 0)
        listen_for(pool);
    (void)pp_task_step(task, PP_EVENT_ACCEPT);
    pp_queue_add(&pool->queue, task);
    return 0;
}

/* Of a program, which keeps a reference of its own. */
static int accept_task(struct pp_pool *pool, struct pp_task *task)
{
    /* relaxed: of two threads one wins, and only that one goes on */
    if (atomic_exchange_explicit(&task->claimed, true, memory_order_relaxed))
        return -EALREADY;
    int error = take_in(pool, task);
    if (error < 0) {
        atomic_store_explicit(&task->claimed, false, memory_order_relaxed);
        return error;
    }
    pp_task_hold_home(task);
    (void)pp_task_ref(task);
    return 0;
}

/* Tasks of other priorities: nobody may stay before a more urgent one. */
static void let_urgent_pass(struct pp_pool *pool)
{
    if (pool->behind == 0 || !pp_queue_mixed(&pool->queue))
        return;
    struct pp_list *next = NULL;
    for (struct pp_list *link = pool->busy.next; link != &pool->busy; link = next) {
        next = link->next;
        pp_pool_recall_behind(pool, PP_CONTAINER(link, struct pp_worker, link));
    }
}

/* Nobody has looked at the workers for a while.  If it has to pend all the same, the manager, which may
 * sleep, is to hear of what is done. */
static void look_for_room(struct pp_pool *pool)
{
    pp_pool_collect(pool);
    if (pool->queue.count == 0)
        return;
    pp_pool_arm(pool);
    pp_pool_collect(pool); /* behind its fence: what was done before can have rung for nobody */
}

static void refuse_if_hopeless(struct pp_pool *pool)
{
    if (pp_pool_hopeless(pool))
        pp_pool_tend(pool);
}

/* From the draft to a task that the pool alone refers to. */
static int accept_draft(struct pp_pool *pool, struct pp_draft *draft)
{
    struct pp_task *task = pp_spares_settle(&pool->spares, draft);
    if (task == NULL)
        return -ENOMEM;
    int error = take_in(pool, task);
    if (error < 0)
        pp_task_unref(task);
    return error;
}

/* `draft`: where the task lies, or NULL when it is a program's. */
static int submit(struct pp_pool *pool, struct pp_task *task, struct pp_draft *draft, bool blocking,
                  int64_t deadline)
{
    int  error = 0;
    bool waited = false;
    pp_pool_lock(pool);
    if (pp_task_place(task) != PP_PLACE_NEW)
        error = -EALREADY;
    else if (pool->life == PP_LIFE_RUNNING && is_full(pool)) {
        pp_pool_collect(pool);
        if (is_full(pool)) {
            pp_home_ref(&pool->home); /* another thread may destroy the pool while this one waits */
            waited = true;
            error = wait_for_place(pool, blocking, deadline);
        }
    }
    if (error == 0 && pool->life != PP_LIFE_RUNNING)
        error = -ESHUTDOWN;
    if (error == 0 && pp_task_place(task) != PP_PLACE_NEW)
        error = -EALREADY;    /* another thread queued the same task while this one waited */
    bool deaf = !pool->bells; /* what is done by now has told nobody */
    if (error == 0)
        error = draft != NULL ? accept_draft(pool, draft) : accept_task(pool, task);
    if (error == 0) {
        let_urgent_pass(pool);
        pp_pool_dispatch(pool);
        if (pool->queue.count > 0 && deaf)
            look_for_room(pool);
        if (pool->queue.count > 0 && pool->idle_count == 0)
            pp_pool_tend(pool);
        refuse_if_hopeless(pool);
    }
    pp_pool_unlock(pool);
    if (waited)
        pp_home_unref(&pool->home);
    return error;
}

int pp_pool_submit(struct pp_pool *pool, struct pp_task *task, bool blocking, int64_t deadline)
{
    return submit(pool, task, NULL, blocking, deadline);
}

int pp_pool_queue_task(pp_pool *pool, pp_task *task)
{
    int error = pp_pool_check(pool);
    if (error == 0 && task == NULL)
        error = -EINVAL;
    return error < 0 ? error : pp_pool_submit(pool, task, task->blocking, PP_NEVER);
}

int pp_pool_queue_task_timed(pp_pool *pool, pp_task *task, double timeout)
{
    int error = pp_pool_check(pool);
    if (error == 0 && (task == NULL || !pp_duration_valid(timeout, true)))
        error = -EINVAL;
    if (error < 0)
        return error;
    return pp_pool_submit(pool, task, true,
                          pp_deadline_after(pp_clock_now(), pp_duration_ns(timeout)));
}

static int submit_draft(struct pp_pool *pool, struct pp_draft *draft)
{
    int error = submit(pool, &draft->task, draft, draft->task.blocking, PP_NEVER);
    pp_task_empty(&draft->task); /* when it was refused */
    return error;
}

int pp_pool_create_and_queue_task(pp_pool *pool, pp_callable callable,
                                  const pp_task_options *options, const char *format, ...)
{
    struct pp_draft draft;
    va_list         arguments;
    int             error = pp_pool_check(pool);
    if (error < 0)
        return error;
    va_start(arguments, format);
    error = pp_draft_make_args(&draft, &callable, options, format, &arguments);
    va_end(arguments);
    return error < 0 ? error : submit_draft(pool, &draft);
}

int pp_pool_create_and_queue_bytes(pp_pool *pool, pp_callable callable,
                                   const pp_task_options *options, const void *data, size_t size)
{
    struct pp_draft draft;
    int             error = pp_pool_check(pool);
    if (error < 0)
        return error;
    error = pp_draft_make_bytes(&draft, &callable, options, data, size);
    return error < 0 ? error : submit_draft(pool, &draft);
}
