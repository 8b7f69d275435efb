/*
 * spawn.c - asking fork servers for workers, and hearing from them.
 *
 * Invariants
 *   - A worker gets its go only after the host holds its pidfd; one that was made by a fork server
 *     that died before it could tell never gets it, and leaves.
 *   - A fork server's death costs no worker: they live on, watched by their pidfds, and the next fork
 *     server is told to end them should the host die.
 *   - Failures in a row delay the next try: 0, 10 ms, 20 ms, ... up to 5 s.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "pool/pool.h"
#include "task/callable.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ------------------------------------------------------------------------ servers */

static int start_server(struct pp_pool *pool, struct pp_server **started)
{
    struct pp_server *server = NULL;
    int               error = pp_server_start(&server, &pool->setup);
    if (error < 0)
        return error;
    server->id = ++pool->next_server;
    error = pp_pool_watch_fd(pool, server->socket, PP_SOURCE_SERVER, server->id);
    if (error == 0)
        error = pp_pool_watch_fd(pool, server->pidfd, PP_SOURCE_SERVER_PIDFD, server->id);
    if (error < 0) {
        pp_pool_forget_fd(pool, server->socket);
        pp_server_free(server, false);
        return error;
    }
    pp_list_append(&pool->servers, &server->link);
    *started = server;
    return 0;
}

int pp_pool_prepare_server(struct pp_pool *pool)
{
    if (pool->start_method == PP_START_FORK || pool->server != NULL)
        return 0;
    return start_server(pool, &pool->server);
}

/* A worker whose fork server died, and that no other has been told of. */
static bool is_unwatched(const struct pp_pool *pool, const struct pp_worker *worker)
{
    return worker != NULL && worker->server == NULL && worker->pidfd >= 0 &&
           (pool->server == NULL || worker->watched_by != pool->server->id);
}

/* Its own fork server died before, and this one was told of it. */
static bool is_watched_by(const struct pp_worker *worker, const struct pp_server *server)
{
    return worker != NULL && worker->server == NULL && worker->pidfd >= 0 &&
           worker->watched_by == server->id;
}

/* Tell the fork server of as many as one message carries: their number, or -errno. */
static int adopt_some(struct pp_pool *pool)
{
    struct pp_order order = {.kind = PP_ORDER_ADOPT};
    int             fds[PP_MAX_DESCRIPTORS];
    size_t          count = 0;
    for (unsigned i = 0; i < pool->slot_count && count < PP_MAX_DESCRIPTORS; i++)
        if (is_unwatched(pool, pool->workers[i]))
            fds[count++] = pool->workers[i]->pidfd;
    int error = count > 0 ? pp_server_order(pool->server, &order, fds, count) : 0;
    for (unsigned i = 0; error == 0 && count > 0 && i < pool->slot_count; i++) {
        struct pp_worker *worker = pool->workers[i];
        if (!is_unwatched(pool, worker))
            continue;
        worker->watched_by = pool->server->id;
        if (worker->pidfd == fds[count - 1])
            break;
    }
    return error < 0 ? error : (int)count;
}

int pp_pool_adopt_orphans(struct pp_pool *pool)
{
    int told = pool->server == NULL ? start_server(pool, &pool->server) : 0;
    if (told < 0)
        return told;
    do
        told = adopt_some(pool);
    while (told > 0);
    pool->orphans = told < 0;
    return told;
}

/* The fork server for the next worker: the shared one, or one made from the host of now. */
static int server_for_spawn(struct pp_pool *pool, struct pp_server **server)
{
    if (pool->start_method == PP_START_FORK)
        return start_server(pool, server);
    int error = pp_pool_prepare_server(pool);
    *server = pool->server;
    return error;
}

/* -------------------------------------------------------------------------- spawn */

static unsigned free_slot(const struct pp_pool *pool)
{
    unsigned slot = 0;
    while (pool->workers[slot] != NULL)
        slot++;
    return slot;
}

static int order_worker(struct pp_pool *pool, struct pp_worker *worker, struct pp_server *server)
{
    struct pp_order order = {.kind = PP_ORDER_SPAWN,
                             .slot = worker->slot,
                             .incarnation = worker->incarnation,
                             .exec = pool->start_method == PP_START_SPAWN};
    const int       fds[PP_SPAWN_DESCRIPTORS] = {worker->tray_fd, worker->box_fd, worker->bell,
                                                 worker->worker_socket};
    int error = pp_pool_watch_fd(pool, worker->bell, PP_SOURCE_BELL, worker->incarnation);
    if (error == 0)
        error = pp_server_order(server, &order, fds, PP_SPAWN_DESCRIPTORS);
    /* its socket is full of orders; any other -EAGAIN is a shortage, and a failure */
    return error == -EAGAIN ? -EBUSY : error;
}

/* What the manager has made beforehand, or another. */
static int take_worker(struct pp_pool *pool, struct pp_worker **taken)
{
    struct pp_worker *worker = pool->prepared;
    int               error = worker == NULL ? pp_worker_create(&worker) : 0;
    if (error < 0)
        return error;
    pool->apart -= pool->prepared != NULL ? 1 : 0;
    pool->prepared = NULL;
    worker->slot = free_slot(pool);
    worker->incarnation = pool->next_incarnation + 1;
    *taken = worker;
    return 0;
}

int pp_pool_spawn(struct pp_pool *pool)
{
    struct pp_worker *worker = NULL;
    struct pp_server *server = NULL;
    /* the server first: it inherits nothing of a worker that does not exist yet */
    int error = server_for_spawn(pool, &server);
    if (error < 0)
        return error;
    error = take_worker(pool, &worker);
    if (error == 0)
        error = order_worker(pool, worker, server);
    if (error < 0) {
        if (worker != NULL)
            pp_pool_forget_fd(pool, worker->bell);
        pp_worker_release(worker);
        if (server != pool->server)
            pp_pool_dismiss_server(pool, server);
        return error;
    }
    pp_worker_close_given(worker);
    pool->next_incarnation++;
    worker->server = server;
    server->workers++;
    pool->workers[worker->slot] = worker;
    pool->total++;
    pool->active++;
    pool->starting++;
    return 0;
}

void pp_pool_note_failure(struct pp_pool *pool, int error, int status)
{
    enum { FIRST_NS = 10 * 1000 * 1000, DOUBLINGS = 9 };
    pool->failures++;
    pool->failure = error;
    pool->failure_status = status;
    if (pool->failures == 1)
        return; /* the first is replaced at once */
    unsigned doublings = pool->failures - 2 < DOUBLINGS ? pool->failures - 2 : DOUBLINGS;
    pool->spawn_not_before = pp_deadline_after(pp_clock_now(), (int64_t)FIRST_NS << doublings);
    pp_pool_set_timer(pool, &pool->spawn_timer, PP_TIMER_SPAWN, pool->spawn_not_before);
}

/* ------------------------------------------------------------------------ reports */

struct pp_worker *pp_pool_find_worker(const struct pp_pool *pool, uint64_t incarnation)
{
    for (unsigned i = 0; i < pool->slot_count; i++)
        if (pool->workers[i] != NULL && pool->workers[i]->incarnation == incarnation)
            return pool->workers[i];
    return NULL;
}

static size_t describe(struct pp_target *target, void (*function)(void), char *names, size_t used)
{
    struct pp_shipped shipped;
    pp_function_describe(&shipped, function);
    *target = shipped.target;
    if (used + target->name_size > PP_GO_NAMES) {
        target->name_size = 0;
        target->kind = PP_TARGET_NOWHERE;
    }
    memcpy(names + used, shipped.name, target->name_size);
    return used + target->name_size;
}

static int send_go(const struct pp_pool *pool, const struct pp_worker *worker)
{
    struct pp_go go = {.magic = PP_GO_MAGIC, .orphan_grace = pool->setup.orphan_grace};
    size_t       used = 0;
    memcpy(go.name, pool->setup.name, sizeof go.name);
    if (pool->setup.init != NULL) {
        go.has_init = 1;
        used = describe(&go.init, (void (*)(void))pool->setup.init, go.names, used);
    }
    if (pool->setup.exit != NULL) {
        go.has_exit = 1;
        (void)describe(&go.exit, (void (*)(void))pool->setup.exit, go.names, used);
    }
    return pp_send_message(worker->socket, &go, sizeof go, NULL, 0, MSG_DONTWAIT);
}

static void born(struct pp_pool *pool, struct pp_worker *worker, pid_t pid, int pidfd)
{
    worker->pid = pid;
    worker->pidfd = pidfd;
    pp_pool_set_worker_state(pool, worker, PP_WORKER_BORN);
    pool->counts.workers_started++;
    /* without a descriptor left for its pidfd it cannot be watched */
    int error =
        pidfd >= 0 ? pp_pool_watch_fd(pool, pidfd, PP_SOURCE_PIDFD, worker->incarnation) : -EMFILE;
    if (error == 0)
        error = send_go(pool, worker);
    if (error < 0) { /* of no use: it never gets its go, and leaves */
        worker->init_error = error;
        pp_pool_bury(pool, worker);
        return;
    }
    if (pool->life == PP_LIFE_STOPPING)
        pp_pool_kill(pool, worker, PP_KILL_FINALIZE, 0);
}

static void died(struct pp_pool *pool, struct pp_worker *worker, int status)
{
    worker->wait_status = status;
    worker->status_known = true;
    /* the fork server has reaped it: that proves the same as its pidfd */
    pp_pool_look_at_phase(pool, worker);
    pp_pool_bury(pool, worker);
}

/* A report that its worker's state leaves no room for changes nothing. */
static void hear(struct pp_pool *pool, const struct pp_report *report, int pidfd)
{
    struct pp_worker *worker = pp_pool_find_worker(pool, report->incarnation);
    bool              unborn = worker != NULL && worker->state == PP_WORKER_ASKED;
    if (unborn && report->kind == PP_REPORT_BORN) {
        born(pool, worker, report->pid, pidfd);
        return;
    }
    pp_close(&pidfd); /* of one that was given up meanwhile: without a go it leaves */
    if (unborn && report->kind == PP_REPORT_FAILED) {
        worker->init_error = report->value;
        pp_pool_bury(pool, worker);
    } else if (worker != NULL && report->kind == PP_REPORT_DIED)
        died(pool, worker, report->value);
}

/* It is ending: no order reaches it any more.  Its pidfd tells when it has ended, and can be
 * collected. */
static void server_closed(struct pp_pool *pool, struct pp_server *server)
{
    pp_pool_forget_fd(pool, server->socket);
    pp_close(&server->socket);
    if (pool->server == server)
        pool->server = NULL;
}

void pp_pool_dismiss_server(struct pp_pool *pool, struct pp_server *server)
{
    struct pp_order retire = {.kind = PP_ORDER_RETIRE};
    if (pp_server_order(server, &retire, NULL, 0) < 0)
        server_closed(pool, server); /* it sees the end of its socket */
}

void pp_pool_hear_server(struct pp_pool *pool, struct pp_server *server)
{
    struct pp_report report;
    int              pidfd = -1;
    int              result = 0;
    uint64_t         id = server->id;
    while ((result = pp_server_read(server, &report, &pidfd)) > 0) {
        hear(pool, &report, pidfd);
        server = pp_pool_find_server(pool, id);
        if (server == NULL)
            return; /* it had one worker, and that is buried */
    }
    if (result < 0)
        server_closed(pool, server);
}

/* However many workers it still owed, its death is one failure to start any: otherwise a single one
 * would look hopeless, and what waits would be told so. */
static void leave_unwatched(struct pp_pool *pool, const struct pp_server *server)
{
    unsigned unborn = 0;
    for (unsigned i = 0; i < pool->slot_count; i++) {
        struct pp_worker *worker = pool->workers[i];
        if (is_watched_by(worker, server))
            pool->orphans = true;
        if (worker == NULL || worker->server != server)
            continue;
        worker->server = NULL;
        pool->orphans = true; /* the next fork server is told of it */
        worker->unborn = worker->pidfd < 0;
        unborn += worker->unborn ? 1 : 0;
        if (worker->unborn || worker->state == PP_WORKER_DEAD)
            pp_pool_bury(pool, worker); /* dead: nobody will tell its status */
    }
    if (unborn > 0 && pool->life != PP_LIFE_STOPPING) {
        pool->start_failures++;
        pp_pool_note_failure(pool, 0, 0);
    }
}

void pp_pool_server_dead(struct pp_pool *pool, struct pp_server *server)
{
    struct pp_report report;
    int              pidfd = -1;
    if (server->dead)
        return;
    server->dead = true;
    server->workers++; /* keep it while its last reports are heard */
    while (pp_server_read(server, &report, &pidfd) > 0)
        hear(pool, &report, pidfd);
    if (pool->server == server)
        pool->server = NULL;
    leave_unwatched(pool, server);
    pp_pool_forget_fd(pool, server->socket);
    pp_pool_forget_fd(pool, server->pidfd);
    pp_list_remove(&server->link);
    pp_server_free(server, false);
}

struct pp_server *pp_pool_find_server(const struct pp_pool *pool, uint64_t id)
{
    for (struct pp_list *link = pool->servers.next; link != &pool->servers; link = link->next) {
        struct pp_server *server = PP_CONTAINER(link, struct pp_server, link);
        if (server->id == id)
            return server;
    }
    return NULL;
}
