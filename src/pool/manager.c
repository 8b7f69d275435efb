/*
 * manager.c - the one thread of the pool that waits for events: bells of workers, pidfds, reports of
 * fork servers, and the next timer.
 *
 * It makes sure that tasks are started and time limits kept also when the program never calls the
 * pool again.  It runs no callback.
 *
 * Invariants
 *   - It sleeps only after it has armed every busy worker's bell and then looked at their words once
 *     more; sleeping_until tells the other threads, which hold the lock, whether they must wake it.
 *   - Between handling events and settling it lets go of the lock: there it knows nothing of the pool,
 *     and nobody counts on it before it sleeps.
 *   - An event names its object by number, never by address: what was buried in the same batch is
 *     not found any more.
 */
#include "base/clock.h"
#include "base/interrupt.h"
#include "pool/pool.h"
#include "shm/doorbell.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>

enum { EVENTS = 64, SOURCE_BITS = 8 };

int pp_pool_watch_fd(struct pp_pool *pool, int fd, enum pp_event_source source, uint64_t id)
{
    uint32_t           edge = source == PP_SOURCE_BELL ? EPOLLET : 0;
    struct epoll_event event = {.events = EPOLLIN | edge, .data.u64 = id << SOURCE_BITS | source};
    return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Needed before closing: a worker holds the same bell, and the kernel would go on watching it. */
void pp_pool_forget_fd(struct pp_pool *pool, int fd)
{
    if (fd >= 0) /* ENOENT: it was not watched yet, or no more */
        (void)epoll_ctl(pool->epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* A bell that cannot be rung can always be written to, and that is an event, too.  False: not done. */
static bool rewatch_wake(struct pp_pool *pool, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = PP_SOURCE_WAKE};
    if (epoll_ctl(pool->epoll, EPOLL_CTL_MOD, pool->wake, &event) < 0)
        return false;
    pool->wake_mute = (events & EPOLLOUT) != 0;
    return true;
}

void pp_pool_wake_manager(struct pp_pool *pool)
{
    enum { TRIES = 3 };
    for (int tries = 0; tries < TRIES && pool->sleeping_until != 0; tries++)
        if (pp_bell_ring(pool->wake) == 0 || rewatch_wake(pool, EPOLLIN | EPOLLOUT))
            pool->sleeping_until = 0; /* once is enough */
}

static void worker_event(struct pp_pool *pool, uint64_t incarnation, bool died)
{
    struct pp_worker *worker = pp_pool_find_worker(pool, incarnation);
    if (worker == NULL)
        return;
    if (died) {
        pp_pool_worker_dead(pool, worker);
        return;
    }
    /* never read: the bell is watched for edges, and a task could make a read of it block */
    pp_pool_look_at_phase(pool, worker);
    pp_pool_harvest(pool, worker);
}

static void server_event(struct pp_pool *pool, uint64_t id, bool died)
{
    struct pp_server *server = pp_pool_find_server(pool, id);
    if (server == NULL)
        return;
    if (died)
        pp_pool_server_dead(pool, server);
    else
        pp_pool_hear_server(pool, server);
}

static void handle(struct pp_pool *pool, uint64_t data)
{
    enum pp_event_source source = (enum pp_event_source)(data & ((1U << SOURCE_BITS) - 1));
    uint64_t             id = data >> SOURCE_BITS;
    switch (source) {
    case PP_SOURCE_WAKE:
        pp_bell_clear(pool->wake);
        if (pool->wake_mute)
            (void)rewatch_wake(pool, EPOLLIN); /* if not: it stays mute, and wakes us again */
        break;
    case PP_SOURCE_BELL:
        worker_event(pool, id, false);
        break;
    case PP_SOURCE_PIDFD:
        worker_event(pool, id, true);
        break;
    case PP_SOURCE_SERVER:
        server_event(pool, id, false);
        break;
    case PP_SOURCE_SERVER_PIDFD:
        server_event(pool, id, true);
        break;
    }
}

/* False, too, when that cannot be learned: nobody is taken for dead who may still write. */
static bool is_readable(int fd)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    unsigned      times = 0;
    int           count = 0;
    do
        count = poll(&entry, 1, 0);
    while (pp_interrupted(count, &times));
    return count > 0;
}

/* Instead of being told: what may have happened?  By number, since one thing may bury the next. */
static void look_at_all(struct pp_pool *pool)
{
    for (uint64_t id = 1; id <= pool->next_server; id++) {
        server_event(pool, id, false);
        const struct pp_server *server = pp_pool_find_server(pool, id);
        if (server != NULL && is_readable(server->pidfd))
            server_event(pool, id, true);
    }
    for (unsigned slot = 0; slot < pool->slot_count; slot++) {
        const struct pp_worker *worker = pool->workers[slot];
        if (worker == NULL)
            continue;
        uint64_t incarnation = worker->incarnation;
        worker_event(pool, incarnation, false);
        worker = pp_pool_find_worker(pool, incarnation);
        if (worker != NULL && worker->pidfd >= 0 && is_readable(worker->pidfd))
            worker_event(pool, incarnation, true);
    }
}

/* Sleep until something happens: the number of events.  When epoll itself fails (the program closed
 * its descriptor, for one) nothing tells, and the pool lives on by looking again and again. */
static int wait_for_events(struct pp_pool *pool, struct epoll_event *events, int limit)
{
    enum { LOOK_MS = 10 };
    unsigned times = 0;
    int      count = 0;
    do
        count = epoll_wait(pool->epoll, events, EVENTS, limit);
    while (pp_interrupted(count, &times));
    if (count < 0)
        (void)poll(NULL, 0, limit < 0 || limit > LOOK_MS ? LOOK_MS : limit);
    return count;
}

static void run_timers(struct pp_pool *pool)
{
    struct pp_timer *first = NULL;
    while ((first = pp_heap_first(&pool->timers)) != NULL && first->when <= pp_clock_now())
        pp_pool_due(pool, first);
}

/* Until the next timer, in ms rounded up: a timer is never early and at most 1 ms late. */
static int sleep_limit(const struct pp_pool *pool)
{
    const struct pp_timer *first = pp_heap_first(&pool->timers);
    if (first == NULL || first->when == PP_NEVER)
        return -1;
    int64_t left = first->when - pp_clock_now();
    if (left <= 0)
        return 0;
    int64_t ms = (left + 999999) / 1000000;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

static int64_t first_timer(const struct pp_pool *pool)
{
    const struct pp_timer *first = pp_heap_first(&pool->timers);
    return first != NULL ? first->when : PP_NEVER;
}

/* Do what can be done now; how long to sleep then, in ms.  The second look collects what ended before
 * its bell was armed.  If that, or tending, moved a worker or took a task back, the bells are armed
 * for what is no more: then it does not sleep. */
static int settle(struct pp_pool *pool)
{
    pool->now = pp_clock_now();
    run_timers(pool);
    pp_pool_collect(pool);
    pp_pool_dispatch(pool);
    pp_pool_arm(pool);
    uint64_t before = pool->changes;
    pp_pool_collect(pool);
    pp_pool_tend(pool);
    return pool->changes != before || !pp_list_empty(&pool->buried) ? 0 : sleep_limit(pool);
}

static void less_apart(struct pp_pool *pool, unsigned count)
{
    pool->apart -= count;
    if (pool->life != PP_LIFE_RUNNING)
        pp_pool_progress(pool); /* finalize waits for this, too */
}

/* What others bury from now on waits for the next time. */
static void free_buried(struct pp_pool *pool)
{
    struct pp_list  mine;
    struct pp_list *link = NULL;
    unsigned        count = 0;
    pp_list_init(&mine);
    while ((link = pp_list_take_first(&pool->buried)) != NULL)
        pp_list_append(&mine, link);
    if (pp_list_empty(&mine))
        return;
    pp_pool_unlock(pool);
    for (; (link = pp_list_take_first(&mine)) != NULL; count++)
        pp_worker_release(PP_CONTAINER(link, struct pp_worker, link));
    pp_pool_lock(pool);
    less_apart(pool, count);
}

/* Where there is no memory now, pp_pool_spawn tries once more, and says why. */
static void prepare_worker(struct pp_pool *pool)
{
    struct pp_worker *made = NULL;
    if (!pp_pool_wants_worker(pool))
        return;
    pool->apart++;
    pp_pool_unlock(pool);
    (void)pp_worker_create(&made);
    pp_pool_lock(pool);
    pool->prepared = made;
    if (made == NULL)
        less_apart(pool, 1);
}

/* Memory is given back and made without the lock, for either takes longer than all the rest of a death:
 * whoever waits for its outcome goes on meanwhile. */
static void do_what_needs_no_lock(struct pp_pool *pool)
{
    free_buried(pool);
    prepare_worker(pool);
}

/* It was not wanted any more. */
static void drop_prepared(struct pp_pool *pool)
{
    if (pool->prepared == NULL)
        return;
    pp_worker_release(pool->prepared);
    pool->prepared = NULL;
    less_apart(pool, 1);
}

/* Sleep until something happens, or the time is over. */
static void wait_and_handle(struct pp_pool *pool, int limit)
{
    struct epoll_event events[EVENTS];
    pool->sleeping_until = first_timer(pool);
    pp_pool_unlock(pool);
    int count = wait_for_events(pool, events, limit);
    pp_pool_lock(pool);
    pool->sleeping_until = 0;
    pool->managing = true;
    for (int i = 0; i < count; i++)
        handle(pool, events[i].data.u64);
    if (count < 0)
        look_at_all(pool);
    pool->managing = false;
}

void *pp_pool_manager_main(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    while (!pool->quit) { /* which nobody sets while something is apart */
        do_what_needs_no_lock(pool);
        pool->managing = true;
        int limit = settle(pool);
        pool->managing = false;
        drop_prepared(pool);
        wait_and_handle(pool, limit);
    }
    pp_pool_unlock(pool);
    pp_home_unref(&pool->home);
    return NULL;
}

int pp_pool_start_thread(pthread_t *thread, void *(*run)(void *), struct pp_pool *pool)
{
    sigset_t all;
    sigset_t old;
    sigfillset(&all); /* a signal is handled by the program's own threads */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    /* the default stack: a worker goes on with the manager's when that makes its fork server, and
     * the daemon's is for callbacks */
    int error = -pthread_create(thread, NULL, run, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}
