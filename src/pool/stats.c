/*
 * stats.c - what a pool tells about itself: each answer is exact at the moment it is given.
 */
#include "base/clock.h"
#include "pool/pool.h"

#include <errno.h>
#include <string.h>

/* Look first what has ended, so that the answer is of now and not of the last event. */
static bool begin(const pp_pool *pool)
{
    if (pp_pool_check(pool) < 0)
        return false;
    pp_pool_lock(pool);
    pp_pool_collect((struct pp_pool *)pool);
    return true;
}

static unsigned finish(const pp_pool *pool, unsigned answer)
{
    pp_pool_unlock(pool);
    return answer;
}

unsigned pp_pool_min_size(const pp_pool *pool)
{
    return begin(pool) ? finish(pool, pool->min_size) : 0;
}

unsigned pp_pool_max_size(const pp_pool *pool)
{
    return begin(pool) ? finish(pool, pool->max_size) : 0;
}

unsigned pp_pool_num_working_processes(const pp_pool *pool)
{
    return begin(pool) ? finish(pool, pool->busy_count) : 0;
}

unsigned pp_pool_num_idle_processes(const pp_pool *pool)
{
    return begin(pool) ? finish(pool, pool->idle_count) : 0;
}

static unsigned free_slots(const pp_pool *pool)
{
    return pool->max_size > pool->busy_count ? pool->max_size - pool->busy_count : 0;
}

unsigned pp_pool_free_slots(const pp_pool *pool)
{
    return begin(pool) ? finish(pool, free_slots(pool)) : 0;
}

bool pp_pool_has_free_slots(const pp_pool *pool)
{
    return pp_pool_free_slots(pool) > 0;
}

bool pp_pool_has_pending_tasks(const pp_pool *pool)
{
    return begin(pool) && finish(pool, pp_pool_waiting(pool) > 0 || pool->delayed_count > 0);
}

bool pp_pool_is_full(const pp_pool *pool)
{
    return begin(pool) && finish(pool, pp_pool_waiting(pool) >= pool->max_queued);
}

bool pp_pool_is_working(const pp_pool *pool)
{
    return begin(pool) && finish(pool, pool->unfinished > 0);
}

static double quantile(const struct pp_histogram *histogram, double fraction)
{
    return pp_seconds(pp_histogram_quantile(histogram, fraction));
}

/* A caller that was built with an older, shorter struct gets what it knows. */
int pp_pool_get_stats(const pp_pool *pool, pp_pool_stats *stats)
{
    int error = pp_pool_check(pool);
    if (error < 0)
        return error;
    if (stats == NULL || stats->size < sizeof(size_t))
        return -EINVAL;
    (void)begin(pool);
    pp_pool_stats now = pool->counts;
    now.queued = pp_pool_waiting(pool) + pool->delayed_count;
    now.running = pool->busy_count;
    now.workers_idle = pool->idle_count;
    now.workers_working = pool->busy_count;
    now.queue_wait_p50 = quantile(&pool->queue_waits, 0.5);
    now.queue_wait_p99 = quantile(&pool->queue_waits, 0.99);
    now.run_time_p50 = quantile(&pool->run_times, 0.5);
    now.run_time_p99 = quantile(&pool->run_times, 0.99);
    pp_pool_unlock(pool);
    now.size = stats->size < sizeof now ? stats->size : sizeof now;
    memcpy(stats, &now, now.size);
    return 0;
}
