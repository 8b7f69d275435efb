/*
 * workers.c - the pool of a run: how many workers, how long a queue, enough descriptors; what each
 * worker, and with it each job, starts from.
 *
 * The host holds some descriptors for each worker.  Where the caller's soft limit is too low for
 * that it is raised for this process, and each worker goes back to the caller's: jobs see what
 * they would have seen without procpool (a program that uses select() may rely on it).
 */
#include "workers.h"

#include "outlets.h"
#include "relay.h"
#include "text.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DESCRIPTORS_PER_WORKER = 4,
    DESCRIPTORS_PER_OUTLET = 2, /* outlets.c does without where they cannot be had */
    DESCRIPTORS_BESIDE = 64,
    QUEUE_PER_WORKER = 8,
    SHORTEST_QUEUE = 256
};

static struct rlimit callers_limit;
static bool          limit_was_raised;

static rlim_t descriptors_for(unsigned workers)
{
    return (rlim_t)workers * DESCRIPTORS_PER_WORKER + DESCRIPTORS_BESIDE;
}

/* The relative --nice: setpriority() takes no more than 19, and says so only for less. */
static int be_nice(const struct cmd_nice *nice_by)
{
    errno = 0;
    int now = getpriority(PRIO_PROCESS, 0);
    if (errno != 0 || setpriority(PRIO_PROCESS, 0, now + nice_by->value) < 0)
        return -errno;
    return 0;
}

static int prepare_worker(void *argument, void **state)
{
    const struct cmd_options *options = argument;
    (void)state;
    cmd_relay_in_worker();
    if (options->plugin != NULL && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return -errno; /* what a function prints is not what it returns */
    if (limit_was_raised && setrlimit(RLIMIT_NOFILE, &callers_limit) < 0)
        return -errno;
    return options->nice.set ? be_nice(&options->nice) : 0;
}

/* Output that waits, each of it in two files: `waiting` results.  Enough now, but for those? */
static bool raise_limit(unsigned workers, rlim_t waiting)
{
    rlim_t        least = descriptors_for(workers) + (rlim_t)workers * DESCRIPTORS_PER_OUTLET;
    rlim_t        needed = least + 2 * waiting;
    struct rlimit raised;
    limit_was_raised = false;
    if (getrlimit(RLIMIT_NOFILE, &callers_limit) < 0 || callers_limit.rlim_cur >= needed)
        return true;
    raised = callers_limit;
    raised.rlim_cur = needed < raised.rlim_max ? needed : raised.rlim_max;
    limit_was_raised = setrlimit(RLIMIT_NOFILE, &raised) == 0;
    return (limit_was_raised ? raised : callers_limit).rlim_cur >= least;
}

static void explain(unsigned workers, int error)
{
    struct rlimit now;
    cmd_error("run: cannot make a pool of %u workers: %s", workers, strerror(-error));
    if (error == -EPERM || error == -EACCES)
        cmd_error("run: only root may give a --nice below 0");
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < descriptors_for(workers))
        cmd_error("run: it may need %llu open files, and the limit is %llu: see ulimit -n",
                  (unsigned long long)descriptors_for(workers), (unsigned long long)now.rlim_cur);
}

static unsigned at_most(unsigned count, uint64_t most)
{
    if (count > most)
        count = (unsigned)most;
    return count > 0 ? count : 1;
}

int cmd_workers_create(pp_pool **pool, uint64_t *limit, const struct cmd_options *options,
                       uint64_t most)
{
    pp_pool_options pool_options = PP_POOL_OPTIONS_INIT;
    unsigned        workers = at_most(options->jobs.max, most);
    unsigned        queue = workers * QUEUE_PER_WORKER;
    if (queue < SHORTEST_QUEUE)
        queue = SHORTEST_QUEUE;
    pool_options.name = "procpool run";
    pool_options.min_size = at_most(options->jobs.min, workers);
    pool_options.max_size = workers;
    pool_options.max_queued_requests = queue;
    pool_options.worker_init = prepare_worker;
    pool_options.worker_arg = (void *)(uintptr_t)options; /* it only reads */
    if (raise_limit(workers, options->keep_order ? (rlim_t)queue * 16 : queue) &&
        options->plugin == NULL)
        cmd_outlets_open(workers);
    int error = pp_pool_create(pool, &pool_options);
    if (error == 0)
        *limit = queue;
    else
        explain(workers, error);
    return error;
}
