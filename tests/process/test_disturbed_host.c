/*
 * test_disturbed_host.c - what the rest of the program does all the time while the pool works: signals
 * that are handled with and without SA_RESTART, a thread that collects every child there is, and
 * threads that fork children which exit, _exit, exec or are killed.  No call lets EINTR out, nothing is
 * lost, and nobody gets what belongs to somebody else.
 *
 * (test_environment.c: SIGCHLD handled, ignored, and what one waitpid(-1) finds.
 *  test_forked_children.c: a child that uses what it inherited.)
 */
#include "sanitized.h"
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A sanitizer's fork and signals take many times as long. */
#ifdef SANITIZED
enum { TIMES = 1 };
#else
enum { TIMES = 2 };
#endif

enum { LARGE = 200 * 1000, MANY = 60 };

static unsigned char large[LARGE];

static int return_length(pp_call *call)
{
    const void *data = NULL;
    size_t      size = 0;
    int         error = pp_call_bytes(call, &data, &size);
    return error < 0 ? error : pp_call_return(call, "i", (int)size);
}

static int crash_first_time(pp_call *call)
{
    return pp_call_attempt(call) == 1 ? crash_by_segv(call) : 0;
}

/* ------------------------------------------------------------------- all kinds of work */

struct work {
    pp_pool    *pool;
    atomic_uint callbacks;
    unsigned    accepted;
};

static void count_result(pp_task *task, const pp_value *result, void *userdata)
{
    (void)task;
    (void)result;
    atomic_fetch_add(&((struct work *)userdata)->callbacks, 1);
}

static void count_exception(pp_task *task, const pp_error *error, void *userdata)
{
    (void)task;
    (void)error;
    atomic_fetch_add(&((struct work *)userdata)->callbacks, 1);
}

static pp_task *submit(struct work *work, pp_function *function, size_t bytes, double timeout)
{
    pp_task_options options = PP_TASK_OPTIONS_INIT;
    pp_task        *task = NULL;
    options.callback = count_result;
    options.exception_callback = count_exception;
    options.userdata = work;
    options.timeout = timeout;
    options.max_retries = function == crash_first_time ? 1 : 0;
    assert_int_equal(pp_task_create(&task, PP_FUNCTION(function), &options, NULL), 0);
    if (bytes > 0)
        assert_int_equal(pp_task_set_bytes(task, large, bytes), 0);
    assert_int_equal(pp_pool_queue_task(work->pool, task), 0);
    work->accepted++;
    return task;
}

static void check_length(pp_task *task, int wanted)
{
    int length = 0;
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &length), 0);
    assert_int_equal(length, wanted);
    pp_task_unref(task);
}

static void wait_in_every_way(struct work *work)
{
    pp_task *tasks[MANY];
    for (int i = 0; i < MANY; i++) /* more than the queue holds: submitters wait */
        tasks[i] = submit(work, return_length, 1 + (size_t)i, 0);
    assert_true(pp_wait_any(tasks, MANY, PATIENCE) >= 0);
    assert_int_equal(pp_wait_all(tasks, MANY, PATIENCE), 0);
    for (int i = 0; i < MANY; i++)
        check_length(tasks[i], 1 + i);
    check_length(submit(work, return_length, sizeof large, 0), LARGE);
    assert_true(pp_pool_process_results(work->pool) >= 0);
}

static void force_ends(struct work *work)
{
    pp_task *limited = submit(work, sleep_for_ever, 0, 0.01);
    pp_task *lost = submit(work, crash_by_segv, 0, 0);
    pp_task *retried = submit(work, crash_first_time, 0, 0);
    assert_ends(limited, PP_TIMED_OUT);
    assert_ends(lost, PP_WORKER_LOST);
    assert_int_equal(pp_error_wait_status(pp_task_error(lost)) & 0x7f, SIGSEGV);
    assert_ends(retried, PP_DONE);
    pp_task_unref(limited);
    pp_task_unref(lost);
    pp_task_unref(retried);
}

static void use_a_pool(void)
{
    struct work work = {.pool = pool_of(2, 2)};
    for (int i = 0; i < TIMES; i++) {
        wait_in_every_way(&work);
        force_ends(&work);
    }
    assert_true(pp_pool_process_all_results(work.pool, PATIENCE) >= 0);
    assert_int_equal(pp_pool_finalize(work.pool, PATIENCE), 0);
    assert_int_equal(atomic_load(&work.callbacks), work.accepted);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(work.pool, &stats), 0);
    assert_int_equal(stats.done + stats.timed_out + stats.worker_lost, work.accepted);
    pp_pool_destroy(work.pool);
}

/* ---------------------------------------------------------------------------- signals */

static _Atomic unsigned long handled;
static atomic_bool           enough;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static void *storm(void *data)
{
    const pthread_t *target = data;
    while (!atomic_load(&enough)) {
        (void)pthread_kill(*target, SIGUSR1); /* without SA_RESTART */
        (void)pthread_kill(*target, SIGUSR2); /* with it */
        (void)sched_yield();
    }
    return NULL;
}

/* Any signal of the process goes to whichever thread does not block it: none of the pool's own does. */
static void *storm_at_process(void *unused)
{
    (void)unused;
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigaddset(&both, SIGUSR2);
    (void)pthread_sigmask(SIG_BLOCK, &both, NULL);
    while (!atomic_load(&enough)) {
        (void)kill(getpid(), SIGUSR1);
        (void)sched_yield();
    }
    return NULL;
}

/* Memory of many pages takes longer than two signals are apart: it must not begin afresh with each. */
static void make_much_memory(void)
{
    enum { MUCH = 32 << 20 };
    for (int i = 0; i < TIMES; i++) {
        pp_buffer *buffer = NULL;
        assert_int_equal(pp_buffer_create(&buffer, MUCH), 0);
        pp_buffer_unref(buffer);
    }
}

static void work_in_a_storm(void *unused)
{
    pthread_t self = pthread_self();
    pthread_t threads[2];
    (void)unused;
    (void)sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count_signal}, NULL);
    (void)sigaction(SIGUSR2,
                    &(struct sigaction){.sa_handler = count_signal, .sa_flags = SA_RESTART}, NULL);
    assert_int_equal(pthread_create(&threads[0], NULL, storm, &self), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, storm_at_process, NULL), 0);
    use_a_pool();
    make_much_memory();
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("           %lu signals\n", atomic_load(&handled));
    assert_true(atomic_load(&handled) > 100);
}

static void a_storm_of_signals_lets_no_eintr_out_and_loses_nothing(void **state)
{
    (void)state;
    assert_child_succeeds(work_in_a_storm, NULL);
}

/* --------------------------------------------------------------------------- children */

static _Atomic unsigned long collected;

/* As some programs do: whatever ends is collected at once, whose ever it is. */
static void *collect_every_child(void *unused)
{
    (void)unused;
    while (!atomic_load(&enough)) {
        int   status = 0;
        pid_t pid = waitpid(-1, &status, 0);
        if (pid < 0 || status != 7 << 8) /* never without a child: one is there till the end */
            _exit(91);
        atomic_fetch_add(&collected, 1);
    }
    return NULL;
}

static void fork_child_of_status_7(void)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(7);
}

static void work_beside_a_collector(void *unused)
{
    int       hold[2];
    pthread_t thread;
    (void)unused;
    assert_int_equal(pipe(hold), 0);
    pid_t last = fork(); /* the collector waits for this one, too, and ends with it */
    if (last == 0) {
        char byte = 0;
        (void)close(hold[1]);
        (void)read(hold[0], &byte, 1);
        _exit(7);
    }
    assert_int_equal(pthread_create(&thread, NULL, collect_every_child, NULL), 0);
    for (int i = 0; i < 2; i++) {
        fork_child_of_status_7();
        use_a_pool();
    }
    atomic_store(&enough, true);
    (void)close(hold[1]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    assert_int_equal(errno, ECHILD);
    assert_true(atomic_load(&collected) >= 1);
}

static void a_thread_that_collects_every_child_gets_none_of_the_pools(void **state)
{
    (void)state;
    assert_child_succeeds(work_beside_a_collector, NULL);
}

static _Noreturn void end_in_some_way(unsigned way)
{
    char  name[] = "true";
    char *arguments[] = {name, NULL};
#ifdef SANITIZED
    way = way % 4 == 3 ? 0 : way; /* at exit a child would be searched for what its parent holds */
#endif
    switch (way % 4) {
    case 0:
        (void)execv("/bin/true", arguments);
        _exit(92);
    case 1:
        _exit(0);
    case 2:
        (void)kill(getpid(), SIGKILL);
        _exit(93);
    default:
        /* what is in the buffers is the parent's */
        (void)freopen("/dev/null", "w", stdout);
        exit(0);
    }
}

static _Atomic unsigned long forks;

static void *fork_all_the_time(void *unused)
{
    (void)unused;
    for (unsigned way = 0; !atomic_load(&enough); way++) {
        int   status = -1;
        pid_t pid = fork();
        if (pid == 0)
            end_in_some_way(way);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != (way % 4 == 2 ? SIGKILL : 0))
            _exit(94);
        atomic_fetch_add(&forks, 1);
    }
    return NULL;
}

static void work_while_forking(void *unused)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    (void)unused;
    memset(large, 1, sizeof large);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fork_all_the_time, NULL), 0);
    use_a_pool();
    use_a_pool();
    atomic_store(&enough, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    print_message("           %lu forks\n", atomic_load(&forks));
    assert_true(atomic_load(&forks) > 0);
}

static void threads_may_fork_all_the_time_whatever_their_children_do(void **state)
{
    (void)state;
    assert_child_succeeds(work_while_forking, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_of_signals_lets_no_eintr_out_and_loses_nothing),
        cmocka_unit_test(a_thread_that_collects_every_child_gets_none_of_the_pools),
        cmocka_unit_test(threads_may_fork_all_the_time_whatever_their_children_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
