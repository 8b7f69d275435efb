/*
 * wait.c - looking at single tasks, waiting for them, cancelling them.
 *
 * Invariant: a waiter is in a task's list only between two moments at which it holds that task's
 * lock; when it leaves, no list refers to its stack any more.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "pool/pool.h"
#include "shm/doorbell.h"
#include "task/payload.h"

#include <errno.h>
#include <stdlib.h>

/* 0, or why nothing can be done with this task here. */
static int check_task(const struct pp_task *task)
{
    if (task == NULL)
        return -EINVAL;
    if (pp_task_place(task) == PP_PLACE_NEW)
        return 0;
    return pp_pool_check(pp_task_pool(task));
}

/* -------------------------------------------------------------------------- state */

static enum pp_slot_state slot_state(const struct pp_task *task)
{
    return pp_mailbox_state(pp_box_result(task->worker->box, task->ticket), task->ticket);
}

/* Done but not collected still counts as running: it has no outcome yet. */
static pp_state state_in_tray(const struct pp_task *task)
{
    return slot_state(task) == PP_SLOT_QUEUED ? PP_QUEUED : PP_RUNNING;
}

pp_state pp_task_state(const pp_task *task)
{
    pp_state state = PP_NEW;
    if (check_task(task) < 0 || pp_task_place(task) == PP_PLACE_NEW)
        return PP_NEW;
    if (pp_task_place(task) == PP_PLACE_ENDED)
        return task->outcome->state;
    struct pp_pool *pool = pp_task_pool(task);
    pp_pool_lock(pool);
    switch (pp_task_place(task)) {
    case PP_PLACE_ENDED:
        state = task->outcome->state;
        break;
    case PP_PLACE_SENT:
        state = state_in_tray(task);
        break;
    default:
        state = PP_QUEUED;
    }
    pp_pool_unlock(pool);
    return state;
}

unsigned pp_task_attempts(const pp_task *task)
{
    if (check_task(task) < 0 || pp_task_place(task) == PP_PLACE_NEW)
        return 0;
    if (pp_task_place(task) == PP_PLACE_ENDED)
        return task->attempts;
    struct pp_pool *pool = pp_task_pool(task);
    pp_pool_lock(pool);
    bool     running = pp_task_place(task) == PP_PLACE_SENT && state_in_tray(task) == PP_RUNNING;
    unsigned attempts = task->attempts + (running ? 1 : 0);
    pp_pool_unlock(pool);
    return attempts;
}

pid_t pp_task_worker_pid(const pp_task *task)
{
    if (check_task(task) < 0 || pp_task_place(task) == PP_PLACE_NEW)
        return 0;
    struct pp_pool *pool = pp_task_pool(task);
    pp_pool_lock(pool);
    pid_t pid = task->worker_pid;
    pp_pool_unlock(pool);
    return pid;
}

int pp_task_times(const pp_task *task, double *queued, double *ran)
{
    int error = check_task(task);
    if (error < 0)
        return error;
    if (pp_task_place(task) != PP_PLACE_ENDED)
        return -EBUSY;
    if (queued != NULL)
        *queued = pp_seconds(task->queue_wait);
    if (ran != NULL)
        *ran = pp_seconds(task->run_time);
    return 0;
}

/* ------------------------------------------------------------------------ waiting */

static bool ended(const struct pp_task *task)
{
    return pp_task_place(task) == PP_PLACE_ENDED;
}

static void join(struct pp_task *task, struct pp_waiter_link *link)
{
    link->next = task->waiters;
    link->place = &task->waiters;
    if (link->next != NULL)
        link->next->place = &link->next;
    task->waiters = link;
}

static void leave(struct pp_waiter_link *link)
{
    if (link->place == NULL)
        return; /* the task has ended, or had before */
    *link->place = link->next;
    if (link->next != NULL)
        link->next->place = link->place;
    link->place = NULL;
}

void pp_pool_wake_waiters(struct pp_task *task)
{
    while (task->waiters != NULL) {
        struct pp_waiter *waiter = task->waiters->waiter;
        leave(task->waiters);
        /* the waiter may leave as soon as it reads this: nothing of it is read afterwards */
        atomic_store_explicit(&waiter->word, 1, memory_order_release);
        (void)pp_futex_wake(&waiter->word, false);
    }
}

static void enlist(struct pp_task *task, struct pp_waiter_link *link, struct pp_waiter *waiter)
{
    struct pp_pool *pool = pp_task_pool(task);
    *link = (struct pp_waiter_link){.waiter = waiter};
    pp_pool_lock(pool);
    pool->awaiting++;
    pp_pool_watch(pool);
    pp_pool_collect(pool);
    if (ended(task))
        atomic_store_explicit(&waiter->word, 1, memory_order_relaxed);
    else {
        join(task, link);
        if (pp_task_place(task) == PP_PLACE_SENT)
            pp_pool_arm_again(pool, task->worker);
    }
    pp_pool_unlock(pool);
}

static void delist(struct pp_task *task, struct pp_waiter_link *link)
{
    struct pp_pool *pool = pp_task_pool(task);
    pp_pool_lock(pool);
    leave(link);
    pool->awaiting--;
    pp_pool_unwatch(pool);
    pp_pool_unlock(pool);
}

static int sleep_until_one_ended(struct pp_waiter *waiter, int64_t deadline)
{
    int error = 0;
    /* acquire: with the word comes the outcome */
    while (error == 0 && atomic_load_explicit(&waiter->word, memory_order_acquire) == 0)
        error = pp_futex_wait(&waiter->word, 0, false, deadline);
    return atomic_load_explicit(&waiter->word, memory_order_acquire) != 0 ? 0 : error;
}

/* A task that was never queued would never end. */
static int check_waitable(const struct pp_task *task, double timeout)
{
    int error = check_task(task);
    if (error == 0 && !pp_duration_valid(timeout, true))
        error = -EINVAL;
    if (error == 0 && pp_task_place(task) == PP_PLACE_NEW)
        error = timeout == 0 ? -ETIMEDOUT : -EINVAL;
    return error;
}

/* Large arguments are not kept for as long as somebody holds the task. */
static void drop_arguments(struct pp_task *task)
{
    if ((task->flags & PP_REQUEST_MAPPED) == 0)
        return;
    struct pp_pool *pool = pp_task_pool(task);
    pp_pool_lock(pool);
    int memfd = pp_payload_take_memfd(task);
    pp_pool_unlock(pool);
    pp_close(&memfd);
}

static int wait_for(struct pp_task *task, bool only_look, int64_t deadline)
{
    struct pp_waiter      waiter = {0};
    struct pp_waiter_link link;
    if (!only_look)
        pp_pool_linger(pp_task_pool(task), task);
    if (!only_look && !ended(task))
        pp_pool_wait_direct(pp_task_pool(task), task, deadline);
    if (ended(task))
        return 0;
    enlist(task, &link, &waiter);
    int error = sleep_until_one_ended(&waiter, deadline);
    delist(task, &link);
    return error;
}

int pp_task_wait(pp_task *task, double timeout)
{
    return pp_wait_all(&task, 1, timeout);
}

static int check_all(pp_task *const *tasks, size_t count, double timeout)
{
    if (tasks == NULL || count == 0 || count > (size_t)INT32_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int error = check_waitable(tasks[i], timeout);
        if (error < 0)
            return error;
    }
    return 0;
}

int pp_wait_all(pp_task *const *tasks, size_t count, double timeout)
{
    int error = check_all(tasks, count, timeout);
    if (error < 0)
        return error;
    int64_t deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(timeout));
    for (size_t i = 0; i < count && error == 0; i++) {
        if (!ended(tasks[i]))
            error = wait_for(tasks[i], timeout == 0, deadline);
        if (ended(tasks[i]))
            drop_arguments(tasks[i]);
    }
    return error;
}

static int first_ended(pp_task *const *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ended(tasks[i]))
            return (int)i;
    return -ETIMEDOUT;
}

int pp_wait_any(pp_task *const *tasks, size_t count, double timeout)
{
    int error = check_all(tasks, count, timeout);
    if (error < 0)
        return error;
    int found = first_ended(tasks, count);
    if (found >= 0)
        return found;
    int64_t                deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(timeout));
    struct pp_waiter       waiter = {0};
    struct pp_waiter_link *links = calloc(count, sizeof *links);
    if (links == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        enlist(tasks[i], &links[i], &waiter);
    (void)sleep_until_one_ended(&waiter, deadline);
    for (size_t i = 0; i < count; i++)
        delist(tasks[i], &links[i]);
    free(links);
    return first_ended(tasks, count);
}

/* ------------------------------------------------------------------------- cancel */

static struct pp_outcome *cancelled_before(const struct pp_task *task)
{
    const char *message =
        task->attempts == 0 ? "cancelled before it began" : "cancelled before its next attempt";
    return pp_outcome_error(PP_CANCELLED, ECANCELED, "Cancelled", message, "", 0);
}

static int cancel_by_place(struct pp_pool *pool, struct pp_task *task);

/* Either this task is what runs, or it can be taken back. */
static int cancel_in_tray(struct pp_pool *pool, struct pp_task *task)
{
    struct pp_worker *worker = task->worker;
    if (pp_pool_recall(pool, worker, task)) {
        pp_pool_latch(pool, task, cancelled_before(task));
        return 0;
    }
    uint64_t ticket = task->ticket;
    if (!pp_pool_single_out(pool, task))
        return pp_task_place(task) == PP_PLACE_ENDED ? -EALREADY : cancel_by_place(pool, task);
    if (worker->state == PP_WORKER_KILLED || worker->state == PP_WORKER_DEAD) {
        task->no_retry = true;
        pp_pool_kill(pool, worker, PP_KILL_CANCEL, ticket);      /* without last words */
        return worker->reason == PP_KILL_CANCEL ? 0 : -EALREADY; /* its end has another reason */
    }
    task->no_retry = true;
    atomic_store_explicit(&worker->tray->cancelled, ticket, memory_order_relaxed);
    pp_pool_kill(pool, worker, PP_KILL_CANCEL, ticket);
    return 0;
}

static int cancel_by_place(struct pp_pool *pool, struct pp_task *task)
{
    switch (pp_task_place(task)) {
    case PP_PLACE_ENDED:
        return -EALREADY;
    case PP_PLACE_PENDING:
        pp_queue_remove(&pool->queue, task);
        pp_pool_latch(pool, task, cancelled_before(task));
        return 0;
    case PP_PLACE_DELAYED:
        pp_list_remove(&task->link);
        pool->delayed_count--;
        pp_pool_latch(pool, task, cancelled_before(task));
        return 0;
    default:
        return cancel_in_tray(pool, task);
    }
}

int pp_task_cancel(pp_task *task)
{
    int error = check_task(task);
    if (error == 0 && pp_task_place(task) == PP_PLACE_NEW)
        error = -EINVAL;
    if (error < 0)
        return error;
    struct pp_pool *pool = pp_task_pool(task);
    pp_task_ref(task); /* the pool's own may go with the latch */
    pp_pool_lock(pool);
    pp_pool_harvest_of(pool, task);
    error = cancel_by_place(pool, task);
    pp_pool_dispatch(pool);
    pp_pool_space(pool);
    pp_pool_unlock(pool);
    pp_task_unref(task);
    return error;
}
