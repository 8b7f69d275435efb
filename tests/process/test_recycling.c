/*
 * test_recycling.c - a worker is replaced after max_tasks_per_worker tasks, above
 * max_memory_per_worker bytes, and after max_worker_age seconds, and no task suffers by it.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pp_pool_stats snapshot(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats;
}

static pid_t run_one(pp_pool *pool, pp_function *function)
{
    pp_task *task = queue_function(pool, function, NULL);
    assert_ends(task, PP_DONE);
    pid_t pid = pp_task_worker_pid(task);
    pp_task_unref(task);
    return pid;
}

/* ---------------------------------------------------------------------------- tasks */

static void a_worker_is_replaced_after_max_tasks_per_worker(void **state)
{
    (void)state;
    pid_t           pids[9];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_tasks_per_worker = 3;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < 9; i++) {
        pids[i] = run_one(pool, return_null);
        if (i % 3 > 0)
            assert_int_equal(pids[i], pids[i - 1]);
        else if (i > 0)
            assert_int_not_equal(pids[i], pids[i - 1]);
    }
    for (int i = 0; i < 9; i++)
        assert_true(pid_gone(pids[i])); /* after the ninth the third worker leaves, too */
    assert_int_equal(snapshot(pool).workers_died, 0);
    pp_pool_destroy(pool);
}

/* Also when more tasks could be handed to a worker at once than it may still execute. */
static void no_worker_gets_more_than_max_tasks_per_worker(void **state)
{
    (void)state;
    enum { COUNT = 24, EACH = 4 };
    pp_task        *tasks[COUNT];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.max_queued_requests = COUNT;
    options.max_tasks_per_worker = EACH;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < COUNT; i++)
        tasks[i] = queue_function(pool, return_pid, NULL);
    for (int i = 0; i < COUNT; i++) {
        int by_the_same = 0;
        assert_ends(tasks[i], PP_DONE);
        for (int j = 0; j <= i; j++)
            by_the_same += pp_task_worker_pid(tasks[j]) == pp_task_worker_pid(tasks[i]) ? 1 : 0;
        assert_in_range(by_the_same, 1, EACH);
        assert_int_equal(pp_task_attempts(tasks[i]), 1);
    }
    for (int i = 0; i < COUNT; i++)
        pp_task_unref(tasks[i]);
    assert_int_equal(snapshot(pool).workers_died, 0);
    assert_true(snapshot(pool).workers_started >= COUNT / EACH);
    pp_pool_destroy(pool);
}

static void without_a_limit_of_tasks_a_worker_stays(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    pid = run_one(pool, return_null);
    for (int i = 0; i < 300; i++)
        assert_int_equal(run_one(pool, return_null), pid);
    assert_int_equal(snapshot(pool).workers_started, 1);
    pp_pool_destroy(pool);
}

/* --------------------------------------------------------------------------- memory */

enum { MEGABYTE = 1 << 20, GROWTH = 96 * MEGABYTE };

static size_t resident(void)
{
    unsigned long pages = 0;
    FILE         *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void *hoard; /* reachable, so that nobody calls it a leak */

static int keep_memory(pp_call *call)
{
    (void)call;
    hoard = malloc(GROWTH);
    if (hoard == NULL)
        return -ENOMEM;
    memset(hoard, 1, GROWTH);
    return 0;
}

static int use_memory_for_a_moment(pp_call *call)
{
    int error = keep_memory(call);
    free(hoard); /* of this size it goes back to the kernel, but under a sanitizer */
    hoard = NULL;
    return error;
}

static void a_worker_above_max_memory_per_worker_is_replaced(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_memory_per_worker = resident() + GROWTH / 2;
    pp_pool *pool = pool_with(&options);
    pid_t    first = run_one(pool, return_null);
    for (int i = 0; i < 20; i++)
        assert_int_equal(run_one(pool, return_null), first);
    assert_int_equal(run_one(pool, keep_memory), first);
    assert_true(pid_gone(first));
    assert_int_not_equal(run_one(pool, return_null), first);
    pp_pool_stats stats = snapshot(pool);
    assert_int_equal(stats.workers_started, 2);
    assert_int_equal(stats.workers_died, 0);
    pp_pool_destroy(pool);
}

static void without_a_limit_of_memory_a_worker_stays(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    pid = run_one(pool, use_memory_for_a_moment);
    assert_int_equal(run_one(pool, keep_memory), pid);
    assert_int_equal(run_one(pool, return_null), pid);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------------------ age */

static void a_worker_is_replaced_when_it_reaches_max_worker_age(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_worker_age = 0.3;
    double   begin = now();
    pp_pool *pool = pool_with(&options);
    pid_t    first = run_one(pool, return_null);
    assert_true(pid_gone(first)); /* idle as it is */
    double took = now() - begin;
    assert_true(took >= 0.3);
    assert_true(took < 0.3 + PATIENCE / 2);
    pid_t second = run_one(pool, return_null);
    assert_int_not_equal(second, first);
    assert_int_equal(snapshot(pool).workers_died, 0);
    pp_pool_destroy(pool);
}

static bool has_two_started(void *pool)
{
    return snapshot(pool).workers_started == 2;
}

static void a_worker_that_is_too_old_finishes_its_task_first(void **state)
{
    (void)state;
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_size = 2; /* so that its successor comes at once */
    options.max_worker_age = 0.2;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pp_task *task = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    assert_true(eventually(has_two_started, pool));
    assert_string_equal(pp_state_name(pp_task_state(task)), "running");
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_task_attempts(task), 1);
    assert_true(pid_gone(pp_task_worker_pid(task)));
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* Workers come and go all the time, by all three limits, and every task is executed once. */
static void no_task_suffers_from_recycling(void **state)
{
    (void)state;
    enum { COUNT = 80 };
    pp_task        *tasks[COUNT];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.max_size = 3;
    options.max_queued_requests = COUNT;
    options.max_tasks_per_worker = 7;
    options.max_memory_per_worker = resident() + GROWTH / 2;
    options.max_worker_age = 0.03;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(pp_task_create(&tasks[i], PP_FUNCTION(return_square), NULL, "i", i), 0);
        assert_int_equal(pp_pool_queue_task(pool, tasks[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        int square = -1;
        assert_ends(tasks[i], PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(tasks[i]), "i", &square), 0);
        assert_int_equal(square, i * i);
        assert_int_equal(pp_task_attempts(tasks[i]), 1);
        pp_task_unref(tasks[i]);
    }
    assert_int_equal(snapshot(pool).done, COUNT);
    assert_int_equal(snapshot(pool).workers_died, 0);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_replaced_after_max_tasks_per_worker),
        cmocka_unit_test(no_worker_gets_more_than_max_tasks_per_worker),
        cmocka_unit_test(without_a_limit_of_tasks_a_worker_stays),
        cmocka_unit_test(a_worker_above_max_memory_per_worker_is_replaced),
        cmocka_unit_test(without_a_limit_of_memory_a_worker_stays),
        cmocka_unit_test(a_worker_is_replaced_when_it_reaches_max_worker_age),
        cmocka_unit_test(a_worker_that_is_too_old_finishes_its_task_first),
        cmocka_unit_test(no_task_suffers_from_recycling),
    };
    return cmocka_run_group_tests_name("recycling", tests, NULL, NULL);
}
