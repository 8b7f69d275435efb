/*
 * test_cancel.c - cancelling: a queued task is dropped, a running one is stopped at once, one that has
 * ended is -EALREADY.  A cancelled task is not tried again, and cancel may come from a callback and
 * at any instant: each task still has one outcome.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* ----------------------------------------------------------------------- callables */

static int defy_every_signal(pp_call *call)
{
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    gate_pass(&the_gate);
    return sleep_for_ever(call);
}

static int raise_failure(pp_call *call)
{
    return pp_call_raise(call, EIO, "Failure", "as it was told");
}

/* -------------------------------------------------------------------------- helpers */

struct heard {
    atomic_uint results;
    atomic_uint exceptions;
};

static void hear_result(pp_task *task, const pp_value *result, void *userdata)
{
    struct heard *heard = userdata;
    (void)task;
    (void)result;
    heard->results++;
}

static void hear_exception(pp_task *task, const pp_error *error, void *userdata)
{
    struct heard *heard = userdata;
    assert_int_equal(pp_error_state(error), pp_task_state(task));
    heard->exceptions++;
}

static pp_task_options heard_by(struct heard *heard)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = hear_result;
    options.exception_callback = hear_exception;
    options.userdata = heard;
    return options;
}

static void assert_cancelled(pp_task *task, unsigned attempts)
{
    assert_ends(task, PP_CANCELLED);
    assert_int_equal(pp_error_state(pp_task_error(task)), PP_CANCELLED);
    assert_int_equal(pp_error_errno(pp_task_error(task)), ECANCELED);
    assert_null(pp_task_result(task));
    assert_int_equal(pp_task_attempts(task), attempts);
    assert_int_equal(pp_task_cancel(task), -EALREADY);
}

/* ---------------------------------------------------------------------------- tests */

static void a_queued_task_that_is_cancelled_is_dropped_and_never_begins(void **state)
{
    struct heard    heard = {0};
    pp_task_options options = heard_by(&heard);
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    pp_task *running = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    pp_task *dropped[3];
    for (int i = 0; i < 3; i++)
        dropped[i] = queue_function(pool, gate_task, &options); /* would wait for leave */
    pp_task *last = queue_function(pool, return_null, NULL);
    for (int i = 2; i >= 0; i--) {
        assert_int_equal(pp_task_cancel(dropped[i]), 0);
        assert_int_equal(pp_task_state(dropped[i]), PP_CANCELLED); /* at once */
    }
    gate_release(&the_gate);
    assert_ends(running, PP_DONE);
    assert_ends(last, PP_DONE);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    assert_int_equal(heard.exceptions, 3);
    assert_int_equal(heard.results, 0);
    for (int i = 0; i < 3; i++) {
        assert_cancelled(dropped[i], 0);
        pp_task_unref(dropped[i]);
    }
    pp_task_unref(running);
    pp_task_unref(last);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* ------------------------------------------------------ what is behind, and the bell */

static void tell_result(pp_task *task, const pp_value *result, void *userdata)
{
    const int *pipe_ends = userdata;
    (void)task;
    (void)result;
    assert_int_equal(write(pipe_ends[1], "", 1), 1);
}

static void the_last_that_runs_is_heard_of_when_all_behind_it_is_cancelled(void **state)
{
    enum { ROUNDS = 40, BEHIND = 6 };
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    int             told[2];
    (void)state;
    gate_open(&the_gate);
    assert_int_equal(pipe(told), 0);
    options.callback = tell_result;
    options.userdata = told;
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(pp_pool_daemonize(pool), 0);
    for (int round = 0; round < ROUNDS; round++) {
        pp_task *behind[BEHIND];
        for (int i = 0; i < 3 * BEHIND; i++) /* tasks are short: what follows goes into the tray */
            assert_works(pool);
        pp_task *running = queue_function(pool, gate_task, &options);
        for (int i = 0; i < BEHIND; i++)
            behind[i] = queue_function(pool, return_null, NULL);
        for (int i = BEHIND - 1; i >= 0; i--) {
            assert_int_equal(pp_task_cancel(behind[i]), 0);
            pp_task_unref(behind[i]);
        }
        gate_await(&the_gate);
        gate_release(&the_gate);
        struct pollfd entry = {.fd = told[0], .events = POLLIN};
        char          byte = 0;
        assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
        assert_int_equal(read(told[0], &byte, 1), 1);
        pp_task_unref(running);
    }
    pp_pool_destroy(pool);
    close(told[0]);
    close(told[1]);
    gate_close(&the_gate);
}

static void a_running_task_that_is_cancelled_is_stopped_at_once(void **state)
{
    pp_function *const functions[] = {gate_task, defy_every_signal};
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 2; i++) {
        struct heard    heard = {0};
        pp_task_options options = heard_by(&heard);
        pp_task        *task = queue_function(pool, functions[i], &options);
        pp_task        *behind = queue_function(pool, return_null, NULL);
        gate_await(&the_gate);
        double begin = now();
        assert_int_equal(pp_task_state(task), PP_RUNNING);
        assert_int_equal(pp_task_cancel(task), 0);
        assert_cancelled(task, 1);
        print_message("           stopped after %.1f ms\n", (now() - begin) * 1000);
        assert_true(now() - begin < 2.0);
        assert_true(pid_gone(pp_task_worker_pid(task)));
        assert_ends(behind, PP_DONE);
        assert_int_equal(pp_task_attempts(behind), 1);
        assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
        assert_int_equal(heard.exceptions, 1);
        assert_int_equal(heard.results, 0);
        pp_task_unref(task);
        pp_task_unref(behind);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void cancelling_a_task_that_has_ended_says_already_and_changes_nothing(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *done = queue_function(pool, return_pid, NULL);
    pp_task *failed = queue_function(pool, raise_failure, NULL);
    pp_task *lost = queue_function(pool, crash_by_segv, NULL);
    assert_ends(done, PP_DONE);
    assert_ends(failed, PP_FAILED);
    assert_ends(lost, PP_WORKER_LOST);
    pp_task *const tasks[] = {done, failed, lost};
    const pp_state states[] = {PP_DONE, PP_FAILED, PP_WORKER_LOST};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pp_task_cancel(tasks[i]), -EALREADY);
        assert_int_equal(pp_task_state(tasks[i]), states[i]);
    }
    assert_non_null(pp_task_result(done));
    for (int i = 0; i < 3; i++)
        pp_task_unref(tasks[i]);
    pp_pool_destroy(pool);
}

static void retries_do_not_revive_a_cancelled_task(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.max_retries = 5;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    pp_task *running = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    assert_int_equal(pp_task_cancel(running), 0);
    assert_cancelled(running, 1);
    /* while it waits for its next attempt */
    options.retry_delay = 600;
    pp_task      *delayed = queue_function(pool, raise_failure, &options);
    pp_pool_stats stats = {.size = sizeof stats};
    double        limit = now() + PATIENCE;
    do
        assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    while (stats.retried < 1 && now() < limit);
    assert_int_equal(pp_task_cancel(delayed), 0);
    assert_int_equal(pp_task_state(delayed), PP_CANCELLED);
    assert_cancelled(delayed, 1);
    pp_task *last = queue_function(pool, return_null, NULL);
    assert_ends(last, PP_DONE);
    pp_task_unref(running);
    pp_task_unref(delayed);
    pp_task_unref(last);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* It fails again and again; cancel comes at any instant of that, and is the end of it. */
static void a_cancel_that_meets_a_retry_ends_the_task(void **state)
{
    enum { ROUNDS = 300 };
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    unsigned        cancelled = 0;
    (void)state;
    options.max_retries = 1000000000;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < ROUNDS; i++) {
        pp_task *task = queue_function(pool, raise_failure, &options);
        double   until = now() + i * 1e-6;
        while (pp_task_attempts(task) == 0 || now() < until)
            ;
        assert_int_equal(pp_task_cancel(task), 0);
        assert_int_equal(pp_task_wait(task, PATIENCE), 0);
        /* an exception that was raised before the worker was stopped counts, but is the last */
        assert_true(pp_task_state(task) == PP_CANCELLED || pp_task_state(task) == PP_FAILED);
        cancelled += pp_task_state(task) == PP_CANCELLED ? 1 : 0;
        pp_task_unref(task);
    }
    print_message("           %u of %d cancelled\n", cancelled, (int)ROUNDS);
    assert_true(cancelled > ROUNDS / 2);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------- from callbacks */

struct cancels {
    pp_task *queued;
    pp_task *running;
    int      of_queued;
    int      of_running;
    int      of_itself;
};

static void cancel_others(pp_task *task, const pp_value *result, void *userdata)
{
    struct cancels *cancels = userdata;
    (void)result;
    cancels->of_queued = pp_task_cancel(cancels->queued);
    cancels->of_running = pp_task_cancel(cancels->running);
    cancels->of_itself = pp_task_cancel(task);
}

static void a_callback_may_cancel_queued_and_running_tasks(void **state)
{
    struct cancels  cancels = {.of_queued = 1, .of_running = 1, .of_itself = 1};
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    for (int daemon = 0; daemon < 2; daemon++) {
        gate_open(&the_gate);
        pp_pool *pool = pool_of(1, 2);
        if (daemon == 1)
            assert_int_equal(pp_pool_daemonize(pool), 0);
        cancels.running = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
        options.priority = -1;
        pp_task *second = queue_function(pool, defy_every_signal, NULL);
        gate_await(&the_gate);
        cancels.queued = queue_function(pool, gate_task, &options);
        options = (pp_task_options)PP_TASK_OPTIONS_INIT;
        options.callback = cancel_others;
        options.userdata = &cancels;
        options.priority = 1;
        pp_task *first = queue_function(pool, return_null, &options);
        assert_int_equal(pp_task_cancel(second), 0); /* makes room for the first */
        if (daemon == 0)
            assert_int_equal(pp_pool_process_all_results(pool, PATIENCE) >= 0, 1);
        assert_ends(first, PP_DONE);
        assert_cancelled(cancels.running, 1);
        assert_ends(cancels.queued, PP_CANCELLED);
        assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
        assert_int_equal(cancels.of_queued, 0);
        assert_int_equal(cancels.of_running, 0);
        assert_int_equal(cancels.of_itself, -EALREADY);
        pp_task_unref(first);
        pp_task_unref(second);
        pp_task_unref(cancels.running);
        pp_task_unref(cancels.queued);
        pp_pool_destroy(pool);
        gate_close(&the_gate);
    }
}

/* ---------------------------------------------------------------------------- races */

enum { RACE_TASKS = 3000 };

struct race {
    pp_task     *tasks[RACE_TASKS];
    struct heard heard[RACE_TASKS];
    int          answers[RACE_TASKS];
    atomic_int   queued;
};

static void *cancel_each(void *data)
{
    struct race *race = data;
    for (int i = 0; i < RACE_TASKS; i++) {
        while (atomic_load(&race->queued) <= i)
            ;
        double until = now() + i % 40 * 1e-6; /* from long before to long after the end */
        while (now() < until)
            ;
        race->answers[i] = pp_task_cancel(race->tasks[i]);
    }
    return NULL;
}

/* The number of those that were cancelled. */
static unsigned race_cancels_with_ends(void)
{
    static struct race race;
    pp_pool_options    options = PP_POOL_OPTIONS_INIT;
    unsigned           counts[2] = {0, 0};
    pthread_t          thread;
    memset(&race, 0, sizeof race);
    options.min_size = options.max_size = 2;
    options.max_queued_requests = 50;
    pp_pool *pool = pool_with(&options);
    assert_int_equal(pp_pool_daemonize(pool), 0);
    assert_int_equal(pthread_create(&thread, NULL, cancel_each, &race), 0);
    for (int i = 0; i < RACE_TASKS; i++) {
        pp_task_options own = heard_by(&race.heard[i]);
        race.tasks[i] = queue_function(pool, return_null, &own);
        atomic_store(&race.queued, i + 1);
        if (i % 3 != 0)
            (void)pp_task_wait(race.tasks[i], PATIENCE);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) >= 0);
    for (int i = 0; i < RACE_TASKS; i++) {
        pp_state state_of_it = pp_task_state(race.tasks[i]);
        bool     done = state_of_it == PP_DONE;
        assert_true(done || state_of_it == PP_CANCELLED);
        assert_true(race.answers[i] == 0 || race.answers[i] == -EALREADY);
        if (race.answers[i] == -EALREADY)
            assert_true(done);
        assert_int_equal(race.heard[i].results, done ? 1 : 0);
        assert_int_equal(race.heard[i].exceptions, done ? 0 : 1);
        counts[done ? 0 : 1]++;
        pp_task_unref(race.tasks[i]);
    }
    print_message("           %u done, %u cancelled\n", counts[0], counts[1]);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.done, counts[0]);
    assert_int_equal(stats.cancelled, counts[1]);
    pp_pool_destroy(pool);
    return counts[1];
}

/* On a machine that is busy all of them may come too late. */
static void a_cancel_that_races_with_the_end_of_a_task_leaves_one_outcome(void **state)
{
    enum { TRIES = 50 };
    unsigned cancelled = 0;
    (void)state;
    for (int i = 0; i < TRIES && cancelled == 0; i++)
        cancelled = race_cancels_with_ends();
    assert_true(cancelled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queued_task_that_is_cancelled_is_dropped_and_never_begins),
        cmocka_unit_test(the_last_that_runs_is_heard_of_when_all_behind_it_is_cancelled),
        cmocka_unit_test(a_running_task_that_is_cancelled_is_stopped_at_once),
        cmocka_unit_test(cancelling_a_task_that_has_ended_says_already_and_changes_nothing),
        cmocka_unit_test(retries_do_not_revive_a_cancelled_task),
        cmocka_unit_test(a_cancel_that_meets_a_retry_ends_the_task),
        cmocka_unit_test(a_callback_may_cancel_queued_and_running_tasks),
        cmocka_unit_test(a_cancel_that_races_with_the_end_of_a_task_leaves_one_outcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
