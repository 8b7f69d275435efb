/*
 * test_left_behind.c - what a task left behind (a child, or a daemon with two forks and a session of
 * its own) is ended when its worker dies for whatever reason, and at the latest with the pool.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int told[2]; /* pids of what was left behind; made before the pool */

static _Noreturn void live_on(void)
{
    pid_t pid = getpid();
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    if (write(told[1], &pid, sizeof pid) != sizeof pid)
        _exit(1);
    for (;;)
        pause();
}

static void leave_child(void)
{
    if (fork() == 0)
        live_on();
}

static void leave_daemon(void)
{
    pid_t child = fork();
    if (child == 0) {
        (void)setsid();
        if (fork() == 0)
            live_on();
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
}

enum end { SLEEP, RETURN, CRASH, EXIT };

/* Leaves a child and a daemon behind, then does as the argument says. */
static int leave_behind(pp_call *call)
{
    int end = 0;
    if (pp_call_args(call, "i", &end) < 0)
        return -EINVAL;
    leave_child();
    leave_daemon();
    gate_pass(&the_gate);
    switch ((enum end)end) {
    case SLEEP:
        return sleep_for_ever(call);
    case CRASH:
        return crash_by_segv(call);
    case EXIT:
        _exit(0);
    default:
        return 0;
    }
}

/* -------------------------------------------------------------------------- helpers */

struct left {
    pid_t pids[2];
    int   pidfds[2];
};

/* Wait for the task to have left its two behind. */
static void hear_of(struct left *left)
{
    gate_await(&the_gate);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read(told[0], &left->pids[i], sizeof left->pids[i]), sizeof(pid_t));
        left->pidfds[i] = (int)syscall(SYS_pidfd_open, left->pids[i], 0);
        assert_true(left->pidfds[i] >= 0);
    }
}

static void assert_alive(const struct left *left)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(syscall(SYS_pidfd_send_signal, left->pidfds[i], 0, NULL, 0), 0);
}

/* Also ends what is not gone, so that a failed test leaves nothing. */
static void assert_gone(struct left *left)
{
    bool gone = true;
    for (int i = 0; i < 2; i++) {
        struct pollfd entry = {.fd = left->pidfds[i], .events = POLLIN};
        gone = poll(&entry, 1, (int)(PATIENCE * 1000)) == 1 && gone;
        (void)syscall(SYS_pidfd_send_signal, left->pidfds[i], SIGKILL, NULL, 0);
        (void)close(left->pidfds[i]);
    }
    assert_true(gone);
}

static pp_task *queue_leaver(pp_pool *pool, enum end end, double timeout)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *task = NULL;
    options.timeout = timeout;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(leave_behind), &options, "i", (int)end), 0);
    assert_int_equal(pp_pool_queue_task(pool, task), 0);
    return task;
}

static int set_up(void **state)
{
    (void)state;
    gate_open(&the_gate);
    return pipe(told);
}

static int tear_down(void **state)
{
    (void)state;
    gate_close(&the_gate);
    (void)close(told[0]);
    (void)close(told[1]);
    return 0;
}

static void end_task_and_expect(pp_task *task, struct left *left, pp_state state)
{
    assert_alive(left);
    gate_release(&the_gate);
    assert_ends(task, state);
    assert_gone(left);
    pp_task_unref(task);
}

/* ---------------------------------------------------------------------------- tests */

static void what_a_task_left_behind_ends_when_its_time_limit_passes(void **state)
{
    struct left left;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_leaver(pool, SLEEP, 0.5);
    hear_of(&left);
    assert_ends(task, PP_TIMED_OUT);
    assert_gone(&left);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void what_a_task_left_behind_ends_when_it_is_cancelled(void **state)
{
    struct left left;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_leaver(pool, SLEEP, 0);
    hear_of(&left);
    assert_alive(&left);
    assert_int_equal(pp_task_cancel(task), 0);
    assert_ends(task, PP_CANCELLED);
    assert_gone(&left);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void what_a_task_left_behind_ends_when_its_worker_crashes_or_exits(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    for (int i = 0; i < 2; i++) {
        struct left left;
        pp_task    *task = queue_leaver(pool, i == 0 ? CRASH : SLEEP, 0);
        hear_of(&left);
        if (i == 0)
            gate_release(&the_gate);
        else
            assert_int_equal(kill(pp_task_worker_pid(task), SIGTERM), 0);
        assert_ends(task, PP_WORKER_LOST);
        assert_gone(&left);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
}

/* A worker that ends with status 0 has left in order: TERM first, and KILL after the grace. */
static void what_a_task_left_behind_ends_after_the_grace_when_its_worker_exits_with_0(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    struct left     left;
    (void)state;
    options.min_size = options.max_size = 1;
    options.orphan_grace = 0.2;
    pp_pool *pool = pool_with(&options);
    pp_task *task = queue_leaver(pool, EXIT, 0);
    hear_of(&left);
    end_task_and_expect(task, &left, PP_WORKER_LOST);
    pp_pool_destroy(pool);
}

static void what_a_task_left_behind_lives_as_long_as_its_worker_and_ends_with_the_pool(void **state)
{
    struct left left;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_leaver(pool, RETURN, 0);
    hear_of(&left);
    gate_release(&the_gate);
    assert_ends(task, PP_DONE);
    pp_task *next = queue_function(pool, return_pid, NULL);
    assert_ends(next, PP_DONE);
    assert_int_equal(pp_task_worker_pid(next), pp_task_worker_pid(task));
    assert_alive(&left);
    pp_pool_destroy(pool);
    assert_gone(&left);
    pp_task_unref(task);
    pp_task_unref(next);
}

static void what_a_retired_worker_left_behind_ends_after_the_grace(void **state)
{
    pp_pool_options options = PP_POOL_OPTIONS_INIT;
    struct left     left;
    (void)state;
    options.min_size = options.max_size = 1;
    options.max_tasks_per_worker = 1;
    options.orphan_grace = 0.2;
    pp_pool *pool = pool_with(&options);
    pp_task *task = queue_leaver(pool, RETURN, 0);
    hear_of(&left);
    end_task_and_expect(task, &left, PP_DONE);
    pp_pool_destroy(pool);
}

/* A child that heeds SIGTERM: it waits for that, since a sanitizer may hold handlers back. */
static int leave_one_that_tells(pp_call *call)
{
    sigset_t term;
    (void)call;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (fork() == 0) {
        pid_t pid = getpid();
        int   number = 0;
        (void)sigprocmask(SIG_BLOCK, &term, NULL);
        gate_pass(&the_gate);
        while (sigwait(&term, &number) != 0)
            ;
        _exit(write(told[1], &pid, sizeof pid) == sizeof pid ? 0 : 1);
    }
    return 0;
}

static void what_a_retired_worker_left_behind_gets_sigterm_before_in_each_start_method(void **state)
{
    static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK};
    (void)state;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        pid_t           pid = 0;
        options.min_size = options.max_size = 1;
        options.max_tasks_per_worker = 1;
        options.orphan_grace = 2 * PATIENCE;
        options.start_method = methods[i];
        pp_pool *pool = pool_with(&options);
        pp_task *task = queue_function(pool, leave_one_that_tells, NULL);
        gate_await(&the_gate);
        gate_release(&the_gate);
        assert_ends(task, PP_DONE);
        struct pollfd entry = {.fd = told[0], .events = POLLIN};
        assert_int_equal(poll(&entry, 1, (int)(PATIENCE * 1000)), 1);
        assert_int_equal(read(told[0], &pid, sizeof pid), sizeof pid);
        assert_true(pid_gone(pid));
        pp_task_unref(task);
        pp_pool_destroy(pool);
    }
}

static void the_death_of_one_worker_spares_what_another_left_behind(void **state)
{
    struct left of_first;
    struct left of_second;
    (void)state;
    pp_pool *pool = pool_of(2, 2);
    pp_task *first = queue_leaver(pool, SLEEP, 0);
    hear_of(&of_first);
    pp_task *second = queue_leaver(pool, SLEEP, 0);
    hear_of(&of_second);
    assert_int_equal(pp_task_cancel(second), 0);
    assert_ends(second, PP_CANCELLED);
    assert_gone(&of_second);
    assert_alive(&of_first);
    assert_int_equal(pp_task_cancel(first), 0);
    assert_gone(&of_first);
    pp_task_unref(first);
    pp_task_unref(second);
    pp_pool_destroy(pool);
}

#define LEFT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEFT_TEST(what_a_task_left_behind_ends_when_its_time_limit_passes),
        LEFT_TEST(what_a_task_left_behind_ends_when_it_is_cancelled),
        LEFT_TEST(what_a_task_left_behind_ends_when_its_worker_crashes_or_exits),
        LEFT_TEST(what_a_task_left_behind_ends_after_the_grace_when_its_worker_exits_with_0),
        LEFT_TEST(what_a_task_left_behind_lives_as_long_as_its_worker_and_ends_with_the_pool),
        LEFT_TEST(what_a_retired_worker_left_behind_ends_after_the_grace),
        LEFT_TEST(what_a_retired_worker_left_behind_gets_sigterm_before_in_each_start_method),
        LEFT_TEST(the_death_of_one_worker_spares_what_another_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
