/*
 * workers.c - the pool of a run: how many workers, how long a queue, enough descriptors.
 *
 * The host holds some descriptors for each worker.  Where the caller's soft limit is too low for
 * that it is raised for this process, and each worker goes back to the caller's: jobs see what
 * they would have seen without procpool (a program that uses select() may rely on it).
 */
#include "workers.h"

#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

enum {
    DESCRIPTORS_PER_WORKER = 4,
    DESCRIPTORS_BESIDE = 64,
    QUEUE_PER_WORKER = 8,
    SHORTEST_QUEUE = 256
};

static struct rlimit callers_limit;

static rlim_t descriptors_for(unsigned workers)
{
    return (rlim_t)workers * DESCRIPTORS_PER_WORKER + DESCRIPTORS_BESIDE;
}

static int give_limit_back(void *unused, void **state)
{
    (void)unused, (void)state;
    return setrlimit(RLIMIT_NOFILE, &callers_limit) < 0 ? -errno : 0;
}

/* 1 when it was raised. */
static int raise_limit(unsigned workers)
{
    rlim_t        needed = descriptors_for(workers);
    struct rlimit raised;
    if (getrlimit(RLIMIT_NOFILE, &callers_limit) < 0 || callers_limit.rlim_cur >= needed)
        return 0;
    raised = callers_limit;
    raised.rlim_cur = needed < raised.rlim_max ? needed : raised.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

static void explain(unsigned workers, int error)
{
    struct rlimit now;
    cmd_error("run: cannot make a pool of %u workers: %s", workers, strerror(-error));
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < descriptors_for(workers))
        cmd_error("run: it may need %llu open files, and the limit is %llu: see ulimit -n",
                  (unsigned long long)descriptors_for(workers), (unsigned long long)now.rlim_cur);
}

int cmd_workers_create(pp_pool **pool, uint64_t *limit, unsigned count)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    unsigned        workers = count > 0 ? count : 1;
    unsigned        queue = workers * QUEUE_PER_WORKER;
    if (queue < SHORTEST_QUEUE)
        queue = SHORTEST_QUEUE;
    options.name = "procpool run";
    options.min_size = workers;
    options.max_size = workers;
    options.max_queued_requests = queue;
    if (raise_limit(workers))
        options.worker_init = give_limit_back;
    int error = pp_pool_create(pool, &options);
    if (error == 0)
        *limit = queue;
    else
        explain(workers, error);
    return error;
}
