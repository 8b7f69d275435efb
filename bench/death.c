/*
 * death.c - from SIGKILL for a worker to the callback of the task that it was executing, beside the
 * bare time from SIGKILL for a forked child to its pidfd being readable, below which nobody can be.
 *
 *     death [kills=N] [json=1]
 *
 * In turn, in one run: a pool whose host is blocked in pp_pool_process_all_results, a bare child, a
 * daemonized pool, a bare child.  Each victim sleeps, and has done so for a millisecond, when it is
 * killed.
 */
#include "measure.h"

#include <poll.h>
#include <procpool.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS, JSON };

static struct knob knobs[] = {[KILLS] = {"kills", 1000}, [JSON] = {"json", 0}};

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
    check(pp_pool_create(&pool, &options), "pp_pool_create");
    return pool;
}

static void submit(pp_pool *pool)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.exception_callback = on_exception;
    check(pp_pool_create_and_queue_task(pool, PP_FUNCTION(victim_task), &options, NULL), "submit");
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

struct times {
    const char *name;
    const char *figure;
    double     *seconds;
    size_t      count;
    double      p50; /* microseconds */
    double      p99;
};

static void summarise(struct times *times)
{
    times->p50 = percentile(times->seconds, times->count, 50) * 1e6;
    times->p99 = percentile(times->seconds, times->count, 99) * 1e6;
    free(times->seconds);
}

static void print_row(const struct times *times, const struct times *bare)
{
    printf("| %s | %zu | %.0f | %.0f | %.2f | %.2f |\n", times->name, times->count, times->p50,
           times->p99, times->p50 / bare->p50, times->p99 / bare->p99);
}

static void print_table(const struct times *all, size_t count)
{
    printf("| from SIGKILL to | kills | p50, us | p99, us | p50 ratio | p99 ratio |\n");
    printf("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < count; i++)
        print_row(&all[i], &all[0]);
}

int main(int argc, char **argv)
{
    TURN_KNOBS(knobs, argc, argv);
    size_t       count = knobs[KILLS].value;
    struct times all[] = {
        {"pidfd of a bare child readable", "pidfd", allocate(2 * count, sizeof(double)), 2 * count,
         0, 0},
        {"callback, host blocked in process_all_results", "blocked",
         allocate(count, sizeof(double)), count, 0, 0},
        {"callback, daemonized", "daemonized", allocate(count, sizeof(double)), count, 0, 0},
    };
    if (count < 1 || pipe(begun) < 0 || sem_init(&called, 0, 0) < 0)
        die("pipe", errno);
    pp_pool *waited_for = make_pool();
    pp_pool *daemon = make_pool();
    check(pp_pool_daemonize(daemon), "pp_pool_daemonize");
    for (size_t i = 0; i < count; i++) {
        all[1].seconds[i] = once_blocked(waited_for);
        all[0].seconds[2 * i] = once_bare();
        all[2].seconds[i] = once_daemonized(daemon);
        all[0].seconds[2 * i + 1] = once_bare();
    }
    pp_pool_destroy(waited_for);
    pp_pool_destroy(daemon);
    for (size_t i = 0; i < 3; i++) {
        summarise(&all[i]);
        if (knobs[JSON].value)
            emit(all[i].figure, i == 0 ? "kernel" : "procpool", all[i].p99, "us");
    }
    if (!knobs[JSON].value)
        print_table(all, 3);
    return 0;
}
