/*
 * test_fork_server_death.c - the fork server dies or stands still, and nobody is harmed: tasks that run
 * finish, time limits are kept, new workers can be had, and nothing is lost.
 */
#include "pool/pool.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int return_parent(pp_call *call)
{
    return pp_call_return(call, "i", (int)getppid());
}

static int gate_then_pid(pp_call *call)
{
    gate_pass(&the_gate);
    return return_pid(call);
}

/* Nobody else is to be killed: a worker whose fork server died has another parent. */
static bool is_fork_server(pid_t pid)
{
    char path[64];
    char name[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool is = fgets(name, sizeof name, file) != NULL && strstr(name, "/fork\n") != NULL;
    fclose(file);
    return is;
}

/* The parent of a worker that executes a task now; 0: its fork server died. */
static pid_t fork_server_if_alive(pp_pool *pool)
{
    pp_task *task = queue_function(pool, return_parent, NULL);
    assert_ends(task, PP_DONE);
    pid_t pid = result_number(task);
    pp_task_unref(task);
    return is_fork_server(pid) ? pid : 0;
}

static pid_t fork_server_of(pp_pool *pool)
{
    pid_t pid = fork_server_if_alive(pool);
    assert_int_not_equal(pid, 0);
    return pid;
}

static void kill_fork_server(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(pid_gone(pid));
}

static bool has_an_idle_worker(void *pool)
{
    return pp_pool_num_idle_processes(pool) > 0;
}

/* ---------------------------------------------------------------------------- tests */

static void tasks_that_run_when_the_fork_server_dies_finish_and_count(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 2);
    pid_t    fork_server = fork_server_of(pool);
    pp_task *running = queue_function(pool, gate_then_pid, NULL);
    gate_await(&the_gate);
    kill_fork_server(fork_server);
    gate_release(&the_gate);
    assert_ends(running, PP_DONE);
    assert_int_equal(result_number(running), pp_task_worker_pid(running));
    assert_int_equal(pp_task_attempts(running), 1);
    /* and its worker goes on working */
    pp_task *next = queue_function(pool, return_pid, NULL);
    assert_ends(next, PP_DONE);
    assert_int_equal(result_number(next), pp_task_worker_pid(running));
    pp_task_unref(running);
    pp_task_unref(next);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void new_workers_can_be_had_after_the_fork_server_died(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 2);
    kill_fork_server(fork_server_of(pool));
    pp_task *first = queue_function(pool, gate_then_pid, NULL);
    pp_task *second = queue_function(pool, gate_then_pid, NULL);
    gate_await(&the_gate);
    gate_await(&the_gate); /* both run: one has a new worker */
    gate_release(&the_gate);
    gate_release(&the_gate);
    assert_ends(first, PP_DONE);
    assert_ends(second, PP_DONE);
    assert_int_not_equal(result_number(first), result_number(second));
    /* one whose worker died with its status untold is replaced, too */
    pp_task *lost = queue_function(pool, crash_by_segv, NULL);
    assert_ends(lost, PP_WORKER_LOST);
    pp_task *last = queue_function(pool, return_null, NULL);
    assert_ends(last, PP_DONE);
    pp_task_unref(first);
    pp_task_unref(second);
    pp_task_unref(lost);
    pp_task_unref(last);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_worker_whose_fork_server_died_loses_only_its_task_when_it_dies(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 3; i++) {
        pp_task *lost = NULL;
        pid_t    fork_server = fork_server_of(pool);
        lost = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
        pp_task *behind = queue_function(pool, return_null, NULL);
        kill_fork_server(fork_server);
        assert_int_equal(kill(pp_task_worker_pid(lost), SIGKILL), 0);
        assert_ends(lost, PP_WORKER_LOST);
        assert_ends(behind, PP_DONE);
        assert_int_equal(pp_task_attempts(behind), 1);
        assert_int_not_equal(fork_server_of(pool), fork_server);
        pp_task_unref(lost);
        pp_task_unref(behind);
    }
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void time_limits_and_cancel_work_after_the_fork_server_died(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.2;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    pid_t    fork_server = fork_server_of(pool);
    pp_task *limited = queue_function(pool, gate_task, &options);
    pp_task *cancelled = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    gate_await(&the_gate);
    double begin = now();
    kill_fork_server(fork_server);
    assert_int_equal(pp_task_cancel(cancelled), 0);
    assert_ends(limited, PP_TIMED_OUT);
    assert_ends(cancelled, PP_CANCELLED);
    assert_true(now() - begin < 0.2 + 2);
    assert_true(pid_gone(pp_task_worker_pid(limited)));
    assert_true(pid_gone(pp_task_worker_pid(cancelled)));
    assert_int_not_equal(fork_server_of(pool), fork_server);
    pp_task_unref(limited);
    pp_task_unref(cancelled);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void nothing_is_lost_when_the_fork_server_is_killed_again_and_again(void **state)
{
    enum { ROUNDS = 12, EACH = 150 };
    static pp_task *tasks[EACH];
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    unsigned        kills = 0;
    (void)state;
    options.min_size = 1;
    options.max_size = 3;
    options.max_queued_requests = EACH;
    options.max_tasks_per_worker = 20; /* workers come and go all the time */
    pp_pool *pool = pool_with(&options);
    for (int round = 0; round < ROUNDS; round++) {
        int   next = 0;
        pid_t fork_server = fork_server_if_alive(pool);
        for (; next < EACH / 2; next++)
            tasks[next] = queue_function(pool, return_parent, NULL);
        if (fork_server != 0) {
            kill_fork_server(fork_server);
            kills++;
        }
        for (; next < EACH; next++)
            tasks[next] = queue_function(pool, return_parent, NULL);
        for (int i = 0; i < EACH; i++) {
            assert_ends(tasks[i], PP_DONE);
            assert_int_equal(pp_task_attempts(tasks[i]), 1);
            pp_task_unref(tasks[i]);
        }
    }
    assert_true(kills > 1);
    assert_true(eventually(has_an_idle_worker, pool));
    pp_pool_destroy(pool);
}

static bool have_six_died(void *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    return pp_pool_get_stats(pool, &stats) == 0 && stats.workers_died == 6;
}

/* Each of them has then failed to start, but for one reason, and that is over. */
static void workers_that_were_asked_of_a_fork_server_that_dies_cost_no_task(void **state)
{
    enum { WORKERS = 6 };
    pp_task *lost[WORKERS];
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(WORKERS, WORKERS);
    pid_t    fork_server = fork_server_of(pool);
    for (int i = 0; i < WORKERS; i++)
        lost[i] = queue_function(pool, gate_task, NULL);
    for (int i = 0; i < WORKERS; i++)
        gate_await(&the_gate);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(kill(pp_task_worker_pid(lost[i]), SIGKILL), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_ends(lost[i], PP_WORKER_LOST);
    assert_true(eventually(have_six_died, pool)); /* so all are asked for again */
    pp_task *waiting = queue_function(pool, return_null, NULL);
    kill_fork_server(fork_server);
    assert_ends(waiting, PP_DONE);
    for (int i = 0; i < WORKERS; i++)
        pp_task_unref(lost[i]);
    pp_task_unref(waiting);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_pool_whose_fork_server_died_can_be_finalized_and_destroyed(void **state)
{
    (void)state;
    gate_open(&the_gate);
    for (int i = 0; i < 2; i++) {
        pp_pool *pool = pool_of(2, 2);
        pp_task *running = queue_function(pool, gate_task, NULL);
        gate_await(&the_gate);
        kill_fork_server(fork_server_of(pool));
        if (i == 0)
            assert_int_equal(pp_pool_finalize(pool, 0), 1);
        else
            gate_release(&the_gate);
        pp_pool_destroy(pool);
        assert_int_equal(pp_task_state(running), i == 0 ? PP_CANCELLED : PP_DONE);
        assert_true(pid_gone(pp_task_worker_pid(running)));
        pp_task_unref(running);
    }
    gate_close(&the_gate);
}

static void a_stopped_fork_server_delays_neither_results_nor_time_limits(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.2;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(2, 2);
    pid_t    fork_server = fork_server_of(pool);
    pp_task *limited = queue_function(pool, gate_task, &options);
    pp_task *lost = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    gate_await(&the_gate);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    double begin = now();
    assert_ends(limited, PP_TIMED_OUT);
    print_message("           timed out %.3f s after the fork server stopped\n", now() - begin);
    assert_true(now() - begin < 0.2 + 3);
    assert_true(pid_gone(pp_task_worker_pid(limited)));
    /* a worker dies, and nobody tells its status */
    assert_int_equal(kill(pp_task_worker_pid(lost), SIGKILL), 0);
    assert_ends(lost, PP_WORKER_LOST);
    assert_int_equal(kill(fork_server, SIGCONT), 0);
    pp_task *next = queue_function(pool, return_null, NULL);
    assert_ends(next, PP_DONE);
    /* results need no fork server */
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    for (int i = 0; i < 20; i++) {
        pp_task *task = queue_function(pool, return_pid, NULL);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
    assert_int_equal(kill(fork_server, SIGCONT), 0);
    pp_task_unref(limited);
    pp_task_unref(lost);
    pp_task_unref(next);
    pp_pool_destroy(pool);
    assert_true(pid_gone(fork_server));
    gate_close(&the_gate);
}

static bool has_descriptors(void *count)
{
    return open_descriptors() == *(const unsigned *)count;
}

/* Nobody tells of that death, so it is a timer that buries the worker, and nothing else happens: no call
 * wakes the manager. */
static void what_a_dead_worker_had_is_given_back_while_the_fork_server_is_stopped(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pid_t    worker = worker_of(pool);
    pid_t    fork_server = fork_server_of(pool);
    unsigned successor_is_unborn = open_descriptors() - 1; /* it has no pidfd yet */
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_true(eventually(has_descriptors, &successor_is_unborn));
    assert_int_equal(kill(fork_server, SIGCONT), 0);
    pp_pool_destroy(pool);
}

/* The manager looks at all again and again then, also at who is dead already. */
static void a_death_is_told_while_the_fork_server_is_stopped_and_epoll_is_broken(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    pid_t    fork_server = fork_server_of(pool);
    int      nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(nothing >= 0);
    assert_int_equal(dup3(nothing, pool->epoll, O_CLOEXEC), pool->epoll);
    assert_int_equal(close(nothing), 0);
    pp_task *task = queue_function(pool, gate_task, NULL);
    gate_await(&the_gate);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    assert_int_equal(kill(pp_task_worker_pid(task), SIGKILL), 0);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(kill(fork_server, SIGCONT), 0);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

static void a_pool_with_a_stopped_fork_server_can_be_destroyed(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    pid_t    fork_server = fork_server_of(pool);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    double begin = now();
    pp_pool_destroy(pool);
    assert_true(now() - begin < PATIENCE);
    if (kill(fork_server, SIGCONT) < 0) /* it may have been ended by force */
        assert_int_equal(errno, ESRCH);
    assert_true(pid_gone(fork_server));
}

/* Of PP_START_FORK each worker has its own. */
static void a_stopped_fork_server_of_one_worker_does_not_outlive_the_pool(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    (void)state;
    options.min_size = options.max_size = 1;
    options.start_method = PP_START_FORK;
    pp_pool *pool = pool_with(&options);
    pid_t    fork_server = fork_server_of(pool);
    assert_int_equal(kill(fork_server, SIGSTOP), 0);
    pp_pool_destroy(pool);
    assert_true(pid_gone(fork_server));
}

static bool has_no_zombie(void *unused)
{
    siginfo_t dead = {0};
    int       answer = waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT | __WALL);
    (void)unused;
    return answer == 0 ? dead.si_pid == 0 : errno == ECHILD;
}

/* With as few descriptors as make it fail at each place where it takes one. */
static void start_without_descriptors(void *unused)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    struct rlimit   limit;
    int             error = -EMFILE;
    (void)unused;
    options.min_size = 1;
    options.max_size = 2;
    options.start_method = PP_START_FORK;
    options.strict_limits = false;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    pp_pool *pool = pool_with(&options);
    for (rlim_t most = open_descriptors(); error < 0; most++) {
        limit.rlim_cur = most;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        pp_pool_lock(pool);
        error = pp_pool_spawn(pool);
        pp_pool_unlock(pool);
        assert_true(eventually(has_no_zombie, NULL));
    }
    pp_pool_destroy(pool);
}

static void a_start_that_fails_leaves_no_zombie_to_a_host_that_is_a_subreaper(void **state)
{
    (void)state;
    assert_child_succeeds(start_without_descriptors, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_that_run_when_the_fork_server_dies_finish_and_count),
        cmocka_unit_test(new_workers_can_be_had_after_the_fork_server_died),
        cmocka_unit_test(a_worker_whose_fork_server_died_loses_only_its_task_when_it_dies),
        cmocka_unit_test(time_limits_and_cancel_work_after_the_fork_server_died),
        cmocka_unit_test(nothing_is_lost_when_the_fork_server_is_killed_again_and_again),
        cmocka_unit_test(workers_that_were_asked_of_a_fork_server_that_dies_cost_no_task),
        cmocka_unit_test(a_pool_whose_fork_server_died_can_be_finalized_and_destroyed),
        cmocka_unit_test(a_stopped_fork_server_delays_neither_results_nor_time_limits),
        cmocka_unit_test(what_a_dead_worker_had_is_given_back_while_the_fork_server_is_stopped),
        cmocka_unit_test(a_death_is_told_while_the_fork_server_is_stopped_and_epoll_is_broken),
        cmocka_unit_test(a_pool_with_a_stopped_fork_server_can_be_destroyed),
        cmocka_unit_test(a_stopped_fork_server_of_one_worker_does_not_outlive_the_pool),
        cmocka_unit_test(a_start_that_fails_leaves_no_zombie_to_a_host_that_is_a_subreaper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
