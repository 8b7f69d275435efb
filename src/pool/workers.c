/*
 * workers.c - how many workers there are, and the way of one from READY to its grave.
 *
 * Invariants
 *   - A slot is free only after its worker is buried, so there are never more than max_size
 *     processes.
 *   - pool->active, starting, idle_count follow from the states: pp_pool_set_worker_state is the
 *     only place that changes a state.
 *   - After each change of anything pp_pool_tend brings the number back between the limits.
 */
#include "base/clock.h"
#include "base/own.h"
#include "pool/pool.h"
#include "supervise/death.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_starting(enum pp_worker_state state)
{
    return state == PP_WORKER_ASKED || state == PP_WORKER_BORN;
}

void pp_pool_set_worker_state(struct pp_pool *pool, struct pp_worker *worker,
                              enum pp_worker_state state)
{
    bool was_active = pp_worker_active(worker);
    bool was_starting = is_starting(worker->state);
    if (worker->state == PP_WORKER_READY && worker->inflight == 0) {
        pp_list_remove(&worker->link);
        pool->idle_count--;
        pp_heap_remove(&pool->timers, &worker->idle);
    }
    worker->state = state;
    pool->changes++;
    pool->active -= was_active && !pp_worker_active(worker) ? 1 : 0;
    pool->starting -= was_starting && !is_starting(state) ? 1 : 0;
}

void pp_pool_start_retirement(struct pp_pool *pool, struct pp_worker *worker)
{
    if (pool->active > pool->min_size && !pool->keep_running)
        pp_pool_set_timer(pool, &worker->idle, PP_TIMER_IDLE,
                          pp_deadline_after(pp_clock_now(), pool->idle_limit));
}

void pp_pool_now_idle(struct pp_pool *pool, struct pp_worker *worker)
{
    pp_list_prepend(&pool->idle, &worker->link);
    pool->idle_count++;
    pp_pool_start_retirement(pool, worker);
}

/* The bullet: what it has not begun comes back, what it runs is finished. */
void pp_pool_retire(struct pp_pool *pool, struct pp_worker *worker)
{
    if (worker->state != PP_WORKER_READY)
        return;
    pp_pool_recall_behind(pool, worker);
    pp_pool_set_worker_state(pool, worker, PP_WORKER_LEAVING);
    pp_worker_send_bullet(worker);
}

/* Where one that is behind cannot be taken back, it has begun, so this task is done, and harvested here.  Nothing
 * may come behind it meanwhile: it could end before the kill, which would then meet the next one. */
bool pp_pool_single_out(struct pp_pool *pool, const struct pp_task *task)
{
    struct pp_worker *worker = task->worker;
    uint64_t          ticket = task->ticket;
    worker->held = true;
    pp_pool_recall_behind(pool, worker);
    pp_pool_harvest(pool, worker);
    worker->held = false;
    return pp_task_place(task) == PP_PLACE_SENT && task->worker == worker && task->ticket == ticket;
}

/* It died by itself (ESRCH), and its pidfd says so; or it cannot be killed from here.  Then its fork
 * server may, and if its end is not seen for all that, it is given up (limits.c): its task does not
 * wait for it. */
static void kill_otherwise(struct pp_pool *pool, struct pp_worker *worker)
{
    enum { END_WAIT_NS = 1000 * 1000 * 1000 };
    struct pp_order order = {.kind = PP_ORDER_KILL, .incarnation = worker->incarnation};
    if (worker->server != NULL)
        (void)pp_server_order(worker->server, &order, NULL, 0);
    pp_pool_set_timer(pool, &worker->age, PP_TIMER_STATUS,
                      pp_deadline_after(pp_clock_now(), END_WAIT_NS));
}

/* A task that ran into its limit shall say where it was, if it can; it has not long to begin. */
static bool ask_for_last_words(struct pp_pool *pool, struct pp_worker *worker)
{
    enum { BEGIN_NS = 30 * 1000 * 1000 };
    if (!pp_worker_can_answer(worker) || pp_worker_signal(worker, PP_LIMIT_SIGNAL) < 0)
        return false;
    worker->asked = true;
    pp_pool_set_timer(pool, &worker->age, PP_TIMER_ANSWER,
                      pp_deadline_after(pp_clock_now(), BEGIN_NS));
    return true;
}

void pp_pool_kill_asked(struct pp_pool *pool, struct pp_worker *worker)
{
    worker->asked = false;
    pp_heap_remove(&pool->timers, &worker->age);
    if (pp_worker_signal(worker, SIGKILL) < 0)
        kill_otherwise(pool, worker);
}

/* What it has not begun comes back first, so that the death costs one task at most.  One that was asked
 * for its last words is not waited for when there is another reason to kill it. */
void pp_pool_kill(struct pp_pool *pool, struct pp_worker *worker, enum pp_kill_reason reason,
                  uint64_t ticket)
{
    if (worker->state == PP_WORKER_KILLED && worker->asked)
        pp_pool_kill_asked(pool, worker);
    if (worker->state == PP_WORKER_KILLED || worker->state == PP_WORKER_DEAD)
        return;
    pp_pool_recall_behind(pool, worker);
    pp_pool_set_worker_state(pool, worker, PP_WORKER_KILLED);
    worker->reason = reason;
    worker->reason_ticket = ticket;
    if (reason == PP_KILL_TIMEOUT && ask_for_last_words(pool, worker))
        return;
    if (pp_worker_signal(worker, SIGKILL) < 0)
        kill_otherwise(pool, worker);
}

/* --------------------------------------------------------------------------- birth */

static void open_statm(struct pp_pool *pool, struct pp_worker *worker)
{
    char path[64];
    if (pool->max_memory == 0)
        return;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)worker->pid);
    if (pp_own_begin() == 0) /* without /proc there is no such limit */
        worker->statm = pp_own_end(open(path, O_RDONLY | O_CLOEXEC));
}

static void now_ready(struct pp_pool *pool, struct pp_worker *worker)
{
    pp_pool_set_worker_state(pool, worker, PP_WORKER_READY);
    pool->start_failures = 0;
    worker->ready = true;
    open_statm(pool, worker);
    pp_pool_now_idle(pool, worker);
    if (worker->slot >= pool->max_size) /* a resize came in between */
        pp_pool_retire(pool, worker);
    if (pool->max_age > 0)
        pp_pool_set_timer(pool, &worker->age, PP_TIMER_AGE,
                          pp_deadline_after(pp_clock_now(), pool->max_age));
    pp_pool_dispatch(pool);
    pp_pool_progress(pool);
}

void pp_pool_look_at_phase(struct pp_pool *pool, struct pp_worker *worker)
{
    if (worker->state != PP_WORKER_BORN)
        return;
    uint32_t phase = atomic_load_explicit(&worker->box->phase, memory_order_acquire);
    if (phase == PP_PHASE_READY)
        now_ready(pool, worker);
    else if (phase == PP_PHASE_INIT_FAILED) {
        int32_t error = atomic_load_explicit(&worker->box->init_error, memory_order_relaxed);
        worker->init_error = error < 0 && error > -INT32_MAX ? error : -EINVAL;
    }
}

/* --------------------------------------------------------------------------- death */

/* The wait status is worth waiting for only if a task's outcome shall tell it. */
static bool needs_status(const struct pp_worker *worker)
{
    bool told = worker->reason == PP_KILL_NONE || worker->reason == PP_KILL_BROKEN;
    return told && worker->server != NULL && !worker->status_known;
}

void pp_pool_worker_dead(struct pp_pool *pool, struct pp_worker *worker)
{
    enum { STATUS_WAIT_NS = 1000 * 1000 * 1000 }; /* a stopped fork server may never tell */
    if (worker->state == PP_WORKER_DEAD)
        return; /* told again: its status is waited for */
    bool wait = needs_status(worker);
    pp_pool_look_at_phase(pool, worker);
    pp_pool_forget_fd(pool, worker->pidfd);
    pp_pool_set_worker_state(pool, worker, PP_WORKER_DEAD);
    if (!wait) {
        pp_pool_bury(pool, worker);
        return;
    }
    pp_pool_set_timer(pool, &worker->age, PP_TIMER_STATUS,
                      pp_deadline_after(pp_clock_now(), STATUS_WAIT_NS));
}

static bool left_in_order(const struct pp_worker *worker)
{
    bool told =
        (atomic_load_explicit(&worker->tray->orders, memory_order_relaxed) & PP_ORDER_BULLET) != 0;
    return told && worker->reason == PP_KILL_NONE &&
           (!worker->status_known || worker->wait_status == 0);
}

static void drop_server_of(struct pp_pool *pool, struct pp_worker *worker)
{
    struct pp_server *server = worker->server;
    worker->server = NULL;
    if (server == NULL || --server->workers > 0 || server == pool->server)
        return;
    pp_pool_dismiss_server(pool, server);
}

/* To close and unmap all that it had takes longer than all the rest, so the manager does it without the
 * lock, and who waits for the outcome does not wait for it. */
static void dismantle(struct pp_pool *pool, struct pp_worker *worker)
{
    if (!pool->managing || worker->holds > 1) {
        pp_worker_release(worker);
        return;
    }
    pp_list_append(&pool->buried, &worker->link);
    pool->apart++;
}

void pp_pool_bury(struct pp_pool *pool, struct pp_worker *worker)
{
    bool in_order = left_in_order(worker);
    bool killed = worker->reason != PP_KILL_NONE && worker->reason != PP_KILL_BROKEN;
    bool excused = in_order || killed || worker->unborn;
    pp_pool_set_worker_state(pool, worker, PP_WORKER_DEAD);
    pp_pool_sweep(pool, worker);
    pp_heap_remove(&pool->timers, &worker->idle);
    pp_heap_remove(&pool->timers, &worker->stall);
    pp_heap_remove(&pool->timers, &worker->age);
    pp_pool_forget_fd(pool, worker->bell);
    if (worker->pidfd >= 0)
        pp_pool_forget_fd(pool, worker->pidfd);
    if (!in_order)
        pool->counts.workers_died++;
    if (worker->tasks_ended == 0 && !excused && pool->life != PP_LIFE_STOPPING) {
        pool->start_failures = worker->ready ? 0 : pool->start_failures + 1;
        pp_pool_note_failure(pool, worker->init_error,
                             worker->status_known ? worker->wait_status : 0);
    }
    drop_server_of(pool, worker);
    pool->workers[worker->slot] = NULL;
    pool->total--;
    dismantle(pool, worker);
    pp_pool_progress(pool);
}

/* -------------------------------------------------------------------------- number */

static unsigned wanted(const struct pp_pool *pool)
{
    if (pool->life == PP_LIFE_RUNNING)
        return pool->min_size;
    /* draining: only as many as there is work for */
    if (pool->life == PP_LIFE_DRAINING && pool->unfinished > 0)
        return pool->unfinished < pool->min_size ? (unsigned)pool->unfinished : pool->min_size;
    return 0;
}

/* Tasks wait, nobody is idle, and not enough are being born for them already. */
static bool should_grow(const struct pp_pool *pool)
{
    return (pool->life == PP_LIFE_RUNNING || pool->life == PP_LIFE_DRAINING) &&
           pool->idle_count == 0 && pp_pool_waiting(pool) > pool->starting;
}

/* A new fork server goes on with the stack of the thread that makes it, and so do its workers: only
 * the manager's is known to be large enough. */
static bool left_to_manager(struct pp_pool *pool)
{
    bool needs_server = pool->start_method == PP_START_FORK || pool->server == NULL;
    if (!needs_server || pool->managing)
        return false;
    pp_pool_wake_manager(pool);
    return true;
}

static bool backing_off(const struct pp_pool *pool)
{
    return pool->failures > 0 && pp_clock_now() < pool->spawn_not_before; /* its timer is set */
}

static void spawning_failed(struct pp_pool *pool, int error)
{
    pool->start_failures++;
    pp_pool_note_failure(pool, error, 0);
}

/* Its failures keep grow waiting, so they count as failures to start a worker. */
static void watch_orphans(struct pp_pool *pool)
{
    while (pool->orphans && !backing_off(pool) && !left_to_manager(pool)) {
        int error = pp_pool_adopt_orphans(pool);
        if (error < 0)
            spawning_failed(pool, error);
    }
}

bool pp_pool_wants_worker(const struct pp_pool *pool)
{
    return pool->total < pool->max_size && (pool->active < wanted(pool) || should_grow(pool)) &&
           !backing_off(pool);
}

static void grow(struct pp_pool *pool)
{
    while (pp_pool_wants_worker(pool) && !left_to_manager(pool)) {
        int error = pp_pool_spawn(pool);
        if (error == -EBUSY && pool->starting > 0)
            return; /* the fork server has orders enough; its next report brings us here again */
        if (error < 0)
            spawning_failed(pool, error == -EBUSY ? -EAGAIN : error);
    }
}

/* The idle worker with the highest slot, so that the low numbers stay. */
static struct pp_worker *idle_to_retire(const struct pp_pool *pool)
{
    struct pp_worker *last = NULL;
    for (struct pp_list *link = pool->idle.next; link != &pool->idle; link = link->next) {
        struct pp_worker *worker = PP_CONTAINER(link, struct pp_worker, link);
        if (last == NULL || worker->slot > last->slot)
            last = worker;
    }
    return last;
}

/* Active ones, and those that will leave but have a task to finish first. */
static unsigned occupied(const struct pp_pool *pool)
{
    unsigned count = pool->active;
    for (struct pp_list *link = pool->busy.next; link != &pool->busy; link = link->next)
        count += PP_CONTAINER(link, struct pp_worker, link)->state == PP_WORKER_LEAVING ? 1 : 0;
    return count;
}

static bool too_many(const struct pp_pool *pool)
{
    if (pool->idle_count == 0)
        return false;
    if (pool->life == PP_LIFE_STOPPING)
        return true; /* its task has heeded SIGTERM, and there is no other for it */
    if (pool->life == PP_LIFE_DRAINING)
        return pool->queue.count == 0 && pool->delayed_count == 0 && pool->behind == 0 &&
               pool->active > wanted(pool);
    if (!pool->strict_limits || pp_pool_waiting(pool) > 0)
        return false;
    return pool->idle_count > pool->min_size ||
           (pool->active > pool->min_size && occupied(pool) > pool->max_size);
}

static void shrink(struct pp_pool *pool)
{
    while (too_many(pool))
        pp_pool_retire(pool, idle_to_retire(pool));
}

bool pp_pool_start_hopeless(const struct pp_pool *pool)
{
    enum { TRIES = 5 };
    return pool->start_failures >= TRIES;
}

/* No worker can be had, again and again: what waits is told so. */
bool pp_pool_hopeless(const struct pp_pool *pool)
{
    return pp_pool_start_hopeless(pool) && pool->active == pool->starting && pool->busy_count == 0;
}

static void fail_what_waits(struct pp_pool *pool)
{
    struct pp_task *task = NULL;
    char            message[160];
    int             error = pool->failure != 0 ? -pool->failure : EOWNERDEAD;
    if (pool->queue.count == 0)
        return;
    if (pool->failure != 0)
        snprintf(message, sizeof message, "no worker could be started: %s",
                 strerrordesc_np(error) != NULL ? strerrordesc_np(error) : "unknown error");
    else
        snprintf(message, sizeof message,
                 "no worker could be started: each died before it began a task");
    while ((task = pp_queue_first(&pool->queue)) != NULL) {
        pp_queue_remove(&pool->queue, task);
        pp_pool_latch(pool, task,
                      pp_outcome_error(PP_WORKER_LOST, error, "WorkerLost", message, "",
                                       pool->failure_status));
    }
    pp_pool_space(pool);
}

void pp_pool_tend(struct pp_pool *pool)
{
    watch_orphans(pool);
    grow(pool);
    shrink(pool);
    if (pp_pool_hopeless(pool))
        fail_what_waits(pool);
    if (pp_pool_start_hopeless(pool))
        pp_pool_progress(pool); /* whoever waits for workers is told, too */
}

int pp_pool_grow_slots(struct pp_pool *pool, unsigned count)
{
    if (count <= pool->slot_count)
        return 0;
    int error = pp_heap_reserve(&pool->timers, pool->timed_tasks + (size_t)count * 3 + 1);
    if (error < 0)
        return error;
    struct pp_worker **slots = reallocarray(pool->workers, count, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    for (unsigned i = pool->slot_count; i < count; i++)
        slots[i] = NULL;
    pool->workers = slots;
    pool->slot_count = count;
    return 0;
}
