/*
 * trial.c - see trial.h.
 *
 * The order of a trial
 *   1. The peer begins the gate task, when it is to be active; the victim is warmed up.
 *   2. The victim is stopped where its region begins, and the task submitted.
 *   3. The host settles: the manager sleeps, the host thread sleeps or polls.  In some trials the manager
 *      is about to sleep, and comes to it only when the death has been reported, too.
 *   4. The victim walks to the boundary.
 *   5. What it runs is read from its box: that task, and no other, must be lost.
 *   6. More tasks come - an awake host submits them while the death is dealt with, one that would not
 *      sleep any more gets one to sleep on - and the victim gets SIGKILL.
 *   7. Everything must end, then a new task must be executed.
 *
 * A pool costs more than all of that, so the next trial has the same one, with the worker that replaced
 * the victim; after some the pool is finalized.  Now and then that comes right after the kill: then
 * the trial is made again in that way, and the pool must still execute all that it has taken.
 *
 * The tracer collects the victim at once: a traced zombie cannot be reaped by its parent.
 */
#include "trial.h"

#include "host.h"
#include "inside.h"
#include "report.h"

#include <string.h>
#include <sys/syscall.h>

enum { TRIALS_TO_HASTE = 48 }; /* between two pools that are finalized right after a kill */

static unsigned long turn; /* counts trials: what can be done in two ways alternates by its bits */
static unsigned      in_pool;
static unsigned      since_haste;
static bool          alone;
static pid_t         last_server = -1;

void trial_prepare(const struct cell *cell, bool each_alone)
{
    alone = each_alone;
    host_prepare(cell->awake);
    report_on_hopeless(inside_describe);
    report_start_watchdog();
}

bool trial_is_first(void)
{
    return host_pool() == NULL;
}

static bool has_gate(const struct cell *cell)
{
    return cell->active && cell->workers > 1;
}

/* Of a worker only: of what else happens in the other regions the manager must hear. */
static bool holds_manager(const struct region *region)
{
    return region->kind == REGION_TASK && turn / 2 % 2 == 0;
}

/* ----------------------------------------------------------------- begin of a region */

/* It sleeps on, and stops when it is woken. */
static void stop_at_wake_up(pid_t pid, long call, bool births)
{
    if (!stepper_follow_asleep(pid, call, births))
        give_up("process %d does not sleep, or cannot be followed", (int)pid);
}

static void execute_one(enum work_kind kind)
{
    work_await(work_submit(host_pool(), kind));
}

/* What a worker executed before decides which way it takes.  A new one gets a number first, as one that
 * has survived a trial has had. */
static void warm_up(const struct region *region)
{
    if (inside_is_fresh(inside_youngest()))
        execute_one(WORK_NUMBER);
    execute_one(region->warm_work);
}

static pid_t begin_task(const struct cell *cell, const struct region *region)
{
    unsigned idle = has_gate(cell) ? cell->workers - 1 : cell->workers;
    if (region->warm) {
        warm_up(region);
        inside_await_idle(idle);
    }
    pid_t victim = inside_youngest();
    stop_at_wake_up(victim, SYS_futex, false);
    work_submit(host_pool(), region->work);
    if (!stepper_await_wake_up(victim))
        give_up("the victim died at its wake-up");
    if (cell->active && cell->workers == 1)
        work_submit(host_pool(), WORK_NUMBER);
    return victim;
}

static pid_t begin_start(void)
{
    if (inside_is_fresh(inside_youngest()))
        execute_one(WORK_NUMBER); /* else its death, and the victim's, delay the next birth */
    pid_t server = inside_server();
    int   error = stepper_seize(server, true);
    if (error < 0)
        give_up("PTRACE_SEIZE of the fork server: %s", strerror(-error));
    inside_kill(inside_youngest()); /* it is replaced */
    pid_t victim = stepper_await_birth(server);
    if (victim < 0)
        give_up("the fork server made no worker");
    stepper_detach(server);
    return victim;
}

static pid_t begin_server(void)
{
    pid_t victim = inside_server();
    stop_at_wake_up(victim, SYS_ppoll, true);
    inside_kill(inside_youngest()); /* wakes it */
    if (!stepper_await_wake_up(victim))
        give_up("the fork server died at its wake-up");
    return victim;
}

/* All workers are idle, the youngest is as fresh as the region wants it. */
static void have_workers(const struct cell *cell, const struct region *region)
{
    bool fresh = region->kind == REGION_TASK && !region->warm;
    if (host_pool() == NULL)
        host_begin_pool(cell->workers);
    inside_await_idle(cell->workers);
    if (region->kind == REGION_SERVER) {
        inside_await_server(last_server);
        inside_renew_wards(cell->workers);
    }
    pid_t youngest = inside_youngest();
    if (fresh && !inside_is_fresh(youngest)) {
        inside_kill(youngest);
        inside_await_idle(cell->workers);
    }
    inside_forget_past();
}

/* The victim, stopped at the first boundary. */
static pid_t begin(const struct cell *cell, const struct region *region)
{
    pid_t victim = -1;
    turn++;
    in_pool++;
    since_haste++;
    have_workers(cell, region);
    work_begin_trial();
    if (cell->awake)
        host_start();
    if (has_gate(cell)) {
        (void)inside_eldest();
        work_submit(host_pool(), WORK_GATE);
        work_gate_await();
    }
    switch (region->kind) {
    case REGION_TASK:
        victim = begin_task(cell, region);
        break;
    case REGION_START:
        victim = begin_start();
        break;
    case REGION_SERVER:
        victim = begin_server();
        break;
    }
    if (!cell->awake && region->kind == REGION_TASK)
        host_start(); /* it sleeps until that task has ended */
    inside_settle();
    if (holds_manager(region))
        inside_hold_manager();
    return victim;
}

/* ------------------------------------------------------------------- end of a trial */

/* More tasks, so that something waits at the death.  A host that sleeps on the victim's task is left
 * alone: a submission would collect what is done, and the death shall be the first to. */
static void add_tasks(const struct cell *cell, const struct region *region, bool burst)
{
    if (burst) {
        host_burst();
        return;
    }
    if (cell->awake || region->kind != REGION_TASK || inside_all_processed())
        work_submit(host_pool(), WORK_NUMBER);
    if (!cell->awake && region->kind != REGION_TASK)
        host_start();
    inside_settle();
}

/* `haste`: the pool is finalized before anything has come of the death. */
static void kill_among_tasks(const struct cell *cell, const struct region *region, pid_t victim,
                             bool stopped, bool haste)
{
    bool gate = has_gate(cell);
    bool early = turn % 2 == 0;
    add_tasks(cell, region, cell->awake && !haste);
    if (gate && early)
        work_gate_release();
    /* read last: it stands still, and the rest of the pool does not change what it runs */
    const pp_task *lost = stopped ? inside_running(victim) : NULL;
    (void)stepper_kill(victim);
    if (region->kind == REGION_SERVER)
        last_server = victim;
    if (holds_manager(region))
        inside_release_manager();
    if (gate && !early)
        work_gate_release();
    if (haste)
        host_finalize();
    host_finish();
    work_check(lost);
}

static void serve_new_task(void)
{
    size_t fresh = work_submit(host_pool(), WORK_NUMBER);
    host_start();
    host_finish();
    if (pp_task_state(work_task(fresh)) != PP_DONE)
        violation("after the death a new task ended as %s",
                  pp_state_name(pp_task_state(work_task(fresh))));
}

static void end_pool(void)
{
    host_end_pool();
    in_pool = 0;
    report_trial_over();
}

void trial_end_pool(void)
{
    if (host_pool() == NULL)
        return;
    host_finalize();
    end_pool();
}

static void end_trial(void)
{
    serve_new_task();
    report_trial_over();
    if (alone || in_pool >= TRIALS_IN_POOL)
        trial_end_pool();
}

void trial_record(struct trace *trace, const struct cell *cell, const struct region *region)
{
    bool          behind = cell->active && cell->workers == 1;
    enum end_kind kind = END_IDLE_WAIT;
    if (region->kind == REGION_SERVER)
        kind = END_POLL;
    else if (region->kind == REGION_TASK && behind)
        kind = END_TAKE;
    report_trial(-1, 0);
    if (trace != NULL) {
        report_recording();
        host_patience(RECORDING_PATIENCE);
    }
    pid_t victim = begin(cell, region);
    if (trace != NULL && !trace_record(trace, victim, kind))
        give_up("the victim died while it was stepped through its region");
    kill_among_tasks(cell, region, victim, true, false);
    end_trial();
    host_patience(PATIENCE);
}

/* How the victim came to its end. */
static enum walk walk_and_kill(const struct trace *trace, const struct cell *cell,
                               const struct region *region, size_t boundary, bool haste)
{
    bool       inside = boundary >= trace->count;
    size_t     last = inside ? trace->count - 1 : boundary;
    struct way way = trace_way(trace, last);
    report_trial((long)boundary, trace->at[last]);
    pid_t     victim = begin(cell, region);
    enum walk walk = stepper_walk(victim, &way, &trace->end);
    if (walk == WALK_DIED)
        violation("the victim ended by itself");
    else if (inside && walk == WALK_THERE && !stepper_sleep_on(victim, trace->end.call))
        walk = WALK_MISSED;
    kill_among_tasks(cell, region, victim, walk != WALK_DIED, haste);
    return walk;
}

bool trial_run(const struct trace *trace, const struct cell *cell, const struct region *region,
               size_t boundary)
{
    bool last = in_pool + 1 >= TRIALS_IN_POOL || host_pool() == NULL;
    if (last && since_haste >= TRIALS_TO_HASTE) {
        since_haste = 0;
        (void)walk_and_kill(trace, cell, region, boundary, true);
        end_pool();
    }
    enum walk walk = walk_and_kill(trace, cell, region, boundary, false);
    end_trial();
    return walk == WALK_THERE;
}
