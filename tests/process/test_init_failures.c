/*
 * test_init_failures.c - init functions that fail do not start a storm: the constructor says why, a
 * later failure ends what waits, and the pool recovers.
 */
#include "initialised.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

static uint64_t workers_started(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats.workers_started;
}

/* ------------------------------------------------------------------ at construction */

static void assert_not_created(pp_start_method method, enum way way, int error)
{
    enum { TRIES_MAX = 20 };
    pp_pool *const  before = (pp_pool *)(void *)&the_gate;
    pp_pool        *pool = before;
    pp_pool_options options = options_of(2, 4);
    options.start_method = method;
    memset(shared, 0, sizeof *shared);
    atomic_store(&shared->way, (int)way);
    int result = pp_pool_create(&pool, &options);
    assert_true(result < 0);
    if (error < 0)
        assert_int_equal(result, error);
    assert_ptr_equal(pool, before);
    assert_in_range(atomic_load(&shared->inits), 1, TRIES_MAX);
    assert_int_equal(atomic_load(&shared->exits), 0);
}

static void the_constructor_fails_with_the_errno_of_worker_init(void **state)
{
    (void)state;
    assert_not_created(PP_START_FORKSERVER, RETURN_ERROR, -EACCES);
    assert_not_created(PP_START_FORK, RETURN_ERROR, -EACCES);
    assert_not_created(PP_START_FORKSERVER, RETURN_POSITIVE, 0);
}

static void the_constructor_fails_when_workers_die_in_worker_init(void **state)
{
    (void)state;
    for (enum way way = ABORT; way < WAYS; way++)
        assert_not_created(PP_START_FORKSERVER, way, 0);
}

/* Each process of a pool holds a copy of the pipe's end: at the last one's death it is closed. */
static void after_a_failed_construction_no_process_is_left(void **state)
{
    (void)state;
    const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK};
    for (int i = 0; i < 6; i++) {
        int end[2];
        assert_int_equal(pipe(end), 0);
        assert_not_created(methods[i % 2], i < 4 ? RETURN_ERROR : EXIT_7, 0);
        close(end[1]);
        struct pollfd entry = {.fd = end[0], .events = POLLIN};
        assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
        assert_true((entry.revents & POLLHUP) != 0);
        close(end[0]);
    }
}

static void after_a_failed_construction_nothing_is_left_in_the_host(void **state)
{
    (void)state;
    assert_not_created(PP_START_FORKSERVER, RETURN_ERROR, -EACCES);
    unsigned descriptors = open_descriptors();
    assert_not_created(PP_START_FORKSERVER, RETURN_ERROR, -EACCES);
    assert_not_created(PP_START_FORKSERVER, EXIT_7, 0);
    assert_int_equal(open_descriptors(), descriptors);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    assert_int_equal(errno, ECHILD);
}

/* ----------------------------------------------------------------------------- later */

/* Kill its only worker while a task runs and others wait. */
static void lose_worker_with(pp_pool *pool, pp_task **tasks, unsigned count)
{
    tasks[0] = queue_function(pool, sleep_for_ever, NULL);
    for (unsigned i = 1; i < count; i++)
        tasks[i] = queue_function(pool, return_state, NULL);
    while (pp_task_state(tasks[0]) != PP_RUNNING)
        ;
    assert_int_equal(kill(pp_task_worker_pid(tasks[0]), SIGKILL), 0);
    assert_ends(tasks[0], PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(tasks[0])), SIGKILL);
}

static bool takes_tasks_again(void *data)
{
    pp_pool *pool = data;
    pp_task *task = queue_function(pool, return_state, NULL);
    assert_int_equal(pp_task_wait(task, PATIENCE), 0);
    pp_state state = pp_task_state(task);
    assert_true(state == PP_DONE || state == PP_WORKER_LOST);
    pp_task_unref(task);
    return state == PP_DONE;
}

static void when_no_worker_can_be_had_any_more_tasks_are_told_and_the_pool_recovers(void **state)
{
    (void)state;
    for (enum way way = RETURN_ERROR; way < WAYS; way++) {
        pp_task        *tasks[4];
        pp_pool_options options = options_of(1, 1);
        memset(shared, 0, sizeof *shared);
        pp_pool *pool = pool_with(&options);
        atomic_store(&shared->way, (int)way);
        lose_worker_with(pool, tasks, 4);
        for (int i = 0; i < 4; i++) {
            assert_ends(tasks[i], PP_WORKER_LOST);
            assert_int_equal(pp_task_attempts(tasks[i]), i == 0 ? 1 : 0);
            if (i > 0 && way == RETURN_ERROR)
                assert_int_equal(pp_error_errno(pp_task_error(tasks[i])), EACCES);
            pp_task_unref(tasks[i]);
        }
        pp_task *late = queue_function(pool, return_state, NULL); /* nor does a new one wait */
        assert_ends(late, PP_WORKER_LOST);
        pp_task_unref(late);
        atomic_store(&shared->way, SUCCEED);
        assert_true(eventually(takes_tasks_again, pool));
        pp_pool_destroy(pool);
    }
}

struct started {
    const pp_pool *pool;
    uint64_t       count;
};

static bool has_started(void *data)
{
    const struct started *wanted = data;
    return workers_started(wanted->pool) >= wanted->count;
}

/* The pauses double from 10 ms on: nine tries take 10 + 20 + ... + 640 ms. */
static void workers_that_fail_again_and_again_are_started_with_growing_delays(void **state)
{
    (void)state;
    const enum way ways[] = {RETURN_ERROR, ABORT};
    for (int i = 0; i < 2; i++) {
        pp_task        *task = NULL;
        pp_pool_options options = options_of(1, 1);
        memset(shared, 0, sizeof *shared);
        pp_pool       *pool = pool_with(&options);
        struct started nine = {pool, 1 + 9};
        atomic_store(&shared->way, (int)ways[i]);
        double begin = now();
        lose_worker_with(pool, &task, 1);
        assert_true(eventually(has_started, &nine));
        assert_true(now() - begin >= 1.27 - 0.001);
        pp_task_unref(task);
        pp_pool_destroy(pool);
    }
}

/* One worker cannot be replaced; the other goes on. */
static void while_one_worker_works_tasks_wait_for_it(void **state)
{
    (void)state;
    pp_task        *tasks[3];
    pp_pool_options options = options_of(2, 2);
    gate_open(&the_gate);
    pp_pool *pool = pool_with(&options);
    pp_task *running = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    atomic_store(&shared->way, RETURN_ERROR);
    lose_worker_with(pool, tasks, 3);
    struct started seven = {pool, 2 + 7}; /* more than make a pool give up */
    assert_true(eventually(has_started, &seven));
    for (int i = 1; i < 3; i++)
        assert_string_equal(pp_state_name(pp_task_state(tasks[i])), "queued");
    gate_release(&the_gate);
    assert_ends(running, PP_DONE);
    for (int i = 1; i < 3; i++)
        assert_ends(tasks[i], PP_DONE);
    for (int i = 0; i < 3; i++)
        pp_task_unref(tasks[i]);
    pp_task_unref(running);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        INITIALISED_TEST(the_constructor_fails_with_the_errno_of_worker_init),
        INITIALISED_TEST(the_constructor_fails_when_workers_die_in_worker_init),
        INITIALISED_TEST(after_a_failed_construction_no_process_is_left),
        INITIALISED_TEST(after_a_failed_construction_nothing_is_left_in_the_host),
        INITIALISED_TEST(when_no_worker_can_be_had_any_more_tasks_are_told_and_the_pool_recovers),
        INITIALISED_TEST(workers_that_fail_again_and_again_are_started_with_growing_delays),
        INITIALISED_TEST(while_one_worker_works_tasks_wait_for_it),
    };
    return cmocka_run_group_tests_name("init failures", tests, map_shared, unmap_shared);
}
