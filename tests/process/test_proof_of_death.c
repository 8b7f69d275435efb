/*
 * test_proof_of_death.c - a worker that was sent SIGKILL is not dead yet: until the kernel says so it may
 * still write, so its task has no outcome and nobody takes its place.
 *
 * A tracer holds it in that moment: after the signal, before its end.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 5 };

static const double limit = 0.1;
/* The pool takes a killed worker for lost a second later, dead or not. */
static const double early = 0.9;

/* It cannot be asked where it is, so it is killed at once. */
static int deaf(pp_call *call)
{
    sigset_t all;
    (void)call;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    gate_pass(&the_gate);
    return 0;
}

/* Until it was killed and has not gone. */
static void hold_at_its_end(pid_t pid)
{
    int status = 0;
    assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACEEXIT), 0);
    assert_int_equal(waitpid(pid, &status, __WALL), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(status >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
}

static void let_it_go(pid_t pid)
{
    int status = 0;
    assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, __WALL), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static uint64_t workers_started(pp_pool *pool)
{
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    return stats.workers_started;
}

/* False: we saw it so late that nothing can be said. */
static bool look_between_kill_and_end(pp_pool *pool)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = limit;
    uint64_t started = workers_started(pool);
    double   begin = now();
    pp_task *task = queue_function(pool, deaf, &options);
    gate_await(&the_gate);
    pid_t pid = pp_task_worker_pid(task);
    hold_at_its_end(pid);
    pp_state state = pp_task_state(task);
    uint64_t started_now = workers_started(pool);
    bool     seen = now() - begin < limit + early;
    let_it_go(pid);
    if (seen) {
        assert_int_equal(state, PP_RUNNING);
        assert_int_equal(started_now, started);
    }
    assert_ends(task, PP_TIMED_OUT);
    pp_task_unref(task);
    assert_works(pool);
    return seen;
}

static void a_killed_worker_that_has_not_gone_keeps_its_task_and_its_place(void **state)
{
    (void)state;
    gate_open(&the_gate);
    pp_pool *pool = pool_of(1, 1);
    bool     seen = false;
    for (int i = 0; i < TRIES && !seen; i++)
        seen = look_between_kill_and_end(pool);
    assert_true(seen);
    pp_pool_destroy(pool);
    gate_close(&the_gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_worker_that_has_not_gone_keeps_its_task_and_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
