/*
 * death.c - from SIGKILL for a worker to the callback of the task that it was executing, beside the
 * bare time from SIGKILL for a forked child to its pidfd being readable, below which nobody can be.
 *
 *     death [KILLS]
 *
 * In turn, in one run: a pool whose host is blocked in pp_pool_process_all_results, a bare child, a
 * daemonized pool, a bare child.  Each victim sleeps, and has done so for a millisecond, when it is
 * killed.
 */
#include <errno.h>
#include <poll.h>
#include <procpool.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 100000 };

static double now(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return (double)moment.tv_sec + (double)moment.tv_nsec * 1e-9;
}

static void die(const char *what, int error)
{
    fprintf(stderr, "death: %s: %s\n", what, strerror(error < 0 ? -error : error));
    exit(EXIT_FAILURE);
}

static int    begun[2]; /* a pipe: a victim tells its pid */
static double killed_at;
static double called_at;
static sem_t  called;

/* In the victim: say that it is there, and wait for the end. */
static void be_a_victim(void)
{
    pid_t self = getpid();
    if (write(begun[1], &self, sizeof self) == sizeof self)
        for (;;)
            pause();
}

static void kill_victim(void)
{
    struct timespec settle = {.tv_nsec = 1000 * 1000};
    pid_t           victim = 0;
    if (read(begun[0], &victim, sizeof victim) != sizeof victim)
        die("read", errno);
    (void)nanosleep(&settle, NULL);
    killed_at = now();
    if (kill(victim, SIGKILL) < 0)
        die("kill", errno);
}

/* ------------------------------------------------------------------------ the pools */

static int victim_task(pp_call *call)
{
    (void)call;
    be_a_victim();
    return -EIO;
}

static void on_exception(pp_task *task, const pp_error *error, void *userdata)
{
    called_at = now();
    (void)task;
    (void)userdata;
    if (pp_error_state(error) != PP_WORKER_LOST)
        die(pp_error_message(error), EPROTO);
    (void)sem_post(&called);
}

static void *killer_main(void *unused)
{
    kill_victim();
    return unused;
}

static pp_pool *make_pool(void)
{
    pp_pool        *pool = NULL;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    int             error = pp_pool_create(&pool, &options);
    if (error < 0)
        die("pp_pool_create", error);
    return pool;
}

static void submit(pp_pool *pool)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.exception_callback = on_exception;
    int error = pp_pool_create_and_queue_task(pool, PP_FUNCTION(victim_task), &options, NULL);
    if (error < 0)
        die("pp_pool_create_and_queue_task", error);
}

/* Another thread kills, for this one is blocked. */
static double once_blocked(pp_pool *pool)
{
    pthread_t killer;
    submit(pool);
    if (pthread_create(&killer, NULL, killer_main, NULL) != 0)
        die("pthread_create", EAGAIN);
    if (pp_pool_process_all_results(pool, PP_FOREVER) < 0)
        die("pp_pool_process_all_results", EPROTO);
    (void)pthread_join(killer, NULL);
    (void)sem_wait(&called);
    return called_at - killed_at;
}

static double once_daemonized(pp_pool *pool)
{
    submit(pool);
    kill_victim();
    while (sem_wait(&called) < 0)
        ;
    return called_at - killed_at;
}

/* ------------------------------------------------------------------------ the kernel */

static double once_bare(void)
{
    pid_t child = fork();
    if (child == 0)
        be_a_victim();
    int           pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd entry = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0)
        die("pidfd_open", errno);
    kill_victim();
    if (poll(&entry, 1, -1) != 1)
        die("poll", errno);
    double seconds = now() - killed_at;
    (void)waitpid(child, NULL, 0);
    (void)close(pidfd);
    return seconds;
}

/* -------------------------------------------------------------------------- figures */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* In microseconds. */
static double quantile(double *seconds, unsigned count, unsigned percent)
{
    qsort(seconds, count, sizeof *seconds, by_value);
    return seconds[(size_t)(count - 1) * percent / 100] * 1e6;
}

static void row(const char *name, double *times, unsigned count, double p50, double p99)
{
    double own50 = quantile(times, count, 50);
    double own99 = quantile(times, count, 99);
    printf("| %s | %u | %.0f | %.0f | %.2f | %.2f |\n", name, count, own50, own99, own50 / p50,
           own99 / p99);
}

int main(int argc, char **argv)
{
    static double blocked[MOST];
    static double daemonized[MOST];
    static double bare[2 * MOST];
    unsigned      count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
    if (count < 1 || count > MOST) {
        fprintf(stderr, "usage: death [KILLS], at most %d\n", MOST);
        return 2;
    }
    if (pipe(begun) < 0 || sem_init(&called, 0, 0) < 0)
        die("pipe", errno);
    pp_pool *waited_for = make_pool();
    pp_pool *daemon = make_pool();
    int      error = pp_pool_daemonize(daemon);
    if (error < 0)
        die("pp_pool_daemonize", error);
    for (unsigned i = 0; i < count; i++) {
        blocked[i] = once_blocked(waited_for);
        bare[2 * i] = once_bare();
        daemonized[i] = once_daemonized(daemon);
        bare[2 * i + 1] = once_bare();
    }
    pp_pool_destroy(waited_for);
    pp_pool_destroy(daemon);
    double p50 = quantile(bare, 2 * count, 50);
    double p99 = quantile(bare, 2 * count, 99);
    printf("| from SIGKILL to | kills | p50, us | p99, us | p50 ratio | p99 ratio |\n");
    printf("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    row("pidfd of a bare child readable", bare, 2 * count, p50, p99);
    row("callback, host blocked in process_all_results", blocked, count, p50, p99);
    row("callback, daemonized", daemonized, count, p50, p99);
    return 0;
}
