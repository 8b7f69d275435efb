/*
 * trial.c - see trial.h.
 *
 * The order of a trial
 *   1. The peer begins the gate task, when it is to be active; the victim is warmed up.
 *   2. The victim is stopped where its region begins, and the task submitted.
 *   3. The host settles: the manager sleeps, the host thread sleeps or polls.
 *   4. The victim walks to the boundary.
 *   5. What it runs is read from its box: that task, and no other, must be lost.
 *   6. More tasks come - an awake host submits them while the death is dealt with, one that would not
 *      sleep any more gets one to sleep on - and the victim gets SIGKILL.
 *   7. Everything must end, then a new task must be executed, then finalize must return.
 *
 * The tracer collects the victim at once: a traced zombie cannot be reaped by its parent.
 */
#include "trial.h"

#include "base/clock.h"
#include "pool/pool.h"
#include "report.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static pp_pool      *pool;
static unsigned long turn; /* counts trials: the gate opens before the kill in every other one */

/* ------------------------------------------------------------------ the host thread */

enum { BURST = 2 }; /* tasks that an awake host submits when the kill comes */

static sem_t       host_begin;
static sem_t       host_done;
static atomic_bool host_awake;
static atomic_bool host_stop;
static atomic_bool host_burst;
static atomic_int  host_result;
static double      host_patience = PATIENCE;
static bool        host_runs; /* it was started and not joined yet */

static void submit_burst(void)
{
    for (int i = 0; i < BURST; i++)
        work_submit(pool, WORK_NUMBER);
    host_burst = false;
}

static void be_awake(void)
{
    while (!host_stop) {
        if (host_burst)
            submit_burst();
        int processed = pp_pool_process_results(pool);
        if (processed < 0)
            give_up("pp_pool_process_results: %s", strerror(-processed));
        usleep(
            10); /* not sched_yield: Linux 6.18 lets whoever it wakes starve for seconds after that */
    }
}

static void *host_main(void *unused)
{
    for (;;) {
        while (sem_wait(&host_begin) < 0)
            ;
        if (host_awake)
            be_awake();
        else
            host_result = pp_pool_process_all_results(pool, host_patience);
        sem_post(&host_done);
    }
    return unused;
}

static void host_start(void)
{
    host_stop = host_burst = false;
    host_runs = true;
    sem_post(&host_begin);
}

static void host_join(void)
{
    while (sem_wait(&host_done) < 0)
        ;
    host_runs = false;
    if (!host_awake && host_result < 0)
        give_up("pp_pool_process_all_results: %s", strerror(-host_result));
}

/* Until every callback has run. */
static void host_finish(void)
{
    double patience = PATIENCE;
    while (host_awake && (host_burst || !work_all_called())) {
        if (patience < 0)
            give_up("%zu tasks, and not each has its callback", work_count());
        usleep(100);
        patience -= 150e-6;
    }
    host_stop = true;
    host_join();
    if (!host_awake && !work_all_called()) { /* all had ended before the last were submitted */
        host_start();
        host_join();
    }
    if (!work_all_called())
        violation("all results are processed, and a callback has not run");
}

/* -------------------------------------------------------------------- looking inside */

static void await_idle(unsigned wanted)
{
    int64_t deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE));
    int     error = 0;
    pp_pool_lock(pool);
    while (pool->idle_count < wanted && error == 0)
        error = pp_pool_observe(pool, deadline);
    pp_pool_unlock(pool);
    if (error < 0)
        give_up("%u workers instead of %u became idle", pool->idle_count, wanted);
}

/* The idle worker that gets the next task. */
static pid_t next_worker(void)
{
    pid_t pid = -1;
    pp_pool_lock(pool);
    if (!pp_list_empty(&pool->idle))
        pid = PP_CONTAINER(pool->idle.next, struct pp_worker, link)->pid;
    pp_pool_unlock(pool);
    return pid;
}

static pid_t server_of_pool(void)
{
    pp_pool_lock(pool);
    pid_t pid = pool->server != NULL ? pool->server->pid : -1;
    pp_pool_unlock(pool);
    return pid;
}

/* The task that a stopped worker has begun and not finished, if any. */
static const pp_task *running_in(pid_t pid)
{
    const pp_task *running = NULL;
    pp_pool_lock(pool);
    for (unsigned slot = 0; slot < pool->slot_count; slot++) {
        struct pp_worker *worker = pool->workers[slot];
        if (worker == NULL || worker->pid != pid)
            continue;
        for (uint64_t ticket = worker->head; ticket < worker->tail; ticket++) {
            struct pp_task *task = worker->sent[ticket % PP_RING].task;
            if (task != NULL &&
                pp_mailbox_state(pp_box_result(worker->box, ticket), ticket) == PP_SLOT_RUNNING)
                running = task;
        }
    }
    pp_pool_unlock(pool);
    return running;
}

/* As ps shows it, or '-'. */
static char state_of(pid_t pid)
{
    char path[64];
    char text[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    if (file != NULL)
        (void)fclose(file);
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] != '\0' ? name_end[2] : '-';
}

/* The pool as it is, without its lock: a thread may hold that for ever. */
static void describe_pool(void)
{
    if (pool == NULL)
        return;
    fprintf(
        stderr,
        "  pool: %lu unfinished, %lu unprocessed, %u queued, %u active, %u starting, %u idle, %u "
        "busy; %u watchers, %u observers; manager %s; fork server %d (%c)\n",
        (unsigned long)pool->unfinished, (unsigned long)pool->unprocessed,
        (unsigned)pool->queue.count, pool->active, pool->starting, pool->idle_count,
        pool->busy_count, pool->watchers, pool->observers,
        pool->sleeping_until == 0 ? "awake" : "asleep",
        pool->server != NULL ? (int)pool->server->pid : -1,
        pool->server != NULL ? state_of(pool->server->pid) : 0);
    for (unsigned slot = 0; slot < pool->slot_count; slot++) {
        const struct pp_worker *worker = pool->workers[slot];
        if (worker == NULL)
            continue;
        fprintf(stderr,
                "  worker %d (%c): state %d, %u in its tray, %s, phase %u, ring 0x%lx, bell %u;",
                (int)worker->pid, state_of(worker->pid), (int)worker->state, worker->inflight,
                worker->box->awake == PP_AWAKE ? "awake" : "sleeping", worker->box->phase,
                (unsigned long)worker->tray->ring, worker->tray->bell);
        for (uint64_t ticket = worker->head; ticket < worker->tail; ticket++)
            fprintf(stderr, " %lu:0x%lx", (unsigned long)ticket,
                    (unsigned long)pp_box_result(worker->box, ticket)->word);
        fputc('\n', stderr);
    }
}

/* Until the manager has nothing more to do, and the host sleeps if it shall and has a reason to.  What
 * comes out right without it too is only more alike from trial to trial. */
static void settle(void)
{
    for (int tries = 0; tries < 2000; tries++) {
        pp_pool_lock(pool);
        bool sleeps = !host_runs || host_awake || pool->observers > 0 || pool->unprocessed == 0;
        bool still = sleeps && pool->sleeping_until != 0;
        pp_pool_unlock(pool);
        if (still)
            return;
        usleep(20);
    }
}

void trial_prepare(const struct cell *cell)
{
    pthread_t thread;
    host_awake = cell->awake;
    sem_init(&host_begin, 0, 0);
    sem_init(&host_done, 0, 0);
    if (pthread_create(&thread, NULL, host_main, NULL) != 0)
        give_up("no thread for the host");
    report_on_hopeless(describe_pool);
    report_start_watchdog();
}

/* -------------------------------------------------------------------- the pool's life */

static void begin_pool(const struct cell *cell)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.name = "kill";
    options.min_size = options.max_size = cell->workers;
    options.max_queued_requests = 32;
    options.orphan_grace = 2.0;
    int error = pp_pool_create(&pool, &options);
    if (error < 0)
        give_up("pp_pool_create: %s", strerror(-error));
}

static void end_pool(void)
{
    int dropped = pp_pool_finalize(pool, PATIENCE);
    if (dropped != 0)
        violation("pp_pool_finalize returned %d", dropped);
    work_check(NULL); /* no callback has run again */
    pp_pool_destroy(pool);
    pool = NULL;
    work_reset();
}

/* ----------------------------------------------------------------- begin of a region */

/* A process that was let go enters the system call that it is about to sleep in. */
static void await_asleep(pid_t pid)
{
    for (int tries = 0; tries < 1000 && state_of(pid) != 'S'; tries++)
        usleep(20);
}

/* Follow a process that sleeps, or soon will: it sleeps on, and stops when it is woken. */
static void stop_at_wake_up(pid_t pid, bool births)
{
    int error = stepper_seize(pid, births);
    if (error < 0)
        give_up("PTRACE_SEIZE: %s", strerror(-error));
    while (stepper_interrupt(pid) && !stepper_place(pid).in_call) {
        stepper_continue(pid);
        await_asleep(pid);
    }
    stepper_step_begin(pid);
    await_asleep(pid); /* else it may find, without sleeping, that it has been woken already */
}

static pid_t begin_task(const struct cell *cell, const struct region *region)
{
    if (region->warm)
        work_await(work_submit(pool, region->warm_work));
    await_idle(cell->active && cell->workers > 1 ? cell->workers - 1 : cell->workers);
    pid_t victim = next_worker();
    stop_at_wake_up(victim, false);
    work_submit(pool, region->work);
    if (!stepper_step_end(victim))
        give_up("the victim died at its wake-up");
    if (cell->active && cell->workers == 1)
        work_submit(pool, WORK_NUMBER);
    return victim;
}

static pid_t begin_start(void)
{
    pid_t server = server_of_pool();
    int   error = stepper_seize(server, true);
    if (error < 0)
        give_up("PTRACE_SEIZE of the fork server: %s", strerror(-error));
    (void)kill(next_worker(), SIGKILL); /* it is replaced */
    pid_t victim = stepper_await_birth(server);
    if (victim < 0)
        give_up("the fork server made no worker");
    stepper_detach(server);
    return victim;
}

static pid_t begin_server(void)
{
    pid_t victim = server_of_pool();
    stop_at_wake_up(victim, true);
    (void)kill(next_worker(), SIGKILL); /* wakes it */
    if (!stepper_step_end(victim))
        give_up("the fork server died at its wake-up");
    return victim;
}

/* The victim, stopped at the first boundary. */
static pid_t begin(const struct cell *cell, const struct region *region)
{
    pid_t victim = -1;
    turn++;
    begin_pool(cell);
    await_idle(cell->workers);
    if (host_awake)
        host_start();
    if (cell->active && cell->workers > 1) {
        work_submit(pool, WORK_GATE);
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
    if (!host_awake && region->kind == REGION_TASK)
        host_start(); /* it sleeps until that task has ended */
    settle();
    return victim;
}

/* ------------------------------------------------------------------- end of a trial */

static bool nothing_to_wait_for(void)
{
    pp_pool_lock(pool);
    bool nothing = pool->unprocessed == 0;
    pp_pool_unlock(pool);
    return nothing;
}

/* More tasks, so that something waits at the death; then the death.  A host that sleeps on the victim's
 * task is left alone: a submission would collect what is done, and the death shall be the first to. */
static void kill_among_tasks(const struct cell *cell, const struct region *region, pid_t victim,
                             bool stopped)
{
    bool gate = cell->active && cell->workers > 1;
    if (host_awake)
        host_burst = true;
    else {
        if (region->kind != REGION_TASK || nothing_to_wait_for())
            work_submit(pool, WORK_NUMBER);
        if (region->kind != REGION_TASK)
            host_start();
        settle();
    }
    if (gate && turn % 2 == 0)
        work_gate_release();
    /* read last: it stands still, and the rest of the pool does not change what it runs */
    const pp_task *lost = stopped ? running_in(victim) : NULL;
    (void)stepper_kill(victim);
    if (gate && turn % 2 != 0)
        work_gate_release();
    host_finish();
    work_check(lost);
}

static void serve_new_task(void)
{
    size_t fresh = work_submit(pool, WORK_NUMBER);
    host_start();
    host_finish();
    if (pp_task_state(work_task(fresh)) != PP_DONE)
        violation("after the death a new task ended as %s",
                  pp_state_name(pp_task_state(work_task(fresh))));
}

static void end_trial(void)
{
    serve_new_task();
    end_pool();
    report_trial_over();
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
        host_patience = RECORDING_PATIENCE;
    }
    pid_t victim = begin(cell, region);
    if (trace != NULL && !trace_record(trace, victim, kind))
        give_up("the victim died while it was stepped through its region");
    kill_among_tasks(cell, region, victim, true);
    end_trial();
    host_patience = PATIENCE;
}

bool trial_run(const struct trace *trace, const struct cell *cell, const struct region *region,
               size_t boundary)
{
    bool       inside = boundary >= trace->count;
    size_t     last = inside ? trace->count - 1 : boundary;
    struct way way = trace_way(trace, last);
    report_trial((long)boundary, trace->at[last]);
    pid_t     victim = begin(cell, region);
    enum walk walk = stepper_walk(victim, &way, &trace->end);
    if (walk == WALK_DIED)
        violation("the victim ended by itself");
    else if (inside && walk == WALK_THERE) {
        stepper_continue(victim);
        await_asleep(victim);
    }
    kill_among_tasks(cell, region, victim, walk != WALK_DIED);
    end_trial();
    return walk == WALK_THERE;
}
