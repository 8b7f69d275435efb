/*
 * test_refused_calls.c - a sandbox answers ENOSYS to a system call that the pool needs: creating one
 * says so and leaves nothing, or the pool works without the call.  The same when the sandbox closes
 * around the host after the pool was made: limits, cancel and finalize work, and what can have no
 * worker any more is told so.
 *
 * The filter is installed in a forked child.  Before the pool it is for all processes of the pool;
 * after it, for the threads of the host alone.
 *
 * (tests/faults: each single call fails with each of its errnos.)
 */
#include "support.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct refusal {
    const char *name;
    long        number;
    int         error; /* 0: the pool works without it */
};

/* EOWNERDEAD: a fork server that meets it ends without a word.  Not rseq: the C library itself ends a
 * process that begins a thread without it. */
static const struct refusal refusals[] = {
    {"pidfd_open", SYS_pidfd_open, -ENOSYS},
    {"pidfd_send_signal", SYS_pidfd_send_signal, 0},
    {"memfd_create", SYS_memfd_create, -ENOSYS},
    {"fallocate", SYS_fallocate, -ENOSYS},
    {"madvise", SYS_madvise, -ENOSYS},
    {"clone", SYS_clone, -ENOSYS},
    {"clone3", SYS_clone3, 0},
    {"eventfd2", SYS_eventfd2, -ENOSYS},
    {"epoll_create1", SYS_epoll_create1, -ENOSYS},
    {"epoll_ctl", SYS_epoll_ctl, -ENOSYS},
    {"socketpair", SYS_socketpair, -ENOSYS},
    {"sendmsg", SYS_sendmsg, -ENOSYS},
    {"recvmsg", SYS_recvmsg, -EOWNERDEAD},
    {"signalfd4", SYS_signalfd4, -EOWNERDEAD},
    {"setsid", SYS_setsid, 0},
    {"timer_create", SYS_timer_create, 0},
    {"timer_settime", SYS_timer_settime, 0},
    {"waitid", SYS_waitid, 0},
    {"kill", SYS_kill, 0},
    {"close_range", SYS_close_range, 0},
    {"statx", SYS_statx, 0},
    {"sysinfo", SYS_sysinfo, 0},
    {"prlimit64", SYS_prlimit64, 0},
};

enum { REFUSALS = sizeof refusals / sizeof *refusals };

/* From now on the kernel answers ENOSYS to that call: in this thread and what it starts, or in all
 * threads there are. */
static int refuse(long number, unsigned flags)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog whole = {.len = sizeof program / sizeof *program, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole) == 0 ? 0 : -errno;
}

/* Not where a sandbox is around this test already. */
static bool can_refuse(void)
{
    int   status = -1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(refuse(SYS_setsid, 0) == 0 && setsid() < 0 && errno == ENOSYS ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0)
        print_message("           no filter of system calls may be installed here\n");
    return status == 0;
}

/* ------------------------------------------------------------------------ in a child */

/* cmocka would go on with the other tests in the child; and orphans come to us. */
static void begin_child(void)
{
    if (setenv("CMOCKA_TEST_ABORT", "1", 1) < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        _exit(95);
}

static void assert_nothing_left(unsigned descriptors)
{
    (void)alarm((unsigned)PATIENCE); /* ends us when somebody stays */
    while (wait4(-1, NULL, (int)__WALL, NULL) >= 0 || errno == EINTR)
        ;
    assert_int_equal(errno, ECHILD);
    (void)alarm(0);
    assert_int_equal(open_descriptors(), descriptors);
}

static pp_task *queue_limited(pp_pool *pool, double timeout)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = timeout;
    return queue_function(pool, gate_task, &options);
}

/* What has to be killed: by a limit, by cancel, and by the end of the pool. */
static void assert_ends_by_force(pp_pool *pool)
{
    pp_task *limited = queue_limited(pool, 0.05);
    gate_await(&the_gate);
    assert_ends(limited, PP_TIMED_OUT);
    assert_true(pid_gone(pp_task_worker_pid(limited)));
    assert_works(pool);
    pp_task *cancelled = queue_limited(pool, 0);
    gate_await(&the_gate);
    assert_int_equal(pp_task_cancel(cancelled), 0);
    assert_ends(cancelled, PP_CANCELLED);
    assert_true(pid_gone(pp_task_worker_pid(cancelled)));
    assert_works(pool);
    pp_task *stopped = queue_limited(pool, 0);
    gate_await(&the_gate);
    assert_int_equal(pp_pool_finalize(pool, 0.01), 1);
    assert_ends(stopped, PP_CANCELLED);
    pp_task_unref(limited);
    pp_task_unref(cancelled);
    pp_task_unref(stopped);
}

static void create_without(void *data)
{
    const struct refusal *refusal = data;
    pp_pool_options       options = PP_POOL_OPTIONS_INIT;
    pp_pool              *pool = NULL;
    begin_child();
    unsigned descriptors = open_descriptors();
    assert_int_equal(refuse(refusal->number, 0), 0);
    options.min_size = options.max_size = 2;
    int error = pp_pool_create(&pool, &options);
    if (error == 0 && refusal->error == 0) {
        assert_works(pool);
        assert_crash_is_told(pool);
        assert_ends_by_force(pool);
        pp_pool_destroy(pool);
    } else if (error != refusal->error) {
        print_error("without %s: %d\n", refusal->name, error);
        assert_true(false);
    }
    assert_nothing_left(descriptors);
}

/* ---------------------------------------------------------------------------- tests */

static void a_pool_that_cannot_have_a_system_call_says_so_or_works_without(void **state)
{
    (void)state;
    if (!can_refuse())
        skip();
    for (size_t i = 0; i < REFUSALS; i++)
        assert_child_succeeds(create_without, (void *)&refusals[i]);
}

static void close_sandbox_around_host(long number)
{
    assert_int_equal(refuse(number, SECCOMP_FILTER_FLAG_TSYNC), 0);
}

static void lose_signals(void *unused)
{
    (void)unused;
    begin_child();
    unsigned descriptors = open_descriptors();
    pp_pool *pool = pool_of(2, 2);
    close_sandbox_around_host(SYS_pidfd_send_signal);
    assert_ends_by_force(pool);
    pp_pool_destroy(pool);
    assert_nothing_left(descriptors);
}

static void a_host_that_may_not_signal_any_more_has_its_workers_ended_all_the_same(void **state)
{
    (void)state;
    if (!can_refuse())
        skip();
    assert_child_succeeds(lose_signals, NULL);
}

/* The only worker dies, and no other can be had. */
static void lose_births(void *data)
{
    const long *number = data;
    begin_child();
    unsigned descriptors = open_descriptors();
    pp_pool *pool = pool_of(1, 1);
    close_sandbox_around_host(*number);
    assert_works(pool);
    assert_crash_is_told(pool);
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(pp_error_errno(pp_task_error(task)), ENOSYS);
    assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
    pp_task_unref(task);
    pp_pool_destroy(pool);
    assert_nothing_left(descriptors);
}

static void what_waits_for_a_worker_that_cannot_be_made_any_more_is_told_so(void **state)
{
    const long numbers[] = {SYS_memfd_create, SYS_socketpair, SYS_sendmsg};
    (void)state;
    if (!can_refuse())
        skip();
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_child_succeeds(lose_births, (void *)&numbers[i]);
}

static int open_gate(void **state)
{
    (void)state;
    gate_open(&the_gate);
    return 0;
}

static int close_gate(void **state)
{
    (void)state;
    gate_close(&the_gate);
    return 0;
}

#define GATE_TEST(function) cmocka_unit_test_setup_teardown(function, open_gate, close_gate)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(a_pool_that_cannot_have_a_system_call_says_so_or_works_without),
        GATE_TEST(a_host_that_may_not_signal_any_more_has_its_workers_ended_all_the_same),
        GATE_TEST(what_waits_for_a_worker_that_cannot_be_made_any_more_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
