/*
 * recover.c - what became of the tasks of a dead worker.
 *
 * Called when the worker's pidfd is readable or the fork server has reaped it, which alone proves
 * that nothing writes its box any more (children of a task do not have it mapped).  Then each ticket
 * that is out reads as one of:
 *
 *   DONE     the result counts, also when the worker was killed a moment later
 *   RUNNING  the task's outcome is the reason it was killed for, or worker lost
 *   QUEUED   it had not begun: pending again, no attempt spent
 *   BROKEN   a task scribbled over the word.  The ledger says how far the worker had come: what it
 *            had begun is lost, the rest is pending again.  When the ledger is ruined, too, the
 *            first ticket is the one that ran, unless the worker left with PP_EXIT_BOX_RUINED, as
 *            it does when it sees a ruined word before it begins a ticket.
 *
 * Invariant: of one worker at most one task is lost, unless a task ruined its box; then also those
 * before it whose results lay in the box's arena and were not collected yet.
 */
#include "base/clock.h"
#include "pool/pool.h"
#include "supervise/death.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void describe_death(const struct pp_worker *worker, char *text, size_t size)
{
    int status = worker->wait_status;
    int used = snprintf(text, size, "worker %u (pid %d) ", worker->slot, (int)worker->pid);
    if (used < 0 || (size_t)used >= size)
        return;
    text += used;
    size -= (size_t)used;
    if (!worker->status_known)
        snprintf(text, size, "died");
    else if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(text, size, "was killed by signal %d (SIG%s)%s", WTERMSIG(status),
                 name != NULL ? name : "?", WCOREDUMP(status) ? ", core dumped" : "");
    } else
        snprintf(text, size, "exited with status %d", WEXITSTATUS(status));
}

static struct pp_outcome *lost_outcome(const struct pp_worker *worker, const struct pp_task *task)
{
    char text[128];
    char where[PP_DEATH_TEXT];
    bool reason_is_mine = worker->reason_ticket == task->ticket;
    if (worker->reason == PP_KILL_TIMEOUT && reason_is_mine) {
        snprintf(text, sizeof text, "the time limit of %g s passed",
                 pp_seconds(pp_task_limit(task)));
        pp_worker_last_words(worker, task->ticket, where);
        return pp_outcome_error(PP_TIMED_OUT, ETIME, "TimedOut", text, where, 0);
    }
    if ((worker->reason == PP_KILL_CANCEL && reason_is_mine) || worker->reason == PP_KILL_FINALIZE)
        return pp_outcome_error(PP_CANCELLED, ECANCELED, "Cancelled",
                                worker->reason == PP_KILL_CANCEL
                                    ? "cancelled while it was running"
                                    : "stopped when the pool was finalized",
                                "", 0);
    describe_death(worker, text, sizeof text);
    pp_worker_last_words(worker, task->ticket, where);
    return pp_outcome_error(PP_WORKER_LOST, EOWNERDEAD, "WorkerLost", text, where,
                            worker->wait_status);
}

static void lose(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task,
                 uint64_t ticket)
{
    int64_t now = pp_clock_now();
    int64_t began =
        atomic_load_explicit(&pp_box_result(worker->box, ticket)->began, memory_order_relaxed);
    struct pp_outcome *outcome = lost_outcome(worker, task);
    if (began < task->queued_at || began > now)
        began = task->queued_at;
    task->attempts++;
    worker->tasks_ended++;
    pool->failures = pool->start_failures = 0; /* it could be started, and began a task */
    if (outcome->state == PP_CANCELLED && worker->reason == PP_KILL_FINALIZE)
        pool->stopped_tasks++;
    pp_pool_forget_sent(pool, worker, ticket);
    task->queue_wait = began - task->queued_at;
    task->run_time = now - began;
    pp_pool_conclude(pool, task, outcome);
}

static void give_back(struct pp_pool *pool, struct pp_worker *worker, struct pp_task *task,
                      uint64_t ticket)
{
    pp_pool_forget_sent(pool, worker, ticket);
    pp_pool_pend_again(pool, task);
}

static bool saw_ruin(const struct pp_worker *worker)
{
    return worker->status_known && WIFEXITED(worker->wait_status) &&
           WEXITSTATUS(worker->wait_status) == PP_EXIT_BOX_RUINED;
}

/* Of a ticket whose word is ruined.  `none_lost`: no earlier one is. */
static bool had_begun_before_ruin(const struct pp_worker *worker, uint64_t ticket, bool none_lost)
{
    uint64_t begun = atomic_load_explicit(&worker->ledger->begun, memory_order_relaxed);
    if (begun < worker->tail && begun + PP_RING >= worker->head)
        return ticket <= begun;
    return none_lost && !saw_ruin(worker);
}

/* `none_lost`: no earlier one is. */
static bool had_begun(struct pp_worker *worker, uint64_t ticket, bool none_lost)
{
    enum pp_slot_state state = pp_mailbox_state(pp_box_result(worker->box, ticket), ticket);
    if (state == PP_SLOT_RUNNING || state == PP_SLOT_DONE)
        return true; /* done behind one that is lost: not in order, but it was begun */
    return state == PP_SLOT_BROKEN && had_begun_before_ruin(worker, ticket, none_lost);
}

void pp_pool_sweep(struct pp_pool *pool, struct pp_worker *worker)
{
    bool none_lost = true;
    pp_pool_harvest(pool, worker); /* DONE first */
    for (uint64_t ticket = worker->head; ticket < worker->tail; ticket++) {
        struct pp_task *task = worker->sent[ticket % PP_RING].task;
        if (task == NULL)
            continue;
        if (had_begun(worker, ticket, none_lost)) {
            none_lost = false;
            lose(pool, worker, task, ticket);
        } else
            give_back(pool, worker, task, ticket);
    }
    pp_pool_space(pool);
    pp_pool_dispatch(pool);
}
