/*
 * test_worker_init.c - worker_init runs once in each new worker, worker_exit once in each that leaves
 * in order; init functions that fail do not start a storm: the constructor says why, a later failure
 * ends what waits, and the pool recovers.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum way { SUCCEED, RETURN_ERROR, RETURN_POSITIVE, ABORT, EXIT_0, EXIT_7, QUICK_EXIT_7, WAYS };

/* Host and workers see it. */
struct shared {
    atomic_int way; /* what worker_init does */
    atomic_int inits;
    atomic_int exits;
    atomic_int wrong; /* states that did not arrive */
};
static struct shared *shared;

static int map_shared(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

static int unmap_shared(void **state)
{
    (void)state;
    return munmap(shared, sizeof *shared);
}

static int clear_shared(void **state)
{
    (void)state;
    memset(shared, 0, sizeof *shared);
    return 0;
}

static pid_t initialised; /* in a worker: the state that init gives */

static int init(void *arg, void **state)
{
    atomic_fetch_add(&((struct shared *)arg)->inits, 1);
    switch ((enum way)atomic_load(&shared->way)) {
    case RETURN_ERROR:
        return -EACCES;
    case RETURN_POSITIVE:
        return 5;
    case ABORT:
        abort();
    case EXIT_0:
        exit(0);
    case EXIT_7:
        exit(7);
    case QUICK_EXIT_7:
        _exit(7);
    default:
        break;
    }
    initialised = getpid();
    *state = &initialised;
    return 0;
}

static void leave(void *arg, void *state)
{
    if (arg != shared || state != &initialised || initialised != getpid())
        atomic_fetch_add(&shared->wrong, 1);
    atomic_fetch_add(&shared->exits, 1);
}

/* The pid that init put into the state. */
static int return_state(pp_call *call)
{
    pid_t *state = pp_call_state(call);
    return state != NULL ? pp_call_return(call, "i", (int)*state) : -EFAULT;
}

static pp_pool_options options_of(unsigned min_size, unsigned max_size)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    options.min_size = min_size;
    options.max_size = max_size;
    options.worker_init = init;
    options.worker_exit = leave;
    options.worker_arg = shared;
    return options;
}

static uint64_t workers_started(const pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats.workers_started;
}

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

#define TEST(function) cmocka_unit_test_setup(function, clear_shared)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(worker_init_runs_once_in_each_worker_and_gives_the_state_of_its_calls),
        TEST(without_worker_init_the_state_is_null),
        TEST(worker_exit_runs_once_in_each_worker_when_the_pool_is_finalized),
        TEST(worker_exit_runs_when_a_worker_retires),
        TEST(worker_exit_runs_when_a_worker_is_recycled_and_not_when_it_crashes),
        TEST(the_constructor_fails_with_the_errno_of_worker_init),
        TEST(the_constructor_fails_when_workers_die_in_worker_init),
        TEST(after_a_failed_construction_no_process_is_left),
        TEST(after_a_failed_construction_nothing_is_left_in_the_host),
        TEST(when_no_worker_can_be_had_any_more_tasks_are_told_and_the_pool_recovers),
        TEST(workers_that_fail_again_and_again_are_started_with_growing_delays),
        TEST(while_one_worker_works_tasks_wait_for_it),
    };
    return cmocka_run_group_tests_name("worker init", tests, map_shared, unmap_shared);
}
