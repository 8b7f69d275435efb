/*
 * test_waiting.c - waiting for a task, for one of several, for all of them; across pools, from
 * several threads, with limits.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 6 };

static void a_new_task_is_not_waited_for(void **state)
{
    pp_pool *pool = pool_of(1, 1);
    pp_task *tasks[2] = {NULL};
    (void)state;
    tasks[0] = queue_function(pool, return_null, NULL);
    assert_ends(tasks[0], PP_DONE);
    assert_int_equal(pp_task_create(&tasks[1], PP_FUNCTION(return_null), NULL, NULL), 0);
    assert_int_equal(pp_task_wait(tasks[1], 0), -ETIMEDOUT);
    assert_int_equal(pp_task_wait(tasks[1], 1), -EINVAL);
    assert_int_equal(pp_task_wait(tasks[1], PP_FOREVER), -EINVAL);
    assert_int_equal(pp_wait_all(tasks, 2, 0), -ETIMEDOUT);
    assert_int_equal(pp_wait_all(tasks, 2, PP_FOREVER), -EINVAL);
    assert_int_equal(pp_wait_any(&tasks[1], 1, 0), -ETIMEDOUT);
    assert_int_equal(pp_wait_any(&tasks[1], 1, PP_FOREVER), -EINVAL);
    pp_task_unref(tasks[0]);
    pp_task_unref(tasks[1]);
    pp_pool_destroy(pool);
}

/* The next one comes at each moment around the one when the worker falls asleep. */
static void a_task_that_meets_a_worker_falling_asleep_is_executed(void **state)
{
    enum { TASKS = 20000 };
    pp_pool *pool = pool_of(1, 1);
    (void)state;
    for (int i = 0; i < TASKS; i++) {
        double until = now() + i % 1000 * 1e-7; /* up to 100 us */
        while (now() < until)
            ;
        assert_works(pool);
    }
    pp_pool_destroy(pool);
}

static void waiting_ends_with_the_timeout_or_the_task(void **state)
{
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, gate_task, NULL);
    (void)state;
    gate_await(&the_gate);
    assert_int_equal(pp_task_wait(task, 0), -ETIMEDOUT);
    double began = now();
    assert_int_equal(pp_task_wait(task, 0.03), -ETIMEDOUT);
    assert_true(now() - began >= 0.03);
    began = now();
    assert_int_equal(pp_wait_any(&task, 1, 0.03), -ETIMEDOUT);
    assert_true(now() - began >= 0.03);
    began = now();
    assert_int_equal(pp_wait_all(&task, 1, 0.03), -ETIMEDOUT);
    assert_true(now() - began >= 0.03);
    assert_int_equal(pp_task_state(task), PP_RUNNING);
    gate_release(&the_gate);
    assert_int_equal(pp_task_wait(task, PP_FOREVER), 0);
    assert_int_equal(pp_task_state(task), PP_DONE);
    assert_int_equal(pp_task_wait(task, 0), 0);
    assert_int_equal(pp_task_wait(task, PP_FOREVER), 0);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void *wait_for_it(void *task)
{
    return (void *)(intptr_t)pp_task_wait(task, PATIENCE);
}

static void several_threads_wait_for_one_task(void **state)
{
    gate_open(&the_gate);
    pp_pool  *pool = pool_of(1, 1);
    pp_task  *task = queue_function(pool, gate_task, NULL);
    pthread_t threads[THREADS];
    (void)state;
    gate_await(&the_gate);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, task), 0);
    assert_int_equal(pp_task_wait(task, 0.01),
                     -ETIMEDOUT); /* one that leaves early disturbs none */
    gate_release(&the_gate);
    for (int i = 0; i < THREADS; i++) {
        void *result = (void *)1;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Not when the limit passes: then it would also know who has ended. */
static int any_at_once(pp_task *const *tasks, size_t count)
{
    double begin = now();
    int    index = pp_wait_any(tasks, count, PATIENCE);
    assert_true(now() - begin < PATIENCE);
    return index;
}

static void wait_any_gives_the_index_of_one_that_ended(void **state)
{
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    pp_task *tasks[4] = {NULL};
    (void)state;
    tasks[0] = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    tasks[1] = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    tasks[2] = queue_function(pool, return_null, NULL);
    tasks[3] = tasks[1]; /* the same twice is no harm */
    assert_int_equal(pp_wait_any(tasks, 4, 0), -ETIMEDOUT);
    assert_int_equal(pp_task_cancel(tasks[1]), 0);
    int index = any_at_once(tasks, 2);
    assert_int_equal(index, 1);
    index = any_at_once(&tasks[2], 1);
    assert_int_equal(index, 0);
    index = pp_wait_any(tasks, 4, PP_FOREVER); /* ended already */
    assert_true(index >= 1 && index <= 3);
    assert_int_equal(pp_wait_all(tasks, 4, 0), -ETIMEDOUT);
    gate_release(&the_gate);
    assert_int_equal(pp_wait_all(tasks, 4, PP_FOREVER), 0);
    assert_int_equal(pp_task_state(tasks[0]), PP_DONE);
    for (int i = 0; i < 3; i++)
        pp_task_unref(tasks[i]);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void waiting_goes_across_pools(void **state)
{
    gate_open(&the_gate);
    pp_pool *pools[2] = {pool_of(1, 1), pool_of(1, 1)};
    pp_task *tasks[2] = {queue_function(pools[0], gate_task, NULL), NULL};
    (void)state;
    gate_await(&the_gate);
    tasks[1] = queue_function(pools[1], gate_task, NULL);
    gate_await(&the_gate);
    assert_int_equal(pp_wait_any(tasks, 2, 0.02), -ETIMEDOUT);
    assert_int_equal(pp_wait_all(tasks, 2, 0.02), -ETIMEDOUT);
    assert_int_equal(pp_task_cancel(tasks[1]), 0);
    assert_int_equal(any_at_once(tasks, 2), 1);
    assert_int_equal(pp_wait_all(tasks, 2, 0), -ETIMEDOUT);
    gate_release(&the_gate);
    assert_int_equal(pp_wait_all(tasks, 2, PATIENCE), 0);
    assert_int_equal(pp_task_state(tasks[0]), PP_DONE);
    assert_int_equal(pp_task_state(tasks[1]), PP_CANCELLED);
    for (int i = 0; i < 2; i++)
        pp_task_unref(tasks[i]);
    pp_pool_destroy(pools[0]);
    pp_pool_destroy(pools[1]);
    gate_close(&the_gate);
}

static void every_outcome_ends_a_wait(void **state)
{
    pp_pool        *pool = pool_of(2, 2);
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *tasks[3] = {NULL};
    (void)state;
    options.timeout = 0.01;
    tasks[0] = queue_function(pool, crash_by_segv, NULL);
    tasks[1] = queue_function(pool, sleep_for_ever, &options);
    tasks[2] = queue_function(pool, sleep_for_ever, NULL);
    assert_int_equal(pp_wait_all(tasks, 2, PATIENCE), 0);
    assert_int_equal(pp_pool_finalize(pool, 0), 1);
    assert_int_equal(pp_wait_all(tasks, 3, 0), 0);
    assert_int_equal(pp_task_state(tasks[0]), PP_WORKER_LOST);
    assert_int_equal(pp_task_state(tasks[1]), PP_TIMED_OUT);
    assert_int_equal(pp_task_state(tasks[2]), PP_CANCELLED);
    pp_pool_destroy(pool);
    assert_int_equal(pp_wait_all(tasks, 3, PP_FOREVER), 0); /* outcomes outlive the pool */
    assert_int_equal(pp_wait_any(tasks, 3, PP_FOREVER), 0);
    for (int i = 0; i < 3; i++)
        pp_task_unref(tasks[i]);
}

static void *finalize_it(void *pool)
{
    return (void *)(intptr_t)pp_pool_finalize(pool, 0);
}

static void a_waiting_thread_is_woken_by_finalize(void **state)
{
    pp_pool  *pool = pool_of(1, 1);
    pp_task  *task = queue_function(pool, sleep_for_ever, NULL);
    pthread_t thread;
    void     *count = NULL;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, finalize_it, pool), 0);
    assert_int_equal(pp_task_wait(task, PATIENCE), 0);
    assert_int_equal(pp_task_state(task), PP_CANCELLED);
    pthread_join(thread, &count);
    assert_int_equal((intptr_t)count, 1);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* Everybody takes what ends first, out of the same tasks. */
struct crowd {
    pp_task *tasks[60];
};

static void *wait_in_the_crowd(void *data)
{
    struct crowd *crowd = data;
    size_t        count = sizeof crowd->tasks / sizeof *crowd->tasks;
    for (size_t from = 0; from < count; from++) {
        int index = pp_wait_any(crowd->tasks + from, count - from, PATIENCE);
        if (index < 0 || pp_task_state(crowd->tasks[from + (size_t)index]) != PP_DONE)
            return (void *)1;
        if (pp_task_wait(crowd->tasks[from], PATIENCE) != 0)
            return (void *)1;
    }
    return (void *)(intptr_t)pp_wait_all(crowd->tasks, count, 0);
}

static void threads_wait_for_the_same_tasks_in_two_pools(void **state)
{
    static struct crowd crowd;
    pp_pool_options     options = PP_POOL_OPTIONS_INIT;
    pthread_t           threads[THREADS];
    size_t              count = sizeof crowd.tasks / sizeof *crowd.tasks;
    (void)state;
    options.max_queued_requests = 100;
    gate_open(&the_gate);
    pp_pool *pools[2] = {pool_with(&options), pool_with(&options)};
    for (size_t i = 0; i < count; i++)
        crowd.tasks[i] = queue_function(pools[i % 2], i < 4 ? gate_task : return_null, NULL);
    for (int i = 0; i < 4; i++)
        gate_await(&the_gate);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_the_crowd, &crowd), 0);
    for (int i = 0; i < 4; i++)
        gate_release(&the_gate);
    for (int i = 0; i < THREADS; i++) {
        void *failed = (void *)1;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    for (size_t i = 0; i < count; i++)
        pp_task_unref(crowd.tasks[i]);
    pp_pool_destroy(pools[0]);
    pp_pool_destroy(pools[1]);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_task_is_not_waited_for),
        cmocka_unit_test(a_task_that_meets_a_worker_falling_asleep_is_executed),
        cmocka_unit_test(waiting_ends_with_the_timeout_or_the_task),
        cmocka_unit_test(several_threads_wait_for_one_task),
        cmocka_unit_test(wait_any_gives_the_index_of_one_that_ended),
        cmocka_unit_test(waiting_goes_across_pools),
        cmocka_unit_test(every_outcome_ends_a_wait),
        cmocka_unit_test(a_waiting_thread_is_woken_by_finalize),
        cmocka_unit_test(threads_wait_for_the_same_tasks_in_two_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
