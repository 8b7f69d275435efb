/*
 * test_time_limits.c - limits of execution.
 *
 * A hard limit ends the task on time, whatever it does against it, and counts from the task's
 * beginning.  A soft limit interrupts it by SIGALRM, makes pp_call_cancelled true, and never hits
 * another task.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How late a limit may be enforced on a machine that others use, too. */
static const double late_at_most = 1.0;

/* ----------------------------------------------------------------------- callables */

static int spin(pp_call *call)
{
    volatile unsigned turns = 0;
    (void)call;
    for (;;)
        turns = turns + 1;
    return 0;
}

static int block_every_signal_and_spin(pp_call *call)
{
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    return spin(call);
}

static int ignore_every_signal_and_sleep(pp_call *call)
{
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_IGN);
    return sleep_for_ever(call);
}

static int stop_itself(pp_call *call)
{
    (void)raise(SIGSTOP);
    return sleep_for_ever(call);
}

static void nap(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds,
                            .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

static int nap_for(pp_call *call)
{
    double seconds = 0;
    if (pp_call_args(call, "d", &seconds) < 0)
        return -EINVAL;
    nap(seconds);
    return 0;
}

/* -------------------------------------------------------------------------- helpers */

static double time_it_ran(const pp_task *task)
{
    double queued = 0;
    double ran = 0;
    assert_int_equal(pp_task_times(task, &queued, &ran), 0);
    return ran;
}

static void assert_timed_out(pp_task *task, double limit)
{
    assert_ends(task, PP_TIMED_OUT);
    const pp_error *error = pp_task_error(task);
    double          late = time_it_ran(task) - limit;
    print_message("           stopped %.1f ms after its limit\n", late * 1000);
    assert_true(late >= 0);
    assert_true(late < late_at_most);
    assert_int_equal(pp_error_errno(error), ETIME);
    assert_int_equal(pp_error_state(error), PP_TIMED_OUT);
    assert_int_equal(pp_task_attempts(task), 1);
    assert_null(pp_task_result(task));
    assert_true(pid_gone(pp_task_worker_pid(task)));
}

static void assert_stopped_in_time(pp_function *function)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = 0.1;
    pp_pool *pool = pool_of(1, 1);
    double   begin = now();
    pp_task *task = queue_function(pool, function, &options);
    assert_timed_out(task, options.timeout);
    assert_true(now() - begin >= options.timeout);
    pp_task *next = queue_function(pool, return_null, NULL);
    assert_ends(next, PP_DONE);
    pp_task_unref(task);
    pp_task_unref(next);
    pp_pool_destroy(pool);
}

/* ---------------------------------------------------------------------- hard limits */

static void a_time_limit_stops_a_task_that_sleeps(void **state)
{
    (void)state;
    assert_stopped_in_time(sleep_for_ever);
}

static void a_time_limit_stops_a_task_that_spins(void **state)
{
    (void)state;
    assert_stopped_in_time(spin);
}

static void a_time_limit_stops_a_task_that_blocks_every_signal(void **state)
{
    (void)state;
    assert_stopped_in_time(block_every_signal_and_spin);
}

static void a_time_limit_stops_a_task_that_ignores_every_signal(void **state)
{
    (void)state;
    assert_stopped_in_time(ignore_every_signal_and_sleep);
}

static void a_time_limit_stops_a_task_whose_worker_is_stopped(void **state)
{
    (void)state;
    assert_stopped_in_time(stop_itself);
}

static void a_time_limit_does_not_count_the_wait_in_the_queue(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *before = NULL;
    double          queued = 0;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 30; i++) { /* short ones: what follows is sent ahead */
        pp_task *quick = queue_function(pool, return_null, NULL);
        assert_ends(quick, PP_DONE);
        pp_task_unref(quick);
    }
    assert_int_equal(pp_task_create(&before, PP_FUNCTION(nap_for), NULL, "d", 0.5), 0);
    assert_int_equal(pp_pool_queue_task(pool, before), 0);
    options.timeout = 0.2;
    pp_task *quick = queue_function(pool, return_null, &options);
    pp_task *slow = queue_function(pool, sleep_for_ever, &options);
    assert_ends(before, PP_DONE);
    assert_ends(quick, PP_DONE);
    assert_timed_out(slow, options.timeout);
    assert_int_equal(pp_task_times(quick, &queued, NULL), 0);
    assert_true(queued >= 0.4);
    assert_int_equal(pp_task_times(slow, &queued, NULL), 0);
    assert_true(queued >= 0.4);
    pp_task_unref(before);
    pp_task_unref(quick);
    pp_task_unref(slow);
    pp_pool_destroy(pool);
}

static void a_time_limit_does_not_count_what_passes_before_the_worker_begins(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.2;
    pp_pool *pool = pool_of(1, 1);
    int      pid = worker_of(pool);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    pp_task *task = queue_function(pool, return_pid, &options);
    assert_int_equal(pp_task_wait(task, 3 * options.timeout), -ETIMEDOUT);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_task_worker_pid(task), pid);
    assert_int_equal(pp_task_attempts(task), 1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* However short: it is the task that has to begin, and not a worker after the other that is killed. */
static void a_time_limit_of_nanoseconds_costs_one_worker_at_most(void **state)
{
    enum { TASKS = 20 };
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_pool_stats   stats = {.size = sizeof stats};
    (void)state;
    options.timeout = 3e-8;
    pp_pool *pool = pool_of(1, 1);
    for (unsigned i = 0; i < TASKS; i++) {
        pp_task *task = queue_function(pool, return_null, &options);
        assert_int_equal(pp_task_wait(task, PATIENCE), 0);
        assert_true(pp_task_state(task) == PP_DONE || pp_task_state(task) == PP_TIMED_OUT);
        pp_task_unref(task);
        pp_pool_get_stats(pool, &stats);
        assert_true(stats.workers_died <= i + 1);
    }
    pp_pool_destroy(pool);
}

static void many_time_limits_at_once_are_each_enforced_on_time(void **state)
{
    enum { MANY = 10 };
    pp_task        *tasks[MANY];
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    pp_pool *pool = pool_of(MANY, MANY);
    for (int i = 0; i < MANY; i++) {
        options.timeout = 0.3 - 0.02 * i;
        tasks[i] = queue_function(pool, sleep_for_ever, &options);
    }
    for (int i = 0; i < MANY; i++) {
        assert_timed_out(tasks[i], 0.3 - 0.02 * i);
        pp_task_unref(tasks[i]);
    }
    pp_pool_destroy(pool);
}

static void a_task_that_ends_within_its_limit_is_not_stopped_and_neither_is_the_next(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *long_one = NULL;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    options.timeout = 0.3;
    pp_task *first = queue_function(pool, return_pid, &options);
    assert_ends(first, PP_DONE);
    assert_int_equal(pp_task_create(&long_one, PP_FUNCTION(nap_for), NULL, "d", 0.5), 0);
    assert_int_equal(pp_pool_queue_task(pool, long_one), 0);
    assert_ends(long_one, PP_DONE);
    assert_int_equal(pp_task_worker_pid(long_one), pp_task_worker_pid(first));
    pp_task_unref(first);
    pp_task_unref(long_one);
    pp_pool_destroy(pool);
}

static void a_limit_set_on_a_task_before_it_is_queued_counts(void **state)
{
    pp_task *task = NULL;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(sleep_for_ever), NULL, NULL), 0);
    assert_true(pp_task_timeout(task) == 0);
    assert_int_equal(pp_task_set_timeout(task, 0.1), 0);
    assert_true(pp_task_timeout(task) > 0.0999 && pp_task_timeout(task) < 0.1001);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    assert_true(pp_task_set_timeout(task, 60) < 0);
    assert_timed_out(task, 0.1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* ---------------------------------------------------------------------- soft limits */

/* Blocks in read until a signal; returns errno, pp_call_cancelled before and after, and seconds. */
static int block_until_interrupted(pp_call *call)
{
    int    ends[2];
    char   byte = 0;
    bool   before = pp_call_cancelled(call);
    double begin = now();
    if (pipe(ends) < 0)
        return -errno;
    int error = read(ends[0], &byte, 1) < 0 ? errno : 0;
    (void)close(ends[0]);
    (void)close(ends[1]);
    return pp_call_return(call, "ibbd", error, before, pp_call_cancelled(call), now() - begin);
}

static void a_soft_limit_interrupts_a_blocking_call_and_turns_cancelled_true(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    int             error = 0;
    bool            before = true;
    bool            after = false;
    double          seconds = 0;
    (void)state;
    options.soft_timeout = 0.1;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 2; i++) { /* the second time the worker's timer is there already */
        pp_task *task = queue_function(pool, block_until_interrupted, &options);
        assert_ends(task, PP_DONE);
        assert_int_equal(
            pp_value_unpack(pp_task_result(task), "ibbd", &error, &before, &after, &seconds), 0);
        assert_int_equal(error, EINTR);
        assert_false(before);
        assert_true(after);
        assert_true(seconds > 0.09 && seconds < 0.1 + late_at_most);
        assert_int_equal(pp_task_attempts(task), 1);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
}

static int spin_until_cancelled(pp_call *call)
{
    double begin = now();
    while (!pp_call_cancelled(call) && now() < begin + PATIENCE)
        ;
    return pp_call_return(call, "d", now() - begin);
}

static void a_soft_limit_is_seen_by_a_task_that_only_asks(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    double          seconds = 0;
    (void)state;
    options.soft_timeout = 0.1;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, spin_until_cancelled, &options);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "d", &seconds), 0);
    assert_true(seconds > 0.09 && seconds < 0.1 + late_at_most);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* Leaves with the alarm pending. */
static int keep_the_alarm_pending(pp_call *call)
{
    sigset_t alarm;
    sigset_t pending;
    (void)call;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &alarm, NULL);
    do
        (void)sigpending(&pending);
    while (sigismember(&pending, SIGALRM) == 0);
    return 0;
}

/* A kernel may forget the pending signal of a timer that is disarmed, but not this one. */
static int leave_an_alarm_of_its_own(pp_call *call)
{
    sigset_t alarm;
    (void)call;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    (void)sigprocmask(SIG_BLOCK, &alarm, NULL);
    return raise(SIGALRM) == 0 ? 0 : -errno;
}

/* 0 when neither a signal nor pp_call_cancelled disturbs it for a while. */
static int be_undisturbed(pp_call *call)
{
    sigset_t        alarm;
    struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    (void)sigprocmask(SIG_UNBLOCK, &alarm, NULL);
    if (nanosleep(&moment, NULL) < 0)
        return -errno;
    return pp_call_cancelled(call) ? -ECANCELED : 0;
}

static void a_soft_limit_of_one_task_never_hits_the_next(void **state)
{
    pp_function *const first[] = {return_null, keep_the_alarm_pending, leave_an_alarm_of_its_own,
                                  block_until_interrupted};
    pp_task_options    options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.soft_timeout = 0.08;
    pp_pool *pool = pool_of(1, 1);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        pp_task *limited = queue_function(pool, first[i], &options);
        pp_task *next = queue_function(pool, be_undisturbed, NULL);
        assert_ends(limited, PP_DONE);
        assert_ends(next, PP_DONE);
        assert_int_equal(pp_task_worker_pid(next), pp_task_worker_pid(limited));
        pp_task_unref(limited);
        pp_task_unref(next);
    }
    pp_pool_destroy(pool);
}

/* Tells of the soft limit and goes on. */
static int outlast_the_soft_limit(pp_call *call)
{
    (void)pause();
    gate_pass(&the_gate);
    return sleep_for_ever(call);
}

static void the_hard_limit_comes_after_a_soft_limit_that_was_not_heeded(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.soft_timeout = 0.1;
    options.timeout = 0.4;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    double   begin = now();
    pp_task *task = queue_function(pool, outlast_the_soft_limit, &options);
    gate_await(&the_gate);
    assert_true(now() - begin >= options.soft_timeout);
    assert_timed_out(task, options.timeout);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static volatile sig_atomic_t handled;

static void note_alarm(int number)
{
    handled = number;
}

static int handle_the_alarm_itself(pp_call *call)
{
    (void)sigaction(SIGALRM, &(struct sigaction){.sa_handler = note_alarm}, NULL);
    (void)pause(); /* the timer is far from due when this begins */
    return pp_call_return(call, "i", (int)handled);
}

static void a_task_may_handle_its_soft_limit_itself(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.soft_timeout = 0.1;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, handle_the_alarm_itself, &options);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_limit_stops_a_task_that_sleeps),
        cmocka_unit_test(a_time_limit_stops_a_task_that_spins),
        cmocka_unit_test(a_time_limit_stops_a_task_that_blocks_every_signal),
        cmocka_unit_test(a_time_limit_stops_a_task_that_ignores_every_signal),
        cmocka_unit_test(a_time_limit_stops_a_task_whose_worker_is_stopped),
        cmocka_unit_test(a_time_limit_does_not_count_the_wait_in_the_queue),
        cmocka_unit_test(a_time_limit_does_not_count_what_passes_before_the_worker_begins),
        cmocka_unit_test(a_time_limit_of_nanoseconds_costs_one_worker_at_most),
        cmocka_unit_test(many_time_limits_at_once_are_each_enforced_on_time),
        cmocka_unit_test(a_task_that_ends_within_its_limit_is_not_stopped_and_neither_is_the_next),
        cmocka_unit_test(a_limit_set_on_a_task_before_it_is_queued_counts),
        cmocka_unit_test(a_soft_limit_interrupts_a_blocking_call_and_turns_cancelled_true),
        cmocka_unit_test(a_soft_limit_is_seen_by_a_task_that_only_asks),
        cmocka_unit_test(a_soft_limit_of_one_task_never_hits_the_next),
        cmocka_unit_test(the_hard_limit_comes_after_a_soft_limit_that_was_not_heeded),
        cmocka_unit_test(a_task_may_handle_its_soft_limit_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
