/*
 * options.c - what pp_pool_create accepts.
 */
#include "base/clock.h"
#include "base/sized.h"
#include "pool/pool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

/* More slots than this cannot be had: pid_max is 2^22. */
enum { MAX_WORKERS = 1 << 16 };

static bool finite_duration(double seconds)
{
    return isfinite(seconds) && seconds >= 0;
}

int pp_pool_check_size(unsigned min_size, unsigned max_size)
{
    return min_size > 0 && min_size <= MAX_WORKERS && max_size <= MAX_WORKERS ? 0 : -EINVAL;
}

static int check_options(const pp_pool_options *options)
{
    bool sizes = pp_pool_check_size(options->min_size, options->max_size) == 0 &&
                 options->max_queued_requests > 0;
    bool times = finite_duration(options->idle_interval) &&
                 finite_duration(options->max_worker_age) &&
                 pp_duration_valid(options->orphan_grace, true);
    bool method = options->start_method == PP_START_FORKSERVER ||
                  options->start_method == PP_START_FORK || options->start_method == PP_START_SPAWN;
    return sizes && times && method && options->flags == 0 ? 0 : -EINVAL;
}

/* attempts * interval; no attempt at all: at once */
static int64_t idle_limit(const pp_pool_options *options)
{
    return pp_duration_ns((double)options->idle_attempts * options->idle_interval);
}

int pp_pool_apply_options(struct pp_pool *pool, const pp_pool_options *given)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    int             error = given != NULL ? pp_sized_copy(&options, sizeof options, given) : 0;
    if (error == 0)
        error = check_options(&options);
    if (error < 0)
        return error;
    pool->min_size = options.min_size;
    pool->max_size = options.max_size > options.min_size ? options.max_size : options.min_size;
    pool->max_queued = options.max_queued_requests;
    pool->strict_limits = options.strict_limits;
    pool->keep_running = options.keep_running;
    pool->idle_limit = idle_limit(&options);
    pool->callback = options.callback;
    pool->exception_callback = options.exception_callback;
    pool->userdata = options.userdata;
    pool->start_method = options.start_method;
    pool->max_tasks = options.max_tasks_per_worker;
    pool->max_memory = options.max_memory_per_worker;
    pool->max_age = pp_duration_ns(options.max_worker_age);
    pool->setup.init = options.worker_init;
    pool->setup.exit = options.worker_exit;
    pool->setup.arg = options.worker_arg;
    pool->setup.orphan_grace = pp_duration_ns(options.orphan_grace);
    (void)snprintf(pool->setup.name, sizeof pool->setup.name, "%s",
                   options.name != NULL ? options.name : "procpool");
    return 0;
}
