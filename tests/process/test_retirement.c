/*
 * test_retirement.c - how a pool shrinks: a worker above min_size retires after idle_attempts
 * fruitless reads of idle_interval each, not earlier, and never with keep_running; with strict_limits
 * idle workers above the limits are ended at once; a smaller size after a resize.
 */
#include "processes.h"

#include <errno.h>

static pp_pool_options options_of(unsigned min_size, unsigned max_size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = min_size;
    options.max_size = max_size;
    return options;
}

static uint64_t workers_started(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats.workers_started;
}

/* Have that many tasks run at once, and end; when the first was let go. */
static double grow_to(pp_pool *pool, unsigned count, pid_t *pids)
{
    pp_task *tasks[8];
    for (unsigned i = 0; i < count; i++)
        tasks[i] = queue_function(pool, gate_task, NULL);
    for (unsigned i = 0; i < count; i++)
        gate_await(&the_gate);
    double moment = now();
    for (unsigned i = 0; i < count; i++)
        gate_release(&the_gate);
    for (unsigned i = 0; i < count; i++) {
        assert_ends(tasks[i], PP_DONE);
        if (pids != NULL)
            pids[i] = pp_task_worker_pid(tasks[i]);
        pp_task_unref(tasks[i]);
    }
    return moment;
}

/* --------------------------------------------------------------------- idle_attempts */

static void a_worker_above_min_size_retires_after_its_idle_attempts(void **state)
{
    (void)state;
    pid_t           pids[3];
    unsigned        stayed = 0;
    pp_pool_options options = options_of(1, 3);
    options.strict_limits = false;
    options.idle_attempts = 4;
    options.idle_interval = 0.1;
    gate_open(&the_gate);
    pp_pool          *pool = pool_with(&options);
    pid_t             server = server_of(pool);
    double            begin = grow_to(pool, 3, pids);
    struct head_count three = {server, 3};
    assert_true(eventually(has_fewer_children, &three));
    double first = now() - begin;
    await_children(server, 1);
    double last = now() - begin;
    assert_true(first >= 0.4);
    assert_true(last < 0.4 + PATIENCE / 2);
    /* the one that is left is one of them, and works on */
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    for (unsigned i = 0; i < 3; i++)
        stayed += pids[i] == pp_task_worker_pid(task) ? 1 : 0;
    assert_int_equal(stayed, 1);
    assert_int_equal(workers_started(pool), 3);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Two workers get a task again and again, within their idle time. */
static void a_task_in_between_begins_the_idle_time_again(void **state)
{
    (void)state;
    enum { LIMIT_MS = 300 };
    pp_pool_options options = options_of(1, 2);
    double          longest = 0;
    options.strict_limits = false;
    options.idle_attempts = 3;
    options.idle_interval = LIMIT_MS / 3e3;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    double   begin = grow_to(pool, 2, NULL);
    for (double last = begin; now() - begin < 3 * LIMIT_MS / 1e3;) {
        (void)grow_to(pool, 2, NULL);
        double moment = now();
        longest = moment - last > longest ? moment - last : longest;
        last = moment;
    }
    /* unless this machine stood still for that long, nobody had a reason to leave */
    assert_true(workers_started(pool) == 2 || longest >= LIMIT_MS / 1e3);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static bool has_one_idle(void *pool)
{
    return pp_pool_num_idle_processes(pool) == 1;
}

/* Next to a pool that shrinks: when that one has, this one had the time to. */
static void with_keep_running_no_worker_retires(void **state)
{
    (void)state;
    pp_pool_options options = options_of(1, 3);
    options.strict_limits = false;
    options.idle_attempts = 1;
    options.idle_interval = 0.02;
    gate_open(&the_gate);
    pp_pool *shrinking = pool_with(&options);
    options.keep_running = true;
    pp_pool *keeping = pool_with(&options);
    pid_t    server = server_of(keeping);
    (void)grow_to(keeping, 3, NULL);
    for (int round = 0; round < 3; round++) {
        (void)grow_to(shrinking, 3, NULL);
        assert_true(eventually(has_one_idle, shrinking));
    }
    assert_int_equal(pp_pool_num_idle_processes(keeping), 3);
    assert_int_equal(living_children(server), 3);
    pp_pool_destroy(shrinking);
    pp_pool_destroy(keeping);
    gate_close(&the_gate);
}

/* --------------------------------------------------------------------- strict_limits */

static void with_strict_limits_idle_workers_above_min_size_are_ended_at_once(void **state)
{
    (void)state;
    pp_pool_options options = options_of(2, 5);
    assert_true(options.strict_limits);
    options.idle_interval = 1e6; /* by themselves they would stay for months */
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pid_t    server = server_of(pool);
    (void)grow_to(pool, 5, NULL);
    await_children(server, 2);
    assert_int_equal(pp_pool_num_idle_processes(pool), 2);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void without_strict_limits_idle_workers_stay_until_they_retire(void **state)
{
    (void)state;
    pp_pool_options options = options_of(1, 4);
    options.strict_limits = false;
    options.idle_interval = 1e6;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pid_t    server = server_of(pool);
    for (int round = 0; round < 20; round++) {
        (void)grow_to(pool, 4, NULL);
        assert_int_equal(pp_pool_num_idle_processes(pool), 4);
    }
    assert_int_equal(living_children(server), 4);
    assert_int_equal(workers_started(pool), 4);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Two idle of three: min_size is kept idle, and that it is above min_size in total is for time. */
static void strict_limits_leave_min_size_idle_workers(void **state)
{
    (void)state;
    pp_pool_options options = options_of(2, 3);
    options.idle_interval = 1e6;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pid_t    server = server_of(pool);
    pp_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = queue_function(pool, gate_task, NULL);
    for (int i = 0; i < 3; i++)
        gate_await(&the_gate);
    gate_release(&the_gate);
    gate_release(&the_gate);
    int first = pp_wait_any(tasks, 3, PATIENCE);
    assert_true(first >= 0);
    pp_task *others[2] = {tasks[(first + 1) % 3], tasks[(first + 2) % 3]};
    assert_true(pp_wait_any(others, 2, PATIENCE) >= 0);
    for (int i = 0; i < 20; i++) { /* the pool looks after its size each time */
        pp_task *task = queue_function(pool, return_null, NULL);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
    assert_int_equal(living_children(server), 3);
    gate_release(&the_gate);
    assert_true(pp_pool_process_all_results(pool, PATIENCE) > 0);
    await_children(server, 2);
    for (int i = 0; i < 3; i++)
        pp_task_unref(tasks[i]);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* ------------------------------------------------------------------------------ resize */

static void after_a_resize_idle_workers_above_the_limits_are_ended(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(5, 5);
    pid_t    server = server_of(pool);
    assert_int_equal(pp_pool_resize(pool, 1, 3), 0); /* min_size are kept idle */
    await_children(server, 1);
    pp_pool_destroy(pool);
}

static void after_a_resize_an_idle_worker_goes_while_the_others_work(void **state)
{
    (void)state;
    pp_task *tasks[2];
    gate_open(&the_gate);
    pp_pool *pool = pool_of(3, 3);
    pid_t    server = server_of(pool);
    for (int i = 0; i < 2; i++) {
        tasks[i] = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
    }
    assert_int_equal(pp_pool_resize(pool, 1, 2), 0); /* one idle is not above min_size: a total */
    await_children(server, 2);
    gate_release(&the_gate);
    gate_release(&the_gate);
    for (int i = 0; i < 2; i++) {
        assert_ends(tasks[i], PP_DONE);
        pp_task_unref(tasks[i]);
    }
    await_children(server, 1);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static struct gate second_gate;

static int second_gate_task(pp_call *call)
{
    (void)call;
    gate_pass(&second_gate);
    return 0;
}

static void after_a_resize_busy_workers_finish_their_tasks_before_they_leave(void **state)
{
    (void)state;
    pp_task *tasks[6];
    gate_open(&the_gate);
    gate_open(&second_gate);
    pp_pool *pool = pool_of(4, 4);
    pid_t    server = server_of(pool);
    for (int i = 0; i < 6; i++)
        tasks[i] = queue_function(pool, i < 4 ? gate_task : second_gate_task, NULL);
    for (int i = 0; i < 4; i++)
        gate_await(&the_gate);
    assert_int_equal(pp_pool_resize(pool, 1, 2), 0);
    assert_int_equal(pp_pool_num_working_processes(pool), 4);
    assert_int_equal(pp_pool_free_slots(pool), 0); /* never below 0 */
    assert_false(pp_pool_has_free_slots(pool));
    for (int i = 0; i < 4; i++)
        gate_release(&the_gate);
    gate_await(&second_gate); /* the other two come to their turn */
    gate_await(&second_gate);
    await_children(server, 2);
    gate_release(&second_gate);
    gate_release(&second_gate);
    for (int i = 0; i < 6; i++) {
        assert_ends(tasks[i], PP_DONE);
        assert_int_equal(pp_task_attempts(tasks[i]), 1);
        pp_task_unref(tasks[i]);
    }
    await_children(server, 1);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.workers_died, 0);
    pp_pool_destroy(pool);
    gate_close(&second_gate);
    gate_close(&the_gate);
}

static void without_strict_limits_workers_above_a_new_min_size_retire_by_themselves(void **state)
{
    (void)state;
    pp_pool_options options = options_of(4, 4);
    options.strict_limits = false;
    options.idle_attempts = 2;
    options.idle_interval = 0.1;
    pp_pool *pool = pool_with(&options);
    pid_t    server = server_of(pool);
    double   begin = now();
    assert_int_equal(pp_pool_resize(pool, 1, 4), 0);
    struct head_count four = {server, 4};
    assert_true(eventually(has_fewer_children, &four));
    assert_true(now() - begin >= 0.2);
    await_children(server, 1);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_above_min_size_retires_after_its_idle_attempts),
        cmocka_unit_test(a_task_in_between_begins_the_idle_time_again),
        cmocka_unit_test(with_keep_running_no_worker_retires),
        cmocka_unit_test(with_strict_limits_idle_workers_above_min_size_are_ended_at_once),
        cmocka_unit_test(without_strict_limits_idle_workers_stay_until_they_retire),
        cmocka_unit_test(strict_limits_leave_min_size_idle_workers),
        cmocka_unit_test(after_a_resize_idle_workers_above_the_limits_are_ended),
        cmocka_unit_test(after_a_resize_an_idle_worker_goes_while_the_others_work),
        cmocka_unit_test(after_a_resize_busy_workers_finish_their_tasks_before_they_leave),
        cmocka_unit_test(without_strict_limits_workers_above_a_new_min_size_retire_by_themselves),
    };
    return cmocka_run_group_tests_name("retirement", tests, NULL, NULL);
}
