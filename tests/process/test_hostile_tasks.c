/*
 * test_hostile_tasks.c - whatever a task does to the process that runs it, the task has one outcome,
 * the pool goes on, and the next tasks work and can be ended.
 *
 * (test_worker_process.c: handlers for every signal, closed descriptors one by one, setsid, umask, few
 *  descriptors.  test_hostile_box.c: what it writes into the shared memory.  test_left_behind.c:
 *  daemons.  test_environment.c: exit.)
 */
#include "own_memory.h"
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_SPAWN};

enum { METHODS = sizeof methods / sizeof *methods };

#define ANY PP_QUEUED /* whatever it ends with */

/* ------------------------------------------------------------- what must hold behind it */

static void assert_first_attempt_works(pp_pool *pool)
{
    pp_task *task = queue_function(pool, return_pid, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_task_attempts(task), 1);
    pp_task_unref(task);
}

static void assert_limit_works(pp_pool *pool)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    options.timeout = 0.03;
    pp_task *limited = queue_function(pool, sleep_for_ever, &options);
    assert_ends(limited, PP_TIMED_OUT);
    pp_task_unref(limited);
}

static bool has_ended(pp_state state)
{
    return state == PP_DONE || state == PP_FAILED || state == PP_WORKER_LOST;
}

/* `status`: of waitpid, when its worker is lost; negative: any. */
static void assert_pool_stands(pp_function *function, pp_state state, int status)
{
    for (int i = 0; i < METHODS; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.start_method = methods[i];
        options.min_size = options.max_size = 1;
        pp_pool *pool = pool_with(&options);
        pp_task *task = queue_function(pool, function, NULL);
        pp_task *behind = queue_function(pool, return_null, NULL);
        if (state == ANY) {
            assert_int_equal(pp_task_wait(task, PATIENCE), 0);
            assert_true(has_ended(pp_task_state(task)));
        } else
            assert_ends(task, state);
        if (state == PP_WORKER_LOST && status >= 0)
            assert_int_equal(pp_error_wait_status(pp_task_error(task)) & ~0x80, status);
        assert_ends(behind, PP_DONE);
        for (int k = 0; k < 3; k++)
            assert_first_attempt_works(pool);
        assert_limit_works(pool);
        assert_first_attempt_works(pool);
        pp_pool_stats stats = {.size = sizeof stats};
        assert_int_equal(pp_pool_finalize(pool, PATIENCE), 0);
        assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
        assert_int_equal(stats.done + stats.failed + stats.worker_lost + stats.timed_out, 7);
        pp_task_unref(task);
        pp_task_unref(behind);
        pp_pool_destroy(pool);
    }
}

/* ------------------------------------------------------------------------ descriptors */

static int close_range_of_all(pp_call *call)
{
    (void)call;
    return syscall(SYS_close_range, 0, ~0U, 0) == 0 ? 0 : -errno;
}

static void a_task_may_close_every_descriptor(void **state)
{
    (void)state;
    assert_pool_stands(close_range_of_all, ANY, -1);
}

/* ----------------------------------------------------------------------------- limits */

static void set_limit(int resource, rlim_t value)
{
    (void)setrlimit((enum __rlimit_resource)resource, &(struct rlimit){value, value});
}

static int take_limits_away(pp_call *call)
{
    (void)call;
    set_limit(RLIMIT_NOFILE, 0);
    set_limit(RLIMIT_NPROC, 0);
    set_limit(RLIMIT_STACK, 0);
    set_limit(RLIMIT_SIGPENDING, 0);
    set_limit(RLIMIT_MEMLOCK, 0);
    return 0;
}

static int take_memory_away(pp_call *call)
{
    (void)call;
    set_limit(RLIMIT_AS, 0);
    set_limit(RLIMIT_DATA, 0);
    return 0;
}

static int forbid_files(pp_call *call)
{
    set_limit(RLIMIT_FSIZE, 0);
    static const char large[300 * 1000];
    return pp_call_return_bytes(call, large, sizeof large);
}

static int spin_beyond_its_time(pp_call *call)
{
    (void)call;
    set_limit(RLIMIT_CORE, 0);
    (void)setrlimit(RLIMIT_CPU, &(struct rlimit){1, RLIM_INFINITY});
    for (;;)
        ;
    return 0;
}

static void a_task_may_lower_its_own_limits(void **state)
{
    (void)state;
    assert_pool_stands(take_limits_away, PP_DONE, -1);
}

/* A worker keeps what a task has done to its process, so the next ones have no memory either: each is
 * told so, and a worker that is ended makes room for a better one. */
static void tasks_behind_one_that_took_its_memory_away_are_told_so(void **state)
{
    (void)state;
#ifdef SANITIZED
    print_message("           a sanitizer needs address space without limit\n");
    skip();
#endif
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, take_memory_away, NULL);
    assert_ends(task, PP_DONE);
    for (int i = 0; i < 5; i++) {
        pp_task *next = queue_function(pool, return_pid, NULL);
        assert_int_equal(pp_task_wait(next, PATIENCE), 0);
        assert_true(has_ended(pp_task_state(next)));
        if (pp_task_state(next) == PP_FAILED)
            assert_int_equal(pp_error_errno(pp_task_error(next)), ENOMEM);
        pp_task_unref(next);
    }
    assert_limit_works(pool);
    assert_first_attempt_works(pool);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static void a_result_above_a_tasks_own_limit_of_file_sizes_is_an_exception(void **state)
{
    (void)state;
    assert_pool_stands(forbid_files, PP_FAILED, -1);
}

static void the_kernels_limit_of_processor_time_costs_the_task_alone(void **state)
{
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, spin_beyond_its_time, NULL);
    assert_ends(task, PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(task)) & 0x7f, SIGXCPU);
    assert_first_attempt_works(pool);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* ----------------------------------------------------------------------------- memory */

static int without_core(void)
{
    set_limit(RLIMIT_CORE, 0);
    return 0;
}

static int unmap_box(pp_call *call)
{
    (void)call;
    (void)without_core();
    return munmap(own_box(), sizeof(struct pp_box)) == 0 ? 0 : -errno;
}

static int unmap_tray(pp_call *call)
{
    (void)call;
    (void)without_core();
    return munmap(own_tray(), sizeof(struct pp_tray)) == 0 ? 0 : -errno;
}

/* The worker goes on in memory that is no longer shared: nobody hears of what it does. */
static int replace_box(pp_call *call)
{
    (void)call;
    (void)without_core();
    void *box = own_box();
    return mmap(box, sizeof(struct pp_box), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == box
               ? 0
               : -errno;
}

static int protect_box(pp_call *call)
{
    (void)call;
    (void)without_core();
    return mprotect(own_box(), sizeof(struct pp_box), PROT_READ) == 0 ? 0 : -errno;
}

static int unmap_whole_stack(pp_call *call)
{
    (void)without_core();
    uintptr_t page = (uintptr_t)&call & ~(uintptr_t)4095;
    (void)munmap((void *)page, 4096);
    return 0;
}

static void a_task_may_unmap_what_its_worker_works_with(void **state)
{
    pp_function *const functions[] = {unmap_box, replace_box, protect_box, unmap_whole_stack};
    (void)state;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        assert_pool_stands(functions[i], PP_WORKER_LOST, -1);
    assert_pool_stands(unmap_tray, ANY, -1); /* of no use for the result itself */
}

/* ------------------------------------------------------------------------ ways to leave */

static int leave_at_once(pp_call *call)
{
    (void)call;
    _exit(5);
}

static int exec_another(pp_call *call)
{
    char  name[] = "true";
    char *arguments[] = {name, NULL};
    (void)call;
    (void)execv("/bin/true", arguments);
    return -errno;
}

static int abort_twice(pp_call *call)
{
    (void)call;
    (void)without_core();
    (void)signal(SIGABRT, SIG_IGN);
    abort();
}

/* A sanitizer takes the next two for mistakes of the program. */
#ifndef SANITIZED
static int end_thread(pp_call *call)
{
    (void)call;
    pthread_exit(NULL);
}

static jmp_buf nowhere;

static int __attribute__((noinline)) set_jump(volatile char *here)
{
    *here = 1;
    return setjmp(nowhere);
}

/* Into a frame that has returned, and been written over. */
static int jump_into_the_past(pp_call *call)
{
    volatile char local = 0;
    (void)call;
    (void)without_core();
    if (set_jump(&local) != 0)
        _exit(6);
    memset((char *)&nowhere, 0x5a, sizeof nowhere);
    longjmp(nowhere, 1);
}
#endif

static void *stay(void *unused)
{
    (void)unused;
    for (;;)
        pause();
    return NULL;
}

/* The process lives on with a thread that is not the worker: only a limit or cancel ends that. */
static int main_thread_ends_and_another_stays(pp_call *call)
{
    pthread_t thread;
    (void)call;
    if (pthread_create(&thread, NULL, stay, NULL) != 0)
        return -EAGAIN;
    pthread_exit(NULL);
}

static void a_task_may_leave_its_callable_in_every_way(void **state)
{
    (void)state;
    assert_pool_stands(leave_at_once, PP_WORKER_LOST, 5 << 8);
    assert_pool_stands(exec_another, PP_WORKER_LOST, 0);
    assert_pool_stands(abort_twice, PP_WORKER_LOST, SIGABRT);
#ifndef SANITIZED
    assert_pool_stands(end_thread, PP_WORKER_LOST, -1);
    assert_pool_stands(jump_into_the_past, PP_WORKER_LOST, -1);
#endif
}

static void a_task_whose_thread_ended_alone_is_ended_by_its_limit(void **state)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    (void)state;
    options.timeout = 0.05;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, main_thread_ends_and_another_stays, &options);
    assert_ends(task, PP_TIMED_OUT);
    assert_first_attempt_works(pool);
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

/* ------------------------------------------------------------------- who and where it is */

static int become_nobody(pp_call *call)
{
    (void)call;
    (void)umask(0777);
    if (chdir("/") < 0 || setgid(65534) < 0 || setuid(65534) < 0)
        return -errno;
    return 0;
}

static void a_task_may_become_another_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("           only root can become another user\n");
        skip();
    }
    assert_pool_stands(become_nobody, PP_DONE, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_may_close_every_descriptor),
        cmocka_unit_test(a_task_may_lower_its_own_limits),
        cmocka_unit_test(tasks_behind_one_that_took_its_memory_away_are_told_so),
        cmocka_unit_test(a_result_above_a_tasks_own_limit_of_file_sizes_is_an_exception),
        cmocka_unit_test(the_kernels_limit_of_processor_time_costs_the_task_alone),
        cmocka_unit_test(a_task_may_unmap_what_its_worker_works_with),
        cmocka_unit_test(a_task_may_leave_its_callable_in_every_way),
        cmocka_unit_test(a_task_whose_thread_ended_alone_is_ended_by_its_limit),
        cmocka_unit_test(a_task_may_become_another_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
