/*
 * test_finalize.c - the end of a pool's work: drain, SIGTERM, grace, SIGKILL, in this order; and
 * what it returns.
 */
#include "counted.h"
#include "pool/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ----------------------------------------------------------------------- callables */

static void tell_and_exit(int number)
{
    char byte = (char)number;
    _exit(write(the_gate.begun[1], &byte, 1) == 1 ? 0 : 1);
}

static int exit_on_term(pp_call *call)
{
    (void)signal(SIGTERM, tell_and_exit);
    gate_pass(&the_gate);
    return sleep_for_ever(call);
}

static int return_when_cancelled(pp_call *call)
{
    (void)signal(SIGTERM, SIG_IGN);
    if (pp_call_cancelled(call))
        return -EPROTO;
    gate_pass(&the_gate);
    while (!pp_call_cancelled(call)) /* the host sets it before it sends the signal */
        (void)sched_yield();
    return pp_call_return(call, "i", 7);
}

static int raise_failure(pp_call *call)
{
    return pp_call_raise(call, EIO, "Failure", "as it was told");
}

/* ------------------------------------------------------------------ drain, and stop */

static void finalize_drains_the_queue(void **state)
{
    enum { COUNT = 10 };
    pp_task_options options = counted();
    pp_task        *tasks[COUNT];
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < COUNT; i++)
        tasks[i] = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    for (int i = 0; i < COUNT; i++)
        gate_release(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(callbacks_run, COUNT);
    assert_all_end(tasks, COUNT, PP_DONE);
    assert_int_equal(pp_pool_num_idle_processes(pool), 0);
    pp_pool_destroy(pool);
}

static void workers_that_die_while_finalize_drains_are_replaced(void **state)
{
    enum { COUNT = 8 };
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *lost[COUNT];
    pp_task        *done[COUNT];
    (void)state;
    pp_pool_options sizes = PP_POOL_OPTIONS_INIT;
    sizes.min_size = sizes.max_size = 1;
    sizes.max_queued_requests = 2 * COUNT + 2;
    pp_pool *pool = pool_with(&sizes);
    pp_task *gate = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    for (int i = 0; i < COUNT; i++) {
        options.max_retries = i == 0 ? 1 : 0; /* the last attempts count, too */
        lost[i] = queue_function(pool, crash_by_segv, &options);
        done[i] = queue_function(pool, return_null, NULL);
    }
    gate_release(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(pp_task_attempts(lost[0]), 2);
    assert_all_end(lost, COUNT, PP_WORKER_LOST);
    assert_all_end(done, COUNT, PP_DONE);
    assert_all_end(&gate, 1, PP_DONE);
    pp_pool_destroy(pool);
}

static void finalize_without_time_drops_and_stops_and_counts(void **state)
{
    pp_task_options options = counted();
    pp_task        *tasks[8];
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    tasks[0] = queue_function(pool, gate_task, &options);
    tasks[1] = queue_function(pool, ignore_term, &options);
    gate_await(&the_gate);
    gate_await(&the_gate);
    for (int i = 2; i < 8; i++)
        tasks[i] = queue_function(pool, gate_task, &options);
    assert_int_equal(pp_pool_finalize(pool, 0), 8);
    assert_int_equal(callbacks_run, 8);
    assert_int_equal(pp_task_attempts(tasks[1]), 1);
    assert_int_equal(pp_task_attempts(tasks[7]), 0);
    assert_true(pid_gone(pp_task_worker_pid(tasks[0])));
    assert_true(pid_gone(pp_task_worker_pid(tasks[1])));
    assert_all_end(tasks, 8, PP_CANCELLED);
    pp_pool_destroy(pool);
}

/* Tasks have been short, so that more than one goes into the tray. */
static void what_is_in_a_tray_and_has_not_begun_is_dropped(void **state)
{
    enum { ROUNDS = 5, SHORT = 30, TASKS = 6 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pp_task *tasks[TASKS];
        pp_pool *pool = pool_of(1, 1);
        for (int i = 0; i < SHORT; i++)
            assert_works(pool);
        for (int i = 0; i < TASKS; i++)
            tasks[i] = queue_function(pool, gate_task, NULL);
        assert_int_equal(pp_pool_finalize(pool, 0), TASKS);
        for (int i = 1; i < TASKS; i++)
            assert_int_equal(pp_task_attempts(tasks[i]), 0);
        assert_all_end(tasks, TASKS, PP_CANCELLED);
        pp_pool_destroy(pool);
    }
}

/* What runs may end itself when it is asked to; its worker comes to no other then.  Soon, because what
 * waits behind a slow task is taken back anyway. */
static void what_is_in_a_tray_does_not_begin_when_a_task_ends_itself(void **state)
{
    enum { ROUNDS = 20, SHORT = 30, TASKS = 6 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pp_task *tasks[TASKS];
        pp_pool *pool = pool_of(1, 1);
        for (int i = 0; i < SHORT; i++)
            assert_works(pool);
        tasks[0] = queue_function(pool, return_when_cancelled, NULL);
        for (int i = 1; i < TASKS; i++)
            tasks[i] = queue_function(pool, return_null, NULL);
        gate_release(&the_gate);
        gate_await(&the_gate);
        assert_true(pp_pool_finalize(pool, 0.001) >= TASKS - 1);
        for (int i = 1; i < TASKS; i++)
            assert_int_equal(pp_task_attempts(tasks[i]), 0);
        assert_all_end(tasks + 1, TASKS - 1, PP_CANCELLED);
        pp_task_unref(tasks[0]);
        pp_pool_destroy(pool);
    }
}

/* Whatever has ended before counts as what it was; a delayed retry is dropped. */
static void finalize_counts_only_what_it_dropped_or_stopped(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *done = queue_function(pool, return_null, NULL);
    pp_task *failed = queue_function(pool, raise_failure, NULL);
    assert_ends(done, PP_DONE);
    assert_ends(failed, PP_FAILED);
    options.max_retries = 1;
    options.retry_delay = 600;
    pp_task *delayed = queue_function(pool, raise_failure, &options);
    pp_task *cancelled = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    assert_int_equal(pp_task_cancel(cancelled), 0);
    assert_ends(cancelled, PP_CANCELLED);
    assert_int_equal(pp_pool_finalize(pool, 0.1), 1);
    assert_int_equal(pp_task_attempts(delayed), 1);
    assert_all_end(&done, 1, PP_DONE);
    assert_all_end(&failed, 1, PP_FAILED);
    assert_all_end(&delayed, 1, PP_CANCELLED);
    assert_all_end(&cancelled, 1, PP_CANCELLED);
    pp_pool_destroy(pool);
}

static void a_task_that_ignores_term_is_killed_after_draining_and_grace(void **state)
{
    const double timeout = 0.3;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, ignore_term, NULL);
    gate_await(&the_gate);
    double begin = now();
    assert_int_equal(pp_pool_finalize(pool, timeout), 1);
    double took = now() - begin;
    print_message("           finalize took %.3f s\n", took);
    assert_true(took >= 2 * timeout);
    assert_true(took < 2 * timeout + 5);
    assert_all_end(&task, 1, PP_CANCELLED);
    pp_pool_destroy(pool);
}

static void sigterm_comes_when_draining_took_too_long_and_a_task_may_end_itself(void **state)
{
    const double timeout = 0.4;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, exit_on_term, NULL);
    gate_await(&the_gate);
    double begin = now();
    assert_int_equal(pp_pool_finalize(pool, timeout), 1);
    assert_true(now() - begin >= timeout);
    gate_await(&the_gate); /* the handler has run */
    assert_all_end(&task, 1, PP_CANCELLED);
    pp_pool_destroy(pool);
}

static void a_result_that_comes_in_the_grace_counts(void **state)
{
    int number = 0;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, return_when_cancelled, NULL);
    gate_await(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, 2), 0);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &number), 0);
    assert_int_equal(number, 7);
    assert_all_end(&task, 1, PP_DONE);
    pp_pool_destroy(pool);
}

static atomic_int *exits;

static void count_exit(void *arg, void *state)
{
    (void)state;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void a_worker_whose_task_heeds_sigterm_leaves_then_and_is_not_killed(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    exits = mmap(NULL, sizeof *exits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(exits != MAP_FAILED);
    options.min_size = options.max_size = 1;
    options.worker_arg = exits;
    options.worker_exit = count_exit;
    pp_pool *pool = pool_with(&options);
    pp_task *task = queue_function(pool, return_when_cancelled, NULL);
    gate_await(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, 2), 0);
    assert_all_end(&task, 1, PP_DONE);
    assert_int_equal(*exits, 1);
    pp_pool_destroy(pool);
    assert_int_equal(munmap(exits, sizeof *exits), 0);
}

#define FINALIZE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* -------------------------------------------------------- callbacks on other threads */

static sem_t       in_callback;
static sem_t       leave_callback;
static atomic_bool callback_returned;
static atomic_bool finalize_returned;

static void stay_in_callback(pp_task *task, const pp_value *result, void *data)
{
    (void)task, (void)result, (void)data;
    sem_post(&in_callback);
    while (sem_wait(&leave_callback) < 0)
        ;
    callback_returned = true;
}

static void *finalize_and_note(void *pool)
{
    int dropped = pp_pool_finalize(pool, PATIENCE);
    finalize_returned = true;
    return dropped == 0 && callback_returned ? pool : NULL;
}

static bool waits_for_the_callback(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    bool waits = pool->life == PP_LIFE_STOPPED && pool->observers > 0;
    pp_pool_unlock(pool);
    return waits || finalize_returned;
}

static void finalize_waits_for_a_callback_that_runs_on_another_thread(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pthread_t       thread;
    void           *result = NULL;
    (void)state;
    assert_int_equal(sem_init(&in_callback, 0, 0), 0);
    assert_int_equal(sem_init(&leave_callback, 0, 0), 0);
    options.callback = stay_in_callback;
    pp_pool *pool = pool_of(1, 1);
    assert_int_equal(pp_pool_daemonize(pool), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    while (sem_wait(&in_callback) < 0)
        ;
    assert_int_equal(pthread_create(&thread, NULL, finalize_and_note, pool), 0);
    assert_true(eventually(waits_for_the_callback, pool));
    sem_post(&leave_callback);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, pool);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------ the last one ends otherwise */

static int fail_at_once(pp_call *call)
{
    return pp_call_raise(call, EIO, "Failure", "as it was told");
}

static bool is_delayed(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    bool delayed = pool->delayed_count > 0;
    pp_pool_unlock(pool);
    return delayed;
}

static bool finalize_and_manager_sleep(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    bool sleep = pool->life == PP_LIFE_DRAINING && pool->observers > 0 && pool->sleeping_until != 0;
    pp_pool_unlock(pool);
    return sleep;
}

static void *finalize_patiently(void *pool)
{
    return pp_pool_finalize(pool, 2 * PATIENCE) == 0 ? pool : NULL;
}

static bool is_stopped(void *data)
{
    struct pp_pool *pool = data;
    pp_pool_lock(pool);
    bool stopped = pool->life == PP_LIFE_STOPPED;
    pp_pool_unlock(pool);
    return stopped;
}

static void finalize_returns_when_the_last_task_it_waits_for_is_cancelled(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pthread_t       thread;
    void           *result = NULL;
    (void)state;
    options.max_retries = 1;
    options.retry_delay = 600;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, fail_at_once, &options);
    assert_true(eventually(is_delayed, pool));
    assert_int_equal(pthread_create(&thread, NULL, finalize_patiently, pool), 0);
    assert_true(eventually(finalize_and_manager_sleep, pool));
    assert_int_equal(pp_task_cancel(task), 0);
    assert_string_equal(pp_error_message(pp_task_error(task)), "cancelled before its next attempt");
    assert_true(eventually(is_stopped, pool));
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, pool);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FINALIZE_TEST(finalize_drains_the_queue),
        FINALIZE_TEST(workers_that_die_while_finalize_drains_are_replaced),
        FINALIZE_TEST(finalize_without_time_drops_and_stops_and_counts),
        FINALIZE_TEST(what_is_in_a_tray_and_has_not_begun_is_dropped),
        FINALIZE_TEST(what_is_in_a_tray_does_not_begin_when_a_task_ends_itself),
        FINALIZE_TEST(finalize_counts_only_what_it_dropped_or_stopped),
        FINALIZE_TEST(a_task_that_ignores_term_is_killed_after_draining_and_grace),
        FINALIZE_TEST(sigterm_comes_when_draining_took_too_long_and_a_task_may_end_itself),
        FINALIZE_TEST(a_result_that_comes_in_the_grace_counts),
        FINALIZE_TEST(a_worker_whose_task_heeds_sigterm_leaves_then_and_is_not_killed),
        FINALIZE_TEST(finalize_waits_for_a_callback_that_runs_on_another_thread),
        FINALIZE_TEST(finalize_returns_when_the_last_task_it_waits_for_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
