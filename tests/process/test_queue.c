/*
 * test_queue.c - the bounded queue: a blocking submit waits for a place, a non-blocking one gets
 * -EAGAIN, a timed one -ETIMEDOUT; what the pool says about itself is exact at each step.
 */
#include "submitter.h"

#include <errno.h>
#include <math.h>

/* ----------------------------------------------------------- what the pool says */

struct answers {
    unsigned working, idle, free_slots;
    bool     pending, full, is_working;
};

static void assert_says(const pp_pool *pool, struct answers expected)
{
    assert_int_equal(pp_pool_num_working_processes(pool), expected.working);
    assert_int_equal(pp_pool_num_idle_processes(pool), expected.idle);
    assert_int_equal(pp_pool_free_slots(pool), expected.free_slots);
    assert_int_equal(pp_pool_has_free_slots(pool), expected.free_slots > 0);
    assert_int_equal(pp_pool_has_pending_tasks(pool), expected.pending);
    assert_int_equal(pp_pool_is_full(pool), expected.full);
    assert_int_equal(pp_pool_is_working(pool), expected.is_working);
}

static void what_the_pool_says_is_exact_at_each_step(void **state)
{
    (void)state;
    pp_task *tasks[4];
    gate_open(&the_gate);
    pp_pool *pool = queue_of(2, 2);
    assert_says(pool, (struct answers){.idle = 2, .free_slots = 2});
    tasks[0] = queue_function(pool, gate_task, NULL);
    assert_says(pool, (struct answers){1, 1, 1, false, false, true});
    tasks[1] = queue_function(pool, gate_task, NULL);
    assert_says(pool, (struct answers){2, 0, 0, false, false, true});
    tasks[2] = queue_function(pool, gate_task, NULL);
    assert_says(pool, (struct answers){2, 0, 0, true, false, true});
    tasks[3] = queue_function(pool, gate_task, NULL);
    assert_says(pool, (struct answers){2, 0, 0, true, true, true});
    gate_await(&the_gate);
    gate_await(&the_gate);
    gate_release(&the_gate);
    gate_await(&the_gate); /* so one has ended, and the third has begun */
    assert_says(pool, (struct answers){2, 0, 0, true, false, true});
    gate_release(&the_gate);
    gate_await(&the_gate);
    assert_says(pool, (struct answers){2, 0, 0, false, false, true});
    gate_release(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_wait_all(tasks, 4, PATIENCE), 0);
    assert_says(pool, (struct answers){.idle = 2, .free_slots = 2});
    for (int i = 0; i < 4; i++)
        pp_task_unref(tasks[i]);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void free_slots_counts_workers_that_may_still_be_started(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 4);
    assert_says(pool, (struct answers){.idle = 1, .free_slots = 4});
    pp_task_unref(queue_function(pool, gate_task, NULL));
    gate_await(&the_gate);
    assert_says(pool, (struct answers){1, 0, 3, false, false, true});
    gate_release(&the_gate);
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 1);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* After many short tasks several are handed to a worker at once; those still wait. */
static void tasks_behind_a_running_one_count_as_waiting(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = queue_of(1, 3);
    for (int i = 0; i < 60; i++)
        pp_task_unref(queue_function(pool, return_null, NULL));
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 60);
    pp_task_unref(queue_function(pool, gate_task, NULL));
    for (int i = 0; i < 3; i++) {
        assert_says(pool, (struct answers){1, 0, 0, i > 0, false, true});
        pp_task_unref(queue_function(pool, return_null, NULL));
    }
    gate_await(&the_gate);
    assert_says(pool, (struct answers){1, 0, 0, true, true, true});
    pp_task *refused = new_task(return_null, false);
    assert_int_equal(pp_pool_queue_task(pool, refused), -EAGAIN);
    pp_task_unref(refused);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 4);
    assert_says(pool, (struct answers){.idle = 1, .free_slots = 1});
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* ---------------------------------------------------------------- three submits */

static void a_blocking_submit_waits_for_a_free_place(void **state)
{
    (void)state;
    struct submitter submitter;
    struct full_pool full = make_full();
    pp_task         *task = new_task(return_null, true);
    submitter_block(&submitter, full.pool, task, -1);
    assert_string_equal(pp_state_name(pp_task_state(task)), "new");
    gate_release(&the_gate);
    gate_await(&the_gate); /* the waiting one has begun: its place is free */
    assert_int_equal(submitter_join(&submitter), 0);
    assert_string_equal(pp_state_name(pp_task_state(task)), "queued");
    assert_true(pp_pool_is_full(full.pool));
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    release_full(&full);
}

static void a_place_is_free_when_a_waiting_task_is_cancelled(void **state)
{
    (void)state;
    struct submitter submitter;
    struct full_pool full = make_full();
    pp_task         *task = new_task(return_null, true);
    submitter_block(&submitter, full.pool, task, -1);
    assert_int_equal(pp_task_cancel(full.waiting), 0);
    assert_int_equal(submitter_join(&submitter), 0);
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    release_full(&full);
}

static void a_submit_that_does_not_block_gets_eagain_and_may_try_again(void **state)
{
    (void)state;
    struct full_pool full = make_full();
    pp_task         *task = new_task(return_null, false);
    pp_task_options  options = PP_TASK_OPTIONS_INIT;
    options.blocking = false;
    assert_int_equal(pp_pool_queue_task(full.pool, task), -EAGAIN);
    assert_int_equal(pp_pool_create_and_queue_task(full.pool, PP_FUNCTION(return_null), &options,
                                                   NULL),
                     -EAGAIN);
    assert_int_equal(pp_pool_create_and_queue_bytes(full.pool, PP_FUNCTION(return_null), &options,
                                                    "x", 1),
                     -EAGAIN);
    assert_string_equal(pp_state_name(pp_task_state(task)), "new");
    gate_release(&the_gate);
    gate_await(&the_gate);
    assert_int_equal(pp_pool_queue_task(full.pool, task), 0);
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_pool_process_all_results(full.pool, PATIENCE), 3);
    pp_task_unref(task);
    release_full(&full);
}

static void a_timed_submit_gives_up_after_its_timeout_and_not_earlier(void **state)
{
    (void)state;
    struct full_pool full = make_full();
    for (int blocking = 0; blocking < 2; blocking++) { /* the timeout alone decides */
        pp_task *task = new_task(return_null, blocking);
        double   begin = now();
        assert_int_equal(pp_pool_queue_task_timed(full.pool, task, 0.1), -ETIMEDOUT);
        assert_true(now() - begin >= 0.1);
        assert_true(now() - begin < PATIENCE);
        assert_int_equal(pp_pool_queue_task_timed(full.pool, task, 0), -ETIMEDOUT);
        assert_string_equal(pp_state_name(pp_task_state(task)), "new");
        pp_task_unref(task);
    }
    gate_release(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_process_all_results(full.pool, PATIENCE), 2);
    release_full(&full);
}

static void a_timed_submit_succeeds_when_a_place_becomes_free_in_time(void **state)
{
    (void)state;
    for (int blocking = 0; blocking < 2; blocking++) {
        struct submitter submitter;
        struct full_pool full = make_full();
        pp_task         *task = new_task(return_null, blocking);
        submitter_block(&submitter, full.pool, task, PATIENCE * 10);
        gate_release(&the_gate);
        assert_int_equal(submitter_join(&submitter), 0);
        gate_release(&the_gate);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
        release_full(&full);
    }
}

static void bad_arguments_of_a_submit_are_refused(void **state)
{
    (void)state;
    const double bad[] = {NAN, -2.0, -0.001, -INFINITY};
    pp_pool     *pool = queue_of(1, 1);
    pp_task     *task = new_task(return_null, true);
    assert_int_equal(pp_pool_queue_task(pool, NULL), -EINVAL);
    assert_int_equal(pp_pool_queue_task(NULL, task), -EINVAL);
    assert_int_equal(pp_pool_queue_task_timed(pool, NULL, 1), -EINVAL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(pp_pool_queue_task_timed(pool, task, bad[i]), -EINVAL);
    assert_int_equal(pp_pool_queue_task_timed(pool, task, PP_FOREVER), 0);
    assert_ends(task, PP_DONE);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_pool_says_is_exact_at_each_step),
        cmocka_unit_test(free_slots_counts_workers_that_may_still_be_started),
        cmocka_unit_test(tasks_behind_a_running_one_count_as_waiting),
        cmocka_unit_test(a_blocking_submit_waits_for_a_free_place),
        cmocka_unit_test(a_place_is_free_when_a_waiting_task_is_cancelled),
        cmocka_unit_test(a_submit_that_does_not_block_gets_eagain_and_may_try_again),
        cmocka_unit_test(a_timed_submit_gives_up_after_its_timeout_and_not_earlier),
        cmocka_unit_test(a_timed_submit_succeeds_when_a_place_becomes_free_in_time),
        cmocka_unit_test(bad_arguments_of_a_submit_are_refused),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
