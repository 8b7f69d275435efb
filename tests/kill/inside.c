/*
 * inside.c - see inside.h.
 */
#include "inside.h"

#include "base/clock.h"
#include "host.h"
#include "moment.h"
#include "pool/pool.h"
#include "report.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void inside_forget_past(void)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    pool->mean_run = 0;
    pool->result_hint = 0;
    pp_pool_unlock(pool);
}

/* ------------------------------------------------------------------------ workers */

static struct pp_worker *worker_of(struct pp_list *link)
{
    return PP_CONTAINER(link, struct pp_worker, link);
}

static bool is_dead(int pidfd, int milliseconds)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return poll(&end, 1, milliseconds) > 0;
}

static bool has_dead(const struct pp_pool *pool)
{
    for (struct pp_list *link = pool->idle.next; link != &pool->idle; link = link->next)
        if (is_dead(worker_of(link)->pidfd, 0))
            return true;
    return false;
}

void inside_await_idle(unsigned wanted)
{
    struct pp_pool *pool = host_pool();
    int64_t         deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE));
    int             error = 0;
    pp_pool_lock(pool);
    while ((pool->idle_count < wanted || has_dead(pool)) && error == 0)
        error = pp_pool_observe(pool, deadline);
    pp_pool_unlock(pool);
    if (error < 0)
        give_up("%u workers instead of %u became idle", pool->idle_count, wanted);
}

void inside_kill(pid_t worker)
{
    int pidfd = (int)syscall(SYS_pidfd_open, worker, 0);
    if (pidfd < 0 || kill(worker, SIGKILL) < 0 || !is_dead(pidfd, (int)(PATIENCE * 1e3)))
        give_up("worker %d does not die", (int)worker);
    (void)close(pidfd);
}

static unsigned kill_wards(const struct pp_pool *pool)
{
    unsigned wards = 0;
    for (struct pp_list *link = pool->idle.next; link != &pool->idle; link = link->next)
        if (worker_of(link)->server == NULL || worker_of(link)->server != pool->server) {
            (void)kill(worker_of(link)->pid, SIGKILL);
            wards++;
        }
    return wards;
}

void inside_renew_wards(unsigned wanted)
{
    struct pp_pool *pool = host_pool();
    int64_t         deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE));
    int             error = 0;
    pp_pool_lock(pool);
    while (error == 0 && (kill_wards(pool) > 0 || pool->idle_count < wanted || has_dead(pool)))
        error = pp_pool_observe(pool, deadline);
    pp_pool_unlock(pool);
    if (error < 0)
        give_up("%u workers instead of %u have this fork server", pool->idle_count, wanted);
}

static struct pp_worker *idle_one(const struct pp_pool *pool, bool youngest)
{
    struct pp_worker *best = NULL;
    for (struct pp_list *link = pool->idle.next; link != &pool->idle; link = link->next)
        if (best == NULL || (worker_of(link)->incarnation > best->incarnation) == youngest)
            best = worker_of(link);
    return best;
}

/* The one of the trial before may be dead and on its way to be replaced. */
static pid_t bring_forward(bool youngest)
{
    struct pp_pool   *pool = host_pool();
    struct pp_worker *best = NULL;
    int64_t           deadline = pp_deadline_after(pp_clock_now(), pp_duration_ns(PATIENCE));
    int               error = 0;
    pp_pool_lock(pool);
    while ((best = idle_one(pool, youngest)) == NULL && error == 0)
        error = pp_pool_observe(pool, deadline);
    if (best == NULL)
        give_up("no worker is idle");
    pp_list_remove(&best->link);
    pp_list_prepend(&pool->idle, &best->link);
    pid_t pid = best->pid;
    pp_pool_unlock(pool);
    return pid;
}

pid_t inside_youngest(void)
{
    return bring_forward(true);
}

pid_t inside_eldest(void)
{
    return bring_forward(false);
}

static struct pp_worker *worker_with(const struct pp_pool *pool, pid_t pid)
{
    for (unsigned slot = 0; slot < pool->slot_count; slot++)
        if (pool->workers[slot] != NULL && pool->workers[slot]->pid == pid)
            return pool->workers[slot];
    return NULL;
}

bool inside_is_fresh(pid_t pid)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    const struct pp_worker *worker = worker_with(pool, pid);
    bool                    fresh = worker != NULL && worker->tasks_sent == 0;
    pp_pool_unlock(pool);
    return fresh;
}

pid_t inside_server(void)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    pid_t pid = pool->server != NULL ? pool->server->pid : -1;
    pp_pool_unlock(pool);
    return pid;
}

static pid_t killed_server;

static bool has_another_server(void)
{
    pid_t pid = inside_server();
    return pid > 0 && pid != killed_server;
}

void inside_await_server(pid_t killed)
{
    killed_server = killed;
    if (!moment_await(has_another_server, PATIENCE))
        give_up("the fork server is not replaced");
}

const pp_task *inside_running(pid_t pid)
{
    struct pp_pool *pool = host_pool();
    const pp_task  *running = NULL;
    pp_pool_lock(pool);
    struct pp_worker *worker = worker_with(pool, pid);
    for (uint64_t ticket = worker != NULL ? worker->head : 0;
         worker != NULL && ticket < worker->tail; ticket++) {
        const struct pp_task *task = worker->sent[ticket % PP_RING].task;
        if (task != NULL &&
            pp_mailbox_state(pp_box_result(worker->box, ticket), ticket) == PP_SLOT_RUNNING)
            running = task;
    }
    pp_pool_unlock(pool);
    return running;
}

/* ------------------------------------------------------------------------ resting */

bool inside_all_processed(void)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    bool nothing = pool->unprocessed == 0;
    pp_pool_unlock(pool);
    return nothing;
}

static bool is_settled(void)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    bool host_rests = host_is_awake() || !host_runs() || pool->observers > 0;
    bool settled = host_rests && (pool->sleeping_until != 0 || moment_holds_one());
    pp_pool_unlock(pool);
    return settled;
}

void inside_settle(void)
{
    enum { MOST_MS = 40 };
    (void)moment_await(is_settled, MOST_MS * 1e-3);
}

void inside_hold_manager(void)
{
    struct pp_pool *pool = host_pool();
    moment_hold_sleepers();
    pp_pool_lock(pool);
    pp_pool_wake_manager(pool);
    pp_pool_unlock(pool);
    if (!moment_await(moment_holds_one, PATIENCE))
        give_up("the manager does not come to sleep");
}

void inside_release_manager(void)
{
    struct pp_pool *pool = host_pool();
    pp_pool_lock(pool);
    struct pollfd report = {.fd = pool->server != NULL ? pool->server->socket : -1,
                            .events = POLLIN};
    pp_pool_unlock(pool);
    if (poll(&report, 1, (int)(PATIENCE * 1e3)) <= 0)
        give_up("the fork server does not tell of the death");
    moment_release_sleepers();
}

enum { STAT_SIZE = 512 };

/* What /proc says of it behind its name: "S 1 2 ...", or "-". */
static const char *stat_of(pid_t pid, char text[STAT_SIZE])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int     file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, STAT_SIZE - 1);
    if (file >= 0)
        (void)close(file);
    text[size > 0 ? size : 0] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && name_end[1] != '\0' ? name_end + 2 : "-";
}

/* As ps shows it, or '-'. */
static char state_of(pid_t pid)
{
    char text[STAT_SIZE];
    return stat_of(pid, text)[0];
}

/* How long it has run, in ticks of the system's clock: does it turn in a circle? */
static unsigned long ticks_of(pid_t pid)
{
    enum { USER_FIELD = 12 }; /* the state is the first */
    char          text[STAT_SIZE];
    const char   *at = stat_of(pid, text) + 1;
    char         *end = NULL;
    unsigned long user = 0;
    for (int field = 2; field <= USER_FIELD; field++, at = end)
        user = strtoul(at, &end, 10);
    return user + strtoul(at, &end, 10);
}

/* ---------------------------------------------------------------------- describing */

static void describe_worker(const struct pp_worker *worker)
{
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

void inside_describe(void)
{
    const struct pp_pool *pool = host_pool();
    if (pool == NULL)
        return;
    fprintf(
        stderr,
        "  pool: %lu unfinished, %lu unprocessed, %u queued, %u active, %u starting, %u idle, %u "
        "busy; %u watchers, %u observers; manager %s; fork server %d (%c, %lu ticks)\n",
        (unsigned long)pool->unfinished, (unsigned long)pool->unprocessed,
        (unsigned)pool->queue.count, pool->active, pool->starting, pool->idle_count,
        pool->busy_count, pool->watchers, pool->observers,
        pool->sleeping_until == 0 ? "awake" : "asleep",
        pool->server != NULL ? (int)pool->server->pid : -1,
        pool->server != NULL ? state_of(pool->server->pid) : '-',
        pool->server != NULL ? ticks_of(pool->server->pid) : 0);
    for (unsigned slot = 0; slot < pool->slot_count; slot++)
        if (pool->workers[slot] != NULL)
            describe_worker(pool->workers[slot]);
}
