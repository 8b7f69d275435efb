/*
 * limits.c - what happens when a timer of the pool is due.
 *
 * A task's time limit counts from its beginning, which the worker does not announce.  So the first
 * alarm comes when the limit has passed since it was sent, which cannot be too late; if the task had
 * not begun then or began later, the alarm is set again from what is known by now.  The worker's word
 * for when it began is taken once, when the task is first seen running, and only as far as it can be
 * true: a worker that lies gains one limit at most.
 */
#include "base/clock.h"
#include "pool/pool.h"
#include "supervise/death.h"

#include <errno.h>

/* A worker with nothing else to do has begun a task after this time, however busy the machine. */
enum { UNTAKEN_NS = 2 * 1000 * 1000 * 1000 };

void pp_pool_set_timer(struct pp_pool *pool, struct pp_timer *timer, enum pp_timer_kind kind,
                       int64_t when)
{
    timer->kind = kind & 0xffU;
    pp_heap_set(&pool->timers, timer, when);
    if (when < pool->sleeping_until)
        pp_pool_wake_manager(pool);
}

/* ------------------------------------------------------------------- time limit */

static int64_t latch_beginning(struct pp_task *task, int64_t now)
{
    const struct pp_worker *worker = task->worker;
    struct pp_uncommon     *times = task->uncommon;
    if (times->begun_at != 0)
        return times->begun_at;
    int64_t began = atomic_load_explicit(&pp_box_result(worker->box, task->ticket)->began,
                                         memory_order_relaxed);
    /* for an instant after the claim the stamp of an earlier ticket stands there */
    times->begun_at = began > now || began < times->sent_at ? now : began;
    return times->begun_at;
}

/* It had nothing else to do and did not begin: it is stopped, or worse.  Another one may.  False: it has
 * begun after all. */
static bool give_up_on(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task)
{
    if (!pp_pool_recall(pool, worker, task))
        return false;
    pp_pool_pend_again(pool, task);
    pp_pool_kill(pool, worker, PP_KILL_BROKEN, 0);
    return true;
}

static void enforce(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task,
                    int64_t deadline)
{
    if (deadline > pp_clock_now())
        pp_pool_set_timer(pool, &task->uncommon->timer, PP_TIMER_LIMIT, deadline);
    else
        pp_pool_kill(pool, worker, PP_KILL_TIMEOUT, task->ticket);
}

/* It has not begun, so its time does not run: it is not enforced, however short it is. */
static void look_again(struct pp_pool *pool, struct pp_task *task)
{
    enum { LEAST_NS = 1000 * 1000 };
    int64_t limit = pp_task_limit(task);
    pp_pool_set_timer(pool, &task->uncommon->timer, PP_TIMER_LIMIT,
                      pp_deadline_after(pp_clock_now(), limit > LEAST_NS ? limit : LEAST_NS));
}

static void limit_due(struct pp_pool *pool, struct pp_task *task)
{
    struct pp_worker *worker = task->worker;
    uint64_t          ticket = task->ticket;
    int64_t           now = pp_clock_now();
    pp_task_ref(task);
    if (pp_pool_single_out(pool, task)) {
        enum pp_slot_state state = pp_mailbox_state(pp_box_result(worker->box, ticket), ticket);
        bool               untaken = now - task->uncommon->sent_at > UNTAKEN_NS;
        if (state != PP_SLOT_QUEUED)
            enforce(pool, worker, task,
                    pp_deadline_after(latch_beginning(task, now), pp_task_limit(task)));
        else if (!untaken || !give_up_on(pool, worker, task))
            look_again(pool, task);
    }
    pp_task_unref(task);
}

/* ------------------------------------------------------------------------ others */

static void retry_due(struct pp_pool *pool, struct pp_task *task)
{
    pp_list_remove(&task->link);
    pool->delayed_count--;
    (void)pp_task_step(task, PP_EVENT_DUE);
    task->order = ++pool->next_order;
    pp_queue_add(&pool->queue, task);
}

static void idle_due(struct pp_pool *pool, struct pp_worker *worker)
{
    if (worker->state == PP_WORKER_READY && worker->inflight == 0 &&
        pool->active > pool->min_size && !pool->keep_running)
        pp_pool_retire(pool, worker);
}

/* The same task runs as when the timer was set, and others wait behind it. */
static void stall_due(struct pp_pool *pool, struct pp_worker *worker)
{
    enum { CHECK_NS = 2 * 1000 * 1000 };
    pp_pool_harvest(pool, worker);
    if (worker->inflight < 2)
        return;
    if (worker->head_seen == worker->head) {
        worker->slow = true;
        if (pool->mean_run < CHECK_NS) /* those behind may be like it: each is given to another */
            pp_pool_learn_run(pool, CHECK_NS);
        pp_pool_recall_behind(pool, worker);
        return;
    }
    worker->head_seen = worker->head;
    pp_pool_set_timer(pool, &worker->stall, PP_TIMER_STALL,
                      pp_deadline_after(pp_clock_now(), CHECK_NS));
}

/* Its status is overdue, or its end.  One that lives all the same may begin what is in its tray: only
 * what can be taken back has not begun. */
static void status_due(struct pp_pool *pool, struct pp_worker *worker)
{
    for (uint64_t ticket = worker->head; ticket < worker->tail; ticket++) {
        struct pp_task *task = worker->sent[ticket % PP_RING].task;
        if (worker->state == PP_WORKER_KILLED && task != NULL && pp_pool_recall(pool, worker, task))
            pp_pool_pend_again(pool, task);
    }
    pp_pool_bury(pool, worker);
}

/* One that has begun to say where it is may finish.  Who only claims that gains a second. */
static void answer_due(struct pp_pool *pool, struct pp_worker *worker)
{
    enum { FINISH_NS = 1000 * 1000 * 1000 };
    if (worker->state != PP_WORKER_KILLED)
        return;
    if (!worker->answering && pp_worker_answers(worker)) {
        worker->answering = true;
        pp_pool_set_timer(pool, &worker->age, PP_TIMER_ANSWER,
                          pp_deadline_after(pp_clock_now(), FINISH_NS));
        return;
    }
    pp_pool_kill_asked(pool, worker);
}

static void spawn_due(struct pp_pool *pool)
{
    pool->spawn_not_before = 0;
}

void pp_pool_due(struct pp_pool *pool, struct pp_timer *timer)
{
    pp_heap_remove(&pool->timers, timer);
    switch ((enum pp_timer_kind)timer->kind) {
    case PP_TIMER_LIMIT:
        limit_due(pool, PP_CONTAINER(timer, struct pp_uncommon, timer)->task);
        break;
    case PP_TIMER_RETRY:
        retry_due(pool, PP_CONTAINER(timer, struct pp_uncommon, timer)->task);
        break;
    case PP_TIMER_IDLE:
        idle_due(pool, PP_CONTAINER(timer, struct pp_worker, idle));
        break;
    case PP_TIMER_STALL:
        stall_due(pool, PP_CONTAINER(timer, struct pp_worker, stall));
        break;
    case PP_TIMER_AGE:
        pp_pool_retire(pool, PP_CONTAINER(timer, struct pp_worker, age));
        break;
    case PP_TIMER_STATUS:
        status_due(pool, PP_CONTAINER(timer, struct pp_worker, age));
        break;
    case PP_TIMER_ANSWER:
        answer_due(pool, PP_CONTAINER(timer, struct pp_worker, age));
        break;
    case PP_TIMER_SPAWN:
        spawn_due(pool);
        break;
    }
}
