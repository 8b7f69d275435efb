/*
 * pool.c - creating, resizing and destroying a pool.
 *
 * Invariants
 *   - A half-made pool can be taken apart: every field that names a resource says whether it is held.
 *   - The memory of a pool lives until its last task, its threads and the calls that are in it have
 *     let go of it; everything else is given back by pp_pool_destroy.
 *   - In a forked child no function of this library touches a pool of the parent.
 */
#include "pool/pool.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/lineage.h"
#include "base/own.h"
#include "shm/doorbell.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/epoll.h>

int pp_pool_check(const struct pp_pool *pool)
{
    if (pool == NULL)
        return -EINVAL;
    return pp_lineage_is(pool->mark) ? 0 : -ECHILD;
}

/* A constant pool is one whose work goes on while it is looked at. */
void pp_pool_lock(const struct pp_pool *pool)
{
    pthread_mutex_lock(&((struct pp_pool *)pool)->lock);
}

void pp_pool_unlock(const struct pp_pool *pool)
{
    pthread_mutex_unlock(&((struct pp_pool *)pool)->lock);
}

void pp_pool_watch(struct pp_pool *pool)
{
    if (pool->watchers++ > 0)
        return;
    pp_pool_arm(pool);
    pp_pool_collect(pool);
}

void pp_pool_unwatch(struct pp_pool *pool)
{
    pool->watchers--;
}

int pp_pool_observe(struct pp_pool *pool, int64_t deadline)
{
    int error = 0;
    pool->observers++;
    if (deadline == PP_NEVER)
        pthread_cond_wait(&pool->progress, &pool->lock);
    else {
        struct timespec until = pp_timespec(deadline);
        error = -pthread_cond_clockwait(&pool->progress, &pool->lock, CLOCK_MONOTONIC, &until);
    }
    pool->observers--;
    return error;
}

void pp_pool_progress(struct pp_pool *pool)
{
    if (pool->observers > 0)
        pthread_cond_broadcast(&pool->progress);
}

/* ------------------------------------------------------------------- construction */

static void destroy_memory(struct pp_home *home)
{
    struct pp_pool *pool = (struct pp_pool *)(void *)home;
    pp_close(&pool->ready_fd);
    pp_close(&pool->wake);
    pp_close(&pool->epoll);
    pp_queue_free(&pool->queue);
    pp_heap_free(&pool->timers);
    pp_spares_free(&pool->spares);
    free(pool->workers);
    pthread_cond_destroy(&pool->space);
    pthread_cond_destroy(&pool->progress);
    pthread_cond_destroy(&pool->deliver);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* It is held for some hundred nanoseconds at a time: who finds it taken looks again for a moment before it
 * sleeps.  None of these calls can fail in glibc. */
static void init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* More than a set has room for are as good as without end. */
static unsigned count_processors(void)
{
    cpu_set_t mine;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? (unsigned)CPU_COUNT(&mine) : UINT_MAX;
}

static struct pp_pool *pool_new(void)
{
    struct pp_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    atomic_init(&pool->home.references, 1);
    pool->home.destroy = destroy_memory;
    pool->processors = count_processors();
    init_lock(&pool->lock);
    pthread_cond_init(&pool->space, NULL); /* these cannot fail with default attributes */
    pthread_cond_init(&pool->progress, NULL);
    pthread_cond_init(&pool->deliver, NULL);
    pp_list_init(&pool->delayed);
    pp_list_init(&pool->ended);
    pp_list_init(&pool->idle);
    pp_list_init(&pool->busy);
    pp_list_init(&pool->servers);
    pp_list_init(&pool->buried);
    pp_list_init(&pool->frames);
    pool->epoll = pool->wake = pool->ready_fd = -1;
    pool->mean_run = -1;
    pool->life = PP_LIFE_STOPPED;
    return pool;
}

static int open_channels(struct pp_pool *pool)
{
    int error = pp_own_begin();
    if (error < 0)
        return error;
    pool->epoll = pp_own_end(epoll_create1(EPOLL_CLOEXEC));
    if (pool->epoll < 0)
        return pool->epoll;
    pool->wake = pp_bell_create();
    if (pool->wake < 0)
        return pool->wake;
    pool->ready_fd = pp_bell_create();
    if (pool->ready_fd < 0)
        return pool->ready_fd;
    return pp_pool_watch_fd(pool, pool->wake, PP_SOURCE_WAKE, 0);
}

static unsigned ready_count(const struct pp_pool *pool)
{
    return pool->active - pool->starting;
}

/* What to tell the creator when workers cannot be had. */
static int start_error(const struct pp_pool *pool)
{
    return pool->failure < 0 ? pool->failure : -EOWNERDEAD;
}

/* Take tasks and have min_size workers: 0, or why they cannot be had. */
int pp_pool_begin(struct pp_pool *pool)
{
    pool->life = PP_LIFE_RUNNING;
    pool->failures = pool->start_failures = 0;
    pool->spawn_not_before = 0;
    pp_pool_tend(pool);
    pp_pool_wake_manager(pool);
    while (ready_count(pool) < pool->min_size && pool->life == PP_LIFE_RUNNING) {
        if (pp_pool_start_hopeless(pool)) {
            int error = start_error(pool);
            (void)pp_pool_shut_down(pool, 0, false);
            return error;
        }
        (void)pp_pool_observe(pool, PP_NEVER);
    }
    return pool->life == PP_LIFE_RUNNING ? 0 : -ESHUTDOWN;
}

static int start_manager(struct pp_pool *pool)
{
    pp_home_ref(&pool->home);
    int error = pp_pool_start_thread(&pool->manager, pp_pool_manager_main, pool);
    if (error < 0)
        pp_home_unref(&pool->home);
    return error;
}

static void end_servers(struct pp_pool *pool)
{
    struct pp_list *link = NULL;
    pool->server = NULL;
    while ((link = pp_list_take_first(&pool->servers)) != NULL)
        pp_server_free(PP_CONTAINER(link, struct pp_server, link), true);
}

static int prepare(struct pp_pool *pool, const pp_pool_options *options)
{
    int error = pp_lineage_mark(&pool->mark);
    if (error == 0)
        error = pp_pool_apply_options(pool, options);
    if (error == 0)
        error = pp_pool_grow_slots(pool, pool->max_size);
    if (error == 0)
        error = open_channels(pool);
    return error;
}

int pp_pool_create(pp_pool **pool, const pp_pool_options *options)
{
    if (pool == NULL)
        return -EINVAL;
    pp_spawned_link();
    struct pp_pool *made = pool_new();
    if (made == NULL)
        return -ENOMEM;
    int error = prepare(made, options);
    if (error == 0)
        error = pp_pool_prepare_server(made); /* before this process has another thread for us */
    if (error == 0)
        error = start_manager(made);
    if (error < 0) {
        end_servers(made);
        pp_home_unref(&made->home);
        return error;
    }
    pp_pool_lock(made);
    error = pp_pool_begin(made);
    pp_pool_unlock(made);
    if (error < 0) {
        pp_pool_destroy(made);
        return error;
    }
    *pool = made;
    return 0;
}

/* -------------------------------------------------------------------- destruction */

/* Join, or, when this runs in a callback on that thread, let it end by itself. */
static void end_thread(pthread_t thread)
{
    if (pthread_equal(thread, pthread_self()))
        pthread_detach(thread);
    else
        pthread_join(thread, NULL);
}

void pp_pool_release(struct pp_pool *pool)
{
    pp_pool_lock(pool);
    pool->quit = true;
    pp_pool_wake_manager(pool);
    pthread_cond_broadcast(&pool->deliver);
    pp_pool_unlock(pool);
    end_thread(pool->manager);
    if (pool->has_daemon)
        end_thread(pool->daemon);
    end_servers(pool);
    pp_home_unref(&pool->home);
}

void pp_pool_destroy(pp_pool *pool)
{
    enum { PATIENCE = 10 };
    if (pool == NULL || pp_pool_check(pool) < 0)
        return;
    pp_pool_lock(pool);
    (void)pp_pool_shut_down(pool, PATIENCE, true);
    /* we are in a callback that another thread's finalize waits for: that thread does the rest */
    pool->destroy_later = pool->finalizing;
    bool release = !pool->destroy_later;
    pp_pool_unlock(pool);
    if (release)
        pp_pool_release(pool);
}

/* ------------------------------------------------------------------------ changes */

static void apply_size(struct pp_pool *pool, unsigned min_size, unsigned max_size)
{
    pool->min_size = min_size;
    pool->max_size = max_size;
    for (struct pp_list *link = pool->idle.next; link != &pool->idle; link = link->next)
        pp_pool_start_retirement(pool, PP_CONTAINER(link, struct pp_worker, link));
    for (unsigned slot = max_size; slot < pool->slot_count; slot++)
        if (pool->workers[slot] != NULL) /* their numbers are no longer given */
            pp_pool_retire(pool, pool->workers[slot]);
    if (pool->life == PP_LIFE_RUNNING) {
        pp_pool_tend(pool);
        pp_pool_dispatch(pool);
    }
    pp_pool_wake_manager(pool);
    pp_pool_progress(pool); /* pp_pool_begin may wait for fewer now */
}

int pp_pool_resize(pp_pool *pool, unsigned min_size, unsigned max_size)
{
    int error = pp_pool_check(pool);
    if (error == 0)
        error = pp_pool_check_size(min_size, max_size);
    if (error < 0)
        return error;
    if (max_size < min_size)
        max_size = min_size;
    pp_pool_lock(pool);
    error = pp_pool_grow_slots(pool, max_size);
    if (error == 0)
        apply_size(pool, min_size, max_size);
    pp_pool_unlock(pool);
    return error;
}

int pp_pool_set_callback(pp_pool *pool, pp_result_fn *callback)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_pool_lock(pool);
    pool->callback = callback;
    pp_pool_unlock(pool);
    return 0;
}

int pp_pool_set_exception_callback(pp_pool *pool, pp_exception_fn *callback)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    pp_pool_lock(pool);
    pool->exception_callback = callback;
    pp_pool_unlock(pool);
    return 0;
}

const char *pp_version(void)
{
    return PROCPOOL_VERSION;
}
