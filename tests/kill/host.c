/*
 * host.c - see host.h.
 */
#include "host.h"

#include "base/clock.h"
#include "moment.h"
#include "report.h"
#include "shm/doorbell.h"
#include "work.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BURST = 2,           /* tasks that an awake host submits when the kill comes     */
    TICK_NS = 200 * 1000 /* an awake host looks this often, and whenever it is called */
};

static pp_pool         *pool;
static sem_t            begin;
static bool             awake;
static atomic_bool      stop;
static atomic_bool      burst;
static atomic_bool      runs; /* it was started and has not ended its part */
static _Atomic uint32_t calls;
static int              result;
static double           patience = PATIENCE;

static void call_host(void)
{
    atomic_fetch_add(&calls, 1);
    pp_futex_wake(&calls, false);
}

static void submit_burst(void)
{
    for (int i = 0; i < BURST; i++)
        work_submit(pool, WORK_NUMBER);
    burst = false;
    moment_passed();
}

/* As a program with a loop of its own does. */
static void be_awake(void)
{
    while (!stop) {
        uint32_t seen = calls;
        if (burst)
            submit_burst();
        int processed = pp_pool_process_results(pool);
        if (processed < 0)
            give_up("pp_pool_process_results: %s", strerror(-processed));
        if (!stop && !burst)
            (void)pp_futex_wait(&calls, seen, false, pp_deadline_after(pp_clock_now(), TICK_NS));
    }
}

static void *host_main(void *unused)
{
    for (;;) {
        while (sem_wait(&begin) < 0)
            ;
        if (awake)
            be_awake();
        else
            result = pp_pool_process_all_results(pool, patience);
        runs = false;
        moment_passed();
    }
    return unused;
}

void host_prepare(bool is_awake)
{
    pthread_t thread;
    awake = is_awake;
    sem_init(&begin, 0, 0);
    if (pthread_create(&thread, NULL, host_main, NULL) != 0)
        give_up("no thread for the host");
}

bool host_is_awake(void)
{
    return awake;
}

void host_patience(double seconds)
{
    patience = seconds;
}

bool host_runs(void)
{
    return runs;
}

void host_start(void)
{
    stop = burst = false;
    runs = true;
    sem_post(&begin);
}

void host_burst(void)
{
    burst = true;
    call_host();
}

static bool has_ended(void)
{
    return !runs;
}

static void join(void)
{
    stop = true;
    call_host();
    if (!moment_await(has_ended, 2 * patience))
        give_up("the host's thread does not end its part");
    if (!awake && result < 0)
        give_up("pp_pool_process_all_results: %s", strerror(-result));
}

static bool all_called(void)
{
    return !burst && work_all_called();
}

void host_finish(void)
{
    if (awake && !moment_await(all_called, PATIENCE))
        give_up("%zu tasks, and not each has its callback", work_count());
    join();
    if (!awake && !work_all_called()) { /* all had ended before the last were submitted */
        host_start();
        join();
    }
    if (!work_all_called())
        violation("all results are processed, and a callback has not run");
}

/* -------------------------------------------------------------------- the pool's life */

void host_begin_pool(unsigned workers)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.name = "kill";
    options.min_size = options.max_size = workers;
    options.max_queued_requests = 32;
    options.orphan_grace = 2.0;
    int error = pp_pool_create(&pool, &options);
    if (error < 0)
        give_up("pp_pool_create: %s", strerror(-error));
}

pp_pool *host_pool(void)
{
    return pool;
}

void host_finalize(void)
{
    int dropped = pp_pool_finalize(pool, PATIENCE);
    if (dropped != 0)
        violation("pp_pool_finalize returned %d", dropped);
}

void host_end_pool(void)
{
    work_check_all(); /* no callback has run again */
    pp_pool_destroy(pool);
    pool = NULL;
    work_reset();
}
