/*
 * test_worker_init.c - worker_init runs once in each new worker, worker_exit once in each that leaves
 * in order.  Init functions that fail are in test_init_failures.c.
 */
#include "initialised.h"

/* ---------------------------------------------------------------- once in each worker */

static void worker_init_runs_once_in_each_worker_and_gives_the_state_of_its_calls(void **state)
{
    (void)state;
    pp_pool_options options = options_of(2, 2);
    pp_pool        *pool = pool_with(&options);
    assert_int_equal(atomic_load(&shared->inits), 2); /* alive means that it has succeeded */
    for (int i = 0; i < 20; i++) {
        int      pid = 0;
        pp_task *task = queue_function(pool, return_state, NULL);
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &pid), 0);
        assert_int_equal(pid, pp_task_worker_pid(task));
        pp_task_unref(task);
    }
    assert_int_equal(atomic_load(&shared->inits), 2);
    pp_pool_destroy(pool);
}

static int return_whether_stateless(pp_call *call)
{
    return pp_call_return(call, "b", pp_call_state(call) == NULL);
}

static void without_worker_init_the_state_is_null(void **state)
{
    (void)state;
    bool     stateless = false;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, return_whether_stateless, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "b", &stateless), 0);
    assert_true(stateless);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void worker_exit_runs_once_in_each_worker_when_the_pool_is_finalized(void **state)
{
    (void)state;
    pp_pool_options options = options_of(3, 3);
    pp_pool        *pool = pool_with(&options);
    assert_int_equal(atomic_load(&shared->exits), 0);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    assert_int_equal(atomic_load(&shared->exits), 3);
    assert_int_equal(atomic_load(&shared->wrong), 0);
    pp_pool_destroy(pool);
    assert_int_equal(atomic_load(&shared->exits), 3);
}

static bool has_one_exit(void *unused)
{
    (void)unused;
    return atomic_load(&shared->exits) == 1;
}

static void worker_exit_runs_when_a_worker_retires(void **state)
{
    (void)state;
    pp_task        *tasks[2];
    pp_pool_options options = options_of(1, 2);
    options.strict_limits = false;
    options.idle_attempts = 1;
    options.idle_interval = 0.05;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < 2; i++)
        tasks[i] = queue_function(pool, gate_task, NULL);
    for (int i = 0; i < 2; i++)
        gate_await(&the_gate);
    assert_int_equal(atomic_load(&shared->inits), 2);
    for (int i = 0; i < 2; i++)
        gate_release(&the_gate);
    assert_true(eventually(has_one_exit, NULL));
    for (int i = 0; i < 2; i++) {
        assert_ends(tasks[i], PP_DONE);
        pp_task_unref(tasks[i]);
    }
    pp_pool_destroy(pool);
    assert_int_equal(atomic_load(&shared->exits), 2);
    assert_int_equal(atomic_load(&shared->wrong), 0);
    gate_close(&the_gate);
}

static bool has_one_idle(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 1;
}

static void worker_exit_runs_when_a_worker_is_recycled_and_not_when_it_crashes(void **state)
{
    (void)state;
    pp_pool_options options = options_of(1, 1);
    options.max_tasks_per_worker = 2;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < 6; i++) { /* three workers */
        pp_task *task = queue_function(pool, return_state, NULL);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
    pp_task *crash = queue_function(pool, crash_by_segv, NULL);
    assert_ends(crash, PP_WORKER_LOST);
    assert_int_equal(atomic_load(&shared->exits), 3); /* the fourth came after they had gone */
    pp_task_unref(crash);
    assert_true(eventually(has_one_idle, pool));
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    pp_pool_destroy(pool);
    assert_int_equal(atomic_load(&shared->inits), 5);
    assert_int_equal(atomic_load(&shared->exits), 4);
    assert_int_equal(atomic_load(&shared->wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INITIALISED_TEST(worker_init_runs_once_in_each_worker_and_gives_the_state_of_its_calls),
        INITIALISED_TEST(without_worker_init_the_state_is_null),
        INITIALISED_TEST(worker_exit_runs_once_in_each_worker_when_the_pool_is_finalized),
        INITIALISED_TEST(worker_exit_runs_when_a_worker_retires),
        INITIALISED_TEST(worker_exit_runs_when_a_worker_is_recycled_and_not_when_it_crashes),
    };
    return cmocka_run_group_tests_name("worker init", tests, map_shared, unmap_shared);
}
