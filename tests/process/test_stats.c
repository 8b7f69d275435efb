/*
 * test_stats.c - statistics: each snapshot is consistent in itself, the counters add up to the tasks
 * that were accepted, the percentiles are those of the tasks' own times, and a struct of another
 * size is understood.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pp_pool_stats snapshot(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats;
}

static uint64_t sum_of(const pp_pool_stats *stats)
{
    return stats->queued + stats->running + stats->done + stats->failed + stats->timed_out +
           stats->cancelled + stats->worker_lost;
}

static int raise_something(pp_call *call)
{
    return pp_call_raise(call, EDOM, "Something", "something");
}

static int fail_at_first(pp_call *call)
{
    return pp_call_attempt(call) > 1 ? 0 : -EIO;
}

static void run_one(pp_pool *pool, pp_function *function, const pp_task_options *options,
                    pp_state state)
{
    pp_task *task = queue_function(pool, function, options);
    assert_ends(task, state);
    pp_task_unref(task);
}

static void a_new_pool_has_counted_its_workers_only(void **state)
{
    (void)state;
    pp_pool      *pool = pool_of(2, 4);
    pp_pool_stats stats = snapshot(pool);
    assert_int_equal(stats.size, sizeof stats);
    assert_int_equal(sum_of(&stats), 0);
    assert_int_equal(stats.retried, 0);
    assert_int_equal(stats.workers_started, 2);
    assert_int_equal(stats.workers_died, 0);
    assert_int_equal(stats.workers_idle, 2);
    assert_int_equal(stats.workers_working, 0);
    assert_true(stats.queue_wait_p50 == 0 && stats.queue_wait_p99 == 0);
    assert_true(stats.run_time_p50 == 0 && stats.run_time_p99 == 0);
    pp_pool_destroy(pool);
}

static void each_outcome_is_counted_once_where_it_belongs(void **state)
{
    (void)state;
    pp_task_options limited = PP_TASK_OPTIONS_INIT;
    pp_task_options again = PP_TASK_OPTIONS_INIT;
    pp_pool        *pool = pool_of(1, 1);
    limited.timeout = 0.05;
    again.max_retries = 2;
    for (int i = 0; i < 5; i++)
        run_one(pool, return_null, NULL, PP_DONE);
    for (int i = 0; i < 4; i++)
        run_one(pool, raise_something, NULL, PP_FAILED);
    for (int i = 0; i < 3; i++)
        run_one(pool, crash_by_segv, NULL, PP_WORKER_LOST);
    for (int i = 0; i < 2; i++)
        run_one(pool, sleep_for_ever, &limited, PP_TIMED_OUT);
    run_one(pool, fail_at_first, &again, PP_DONE);
    run_one(pool, raise_something, &again, PP_FAILED); /* three attempts */
    pp_task *cancelled = queue_function(pool, sleep_for_ever, NULL);
    assert_int_equal(pp_task_cancel(cancelled), 0);
    assert_ends(cancelled, PP_CANCELLED);
    pp_task_unref(cancelled);
    pp_pool_stats stats = snapshot(pool);
    assert_int_equal(stats.done, 6);
    assert_int_equal(stats.failed, 5);
    assert_int_equal(stats.worker_lost, 3);
    assert_int_equal(stats.timed_out, 2);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.retried, 3);
    assert_int_equal(stats.queued, 0);
    assert_int_equal(stats.running, 0);
    assert_int_equal(sum_of(&stats), 17);
    pp_pool_destroy(pool);
}

static void what_waits_and_what_runs_is_counted_at_each_step(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    for (unsigned i = 0; i < 6; i++) {
        pp_task_unref(queue_function(pool, gate_task, NULL));
        pp_pool_stats stats = snapshot(pool);
        assert_int_equal(stats.running, i < 2 ? i + 1 : 2);
        assert_int_equal(stats.workers_working, stats.running);
        assert_int_equal(stats.workers_idle, 2 - stats.running);
        assert_int_equal(stats.queued, i < 2 ? 0 : i - 1);
        assert_int_equal(sum_of(&stats), i + 1);
    }
    gate_await(&the_gate);
    gate_await(&the_gate);
    for (unsigned i = 0; i < 4; i++) {
        gate_release(&the_gate);
        gate_await(&the_gate);
        pp_pool_stats stats = snapshot(pool);
        assert_int_equal(stats.running, 2);
        assert_int_equal(stats.queued, 3 - i);
        assert_int_equal(stats.done, i + 1);
    }
    gate_release(&the_gate);
    gate_release(&the_gate);
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), 6);
    pp_pool_stats stats = snapshot(pool);
    assert_int_equal(stats.done, 6);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.workers_idle, 2);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* A task that waits for its next attempt is neither running nor ended. */
static void a_task_that_waits_for_its_next_attempt_counts_as_queued(void **state)
{
    (void)state;
    pp_task_options later = PP_TASK_OPTIONS_INIT;
    pp_task_options after = PP_TASK_OPTIONS_INIT;
    pp_pool        *pool = pool_of(1, 1);
    later.max_retries = 1;
    later.retry_delay = 1e6;
    after.priority = -1;
    pp_task *task = queue_function(pool, fail_at_first, &later);
    run_one(pool, return_null, &after, PP_DONE); /* behind it, so its first attempt is over */
    pp_pool_stats stats = snapshot(pool);
    assert_int_equal(stats.queued, 1);
    assert_int_equal(stats.running, 0);
    assert_int_equal(stats.retried, 1);
    assert_int_equal(stats.failed, 0);
    assert_int_equal(sum_of(&stats), 2);
    assert_int_equal(pp_task_cancel(task), 0);
    stats = snapshot(pool);
    assert_int_equal(stats.cancelled, 1);
    assert_int_equal(stats.queued, 0);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------- one snapshot */

struct traffic {
    pp_pool             *pool;
    atomic_uint_fast64_t begun; /* submits that were begun, and that had returned */
    atomic_uint_fast64_t returned;
    atomic_uint          failures;
    unsigned             number;
};

static void *submit_many(void *data)
{
    struct traffic *traffic = data;
    for (int i = 0; i < 400; i++) {
        pp_function *function = i % 7 == 0 ? raise_something : return_null;
        atomic_fetch_add(&traffic->begun, 1);
        if (pp_pool_create_and_queue_task(traffic->pool, PP_FUNCTION(function), NULL, NULL) != 0)
            atomic_fetch_add(&traffic->failures, 1);
        atomic_fetch_add(&traffic->returned, 1);
    }
    return NULL;
}

static void each_snapshot_is_consistent_while_tasks_come_and_go(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    pthread_t      threads[THREADS];
    struct traffic traffic = {.pool = pool_of(1, 3)};
    uint64_t       ended_before = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &traffic), 0);
    while (atomic_load(&traffic.returned) < THREADS * 400) {
        uint64_t      at_least = atomic_load(&traffic.returned);
        pp_pool_stats stats = snapshot(traffic.pool);
        uint64_t      at_most = atomic_load(&traffic.begun);
        uint64_t      ended = stats.done + stats.failed;
        assert_in_range(sum_of(&stats), at_least, at_most);
        assert_int_equal(stats.running, stats.workers_working);
        assert_true(stats.workers_idle + stats.workers_working <= 3);
        assert_true(stats.queued <= 10);
        assert_true(ended >= ended_before);
        assert_true(stats.run_time_p99 >= stats.run_time_p50);
        assert_true(stats.queue_wait_p99 >= stats.queue_wait_p50);
        ended_before = ended;
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&traffic.failures), 0);
    assert_int_equal(pp_pool_process_all_results(traffic.pool, PATIENCE), THREADS * 400);
    pp_pool_stats stats = snapshot(traffic.pool);
    assert_int_equal(stats.failed, THREADS * 58);
    assert_int_equal(stats.done, THREADS * (400 - 58));
    pp_pool_destroy(traffic.pool);
}

/* -------------------------------------------------------------------- percentiles */

static int run_for(pp_call *call)
{
    double seconds = 0;
    int    error = pp_call_args(call, "d", &seconds);
    if (error < 0)
        return error;
    struct timespec time = {.tv_nsec = (long)(seconds * 1e9)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time) == EINTR)
        ;
    return 0;
}

static int by_size(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return difference < 0 ? -1 : difference > 0;
}

/* Within the width of a bucket, one sixteenth. */
static void assert_about(double told, double low, double high)
{
    assert_true(told >= low * 0.999);
    assert_true(told <= high * (1 + 1.0 / 16) + 1e-6);
}

static void percentiles_are_those_of_the_tasks_times(void **state)
{
    (void)state;
    enum { COUNT = 21, MIDDLE = COUNT / 2, LAST = COUNT - 1 };
    pp_task        *tasks[COUNT];
    double          waits[COUNT], runs[COUNT];
    double          expected[COUNT] = {0};
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = 1;
    options.max_queued_requests = COUNT;
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    tasks[0] = queue_function(pool, gate_task, NULL);
    for (int i = 1; i < COUNT; i++) {
        expected[i] = i == LAST ? 0.04 : i % 2 == 0 ? 0.002 : 0.008;
        assert_int_equal(pp_task_create(&tasks[i], PP_FUNCTION(run_for), NULL, "d", expected[i]),
                         0);
        assert_int_equal(pp_pool_queue_task(pool, tasks[i]), 0);
    }
    gate_release(&the_gate); /* all are queued by now, and wait for those before them */
    assert_int_equal(pp_wait_all(tasks, COUNT, PATIENCE), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_ends(tasks[i], PP_DONE);
        assert_int_equal(pp_task_times(tasks[i], &waits[i], &runs[i]), 0);
        assert_true(runs[i] >= expected[i]);
        pp_task_unref(tasks[i]);
    }
    assert_true(waits[LAST] >= 10 * 0.008 + 9 * 0.002);
    pp_pool_stats stats = snapshot(pool);
    qsort(waits, COUNT, sizeof *waits, by_size);
    qsort(runs, COUNT, sizeof *runs, by_size);
    assert_about(stats.run_time_p50, runs[MIDDLE - 1], runs[MIDDLE + 1]);
    assert_about(stats.run_time_p99, runs[LAST - 1], runs[LAST]);
    assert_about(stats.queue_wait_p50, waits[MIDDLE - 1], waits[MIDDLE + 1]);
    assert_about(stats.queue_wait_p99, waits[LAST - 1], waits[LAST]);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

/* --------------------------------------------------------------------- struct size */

static void an_older_shorter_struct_gets_what_it_knows(void **state)
{
    (void)state;
    unsigned char memory[sizeof(pp_pool_stats)];
    size_t        size = offsetof(pp_pool_stats, failed); /* up to done */
    pp_pool_stats told;
    pp_pool      *pool = pool_of(1, 1);
    run_one(pool, return_null, NULL, PP_DONE);
    run_one(pool, raise_something, NULL, PP_FAILED);
    memset(memory, 0xab, sizeof memory);
    memcpy(memory, &size, sizeof size);
    memcpy(&told, memory, sizeof told);
    assert_int_equal(pp_pool_get_stats(pool, &told), 0);
    assert_int_equal(told.size, size);
    assert_int_equal(told.queued, 0);
    assert_int_equal(told.done, 1);
    assert_memory_equal((unsigned char *)&told + size, memory + size, sizeof memory - size);
    pp_pool_destroy(pool);
}

static void a_newer_longer_struct_is_told_how_much_was_filled_in(void **state)
{
    (void)state;
    struct {
        pp_pool_stats known;
        uint64_t      unknown[4];
    } stats = {.known = {.size = sizeof stats}, .unknown = {1, 2, 3, 4}};
    pp_pool *pool = pool_of(1, 1);
    run_one(pool, return_null, NULL, PP_DONE);
    assert_int_equal(pp_pool_get_stats(pool, &stats.known), 0);
    assert_int_equal(stats.known.size, sizeof stats.known);
    assert_int_equal(stats.known.done, 1);
    assert_int_equal(stats.unknown[0], 1);
    assert_int_equal(stats.unknown[3], 4);
    pp_pool_destroy(pool);
}

static void bad_arguments_of_get_stats_are_refused(void **state)
{
    (void)state;
    pp_pool_stats stats = {.size = 0, .done = 17};
    pp_pool      *pool = pool_of(1, 1);
    assert_int_equal(pp_pool_get_stats(pool, &stats), -EINVAL);
    stats.size = sizeof(size_t) - 1;
    assert_int_equal(pp_pool_get_stats(pool, &stats), -EINVAL);
    assert_int_equal(stats.done, 17);
    assert_int_equal(pp_pool_get_stats(pool, NULL), -EINVAL);
    stats.size = sizeof stats;
    assert_int_equal(pp_pool_get_stats(NULL, &stats), -EINVAL);
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_pool_has_counted_its_workers_only),
        cmocka_unit_test(each_outcome_is_counted_once_where_it_belongs),
        cmocka_unit_test(what_waits_and_what_runs_is_counted_at_each_step),
        cmocka_unit_test(a_task_that_waits_for_its_next_attempt_counts_as_queued),
        cmocka_unit_test(each_snapshot_is_consistent_while_tasks_come_and_go),
        cmocka_unit_test(percentiles_are_those_of_the_tasks_times),
        cmocka_unit_test(an_older_shorter_struct_gets_what_it_knows),
        cmocka_unit_test(a_newer_longer_struct_is_told_how_much_was_filled_in),
        cmocka_unit_test(bad_arguments_of_get_stats_are_refused),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
