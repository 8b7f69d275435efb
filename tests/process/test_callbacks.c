/*
 * test_callbacks.c - callbacks of task and pool: which, in what order, exactly once.
 */
#include "notes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static void task_result(pp_task *task, const pp_value *result, void *userdata)
{
    assert_ptr_equal(result, pp_task_result(task));
    assert_string_equal(userdata, "of the task");
    note('t');
}

static void task_exception(pp_task *task, const pp_error *error, void *userdata)
{
    assert_ptr_equal(error, pp_task_error(task));
    assert_string_equal(userdata, "of the task");
    note('x');
}

static void pool_result(pp_task *task, const pp_value *result, void *userdata)
{
    assert_ptr_equal(result, pp_task_result(task));
    assert_string_equal(userdata, "of the pool");
    note('p');
}

static void pool_exception(pp_task *task, const pp_error *error, void *userdata)
{
    assert_ptr_equal(error, pp_task_error(task));
    assert_string_equal(userdata, "of the pool");
    note('e');
}

static pp_pool *pool_with_callbacks(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = options.max_size = 1;
    options.callback = pool_result;
    options.exception_callback = pool_exception;
    options.userdata = (void *)"of the pool";
    return pool_with(&options);
}

static pp_task_options options_with_callbacks(bool use_pool_callbacks)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.callback = task_result;
    options.exception_callback = task_exception;
    options.userdata = (void *)"of the task";
    options.use_pool_callbacks = use_pool_callbacks;
    return options;
}

static int raise_it(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Raised", "on purpose");
}

static void the_tasks_callback_runs_first_then_the_pools(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, raise_it, &options));
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 3);
    assert_string_equal(notes, "tpxetp");
    pp_pool_destroy(pool);
}

static void the_pools_callbacks_run_only_for_tasks_that_use_them(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options own = options_with_callbacks(false);
    pp_task_options pools = PP_TASK_OPTIONS_INIT;
    (void)state;
    pools.use_pool_callbacks = true;
    pp_task_unref(queue_function(pool, return_null, &own));
    pp_task_unref(queue_function(pool, raise_it, &own));
    pp_task_unref(queue_function(pool, return_null, &pools));
    pp_task_unref(queue_function(pool, raise_it, &pools));
    pp_task_unref(queue_function(pool, raise_it, NULL));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 5);
    assert_string_equal(notes, "txpe");
    pp_pool_destroy(pool);
}

static void the_pools_callbacks_can_be_changed(void **state)
{
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    assert_int_equal(pp_pool_set_callback(pool, NULL), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 1);
    assert_int_equal(pp_pool_set_exception_callback(pool, NULL), 0);
    assert_int_equal(pp_pool_set_callback(pool, pool_result), 0);
    pp_task_unref(queue_function(pool, return_null, &options));
    pp_task_unref(queue_function(pool, raise_it, &options));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 3 - 1);
    assert_string_equal(notes, "ttpx");
    pp_pool_destroy(pool);
}

/* Every end is told: lost worker, time limit, cancel, finalize. */
static void every_outcome_without_a_result_calls_the_exception_callbacks(void **state)
{
    gate_open(&the_gate);
    pp_pool        *pool = pool_with_callbacks();
    pp_task_options options = options_with_callbacks(true);
    (void)state;
    pp_task *lost = queue_function(pool, crash_by_segv, &options);
    assert_ends(lost, PP_WORKER_LOST);
    options.timeout = 0.01;
    pp_task *late = queue_function(pool, sleep_for_ever, &options);
    assert_ends(late, PP_TIMED_OUT);
    options.timeout = 0;
    pp_task *running = queue_function(pool, gate_task, &options);
    gate_await(&the_gate);
    pp_task *waiting = queue_function(pool, gate_task, &options);
    assert_int_equal(pp_task_cancel(waiting), 0);
    assert_ends(waiting, PP_CANCELLED);
    assert_int_equal(pp_pool_process_results(pool), 3);
    assert_string_equal(notes, "xexexe");
    assert_int_equal(pp_pool_finalize(pool, 0), 1);
    assert_ends(running, PP_CANCELLED);
    assert_string_equal(notes, "xexexexe");
    pp_task_unref(lost);
    pp_task_unref(late);
    pp_task_unref(running);
    pp_task_unref(waiting);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* -------------------------------------------------------------------- exactly once */

enum { MANY = 2000, THREADS = 4 };
static atomic_uint calls_of[MANY];

static void count_call(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    atomic_fetch_add((atomic_uint *)userdata, 1);
}

static void *process_until_told(void *data)
{
    struct {
        pp_pool    *pool;
        atomic_bool stop;
    } *shared = data;
    while (!shared->stop) {
        if (pp_pool_process_results(shared->pool) < 0 ||
            pp_pool_process_all_results(shared->pool, 0.001) < -ETIMEDOUT)
            return (void *)1;
    }
    return NULL;
}

static void a_callback_runs_once_whoever_processes_results(void **state)
{
    struct {
        pp_pool    *pool;
        atomic_bool stop;
    } shared = {.pool = pool_of(2, 2)};
    pthread_t       threads[THREADS];
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    assert_int_equal(pp_pool_daemonize(shared.pool), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, process_until_told, &shared), 0);
    options.callback = count_call;
    for (int i = 0; i < MANY; i++) {
        options.userdata = &calls_of[i];
        assert_int_equal(pp_pool_create_and_queue_task(shared.pool, PP_FUNCTION(return_square),
                                                       &options, "i", i % 10),
                         0);
    }
    assert_true(pp_pool_process_all_results(shared.pool, PATIENCE) >= 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(calls_of[i], 1);
    shared.stop = true;
    for (int i = 0; i < THREADS; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    pp_pool_destroy(shared.pool);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(calls_of[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_tasks_callback_runs_first_then_the_pools, forget_notes),
        cmocka_unit_test_setup(the_pools_callbacks_run_only_for_tasks_that_use_them, forget_notes),
        cmocka_unit_test_setup(the_pools_callbacks_can_be_changed, forget_notes),
        cmocka_unit_test_setup(every_outcome_without_a_result_calls_the_exception_callbacks,
                               forget_notes),
        cmocka_unit_test(a_callback_runs_once_whoever_processes_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
