/*
 * test_worker_process.c - the process of a worker: it holds nothing that it must not have, stands what
 * a task does to it, and comes into being whatever the threads of the host are doing.
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void handle(int number)
{
    (void)number;
}

/* Descriptors of shared memory of procpool that a task could map again, and all that are open. */
static int return_descriptors(pp_call *call)
{
    int trays = 0;
    int all = 0;
    for (int fd = 3; fd < 1024; fd++) {
        char    path[64];
        char    target[128] = "";
        ssize_t size = 0;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        size = readlink(path, target, sizeof target - 1);
        if (size < 0)
            continue;
        all++;
        trays += strstr(target, "memfd:procpool") != NULL ? 1 : 0;
    }
    return pp_call_return(call, "ii", trays, all);
}

static void a_worker_holds_no_descriptor_of_the_pools_memory_or_of_its_siblings(void **state)
{
    const pp_start_method methods[] = {PP_START_FORKSERVER, PP_START_FORK, PP_START_SPAWN};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        int             before = -1;
        options.min_size = options.max_size = 4;
        options.start_method = methods[i];
        pp_pool *pool = pool_with(&options);
        for (int k = 0; k < 12; k++) {
            pp_task *task = queue_function(pool, return_descriptors, NULL);
            int      trays = -1;
            int      all = -1;
            assert_ends(task, PP_DONE);
            assert_int_equal(pp_value_unpack(pp_task_result(task), "ii", &trays, &all), 0);
            assert_int_equal(trays, 0);
            if (before >= 0) /* not one more for each sibling that was there before */
                assert_int_equal(all, before);
            before = all;
            pp_task_unref(task);
            assert_crash_is_told(pool);
        }
        pp_pool_destroy(pool);
    }
}

/* ------------------------------------------------------ what a task does to its process */

static int install_handlers_and_block(pp_call *call)
{
    sigset_t all;
    (void)call;
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, number == SIGURG ? SIG_DFL : handle);
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    return 0;
}

static int close_all_descriptors(pp_call *call)
{
    (void)call;
    for (int fd = 0; fd < 1024; fd++)
        (void)close(fd);
    return 0;
}

static int set_session(pp_call *call)
{
    return pp_call_return(call, "i", (int)setsid());
}

static int session_of_worker_and_parent(pp_call *call)
{
    return pp_call_return(call, "ii", (int)getsid(0), (int)getsid(getppid()));
}

/* The terminal's signals are for the host. */
static void workers_and_fork_server_are_not_in_the_session_of_the_host(void **state)
{
    int worker = 0;
    int server = 0;
    (void)state;
    pp_pool *pool = pool_of(1, 1);
    pp_task *task = queue_function(pool, session_of_worker_and_parent, NULL);
    assert_ends(task, PP_DONE);
    assert_int_equal(pp_value_unpack(pp_task_result(task), "ii", &worker, &server), 0);
    assert_int_not_equal(worker, getsid(0));
    assert_int_not_equal(server, getsid(0));
    pp_task_unref(task);
    pp_pool_destroy(pool);
}

static int change_folder_and_limits(pp_call *call)
{
    (void)call;
    (void)umask(0777);
    (void)setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3});
    return chdir("/") < 0 ? -errno : 0;
}

static int fork_and_reap_anyone(pp_call *call)
{
    (void)call;
    if (fork() == 0)
        _exit(0);
    return waitpid(-1, NULL, 0) > 0 ? 0 : -errno;
}

/* Each ends in an outcome, and a time limit and the next tasks work, whoever executes them. */
static void a_worker_stands_what_a_task_does_to_its_process(void **state)
{
    pp_function *const strange[] = {install_handlers_and_block, set_session, fork_and_reap_anyone,
                                    change_folder_and_limits, close_all_descriptors};
    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        pp_task_options options = PP_TASK_OPTIONS_INIT;
        pp_pool        *pool = pool_of(1, 1);
        pp_task        *task = queue_function(pool, strange[i], NULL);
        if (strange[i] == close_all_descriptors) {
            assert_int_equal(pp_task_wait(task, PATIENCE), 0);
            assert_true(pp_task_state(task) == PP_DONE || pp_task_state(task) == PP_WORKER_LOST);
        } else
            assert_ends(task, PP_DONE);
        for (int k = 0; k < 3; k++)
            assert_works(pool);
        options.timeout = 0.05;
        pp_task *limited = queue_function(pool, sleep_for_ever, &options);
        assert_ends(limited, PP_TIMED_OUT);
        assert_works(pool);
        pp_task_unref(task);
        pp_task_unref(limited);
        pp_pool_destroy(pool);
    }
}

static int return_processor(pp_call *call)
{
    return pp_call_return(call, "i", sched_getcpu());
}

static void a_worker_knows_on_which_processor_it_runs(void **state)
{
    (void)state;
    pp_pool *pools[2];
    for (int i = 0; i < 2; i++) { /* from a process with one thread, and with several */
        int processor = -1;
        pools[i] = pool_of(1, 1);
        pp_task *task = queue_function(pools[i], return_processor, NULL);
        assert_ends(task, PP_DONE);
        assert_int_equal(pp_value_unpack(pp_task_result(task), "i", &processor), 0);
        assert_true(processor >= 0 && processor < sysconf(_SC_NPROCESSORS_CONF));
        pp_task_unref(task);
    }
    pp_pool_destroy(pools[0]);
    pp_pool_destroy(pools[1]);
}

/* -------------------------------------------------------------------------- threads */

static void *create_pool(void *data)
{
    pp_pool **pool = data;
    *pool = pool_of(2, 2);
    return NULL;
}

static void a_pool_outlives_the_thread_that_created_it(void **state)
{
    pp_pool  *pool = NULL;
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, create_pool, &pool), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 10; i++)
        assert_works(pool);
    pp_pool_stats stats = {.size = sizeof stats};
    assert_int_equal(pp_pool_get_stats(pool, &stats), 0);
    assert_int_equal(stats.workers_died, 0);
    assert_int_equal(stats.workers_started, 2);
    assert_crash_is_told(pool);
    assert_works(pool);
    pp_pool_destroy(pool);
}

static atomic_bool enough;

static void *be_busy_in_malloc(void *unused)
{
    (void)unused;
    while (!atomic_load(&enough)) {
        void *blocks[16];
        for (size_t i = 0; i < 16; i++)
            blocks[i] = malloc(100 + i * 1000);
        for (size_t i = 0; i < 16; i++)
            free(blocks[i]);
        FILE *file = fopen("/dev/null", "we");
        if (file != NULL)
            (void)fclose(file);
    }
    return NULL;
}

static int allocate_and_print(pp_call *call)
{
    char *text = malloc(100000);
    if (text == NULL)
        return -ENOMEM;
    memset(text, 'x', 100000);
    int   result = pp_call_return(call, "y", text, (size_t)100000);
    FILE *file = fopen("/dev/null", "we");
    if (file != NULL) {
        fprintf(file, "%s", "something");
        (void)fclose(file);
    }
    free(text);
    return result;
}

static void pools_can_be_created_while_other_threads_hold_the_locks_of_the_c_library(void **state)
{
    enum { BUSY = 3, POOLS = 15 };
    pthread_t threads[BUSY];
    (void)state;
#ifdef SANITIZED
    print_message("           the allocator of a sanitizer does not stand a fork among threads\n");
    skip();
#endif
    atomic_store(&enough, false);
    for (int i = 0; i < BUSY; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_busy_in_malloc, NULL), 0);
    for (int i = 0; i < POOLS; i++) {
        pp_pool_options options = PP_POOL_OPTIONS_INIT;
        options.min_size = options.max_size = 2;
        options.start_method = i % 3 == 2 ? PP_START_FORK : PP_START_FORKSERVER;
        pp_pool *pool = pool_with(&options);
        pp_task *first = queue_function(pool, allocate_and_print, NULL);
        pp_task *second = queue_function(pool, allocate_and_print, NULL);
        assert_ends(first, PP_DONE);
        assert_ends(second, PP_DONE);
        pp_task_unref(first);
        pp_task_unref(second);
        pp_pool_destroy(pool);
    }
    atomic_store(&enough, true);
    for (int i = 0; i < BUSY; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_holds_no_descriptor_of_the_pools_memory_or_of_its_siblings),
        cmocka_unit_test(workers_and_fork_server_are_not_in_the_session_of_the_host),
        cmocka_unit_test(a_worker_stands_what_a_task_does_to_its_process),
        cmocka_unit_test(a_worker_knows_on_which_processor_it_runs),
        cmocka_unit_test(a_pool_outlives_the_thread_that_created_it),
        cmocka_unit_test(pools_can_be_created_while_other_threads_hold_the_locks_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
