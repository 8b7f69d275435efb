/*
 * collect.c - (7) what workers have finished becomes outcomes of tasks.
 *
 * Invariants
 *   - An outcome is latched once: the table of task.c has no way out of ENDED, and latching is the
 *     only user of that event.
 *   - Of a result's description each field is read once, and then checked against what the host
 *     itself wrote down when it sent the task.
 *   - Before the manager sleeps every busy worker's bell is armed for what somebody needs to know,
 *     and its words are looked at once more behind a fence.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/prefetch.h"
#include "pool/pool.h"
#include "shm/doorbell.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ----------------------------------------------------------------------- outcomes */

static uint64_t *counter_of(struct pp_pool *pool, pp_state state)
{
    switch (state) {
    case PP_DONE:
        return &pool->counts.done;
    case PP_FAILED:
        return &pool->counts.failed;
    case PP_TIMED_OUT:
        return &pool->counts.timed_out;
    case PP_CANCELLED:
        return &pool->counts.cancelled;
    default:
        return &pool->counts.worker_lost;
    }
}

static bool has_callback(const struct pp_pool *pool, const struct pp_task *task)
{
    bool done = task->outcome->state == PP_DONE;
    bool own = done ? task->callback != NULL : task->exception_callback != NULL;
    bool pools = done ? pool->callback != NULL : pool->exception_callback != NULL;
    return own || (task->use_pool_callbacks && pools);
}

/* Somebody may be waiting for callbacks to be due. */
static void announce_ended(struct pp_pool *pool)
{
    if (pool->fd_used)
        (void)pp_bell_ring(pool->ready_fd);
    if (pool->has_daemon)
        pthread_cond_signal(&pool->deliver);
}

void pp_pool_latch(struct pp_pool *pool, struct pp_task *task, struct pp_outcome *outcome)
{
    (*counter_of(pool, outcome->state))++;
    task->outcome = outcome;
    pp_pool_drop_timer(pool, task);
    pool->timed_tasks -= task->timed ? 1 : 0;
    pool->retriable -= pp_task_retries(task) > 0 ? 1 : 0;
    pp_queue_leave(&pool->queue, task);
    pool->unfinished--;
    if (pool->unfinished == 0 && pool->life != PP_LIFE_RUNNING)
        pp_pool_wake_manager(pool); /* the workers that were kept for it may leave */
    bool first = pool->ended_count == 0 && pool->ended_without_callbacks == 0;
    bool callbacks = has_callback(pool, task);
    (void)pp_task_step(task, PP_EVENT_END); /* from here on others may read the outcome */
    pp_pool_wake_waiters(task);
    if (callbacks) {
        pp_list_append(&pool->ended, &task->link);
        pool->ended_count++;
    } else {
        pool->ended_without_callbacks++;
        pool->unprocessed--;
        if (pp_spares_release(task))
            pp_spares_keep(&pool->spares, task);
    }
    if (first)
        announce_ended(pool);
    pp_pool_progress(pool);
}

static int64_t retry_delay(const struct pp_task *task)
{
    int64_t delay = task->uncommon->retry_delay;
    for (unsigned i = 1; i < task->attempts && delay < PP_NEVER / 2; i++)
        delay *= 2;
    return delay;
}

static void retry_later(struct pp_pool *pool, struct pp_task *task)
{
    int64_t delay = retry_delay(task);
    pool->counts.retried++;
    (void)pp_task_step(task, PP_EVENT_DELAY);
    if (delay == 0) {
        (void)pp_task_step(task, PP_EVENT_DUE);
        task->order = ++pool->next_order;
        pp_queue_add(&pool->queue, task);
        return;
    }
    pp_list_append(&pool->delayed, &task->link);
    pool->delayed_count++;
    pp_pool_set_timer(pool, &task->uncommon->timer, PP_TIMER_RETRY,
                      pp_deadline_after(pp_clock_now(), delay));
}

void pp_pool_conclude(struct pp_pool *pool, struct pp_task *task, struct pp_outcome *outcome)
{
    bool failed = outcome->state == PP_FAILED || outcome->state == PP_TIMED_OUT ||
                  outcome->state == PP_WORKER_LOST;
    bool again = failed && !task->no_retry && task->attempts <= pp_task_retries(task) &&
                 (pool->life == PP_LIFE_RUNNING || pool->life == PP_LIFE_DRAINING);
    if (!again) {
        pp_pool_latch(pool, task, outcome);
        return;
    }
    pp_outcome_free(outcome);
    retry_later(pool, task);
}

/* ------------------------------------------------------------------------ harvest */

/* The parcel of that ticket: descriptors the caller closes.  A worker that sends none, or those of
 * another ticket, has none for us.  More than its socket holds are sent while we read, to keep us. */
static size_t receive_parcel(struct pp_worker *worker, uint64_t ticket, int *fds)
{
    enum { MOST = 1024 };
    for (int messages = 0; messages < MOST; messages++) {
        struct pp_parcel parcel;
        size_t           count = PP_MAX_DESCRIPTORS;
        ssize_t          size =
            pp_receive_message(worker->socket, &parcel, sizeof parcel, fds, &count, MSG_DONTWAIT);
        if (size == -EBADMSG)
            continue;
        if (size <= 0)
            return 0;
        if (size == (ssize_t)sizeof parcel && parcel.ticket == ticket)
            return count;
        pp_close_all(fds, count);
    }
    return 0;
}

/* Where a result of that size lies, or NULL if the worker may not have put it anywhere. */
static const void *result_bytes(struct pp_worker *worker, const struct pp_result *result,
                                const struct pp_sent *sent, uint64_t size)
{
    if (size <= PP_INLINE)
        return result->data;
    if (size <= (uint64_t)sent->result_granules * PP_GRANULE)
        return worker->box->arena[sent->result_arena];
    return NULL;
}

static struct pp_outcome *read_outcome(struct pp_pool *pool, struct pp_worker *worker,
                                       const struct pp_result *result, uint64_t ticket,
                                       uint64_t *said)
{
    const struct pp_sent *sent = &worker->sent[ticket % PP_RING];
    int                   fds[PP_MAX_DESCRIPTORS];
    /* a compiler may not read them twice, and the worker may still write them */
    uint64_t size = *(const volatile uint64_t *)&result->size;
    *said = size;
    uint32_t             flags = *(const volatile uint32_t *)&result->flags;
    struct pp_raw_result raw = {.size = size,
                                .is_bytes = (flags & PP_RESULT_BYTES) != 0,
                                .is_error = (flags & PP_RESULT_ERROR) != 0,
                                .is_mapped = (flags & PP_RESULT_MAPPED) != 0,
                                .fds = fds};
    if ((flags & PP_RESULT_DESCRIPTORS) != 0) {
        raw.fd_count = receive_parcel(worker, ticket, fds);
        if (raw.fd_count == 0)
            return pp_outcome_error(PP_FAILED, EMFILE, "EMFILE",
                                    "the descriptors of the result could not be received", "", 0);
    }
    if (!raw.is_mapped)
        raw.data = result_bytes(worker, result, sent, size);
    struct pp_outcome *outcome = NULL;
    if (!raw.is_mapped && raw.data == NULL)
        outcome = pp_outcome_error(PP_FAILED, EBADMSG, "EBADMSG",
                                   "the worker sent a result that is longer than its place", "", 0);
    else
        outcome = pp_outcome_from_raw(&raw, pp_spares_outcome(&pool->spares));
    pp_close_all(fds, raw.fd_count);
    return outcome;
}

/* A task that overwrites the box from its beginning may be doing so while we read: then the word is
 * ruined by now. */
static struct pp_outcome *read_unhurt(struct pp_pool *pool, struct pp_worker *worker,
                                      struct pp_result *result, uint64_t ticket, uint64_t *said)
{
    struct pp_result  *kept = &worker->ledger->kept[ticket % PP_RING];
    struct pp_outcome *outcome = read_outcome(pool, worker, result, ticket, said);
    atomic_thread_fence(memory_order_acquire); /* the bytes before the second look at the word */
    if (pp_mailbox_state(result, ticket) == PP_SLOT_DONE)
        return outcome;
    pp_outcome_free(outcome);
    if (kept != result && pp_mailbox_state(kept, ticket) == PP_SLOT_DONE)
        return read_outcome(pool, worker, kept, ticket, said);
    return pp_outcome_error(PP_FAILED, EBADMSG, "EBADMSG", "the worker ruined the result", "", 0);
}

/* Results that need granules should find them next time; one that needed none says little. */
static void learn_size(struct pp_pool *pool, uint64_t size)
{
    uint64_t granules = (size + PP_GRANULE - 1) / PP_GRANULE;
    if (size > PP_INLINE && granules <= PP_ARENA_GRANULES && granules > pool->result_hint)
        pool->result_hint = (unsigned)granules;
}

void pp_pool_learn_run(struct pp_pool *pool, int64_t took)
{
    enum { SMOOTHING = 8 };
    if (pool->mean_run < 0)
        pool->mean_run = took;
    else
        pool->mean_run += (took - pool->mean_run) / SMOOTHING;
}

struct times {
    int64_t queue_wait;
    int64_t run_time;
};

/* Both come from the worker: believed only as far as they can be true. */
static struct times learn_times(struct pp_pool *pool, const struct pp_task *task,
                                struct pp_result *result, int64_t *now)
{
    int64_t began = atomic_load_explicit(&result->began, memory_order_relaxed);
    int64_t ended = *(volatile int64_t *)&result->ended;
    if (began > *now || ended > *now)
        *now = pp_clock_now(); /* it ended since then; or it lies */
    if (began < task->queued_at || began > *now)
        began = task->queued_at;
    if (ended < began || ended > *now)
        ended = began;
    struct times times = {.queue_wait = began - task->queued_at, .run_time = ended - began};
    pp_histogram_add(&pool->queue_waits, times.queue_wait);
    pp_histogram_add(&pool->run_times, times.run_time);
    pp_pool_learn_run(pool, times.run_time);
    return times;
}

/* `now` is of a moment ago, or 0. */
static void take_result(struct pp_pool *pool, struct pp_worker *worker, struct pp_result *result,
                        uint64_t ticket, int64_t *now)
{
    struct pp_task    *task = worker->sent[ticket % PP_RING].task;
    uint64_t           size = 0;
    struct pp_outcome *outcome = read_unhurt(pool, worker, result, ticket, &size);
    learn_size(pool, size);
    struct times times = learn_times(pool, task, result, now);
    task->attempts++;
    worker->tasks_ended++;
    worker->slow = false;
    pool->failures = pool->start_failures = 0;
    pp_pool_forget_sent(pool, worker, ticket);
    task->queue_wait = times.queue_wait;
    task->run_time = times.run_time;
    pp_pool_conclude(pool, task, outcome);
}

static bool used_up(const struct pp_pool *pool, const struct pp_worker *worker)
{
    if (pool->max_tasks > 0 && worker->tasks_ended >= pool->max_tasks)
        return true;
    return worker->statm >= 0 && pp_worker_resident(worker) > pool->max_memory;
}

/* The result of the ticket, once it is done; NULL before, and when it is ruined. */
static struct pp_result *find_done(struct pp_pool *pool, struct pp_worker *worker, uint64_t ticket)
{
    struct pp_result  *result = pp_box_result(worker->box, ticket);
    enum pp_slot_state state = pp_mailbox_state(result, ticket);
    if (state == PP_SLOT_BROKEN) {
        result = &worker->ledger->kept[ticket % PP_RING];
        state = pp_mailbox_state(result, ticket);
        if (worker->state != PP_WORKER_DEAD)
            pp_pool_kill(pool, worker, PP_KILL_BROKEN, 0);
    }
    return state == PP_SLOT_DONE ? result : NULL;
}

void pp_pool_harvest(struct pp_pool *pool, struct pp_worker *worker)
{
    bool    some = false;
    int64_t now = 0;
    while (worker->head < worker->tail) {
        if (worker->sent[worker->head % PP_RING].task != NULL) {
            struct pp_result *result = find_done(pool, worker, worker->head);
            if (result == NULL)
                break;
            pp_prefetch_to_write(result); /* to be released when it is read */
            __builtin_prefetch(pp_box_result(worker->box, worker->head + 1));
            take_result(pool, worker, result, worker->head, &now);
            some = true;
        }
        pp_mailbox_release(pp_box_result(worker->box, worker->head), worker->head);
        worker->head++;
    }
    if (some && worker->state == PP_WORKER_READY && used_up(pool, worker))
        pp_pool_retire(pool, worker);
    if (some && worker->state == PP_WORKER_READY)
        pp_pool_refill(pool, worker);
}

void pp_pool_harvest_of(struct pp_pool *pool, const struct pp_task *task)
{
    if (pp_task_place(task) == PP_PLACE_SENT)
        pp_pool_harvest(pool, task->worker);
}

void pp_pool_collect(struct pp_pool *pool)
{
    struct pp_list *next = NULL;
    for (struct pp_list *link = pool->busy.next; link != &pool->busy; link = next) {
        next = link->next;
        pp_pool_harvest(pool, PP_CONTAINER(link, struct pp_worker, link));
    }
    if (pool->idle_count > 0)
        pp_pool_dispatch(pool);
    pp_pool_space(pool);
}

/* ------------------------------------------------------------------------- arming */

/* The last ticket that was not taken back: the worker finishes none behind it. */
static uint64_t last_ticket(const struct pp_worker *worker)
{
    uint64_t ticket = worker->tail - 1;
    while (ticket > worker->head && worker->sent[ticket % PP_RING].task == NULL)
        ticket--;
    return ticket;
}

/* Does anybody need to know when a worker has done what it has?  Not, if nothing would come of it before
 * the next submission, or before the program asks. */
static bool needs_bells(const struct pp_pool *pool)
{
    return pool->watchers > 0 || pool->blocked > 0 || pool->queue.count > 0 ||
           pool->retriable > 0 || pool->life != PP_LIFE_RUNNING || pool->max_tasks > 0 ||
           pool->max_memory > 0 || pool->active != pool->min_size;
}

/* How many ends whoever watches may hear of at once: a bell for each would cost more than a short task,
 * and a moment's delay is not felt.  The last in a tray is told at once. */
static uint64_t ends_for_a_bell(const struct pp_pool *pool)
{
    enum { MOMENT_NS = 500 * 1000, SHORT_QUEUE = 64 };
    if (pool->mean_run < 0 || (pool->blocked > 0 && pool->max_queued < SHORT_QUEUE))
        return 0;
    return (uint64_t)(MOMENT_NS / (pool->mean_run + 1));
}

/* The first that a thread waits for, or the last. */
static uint64_t first_awaited(const struct pp_worker *worker, uint64_t last)
{
    for (uint64_t ticket = worker->head; ticket < last; ticket++) {
        const struct pp_task *task = worker->sent[ticket % PP_RING].task;
        if (task != NULL && task->waiters != NULL)
            return ticket;
    }
    return last;
}

/* When half of the tray is done, or enough for who watches, or what a thread waits for; if nobody does
 * and there is nothing to put in, when it is empty. */
static uint64_t ticket_to_ring_for(const struct pp_pool *pool, const struct pp_worker *worker)
{
    uint64_t last = last_ticket(worker);
    uint64_t half = (last - worker->head) / 2;
    if (pool->watchers > 0 || pool->blocked > 0) {
        uint64_t enough = ends_for_a_bell(pool);
        uint64_t ticket = worker->head + (enough < half ? enough : half);
        return pool->awaiting > 0 ? first_awaited(worker, ticket) : ticket;
    }
    return pool->queue.count > 0 ? worker->head + half : last;
}

void pp_pool_arm_again(struct pp_pool *pool, struct pp_worker *worker)
{
    pp_worker_arm(worker, ticket_to_ring_for(pool, worker));
    atomic_thread_fence(memory_order_seq_cst); /* as below */
    pp_pool_harvest(pool, worker);
}

void pp_pool_arm(struct pp_pool *pool)
{
    pool->bells = needs_bells(pool);
    for (struct pp_list *link = pool->busy.next; link != &pool->busy; link = link->next) {
        struct pp_worker *worker = PP_CONTAINER(link, struct pp_worker, link);
        if (pool->bells || worker->state != PP_WORKER_READY)
            pp_worker_arm(worker, ticket_to_ring_for(pool, worker));
        else
            pp_worker_disarm(worker);
    }
    atomic_thread_fence(memory_order_seq_cst); /* pairs with ring_if_wanted in reply.c */
}
