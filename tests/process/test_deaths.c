/*
 * test_deaths.c - the death of a worker costs the task that it ran and nothing else.
 *
 * Whatever ends a worker (any signal, any exit): its task is PP_WORKER_LOST with the wait status, the
 * tasks behind it succeed and have spent no attempt, and the worker is replaced.  A worker that dies
 * without a task costs nothing.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FOLLOWERS = 6 };

/* ----------------------------------------------------------------------- callables */

static void no_core(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static int die_by_signal(pp_call *call)
{
    int number = 0;
    if (pp_call_args(call, "i", &number) < 0)
        return -EINVAL;
    no_core();
    gate_pass(&the_gate);
    (void)signal(number, SIG_DFL);
    (void)kill(getpid(), number);
    for (;;)
        pause();
}

enum way { BY_EXIT, BY_UNDERSCORE, BY_QUICK_EXIT, BY_ABORT, BY_EXECVE, BY_EXIT_GROUP, BY_THREAD };

static void *exit_in_thread(void *status)
{
    exit(*(int *)status);
}

static void leave(enum way way, int status)
{
    char      command[32];
    pthread_t thread;
    snprintf(command, sizeof command, "exit %d", status);
    char  shell[] = "sh";
    char  option[] = "-c";
    char *arguments[] = {shell, option, command, NULL};
    switch (way) {
    case BY_EXIT:
        exit(status);
    case BY_UNDERSCORE:
        _exit(status);
    case BY_QUICK_EXIT:
        quick_exit(status);
    case BY_ABORT:
        abort();
    case BY_EXECVE:
        execve("/bin/sh", arguments, environ);
        break;
    case BY_EXIT_GROUP:
        syscall(SYS_exit_group, status);
        break;
    case BY_THREAD:
        if (pthread_create(&thread, NULL, exit_in_thread, &status) == 0)
            for (;;)
                pause();
        break;
    }
}

static int die_by_exit(pp_call *call)
{
    int way = 0;
    int status = 0;
    if (pp_call_args(call, "ii", &way, &status) < 0)
        return -EINVAL;
    no_core();
    gate_pass(&the_gate);
    leave((enum way)way, status);
    return -ECANCELED;
}

/* -------------------------------------------------------------------------- helpers */

struct expected {
    pp_pool *pool;
    unsigned idle;
};

static bool has_idle(void *data)
{
    const struct expected *expected = data;
    return pp_pool_num_idle_processes(expected->pool) == expected->idle;
}

static void assert_idle(pp_pool *pool, unsigned idle)
{
    struct expected expected = {pool, idle};
    assert_true(eventually(has_idle, &expected));
}

static pp_pool_stats stats_of(pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats;
}

/* The task is executed by the only worker and holds it until others wait behind it. */
static void assert_only_this_is_lost(pp_pool *pool, pp_task *fatal, int wait_status)
{
    pp_task      *followers[FOLLOWERS];
    pid_t         before = worker_of(pool);
    pp_pool_stats old = stats_of(pool);
    assert_int_equal(pp_pool_queue_task(pool, fatal), 0);
    gate_await(&the_gate);
    for (int i = 0; i < FOLLOWERS; i++)
        followers[i] = queue_function(pool, return_pid, NULL);
    gate_release(&the_gate);
    assert_ends(fatal, PP_WORKER_LOST);
    const pp_error *error = pp_task_error(fatal);
    assert_int_equal(pp_error_wait_status(error) & ~0x80, wait_status);
    assert_int_equal(pp_error_state(error), PP_WORKER_LOST);
    assert_true(pp_error_errno(error) > 0);
    assert_string_not_equal(pp_error_message(error), "");
    assert_null(pp_task_result(fatal));
    assert_int_equal(pp_task_attempts(fatal), 1);
    assert_int_equal(pp_task_worker_pid(fatal), before);
    for (int i = 0; i < FOLLOWERS; i++) {
        assert_ends(followers[i], PP_DONE);
        assert_int_equal(pp_task_attempts(followers[i]), 1);
        assert_int_not_equal(result_number(followers[i]), before);
        pp_task_unref(followers[i]);
    }
    assert_idle(pool, 1);
    pp_pool_stats new = stats_of(pool);
    assert_int_equal(new.worker_lost, old.worker_lost + 1);
    assert_int_equal(new.workers_died, old.workers_died + 1);
    assert_int_equal(new.workers_started, old.workers_started + 1);
}

/* ---------------------------------------------------------------------------- tests */

static void a_worker_that_dies_by_any_signal_loses_only_its_task(void **state)
{
    const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS,    SIGFPE,    SIGILL,  SIGKILL,
                         SIGTERM, SIGHUP,  SIGINT,    SIGQUIT,   SIGTRAP, SIGUSR1,
                         SIGUSR2, SIGPIPE, SIGALRM,   SIGXCPU,   SIGXFSZ, SIGPROF,
                         SIGIO,   SIGSYS,  SIGSTKFLT, SIGVTALRM, SIGPWR,  SIGRTMAX};
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(die_by_signal), NULL, "i", fatal[i]), 0);
        assert_only_this_is_lost(pool, task, fatal[i]);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_worker_that_exits_in_any_way_loses_only_its_task(void **state)
{
    const struct {
        enum way way;
        int      status;
        int      wait_status;
    } ends[] = {{BY_EXIT, 0, 0},
                {BY_EXIT, 3, 3 << 8},
                {BY_UNDERSCORE, 0, 0},
                {BY_UNDERSCORE, 7, 7 << 8},
                {BY_QUICK_EXIT, 4, 4 << 8},
                {BY_ABORT, 0, SIGABRT},
                {BY_EXECVE, 0, 0},
                {BY_EXECVE, 5, 5 << 8},
                {BY_EXIT_GROUP, 255, 255 << 8},
                {BY_THREAD, 9, 9 << 8}};
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        pp_task *task = NULL;
        assert_int_equal(pp_task_create(&task, PP_FUNCTION(die_by_exit), NULL, "ii",
                                        (int)ends[i].way, ends[i].status),
                         0);
        assert_only_this_is_lost(pool, task, ends[i].wait_status);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Short tasks before teach the pool to send many at once: some of those behind the fatal one are in
 * the tray of the worker that dies. */
static void tasks_sent_to_a_worker_that_dies_have_spent_no_attempt(void **state)
{
    enum { MANY = 60 };
    pp_task        *behind[MANY];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    options.min_size = options.max_size = 1;
    options.max_queued_requests = MANY + 4;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < 50; i++)
        (void)worker_of(pool);
    for (int round = 0; round < 5; round++) {
        pp_task *gate = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
        pp_task *fatal = queue_function(pool, crash_by_segv, NULL);
        for (int i = 0; i < MANY; i++)
            behind[i] = queue_function(pool, return_null, NULL);
        gate_release(&the_gate);
        assert_ends(gate, PP_DONE);
        assert_ends(fatal, PP_WORKER_LOST);
        for (int i = 0; i < MANY; i++) {
            assert_ends(behind[i], PP_DONE);
            assert_int_equal(pp_task_attempts(behind[i]), 1);
            pp_task_unref(behind[i]);
        }
        pp_task_unref(gate);
        pp_task_unref(fatal);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_worker_killed_while_idle_is_replaced_and_nothing_is_lost(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 5; i++) {
        pid_t pid = worker_of(pool);
        assert_idle(pool, 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_true(pid_gone(pid));
        assert_int_not_equal(worker_of(pool), pid);
    }
    pp_pool_stats stats = stats_of(pool);
    assert_int_equal(stats.worker_lost, 0);
    assert_int_equal(stats.workers_died, 5);
    assert_int_equal(stats.workers_started, 6);
    pp_pool_destroy(pool);
}

static int born[2];

static int tell_birth(void *arg, void **state)
{
    pid_t self = getpid();
    (void)arg;
    (void)state;
    return write(born[1], &self, sizeof self) == sizeof self ? 0 : -EIO;
}

static bool is_idle(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 1;
}

/* Deaths before a task delay the next birth only when they come in a row: twelve would cost ten
 * seconds. */
static void a_worker_that_began_a_task_ends_the_delays_of_those_that_did_not(void **state)
{
    enum { TIMES = 12 };
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pipe(born), 0);
    options.min_size = 1;
    options.worker_init = tell_birth;
    pp_pool *pool = pool_with(&options);
    double   begin = now();
    for (int i = 0; i < TIMES; i++) {
        pid_t pid = 0;
        assert_int_equal(read(born[0], &pid, sizeof pid), sizeof pid);
        assert_true(eventually(is_idle, pool));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(read(born[0], &pid, sizeof pid), sizeof pid);
        pp_task *lost = queue_function(pool, crash_by_segv, NULL);
        assert_ends(lost, PP_WORKER_LOST);
        pp_task_unref(lost);
    }
    print_message("           %d times took %.3f s\n", TIMES, now() - begin);
    assert_true(now() - begin < 8);
    pp_pool_destroy(pool);
    close(born[0]);
    close(born[1]);
}

static void when_all_workers_are_killed_at_once_all_are_replaced(void **state)
{
    enum { ALL = 4 };
    pp_task *lost[ALL];
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(ALL, ALL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < ALL; i++)
            lost[i] = queue_function(pool, gate_task, NULL);
        for (int i = 0; i < ALL; i++)
            gate_await(&the_gate);
        for (int i = 0; i < ALL; i++)
            assert_int_equal(kill(pp_task_worker_pid(lost[i]), SIGKILL), 0);
        for (int i = 0; i < ALL; i++) {
            assert_ends(lost[i], PP_WORKER_LOST);
            assert_int_equal(pp_error_wait_status(pp_task_error(lost[i])), SIGKILL);
            pp_task_unref(lost[i]);
        }
        assert_idle(pool, ALL);
        for (int i = 0; i < ALL; i++)
            (void)worker_of(pool);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Once in each worker, when it has ended a task: SIGKILL will come in a moment, wherever it is
 * then. */
static int run_on_a_mined_worker(pp_call *call)
{
    static timer_t    mine;
    static unsigned   runs;
    struct sigevent   event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value.tv_nsec = 1000000 + getpid() * 7919L % 8000 * 1000};
    if (++runs == 2 && timer_create(CLOCK_MONOTONIC, &event, &mine) == 0)
        (void)timer_settime(mine, 0, &when, NULL);
    double until = now() + 20e-6;
    while (now() < until)
        ;
    return return_pid(call);
}

static void a_death_at_any_instant_costs_one_task_at_most(void **state)
{
    enum { TASKS = 3000 };
    static pp_task *tasks[TASKS];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    unsigned        lost = 0;
    (void)state;
    options.min_size = options.max_size = 2;
    options.max_queued_requests = 500;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < TASKS; i++)
        tasks[i] = queue_function(pool, run_on_a_mined_worker, NULL);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(pp_task_wait(tasks[i], PATIENCE), 0);
        assert_int_equal(pp_task_attempts(tasks[i]), 1);
        if (pp_task_state(tasks[i]) == PP_WORKER_LOST) {
            lost++;
            assert_int_equal(pp_error_wait_status(pp_task_error(tasks[i])), SIGKILL);
        } else
            assert_int_equal(pp_task_state(tasks[i]), PP_DONE);
        pp_task_unref(tasks[i]);
    }
    pp_pool_stats stats = stats_of(pool);
    print_message("           %u of %d tasks lost by %u deaths\n", lost, (int)TASKS,
                  (unsigned)stats.workers_died);
    assert_true(stats.workers_died >= 3);
    assert_true(lost <= stats.workers_died);
    assert_int_equal(stats.worker_lost, lost);
    assert_int_equal(stats.done, TASKS - lost);
    pp_pool_destroy(pool);
}

static unsigned descriptors_after_finalize(bool with_death)
{
    pp_pool *pool = pool_of(1, 1);
    if (with_death) {
        pp_task *lost = queue_function(pool, crash_by_segv, NULL);
        assert_ends(lost, PP_WORKER_LOST);
        pp_task_unref(lost);
    }
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    unsigned count = open_descriptors();
    pp_pool_destroy(pool);
    return count;
}

/* The manager gives back what the dead one had, and makes what the next one needs, without the lock:
 * whoever finalizes gets in between, and waits for both all the same. */
static void a_pool_is_finalized_and_given_back_while_a_dead_worker_is_replaced(void **state)
{
    enum { ROUNDS = 80 };
    (void)state;
    unsigned before = open_descriptors();
    unsigned usual = descriptors_after_finalize(false);
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(descriptors_after_finalize(true), usual);
        assert_int_equal(open_descriptors(), before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_that_dies_by_any_signal_loses_only_its_task),
        cmocka_unit_test(a_worker_that_exits_in_any_way_loses_only_its_task),
        cmocka_unit_test(tasks_sent_to_a_worker_that_dies_have_spent_no_attempt),
        cmocka_unit_test(a_worker_killed_while_idle_is_replaced_and_nothing_is_lost),
        cmocka_unit_test(a_worker_that_began_a_task_ends_the_delays_of_those_that_did_not),
        cmocka_unit_test(when_all_workers_are_killed_at_once_all_are_replaced),
        cmocka_unit_test(a_death_at_any_instant_costs_one_task_at_most),
        cmocka_unit_test(a_pool_is_finalized_and_given_back_while_a_dead_worker_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
