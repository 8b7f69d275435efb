/*
 * host.c - see host.h.
 */
#include "host.h"

#include "shm/doorbell.h"

#include <sys/epoll.h>
#include <unistd.h>

static void nothing(struct pp_home *home)
{
    (void)home;
}

struct pp_pool *host_new(unsigned workers)
{
    struct pp_pool *pool = calloc(1, sizeof *pool);
    CHECK(pool != NULL);
    atomic_init(&pool->home.references, 1);
    pool->home.destroy = nothing;
    CHECK(pthread_mutex_init(&pool->lock, NULL) == 0);
    CHECK(pthread_cond_init(&pool->space, NULL) == 0);
    CHECK(pthread_cond_init(&pool->progress, NULL) == 0);
    pp_list_init(&pool->delayed);
    pp_list_init(&pool->ended);
    pp_list_init(&pool->idle);
    pp_list_init(&pool->busy);
    pp_list_init(&pool->servers);
    pp_list_init(&pool->buried);
    pp_list_init(&pool->frames);
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    pool->wake = pp_bell_create();
    pool->ready_fd = pp_bell_create();
    CHECK(pool->epoll >= 0 && pool->wake >= 0 && pool->ready_fd >= 0);
    pool->mean_run = -1;
    pool->min_size = pool->max_size = workers;
    pool->max_queued = 1000;
    pool->keep_running = true;
    CHECK(pp_pool_grow_slots(pool, workers) == 0);
    pool->life = PP_LIFE_RUNNING;
    return pool;
}

struct pp_worker *host_add_worker(struct pp_pool *pool, bool ready)
{
    struct pp_worker *worker = NULL;
    unsigned          slot = pool->total;
    CHECK(pp_worker_create(&worker) == 0);
    worker->slot = slot;
    worker->incarnation = ++pool->next_incarnation;
    pool->workers[slot] = worker;
    pool->total++;
    pool->active++;
    if (!ready) {
        pool->starting++;
        return worker;
    }
    worker->state = PP_WORKER_READY;
    worker->ready = true;
    pp_pool_now_idle(pool, worker);
    return worker;
}

void host_free(struct pp_pool *pool)
{
    CHECK(pool->unfinished == 0 && pool->unprocessed == 0);
    for (unsigned i = 0; i < pool->slot_count; i++)
        pp_worker_release(pool->workers[i]);
    free(pool->workers);
    pp_queue_free(&pool->queue);
    pp_heap_free(&pool->timers);
    (void)close(pool->epoll);
    (void)close(pool->wake);
    (void)close(pool->ready_fd);
    pthread_cond_destroy(&pool->space);
    pthread_cond_destroy(&pool->progress);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
