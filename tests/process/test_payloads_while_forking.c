/*
 * test_payloads_while_forking.c - a program or a task may fork at any moment: a large payload that
 * another thread is making just then is neither refused nor left writable.
 *
 * One thread forks all the time, and each child lives until some more were forked; a mapping that it
 * inherited would live as long.
 */
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

enum { ALIVE = 4 };

struct forker {
    pthread_t    thread;
    _Atomic bool stop;
    _Atomic int  forks;
};

static void end_child(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL); /* our child, and not reaped */
    (void)waitpid(pid, NULL, 0);
}

static void *fork_and_fork(void *data)
{
    struct forker *forker = data;
    pid_t          children[ALIVE] = {0};
    for (unsigned i = 0; !atomic_load(&forker->stop); i++) {
        end_child(children[i % ALIVE]);
        children[i % ALIVE] = fork();
        if (children[i % ALIVE] == 0)
            for (;;)
                pause();
        atomic_fetch_add(&forker->forks, 1);
    }
    for (unsigned i = 0; i < ALIVE; i++)
        end_child(children[i]);
    return NULL;
}

static int begin_forking(struct forker *forker)
{
    atomic_init(&forker->stop, false);
    atomic_init(&forker->forks, 0);
    return pthread_create(&forker->thread, NULL, fork_and_fork, forker);
}

static void end_forking(struct forker *forker)
{
    atomic_store(&forker->stop, true);
    pthread_join(forker->thread, NULL);
}

static void large_arguments_are_accepted_while_another_thread_forks(void **state)
{
    enum { SIZE = 1024 * 1024, TASKS = 50, MOST = 500, FORKS = 20 };
    static char   bytes[SIZE];
    struct forker forker;
    (void)state;
    assert_int_equal(begin_forking(&forker), 0);
    for (int i = 0; i < MOST && (i < TASKS || atomic_load(&forker.forks) < FORKS); i++) {
        pp_task *task = NULL;
        int      error = pp_task_create(&task, PP_FUNCTION(return_null), NULL, NULL);
        if (error == 0)
            error = pp_task_set_bytes(task, bytes, sizeof bytes);
        pp_task_unref(task);
        if (error != 0)
            end_forking(&forker);
        assert_int_equal(error, 0);
    }
    end_forking(&forker);
}

/* Its thread goes on until the worker ends, so that children live, too, when the result is sent. */
static int return_much_while_forking(pp_call *call)
{
    enum { SIZE = 8 * 1024 * 1024 };
    static struct forker forker;
    static char          bytes[SIZE];
    if (atomic_load(&forker.forks) == 0 && begin_forking(&forker) != 0)
        return -ENOMEM;
    while (atomic_load(&forker.forks) < ALIVE)
        sched_yield();
    return pp_call_return_bytes(call, bytes, sizeof bytes);
}

static void large_results_come_back_while_another_thread_forks(void **state)
{
    enum { TASKS = 8 };
    pp_pool *pool = pool_of(1, 1);
    (void)state;
    for (int i = 0; i < TASKS; i++) {
        pp_task *task = queue_function(pool, return_much_while_forking, NULL);
        assert_ends(task, PP_DONE);
        pp_task_unref(task);
    }
    pp_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_arguments_are_accepted_while_another_thread_forks),
        cmocka_unit_test(large_results_come_back_while_another_thread_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
