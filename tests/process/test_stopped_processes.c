/*
 * test_stopped_processes.c - somebody stops a process of the pool with SIGSTOP.  A stopped worker keeps
 * the task that it was given and no other, until SIGCONT, cancel, a time limit or the end of the pool.
 * A stopped host misses nothing of what ends meanwhile; killed while it is stopped, it takes its
 * workers along.
 *
 * (test_fork_server_death.c: a stopped fork server.  test_time_limits.c: a task that stops itself, and
 *  its limit.  test_watchdog.c: a running host that is killed, and one whose fork server died first.)
 */
#include "processes.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_stopped(void *pid)
{
    return process_state(*(pid_t *)pid) == 'T';
}

static void stop(pid_t pid)
{
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_true(eventually(is_stopped, &pid));
}

static void go_on(pid_t pid)
{
    assert_int_equal(kill(pid, SIGCONT), 0);
}

/* That many tasks that run, each on a worker of its own. */
static void start_tasks(pp_pool *pool, pp_task **tasks, int count)
{
    for (int i = 0; i < count; i++)
        tasks[i] = queue_function(pool, gate_task, NULL);
    for (int i = 0; i < count; i++)
        gate_await(&the_gate);
}

static int set_up(void **state)
{
    (void)state;
    gate_open(&the_gate);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gate_close(&the_gate);
    return 0;
}

/* ---------------------------------------------------------------------------- workers */

static void a_stopped_worker_keeps_its_task_and_no_other(void **state)
{
    enum { OTHERS = 40 };
    pp_task *held[2];
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    start_tasks(pool, held, 2);
    stop(pp_task_worker_pid(held[0]));
    gate_release(&the_gate); /* the other one, which reads */
    assert_ends(held[1], PP_DONE);
    for (int i = 0; i < OTHERS; i++) {
        pp_task *task = queue_function(pool, return_pid, NULL);
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_task_worker_pid(task), pp_task_worker_pid(held[1]));
        pp_task_unref(task);
    }
    assert_int_equal(pp_task_state(held[0]), PP_RUNNING);
    gate_release(&the_gate);
    go_on(pp_task_worker_pid(held[0]));
    assert_ends(held[0], PP_DONE);
    assert_int_equal(pp_task_attempts(held[0]), 1);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.workers_started, 2);
    assert_int_equal(stats.workers_died, 0);
    for (int i = 0; i < 2; i++)
        pp_task_unref(held[i]);
    pp_pool_destroy(pool);
}

/* It had nothing to do when it was stopped, and was given something. */
static void a_task_given_to_a_stopped_worker_runs_when_that_goes_on(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    worker = worker_of(pool);
    stop(worker);
    pp_task *task = queue_function(pool, return_pid, NULL);
    pp_task *behind = queue_function(pool, return_pid, NULL);
    assert_int_equal(pp_task_wait(task, 0), -ETIMEDOUT);
    go_on(worker);
    assert_ends(task, PP_DONE);
    assert_ends(behind, PP_DONE);
    assert_int_equal(pp_task_worker_pid(task), worker);
    assert_int_equal(pp_task_worker_pid(behind), worker);
    pp_task_unref(task);
    pp_task_unref(behind);
    pp_pool_destroy(pool);
}

/* Two seconds after its limit: until then a busy machine may be the reason. */
static void a_task_with_a_time_limit_leaves_a_stopped_worker_that_does_not_begin_it(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.1;
    pp_pool *pool = pool_of(1, 1);
    pid_t    worker = worker_of(pool);
    stop(worker);
    pp_task *task = queue_function(pool, return_pid, &options);
    assert_ends(task, PP_DONE);
    assert_int_not_equal(pp_task_worker_pid(task), worker);
    assert_int_equal(pp_task_attempts(task), 1);
    assert_true(pid_gone(worker));
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void what_a_stopped_worker_has_can_be_cancelled(void **state)
{
    pp_task *running = NULL;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    worker = worker_of(pool);
    stop(worker);
    pp_task *unbegun = queue_function(pool, return_pid, NULL);
    assert_int_equal(pp_task_cancel(unbegun), 0);
    assert_ends(unbegun, PP_CANCELLED);
    assert_int_equal(pp_task_attempts(unbegun), 0);
    go_on(worker);
    start_tasks(pool, &running, 1);
    stop(worker);
    assert_int_equal(pp_task_cancel(running), 0);
    assert_ends(running, PP_CANCELLED);
    assert_true(pid_gone(worker));
    assert_int_not_equal(worker_of(pool), worker);
    pp_task_unref(unbegun);
    pp_task_unref(running);
    pp_pool_destroy(pool);
}

static void a_pool_with_stopped_workers_can_be_finalized(void **state)
{
    pp_task *held[2];
    pid_t    pids[2];
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    start_tasks(pool, held, 2);
    for (int i = 0; i < 2; i++)
        pids[i] = pp_task_worker_pid(held[i]);
    pp_task *waits = queue_function(pool, return_null, NULL);
    stop(pids[0]);
    stop(pids[1]);
    assert_int_equal(pp_pool_finalize(pool, 0.02), 3);
    for (int i = 0; i < 2; i++) {
        assert_ends(held[i], PP_CANCELLED);
        assert_true(pid_gone(pids[i]));
        pp_task_unref(held[i]);
    }
    assert_ends(waits, PP_CANCELLED);
    pp_task_unref(waits);
    pp_pool_destroy(pool);
}

/* Retirement waits for it; the end of the pool does not. */
static void a_pool_whose_idle_workers_are_stopped_can_be_destroyed(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    worker = worker_of(pool);
    stop(worker);
    assert_int_equal(pp_pool_finalize(pool, 0.02), 0);
    assert_true(pid_gone(worker));
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------------------- host */

/* A host in a child: `told` says its worker's pids, and then that it has what it wants. */
static int told[2];

enum { WORKERS = 3, WAITING = 30 };

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    ++*(unsigned *)userdata;
}

/* Says when it begins and when it has leave. */
static int pass_and_tell(pp_call *call)
{
    char byte = 0;
    (void)call;
    gate_pass(&the_gate);
    return write(the_gate.begun[1], &byte, 1) == 1 ? 0 : -errno;
}

/* Three tasks that wait for leave, and many behind them. */
static void be_host_that_is_stopped(void)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    pp_task_options counted = PP_TASK_OPTIONS_INIT;
    pp_task        *tasks[WORKERS + WAITING];
    unsigned        callbacks = 0;
    options.min_size = options.max_size = WORKERS;
    options.max_queued_requests = WAITING;
    counted.callback = count_result;
    counted.userdata = &callbacks;
    pp_pool *pool = pool_with(&options);
    for (int i = 0; i < WORKERS; i++)
        tasks[i] = queue_function(pool, pass_and_tell, &counted);
    for (int i = 0; i < WORKERS; i++)
        gate_await(&the_gate);
    for (int i = 0; i < WAITING; i++)
        tasks[WORKERS + i] = queue_function(pool, return_pid, &counted);
    for (int i = 0; i < WORKERS; i++) {
        pid_t pid = pp_task_worker_pid(tasks[i]);
        assert_int_equal(write(told[1], &pid, sizeof pid), sizeof pid);
    }
    assert_int_equal(pp_wait_all(tasks, WORKERS + WAITING, PATIENCE), 0);
    for (int i = 0; i < WORKERS + WAITING; i++) {
        assert_ends(tasks[i], PP_DONE);
        assert_int_equal(pp_task_attempts(tasks[i]), 1);
        pp_task_unref(tasks[i]);
    }
    assert_int_equal(pp_pool_process_all_results(pool, PATIENCE), WORKERS + WAITING);
    assert_int_equal(callbacks, WORKERS + WAITING);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.workers_started, WORKERS);
    assert_int_equal(stats.workers_died, 0);
    pp_pool_destroy(pool);
}

static pid_t fork_host(pid_t workers[WORKERS])
{
    pid_t host = fork();
    assert_true(host >= 0);
    if (host == 0) {
        (void)setenv("CMOCKA_TEST_ABORT", "1", 1);
        be_host_that_is_stopped();
        _exit(0);
    }
    for (int i = 0; i < WORKERS; i++) {
        struct pollfd entry = {.fd = told[0], .events = POLLIN};
        assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
        assert_int_equal(read(told[0], &workers[i], sizeof(pid_t)), sizeof(pid_t));
    }
    stop(host);
    return host;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void a_host_that_was_stopped_has_every_result_when_it_goes_on(void **state)
{
    pid_t workers[WORKERS];
    (void)state;
    assert_int_equal(pipe(told), 0);
    pid_t host = fork_host(workers);
    for (int i = 0; i < WORKERS; i++)
        gate_release(&the_gate);
    for (int i = 0; i < WORKERS; i++)
        gate_await(&the_gate);
    /* their tasks end, and each finds nothing more in its tray */
    for (int i = 0; i < WORKERS; i++)
        assert_true(eventually(process_sleeps, &workers[i]));
    go_on(host);
    assert_int_equal(status_of(host), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_true(pid_gone(workers[i]));
    (void)close(told[0]);
    (void)close(told[1]);
}

/* The fork server sees its end, whatever it was doing. */
static void workers_end_with_a_host_that_is_killed_while_it_is_stopped(void **state)
{
    pid_t workers[WORKERS];
    (void)state;
    assert_int_equal(pipe(told), 0);
    pid_t host = fork_host(workers);
    for (int i = 0; i < WORKERS; i++) /* not before */
        assert_int_equal(kill(workers[i], 0), 0);
    assert_int_equal(kill(host, SIGKILL), 0);
    assert_int_equal(status_of(host), SIGKILL);
    for (int i = 0; i < WORKERS; i++)
        assert_true(pid_gone(workers[i]));
    (void)close(told[0]);
    (void)close(told[1]);
}

#define STOP_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOP_TEST(a_stopped_worker_keeps_its_task_and_no_other),
        STOP_TEST(a_task_given_to_a_stopped_worker_runs_when_that_goes_on),
        STOP_TEST(a_task_with_a_time_limit_leaves_a_stopped_worker_that_does_not_begin_it),
        STOP_TEST(what_a_stopped_worker_has_can_be_cancelled),
        STOP_TEST(a_pool_with_stopped_workers_can_be_finalized),
        STOP_TEST(a_pool_whose_idle_workers_are_stopped_can_be_destroyed),
        STOP_TEST(a_host_that_was_stopped_has_every_result_when_it_goes_on),
        STOP_TEST(workers_end_with_a_host_that_is_killed_while_it_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
